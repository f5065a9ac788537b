"""Runs for the metric tests: equity made of daily returns, sampled as wished, and trade lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategies.metrics.measuring import measure
from strategies.metrics.result import Metrics
from strategies.metrics.trades import NO_TRADES

DAY = 86_400
START = 1_577_836_800  # 2020-01-01, a Wednesday
CASH = 10_000.0


@dataclass(frozen=True)
class Run:
    """Bars of ``seconds`` with the equity at their closes."""

    time: NDArray[np.int64]
    equity: NDArray[np.float64]
    seconds: int

    def measure(self, *args: Any, **more: Any) -> Metrics:
        return measure(self.time, self.equity, *args, **({"start_cash": CASH, "bar_seconds": self.seconds} | more))


def daily(returns: Sequence[float] | NDArray[np.float64], cash: float = CASH, start: int = START) -> Run:
    """One bar a day."""
    equity = cash * np.cumprod(1 + np.asarray(returns, dtype=np.float64))
    return Run(start + DAY * np.arange(equity.size, dtype=np.int64), equity, DAY)


def values(*equity: float, seconds: int = DAY, start: int = START) -> Run:
    """Bars that close at these amounts."""
    return Run(start + seconds * np.arange(len(equity), dtype=np.int64), np.array(equity, dtype=np.float64), seconds)


def split(run: Run, parts: int, seed: int = 3) -> Run:
    """The same days in ``parts`` bars each: wild in between, the same at each day's close."""
    rng = np.random.default_rng(seed)
    before = np.concatenate(([CASH], run.equity[:-1]))
    path = before[:, None] * np.exp(rng.normal(0, 0.01, (run.equity.size, parts)).cumsum(axis=1))
    path[:, -1] = run.equity
    seconds = run.seconds // parts
    time = run.time[:, None] + seconds * np.arange(parts)
    return Run(time.ravel(), path.ravel(), seconds)


def random_returns(days: int = 900, seed: int = 1, drift: float = 0.0006, spread: float = 0.015) -> NDArray[np.float64]:
    """Daily returns with fat tails and a lean to one side."""
    rng = np.random.default_rng(seed)
    return drift + spread * (rng.standard_t(5, days) - 0.1 * (rng.exponential(1, days) - 1))


def trade_list(pnl: Sequence[float] | NDArray[np.float64], run: Run | None = None, **columns: Any) -> NDArray[Any]:
    """Closed trades one after another, each entered on an even bar and left on the next; ``columns`` replace fields."""
    trades = np.zeros(len(pnl), NO_TRADES.dtype)
    trades["pnl"] = pnl
    trades["entry_bar"] = 2 * np.arange(len(pnl))
    trades["exit_bar"] = trades["entry_bar"] + 1
    seconds, start = (run.seconds, int(run.time[0])) if run else (DAY, START)
    trades["entry_time"] = start + seconds * trades["entry_bar"]
    trades["exit_time"] = start + seconds * trades["exit_bar"]
    trades["side"], trades["quantity"], trades["entry_price"], trades["exit_price"] = 1, 1, 100, 100
    trades["mae"], trades["mfe"] = np.minimum(trades["pnl"], 0), np.maximum(trades["pnl"], 0)
    for name, column in columns.items():
        trades[name] = column
    return trades
