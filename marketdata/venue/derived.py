"""Streams that a venue computes from its bars: klines of every interval and 24-hour tickers."""

from __future__ import annotations

import time
from typing import Any

from marketdata.timeframes import TIMEFRAMES, Timeframe
from marketdata.venue.market import Emit, Market, Symbol, UnknownInterval, kline_message, rolling_day

EVERY = {"kline": 0.25, "ticker": 1.0, "miniTicker": 1.0}  # seconds of ours between two looks
MOST_CLOSED = 500  # bars told at once after a pause; a client asks for older ones by REST


class Derived:
    """What was told on each stream last, so that only news is told and no closed bar is left out."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._told: dict[str, Any] = {}  # the last message's content, by stream
        self._until: dict[str, int] = {}  # kline streams: where the newest bar that was told as closed ends
        self._due: dict[str, float] = dict.fromkeys(EVERY, 0.0)
        self._looked = market.now()  # when klines were looked at last, by the venue's clock

    def publish(self, emit: Emit, streams: set[str]) -> None:
        """Tell what is new on those of ``streams`` that are ours."""
        at = time.monotonic()
        due = {kind for kind, moment in self._due.items() if at >= moment}
        if not due:
            return
        now = self.market.now()
        self._due |= {kind: at + EVERY[kind] for kind in due}
        for gone in self._told.keys() - streams:
            self._told.pop(gone)
            self._until.pop(gone, None)
        for stream in sorted(streams):
            name, _, kind = stream.partition("@")
            kind, _, interval = kind.partition("_")
            symbol = self.market.symbols.get(name.upper())
            if symbol is None or kind not in due:
                continue
            if kind == "kline":
                self._klines(emit, stream, symbol, TIMEFRAMES.get(interval), now)
            else:
                self._ticker(emit, stream, symbol, kind)
        if "kline" in due:
            self._looked = now

    def _klines(self, emit: Emit, stream: str, symbol: Symbol, timeframe: Timeframe | None, now: float) -> None:
        if timeframe is None:
            return
        length = timeframe.seconds
        current = timeframe.floor(int(now))
        # A stream that is new may have been asked for just before a bar closed.
        begin = max(self._until.get(stream, timeframe.floor(int(self._looked))), current - MOST_CLOSED * length)
        try:
            bars = self.market.klines(symbol, timeframe.name, begin * 1000, int(now * 1000), MOST_CLOSED + 1)
        except UnknownInterval:  # as at the real venue: nothing ever comes
            return
        for row in bars.rows():
            closed = row[0] + length <= now
            if closed:
                self._until[stream] = row[0] + length
            elif row == self._told.get(stream):
                continue
            self._told[stream] = row
            emit(stream, kline_message(symbol, timeframe.name, row, closed=closed, at=now))
        self._until.setdefault(stream, begin)

    def _ticker(self, emit: Emit, stream: str, symbol: Symbol, kind: str) -> None:
        day = rolling_day(self.market, symbol)
        if day is None:
            return
        short = {
            "e": "24hrMiniTicker", "E": day["closeTime"], "s": symbol.name, "c": day["lastPrice"], "o": day["openPrice"],
            "h": day["highPrice"], "l": day["lowPrice"], "v": day["volume"], "q": "0",
        }  # fmt: skip
        if kind == "miniTicker":
            emit(stream, short)
            return
        emit(stream, short | {
            "e": "24hrTicker", "p": day["priceChange"], "P": day["priceChangePercent"], "w": "0", "x": day["openPrice"],
            "Q": "0", "b": "0", "B": "0", "a": "0", "A": "0", "O": day["openTime"], "C": day["closeTime"],
            "F": -1, "L": -1, "n": 0,
        })  # fmt: skip
