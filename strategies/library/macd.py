"""The crossing of the MACD line and its signal line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strategies.contract import Floats, InvalidParameter, Parameter, Parameters, Strategy
from strategies.library.direction import DIRECTION, exposure

if TYPE_CHECKING:
    from marketdata.bars import Bars


class MacdCross(Strategy):
    """Long while the MACD line is above its signal line (Appel, 1979)."""

    name = "macd"
    label = "MACD"
    summary = (
        "Buys when the MACD line rises above its signal line and leaves when it falls below. Reacts to a change of momentum "
        "earlier than a crossing of averages, and errs more often."
    )
    rationale = (
        "The distance of two exponential averages grows while a move gains speed and shrinks before it turns, so its cross "
        "with its own average comes earlier than a cross of the averages. It fails in quiet ranges, where the distance is "
        "noise around zero, and in strong trends, which it leaves at each pause."
    )
    parameters = (
        Parameter("fast", "Fast average", "int", 12, minimum=2, maximum=100, step=1, help="Bars."),
        Parameter("slow", "Slow average", "int", 26, minimum=3, maximum=200, step=1, help="Bars; more than the fast one."),
        Parameter("signal", "Signal line", "int", 9, minimum=2, maximum=50, step=1, help="Bars of MACD averaged."),
        DIRECTION,
    )

    def check(self, p: Parameters) -> None:
        if p.fast >= p.slow:
            raise InvalidParameter(f"fast must be less than slow, was {p.fast} and {p.slow}", field="fast", below="slow")

    def history(self, p: Parameters) -> int:
        # An exponential average forgets its seed by e**-2 every `length` bars: after ten lengths of each of the two
        # averages in a row, less than a part in 10**8 of it is left.
        return 10 * int(p.slow + p.signal)

    def signals(self, bars: Bars, p: Parameters) -> Floats:
        # Imported when it runs: processes that only list strategies do without the numeric libraries.
        from marketdata.indicators.momentum import macd

        line, signal, _ = macd(bars.close, p.fast, p.slow, p.signal)
        return exposure(line, signal, scale=bars.close, direction=p.direction)
