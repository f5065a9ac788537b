"""A local venue that speaks the ProjectX Gateway's protocol: REST with session tokens here, the user hub in ``topstepx_hub``.

Written from the gateway's published reference, apart from the adapter: its own JSON, its own framing. pysignalr's client is
made to talk to it in the tests, so that the hub's protocol is not just ours.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, Final, Self

from aiohttp import web

from tests.venues.exchange import ZERO, Exchange, Execution, Listed, Refusal, Resting
from tests.venues.faults import Fault, Faults
from tests.venues.topstepx_hub import UserHub
from tests.venues.topstepx_json import write
from trading.brokers.protocol import Credentials, Endpoint
from trading.brokers.topstepx import TopstepXBroker

SYMBOL: Final = "CON.F.US.MNQ.Z25"
ACCOUNT: Final = 465

SIDES: Final = {0: "buy", 1: "sell"}
TYPES: Final = {1: "limit", 2: "market", 3: "stop-limit", 4: "stop"}
PLACEABLE: Final = {1, 2, 4}
STATUSES: Final = {"open": 1, "filled": 2, "cancelled": 3, "expired": 4, "rejected": 5}
REJECTIONS: Final = {
    "duplicate-id": (2, "Specified custom tag is already in use"),
    "bad-price": (2, "Invalid limit price. Price is not aligned to tick size."),
    "bad-quantity": (2, "Invalid order size specified."),
    "unknown-symbol": (8, None),
    "market-closed": (5, None),
    "insufficient-funds": (3, None),
}
CLOSED_MARKET: Final = "Trading is currently unavailable. The instrument is not in an active trading status."

Handler = Callable[[dict[str, Any]], dict[str, Any]]


def turned(name: str, mapping: Mapping[int, str]) -> int:
    return next(number for number, one in mapping.items() if one == name)


class TopstepXVenue:
    """See ``LocalVenue``.

    Parameters
    ----------
    wrapped : bool
        The hub puts {action, data} around a row, as it is seen to do in the field; documented is the row alone.
    """

    def __init__(
        self, *, wrapped: bool = True, fee_rate: Decimal = Decimal("0.00001"), multiplier: Decimal = Decimal(2)
    ) -> None:
        listed = Listed(SYMBOL, "MNQ", "USD", tick=Decimal("0.25"), lot=Decimal(1), min_notional=ZERO, multiplier=multiplier)
        self._exchange = Exchange(
            listed, money={"USD": Decimal(50_000)}, fee_rate=fee_rate, margin=True, holds_coins=False, unique_ids="ever"
        )
        self._exchange.move(SYMBOL, Decimal("21000.25"))
        self._faults = Faults()
        self._credentials = Credentials({"username": "trader", "key": "key-" + secrets.token_urlsafe(24)})
        self._key = self._credentials["key"]
        self.valid: set[str] = set()
        self.hub = UserHub(self.valid, self._faults, account=ACCOUNT, wrapped=wrapped)
        self._brokers: list[TopstepXBroker] = []
        self._later: list[asyncio.TimerHandle] = []
        self.tokens: list[str] = []  # all that were ever given out
        self.rejected: list[Resting] = []  # orders that exist at the venue only as refused; their tags stay taken
        self.voided: set[int] = set()
        self.accounts: list[dict[str, Any]] = []  # besides the one of the exchange, before it
        self.can_trade, self.simulated = True, True
        self.login_error = 0
        self.tagless = False  # the list of open orders comes without tags, as in the reference
        self.requests: list[str] = []
        self._answers: dict[str, tuple[str, Handler]] = {
            "/api/Account/search": ("ask", self._accounts),
            "/api/Contract/searchById": ("ask", self._contract),
            "/api/Order/place": ("submit", self._place),
            "/api/Order/cancel": ("cancel", self._cancel),
            "/api/Order/modify": ("replace", self._modify),
            "/api/Order/search": ("ask", self._orders),
            "/api/Order/searchOpen": ("ask", self._open_orders),
            "/api/Position/searchOpen": ("ask", self._positions),
            "/api/Trade/search": ("ask", self._trades),
        }

    # -- LocalVenue ------------------------------------------------------------------------------------------------

    @property
    def exchange(self) -> Exchange:
        return self._exchange

    @property
    def faults(self) -> Faults:
        return self._faults

    @property
    def credentials(self) -> Credentials:
        return self._credentials

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(is_paper=True, base_url=self._url, timeout=5.0)

    @property
    def symbol(self) -> str:
        return SYMBOL

    def broker(self, *, timeout: float | None = None, **credentials: str) -> TopstepXBroker:
        endpoint = self.endpoint if timeout is None else replace(self.endpoint, timeout=timeout)
        broker = TopstepXBroker(Credentials({**self._credentials.fields, **credentials}), endpoint)
        self._brokers.append(broker)
        return broker

    def revoke(self) -> None:
        self._key = ""
        self.expire()
        self._loop.call_soon_threadsafe(self.hub.hang_up)

    def expire(self) -> None:
        """The tokens that were given out are over; logging in gives new ones."""
        self.valid.clear()

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="topstepx-venue", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self._exchange.listeners.append(self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        self._exchange.listeners.remove(self._hear)
        for broker in self._brokers:
            broker.close()
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/Status/ping", self._ping)
        app.router.add_post("/api/Auth/loginKey", self._login)
        app.router.add_post("/api/{path:.*}", self._serve)
        app.router.add_post("/hubs/user/negotiate", self.hub.negotiate)
        app.router.add_get("/hubs/user", self.hub.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        for timer in self._later:
            timer.cancel()
        self.hub.hang_up()
        await self._runner.cleanup()

    # -- REST ------------------------------------------------------------------------------------------------------

    async def _login(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.login_error:
            return self._json({"token": None, **refused(self.login_error)})
        if (body.get("userName"), body.get("apiKey")) != (self._credentials["username"], self._key):
            return self._json({"token": None, **refused(3)})
        token = "eyJhbGciOiJIUzI1NiJ9." + secrets.token_urlsafe(32)
        self.tokens.append(token)
        self.valid.add(token)
        return self._json({"token": token, **success()})

    async def _ping(self, request: web.Request) -> web.Response:
        return await self._with_fault(request, "ask", lambda: web.json_response("pong"))

    async def _serve(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return web.Response(status=401)
        if request.path not in self._answers:
            return web.Response(status=404)
        operation, answer = self._answers[request.path]
        body = json.loads(await request.read(), parse_float=Decimal)
        return await self._with_fault(request, operation, lambda: self._json(self._carry_out(answer, body)))

    def _carry_out(self, answer: Handler, body: dict[str, Any]) -> dict[str, Any]:
        with self._exchange.lock:
            if body.get("accountId", ACCOUNT) != ACCOUNT:
                return refused(1)
            return answer(body)

    async def _with_fault(
        self, request: web.Request, operation: str, carry_out: Callable[[], web.Response]
    ) -> web.StreamResponse:
        fault = self._faults.take(operation)
        seconds = self._faults.seconds
        if fault is Fault.REVOKED:
            self.revoke()
            return web.Response(status=401)
        if fault is Fault.RATE_LIMIT:
            return web.Response(status=429, headers={"Retry-After": "7"})
        if fault is Fault.BROKEN:
            return web.Response(status=503, text="upstream")
        if fault is Fault.REJECT:
            code = {"submit": 2, "cancel": 3, "replace": 3}.get(operation)
            return (
                web.json_response({"title": "Bad Request"}, status=400)
                if code is None
                else self._json(refused(code, CLOSED_MARKET))
            )
        if fault is Fault.LATE:
            self._later.append(self._loop.call_later(seconds, carry_out))
        if fault in {Fault.LATE, Fault.LOST_REQUEST}:
            return self._break_off(request)
        response = carry_out()
        if fault is Fault.LOST_ANSWER:
            return self._break_off(request)
        if fault is Fault.BROKEN_AFTER:
            return web.Response(status=500, text="oops")
        if fault is Fault.SLOW:
            await asyncio.sleep(seconds)
        if fault is Fault.SKEWED:  # nothing is signed here: a clock that is wrong can only be read
            response.headers["Date"] = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        return response

    @staticmethod
    def _break_off(request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    @staticmethod
    def _json(data: dict[str, Any]) -> web.Response:
        return web.Response(text=write(data), content_type="application/json")

    def _accounts(self, body: dict[str, Any]) -> dict[str, Any]:
        mine = {
            "id": ACCOUNT,
            "name": "50KTC-V2-465",
            "balance": self._exchange.balances["USD"],
            "canTrade": self.can_trade,
            "isVisible": True,
            "simulated": self.simulated,
        }
        rows = [*self.accounts, mine]
        return {"accounts": [row for row in rows if row["canTrade"] or not body["onlyActiveAccounts"]], **success()}

    def _contract(self, body: dict[str, Any]) -> dict[str, Any]:
        one = self._exchange.listed.get(body["contractId"])
        if one is None:
            return {"contract": None, **refused(1)}
        row = {
            "id": one.symbol,
            "name": "MNQZ5",
            "description": "Micro E-mini Nasdaq-100: December 2025",
            "tickSize": one.tick,
            "tickValue": one.tick * one.multiplier,
            "activeContract": True,
            "symbolId": one.symbol.removeprefix("CON.").rpartition(".")[0],
        }
        return {"contract": row, **success()}

    def _place(self, body: dict[str, Any]) -> dict[str, Any]:
        tag = body.get("customTag") or ""
        if body["type"] not in PLACEABLE or body["side"] not in SIDES:
            return {"orderId": None, **refused(2, "Invalid order type specified.")}
        if any(one.client_order_id == tag for one in self.rejected):
            return {"orderId": None, **refused(*REJECTIONS["duplicate-id"])}
        order = {
            "client_order_id": tag,
            "symbol": body["contractId"],
            "side": SIDES[body["side"]],
            "type": TYPES[body["type"]],
            "quantity": Decimal(body["size"]),
            "limit_price": price(body, "limitPrice"),
            "stop_price": price(body, "stopPrice"),
        }
        try:
            taken = self._exchange.submit(**order)
        except Refusal as refusal:
            code, message = REJECTIONS[refusal.code]
            number = None
            if code == 2 and refusal.code != "duplicate-id":  # such an order is kept, and its tag with it
                at = self._exchange.clock()
                number = next(self._exchange._ids)
                kept = Resting(number, **order, time_in_force="gtc", reduce_only=False, created_at=at, updated_at=at)
                kept.status = "rejected"
                self.rejected.append(kept)
            return {"orderId": number, **refused(code, message)}
        return {"orderId": taken.id, **success()}

    def _cancel(self, body: dict[str, Any]) -> dict[str, Any]:
        if not self.simulated:
            return refused(6, "Live accounts not supported")
        order = self._exchange.orders.get(body["orderId"])
        if order is None:
            return refused(2)
        try:
            self._exchange.cancel(order)
        except Refusal:
            return refused(3)
        return success()

    def _modify(self, body: dict[str, Any]) -> dict[str, Any]:
        order = self._exchange.orders.get(body["orderId"])
        if order is None:
            return refused(2)
        size, limit, stop = Decimal(body["size"]), price(body, "limitPrice"), price(body, "stopPrice")
        tick = self._exchange.listed[order.symbol].tick
        if order.status != "open" or size <= order.filled:
            return refused(3)
        if any(one is not None and (one <= 0 or one % tick) for one in (limit, stop)):
            return refused(3, REJECTIONS["bad-price"][1])
        order.quantity = size
        order.limit_price = limit if limit is not None else order.limit_price
        order.stop_price = stop if stop is not None else order.stop_price
        order.updated_at = self._exchange.clock()
        self._exchange._tell(order, None)
        self._exchange._match(order, arriving=True)
        return success()

    def _orders(self, body: dict[str, Any]) -> dict[str, Any]:
        since = datetime.fromisoformat(body["startTimestamp"])
        every = sorted([*self._exchange.orders.values(), *self.rejected], key=lambda one: one.id)
        return {"orders": [order_row(one) for one in every if one.created_at >= since], **success()}

    def _open_orders(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = [order_row(one) for one in self._exchange.open_orders()]
        if self.tagless:
            rows = [{name: value for name, value in row.items() if name != "customTag"} for row in rows]
        return {"orders": rows, **success()}

    def _positions(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = []
        for number, (symbol, held) in enumerate(self._exchange.positions.items(), start=6124):
            if held:
                worth = held * self._exchange.listed[symbol].multiplier
                rows.append(
                    {
                        "id": number,
                        "accountId": ACCOUNT,
                        "contractId": symbol,
                        "creationTimestamp": stamp(self._exchange.clock()),
                        "type": 1 if held > 0 else 2,
                        "size": int(abs(held)),
                        "averagePrice": self._exchange.entry_cost[symbol] / worth,
                    }
                )
        return {"positions": rows, **success()}

    def _trades(self, body: dict[str, Any]) -> dict[str, Any]:
        since = datetime.fromisoformat(body["startTimestamp"])
        newest_first = reversed([one for one in self._exchange.fills if one.at >= since])
        return {"trades": [self.trade_row(one) for one in newest_first], **success()}

    def trade_row(self, fill: Execution) -> dict[str, Any]:
        return {
            "id": fill.id,
            "accountId": ACCOUNT,
            "contractId": fill.order.symbol,
            "creationTimestamp": stamp(fill.at),
            "price": fill.price,
            "profitAndLoss": None,  # a half-turn
            "fees": fill.fee,
            "side": turned(fill.order.side, SIDES),
            "size": int(fill.quantity),
            "voided": fill.id in self.voided,
            "orderId": fill.order.id,
        }

    def _hear(self, order: Resting, execution: Execution | None) -> None:
        """Called by the exchange, in the thread of whoever moves it; the server's own thread tells it on."""
        if execution is not None:
            self.tell("GatewayUserTrade", self.trade_row(execution))
        self.tell("GatewayUserOrder", order_row(order))

    def tell(self, event: str, row: dict[str, Any]) -> None:
        self._loop.call_soon_threadsafe(self.hub.publish, event, row)

    def say_close(self) -> None:
        self._loop.call_soon_threadsafe(self.hub.say_close)


def success() -> dict[str, Any]:
    return {"success": True, "errorCode": 0, "errorMessage": None}


def refused(code: int, message: str | None = None) -> dict[str, Any]:
    return {"success": False, "errorCode": code, "errorMessage": message}


def price(body: dict[str, Any], name: str) -> Decimal | None:
    return None if body.get(name) is None else Decimal(body[name])


def stamp(at: datetime) -> str:
    return at.isoformat()


def order_row(order: Resting) -> dict[str, Any]:
    return {
        "id": order.id,
        "accountId": ACCOUNT,
        "contractId": order.symbol,
        "symbolId": order.symbol.removeprefix("CON.").rpartition(".")[0],
        "creationTimestamp": stamp(order.created_at),
        "updateTimestamp": stamp(order.updated_at),
        "status": STATUSES[order.status],
        "type": turned(order.type, TYPES),
        "side": turned(order.side, SIDES),
        "size": int(order.quantity),
        "limitPrice": order.limit_price,
        "stopPrice": order.stop_price,
        "fillVolume": int(order.filled),
        "filledPrice": order.average_price,
        "customTag": order.client_order_id or None,
    }
