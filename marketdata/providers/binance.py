"""Binance spot, public data, through ccxt: its REST client and the WebSocket client of ccxt pro.

ccxt connects, subscribes, keeps alive and limits rates. It turns a message into its own trade in some 50 µs, which is too slow
for a busy stream, so raw messages are taken from its client before that and normalised here.

Source: developers.binance.com, "Web Socket Streams for Binance" and "Market Data endpoints".
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from marketdata.bars import Bar
from marketdata.messages import (
    BookDelta,
    Kline,
    Malformed,
    Message,
    Quote,
    Trade,
    checked,
    exact_size,
    near,
    price_of,
    size_of,
    whole,
)
from marketdata.providers.base import ProviderError, Subscription
from marketdata.providers.one_exchange import alone
from marketdata.timeframes import TIMEFRAMES

with alone("binance"):
    import ccxt.pro
    from ccxt.base.errors import BaseError

PAGE = 1000
SILENCE = 60.0  # seconds without any message after which a connection is given up
VENUE = 1  # Candle.Source


class _Client(ccxt.pro.binance):
    """ccxt's Binance with one change: messages go to ``sink`` instead of its own parsers."""

    sink: Callable[[Any], None] | None = None

    def handle_message(self, client: Any, message: Any) -> None:
        if self.sink is not None:
            self.sink(message)


class BinanceProvider:
    def __init__(self, *, base_url: str = "") -> None:
        options: dict[str, Any] = {
            "enableRateLimit": True,
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
        }
        self.client = _Client(options)
        if base_url:
            rest = base_url.rstrip("/") + "/api/v3"
            self.client.urls["api"] |= {"public": rest, "private": rest}
            self.client.urls["api"]["ws"] |= {"spot": base_url.rstrip("/").replace("http", "ws", 1) + "/ws"}
            self.client.rateLimit = 5
        self.now_ms: Callable[[], float] = lambda: time.time() * 1000

    # -- REST -------------------------------------------------------------------------------------------------

    async def server_time(self) -> float:
        answer = await self._ask("publicGetTime", {})
        return whole_text(answer["serverTime"]) / 1000

    async def bars(self, symbol: str, timeframe: str, *, start: int, end: int) -> list[Bar]:
        length = TIMEFRAMES[timeframe].seconds
        found: list[Bar] = []
        at = start
        while at < end:
            query = {"symbol": symbol, "interval": timeframe, "startTime": at * 1000, "endTime": end * 1000 - 1, "limit": PAGE}
            rows = await self._ask("publicGetKlines", query)
            page = [self._bar(row) for row in rows]
            # The last row may be the unfinished bar: its closing time lies ahead of the venue's clock.
            ahead = self.now_ms()
            found += [bar for bar, row in zip(page, rows, strict=True) if bar.time < end and int(row[6]) < ahead]
            if len(rows) < PAGE:
                break
            at = page[-1].time + length
        return found

    async def book(self, symbol: str) -> tuple[int, list[tuple[float, float]], list[tuple[float, float]]]:
        answer = await self._ask("publicGetDepth", {"symbol": symbol, "limit": 1000})
        try:
            return whole_text(answer["lastUpdateId"]), _levels(answer["bids"]), _levels(answer["asks"])
        except (Malformed, KeyError, TypeError) as error:
            raise ProviderError(f"the book of {symbol} makes no sense: {error}") from error

    async def _ask(self, method: str, query: dict[str, Any]) -> Any:
        try:
            return await getattr(self.client, method)(query)
        except (TimeoutError, BaseError, OSError) as error:
            raise ProviderError(f"{method}: {error}") from error

    @staticmethod
    def _bar(row: Any) -> Bar:
        try:
            opened, open_, high, low, close, volume, _, _, trades, *_ = row
            return checked(
                Bar(
                    whole_text(opened) // 1000, price_of(open_), price_of(high), price_of(low), price_of(close),
                    size_of(volume), counted(whole_text(trades), size_of(volume)), VENUE,
                )
            )  # fmt: skip
        except (Malformed, TypeError, ValueError) as error:
            raise ProviderError(f"a bar makes no sense: {error}") from error

    # -- WebSocket --------------------------------------------------------------------------------------------

    async def listen(self, subscriptions: Sequence[Subscription], heard: Callable[[Any, Message | Exception], None]) -> None:
        last = time.monotonic()

        def sink(message: Any) -> None:
            nonlocal last
            last = time.monotonic()
            try:
                said = self.normalise(message)
            except Malformed as error:
                heard(message, error)
            except (TypeError, ValueError, LookupError, ArithmeticError) as error:  # of a shape that nobody thought of
                heard(message, Malformed("type", f"a message has the venue's shape: {error}"))
            else:
                if said is not None:
                    heard(message, said)

        self.client.sink = sink
        url = self.client.urls["api"]["ws"]["spot"]
        request = {"method": "SUBSCRIBE", "params": stream_names(subscriptions), "id": 1}
        connection = self.client.client(url)
        parse = connection.handle_text_or_binary_message

        def guarded(text: Any) -> None:
            # What ccxt cannot read kills its reading without a word, and the connection stays deaf.
            try:
                parse(text)
            except (ValueError, RecursionError, zlib.error) as error:
                heard(text, Malformed("type", f"a message is JSON: {error}"))

        connection.handle_text_or_binary_message = guarded
        # Nothing resolves this future: it ends when ccxt's client gives the connection up.
        future = self.client.watch(url, "everything", request, "everything")
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # known, whoever waits for it
        try:
            while not future.done():
                await asyncio.wait([future], timeout=5)
                if time.monotonic() - last > SILENCE:
                    raise ProviderError(f"nothing was heard for {SILENCE:.0f} s")
            await future
        except (BaseError, OSError) as error:
            raise ProviderError(str(error)) from error
        raise ProviderError("the connection ended")

    def normalise(self, message: Any) -> Message | None:
        """What a message says; None for an answer to a subscription.

        Raises Malformed for everything that cannot be true.
        """
        if not isinstance(message, dict):
            raise Malformed("type", "a message is a JSON object")
        if "data" in message and "stream" in message:
            message = message["data"]
            if not isinstance(message, dict):
                raise Malformed("type", "a stream's data is a JSON object")
        kind = message.get("e")
        try:
            if kind == "trade":
                return Trade(
                    _symbol(message), whole(message["t"], "t"), near(whole(message["T"], "T"), self.now_ms()),
                    price_of(message["p"]), exact_size(message["q"]), -1 if message["m"] else 1,
                )  # fmt: skip
            if kind == "depthUpdate":
                return BookDelta(
                    _symbol(message), whole(message["U"], "U"), whole(message["u"], "u"),
                    near(whole(message["E"], "E"), self.now_ms()), _levels(message["b"]), _levels(message["a"]),
                )  # fmt: skip
            if kind == "kline":
                return self._kline(message)
            if kind is None and "u" in message and "A" in message:
                return Quote(
                    _symbol(message), whole(message["u"], "u"), price_of(message["b"]), size_of(message["B"]),
                    price_of(message["a"]), size_of(message["A"]),
                )  # fmt: skip
        except KeyError as error:
            raise Malformed("type", f"a {kind or 'bookTicker'} message must have {error}") from None
        if "result" in message or "id" in message:
            return None
        raise Malformed("unknown", f"an unknown kind of message: {str(kind)[:40]!r}")

    def _kline(self, message: dict[str, Any]) -> Kline:
        k = message["k"]
        if not isinstance(k, dict) or k.get("i") not in TIMEFRAMES:
            raise Malformed("type", "k must be a bar of a known interval")
        opened = near(whole(k["t"], "t"), self.now_ms() - TIMEFRAMES[k["i"]].seconds * 500)
        volume = size_of(k["v"])
        bar = Bar(
            opened // 1000, price_of(k["o"]), price_of(k["h"]), price_of(k["l"]), price_of(k["c"]), volume,
            counted(whole(k["n"], "n"), volume) if "n" in k else None, VENUE,
        )  # fmt: skip
        return Kline(_symbol(message), k["i"], checked(bar), bool(k["x"]))

    async def close(self) -> None:
        self.client.sink = None
        await self.client.close()


