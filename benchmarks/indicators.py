"""Indicators: a million bars for each of our own, and a new tick for an open chart with ten of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.figures import Figure
from marketdata.indicators.registry import Tail, compute, detect, latest, parse_spec
from marketdata.indicators.signals import crosses

BARS = 1_000_000
CHART = 5_000
TICKS = 300
OURS = ("obv(day)", "vwap(day,0,2)", "linreg_channel(100,2)", "hurst(200)", "normal(100,2)")
STRUCTURE = (
    "volume_profile(day,0.25)",
    "structure(5,500)",
    "order_blocks(5,1,500)",
    "fair_value_gaps(0,1,500)",
    "liquidity_sweeps(5,500)",
)
OPEN_CHART = (
    "ema(20)", "ema(50)", "bollinger(20,2)", "vwap(day,0,2)", "supertrend(10,3)", "rsi(14)", "macd(12,26,9)", "atr(14)",
    "adx(14)", "structure(5,500)",
)  # fmt: skip


def minutes(count: int) -> Tail:
    """A random walk near 30,000 in steps of a cent, a bar a minute."""
    rng = np.random.default_rng(7)
    close = np.round(30_000 * np.exp(rng.normal(0, 0.0007, count).cumsum()), 2)
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.round(np.maximum(opened, close) * (1 + rng.exponential(0.0003, count)), 2)
    low = np.round(np.minimum(opened, close) * (1 - rng.exponential(0.0003, count)), 2)
    return Tail(1_600_000_020 + 60 * np.arange(count, dtype=np.int64), opened, high, low, close, rng.exponential(5, count))


def milliseconds(call: Callable[[], object], times: int = 7) -> float:
    """Median over ``times`` calls, after one that may compile."""
    call()
    spent = []
    for _ in range(times):
        start = perf_counter()
        call()
        spent.append(perf_counter() - start)
    return 1000 * median(spent)


def tick(bars: Tail) -> float:
    """Milliseconds to update every indicator of an open chart when the forming bar moves, median over ticks."""
    specs = [parse_spec(text) for text in OPEN_CHART]
    rng, spent = np.random.default_rng(8), []
    for _ in range(TICKS):
        price = bars.close[-1] * (1 + rng.normal(0, 0.0001))
        bars.close[-1], bars.high[-1], bars.low[-1] = price, max(price, bars.high[-1]), min(price, bars.low[-1])
        start = perf_counter()
        for spec in specs:
            latest(spec, bars)
        spent.append(perf_counter() - start)
    return 1000 * median(spent)


def measure() -> list[Figure]:
    """Figures of the indicators beside their limits."""
    bars = minutes(BARS)
    first, second = compute("ema(20)", bars)["value"], compute("ema(50)", bars)["value"]
    chart = Tail(*(column[-CHART:].copy() for column in bars))
    figures = [
        Figure(f"{text}, a million bars", milliseconds(partial(compute, text, bars)), "ms", limit)
        for texts, limit in ((OURS, 10), (STRUCTURE, 50))
        for text in texts
    ]
    figures.append(Figure("crosses of two lines, a million bars", milliseconds(partial(crosses, first, second)), "ms", 10))
    figures.append(Figure("ten indicators of an open chart, a new tick", tick(chart), "ms", 1))
    signals = milliseconds(lambda: [detect(text, chart) for text in OPEN_CHART])
    figures.append(Figure("ten indicators of an open chart, signals of 5,000 bars", signals, "ms"))
    return figures
