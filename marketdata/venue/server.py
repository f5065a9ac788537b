"""Binance's public spot protocol over markets of ours: REST, raw and combined streams, errors in its shape.

Each market lives under a path of its own: ``/{market}/api/v3/…``, ``/{market}/ws``, ``/{market}/stream``. Beside Binance's own
addresses there is ``/{market}/clusterx/info``, and with ``allow_faults`` ``/control/faults``.

Source: developers.binance.com, "General endpoints", "Market data endpoints", "WebSocket Streams".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from marketdata.venue.answers import NoSuchCall, Refused, aggregated, answer
from marketdata.venue.faults import Faults
from marketdata.venue.market import Market

logger = logging.getLogger(__name__)
MOST_WAITING = 20_000
MOST_STREAMS = 1024
LOOPBACK = {"127.0.0.1", "::1"}
DEPTHS = {"depth": "depth", "depth@100ms": "depth", "depth@1000ms": "depth"}


class Client:
    """One WebSocket and the streams it asked for."""

    def __init__(self, socket: web.WebSocketResponse, market: Market, *, combined: bool) -> None:
        self.socket, self.market, self.combined = socket, market, combined
        self.streams: dict[str, str] = {}  # canonical name → as the client wrote it
        self.queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_WAITING)
        self.held: bytes | None = None

    def put(self, text: bytes, delay: float = 0.0) -> None:
        with suppress(asyncio.QueueFull):  # a client this slow notices by the missing ids
            self.queue.put_nowait((time.monotonic() + delay, text))

    async def write(self) -> None:
        """Send what waits, until cancelled or the connection is lost."""
        with suppress(ConnectionError):
            while True:
                due, text = await self.queue.get()
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                await self.socket.send_str(text.decode())


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
        self._weight = (0, 0)

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
        self._send(market, stream, message)
        symbol, _, kind = stream.partition("@")
        if kind == "trade":
            one = {"e": "aggTrade", "E": message["E"], "s": message["s"]} | aggregated(message)
            self._send(market, f"{symbol}@aggTrade", one)

    def _send(self, market: Market, stream: str, message: dict[str, Any]) -> None:
        listening = [client for client in self.clients if client.market is market and stream in client.streams]
        faults = self.faults
        if not listening or faults.dropped(stream):
            return
        text = orjson.dumps(message)
        for client in listening:
            wrapped = text
            if client.combined:
                wrapped = b'{"stream":"%b","data":%b}' % (client.streams[stream].encode(), text)
            if faults.swap > 0 and client.held is None:
                faults.swap -= 1
                client.held = wrapped
                continue
            for sent in faults.spoil(wrapped, next(iter(market.symbols))):
                client.put(sent, faults.delay)
            if client.held is not None:
                client.put(client.held, faults.delay)
                client.held = None

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        market = self._market(request)
        # The close timeout is short: a client that does not answer must not hold up our own end.
        socket = web.WebSocketResponse(timeout=0.3, heartbeat=20, compress=False, max_msg_size=1 << 16)
        await socket.prepare(request)
        client = Client(socket, market, combined=request.path.endswith("/stream"))
        names = request.match_info.get("stream") or request.query.get("streams") or ""
        for name in filter(None, names.split("/")):
            client.streams[canonical(name)] = name
        self.clients.add(client)
        writer = asyncio.create_task(client.write())
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    client.put(orjson.dumps(self._method(client, message.data)))
        finally:
            self.clients.discard(client)
            writer.cancel()
        return socket

    def _method(self, client: Client, text: str) -> dict[str, Any]:
        try:
            asked = orjson.loads(text)
        except orjson.JSONDecodeError:
            return {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}, "id": None}
        if not isinstance(asked, dict):
            return {"error": {"code": 2, "msg": "Invalid request: must be an object"}, "id": None}
        method, number, names = asked.get("method"), asked.get("id"), asked.get("params", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return {"error": {"code": 2, "msg": "Invalid request: params must be an array of stream names"}, "id": number}
        match method:
            case "SUBSCRIBE":
                if len(client.streams.keys() | {canonical(name) for name in names}) > MOST_STREAMS:
                    return {"error": {"code": 2, "msg": f"Invalid request: more than {MOST_STREAMS} streams"}, "id": number}
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
        closing = [client.socket.close(code=WSCloseCode.GOING_AWAY, message=b"bye") for client in self.clients]
        await asyncio.gather(*closing, return_exceptions=True)

    # -- REST -------------------------------------------------------------------------------------------------

    @web.middleware
    async def _errors(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if "/api/" not in request.path:
            return await handler(request)
        weight = {"X-MBX-USED-WEIGHT-1M": str(self._weigh())}
        if self.faults.statuses:
            status = self.faults.statuses.popleft()
            if status in (418, 429):
                weight["Retry-After"] = "1"
                body = {
                    "code": -1003,
                    "msg": "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
                }
            else:
                body = {"code": -1000, "msg": "An unknown error occurred while processing the request."}
            return web.json_response(body, status=status, headers=weight)
        try:
            response = await handler(request)
        except Refused as error:
            return web.json_response({"code": error.code, "msg": error.args[0]}, status=400, headers=weight)
        except NoSuchCall:
            raise web.HTTPNotFound from None
        response.headers.extend(weight)
        return response

    def _weigh(self) -> int:
        """Requests of this minute. They are told and not limited: 429 comes on command."""
        minute = int(time.time() // 60)
        self._weight = (minute, self._weight[1] + 1 if self._weight[0] == minute else 1)
        return self._weight[1]

    async def _rest(self, request: web.Request) -> web.Response:
        body = orjson.dumps(answer(self._market(request), request.match_info["call"], request.query))
        return web.Response(body=body, content_type="application/json")

    async def _info(self, request: web.Request) -> web.Response:
        market = self._market(request)
        return web.json_response(
            {
                "name": market.name, "mode": market.mode, "label": market.label, "source": market.source,
                "speed": market.speed, "time": int(market.now() * 1000), "symbols": list(market.symbols),
            }
        )  # fmt: skip

    async def _set_faults(self, request: web.Request) -> web.Response:
        if request.remote not in LOOPBACK:
            raise web.HTTPForbidden
        try:
            self.faults.change(await request.json())
        except (ValueError, AttributeError) as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return web.json_response({})

    async def _disconnect(self, request: web.Request) -> web.Response:
        if request.remote not in LOOPBACK:
            raise web.HTTPForbidden
        await self.disconnect()
        return web.json_response({})

    def _market(self, request: web.Request) -> Market:
        try:
            return self.markets[request.match_info["market"]]
        except KeyError:
            raise web.HTTPNotFound from None
