"""The event-driven run in a batch: ``on_bar(ctx)`` once a bar, orders collected, fills computed by the engine outside."""

from typing import Any

import numpy as np

from strategies.sandbox.inside import wire


class Now:
    """What a strategy sees at the close of one bar, and the exposure it asks for."""

    __slots__ = ("close", "exposure", "high", "index", "low", "open", "time", "volume")
    index: int
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    exposure: float

    def target(self, exposure: float) -> None:
        self.exposure = float(exposure)


def drive(job: Any, strategy: Any, parameters: Any) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    from strategies.sandbox.inside.levels import levels

    now, wanted, on_bar = Now(), [], strategy.on_bar
    now.exposure = 0.0
    for index, row in enumerate(job.bars.rows()):
        now.index, (now.time, now.open, now.high, now.low, now.close, now.volume) = index, row
        on_bar(now)
        wanted.append(now.exposure)
    return {}, levels(np.array(wanted), len(wanted))
