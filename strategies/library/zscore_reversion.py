"""Buying what is cheap against its own recent mean, in standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import InvalidParameter, Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, held, patience, stop_distance

if TYPE_CHECKING:
    from marketdata.bars import Bars


class ZScoreMeanReversion(Strategy):
    """Long from a z-score of -enter until it has come back to -leave."""

    name = "zscore-reversion"
    label = "Z-score reversion"
    summary = (
        "Buys when the close is a number of standard deviations below its mean and leaves near the mean, at a stop, or when it "
        "has waited long enough."
    )
    rationale = (
        "Over short spans prices overshoot: somebody had to trade at once and paid for it, and who stands against that is paid "
        "for waiting. The score says how unusual the price is for the window. It fails when the move was news: then the mean "
        "follows the price instead of the price the mean. The stop and the time limit are there for that; without them the "
        "losses are few and large."
    )
    levels = ("stop",)
    parameters = (
        Parameter("window", "Window", "int", 50, minimum=5, maximum=500, step=1, help="Bars of mean and deviation."),
        Parameter("enter", "Enter at", "float", 2.0, minimum=0.5, maximum=6, step=0.1, help="Deviations from the mean."),
        Parameter(
            "leave", "Leave at", "float", 0.25, minimum=-2, maximum=3, step=0.05, help="Deviations; less than the entry."
        ),
        ATR_WINDOW,
        stop_distance(4.0),
        patience(100),
        DIRECTION,
    )

    def check(self, p: Parameters) -> None:
        if p.leave >= p.enter:
            raise InvalidParameter(
                f"leave must be less than enter, was {p.leave:g} and {p.enter:g}", field="leave", below="enter"
            )

    def history(self, p: Parameters) -> int:
        return max(int(p.window), wilder(p.atr_window)) + int(p.patience) + 2

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        from marketdata.indicators.volatility import atr
        from strategies.library.kernels import moments, standardised

        sample, score = np.empty((2, len(bars))), np.empty(len(bars))
        moments(bars.close, p.window, sample)
        standardised(sample[0], bars.close, sample[1], score)  # the mean less the close: high where price is cheap
        reach = atr(bars.high, bars.low, bars.close, p.atr_window)
        return held(
            score, bars, enter=p.enter, leave=p.leave, patience=p.patience, direction=p.direction, reach=reach, stop=p.stop
        )
