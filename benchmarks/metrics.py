"""Metrics: everything that is said of a run of a million bars, intervals, benchmark and regimes included."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from benchmarks.figures import Figure
from benchmarks.indicators import milliseconds
from strategies.metrics import measuring
from strategies.metrics.trades import NO_TRADES, Paid, Trades

BARS = 1_000_000
TRADES = 20_000
START = 1_600_000_200
CASH = 10_000.0


def trade_list(time: np.ndarray, rng: np.random.Generator) -> Trades:
    """Trades one after another, of random length and result."""
    trades = np.zeros(TRADES, NO_TRADES.dtype)
    bars = np.sort(rng.choice(time.size, 2 * TRADES, replace=False)).reshape(-1, 2)
    trades["entry_bar"], trades["exit_bar"] = bars.T
    trades["entry_time"], trades["exit_time"] = time[bars].T
    trades["side"] = rng.choice((-1, 1), TRADES)
    trades["quantity"], trades["entry_price"], trades["exit_price"], trades["fees"] = 0.1, 30_000, 30_000, 3
    trades["pnl"] = rng.normal(0, 10, TRADES)
    trades["mae"], trades["mfe"] = -rng.exponential(10, TRADES), rng.exponential(10, TRADES)
    return trades


def all_numbers(seconds: int) -> float:
    """Milliseconds for all numbers, tables, regimes and 1,000 resamples of a run of bars this long."""
    rng = np.random.default_rng(9)
    time = START // seconds * seconds + seconds * np.arange(BARS, dtype=np.int64)
    equity, other = CASH * np.exp(rng.normal(0, 0.0007, (2, BARS)).cumsum(axis=1))
    trades = trade_list(time, rng)
    return milliseconds(
        partial(
            measuring.measure,
            time,
            equity,
            trades,
            rng.choice((-1.0, 0.0, 1.0), BARS),
            start_cash=CASH,
            bar_seconds=seconds,
            benchmark=other,
            paid=Paid(slippage=1.0),
            regimes=(np.arange(BARS) // 500 % 5).astype(np.int8),
        )
    )


def quantstats_full(days: int) -> float:
    """Milliseconds of quantstats' own table of daily returns: no trades, no regimes, no intervals."""
    from quantstats import reports

    rng = np.random.default_rng(9)
    index = pd.date_range("2020-01-01", periods=days)
    returns, other = (pd.Series(row, index) for row in rng.normal(0.0005, 0.02, (2, days)))
    return milliseconds(lambda: reports.metrics(returns, other, display=False, mode="full", periods_per_year=365), 3)


def figures_of(seconds: int, name: str) -> Figure:
    return Figure(f"all metrics of a run, a million {name} bars", all_numbers(seconds), "ms", 40)


def measure() -> list[Figure]:
    """Figures of the metrics beside their limit."""
    days = BARS * 300 // 86_400
    return [
        figures_of(60, "1-minute"),
        figures_of(300, "5-minute"),
        Figure(f"quantstats' full table of {days:,} days, for comparison", quantstats_full(days), "ms"),
    ]
