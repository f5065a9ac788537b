"""From the outer Bollinger band back to the middle one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, held, patience, stop_distance

if TYPE_CHECKING:
    from marketdata.bars import Bars


class BollingerMeanReversion(Strategy):
    """Long when the close comes back inside the lower band, with the middle band as its goal."""

    name = "bollinger-reversion"
    label = "Bollinger reversion"
    summary = (
        "Buys when the close returns into the bands from below the lower one and takes its profit at the middle band, with a "
        "stop below the entry."
    )
    rationale = (
        "Nearly all closes lie within two deviations of the mean; one outside is followed by a return more often than not, and "
        "waiting for the first close back inside leaves out falls that are still going on (Bollinger 2001). It fails in "
        "trends, which walk along a band: returns inside are pauses then, and the stop is what they cost."
    )
    levels = ("stop", "take_profit")
    parameters = (
        Parameter("window", "Window", "int", 20, minimum=5, maximum=500, step=1, help="Bars of the bands."),
        Parameter("width", "Width", "float", 2.0, minimum=0.5, maximum=5, step=0.1, help="Standard deviations."),
        ATR_WINDOW,
        stop_distance(3.0),
        patience(60),
        DIRECTION,
    )

    def history(self, p: Parameters) -> int:
        return max(int(p.window), wilder(p.atr_window)) + int(p.patience) + 2

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        from marketdata.indicators.volatility import atr
        from strategies.library.kernels import moments, returned

        sample, score = np.empty((2, len(bars))), np.empty(len(bars))
        moments(bars.close, p.window, sample)
        returned(bars.close, sample[0], sample[1], p.width, score)
        reach = atr(bars.high, bars.low, bars.close, p.atr_window)
        return held(
            score,
            bars,
            enter=2.0,
            leave=0.0,
            patience=p.patience,
            direction=p.direction,
            reach=reach,
            stop=p.stop,
            goal=sample[0],
        )