def stream_names(subscriptions: Sequence[Subscription]) -> list[str]:
    names: list[str] = []
    for subscription in subscriptions:
        symbol = subscription.symbol.lower()
        if subscription.ticks:
            names += [f"{symbol}@trade", f"{symbol}@bookTicker", f"{symbol}@depth@100ms"]
        else:
            names.append(f"{symbol}@kline_{subscription.timeframe}")
    return names


def whole_text(value: Any) -> int:
    """ccxt reads whole numbers of REST answers as text or number."""
    return int(value)


def counted(trades: int, volume: float) -> int | None:
    """How many trades made a bar; None where the venue does not tell and writes 0 beside a volume.

    Raises Malformed.
    """
    if not 0 <= trades < 2**31:
        raise Malformed("number", f"a bar's trades are out of range: {trades}")
    return None if trades == 0 and volume > 0 else trades


def _symbol(message: dict[str, Any]) -> str:
    symbol = message["s"]
    if not isinstance(symbol, str) or not 0 < len(symbol) <= 32:
        raise Malformed("type", "s must be a symbol")
    return symbol


def _levels(value: Any) -> list[tuple[float, float]]:
    if not isinstance(value, list):
        raise Malformed("type", "levels must be a list")
    try:
        return [(price_of(price), size_of(size)) for price, size in value]
    except (TypeError, ValueError) as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed("type", "a level is a price and a size") from None
