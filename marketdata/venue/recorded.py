"""Captured exchange messages (trades, best quotes, order-book changes) at the speed they happened, ten minutes in a loop.

The loop is whole minutes of the capture, so that a bar of the venue is a bar of the capture. Its first turn begins
at a multiple of ten minutes, at the venue's first start, and is remembered. Older bars are the recorded 5-minute
bars that led up to the capture. Trade ids go on from turn to turn without a gap. The ids of book changes jump at
the seam: a client sees that changes are missing and asks for a snapshot, as it would at the real venue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from marketdata.bars import Bars, roll_up
from marketdata.timeframes import TIMEFRAMES, Timeframe
from marketdata.venue.capture import DEPTH, TRADE, UNIT, Book, Capture, apply
from marketdata.venue.derived import Derived
from marketdata.venue.market import Emit, Market, Now, State, Symbol
from marketdata.venue.replay import load

BTC = Symbol("BTC", "USDT", 2, 5)
BEGIN = 1_723_161_300  # 2024-08-08 23:55:00 UTC
LOOP = 600
SEAM = 1_000_000  # book updates that a turn is taken to have missed


class RecordedMarket(Market):
    """BTC/USDT as captured, on our own clock."""

    name = "recorded"
    mode = "recorded"
    label = "Binance messages of 2024-08-08, looped"
    source = "nkaz001/hftbacktest examples (spot BTCUSDT) and imsatoshi/GeneTrader bars; see docs/venue.md"
    speed = 1.0

    def __init__(self, folder: Path, *, state: Path | None = None, now: Now = time.time) -> None:
        self._wall = now
        self.symbols = {BTC.name: BTC}
        kept = State(state, self.name)
        self.began: int = kept.read().get("began") or int(now()) // LOOP * LOOP
        kept.write({"began": self.began})
        self.capture = Capture(folder, BEGIN, LOOP)
        history = load(folder, BTC)
        history = history[: int(np.searchsorted(history.time, BEGIN))]
        self.history = Bars(history.time + (self.began - BEGIN), *history.columns[1:])
        self.updates = self.capture.last_update - self.capture.opening_update + SEAM
        self.minutes = np.array([self._minute(minute * 60_000, (minute + 1) * 60_000) for minute in range(LOOP // 60)])
        self._turn, self._position, self._known = -1, 0, 0
        self._book: Book = ({}, {})

    def now(self) -> float:
        return self._wall()

    # -- bars -------------------------------------------------------------------------------------------------

    def _minute(self, start_ms: int, until_ms: int) -> tuple[float, float, float, float, float]:
        """Open, high, low, close and volume of a part of the loop; flat at the last price where nobody traded."""
        trades = self.capture.trades
        first, last = np.searchsorted(trades.at, [start_ms, until_ms])
        if first == last:
            price = float(trades.price[first - 1])  # before the first trade of the loop: the last one of the turn before
            return price, price, price, price, 0.0
        prices = trades.price[first:last]
        volume = float(Decimal(int(trades.units[first:last].sum())) / UNIT)
        return float(prices[0]), float(prices.max()), float(prices.min()), float(prices[-1]), volume

    def kept(self, timeframe: Timeframe) -> Timeframe:
        return TIMEFRAMES["1m"] if timeframe < TIMEFRAMES["5m"] else TIMEFRAMES["5m"]

    def begin(self, symbol: Symbol) -> int:
        return int(self.history.time[0])

    def bars(self, symbol: Symbol, start: int, end: int, timeframe: Timeframe) -> Bars:
        now = self.now()
        opened = np.arange(-(-max(start, self.began) // 60) * 60, min(end, int(now) + 1), 60, dtype=np.int64)
        table = self.minutes[(opened - self.began) % LOOP // 60]
        if len(opened) and opened[-1] + 60 > now:
            start_ms = int(opened[-1] - self.began) % LOOP * 1000
            table[-1] = self._minute(start_ms, start_ms + int((now - int(opened[-1])) * 1000) + 1)
        bars = Bars(opened, *(np.ascontiguousarray(table[:, column]) for column in range(5)))
        if timeframe == TIMEFRAMES["1m"]:
            return bars
        bars = roll_up(bars, timeframe)
        first, last = np.searchsorted(self.history.time, [start, end])
        old = self.history[int(first) : int(last)]
        return Bars(*(np.concatenate(pair) for pair in zip(old.columns, bars.columns, strict=True)))

    # -- the loop ---------------------------------------------------------------------------------------------

    def _place(self) -> tuple[int, int]:
        """The turn of the loop and the milliseconds into it."""
        return divmod(int((self.now() - self.began) * 1000), LOOP * 1000)

    def _shift_ms(self, turn: int) -> int:
        return (self.began - BEGIN + turn * LOOP) * 1000

    def _advance(self) -> Iterator[tuple[int, dict[str, Any], int]]:
        """Play everything up to now into the book; yields kind, message and turn."""
        turn, ms = self._place()
        until = int(np.searchsorted(self.capture.at, ms, "right"))
        if turn != self._turn:
            followed = 0 <= self._turn == turn - 1
            if followed:
                yield from self._play(len(self.capture))
            self._turn, self._position, self._known = turn, 0, self.capture.opening_update
            self._book = dict(self.capture.opening_book[0]), dict(self.capture.opening_book[1])
            if not followed:  # we begin, or slept for longer than a turn: what was before is no news
                for _ in self._play(until):
                    pass
        yield from self._play(until)

    def _play(self, until: int) -> Iterator[tuple[int, dict[str, Any], int]]:
        for event in range(self._position, until):
            self._position = event + 1
            kind, body = int(self.capture.kinds[event]), self.capture.body(event)
            if kind == DEPTH:
                apply(self._book, body)
                self._known = body["u"]
            yield kind, body, self._turn

    async def run(self, emit: Emit, wanted: Callable[[], set[str]]) -> None:
        derived = Derived(self)
        while True:
            for kind, body, turn in self._advance():
                emit(*self._message(kind, body, turn))
            derived.publish(emit, wanted())
            await asyncio.sleep(0.02)

    def _message(self, kind: int, body: dict[str, Any], turn: int) -> tuple[str, dict[str, Any]]:
        shift = self._shift_ms(turn)
        if kind == TRADE:
            number = turn * len(self.capture.trades) + body["t"] - self.capture.first_trade + 1
            return "btcusdt@trade", body | {"E": body["E"] + shift, "T": body["T"] + shift, "t": number}
        jump = turn * self.updates
        if kind == DEPTH:
            return "btcusdt@depth", body | {"E": body["E"] + shift, "U": body["U"] + jump, "u": body["u"] + jump}
        return "btcusdt@bookTicker", body | {"u": body["u"] + jump}

    # -- REST -------------------------------------------------------------------------------------------------

    def depth(self, symbol: Symbol, limit: int) -> dict[str, Any]:
        if self._turn < 0:  # nothing runs yet: begin here
            for _ in self._advance():
                pass
        bids, asks = self._book
        return {
            "lastUpdateId": self._known + self._turn * self.updates,
            "bids": sorted(bids.items(), key=lambda level: -float(level[0]))[:limit],
            "asks": sorted(asks.items(), key=lambda level: float(level[0]))[:limit],
        }

    def recent_trades(self, symbol: Symbol, limit: int) -> list[dict[str, Any]]:
        turn, ms = self._place()
        trades = self.capture.trades
        count = turn * len(trades) + int(np.searchsorted(trades.at, ms, "right"))
        found = []
        for number in range(max(0, count - limit), count):
            turn, index = divmod(number, len(trades))
            _, body = self._message(TRADE, self.capture.body(int(trades.event[index])), turn)
            found.append(body)
        return found
