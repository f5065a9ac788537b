"""One bar in, one answer out, for as long as the host keeps the session; the history came as an array before."""

from typing import Any

import numpy as np

from marketdata.bars import Bars
from strategies import contract
from strategies.contract import EventStrategy
from strategies.sandbox.inside import wire
from strategies.sandbox.inside.levels import NAMES, levels


def drive(job: Any, strategy: Any, parameters: Any) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    if isinstance(strategy, EventStrategy):
        raise contract.InvalidSignals("an event-driven strategy answers with orders, not with an exposure")
    window = max(1, int(strategy.history(parameters)))
    past = job.bars.tail(window) if job.bars is not None else Bars.empty()
    table = np.zeros((6, 4 * window + 16))
    times = np.zeros(table.shape[1], np.int64)
    end = len(past)
    times[:end] = past.time
    for i, column in enumerate(past.columns[1:], 1):
        table[i, :end] = column
    signals, result, given, read = strategy.signals, job.result, job.input, memoryview(bytearray(wire.BAR.size))
    wire.write(result, wire.encode({"kind": "live"}))
    while wire.read_exactly(given, read):
        if end == table.shape[1]:
            keep = window - 1
            table[:, :keep], times[:keep] = table[:, end - keep : end].copy(), times[end - keep : end].copy()
            end = keep
        time, *prices = wire.BAR.unpack(read)
        times[end], table[1:, end] = time, prices
        end += 1
        part = slice(max(0, end - window), end)
        answered = levels(signals(Bars(times[part], *(row[part] for row in table[1:])), parameters), part.stop - part.start)
        last = (float(answered[name][-1]) if name in answered else float("nan") for name in NAMES)
        wire.write(result, [wire.LEVELS.pack(wire.LEVELS_MAGIC, *last)])
    return {"end": True}, {}
