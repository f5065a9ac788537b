"""Bars: the series that strategies and indicators read, and how bars are built from trades and from shorter bars.

Pure: numpy arrays and plain values, no framework. A bar is stamped with its opening time in epoch seconds UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from marketdata.timeframes import Timeframe

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


class Bar(NamedTuple):
    """One bar. ``source`` is a ``Candle.Source`` value; ``revision`` counts amendments after it closed."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None = None
    source: int = 1
    revision: int = 0

    @classmethod
    def at(cls, time: int, prices: Sequence[float], **more: int | None) -> Bar:
        """From an opening time and the five numbers open, high, low, close, volume."""
        open_, high, low, close, volume = prices
        return cls(time, open_, high, low, close, volume, **more)  # type: ignore[arg-type]

    @property
    def row(self) -> list[float]:
        """As the API and the stream write it: ``[time, open, high, low, close, volume]``."""
        return [self.time, self.open, self.high, self.low, self.close, self.volume]


def problem(bar: Bar) -> str | None:
    """Why a bar cannot be a bar, or None. The database holds the same rule."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    if not all(math.isfinite(value) for value in (*prices, bar.volume)):
        return "a value is not finite"
    if min(prices) <= 0:
        return "a price is not positive"
    if max(prices) >= 1e15 or bar.volume >= 1e30:
        return "a value is beyond any market"
    if bar.high < max(prices):
        return "high is below another price"
    if bar.low > min(prices):
        return "low is above another price"
    if bar.volume < 0:
        return "volume is negative"
    return None


@dataclass(frozen=True, eq=False)
class Bars:
    """A series of closed bars, oldest first.

    ``time`` is (n,) int64, epoch seconds of each opening, strictly ascending; the others are (n,) float64, prices in
    the quote currency, volume in the base currency.
    """

    time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        n = len(self.time)  # plainly, because live sessions make one for each bar
        if not (len(self.open) == n == len(self.high) and len(self.low) == n == len(self.close) and len(self.volume) == n):
            raise ValueError(f"columns must have one length, had {sorted({len(column) for column in self.columns})}")

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, part: slice) -> Bars:
        time, *prices = self.columns
        return Bars(time[part], *(column[part] for column in prices))  # type: ignore[arg-type]

    @property
    def columns(self) -> tuple[Times, Floats, Floats, Floats, Floats, Floats]:
        return self.time, self.open, self.high, self.low, self.close, self.volume

    def tail(self, count: int) -> Bars:
        """The newest ``count`` bars, or all there are."""
        return self[max(0, len(self) - count) :]

    def append(self, bar: Bar) -> Bars:
        """A new series with one more bar at its end."""
        return Bars(
            np.append(self.time, np.int64(bar.time)),
            *(np.append(column, value) for column, value in zip(self.columns[1:], bar[1:6], strict=True)),
        )

    @classmethod
    def empty(cls) -> Bars:
        return cls.of([])

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> Bars:
        """From rows whose first six values are time, open, high, low, close, volume."""
        table = np.array([row[:6] for row in rows], dtype=np.float64).reshape(-1, 6)
        return cls(table[:, 0].astype(np.int64), *(np.ascontiguousarray(table[:, i]) for i in range(1, 6)))

    def rows(self) -> Iterator[tuple[int, float, float, float, float, float]]:
        return zip(*(column.tolist() for column in self.columns), strict=True)


def roll_up(bars: Bars, timeframe: Timeframe) -> Bars:
    """Longer bars from shorter ones: first open, highest high, lowest low, last close, exact sum of volumes.

    The last bar may be unfinished; the caller knows the clock.
    """
    if not len(bars):
        return bars
    opening = bars.time - bars.time % timeframe.seconds
    starts = np.flatnonzero(np.r_[True, opening[1:] != opening[:-1]])
    ends = np.r_[starts[1:], len(bars)]
    volume = np.array([math.fsum(bars.volume[a:b]) for a, b in zip(starts, ends, strict=True)])
    return Bars(
        opening[starts],
        bars.open[starts],
        np.maximum.reduceat(bars.high, starts),
        np.minimum.reduceat(bars.low, starts),
        bars.close[ends - 1],
        volume,
    )
