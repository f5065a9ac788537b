"""Recorded 5-minute bars, replayed faster than they happened.

The mapping from the venue's time to the recording is fixed once, at the first start: shifted by whole weeks, so
that hours, days and weekdays stay what they were, and repeated after its whole weeks. Only bars are published: a
recording of bars has no trades or quotes, and none are made up. Inside a bar the price walks open, low, high, close
(high first in a falling bar).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather

from marketdata.bars import Bars
from marketdata.timeframes import TIMEFRAMES, Timeframe
from marketdata.venue.derived import Derived
from marketdata.venue.market import CatchingUp, Emit, Market, Now, State, Symbol

WEEK = 7 * 86400
STEP = 300
BEGIN_WEEK = 22  # of the recording: what came before is history, what comes after is played
SYMBOLS = (
    Symbol("BTC", "USDT", 2, 5),
    Symbol("ETH", "USDT", 2, 4),
    Symbol("SOL", "USDT", 2, 3),
    Symbol("XRP", "USDT", 4, 0),
    Symbol("DOGE", "USDT", 5, 0),
)


def load(folder: Path, symbol: Symbol) -> Bars:
    """The recorded 5-minute bars of a symbol, as they lie in the folder of recordings."""
    path = folder / "ohlcv" / "crypto" / "binance_spot" / f"{symbol.base}_{symbol.quote}-5m.feather"
    table = pyarrow.feather.read_table(path, memory_map=False)
    columns = [table.column(name).to_numpy() for name in ("date", "open", "high", "low", "close", "volume")]
    bars = Bars(columns[0].astype("datetime64[s]").astype(np.int64), *(column.astype(np.float64) for column in columns[1:]))
    del table, columns
    pa.default_memory_pool().release_unused()
    return bars


class ReplayMarket(Market):
    """Bars of several pairs on one clock that starts ``lead`` seconds ago and runs ``speed`` times as fast as ours."""

    mode = "recorded"
    source = "imsatoshi/GeneTrader, Binance spot bars of 5 minutes; see docs/venue.md"
    base = TIMEFRAMES["5m"]

    def __init__(
        self, folder: Path, *, name: str = "replay", speed: float = 60.0, lead: float = 30 * 86400,
        state: Path | None = None, now: Now = time.time,
    ) -> None:  # fmt: skip
        self.name, self.speed = name, speed
        self.label = f"Binance bars of 2024, replayed at {speed:g}×"
        self.symbols = {symbol.name: symbol for symbol in SYMBOLS}
        self.recording = {symbol.name: load(folder, symbol) for symbol in SYMBOLS}
        first = int(next(iter(self.recording.values())).time[0])
        self.length = min(len(bars) for bars in self.recording.values()) * STEP // WEEK * WEEK
        self.state = State(state, name)
        kept = self.state.read()
        start = kept.get("time") or now() - lead
        self.origin: int = kept.get("origin") or first + (int(start) - first) // WEEK * WEEK - BEGIN_WEEK * WEEK
        self.clock = CatchingUp(start, speed, now)
        self._save()

    def now(self) -> float:
        return self.clock.now()

    def _save(self) -> None:
        self.state.write({"origin": self.origin, "time": self.now()})

    def begin(self, symbol: Symbol) -> int:
        return self.origin

    def bars(self, symbol: Symbol, start: int, end: int, timeframe: Timeframe) -> Bars:
        start = max(start, self.origin)
        now = self.now()
        opened = np.arange(-(-start // STEP) * STEP, end, STEP, dtype=np.int64)
        opened = opened[opened <= now]
        if not len(opened):
            return Bars.empty()
        recording = self.recording[symbol.name]
        index = (opened - self.origin) % self.length // STEP
        bars = Bars(opened, *(column[index] for column in recording.columns[1:]))
        if opened[-1] + STEP <= now:
            return bars
        forming = so_far(tuple(float(column[-1]) for column in bars.columns[1:]), (now - opened[-1]) / STEP, symbol)
        head = bars[:-1]
        return Bars(opened, *(np.append(column, value) for column, value in zip(head.columns[1:], forming, strict=True)))

    async def run(self, emit: Emit, wanted: Callable[[], set[str]]) -> None:
        derived = Derived(self)
        saved = time.monotonic()
        try:
            while True:
                derived.publish(emit, wanted())
                if time.monotonic() - saved > 1:
                    saved = time.monotonic()
                    self._save()
                await asyncio.sleep(0.05)
        finally:
            self._save()


def so_far(bar: tuple[float, ...], share: float, symbol: Symbol) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume after ``share`` of the bar's time (0 to 1)."""
    open_, high, low, close, volume = bar
    path = [open_, low, high, close] if close >= open_ else [open_, high, low, close]
    at = min(max(share, 0.0), 1.0) * (len(path) - 1)
    done = math.floor(at)
    price = path[-1] if done == len(path) - 1 else path[done] + (path[done + 1] - path[done]) * (at - done)
    price = round(price, symbol.price_decimals)
    seen = [*path[: done + 1], price]
    return open_, max(seen), min(seen), price, round(volume * min(share, 1.0), symbol.size_decimals)
