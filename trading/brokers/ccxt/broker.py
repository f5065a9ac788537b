"""A ``Broker`` for every exchange that ccxt can trade on: spot and linear perpetuals.

What ccxt evens out is used as it is; what it does not is in ``dialects``. The one thing that ccxt does not tell is what an
error proves, which is most of the work here: see ``errors``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import ccxt

from trading.brokers.ccxt import accounts, history
from trading.brokers.ccxt.calls import Calls
from trading.brokers.ccxt.codes import REFUSALS, SENTENCES, Verdict
from trading.brokers.ccxt.dialects import Dialect, Lookup, dialect
from trading.brokers.ccxt.errors import judge
from trading.brokers.ccxt.stream import listen
from trading.brokers.ccxt.values import decimal, fill_of, moment, order_of
from trading.brokers.ccxt.wire import Answer, rest_client
from trading.brokers.protocol import (
    Balance,
    BrokerError,
    Capabilities,
    Credentials,
    Endpoint,
    NotSent,
    OrderKey,
    OrderRequest,
    OutcomeUnknown,
    Permissions,
    Refused,
    State,
    TimeInForce,
    Type,
    Unavailable,
    Update,
    VenueFill,
    VenueFlow,
    VenueOrder,
    VenuePosition,
)

Result = TypeVar("Result")


class CcxtBroker:
    """One account at one exchange.

    Parameters
    ----------
    exchange_id : str
        ccxt's name of it, such as "binance".
    credentials : Credentials
        ``api_key``, ``secret`` and, where the exchange has one, ``passphrase``.
    endpoint : Endpoint
        ``base_url`` takes the place of the host in every address of the exchange.

    Raises
    ------
    Refused
        ``trading-disabled`` where a paper account is asked for at an exchange that has no test environment.
    """

    def __init__(self, exchange_id: str, credentials: Credentials, endpoint: Endpoint) -> None:
        self._exchange_id, self._credentials, self._endpoint = exchange_id, credentials, endpoint
        self._dialect: Dialect = dialect(exchange_id)
        self._client: Any = rest_client(exchange_id, credentials, endpoint, self._dialect)
        self._calls = Calls(self._client, self._dialect, endpoint)
        self._is_perpetual = endpoint.market == "perpetual"

    @property
    def capabilities(self) -> Capabilities:
        rules = self._dialect
        return Capabilities(
            order_types=rules.perpetual_types if self._is_perpetual else rules.order_types,
            time_in_force=rules.time_in_force,
            valid_for=rules.valid_for,
            replaces=rules.replaces_spot and not self._is_perpetual,
            asks_by_client_id=rules.lookup is not Lookup.SEARCH,
            unique_ids=rules.unique_ids,
            streams=rules.streams,
            shorts=self._is_perpetual,
            margin_wallet=self._is_perpetual,
            holds_coins=not self._is_perpetual,
            longest_client_id=rules.longest_client_id,
        )

    # -- changing --------------------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> VenueOrder:
        def act() -> VenueOrder:
            market = self._market(request.symbol)
            self._check(request, market)
            params = self._order_params(request)
            params[self._dialect.submit_id] = request.client_order_id
            if request.stop_price is not None:
                # Not ccxt's "triggerPrice": its side of the market depends on the exchange.
                params["stopLossPrice"] = _text(request.stop_price)
            if self._dialect.base_sized_market and request.type is Type.MARKET:
                params["order_configuration"] = {"market_market_ioc": {"base_size": _text(request.quantity)}}
                params["createMarketBuyOrderRequiresPrice"] = False
            self._client.must_carry = request.client_order_id
            told = self._client.create_order(
                market["symbol"],
                _kind(request),
                request.side.value,
                _text(request.quantity),
                _text(request.limit_price),
                params,
            )
            return self._order(told, request.symbol, request=request, client_order_id=request.client_order_id)

        return self._calls.change(act)

    def cancel(self, key: OrderKey) -> VenueOrder | None:
        by_client_id = self._dialect.cancels_by_client_id and not key.venue_order_id
        if not by_client_id and not key.venue_order_id:
            key = self._with_venue_id(key)

        def act() -> VenueOrder | None:
            market = self._market(key.symbol)
            params = {self._dialect.ask_id: key.client_order_id} if by_client_id else {}
            told = self._client.cancel_order(None if by_client_id else key.venue_order_id, market["symbol"], params)
            if not told.get("status") or decimal(told.get("amount")) is None:
                return None  # the venue said yes and no more
            return self._order(told, key.symbol, client_order_id=key.client_order_id)

        return self._calls.change(act)

    def replace(self, key: OrderKey, request: OrderRequest) -> VenueOrder:
        """Where the old order was cancelled and the new one refused, the answer is the new one as rejected."""
        if not self.capabilities.replaces:
            raise Refused(Verdict.REFUSED, "This venue does not replace orders.")

        def act() -> VenueOrder:
            market = self._market(request.symbol)
            self._check(request, market)
            params = self._order_params(request) | {"newClientOrderId": request.client_order_id}
            if request.stop_price is not None:
                params["stopPrice"] = _text(request.stop_price)
            if not key.venue_order_id:
                params["cancelOrigClientOrderId"] = key.client_order_id
            failed: Exception | None = None
            self._client.must_carry = request.client_order_id
            try:
                told = self._client.edit_order(
                    key.venue_order_id or None, market["symbol"], _kind(request), request.side.value,
                    _text(request.quantity), _text(request.limit_price), params,
                )  # fmt: skip
            except ccxt.BaseError as caught:
                failed = caught
            if failed is None:
                return self._order(told, request.symbol, request=request, client_order_id=request.client_order_id)
            half = self._half_replaced(request)
            if half is None:
                raise failed
            return half

        return self._calls.change(act)

    def _half_replaced(self, request: OrderRequest) -> VenueOrder | None:
        """Binance answers for both halves. None: it did not, and the error says all."""
        answer = self._client.answer
        told = answer.json.get("data") if answer is not None else None
        if not isinstance(told, dict):
            return None
        if told.get("cancelResult") == "FAILURE" and told.get("newOrderResult") == "NOT_ATTEMPTED":
            raise Refused(Verdict.NOT_OPEN, SENTENCES[Verdict.NOT_OPEN])
        if told.get("cancelResult") == "SUCCESS" and told.get("newOrderResult") == "FAILURE":
            said = json.dumps(told.get("newOrderResponse"))
            verdict = self._refusal(Answer(answer.status, {}, said))
            return VenueOrder(
                request.client_order_id, "", request.symbol, request.side, request.type, request.quantity, Decimal(0),
                State.REJECTED, self._calls.now(), request.limit_price, request.stop_price,
                reason=SENTENCES[verdict], code=verdict.value,
            )  # fmt: skip
        raise OutcomeUnknown(SENTENCES[Verdict.UNKNOWN])

    def _refusal(self, answer: Answer) -> Verdict:
        """Why the second half was refused: that it was is known already."""
        verdict = judge(ccxt.ExchangeError(), answer, True, self._dialect)
        return verdict if verdict in REFUSALS else Verdict.REFUSED

    # -- asking ----------------------------------------------------------------------------------------------------

    def permissions(self) -> Permissions:
        paper = self._endpoint.is_paper
        return self._calls.ask(lambda: accounts.permissions_of(self._client, is_perpetual=self._is_perpetual, is_paper=paper))

    def server_time(self) -> datetime:
        def act() -> datetime:
            told = moment(self._client.fetch_time())
            if told is None:
                raise Unavailable("The venue does not tell its time.")
            return told

        return self._calls.ask(act)

    def order(self, key: OrderKey) -> VenueOrder | None:
        def act() -> VenueOrder | None:
            told = self._find(key)
            if told is None or not told.get("id"):  # some answer "none" with an empty order
                return None
            return self._order(told, key.symbol, client_order_id=key.client_order_id)

        return self._calls.ask(act, missing_is_none=True)

    def open_orders(self) -> list[VenueOrder]:
        def act() -> list[VenueOrder]:
            known = self._client.markets
            told = [one for one in self._client.fetch_open_orders() if one["symbol"] in known]
            return [self._order(one, known[one["symbol"]]["id"]) for one in told]

        return self._calls.ask(act)

    def fills_since(self, since: datetime, symbols: Sequence[str]) -> list[VenueFill]:
        rules = self._dialect
        window = timedelta(days=7) if self._exchange_id == "binance" and self._is_perpetual else rules.fill_window

        # The venue counts milliseconds: what happened within this one is not before it.
        since = since.replace(microsecond=since.microsecond // 1000 * 1000)

        def act() -> list[VenueFill]:
            found: list[VenueFill] = []
            # Half a minute ahead of the venue's clock, as ours may be behind it.
            now = self._calls.now() + timedelta(seconds=30)
            for symbol in dict.fromkeys(symbols) if rules.fills_need_symbol else (None,):
                unified = self._market(symbol)["symbol"] if symbol is not None else None
                told = history.pages(
                    lambda first, params, unified=unified: self._client.fetch_my_trades(  # type: ignore[misc]
                        unified, first, rules.fill_page, params
                    ),
                    since, now, window=window, newest_first=rules.newest_first,
                )  # fmt: skip
                fills = [fill_of(one, symbol=self._client.market(one["symbol"])["id"], client_id_field="") for one in told]
                found += [one for one in fills if one is not None and one.time >= since]
            return sorted(found, key=lambda one: (one.time, one.venue_fill_id))

        return self._calls.ask(act)

    def positions(self) -> list[VenuePosition]:
        if not self._is_perpetual:
            return []
        return self._calls.ask(lambda: accounts.positions_of(self._client))

    def balances(self) -> list[Balance]:
        return self._calls.ask(lambda: accounts.balances_of(self._client, is_perpetual=self._is_perpetual))

    def flows_since(self, since: datetime) -> list[VenueFlow]:
        return self._calls.ask(lambda: history.flows(self._client, since, self._calls.now(), is_perpetual=self._is_perpetual))

    def updates(self) -> AsyncGenerator[Update, None]:
        """Whoever stops before it ends closes it (``contextlib.aclosing``): there is a connection in it."""
        return listen(self._exchange_id, self._credentials, self._endpoint, self._dialect, self._calls.loaded)

    def close(self) -> None:
        self._calls.close()

    # -- how ---------------------------------------------------------------------------------------------------------

    def _market(self, symbol: str) -> Any:
        kind = "swap" if self._is_perpetual else "spot"
        for one in (self._client.markets_by_id or {}).get(symbol, ()):
            if one["type"] == kind:
                return one
        raise Refused(Verdict.UNKNOWN_SYMBOL, SENTENCES[Verdict.UNKNOWN_SYMBOL])

    def _check(self, request: OrderRequest, market: Any) -> None:
        """ccxt cuts digits off without a word: what would be another order is not sent at all. Raises Refused."""
        if request.type not in self.capabilities.order_types:
            raise Refused(Verdict.REFUSED, "This venue does not take this type of order.")
        if request.type is not Type.MARKET and request.time_in_force not in self.capabilities.time_in_force:
            raise Refused(Verdict.REFUSED, "This venue does not take this time in force.")
        try:
            same = Decimal(self._client.amount_to_precision(market["symbol"], _text(request.quantity))) == request.quantity
        except ccxt.InvalidOrder:  # less than the smallest step
            same = False
        if not same:
            raise Refused(Verdict.BAD_QUANTITY, SENTENCES[Verdict.BAD_QUANTITY])
        for price in (request.limit_price, request.stop_price):
            if price is not None and Decimal(self._client.price_to_precision(market["symbol"], _text(price))) != price:
                raise Refused(Verdict.BAD_PRICE, SENTENCES[Verdict.BAD_PRICE])

    def _order_params(self, request: OrderRequest) -> dict[str, Any]:
        params: dict[str, Any] = {}
        if request.type in {Type.LIMIT, Type.STOP_LIMIT} and request.time_in_force is not TimeInForce.GTC:
            params["timeInForce"] = request.time_in_force.value.upper()
        if request.reduce_only and self._is_perpetual:
            params["reduceOnly"] = True
        if self._dialect.deadline is not None:
            params["deadline"] = (self._calls.now() + self._dialect.deadline).strftime("%Y-%m-%dT%H:%M:%SZ")
        return params

    def _find(self, key: OrderKey) -> dict[str, Any] | None:
        symbol = self._market(key.symbol)["symbol"]
        if key.venue_order_id:
            return self._client.fetch_order(key.venue_order_id, symbol)  # type: ignore[no-any-return]
        by_id = {self._dialect.ask_id: key.client_order_id} if self._dialect.lookup is not Lookup.SEARCH else {}
        if self._dialect.lookup is Lookup.ONE:
            return self._client.fetch_order(None, symbol, by_id)  # type: ignore[no-any-return]
        everything = accounts.can(self._client, "fetchOrders")
        for name in ("fetchOpenOrders", *(("fetchOrders",) if everything else ("fetchClosedOrders", "fetchCanceledOrders"))):
            if accounts.can(self._client, name):
                for one in getattr(self._client, name)(symbol, None, None, dict(by_id)):
                    if str(one.get("clientOrderId") or "") == key.client_order_id:
                        return one  # type: ignore[no-any-return]
        return None

    def _with_venue_id(self, key: OrderKey) -> OrderKey:
        """For venues that cancel by their own id alone. Raises as a change does."""
        try:
            found = self.order(key)
        except Unavailable as error:
            missing: BrokerError = NotSent(error.message)
        else:
            if found is not None:
                return OrderKey(key.client_order_id, key.symbol, found.venue_order_id)
            missing = Refused(Verdict.NOT_OPEN, SENTENCES[Verdict.NOT_OPEN])
        raise missing

    def _order(self, told: Any, symbol: str, *, request: OrderRequest | None = None, client_order_id: str = "") -> VenueOrder:
        field = self._dialect.order_client_id
        if field and not client_order_id:
            told = {**told, "clientOrderId": (told.get("info") or {}).get(field)}
        return order_of(told, symbol=symbol, seen_at=self._calls.now(), request=request, client_order_id=client_order_id)


def _kind(request: OrderRequest) -> str:
    return "limit" if request.type in {Type.LIMIT, Type.STOP_LIMIT} else "market"


def _text(value: Decimal | None) -> str | None:
    """Without an exponent, which ccxt does not always read."""
    return None if value is None else format(value, "f")
