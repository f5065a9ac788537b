"""The side of the session's volume-weighted average price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import InvalidParameter, Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, held, patience

if TYPE_CHECKING:
    from marketdata.bars import Bars

DAY_OF_MINUTES: Final = 1440


class VwapTrend(Strategy):
    """Long from the bar that closes clearly above the session's VWAP until one closes clearly below it."""

    name = "vwap"
    label = "VWAP"
    summary = (
        "Buys when the close rises clearly above the volume-weighted average price of the UTC day and leaves when it is "
        "clearly below."
    )
    rationale = (
        "The volume-weighted price is what the day's buyers have paid on average and what large orders are measured by. Above "
        "it most of them sit on gains and dips find buyers. The distance in average ranges leaves out the bars on which price "
        "only crosses it. It fails on days without a direction, which cross it many times, and says nothing on bars of a day "
        "or longer."
    )
    parameters = (
        Parameter("enter", "Enter at", "float", 3.0, minimum=0, maximum=10, step=0.1, help="Average ranges from the VWAP."),
        Parameter("leave", "Leave at", "float", -1.5, minimum=-5, maximum=5, step=0.1, help="Less than the entry."),
        Parameter("start", "Session begins", "int", 0, minimum=0, maximum=1439, step=15, help="Minute of the UTC day."),
        ATR_WINDOW,
        patience(200),
        DIRECTION,
    )

    def check(self, p: Parameters) -> None:
        if p.leave >= p.enter:
            raise InvalidParameter(
                f"leave must be less than enter, was {p.leave:g} and {p.enter:g}", field="leave", below="enter"
            )

    def history(self, p: Parameters) -> int:
        # A session of one-minute bars; longer bars need fewer.
        return DAY_OF_MINUTES + wilder(p.atr_window) + int(p.patience) + 2

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        from marketdata.indicators.volatility import atr
        from marketdata.indicators.volume import vwap
        from strategies.library.kernels import standardised

        # The bands of the indicator are not looked at; one deviation is as good as another.
        middle, _, _ = vwap(bars.time, bars.high, bars.low, bars.close, bars.volume, "day", p.start, 1.0)
        score = np.empty(len(bars))
        standardised(bars.close, middle, atr(bars.high, bars.low, bars.close, p.atr_window), score)
        return held(score, bars, enter=p.enter, leave=p.leave, patience=p.patience, direction=p.direction)
