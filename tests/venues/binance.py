"""Binance's private protocol, spot and USDⓈ-M futures, over ``Exchange``: what a client library of Binance's really talks to.

Signatures, timestamps, receive windows and API keys are checked; parameters that an address does not know are refused.
Source: developers.binance.com, "Request Security", "User Data Streams", "Errors", and the same of USDⓈ-M futures.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self
from urllib.parse import parse_qsl
from weakref import WeakKeyDictionary

from aiohttp import WSMsgType, web

from tests.venues import binance_messages as shapes
from tests.venues.binance_answers import FUTURES_WORDS, SPOT_WORDS, Answers, Problem
from tests.venues.exchange import Exchange, Execution, Listed, Refusal, Resting
from tests.venues.faults import Fault, Faults, StreamFault
from trading.brokers.ccxt import CcxtBroker
from trading.brokers.protocol import Credentials, Endpoint

OPERATIONS: Final = {("POST", "order"): "submit", ("DELETE", "order"): "cancel", ("POST", "order/cancelReplace"): "replace"}


class BinanceVenue:
    """One account. ``market`` is "spot" or "perpetual"."""

    def __init__(self, market: str = "spot", *, may_withdraw: bool = False, timeout: float = 1.0) -> None:
        self.market = market
        self.perpetual = market == "perpetual"
        lot = Decimal("0.001") if self.perpetual else Decimal("0.00001")
        self.exchange = Exchange(
            Listed("BTCUSDT", "BTC", "USDT", tick=Decimal("0.01"), lot=lot),
            Listed("ETHUSDT", "ETH", "USDT", tick=Decimal("0.01"), lot=lot),
            money={"USDT": Decimal(100_000)} | ({} if self.perpetual else {"BTC": Decimal(1)}),
            fee_in_base=not self.perpetual,
            margin=self.perpetual,
            holds_coins=not self.perpetual,
            unique_ids="open",
            clock=self.now,
        )
        self.symbol = "BTCUSDT"
        self.exchange.prices |= {"BTCUSDT": Decimal(50_000), "ETHUSDT": Decimal(2_000)}
        self.exchange.listeners.append(self._told)
        self.faults = Faults()
        self.credentials = Credentials({"api_key": secrets.token_urlsafe(48), "secret": secrets.token_urlsafe(48)})
        self.skew = timedelta(0)
        self.revoked = False
        self.requests: list[tuple[str, str, dict[str, str]]] = []  # method, path, parameters: every one that came
        self._timeout = timeout
        self.answers = Answers(self.exchange, perpetual=self.perpetual, may_withdraw=may_withdraw)
        self._answers = self.answers.table()
        if self.perpetual:
            self._answers |= {(method, "fapi/v1/listenKey"): self._listen_key for method in ("POST", "PUT")}
        self.listen_keys: set[str] = set()
        self.streams: set[web.WebSocketResponse] = set()  # those that are subscribed to the account
        self._ready: WeakKeyDictionary[web.WebSocketResponse, asyncio.Event] = WeakKeyDictionary()
        self._held: list[dict[str, Any]] = []
        self._late: set[asyncio.Task[Any]] = set()
        self._brokers: list[CcxtBroker] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    # -- for tests -------------------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(is_paper=True, market=self.market, base_url=f"http://127.0.0.1:{self._port}", timeout=self._timeout)

    def broker(self, *, timeout: float | None = None) -> CcxtBroker:
        endpoint = Endpoint(True, self.market, self.endpoint.base_url, timeout or self._timeout)
        broker = CcxtBroker("binance", self.credentials, endpoint)
        self._brokers.append(broker)
        broker.server_time()
        return broker

    def revoke(self) -> None:
        self.revoked = True
        event = {"e": "listenKeyExpired" if self.perpetual else "eventStreamTerminated", "E": shapes.ms(self.now())}
        self.loop.call_soon_threadsafe(self._send, event)

    @property
    def listeners(self) -> int:
        """How many account streams are open."""
        return len(self.streams)

    def __enter__(self) -> Self:
        started = threading.Event()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="binance", daemon=True)
        self._thread.start()
        assert started.wait(10), "the venue did not start"
        return self

    def __exit__(self, *error: object) -> None:
        for broker in self._brokers:
            broker.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        app = web.Application()
        app.router.add_get("/ws-api/v3", self._websocket_api)
        app.router.add_get("/private/ws", self._futures_stream)
        app.router.add_route("*", "/{path:.*}", self._request)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self.loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self.loop.run_until_complete(site.start())
        self._port = runner.addresses[0][1]
        started.set()
        self.loop.run_forever()
        for task in self._late:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*self._late, return_exceptions=True))
        self.loop.run_until_complete(runner.cleanup())
        self.loop.close()

    # -- REST ------------------------------------------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.StreamResponse:
        text = "&".join(part for part in (request.rel_url.raw_query_string, await request.text()) if part)
        params = dict(parse_qsl(text, keep_blank_values=True))
        prefix, _, path = request.path.strip("/").partition("/")
        version, _, path = path.partition("/")
        self.requests.append((request.method, request.path, params))
        try:
            public = self._public(f"{prefix}/{path}", params)
            if public is not None:
                return web.json_response(public)
            operation = OPERATIONS.get((request.method, path), "ask")
            return await self._with_fault(
                request, operation, lambda: self._private(request, prefix, path, version, params, text)
            )
        except Problem as problem:
            return problem.answer()

    async def _with_fault(self, request: web.Request, operation: str, act: Callable[[], Any]) -> web.StreamResponse:
        fault = self.faults.take(operation)
        match fault:
            case Fault.LOST_REQUEST:
                return self._hang_up(request)
            case Fault.LOST_ANSWER:
                self._answer(act)
                return self._hang_up(request)
            case Fault.SLOW:
                told = self._answer(act)
                await asyncio.sleep(self.faults.seconds)
                return told
            case Fault.LATE:
                task = asyncio.ensure_future(self._do_later(act))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                return self._hang_up(request)
            case Fault.REJECT:
                if operation == "cancel":
                    raise Problem(-2011, "Unknown order sent.")
                raise Problem(-2010, "This action is disabled on this account.")
            case Fault.RATE_LIMIT:
                raise Problem(-1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.", 429)
            case Fault.BROKEN:
                return web.Response(status=503, text="<html><body>503 Service Unavailable</body></html>")
            case Fault.BROKEN_AFTER:
                self._answer(act)
                return web.Response(status=502, text="<html><body>502 Bad Gateway</body></html>")
            case Fault.SKEWED:
                # Less than the receive window would not be noticed.
                self.skew = timedelta(seconds=max(self.faults.seconds, 30))
            case Fault.REVOKED:
                raise Problem(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return self._answer(act)

    @staticmethod
    def _answer(act: Callable[[], Any]) -> web.Response:
        try:
            return web.json_response(act())
        except Problem as problem:
            return problem.answer()

    async def _do_later(self, act: Callable[[], Any]) -> None:
        await asyncio.sleep(self.faults.seconds)
        self._answer(act)

    @staticmethod
    def _hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _public(self, path: str, params: dict[str, str]) -> Any:
        if path in {"api/time", "fapi/time"}:
            return {"serverTime": shapes.ms(self.now())}
        if path in {"api/exchangeInfo", "fapi/exchangeInfo"}:
            listed = [shapes.instrument(one, perpetual=path.startswith("fapi")) for one in self.exchange.listed.values()]
            return {"timezone": "UTC", "serverTime": shapes.ms(self.now()), "rateLimits": [], "symbols": listed}
        return None

    def _private(self, request: web.Request, prefix: str, path: str, version: str, params: dict[str, str], text: str) -> Any:
        if request.headers.get("X-MBX-APIKEY") != self.credentials["api_key"] or self.revoked:
            raise Problem(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if path != "listenKey":
            self._check_signature(params, re.sub(r"&?signature=[^&]*", "", text))
            self._check_time(params)
        asked = {name: value for name, value in params.items() if name not in {"timestamp", "recvWindow", "signature"}}
        answer = self._answers.get((request.method, f"{prefix}/{version}/{path}"))
        if answer is None:
            raise Problem(-5000, f"Path {request.path}, Method {request.method} is invalid", 404)
        try:
            with self.exchange.lock:
                return answer(asked)
        except Refusal as refusal:
            raise Problem(*(FUTURES_WORDS if self.perpetual else SPOT_WORDS)[refusal.code]) from None

    def _check_signature(self, params: dict[str, str], signed: str) -> None:
        if "signature" not in params:
            raise Problem(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
        right = hmac.new(self.credentials["secret"].encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, params["signature"]):
            raise Problem(-1022, "Signature for this request is not valid.")

    def _check_time(self, params: dict[str, str]) -> None:
        now, sent, window = shapes.ms(self.now()), int(params["timestamp"]), int(params.get("recvWindow", "5000"))
        if sent > now + 1000:
            raise Problem(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - sent > window:
            raise Problem(-1021, "Timestamp for this request is outside of the recvWindow.")

    # -- the account stream ----------------------------------------------------------------------------------------

    def _listen_key(self, asked: dict[str, str]) -> dict[str, str]:
        if not self.listen_keys:
            self.listen_keys.add(secrets.token_hex(32))
        return {"listenKey": next(iter(self.listen_keys))}

    async def _websocket_api(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await socket.send_json(self._subscribe(socket, json.loads(message.data)))
        finally:
            self.streams.discard(socket)
        return socket

    def _subscribe(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> dict[str, Any]:
        params = {name: str(value) for name, value in asked["params"].items()}
        try:
            if asked["method"] != "userDataStream.subscribe.signature":
                raise Problem(-1000, "Unknown method.")
            if params["apiKey"] != self.credentials["api_key"] or self.revoked:
                raise Problem(-2015, "Invalid API-key, IP, or permissions for action.", 401)
            signed = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
            self._check_signature(params, signed)
            self._check_time(params)
        except Problem as problem:
            error = {"code": problem.code, "msg": problem.message}
            return {"id": asked["id"], "status": problem.status, "error": error, "rateLimits": []}
        self.streams.add(socket)
        return {"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}, "rateLimits": []}

    async def _futures_stream(self, request: web.Request) -> web.WebSocketResponse:
        if request.query.get("listenKey") not in self.listen_keys:
            raise web.HTTPUnauthorized
        socket = web.WebSocketResponse()
        # From before the client knows that it is connected: nothing may be lost between the two.
        self.streams.add(socket)
        self._ready[socket] = asyncio.Event()
        try:
            await socket.prepare(request)
            self._ready[socket].set()
            async for _ in socket:
                pass
        finally:
            self.streams.discard(socket)
        return socket

    def _told(self, order: Resting, execution: Execution | None) -> None:
        """The exchange's listener: called with its lock held, so that what is told is how it was at that moment."""
        at = self.now()
        if self.perpetual:
            told = [shapes.order_trade_update(order, execution, at)]
            told += [shapes.account_update(self.exchange, order.symbol, at)] if execution else []
        else:
            told = [shapes.execution_report(order, execution, at), shapes.account_position(self.exchange, order.symbol, at)]
        self.loop.call_soon_threadsafe(self._tell, *told)

    def _tell(self, report: dict[str, Any], *wallet: dict[str, Any]) -> None:
        if not self.streams:
            return
        match self.faults.take_stream():
            case StreamFault.DROP:
                pass
            case StreamFault.DUPLICATE:
                self._send(report, report)
            case StreamFault.REORDER:
                self._held.append(report)
                return
            case StreamFault.DISCONNECT:
                for socket in tuple(self.streams):
                    self.streams.discard(socket)
                    self._later(socket.close())
                return
            case _:
                self._send(report)
        held, self._held = self._held, []
        self._send(*held, *wallet)

    def _send(self, *events: dict[str, Any]) -> None:
        for socket in tuple(self.streams):
            for event in events:
                told = event if self.perpetual else {"subscriptionId": 0, "event": event}
                self._later(self._deliver(socket, told))

    async def _deliver(self, socket: web.WebSocketResponse, told: dict[str, Any]) -> None:
        if socket in self._ready:
            await self._ready[socket].wait()
        with suppress(ConnectionError):  # who went away is not told
            await socket.send_json(told)

    def _later(self, act: Any) -> None:
        task = asyncio.ensure_future(act)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
