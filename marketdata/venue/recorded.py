"""Captured exchange messages (trades, best quotes, order-book changes) at the speed they happened, ten minutes in a loop.

The loop is whole minutes of the capture, so that a bar of the venue is a bar of the capture. Its first turn begins
at a multiple of five minutes, at the venue's first start, and is remembered. Older bars are the recorded 5-minute
bars that led up to the capture. Trade ids go on from turn to turn without a gap. The ids of book changes jump at
the seam: a client sees that changes are missing and asks for a snapshot, as it would at the real venue.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from marketdata.bars import Bars, roll_up
from marketdata.timeframes import TIMEFRAMES, Timeframe
from marketdata.venue.market import Emit, Market, Now, State, Symbol
from marketdata.venue.replay import load

BTC = Symbol("BTC", "USDT", 2, 5)
FILES = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz")
BEGIN = 1_723_161_300  # 2024-08-08 23:55:00 UTC
LOOP = 600
RECORDER_BEHIND_MS = 1250  # the recorder's clock, which dates quotes, ran behind the exchange's
SEAM = 1_000_000  # book updates that a turn is taken to have missed


class Captured(NamedTuple):
    at: int  # ms since the loop's begin
    kind: str  # trade, depth or quote
    body: dict[str, Any]


class RecordedMarket(Market):
    """BTC/USDT as captured, on our own clock."""

    name = "recorded"
    mode = "recorded"
    label = "Binance messages of 2024-08-08, looped"
    speed = 1.0

    def __init__(self, folder: Path, *, state: Path | None = None, now: Now = time.time) -> None:
        self._wall = now
        self.symbols = {BTC.name: BTC}
        kept = State(state, self.name)
        self.began: int = kept.read().get("began") or int(now()) // LOOP * LOOP
        kept.write({"began": self.began})
        self._capture(folder)
        history = load(folder, BTC)
        history = history[: int(np.searchsorted(history.time, BEGIN))]
        self.history = Bars(history.time + (self.began - BEGIN), *history.columns[1:])
        self._turn = -1
        self._position = 0
        self._book: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def now(self) -> float:
        return self._wall()

    def _capture(self, folder: Path) -> None:
        bids: dict[str, str] = {}
        asks: dict[str, str] = {}
        known = 0
        before: list[dict[str, Any]] = []  # changes that lead up to the loop; the snapshot came after the first of them
        self.events: list[Captured] = []
        for file in FILES:
            with gzip.open(folder / "binance_ws_l2" / file) as lines:
                for line in lines:
                    received, _, text = line.partition(b" ")
                    if not text:
                        continue
                    message = orjson.loads(text)
                    if "lastUpdateId" in message:
                        bids, asks, known = dict(message["bids"]), dict(message["asks"]), message["lastUpdateId"]
                        continue
                    body = message["data"]
                    match body.get("e"):
                        case "trade":
                            kind, at = "trade", body["T"]
                        case "depthUpdate":
                            kind, at = "depth", body["E"]
                        case _:
                            kind, at = "quote", int(received) // 1_000_000 + RECORDER_BEHIND_MS
                    at -= BEGIN * 1000
                    if at < 0 and kind == "depth":
                        before.append(body)
                    elif 0 <= at < LOOP * 1000:
                        self.events.append(Captured(at, kind, body))
        for body in before:
            if body["u"] > known:
                change(bids, body["b"])
                change(asks, body["a"])
                known = body["u"]
        self.events.sort(key=lambda event: event.at)
        self.times = [event.at for event in self.events]
        self.opening_book = (bids, asks, known)
        self.trades = [event for event in self.events if event.kind == "trade"]
        self.trade_times = [event.at for event in self.trades]
        depths = [event.body for event in self.events if event.kind == "depth"]
        self.updates = depths[-1]["u"] - known + SEAM
        self.minutes = [self._minute(minute) for minute in range(LOOP // 60)]

    def _minute(self, minute: int, until_ms: int | None = None) -> tuple[float, float, float, float, float]:
        first = bisect_left(self.trade_times, minute * 60_000)
        last = bisect_left(self.trade_times, (minute + 1) * 60_000 if until_ms is None else until_ms)
        bodies = [event.body for event in self.trades[first:last]]
        if not bodies:
            price = float(self.trades[first - 1].body["p"]) if first else float(self.trades[0].body["p"])
            return price, price, price, price, 0.0
        prices = [float(body["p"]) for body in bodies]
        volume = sum((Decimal(body["q"]) for body in bodies), Decimal(0))
        return prices[0], max(prices), min(prices), prices[-1], float(volume)

    # -- bars -------------------------------------------------------------------------------------------------

    def kept(self, timeframe: Timeframe) -> Timeframe:
        return TIMEFRAMES["1m"] if timeframe < TIMEFRAMES["5m"] else TIMEFRAMES["5m"]

    def begin(self, symbol: Symbol) -> int:
        return int(self.history.time[0])

    def bars(self, symbol: Symbol, start: int, end: int, timeframe: Timeframe) -> Bars:
        now = self.now()
        minutes = range(max(start, self.began) // 60 * 60, int(min(end, now + 1)), 60)
        rows = []
        for opened in minutes:
            minute = (opened - self.began) % LOOP // 60
            whole = opened + 60 <= now
            so_far = None if whole else int((now - self.began) % LOOP * 1000)
            rows.append((opened, *(self.minutes[minute] if whole else self._minute(minute, so_far))))
        bars = Bars.of(rows)
        if timeframe == TIMEFRAMES["1m"]:
            return bars
        bars = roll_up(bars, timeframe)
        first, last = np.searchsorted(self.history.time, [start, end])
        old = self.history[int(first) : int(last)]
        return Bars(*(np.concatenate(pair) for pair in zip(old.columns, bars.columns, strict=True)))

    # -- the loop ---------------------------------------------------------------------------------------------

    def _place(self) -> tuple[int, int]:
        """The turn of the loop and the milliseconds into it."""
        ms = int((self.now() - self.began) * 1000)
        return ms // (LOOP * 1000), ms % (LOOP * 1000)

    def _advance(self, handle: Callable[[Captured, int], None] | None) -> None:
        """Play everything up to now."""
        turn, ms = self._place()
        if turn != self._turn:
            if self._turn >= 0 and turn == self._turn + 1:
                self._play(len(self.events), handle)
            self._turn, self._position = turn, 0
            bids, asks, _ = self.opening_book
            self._book = dict(bids), dict(asks)
            if handle is not None and self._first:
                handle = None  # what happened in this turn before we were asked is only replayed into the book
        self._play(bisect_right(self.times, ms), handle)
        self._first = False

    def _play(self, until: int, handle: Callable[[Captured, int], None] | None) -> None:
        for event in self.events[self._position : until]:
            if event.kind == "depth":
                change(self._book[0], event.body["b"])
                change(self._book[1], event.body["a"])
            if handle is not None:
                handle(event, self._turn)
        self._position = max(self._position, until)

    _first = True

    async def run(self, emit: Emit, wanted: Callable[[], set[str]]) -> None:
        def handle(event: Captured, turn: int) -> None:
            stream, message = self._message(event, turn)
            emit(stream, message)

        while True:
            self._advance(handle)
            await asyncio.sleep(0.02)

    def _message(self, event: Captured, turn: int) -> tuple[str, dict[str, Any]]:
        shift = (self.began - BEGIN + turn * LOOP) * 1000
        body = event.body
        if event.kind == "trade":
            number = turn * len(self.trades) + body["t"] - self.trades[0].body["t"] + 1
            return "btcusdt@trade", body | {"E": body["E"] + shift, "T": body["T"] + shift, "t": number}
        jump = turn * self.updates
        if event.kind == "depth":
            return "btcusdt@depth", body | {"E": body["E"] + shift, "U": body["U"] + jump, "u": body["u"] + jump}
        return "btcusdt@bookTicker", body | {"u": body["u"] + jump}

    def depth(self, symbol: Symbol, limit: int) -> dict[str, Any]:
        self._settle()
        bids, asks = self._book
        known = self.opening_book[2]
        for event in reversed(self.events[: self._position]):
            if event.kind == "depth":
                known = event.body["u"]
                break
        return {
            "lastUpdateId": known + self._turn * self.updates,
            "bids": sorted(bids.items(), key=lambda level: -float(level[0]))[:limit],
            "asks": sorted(asks.items(), key=lambda level: float(level[0]))[:limit],
        }

    def _settle(self) -> None:
        """The book must be one that was published: where nothing runs yet, begin here."""
        if self._turn < 0:
            self._advance(None)

    def recent_trades(self, symbol: Symbol, limit: int) -> list[dict[str, Any]]:
        turn, ms = self._place()
        shift = (self.began - BEGIN + turn * LOOP) * 1000
        done = self.trades[: bisect_right(self.trade_times, ms)][-limit:]
        first = self.trades[0].body["t"]
        return [
            {
                "id": turn * len(self.trades) + event.body["t"] - first + 1, "price": event.body["p"],
                "qty": event.body["q"], "quoteQty": "0", "time": event.body["T"] + shift,
                "isBuyerMaker": event.body["m"], "isBestMatch": True,
            }
            for event in done
        ]  # fmt: skip


def change(side: dict[str, str], levels: list[list[str]]) -> None:
    for price, size in levels:
        if float(size):
            side[price] = size
        else:
            side.pop(price, None)
