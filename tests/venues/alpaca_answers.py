"""What Alpaca answers to a request: its REST, spoken over an exchange. Whoever calls holds the exchange's lock."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.venues import alpaca_json as written
from tests.venues.exchange import Exchange, Refusal, Resting

SAID: Mapping[str, tuple[int, int, str]] = {
    "unknown-symbol": (422, 42210000, 'asset "{symbol}" not found'),
    "duplicate-id": (422, 40010001, "client_order_id must be unique"),
    "bad-quantity": (422, 42210000, "invalid qty for {symbol}"),
    "bad-price": (422, 42210000, "invalid limit_price. sub-penny increment does not fulfill minimum pricing criteria"),
    "below-minimum": (403, 40310000, "cost basis must be >= minimal amount of order 1"),
    "insufficient-funds": (403, 40310000, "insufficient buying power"),
    "market-closed": (422, 42210000, "orders are only allowed during market hours"),
}

Answer = tuple[int, Any]


class Said(Exception):
    """Alpaca's no."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.answer: Answer = (status, {"code": code, "message": message})


class AlpacaAnswers:
    """The books behind the requests of one account."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.account: dict[str, Any] = {}
        """Fields of the account that differ from the usual; None: not told."""
        self.tells_hours = True
        """Whether an activity that is no trade says when it was posted, or its day alone."""
        self._replaced: dict[int, int] = {}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes, skew: timedelta) -> Answer:
        try:
            return self._answer(method, path, query, body, skew)
        except Said as no:
            return no.answer

    def _answer(self, method: str, path: str, query: Mapping[str, str], body: bytes, skew: timedelta) -> Answer:
        order = re.fullmatch(r"/v2/orders/([0-9a-f-]{36})", path)
        routes: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "/v2/account"): lambda: (200, self._account()),
            ("GET", "/v2/clock"): lambda: (200, self._clock(skew)),
            ("GET", "/v2/positions"): lambda: (200, written.positions(self.exchange)),
            ("GET", "/v2/assets"): lambda: (200, self._assets(query)),
            ("GET", "/v2/account/activities"): lambda: (200, self._activities(query, None)),
            ("GET", "/v2/account/activities/FILL"): lambda: (200, self._activities(query, "FILL")),
            ("GET", "/v2/orders"): lambda: (200, self._orders(query)),
            ("GET", "/v2/orders:by_client_order_id"): lambda: (200, self._by_client_id(query)),
            ("POST", "/v2/orders"): lambda: (200, self._submit(json.loads(body))),
        }
        if order and method == "GET":
            return 200, self.whole(self._find(order[1]))
        if order and method == "DELETE":
            return self._cancel(self._find(order[1]))
        if order and method == "PATCH":
            return 200, self._replace(self._find(order[1]), json.loads(body))
        if (method, path) not in routes:
            raise Said(404, 40410000, "endpoint not found")
        return routes[method, path]()

    # -- questions -------------------------------------------------------------------------------------------------

    def _account(self) -> dict[str, Any]:
        usual = written.account(self.exchange) | {"daytrade_count": 0, "pattern_day_trader": False}
        return {name: value for name, value in (usual | self.account).items() if value is not None}

    def _clock(self, skew: timedelta) -> dict[str, Any]:
        at = self.exchange.clock() + skew
        opens, closes = at + timedelta(hours=18), at + timedelta(hours=2)
        told = {"timestamp": at, "next_open": opens, "next_close": closes}
        return {name: one.astimezone(written.NEW_YORK).isoformat() for name, one in told.items()} | {"is_open": True}

    def _assets(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        listed = [written.asset(one) for one in self.exchange.listed.values()]
        return [one for one in listed if query.get("asset_class") in {None, one["class"]}]

    def _orders(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        wanted = query.get("status", "open")
        found = [
            one for one in self.exchange.orders.values() if wanted == "all" or (one.status == "open") == (wanted == "open")
        ]
        if "after" in query:
            found = [one for one in found if one.created_at > datetime.fromisoformat(query["after"])]
        found.sort(key=lambda one: one.created_at, reverse=query.get("direction", "desc") == "desc")
        return [self.whole(one) for one in found[: int(query.get("limit", 50))]]

    def _by_client_id(self, query: Mapping[str, str]) -> dict[str, Any]:
        found = self.exchange.by_client_id(query["client_order_id"])
        if found is None:
            raise Said(404, 40410000, f"order not found for {query['client_order_id']}")
        return self.whole(found)

    def _activities(self, query: Mapping[str, str], kind: str | None) -> list[dict[str, Any]]:
        fills = [(one.at, written.fill(one)) for one in self.exchange.fills]
        flows = [(one[4], written.flow(one, hours=self.tells_hours)) for one in self.exchange.flows]
        if kind == "FILL" or query.get("category") == "trade_activity":
            flows = []
        if query.get("category") == "non_trade_activity":
            fills = []
        told = sorted(fills + flows, key=lambda one: one[0])
        if "after" in query:
            told = [one for one in told if one[0] > datetime.fromisoformat(query["after"])]
        if query.get("direction", "desc") == "desc":
            told.reverse()
        ids = [one["id"] for _, one in told]
        begin = ids.index(query["page_token"]) + 1 if "page_token" in query else 0
        return [one for _, one in told][begin : begin + int(query.get("page_size", 100))]

    def _find(self, order_id: str) -> Resting:
        for one in self.exchange.orders.values():
            if written.made("order", one.id) == order_id:
                return one
        raise Said(404, 40410000, f"order not found for {order_id}")

    def whole(self, one: Resting) -> dict[str, Any]:
        replaces = next((old for old, new in self._replaced.items() if new == one.id), None)
        return written.order(one, replaced_by=self._replaced.get(one.id), replaces=replaces)

    # -- changes ---------------------------------------------------------------------------------------------------

    def _submit(self, body: dict[str, Any]) -> dict[str, Any]:
        symbol, side, quantity = body["symbol"], body["side"], Decimal(body["qty"])
        held = self.exchange.positions[symbol]
        if written.is_coin(symbol):
            if body["time_in_force"] not in {"gtc", "ioc"}:
                raise Said(422, 42210000, "invalid crypto time_in_force")
            if body["type"] == "stop":
                raise Said(422, 42210000, "invalid order type for crypto order")
            if side == "sell" and quantity > held:
                said = f"insufficient balance for {symbol.partition('/')[0]} (requested: {quantity}, available: {held})"
                raise Said(403, 40310000, said)
        elif quantity % 1 and symbol in self.exchange.listed:
            if body["time_in_force"] != "day":
                raise Said(422, 42210000, "fractional orders must be DAY orders")
            if side == "sell" and quantity > held:
                raise Said(403, 40310000, "fractional orders cannot be sold short")
        closes = held > 0 if side == "sell" else held < 0
        inferred = f"{side}_to_{'close' if closes else 'open'}"
        if body.get("position_intent", inferred) != inferred:
            said = f"position intent mismatch, inferred: {inferred}, specified: {body['position_intent']}"
            raise Said(422, 42210000, said)
        return self.whole(self._take(body, symbol, side, body["type"].replace("_", "-"), quantity))

    def _take(self, body: Mapping[str, Any], symbol: str, side: str, type: str, quantity: Decimal) -> Resting:
        try:
            return self.exchange.submit(
                client_order_id=body["client_order_id"],
                symbol=symbol,
                side=side,
                type=type,
                quantity=quantity,
                limit_price=_price(body, "limit_price"),
                stop_price=_price(body, "stop_price"),
                time_in_force=body["time_in_force"],
            )
        except Refusal as no:
            status, code, said = SAID[no.code]
            raise Said(status, code, said.format(symbol=symbol)) from None

    def _cancel(self, one: Resting) -> Answer:
        if one.status != "open":
            raise Said(422, 42210000, f'order is already in "{self.whole(one)["status"]}" state')
        self.exchange.cancel(one)
        return 204, None

    def _replace(self, one: Resting, body: dict[str, Any]) -> dict[str, Any]:
        """The new order is taken before the old one ends: where it is refused, the old one stands."""
        if one.status != "open":
            raise Said(422, 42210000, f"cannot replace order in {self.whole(one)['status']} status")
        quantity = Decimal(body.get("qty", one.quantity))
        if quantity <= one.filled:
            raise Said(422, 42210000, "qty must be > filled_qty")
        usual = {"time_in_force": one.time_in_force, "client_order_id": secrets.token_hex(16)}
        usual |= {name: at for name in ("limit_price", "stop_price") if (at := getattr(one, name)) is not None}
        new = self._take(usual | body, one.symbol, one.side, one.type, quantity - one.filled)
        self._replaced[one.id] = new.id
        self.exchange.cancel(one)
        return self.whole(new)


def _price(body: Mapping[str, Any], name: str) -> Decimal | None:
    return Decimal(body[name]) if name in body else None
