"""The sign of the return over a long window, the newest bars left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strategies.contract import Floats, InvalidParameter, Parameter, Parameters, Strategy
from strategies.library.direction import DIRECTION, NOISE, exposure

if TYPE_CHECKING:
    from marketdata.bars import Bars


class Momentum(Strategy):
    """Long while price stands above where it stood ``window`` bars ago (Moskowitz, Ooi and Pedersen 2012)."""

    name = "momentum"
    label = "Momentum"
    summary = "Holds what has risen over a long window, the newest bars left out because moves of a few bars tend to turn back."
    rationale = (
        "Returns over months are followed by returns of the same sign in most markets that have been studied: people "
        "underreact to news first and herd later. Leaving out the newest bars avoids the short reversal. It fails at sharp "
        "turns, when what fell most rises most, and it needs windows of weeks: on minutes there is little of it."
    )
    parameters = (
        Parameter("window", "Window", "int", 120, minimum=5, maximum=1000, step=5, help="Bars looked back."),
        Parameter(
            "skip", "Bars left out", "int", 5, minimum=0, maximum=200, step=1, help="The newest ones; fewer than the window."
        ),
        Parameter(
            "threshold", "Least move", "float", 1.0, minimum=0, maximum=50, step=0.25, help="Percent; smaller moves are none."
        ),
        DIRECTION,
    )

    def check(self, p: Parameters) -> None:
        if p.skip >= p.window:
            raise InvalidParameter(f"skip must be less than window, was {p.skip} and {p.window}", field="skip", below="window")

    def history(self, p: Parameters) -> int:
        return int(p.window) + 1

    def signals(self, bars: Bars, p: Parameters) -> Floats:
        close, n = bars.close, len(bars)
        wanted = np.zeros(n)
        if n > p.window:
            old, recent = close[: n - p.window], close[p.window - p.skip : n - p.skip]
            tolerance = max(NOISE, p.threshold / 100)
            wanted[p.window :] = exposure(recent, old, scale=old, direction=p.direction, tolerance=tolerance)
        return wanted
