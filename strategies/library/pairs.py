"""Two instruments that move together: their spread, bought when it is narrow and sold when it is wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strategies.contract import Floats, InvalidParameter, Parameter, Parameters, PortfolioStrategy
from strategies.library.holding import patience

if TYPE_CHECKING:
    from strategies.contract import Panel


class PairsTrading(PortfolioStrategy):
    """The residual of one log price on the other over a rolling window, traded by its z-score (Gatev et al. 2006)."""

    name = "pairs"
    label = "Pairs trading"
    summary = (
        "Buys one instrument and sells the other when the spread between them is unusually far from its mean, in the "
        "proportion that their prices have moved together, and leaves when it has come back."
    )
    rationale = (
        "Two prices that the same forces move may part for a while because of orders in one of them. Long one and short the "
        "other in the proportion of a rolling regression, the market's own moves cancel and what is left is the spread. It "
        "fails when the reason for moving together ends: the spread goes on and both legs lose. It needs an instrument that "
        "may be sold short, and pays costs twice."
    )
    legs = 2
    parameters = (
        Parameter("window", "Window", "int", 120, minimum=20, maximum=1000, step=5, help="Bars of the regression."),
        Parameter("enter", "Enter at", "float", 2.0, minimum=0.5, maximum=6, step=0.1, help="Deviations of the spread."),
        Parameter(
            "leave", "Leave at", "float", 0.25, minimum=-2, maximum=3, step=0.05, help="Deviations; less than the entry."
        ),
        Parameter("limit", "Limit", "float", 5.0, minimum=1, maximum=20, step=0.25, help="Deviations at which it gives up."),
        patience(200),
    )

    def check(self, p: Parameters) -> None:
        if p.leave >= p.enter:
            raise InvalidParameter(
                f"leave must be less than enter, was {p.leave:g} and {p.enter:g}", field="leave", below="enter"
            )
        if p.limit <= p.enter:
            raise InvalidParameter(
                f"limit must be more than enter, was {p.limit:g} and {p.enter:g}", field="limit", above="enter"
            )

    def history(self, p: Parameters) -> int:
        return int(p.window) + int(p.patience) + 2

    def signals(self, panel: Panel, p: Parameters) -> Floats:
        from strategies.library.spread_kernel import regress, trade_spread

        first, second = (logarithms(bars.close) for bars in panel.bars)
        n = len(panel)
        slope, score, out = np.empty(n), np.empty(n), np.empty((n, 2))
        regress(first, second, p.window, slope, score)
        trade_spread(slope, score, p.enter, p.leave, p.limit, p.patience, out)
        return out


def logarithms(close: Floats) -> Floats:
    """Natural logarithms; NaN where there is no price above 0."""
    answer = np.full(len(close), np.nan)
    return np.log(close, out=answer, where=close > 0)
