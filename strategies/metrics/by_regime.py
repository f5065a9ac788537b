"""Owns results split by market regime, from labels made elsewhere.

A bar counts for the regime known when it began: the label at the close before. So the split is one that could have been
traded, and the regimes' returns compound to the run's. A trade counts for the regime known when its entry bar began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import float64, int8, int64, njit, types

from strategies.metrics import ratios
from strategies.metrics.curve import RUIN, Days, Floats, Times
from strategies.metrics.errors import InvalidRun
from strategies.metrics.trades import Trades

Labels = npt.NDArray[np.int8]

_series = types.Array(float64, 1, "C", readonly=True)
_labels = types.Array(int8, 1, "C", readonly=True)
_stamps = types.Array(int64, 1, "C", readonly=True)


@dataclass(frozen=True, slots=True)
class RegimeResult:
    """How the run went in one regime.

    ``total_return`` and ``max_drawdown`` chain the regime's bars; ``days`` are those in which it held for more bars than
    any other, and make ``volatility`` and ``sharpe``, both scaled to a year; ``pnl`` is what its closed trades netted.
    """

    label: int
    bars: int
    share: float
    total_return: float
    max_drawdown: float
    days: int
    volatility: float | None
    sharpe: float | None
    trades: int
    win_rate: float | None
    pnl: float


def by_regime(
    labels: npt.NDArray[Any],
    time: Times,
    equity: Floats,
    days: Days,
    trades: Trades,
    *,
    start_cash: float,
    bar_seconds: int,
    risk_free: float = 0.0,
) -> tuple[RegimeResult, ...]:
    """One result for each label that occurs, in ascending order.

    Raises
    ------
    InvalidRun
        If ``labels`` is not (n,) int8.
    """
    if labels.shape != equity.shape or labels.dtype != np.int8:
        raise InvalidRun(f"regimes must be int8 and as long as time ({equity.size}), was {labels.dtype}, {labels.shape}")
    known = np.concatenate((labels[:1], labels[:-1]))
    bars, growth, fall = np.zeros(256, np.int64), np.ones(256), np.zeros(256)
    of_day = np.empty(days.number.size, np.int64)
    _chain(equity, known, start_cash, RUIN * start_cash, bars, growth, fall)
    _majority(time, known, bar_seconds, days.number, of_day)
    of_day = of_day[: days.returns.size]
    done = trades[~trades["open"].astype(bool)]
    of_trade, pnl = known[done["entry_bar"]], done["pnl"]
    results = []
    for slot in np.flatnonzero(bars):
        label = int(slot) - 128
        returns = np.ascontiguousarray(days.returns[of_day == slot])
        won = pnl[of_trade == label]
        results.append(
            RegimeResult(
                label=label,
                bars=int(bars[slot]),
                share=int(bars[slot]) / equity.size,
                total_return=float(growth[slot]) - 1,
                max_drawdown=float(fall[slot]),
                days=returns.size,
                volatility=ratios.deviation(returns) * days.per_year**0.5 if returns.size > 1 else None,
                sharpe=ratios.sharpe(returns, days.per_year, risk_free) if returns.size > 1 else None,
                trades=won.size,
                win_rate=float((won > 0).mean()) if won.size else None,
                pnl=float(won.sum()),
            )
        )
    return tuple(results)


@njit(types.void(_series, _labels, float64, float64, int64[::1], float64[::1], float64[::1]), cache=True)
def _chain(equity, labels, start, ruin, bars, growth, fall):  # type: ignore[no-untyped-def]
    """Bars, growth and deepest fall of each label (its slot: label + 128); nothing grows after ruin."""
    peaks = np.ones(256)
    before, alive = start, True
    i, n = 0, equity.size
    while i < n:
        slot = labels[i] + 128
        value, peak, low, begin = growth[slot], peaks[slot], fall[slot], i
        while i < n and labels[i] + 128 == slot:
            if alive:
                alive = equity[i] > ruin
                value = value * (equity[i] / before) if alive else 0.0
                before = equity[i]
                peak = value if value > peak else peak
                low = value / peak - 1.0 if value < peak * (1.0 + low) else low
            i += 1
        bars[slot] += i - begin
        growth[slot], peaks[slot], fall[slot] = value, peak, low


@njit(types.void(_stamps, _labels, int64, _stamps, int64[::1]), cache=True)
def _majority(time, labels, bar_seconds, number, out):  # type: ignore[no-untyped-def]
    """The slot that most bars of each day have, the lower of two alike; a day without a bar has the day's before."""
    counts = np.zeros(256, np.int64)
    i, n, most = 0, time.size, labels[0] + 128
    for day in range(number.size):
        counts[:] = 0
        begin = i
        end = (number[day] + 1) * 86_400 - bar_seconds + 1
        while i < n and time[i] < end:
            counts[labels[i] + 128] += 1
            i += 1
        if i > begin:
            most = 0
            for slot in range(256):
                if counts[slot] > counts[most]:
                    most = slot
        out[day] = most
