"""Binance's public spot protocol over markets of ours: REST, raw and combined streams, errors in its shape.

Each market lives under a path of its own: ``/{market}/api/v3/…``, ``/{market}/ws``, ``/{market}/stream``. Beside Binance's own
addresses there is ``/{market}/clusterx/info``, and with ``allow_faults`` ``/control/faults``.

Source: developers.binance.com, "General endpoints", "Market data endpoints", "WebSocket Streams".
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from marketdata.timeframes import TIMEFRAMES
from marketdata.venue.market import Market, Symbol, UnknownInterval

logger = logging.getLogger(__name__)
MOST_WAITING = 20_000
DEPTHS = {"depth": "depth", "depth@100ms": "depth", "depth@1000ms": "depth"}


@dataclass
class Faults:
    """What goes wrong on command. Counters are used up one by one."""

    statuses: deque[int] = field(default_factory=deque)  # the next REST answers have these HTTP statuses
    malformed: int = 0  # so many messages are followed by one that is broken
    duplicate: int = 0  # so many messages are sent twice
    drop: dict[str, int] = field(default_factory=dict)  # stream kind ("depth", "trade") → so many are not sent
    swap: int = 0  # so many messages are sent after their successor


class Client:
    """One WebSocket and the streams it asked for."""

    def __init__(self, socket: web.WebSocketResponse, market: Market, *, combined: bool) -> None:
        self.socket, self.market, self.combined = socket, market, combined
        self.streams: dict[str, str] = {}  # canonical name → as the client wrote it
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self.held: bytes | None = None

    def put(self, text: bytes) -> None:
        with suppress(asyncio.QueueFull):  # a client this slow notices by the missing ids
            self.queue.put_nowait(text)


def canonical(stream: str) -> str:
    symbol, _, kind = stream.strip().partition("@")
    return f"{symbol.lower()}@{DEPTHS.get(kind, kind)}"


class VenueServer:
    """``async with VenueServer([ReplayMarket(…)]) as server: server.base_url("replay")``."""

    def __init__(
        self, markets: Sequence[Market], *, host: str = "127.0.0.1", port: int = 0, allow_faults: bool = False
    ) -> None:
        self.markets = {market.name: market for market in markets}
        self.host, self.port = host, port
        self.clients: set[Client] = set()
        self.faults = Faults()
        self.allow_faults = allow_faults
        self._tasks: list[asyncio.Task[None]] = []

    def base_url(self, market: str) -> str:
        return f"http://{self.host}:{self.port}/{market}"

    async def __aenter__(self) -> VenueServer:
        app = web.Application(middlewares=[self._errors])
        app.router.add_get("/{market}/api/v3/{call:.+}", self._rest)
        app.router.add_get("/{market}/clusterx/info", self._info)
        for path in ("/{market}/ws", "/{market}/ws/{stream:.+}", "/{market}/stream"):
            app.router.add_get(path, self._socket)
        if self.allow_faults:
            app.router.add_post("/control/faults", self._set_faults)
            app.router.add_post("/control/disconnect", self._disconnect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        for market in self.markets.values():
            self._tasks.append(asyncio.create_task(self._run(market)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.disconnect()
        await self._runner.cleanup()

    async def _run(self, market: Market) -> None:
        def emit(stream: str, message: dict[str, Any]) -> None:
            self._fan_out(market, stream, message)

        def wanted() -> set[str]:
            return {stream for client in self.clients if client.market is market for stream in client.streams}

        while True:
            try:
                await market.run(emit, wanted)
            except Exception:
                logger.exception("%s failed; going on in a second", market.name)
                await asyncio.sleep(1)

    # -- streams ----------------------------------------------------------------------------------------------

    def _fan_out(self, market: Market, stream: str, message: dict[str, Any]) -> None:
        listening = [client for client in self.clients if client.market is market and stream in client.streams]
        if not listening:
            return
        text = orjson.dumps(message)
        faults = self.faults
        kind = stream.partition("@")[2].partition("_")[0]
        if faults.drop.get(kind, 0) > 0:
            faults.drop[kind] -= 1
            return
        for client in listening:
            wrapped = text
            if client.combined:
                wrapped = b'{"stream":"%b","data":%b}' % (client.streams[stream].encode(), text)
            if faults.swap > 0 and client.held is None:
                faults.swap -= 1
                client.held = wrapped
                continue
            client.put(wrapped)
            if client.held is not None:
                client.put(client.held)
                client.held = None
            if faults.duplicate > 0:
                faults.duplicate -= 1
                client.put(wrapped)
            if faults.malformed > 0:
                faults.malformed -= 1
                client.put(MALFORMED[faults.malformed % len(MALFORMED)] % market_symbol(market).encode())

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        market = self._market(request)
        socket = web.WebSocketResponse(heartbeat=20, compress=False, max_msg_size=1 << 16)
        await socket.prepare(request)
        client = Client(socket, market, combined=request.path.endswith("/stream"))
        names = request.match_info.get("stream") or request.query.get("streams") or ""
        for name in filter(None, names.split("/")):
            client.streams[canonical(name)] = name
        self.clients.add(client)
        writer = asyncio.create_task(self._write(client))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    client.put(orjson.dumps(self._method(client, message.data)))
        finally:
            self.clients.discard(client)
            writer.cancel()
        return socket

    async def _write(self, client: Client) -> None:
        with suppress(ConnectionError):
            while True:
                text = await client.queue.get()
                await client.socket.send_str(text.decode())

    def _method(self, client: Client, text: str) -> dict[str, Any]:
        try:
            asked = orjson.loads(text)
            method, number, names = asked["method"], asked.get("id"), asked.get("params", [])
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}, "id": None}
        match method:
            case "SUBSCRIBE":
                client.streams |= {canonical(name): name for name in names}
            case "UNSUBSCRIBE":
                for name in names:
                    client.streams.pop(canonical(name), None)
            case "LIST_SUBSCRIPTIONS":
                return {"result": list(client.streams.values()), "id": number}
            case _:
                return {"error": {"code": 2, "msg": f"Invalid request: unknown variant {method}"}, "id": number}
        return {"result": None, "id": number}

    async def disconnect(self) -> None:
        """Close every client's connection."""
        for client in list(self.clients):
            await client.socket.close(code=WSCloseCode.GOING_AWAY, message=b"bye")

    # -- REST -------------------------------------------------------------------------------------------------

    @web.middleware
    async def _errors(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.faults.statuses and "/api/" in request.path:
            status = self.faults.statuses.popleft()
            headers = {"Retry-After": "1"} if status in (418, 429) else {}
            return web.json_response({"code": -1003, "msg": "Too many requests."}, status=status, headers=headers)
        try:
            return await handler(request)
        except Refused as error:
            return web.json_response({"code": error.code, "msg": error.args[0]}, status=400)

    async def _rest(self, request: web.Request) -> web.Response:
        market = self._market(request)
        query = request.query
        match request.match_info["call"]:
            case "ping":
                answer: Any = {}
            case "time":
                answer = {"serverTime": int(market.now() * 1000)}
            case "exchangeInfo":
                answer = exchange_info(market)
            case "klines":
                answer = klines(market, self._symbol(market, query), query)
            case "depth":
                answer = market.depth(self._symbol(market, query), number(query, "limit", 100, 5000))
            case "trades" | "historicalTrades":
                answer = market.recent_trades(self._symbol(market, query), number(query, "limit", 500, 1000))
            case "ticker/price":
                answer = [{"symbol": s.name, "price": s.price(market.price(s))} for s in self._symbols(market, query)]
            case "ticker/24hr":
                answer = [day(market, symbol) for symbol in self._symbols(market, query)]
            case "ticker/bookTicker":
                answer = [book_ticker(market, symbol) for symbol in self._symbols(market, query)]
            case _:
                raise web.HTTPNotFound
        if isinstance(answer, list) and "symbol" in query and request.match_info["call"].startswith("ticker/"):
            answer = answer[0]
        return web.Response(body=orjson.dumps(answer), content_type="application/json", headers={"X-MBX-USED-WEIGHT-1M": "1"})

    async def _info(self, request: web.Request) -> web.Response:
        market = self._market(request)
        return web.json_response(
            {
                "name": market.name, "mode": market.mode, "label": market.label, "speed": market.speed,
                "time": int(market.now() * 1000), "symbols": list(market.symbols),
            }
        )  # fmt: skip

    async def _set_faults(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            setattr(self.faults, name, deque(value) if name == "statuses" else value)
        return web.json_response({})

    async def _disconnect(self, request: web.Request) -> web.Response:
        await self.disconnect()
        return web.json_response({})

    def _market(self, request: web.Request) -> Market:
        try:
            return self.markets[request.match_info["market"]]
        except KeyError:
            raise web.HTTPNotFound from None

    def _symbol(self, market: Market, query: Any) -> Symbol:
        if "symbol" not in query:
            raise Refused(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        try:
            return market.symbols[query["symbol"]]
        except KeyError:
            raise Refused(-1121, "Invalid symbol.") from None

    def _symbols(self, market: Market, query: Any) -> list[Symbol]:
        return [self._symbol(market, query)] if "symbol" in query else list(market.symbols.values())


class Refused(Exception):
    """An error in Binance's shape."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


MALFORMED = (
    b'{"e":"trade","E":1,"s":"%b","t":-5,"p":"-1","q":"0","T":1,"m":true}',
    b'{"e":"trade","E":1,"s":"%b","t":1,"p":"NaN","q":"1","T":1,"m":true}',
    b'{"e":"kline","s":"%b","k":null}',
    b'{"e":"depthUpdate","s":"%b"}',
    b'{"unheard":"of %b"}',
    b'[1, 2, "%b"]',
)


def market_symbol(market: Market) -> str:
    return next(iter(market.symbols))


def number(query: Any, name: str, default: int | None, most: int | None = None) -> Any:
    if name not in query:
        return default
    try:
        value = int(query[name])
    except ValueError:
        raise Refused(-1100, f"Illegal characters found in parameter '{name}'.") from None
    return value if most is None else min(value, most)


def klines(market: Market, symbol: Symbol, query: Any) -> list[list[Any]]:
    interval = query.get("interval", "")
    limit = number(query, "limit", 500, 1000)
    try:
        bars = market.klines(symbol, interval, number(query, "startTime", None), number(query, "endTime", None), limit)
    except UnknownInterval:
        raise Refused(-1120, "Invalid interval.") from None
    length = TIMEFRAMES[interval].seconds * 1000
    return [
        [
            opened * 1000, symbol.price(o), symbol.price(h), symbol.price(low), symbol.price(c), symbol.size(v),
            opened * 1000 + length - 1, symbol.price(v * c), 0, "0", "0", "0",
        ]
        for opened, o, h, low, c, v in bars.rows()
    ]  # fmt: skip


def day(market: Market, symbol: Symbol) -> dict[str, Any]:
    bars = market.klines(symbol, "1h", None, None, 24)
    first, last = float(bars.open[0]), float(bars.close[-1])
    return {
        "symbol": symbol.name, "priceChange": symbol.price(last - first),
        "priceChangePercent": f"{(last / first - 1) * 100:.3f}", "lastPrice": symbol.price(last),
        "openPrice": symbol.price(first), "highPrice": symbol.price(float(bars.high.max())),
        "lowPrice": symbol.price(float(bars.low.min())), "volume": symbol.size(float(bars.volume.sum())),
        "openTime": int(bars.time[0]) * 1000, "closeTime": int(market.now() * 1000),
    }  # fmt: skip


def book_ticker(market: Market, symbol: Symbol) -> dict[str, Any]:
    book = market.depth(symbol, 1)
    bid, ask = (book[side][0] if book[side] else ["0", "0"] for side in ("bids", "asks"))
    return {"symbol": symbol.name, "bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0], "askQty": ask[1]}


def exchange_info(market: Market) -> dict[str, Any]:
    def one(symbol: Symbol) -> dict[str, Any]:
        tick, lot = symbol.price(10**-symbol.price_decimals), symbol.size(10**-symbol.size_decimals)
        return {
            "symbol": symbol.name, "status": "TRADING", "baseAsset": symbol.base, "baseAssetPrecision": 8,
            "quoteAsset": symbol.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
            "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000.0", "stepSize": lot},
                {"filterType": "NOTIONAL", "minNotional": "5.00", "applyMinToMarket": True, "avgPriceMins": 5},
            ],
        }  # fmt: skip

    return {
        "timezone": "UTC", "serverTime": int(market.now() * 1000), "rateLimits": [], "exchangeFilters": [],
        "symbols": [one(symbol) for symbol in market.symbols.values()],
    }  # fmt: skip
