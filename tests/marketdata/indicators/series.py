"""Series of bars for the indicator tests: random, hand-written, recorded."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketdata.indicators.registry import Tail as Bars
from tests.conftest import recorded_data

START = 1_700_000_000 // 86_400 * 86_400


@cache
def walk(seed: int = 1, length: int = 4000, volatility: float = 0.002, seconds: int = 3600, tick: float = 0.01) -> Bars:
    """A random walk near 30,000 in whole ticks, with ranges, volume, bars without volume, and flat stretches."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, volatility, length)
    moves[rng.random(length) < 0.05] = 0
    close = np.round(30_000 * np.exp(np.cumsum(moves)) / tick) * tick
    opened = np.concatenate((close[:1], close[:-1]))
    reach = rng.exponential(volatility / 2, (2, length)) * (moves != 0)
    high = np.round(np.maximum(opened, close) * (1 + reach[0]) / tick) * tick
    low = np.round(np.minimum(opened, close) * (1 - reach[1]) / tick) * tick
    volume = np.round(rng.exponential(5, length), 5)
    volume[rng.random(length) < 0.02] = 0
    return Bars(START + seconds * np.arange(length, dtype=np.int64), opened, high, low, close, volume)


@cache
def recorded(name: str, length: int = 6000) -> Bars:
    """The newest bars of a recorded Binance series, such as ``BTC_USDT-1h``."""
    import pandas as pd

    frame = pd.read_feather(recorded_data() / "ohlcv" / "crypto" / "binance_spot" / f"{name}.feather").tail(length)
    time = frame["date"].dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    return Bars(time, *(frame[key].to_numpy(np.float64) for key in ("open", "high", "low", "close", "volume")))


def candles(rows: Sequence[tuple[float, float, float]], *, seconds: int = 3600) -> Bars:
    """Bars from (high, low, close), each opening at the close before, with a volume of one."""
    high, low, close = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    opened = np.concatenate((close[:1], close[:-1]))
    return Bars(START + seconds * np.arange(len(rows), dtype=np.int64), opened, high, low, close, np.ones(len(rows)))


def closes(*values: float) -> NDArray[np.float64]:
    """Closing prices."""
    return np.array(values, dtype=np.float64)


def part(bars: Bars, start: int, stop: int) -> Bars:
    """Bars ``start`` to ``stop`` − 1, as arrays of their own."""
    return Bars(*(column[start:stop].copy() for column in bars))


def table(*path: str) -> dict[str, list[str]]:
    """Columns of a recorded table of expected values."""
    with gzip.open(Path(recorded_data(), "expected", *path), "rt", newline="") as lines:
        rows = list(csv.reader(lines))
    return {name: list(column) for name, column in zip(rows[0], zip(*rows[1:], strict=True), strict=True)}


def numbers(column: Sequence[str]) -> NDArray[np.float64]:
    """A column as floats, NaN where it is empty."""
    return np.array([float(value) if value else np.nan for value in column])


def seed_of(text: str) -> int:
    """The same seed for a name in every process."""
    return zlib.crc32(text.encode())
