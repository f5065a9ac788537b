"""Owns returns by month and year, and how daily returns are spread. Months and years are those of UTC days."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final, NamedTuple

import numpy as np

from strategies.metrics.curve import Days, Floats

QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MOST_BINS: Final = 60


class MonthReturn(NamedTuple):
    """What a calendar month returned; the first and the last may be parts of one."""

    year: int
    month: int
    value: float


class YearReturn(NamedTuple):
    """What a calendar year returned; the first and the last may be parts of one."""

    year: int
    value: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """Daily returns counted in bins of like width: ``counts[i]`` days from ``edges[i]`` up to ``edges[i + 1]``.

    Zero is an edge, so gains and losses never share a bin; a return of exactly 0 is counted with the gains. ``quantiles``
    are the returns at `QUANTILES`.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    quantiles: tuple[float, ...]


def by_month(days: Days, start: float) -> tuple[MonthReturn, ...]:
    """Month by month from the start cash, compounding to the run's total return; the month of ruin is the last."""
    months, values = _periods(days, start, "datetime64[M]")
    return tuple(MonthReturn(1970 + month // 12, month % 12 + 1, value) for month, value in zip(months, values, strict=True))


def by_year(days: Days, start: float) -> tuple[YearReturn, ...]:
    """As `by_month`, by calendar year."""
    years, values = _periods(days, start, "datetime64[Y]")
    return tuple(YearReturn(1970 + year, value) for year, value in zip(years, values, strict=True))


def distribution(returns: Floats) -> Distribution:
    """Bins by Freedman and Diaconis (1981), their width rounded up to 1, 2 or 5 of a decimal place, 60 at most."""
    low, high = min(0.0, float(returns.min())), max(0.0, float(returns.max()))
    quantiles = np.quantile(returns, QUANTILES)
    width = 2 * float(quantiles[4] - quantiles[2]) / returns.size ** (1 / 3)
    width = _round_up(max(width, (high - low) / (_MOST_BINS - 2), 1e-6))
    first, last = floor(low / width), max(ceil(high / width), floor(high / width) + 1)
    counts = np.bincount(np.floor(returns / width).astype(np.int64) - first, minlength=last - first)
    return Distribution(
        tuple(round(i * width, 12) for i in range(first, last + 1)),
        tuple(int(count) for count in counts),
        tuple(float(value) for value in quantiles),
    )


def _periods(days: Days, start: float, unit: str) -> tuple[list[int], list[float]]:
    """Periods since 1970 and their returns."""
    known = days.returns.size
    closes = days.equity[:known].copy()
    if days.ruined:
        closes[-1] = 0.0
    period = days.number[:known].astype("datetime64[D]").astype(unit).astype(np.int64)
    ends = np.append(np.flatnonzero(period[1:] != period[:-1]), known - 1)
    before = np.concatenate(([start], closes[ends[:-1]]))
    return [int(value) for value in period[ends]], [float(value) for value in closes[ends] / before - 1]


def _round_up(width: float) -> float:
    place = 10.0 ** floor(log10(width))
    return next(step * place for step in (1, 2, 5, 10) if step * place >= width * (1 - 1e-12))
