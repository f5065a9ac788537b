"""The crossing of two simple moving averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strategies.contract import Floats, InvalidParameter, Parameter, Parameters, Strategy
from strategies.library.direction import DIRECTION, exposure

if TYPE_CHECKING:
    from marketdata.bars import Bars


class SmaCross(Strategy):
    """Long while the fast average of the close is above the slow one."""

    name = "sma-cross"
    label = "SMA cross"
    summary = (
        "Buys when the fast moving average rises above the slow one and leaves when it falls below. Follows trends; loses a "
        "little, often, in a market that goes sideways."
    )
    rationale = (
        "Prices that have risen for a while tend to go on for a while: news spreads slowly and large orders take days. The "
        "cross says that the recent mean is above the older one and nothing more, so it is late by about half the difference "
        "of the lengths. It fails in a range, where every cross comes at the end of a swing, and it gives back part of each "
        "trend."
    )
    parameters = (
        Parameter("fast", "Fast average", "int", 20, minimum=2, maximum=200, step=1, help="Bars."),
        Parameter("slow", "Slow average", "int", 50, minimum=3, maximum=400, step=1, help="Bars; more than the fast one."),
        DIRECTION,
    )

    def check(self, p: Parameters) -> None:
        if p.fast >= p.slow:
            raise InvalidParameter(f"fast must be less than slow, was {p.fast} and {p.slow}", field="fast", below="slow")

    def history(self, p: Parameters) -> int:
        return int(p.slow)

    def signals(self, bars: Bars, p: Parameters) -> Floats:
        # Imported when it runs: processes that only list strategies do without the numeric libraries.
        from marketdata.indicators.moving import sma

        return exposure(sma(bars.close, p.fast), sma(bars.close, p.slow), scale=bars.close, direction=p.direction)
