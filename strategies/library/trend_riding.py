"""The crossing of two exponential averages, with a stop that trails the price."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import exponential, wilder
from strategies.contract import InvalidParameter, Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION, exposure
from strategies.library.holding import ATR_WINDOW

if TYPE_CHECKING:
    from marketdata.bars import Bars


class TrendRiding(Strategy):
    """Long while the fast exponential average is above the slow one and the trailing stop has not been reached."""

    name = "trend-riding"
    label = "Trend riding"
    summary = (
        "Buys when the fast exponential average rises above the slow one, and rides the move with a stop that trails the "
        "highest price by a number of average ranges."
    )
    rationale = (
        "A cross of averages finds the beginning of a trend, but tells of its end only after the averages have turned. The "
        "trailing stop (LeBeau's chandelier) leaves as soon as price has given back more than the market's usual noise. It "
        "fails in ranges, where crosses come one after the other, and where one violent bar shakes it out of a trend that goes "
        "on: it waits for the next cross then."
    )
    levels = ("trail",)
    parameters = (
        Parameter("fast", "Fast average", "int", 20, minimum=2, maximum=200, step=1, help="Bars."),
        Parameter("slow", "Slow average", "int", 60, minimum=3, maximum=400, step=1, help="Bars; more than the fast one."),
        ATR_WINDOW,
        Parameter(
            "trail", "Trail", "float", 4.0, minimum=0.5, maximum=20, step=0.25, help="Average ranges below the highest price."
        ),
        DIRECTION,
    )

    def check(self, p: Parameters) -> None:
        if p.fast >= p.slow:
            raise InvalidParameter(f"fast must be less than slow, was {p.fast} and {p.slow}", field="fast", below="slow")

    def history(self, p: Parameters) -> int:
        return max(exponential(p.slow), wilder(p.atr_window))

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        from marketdata.indicators.moving import ema
        from marketdata.indicators.volatility import atr
        from strategies.library.kernels import scaled

        wanted = exposure(ema(bars.close, p.fast), ema(bars.close, p.slow), scale=bars.close, direction=p.direction)
        trail = np.empty(len(bars))
        scaled(atr(bars.high, bars.low, bars.close, p.atr_window), p.trail, trail)
        return Signals(wanted, trail=trail)
