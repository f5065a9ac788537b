"""Owns confidence intervals: 95 % percentile intervals over 1,000 resamples, the same for the same seed everywhere.

Days are drawn by the stationary bootstrap (Politis and Romano 1994): blocks of days that follow one another, of random
length with mean ∛m, so that what one day hands to the next stays in. A benchmark's days are drawn along with them.
Trades are drawn one by one; a list longer than 500 in 500 runs of trades that follow one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numba import float64, int64, njit, types, uint64

from strategies.metrics.curve import Floats

RESAMPLES: Final = 1_000
LEVEL: Final = 0.95
FEWEST_DAYS: Final = 20
FEWEST_TRADES: Final = 10
_GROUPS: Final = 500
# An estimate that fewer resamples than this share allow has no interval.
_ENOUGH: Final = 0.95

_series = types.Array(float64, 1, "C", readonly=True)
_rows = types.Array(float64, 2, "C", readonly=True)
_NOTHING: Final[Floats] = np.empty(0)
_STEP, _MIX, _MIX_AGAIN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


class Interval(NamedTuple):
    """Where the middle 95 % of the resamples lie."""

    low: float
    high: float


def of_days(
    returns: Floats,
    per_year: float,
    years: float,
    *,
    risk_free: float,
    benchmark: Floats | None,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """Intervals of what is made from daily returns, by the metric's key; none from under 20 days.

    ``benchmark`` (m,) are its returns on the last m of the days: where it begins a day later, that day is not drawn for
    the comparison.
    """
    m = returns.size
    if m < FEWEST_DAYS:
        return {}
    block = max(1.0, m ** (1 / 3))
    sums = np.empty((6, resamples))
    with np.errstate(all="ignore"):
        losses, short = np.minimum(returns, 0.0), np.minimum(returns - risk_free, 0.0)
        columns = _running(returns, np.square(returns), losses, np.square(short))
        _draw_days(columns, np.log1p(returns), 1 / block, np.uint64(seed), sums)
        total, squared, below, below_squared, grown, fall = sums
        mean = total / m
        spread = _root((squared - total * mean) / (m - 1), float(np.abs(returns).max()))
        excess = mean - risk_free
        yearly = np.expm1(grown / years)
        estimates = {
            "total_return": np.expm1(grown),
            "annual_return": yearly,
            "volatility": spread * np.sqrt(per_year),
            "sharpe": excess / spread * np.sqrt(per_year),
            "sortino": excess / np.sqrt(below_squared / m) * np.sqrt(per_year),
            "calmar": yearly / -np.expm1(fall),
            "omega": (total - below) / -below,
            "max_drawdown": np.expm1(fall),
        }
        if benchmark is not None and benchmark.size >= FEWEST_DAYS:
            estimates |= _against(returns[m - benchmark.size :], benchmark, per_year, risk_free, block, seed, resamples)
    return _intervals(estimates)


def of_trades(pnl: Floats, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Intervals of what is made from closed trades' net results, by the metric's key; none from under 10 trades."""
    if pnl.size < FEWEST_TRADES:
        return {}
    groups = min(pnl.size, _GROUPS)
    starts = np.arange(groups) * pnl.size // groups
    columns = (np.ones(pnl.size), pnl > 0, pnl < 0, np.maximum(pnl, 0.0), -np.minimum(pnl, 0.0), np.square(pnl))
    parts = np.ascontiguousarray(np.stack([np.add.reduceat(column.astype(np.float64), starts) for column in columns], axis=1))
    sums = np.empty((6, resamples))
    _draw_groups(parts, np.uint64(seed), sums)
    count, wins, losses, won, lost, squares = sums
    with np.errstate(all="ignore"):
        mean, share = (won - lost) / count, wins / (wins + losses)
        spread = _root((squares - count * mean * mean) / (count - 1), float(np.abs(pnl).max()))
        return _intervals(
            {
                "win_rate": wins / count,
                "profit_factor": won / lost,
                "expectancy": mean,
                "average_win": won / wins,
                "average_loss": -lost / losses,
                "sqn": np.sqrt(count) * mean / spread,
                "kelly": share - (1 - share) / ((won / wins) / (lost / losses)),
            }
        )


