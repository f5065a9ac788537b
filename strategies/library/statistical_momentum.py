"""Momentum in units of chance: the move against what a random walk would have made, sized by volatility."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import InvalidParameter, Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, held, patience

if TYPE_CHECKING:
    from marketdata.bars import Bars


class StatisticalMomentum(Strategy):
    """Long from the bar on which the ATR-normalised move is more than chance makes, at an exposure of constant risk."""

    name = "statistical-momentum"
    label = "Statistical momentum"
    summary = (
        "Buys when the move over a window is large against what chance makes of the market's own range, with less the wilder "
        "the market is, and leaves when the move is used up."
    )
    rationale = (
        "A rise of 2 % is news in a quiet market and nothing in a wild one. Divided by the average range times the root of the "
        "bars, moves of all markets and times become comparable, and only those beyond chance are followed. Exposure falls as "
        "the range grows, so that each trade risks alike, which steadies the result more than it costs. It fails when "
        "volatility jumps after the entry, and where trends end sooner than the window can tell."
    )
    parameters = (
        Parameter("window", "Window", "int", 48, minimum=5, maximum=500, step=1, help="Bars of the move."),
        ATR_WINDOW,
        Parameter(
            "enter", "Enter at", "float", 0.8, minimum=0.1, maximum=5, step=0.05, help="Move in average ranges · √window."
        ),
        Parameter("leave", "Leave at", "float", 0.1, minimum=-2, maximum=4, step=0.05, help="Less than the entry."),
        Parameter(
            "risk", "Risk", "float", 1.0, minimum=0.05, maximum=10, step=0.05, help="Percent of equity that one range costs."
        ),
        patience(200),
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
        from strategies.library.kernels import drift

        reach, score = atr(bars.high, bars.low, bars.close, p.atr_window), np.empty(len(bars))
        drift(bars.close, reach, p.window, score)
        return held(
            score,
            bars,
            enter=p.enter,
            leave=p.leave,
            patience=p.patience,
            direction=p.direction,
            reach=reach,
            risk=p.risk / 100,
        )
