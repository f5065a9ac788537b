"""Growing prefixes, for the look-ahead prover: the process never holds a bar past the one it is asked about.

The host sends the bars up to the first cut, takes the answer, sends the bars up to the second, and so on. A fresh
strategy answers for each.
"""

from typing import Any

import numpy as np

from marketdata.bars import Bars
from strategies.contract import EventStrategy
from strategies.sandbox.inside import wire
from strategies.sandbox.inside.drivers.events import intents
from strategies.sandbox.inside.levels import levels


def drive(job: Any, strategy: Any, parameters: Any) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    made, known = type(strategy), None
    while (frame := wire.read_frame(job.input)) is not None:
        _, more = frame
        columns = [more[name] for name in wire.COLUMNS]
        known = columns if known is None else [np.concatenate(pair) for pair in zip(known, columns, strict=True)]
        bars = Bars(*(_frozen(column) for column in known))
        if issubclass(made, EventStrategy):
            answer = intents(job, made(), parameters, bars)
        else:
            answer = levels(made().signals(bars, parameters), len(bars))
        wire.write(job.result, wire.encode({"kind": "prefixes"}, answer))
    return {"end": True}, {}


def _frozen(column: wire.Array) -> wire.Array:
    copy = column.copy()
    copy.flags.writeable = False
    return copy
