"""How much money a strategy can carry: by its share of the volume, and by the square-root law of market impact.

A backtest assumes that its orders move nothing. With k fills of notional qᵢ at capital C, in bars where Vᵢ was traded and
prices moved by σᵢ (deviation of the return over the same span as V), trading m times the size costs

    impact(m) = Σ m·qᵢ · Y·σᵢ·√(m·qᵢ / Vᵢ) = m^1.5·I        and earns        m·G

where G is the profit of the backtest. From P(m) = m·G − m^1.5·I follow

    half of the return is left at m = (G / 2I)²,   profit is highest at m = (2G / 3I)²,   nothing is left at m = (G / I)².

Y is about 1. The law holds for shares of volume up to some ten percent; beyond, and for sizes that compound, it is too kind.

Sources: Almgren, Thum, Hauptmann, Li, "Direct Estimation of Equity Market Impact", Risk 18 (2005); Tóth et al., "Anomalous
Price Impact and the Critical Nature of Liquidity in Financial Markets", Physical Review X 1 (2011); Grinold, Kahn, "Active
Portfolio Management", 2nd ed. 2000, chapter 16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from strategies.robustness.samples import Floats, InvalidSample, row, share


@dataclass(frozen=True, slots=True)
class Capacity:
    """Capital in account currency; 0 where the strategy earns nothing, inf where nothing limits it.

    ``by_share``: at which the given part of fills stays within the allowed share of volume; ``half_return``,
    ``highest_profit``, ``break_even``: by impact. ``estimate`` is the lesser of ``by_share`` and ``half_return``.
    ``impact`` is I at the backtest's own capital, ``share`` the quantile of the fills' share of volume there.
    """

    estimate: float
    by_share: float
    half_return: float
    highest_profit: float
    break_even: float
    impact: float
    share: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what nothing limits."""
        return {name: value if math.isfinite(value := getattr(self, name)) else None for name in self.__slots__}


def capacity(
    notional: npt.ArrayLike,
    traded: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    profit: float,
    capital: float,
    most_share: float = 0.05,
    part_of_fills: float = 0.95,
    impact_factor: float = 1.0,
) -> Capacity:
    """The capacity of a backtest.

    Parameters
    ----------
    notional : (k,) float64
        Value of each fill, above 0, in account currency.
    traded : (k,) float64
        Value that the market traded over the bar (or day) of the fill, same currency. 0 allows nothing there.
    volatility : (k,) float64
        Deviation of the market's return over the same span; 0.02 is two percent.
    profit : float
        Net profit of the backtest, without impact.
    capital : float
        What it was run with.
    most_share : float
        Share of ``traded`` that a fill may take.
    part_of_fills : float
        Part of the fills that must stay within ``most_share``: a quantile, so that one quiet bar does not decide.
    impact_factor : float
        Y.

    Raises
    ------
    InvalidSample
        If a number is out of range or the rows differ in length.
    """
    sizes, market, moves = _fills(notional, traded, volatility)
    share("most_share", most_share, most=1.0 + 1e-12)
    share("part_of_fills", part_of_fills, most=1.0 + 1e-12)
    if not (
        math.isfinite(profit) and math.isfinite(capital) and capital > 0 and math.isfinite(impact_factor) and impact_factor >= 0
    ):
        raise InvalidSample(
            f"profit must be finite, capital above 0 and impact_factor 0 or more: {profit}, {capital}, {impact_factor}"
        )
    taken = np.divide(sizes, market, out=np.full(len(sizes), np.inf), where=market > 0)
    usual = float(np.quantile(taken, part_of_fills, method="higher"))
    by_share = capital * most_share / usual
    # A fill where nothing traded has no price; its share is what refuses it.
    known = market > 0
    cost = float((sizes * impact_factor * moves * np.sqrt(np.where(known, taken, 0.0))).sum())
    if profit <= 0:
        half = best = nothing = 0.0
    elif cost == 0:
        half = best = nothing = math.inf
    else:
        ratio = profit / cost
        half, best, nothing = (capital * (factor * ratio) ** 2 for factor in (0.5, 2 / 3, 1.0))
    estimate = 0.0 if profit <= 0 else min(by_share, half)
    return Capacity(estimate, by_share, half, best, nothing, cost, usual)


def profit_at(capital: float, *, of: Capacity, profit: float, backtest_capital: float) -> float:
    """Profit after impact with ``capital``, in account currency: m·G − m^1.5·I."""
    times = capital / backtest_capital
    return times * profit - math.pow(times, 1.5) * of.impact


def _fills(notional: npt.ArrayLike, traded: npt.ArrayLike, volatility: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    sizes, market, moves = row("notional", notional), row("traded", traded), row("volatility", volatility)
    if not len(sizes) == len(market) == len(moves):
        raise InvalidSample(
            f"every fill needs its market: {len(sizes)} fills, {len(market)} volumes, {len(moves)} volatilities"
        )
    if sizes.min() <= 0 or market.min() < 0 or moves.min() < 0:
        raise InvalidSample("notional must be above 0, traded and volatility 0 or more")
    return sizes, market, moves
