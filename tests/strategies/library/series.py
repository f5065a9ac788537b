"""Series of bars for the strategy tests: random, flat, recorded; and a strategy's answer in one shape for every style."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from marketdata.bars import Bars
from strategies.contract import Declared, Panel, Parameters, PortfolioStrategy, Signals, Strategy, as_signals
from tests.conftest import recorded_data

LEVELS = ("stop", "take_profit", "trail")


def walk(seed: int, length: int, *, step: int = 900, start: int = 1_700_000_000) -> Bars:
    """A random walk whose volatility and drift wander, with opens, highs, lows and volumes of its own."""
    random = np.random.default_rng(seed)
    size = 0.004 * np.exp(np.cumsum(random.normal(0, 0.05, length)).clip(-1, 1))
    drift = np.repeat(random.normal(0, 0.0015, length // 60 + 1), 60)[:length]
    close = 100 * np.exp(np.cumsum(random.normal(0, 1, length) * size + drift))
    opened = np.r_[100.0, close[:-1]][:length] * np.exp(random.normal(0, 0.0005, length))
    high = np.maximum(opened, close) * (1 + np.abs(random.normal(0, 0.5, length)) * size)
    low = np.minimum(opened, close) * (1 - np.abs(random.normal(0, 0.5, length)) * size)
    time = start - start % step + np.arange(length, dtype=np.int64) * step
    return Bars(time, opened, high, low, close, random.lognormal(2, 1, length))


def flat(length: int, price: float = 0.1 + 0.2, volume: float = 1.0) -> Bars:
    prices = np.full(length, price)
    return Bars(np.arange(length, dtype=np.int64) * 900, prices, prices, prices, prices, np.full(length, volume))


def poisoned(bars: Bars, cut: int, seed: int) -> Bars:
    """The same bars up to ``cut``; others after it."""
    other = walk(seed, len(bars))
    columns = [np.r_[mine[:cut], 7 * theirs[cut:]] for mine, theirs in zip(bars.columns[1:], other.columns[1:], strict=True)]
    return Bars(bars.time, *columns)


@cache
def recorded(name: str, length: int = 0) -> Bars:
    """A recorded series, ``BTC_USDT-1h`` and the like; its newest ``length`` bars."""
    table = pd.read_feather(recorded_data() / "ohlcv" / "crypto" / "binance_spot" / f"{name}.feather")
    time = (table["date"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[s]")).astype(np.int64)
    bars = Bars(time, *(table[name].to_numpy(np.float64, copy=True) for name in ("open", "high", "low", "close", "volume")))
    return bars.tail(length) if length else bars


def panel_of(bars: Bars, legs: int) -> Panel:
    """``bars``, and others that follow them with an error that comes back to zero."""
    others = [bars]
    for leg in range(1, legs):
        random = np.random.default_rng(leg)
        gap = np.zeros(len(bars))
        for i, noise in enumerate(random.normal(0, 0.006, len(bars))[1:], start=1):
            gap[i] = 0.9 * gap[i - 1] + noise
        factor = 0.4 * np.exp(gap)
        others.append(Bars(bars.time, *(column * factor for column in bars.columns[1:5]), bars.volume))
    return Panel(tuple(others))


def answer(strategy: Declared, p: Parameters, bars: Bars | Panel) -> np.ndarray:
    """(n, columns): exposures, and the protective levels where the strategy has them."""
    if isinstance(strategy, PortfolioStrategy):
        assert isinstance(bars, Panel)
        return strategy.signals(bars, p)
    assert isinstance(strategy, Strategy)
    assert isinstance(bars, Bars)
    given = strategy.signals(bars, p)
    signals = as_signals(given, len(bars))
    assert tuple(name for name in LEVELS if isinstance(given, Signals) and getattr(given, name) is not None) == strategy.levels
    return np.column_stack([signals.exposure, *(getattr(signals, name) for name in strategy.levels)])
