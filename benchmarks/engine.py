"""The simulation engine beside a bare loop and its peers, on the same bars in one run.

The bare loop is the least that a program could do for the same answer. One core, where nothing else is said.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import talib
from numba import njit

from benchmarks import peers
from benchmarks.figures import Figure
from marketdata.bars import Bars
from strategies.contract import EventStrategy, Parameters
from strategies.engine import Costs, Market, simulate
from strategies.engine.context import run_events
from strategies.engine.sweep import sweep
from strategies.library.kernels import compare
from strategies.metrics.measuring import measure as measured

BARS = 1_000_000
SWEPT = 100_000
PAIRS = [(fast, slow) for fast in range(5, 55, 2) for slow in range(60, 300, 6)]
FEE = 0.001


def walk(n: int) -> Bars:
    """One-minute bars of a random walk."""
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0005, n)))
    opened = np.r_[100.0, close[:-1]] * (1 + rng.normal(0, 0.0001, n))
    high, low = np.maximum(opened, close) * 1.0002, np.minimum(opened, close) * 0.9998
    return Bars(np.arange(n, dtype=np.int64) * 60 + 1_700_000_040, opened, high, low, close, rng.uniform(1, 10, n))


def seconds_of(*functions: Callable[[], Any], turns: int = 9) -> list[float]:
    """Medians, taken in turns so that all of them have the same weather."""
    seen: list[list[float]] = [[] for _ in functions]
    for _ in range(turns):
        for times, function in zip(seen, functions, strict=True):
            started = time.perf_counter()
            function()
            times.append(time.perf_counter() - started)
    return [statistics.median(times) for times in seen]


@njit(cache=True)
def bare(opened: Any, close: Any, fast: int, slow: int, cash: float, fee: float, equity: Any, trades: Any) -> int:
    sum_fast = sum_slow = quantity = 0.0
    held = wanted = False
    made = 0
    for i in range(len(close)):
        if wanted != held:
            price = opened[i]
            if wanted:
                quantity = cash / (price * (1 + fee))
                cash = 0.0
                trades[made, 0], trades[made, 1] = i, price
            else:
                cash += quantity * price * (1 - fee)
                quantity = 0.0
                trades[made, 2], trades[made, 3] = i, price
                made += 1
            held = wanted
        sum_fast += close[i]
        sum_slow += close[i]
        if i >= fast:
            sum_fast -= close[i - fast]
        if i >= slow:
            sum_slow -= close[i - slow]
        if i >= slow - 1:
            wanted = sum_fast / fast > sum_slow / slow
        equity[i] = cash + quantity * close[i]
    return made


@njit(cache=True)
def bare_pair(opened: Any, close: Any, fast: Any, slow: Any, cash: float, fee: float) -> tuple[float, float]:
    """Final equity and the deepest drawdown."""
    quantity = 0.0
    held = wanted = False
    peak, deepest, value = cash, 0.0, cash
    for i in range(len(close)):
        if wanted != held:
            price = opened[i]
            if wanted:
                quantity = cash / (price * (1 + fee))
                cash = 0.0
            else:
                cash += quantity * price * (1 - fee)
                quantity = 0.0
            held = wanted
        wanted = fast[i] > slow[i]
        value = cash + quantity * close[i]
        if value > peak:
            peak = value
        elif value < peak * (1 + deepest):
            deepest = value / peak - 1
    return value, deepest


def crossed(fast: Any, slow: Any, close: Any) -> Any:
    exposure = np.empty(len(close))
    compare(fast, slow, close, 0.0, False, exposure)
    return exposure


class Watching(EventStrategy):
    name = label = summary = "watching"

    def history(self, p: Parameters) -> int:
        return 1

    def on_bar(self, ctx: Any) -> None:
        if ctx.close < 0:
            ctx.buy(1)


class Trading(Watching):
    def start(self, ctx: Any) -> None:
        self.fast = self.slow = 0.0

    def on_bar(self, ctx: Any) -> None:
        close = ctx.close
        self.fast += (close - self.fast) / 20
        self.slow += (close - self.slow) / 100
        if ctx.position == 0:
            if self.fast > self.slow and ctx.index > 100 and not ctx.orders:
                ctx.buy(5, stop_loss=close * 0.99, take_profit=close * 1.02)
        elif self.fast < self.slow * 0.999:
            ctx.cancel_all()
            ctx.close_position()


def measure() -> list[Figure]:
    return [*one_million(), *thousand_pairs(), *events(), *google()]


def one_million() -> list[Figure]:
    bars = walk(BARS)
    equity, trades = np.empty(BARS), np.empty((BARS // 2, 4))
    costs = Costs.of(FEE)

    def loop() -> int:
        return int(bare(bars.open, bars.close, 20, 100, 10_000.0, FEE, equity, trades))

    def ours() -> Any:
        fresh = Bars(*bars.columns)  # looked at anew: from arrays to trades, as somebody calls it once
        exposure = crossed(talib.SMA(fresh.close, 20), talib.SMA(fresh.close, 100), fresh.close)
        result = simulate(fresh, exposure, costs=costs)
        return result, result.trades

    count, (result, table) = loop(), ours()
    if abs(equity[-1] / result.final_equity - 1) > 1e-9 or count + 1 < len(table) - 1:
        raise AssertionError(f"the bare loop ends with {equity[-1]}, the engine with {result.final_equity}")
    paid = {"start_cash": 10_000.0, "bar_seconds": 60}
    measured(result.time, result.equity, table, **paid)  # type: ignore[arg-type]
    loop_s, ours_s, metrics_s = seconds_of(
        loop,
        ours,
        lambda: measured(result.time, result.equity, table, **paid),  # type: ignore[arg-type]
    )
    figures = [
        Figure("SMA cross, 1,000,000 bars: bare loop", loop_s * 1e3, "ms"),
        Figure("SMA cross, 1,000,000 bars: ClusterX, with indicators and trades", ours_s * 1e3, "ms"),
        Figure("  times the bare loop", ours_s / loop_s, "×", 3),
        Figure("  every metric, with intervals", metrics_s * 1e3, "ms", 40),
    ]
    try:
        peer = peers.run("vectorbt_sma_cross", open=bars.open, close=bars.close)
    except peers.PeersUnavailable:
        return figures
    if abs(peer["final"] / result.final_equity - 1) > 1e-6:
        raise AssertionError(f"vectorbt ends with {peer['final']}, the engine with {result.final_equity}")
    return [
        *figures,
        Figure("SMA cross, 1,000,000 bars: vectorbt", peer["seconds"] * 1e3, "ms"),
        Figure("  vectorbt's time to ours", peer["seconds"] / ours_s, "×", 10, "higher"),
    ]


def thousand_pairs() -> list[Figure]:
    bars = walk(SWEPT)
    lengths = sorted({length for pair in PAIRS for length in pair})
    costs = Costs.of(FEE)

    def averages() -> dict[int, Any]:
        return {length: np.nan_to_num(talib.SMA(bars.close, length)) for length in lengths}

    def loop(pairs: Sequence[tuple[int, int]] = PAIRS) -> list[float]:
        lines = averages()
        return [bare_pair(bars.open, bars.close, lines[fast], lines[slow], 10_000.0, FEE)[0] for fast, slow in pairs]

    def ours(pairs: Sequence[tuple[int, int]] = PAIRS) -> list[float]:
        lines = averages()
        answers = (crossed(lines[fast], lines[slow], bars.close) for fast, slow in pairs)
        return [outcome.final_equity for outcome in sweep(bars, answers, costs=costs)]

    one, other = loop(), ours()
    if not np.allclose(one, other, rtol=1e-9):
        raise AssertionError("the bare loop and the sweep disagree")
    loop_s, ours_s = seconds_of(loop, ours, turns=5)
    gain_of_loop, gain = loop_s / on_two_cores(loop, turns=5), ours_s / on_two_cores(ours, turns=5)
    return [
        Figure("1,000 pairs × 100,000 bars: bare loop", loop_s, "s"),
        Figure("1,000 pairs × 100,000 bars: ClusterX", ours_s, "s"),
        Figure("  times the bare loop", ours_s / loop_s, "×", 2),
        Figure("  the bare loop on two cores, times as fast", gain_of_loop, "×"),
        Figure("  ClusterX on two cores, times as fast", gain, "×"),
        Figure("  its share of what the second core gives the bare loop", gain / gain_of_loop, "×", 0.9, "higher"),
    ]


def on_two_cores(function: Callable[[Sequence[tuple[int, int]]], Any], turns: int) -> float:
    """Median seconds of two processes that do half of the pairs each."""
    context = multiprocessing.get_context("fork")
    line = context.Barrier(3)

    def work(pairs: Sequence[tuple[int, int]]) -> None:
        for _ in range(turns):
            line.wait()
            function(pairs)
            line.wait()

    processes = [context.Process(target=work, args=(PAIRS[half::2],), daemon=True) for half in range(2)]
    for process in processes:
        process.start()
    seen = []
    for _ in range(turns):
        line.wait()
        started = time.perf_counter()
        line.wait()
        seen.append(time.perf_counter() - started)
    for process in processes:
        process.join()
    return statistics.median(seen)


def events() -> list[Figure]:
    bars = walk(SWEPT)
    p: Any = None
    run_events(Watching(), bars[:500], p)
    run_events(Trading(), bars[:500], p)
    watching_s, trading_s = seconds_of(lambda: run_events(Watching(), bars, p), lambda: run_events(Trading(), bars, p), turns=5)
    return [
        Figure("event-driven, no orders, in process", SWEPT / watching_s, "/s", 300_000, "higher"),
        Figure("event-driven, brackets, in process", SWEPT / trading_s, "/s"),
    ]


def google() -> list[Figure]:
    """backtesting.py's own example on its own bars: the same trades, the same money."""
    try:
        peer = peers.run("backtesting_sma_cross")
    except peers.PeersUnavailable:
        return []
    table = np.array(peer["bars"])
    bars = Bars(np.array(peer["time"], dtype=np.int64), *(np.ascontiguousarray(table[:, i]) for i in range(5)))
    fast, slow = talib.SMA(bars.close, 10), talib.SMA(bars.close, 20)
    above = np.where(fast > slow, 1.0, np.where(fast < slow, -1.0, np.nan))
    exposure = np.zeros(len(bars))
    for i in range(1, len(bars)):
        exposure[i] = exposure[i - 1]
        if above[i - 1] * above[i] == -1:
            exposure[i] = above[i]
    result = simulate(bars, exposure, market=Market(lot=1.0), costs=Costs.of(0.002), cash=10_000.0)
    ours = [
        (t["entry_bar"], t["exit_bar"], t["side"] * t["quantity"], t["entry_price"], t["exit_price"])
        for t in result.trades
        if not t["open"]
    ]
    differing = sum(not np.allclose(one, other, rtol=1e-12) for one, other in zip(peer["trades"], ours, strict=True))
    return [
        Figure("backtesting.py's SmaCross on GOOG: its closed trades", len(peer["trades"]), "", None),
        Figure("  trades that differ from ours", differing, "", 0),
        Figure("  final equity, difference", abs(peer["final"] - result.final_equity), "$", 0.01),
    ]