def _against(
    returns: Floats, benchmark: Floats, per_year: float, risk_free: float, block: float, seed: int, resamples: int
) -> dict[str, Floats]:
    m = returns.size
    sums = np.empty((5, resamples))
    columns = _running(returns, benchmark, np.square(benchmark), returns * benchmark, np.square(returns))
    _draw_days(columns, _NOTHING, 1 / block, np.uint64(seed), sums)
    own, other, other_squared, product, own_squared = sums
    variance = _root((other_squared - other * other / m) / (m - 1), float(np.abs(benchmark).max())) ** 2
    beta = (product - own * other / m) / (m - 1) / variance
    active = (own - other) / m
    strayed = _root(
        (own_squared - 2 * product + other_squared - active * active * m) / (m - 1), float(np.abs(returns - benchmark).max())
    )
    return {
        "alpha": (own / m - risk_free - beta * (other / m - risk_free)) * per_year,
        "beta": beta,
        "tracking_error": strayed * np.sqrt(per_year),
        "information_ratio": active / strayed * np.sqrt(per_year),
    }


def _running(*columns: Floats) -> Floats:
    """(m + 1, columns) sums of all days before each."""
    out = np.zeros((columns[0].size + 1, len(columns)))
    for i, column in enumerate(columns):
        np.cumsum(column, out=out[1:, i])
    return out


def _root(variance: Floats, scale: float) -> Floats:
    """Deviations from variances that were made of sums; NaN where only rounding is left."""
    out: Floats = np.where(variance > 1e-14 * scale * scale, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    return out


def _intervals(estimates: Mapping[str, Floats]) -> dict[str, Interval]:
    intervals = {}
    for key, values in estimates.items():
        known = values[np.isfinite(values)]
        if known.size >= _ENOUGH * values.size:
            known.sort()
            intervals[key] = Interval(_quantile(known, (1 - LEVEL) / 2), _quantile(known, (1 + LEVEL) / 2))
    return intervals


def _quantile(ascending: Floats, share: float) -> float:
    """As np.quantile, without sorting again."""
    place = share * (ascending.size - 1)
    below = int(place)
    above = min(below + 1, ascending.size - 1)
    return float(ascending[below] + (place - below) * (ascending[above] - ascending[below]))


# Numba keeps compiled code until its own file changes, so a compiled function calls none of another file.
@njit(types.Tuple((uint64, float64))(uint64), cache=True, inline="always")
def _uniform(state):  # type: ignore[no-untyped-def]
    """SplitMix64 (Steele, Lea and Flood 2014): the next state and a number in (0, 1)."""
    state = state + _STEP
    mixed = (state ^ (state >> _30)) * _MIX
    mixed = (mixed ^ (mixed >> _27)) * _MIX_AGAIN
    mixed = mixed ^ (mixed >> _31)
    return state, (float64(mixed >> _11) + 0.5) * 1.1102230246251565e-16


@njit(types.void(_rows, _series, float64, uint64, float64[:, ::1]), cache=True)
def _draw_days(sums, logs, chance, seed, out):  # type: ignore[no-untyped-def]
    """Of each resample: what the running ``sums`` (m + 1, columns) say, then, if ``logs`` are given, log growth and the
    deepest log fall. A block is a difference of two rows; only the fall needs every day.
    """
    m, columns, state = sums.shape[0] - 1, sums.shape[1], seed
    drawn = np.zeros(columns)
    scale = 0.0 if chance >= 1.0 else 1.0 / np.log(1.0 - chance)
    for k in range(out.shape[1]):
        grown, peak, fall = 0.0, 0.0, 0.0
        drawn[:] = 0.0
        left = m
        while left > 0:
            state, u = _uniform(state)
            at = int64(u * m)
            state, u = _uniform(state)
            length = min(1 + int64(np.log(u) * scale), left)
            left -= length
            while length > 0:
                stop = min(at + length, m)
                length -= stop - at
                for column in range(columns):
                    drawn[column] += sums[stop, column] - sums[at, column]
                if logs.size:
                    for i in range(at, stop):
                        grown += logs[i]
                        peak = grown if grown > peak else peak
                        fall = grown - peak if grown - peak < fall else fall
                at = 0
        out[:columns, k] = drawn
        if logs.size:
            out[columns, k], out[columns + 1, k] = grown, fall


@njit(types.void(_rows, uint64, float64[:, ::1]), cache=True)
def _draw_groups(parts, seed, out):  # type: ignore[no-untyped-def]
    """Sums of as many groups as there are, drawn one by one with replacement."""
    groups, state = parts.shape[0], seed
    for k in range(out.shape[1]):
        for column in range(parts.shape[1]):
            out[column, k] = 0.0
        for _ in range(groups):
            state, u = _uniform(state)
            at = int64(u * groups)
            for column in range(parts.shape[1]):
                out[column, k] += parts[at, column]
