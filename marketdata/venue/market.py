"""What the server asks of a market, and what markets share: symbols, a clock, klines from short bars."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketdata.bars import Bars, roll_up
from marketdata.timeframes import TIMEFRAMES, Timeframe

Emit = Callable[[str, dict[str, Any]], None]  # stream name ("btcusdt@trade"), message
Now = Callable[[], float]
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Symbol:
    """One tradable pair, with the number of decimals that the venue writes."""

    base: str
    quote: str
    price_decimals: int
    size_decimals: int

    @property
    def name(self) -> str:
        return self.base + self.quote

    def price(self, value: float) -> str:
        return f"{value:.{self.price_decimals}f}"

    def size(self, value: float) -> str:
        return f"{value:.{self.size_decimals}f}"


class UnknownInterval(LookupError):
    """The market has no bars of that length."""


class State:
    """A small JSON file that survives ``kill -9``: written beside and moved into place."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self.path = None if folder is None else folder / f"{name}.json"

    def read(self) -> dict[str, Any]:
        if self.path is None or not self.path.exists():
            return {}
        return dict(json.loads(self.path.read_text()))

    def write(self, values: dict[str, Any]) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(values))
        fresh.replace(self.path)


class CatchingUp:
    """A clock that runs at ``speed`` until it has caught up with ours, and then at ours: never ahead of it."""

    def __init__(self, start: float, speed: float, now: Now = time.time) -> None:
        self.speed = speed
        self._wall = now
        self._start = start
        self._since = now()

    def now(self) -> float:
        wall = self._wall()
        return min(wall, self._start + (wall - self._since) * self.speed)

    @property
    def rate(self) -> float:
        return self.speed if self.now() < self._wall() - 1 else 1.0


class Market(ABC):
    """Everything behind one venue's path of the server."""

    name: str
    mode: str  # recorded or simulated
    label: str
    source: str  # where its data come from
    speed: float = 1.0
    base = TIMEFRAMES["1m"]
    symbols: dict[str, Symbol]

    @abstractmethod
    def now(self) -> float:
        """The venue's clock, epoch seconds."""

    @abstractmethod
    def bars(self, symbol: Symbol, start: int, end: int, timeframe: Timeframe) -> Bars:
        """Bars that begin in ``[start, end)``, the unfinished one included; ``timeframe`` is one that is kept."""

    @abstractmethod
    async def run(self, emit: Emit, wanted: Callable[[], set[str]]) -> None:
        """Emit messages until cancelled. ``wanted()`` are the stream names that somebody listens to."""

    def begin(self, symbol: Symbol) -> int:
        """Where the history begins, epoch seconds."""
        return 0

    def kept(self, timeframe: Timeframe) -> Timeframe:
        """The timeframe that ``timeframe`` is rolled up from."""
        if timeframe < self.base:
            raise UnknownInterval(f"{self.name} has no bars shorter than {self.base}")
        return self.base

    def klines(self, symbol: Symbol, interval: str, start_ms: int | None, end_ms: int | None, limit: int) -> Bars:
        """As Binance answers: at most ``limit`` bars from ``start_ms`` on, or the newest before ``end_ms``."""
        try:
            timeframe = TIMEFRAMES[interval]
        except KeyError:
            raise UnknownInterval(interval) from None
        kept = self.kept(timeframe)
        now = int(self.now())
        end = now + 1 if end_ms is None else min(now + 1, end_ms // 1000 + 1)
        if start_ms is None:
            start = timeframe.floor(end - 1) - (limit - 1) * timeframe.seconds
        else:
            first = max(-(-start_ms // 1000), self.begin(symbol))
            start = -(-first // timeframe.seconds) * timeframe.seconds
            end = min(end, start + limit * timeframe.seconds)
        if end <= start:
            return Bars.empty()
        last = timeframe.floor(end - 1) + timeframe.seconds
        bars = roll_up(self.bars(symbol, start, min(last, now + 1), kept), timeframe)
        return bars[:limit] if start_ms is not None else bars.tail(limit)

    def depth(self, symbol: Symbol, limit: int) -> dict[str, Any]:
        return {"lastUpdateId": 0, "bids": [], "asks": []}

    def recent_trades(self, symbol: Symbol, limit: int) -> list[dict[str, Any]]:
        """The newest trades as ``trade`` messages, oldest first."""
        return []

    def price(self, symbol: Symbol) -> float:
        return float(self.klines(symbol, self.base.name, None, None, 1).close[-1])


def kline_message(symbol: Symbol, interval: str, row: tuple[float, ...], *, closed: bool, at: float) -> dict[str, Any]:
    """A kline event; ``row`` is time, open, high, low, close, volume. What bars do not tell is 0."""
    opened, open_, high, low, close, volume = row[:6]
    length = TIMEFRAMES[interval].seconds
    return {
        "e": "kline", "E": int(at * 1000), "s": symbol.name,
        "k": {
            "t": int(opened) * 1000, "T": (int(opened) + length) * 1000 - 1, "s": symbol.name, "i": interval,
            "f": -1, "L": -1, "o": symbol.price(open_), "c": symbol.price(close), "h": symbol.price(high),
            "l": symbol.price(low), "v": symbol.size(volume), "n": 0, "x": closed, "q": "0", "V": "0", "Q": "0", "B": "0",
        },
    }  # fmt: skip


def rolling_day(market: Market, symbol: Symbol) -> dict[str, Any] | None:
    """The last 24 hours, to 5 minutes; None where there are no bars yet."""
    bars = market.klines(symbol, "5m", None, None, 288)
    if not len(bars):
        return None
    first, last = float(bars.open[0]), float(bars.close[-1])
    return {
        "symbol": symbol.name, "priceChange": symbol.price(last - first),
        "priceChangePercent": f"{(last / first - 1) * 100:.3f}", "lastPrice": symbol.price(last),
        "openPrice": symbol.price(first), "highPrice": symbol.price(float(bars.high.max())),
        "lowPrice": symbol.price(float(bars.low.min())), "volume": symbol.size(float(bars.volume.sum())),
        "openTime": int(bars.time[0]) * 1000, "closeTime": int(market.now() * 1000),
    }  # fmt: skip
