"""Alpaca on this machine: its REST and its account stream, spoken over an exchange."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from aiohttp import WSMsgType, web

from tests.venues import alpaca_json as written
from tests.venues.alpaca_answers import AlpacaAnswers, Answer, Said
from tests.venues.exchange import Exchange, Execution, Listed, Resting
from tests.venues.faults import Fault, Faults, StreamFault
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.protocol import Credentials, Endpoint

OPERATIONS = {"POST": "submit", "DELETE": "cancel", "PATCH": "replace"}

REJECTIONS = {
    "submit": (403, 40310000, "insufficient buying power"),
    "cancel": (422, 42210000, "order is not cancelable"),
    "replace": (422, 42210000, "order parameters are not changed"),
    "ask": (422, 40010001, "the question cannot be read"),
}


class AlpacaVenue:
    """Shares, a share that may be bought in parts, and a coin pair; USD; paper. See ``tests.venues.venue.LocalVenue``."""

    symbol = "AAPL"
    fractional = "SPY"
    coin = "BTC/USD"

    def __init__(self) -> None:
        self.exchange = Exchange(
            Listed(self.symbol, "AAPL", "USD", lot=Decimal(1), min_notional=Decimal(1)),
            Listed(self.fractional, "SPY", "USD", lot=Decimal("0.000000001"), min_notional=Decimal(1)),
            Listed(self.coin, "BTC", "USD", lot=Decimal("0.000000001"), min_notional=Decimal(10)),
            money={"USD": Decimal(100000)},
            fee_rate=Decimal(0),
            shorts=True,
            holds_coins=False,
            unique_ids="ever",
        )
        for symbol, price in ((self.symbol, 200), (self.fractional, 500), (self.coin, 60000)):
            self.exchange.move(symbol, Decimal(price))
        self.exchange.listeners.append(self._happened)
        self.answers = AlpacaAnswers(self.exchange)
        self.faults = Faults()
        self.credentials = Credentials({"key": f"PK{secrets.token_hex(9).upper()}", "secret": secrets.token_urlsafe(30)})
        self.requests: list[tuple[str, str]] = []
        """What reached the server, in order: method and path."""
        self.rate_limit = {"Retry-After": "7"}
        """What the headers of a 429 say."""
        self._revoked = False
        self._sockets: set[web.WebSocketResponse] = set()
        self._kept: list[dict[str, Any]] = []
        self._late: set[asyncio.Task[None]] = set()
        self._brokers: list[AlpacaBroker] = []
        self._ready = threading.Event()

    # -- the server ------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        for broker in self._brokers:
            broker.close()
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(is_paper=True, base_url=f"http://127.0.0.1:{self._port}", timeout=5.0)

    def broker(self, *, timeout: float | None = None) -> AlpacaBroker:
        endpoint = self.endpoint if timeout is None else replace(self.endpoint, timeout=timeout)
        self._brokers.append(AlpacaBroker(self.credentials, endpoint))
        return self._brokers[-1]

    def revoke(self) -> None:
        self._revoked = True
        refusal = {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}
        self._loop.call_soon_threadsafe(lambda: self._keep(self._end(refusal)))

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        app = web.Application()
        app.router.add_get("/stream", self._stream)
        app.router.add_route("*", "/{path:.*}", self._request)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._port = runner.addresses[0][1]
        self._keep(self._publish())
        self._ready.set()
        await self._over.wait()
        for task in list(self._late):
            task.cancel()
        for socket in list(self._sockets):
            await socket.close()
        await runner.cleanup()

    def _keep(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    # -- requests --------------------------------------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.path))
        operation = OPERATIONS.get(request.method, "ask")
        fault = self.faults.take(operation)

        def carry_out(offset: float = 0.0) -> Answer:
            with self.exchange.lock:
                return self.answers.answer(request.method, request.path, request.query, body, timedelta(seconds=offset))

        async def later() -> None:
            await asyncio.sleep(self.faults.seconds)
            carry_out()

        if fault is Fault.LOST_REQUEST:
            return self._hang_up(request)
        sent = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if fault is Fault.REVOKED or not self._accepts(*sent):
            return _told((401, {"code": 40110000, "message": "request is not authorized"}))
        if fault is Fault.RATE_LIMIT:
            return _told((429, {"code": 42910000, "message": "rate limit exceeded"}), self.rate_limit)
        if fault is Fault.REJECT:
            return _told(Said(*REJECTIONS[operation]).answer)
        if fault is Fault.BROKEN:
            return _told((500, {"code": 50010000, "message": "internal server error occurred"}))
        if fault is Fault.LATE:
            self._keep(later())
            return self._hang_up(request)
        answer = carry_out(self.faults.seconds if fault is Fault.SKEWED else 0.0)
        if fault is Fault.LOST_ANSWER:
            return self._hang_up(request)
        if fault is Fault.BROKEN_AFTER:
            return web.Response(status=504, text="<html>Gateway Time-out</html>", content_type="text/html")
        if fault is Fault.SLOW:
            await asyncio.sleep(self.faults.seconds)
        return _told(answer)

    @staticmethod
    def _hang_up(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _accepts(self, key: str | None, secret: str | None) -> bool:
        return not self._revoked and (key, secret) == (self.credentials["key"], self.credentials["secret"])

    # -- the account stream ----------------------------------------------------------------------------------------

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        authorized = False
        async for frame in socket:
            if frame.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                continue
            message = json.loads(frame.data)
            if message["action"] == "auth":
                authorized = self._accepts(message.get("key"), message.get("secret"))
                await _send(
                    socket, "authorization", status="authorized" if authorized else "unauthorized", action="authenticate"
                )
            elif message["action"] == "listen" and authorized:
                streams = [one for one in message["data"]["streams"] if one == "trade_updates"]
                self._sockets.add(socket)
                await _send(socket, "listening", streams=streams)
            else:
                await _send(socket, "authorization", status="unauthorized", action="listen")
        self._sockets.discard(socket)
        return socket

    def _happened(self, one: Resting, execution: Execution | None) -> None:
        """Told by the exchange, in whoever's thread it works."""
        whole = self.answers.whole(one)
        if execution is not None:
            event = "fill" if one.status == "filled" else "partial_fill"
        else:
            event = "new" if one.status == "open" else whole["status"]
        held = self.exchange.positions[one.symbol]
        message = written.update(event, whole, one.updated_at, execution, held)
        self._loop.call_soon_threadsafe(self._outgoing.put_nowait, message)

    async def _publish(self) -> None:
        while True:
            message = await self._outgoing.get()
            if not self._sockets:
                continue
            fault = self.faults.take_stream()
            if fault is StreamFault.DROP:
                continue
            if fault is StreamFault.REORDER:
                self._kept.append(message)
                continue
            if fault is StreamFault.DISCONNECT:
                await self._end(None)
                continue
            waiting, self._kept = self._kept, []
            for one in [message, *([message] if fault is StreamFault.DUPLICATE else []), *waiting]:
                for socket in list(self._sockets):
                    await socket.send_bytes(json.dumps(one).encode())

    async def _end(self, last: dict[str, Any] | None) -> None:
        for socket in list(self._sockets):
            if last is not None:
                await socket.send_bytes(json.dumps(last).encode())
            await socket.close()


def _told(answer: Answer, headers: Mapping[str, str] | None = None) -> web.Response:
    status, body = answer
    if body is None:
        return web.Response(status=status)
    return web.json_response(body, status=status, headers=headers)


async def _send(socket: web.WebSocketResponse, stream: str, **data: Any) -> None:
    await socket.send_bytes(json.dumps({"stream": stream, "data": data}).encode())
