"""Growing prefixes, for the look-ahead prover: the process never holds a bar past the one it is asked about.

The host sends the bars up to the first cut, takes the answer, sends the bars up to the second, and so on. A fresh
strategy answers for each.
"""

from typing import Any

import numpy as np

from marketdata.bars import Bars
from strategies.contract import EventStrategy, Panel
from strategies.sandbox.inside import wire
from strategies.sandbox.inside.drivers.events import intents
from strategies.sandbox.inside.levels import exposures, levels


def drive(job: Any, strategy: Any, parameters: Any) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    made, legs = type(strategy), job.task["legs"]
    known: dict[str, wire.Array] = {}
    while (frame := wire.read_frame(job.input)) is not None:
        _, more = frame
        known = {name: np.concatenate([known[name], new]) if known else new for name, new in more.items()}
        tables = tuple(Bars(*(_frozen(known[f"{leg}.{name}"]) for name in wire.COLUMNS)) for leg in range(max(1, legs)))
        bars = tables[0]
        if legs:
            whole = made().signals(Panel(tables), parameters)
            answer = {"exposure": np.ravel(exposures(whole, len(bars), legs))}
        elif issubclass(made, EventStrategy):
            answer = intents(job, made(), parameters, bars)
        else:
            answer = levels(made().signals(bars, parameters), len(bars))
        wire.write(job.result, wire.encode({"kind": "prefixes"}, answer))
    return {"end": True}, {}


def _frozen(column: wire.Array) -> wire.Array:
    copy = column.copy()
    copy.flags.writeable = False
    return copy
