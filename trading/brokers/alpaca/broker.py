"""The brokers' protocol, spoken with Alpaca."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from trading.brokers.alpaca import messages, stream
from trading.brokers.alpaca.messages import Message
from trading.brokers.alpaca.rest import Absent, Client, before_a_change, read
from trading.brokers.protocol import (
    BadCredentials,
    Balance,
    Capabilities,
    Credentials,
    Endpoint,
    OrderKey,
    OrderRequest,
    OutcomeUnknown,
    Permissions,
    Refused,
    TimeInForce,
    Type,
    Unavailable,
    Update,
    VenueFill,
    VenueFlow,
    VenueOrder,
    VenuePosition,
)

T = TypeVar("T")

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(Type),  # coins: all but STOP
    time_in_force=frozenset(TimeInForce),  # coins: GTC and IOC; a part of a share: DAY
    valid_for=timedelta(seconds=60),  # requests carry no deadline: as long as something between us and Alpaca may hold one back
    replaces=True,
    asks_by_client_id=True,
    unique_ids="ever",
    streams=True,
    shorts=True,
    margin_wallet=False,
    holds_coins=False,  # coins are positions at Alpaca too
    longest_client_id=128,
)

STREAMS: Final = {True: "wss://paper-api.alpaca.markets/stream", False: "wss://api.alpaca.markets/stream"}

ORDERS_A_PAGE: Final = 500
ACTIVITIES_A_PAGE: Final = 100
COINS_ARE_PRICED_IN: Final = ("USD", "USDC", "USDT", "BTC")


@dataclass(frozen=True, slots=True)
class AlpacaAccount:
    """What Alpaca's own rules for an account rest upon.

    ``daytrade_count`` (of five sessions) and ``pattern_day_trader`` are None where Alpaca does not tell them any more: since
    July 2026 it leaves them out for accounts under FINRA's intraday margin rule.
    """

    equity: Decimal
    multiplier: Decimal  # 1: cash, 2: overnight margin, 4: margin within a day
    daytrade_count: int | None
    pattern_day_trader: bool | None


class AlpacaBroker:
    """One account at Alpaca. ``credentials``: "key" and "secret"."""

    def __init__(self, credentials: Credentials, endpoint: Endpoint) -> None:
        """Raises BadCredentials where the key or the secret is missing."""
        key, secret = credentials.get("key"), credentials.get("secret")
        if not key or not secret:
            raise BadCredentials("The key or the secret is missing.")
        self._credentials, self._endpoint = credentials, endpoint
        self._client = Client(
            key, secret, is_paper=endpoint.is_paper, base_url=endpoint.base_url, timeout=endpoint.timeout
        )  # fmt: skip
        self._pairs: dict[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def close(self) -> None:
        self._client.close()

    # -- the account -----------------------------------------------------------------------------------------------

    def permissions(self) -> Permissions:
        """``may_withdraw`` is None: a key has no permissions of its own to ask for.

        The trading API had one withdrawal, of coins (POST /v2/wallets/transfers), announced to end on 9 October 2026; that it
        is gone for every account is nowhere told by the API.
        """

        def allowed(account: Message) -> Permissions:
            blocked = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
            return Permissions(
                account=messages.text(account, "account_number"),
                may_trade=not any(account.get(name) for name in blocked),
                may_withdraw=None,
                is_paper=self._endpoint.is_paper,
                currencies=(messages.text(account, "currency"),),
            )

        return self._account(allowed)

    def account_facts(self) -> AlpacaAccount:
        def facts(account: Message) -> AlpacaAccount:
            count, flagged = account.get("daytrade_count"), account.get("pattern_day_trader")
            return AlpacaAccount(
                equity=messages.number(account.get("equity")),
                multiplier=messages.number(account.get("multiplier")),
                daytrade_count=None if count is None else int(messages.number(count)),
                pattern_day_trader=flagged if isinstance(flagged, bool) else None,
            )

        return self._account(facts)

    def balances(self) -> list[Balance]:
        def money(account: Message) -> list[Balance]:
            cash, power = messages.number(account.get("cash")), messages.number(account.get("buying_power"))
            return [Balance(messages.text(account, "currency"), cash, power)]

        return self._account(money)

    def _account(self, how: Callable[[Message], T]) -> T:
        return read(self._client.get_account(), lambda answer: how(messages.mapping(answer)))

    def server_time(self) -> datetime:
        return read(self._client.get_clock(), lambda answer: messages.moment(messages.mapping(answer).get("timestamp")))

    def positions(self) -> list[VenuePosition]:
        return read(
            self._client.get_all_positions(),
            lambda answer: [messages.position(one, self._named) for one in messages.rows(answer)],
        )

    # -- orders ----------------------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> VenueOrder:
        return self._sent(request, self._client.post("/orders", dict(messages.payload(request))))

    def cancel(self, key: OrderKey) -> VenueOrder | None:
        order_id = key.venue_order_id if _is_id(key.venue_order_id) else self._open_order(key).venue_order_id
        self._client.cancel_order_by_id(order_id)
        return None

    def replace(self, key: OrderKey, request: OrderRequest) -> VenueOrder:
        """Alpaca makes a new order with a new id; its own check refuses where the old one is over.

        Quantity, prices and time in force are all that can change, so an order of another kind is not sent. Nor is one for an
        order that is partly filled: whether the new quantity counts what is filled already is not told by Alpaca's reference.
        """
        standing = self._open_order(key)
        if (standing.symbol, standing.side, standing.type) != (request.symbol, request.side, request.type):
            raise Refused("venue-refused", "Alpaca replaces an order by one of the same symbol, side and type alone.")
        if standing.filled:
            raise Refused("venue-refused", "An order that is partly filled is not replaced at Alpaca.")
        sent = messages.payload(request)
        changes = {name: sent[name] for name in ("qty", "time_in_force", "client_order_id")} | messages.prices(request)
        return self._sent(request, self._client.patch(f"/orders/{standing.venue_order_id}", dict(changes)))

    def _sent(self, request: OrderRequest, answer: Any) -> VenueOrder:
        pair = {request.symbol.replace("/", ""): request.symbol}  # nothing is asked between a change and what came of it
        order = read(
            answer, lambda told: messages.order(messages.mapping(told), lambda name: pair.get(name, name)), changed=True
        )
        if order.client_order_id != request.client_order_id:
            raise OutcomeUnknown("Alpaca answered with another order than the one that was sent.")
        return order

    def _open_order(self, key: OrderKey) -> VenueOrder:
        """The order that is to be changed. Raises Refused("not-open") where there is none."""
        order = before_a_change(lambda: self.order(key))
        if order is None:
            raise Refused("not-open", "Alpaca has no such order.")
        return order

    def order(self, key: OrderKey) -> VenueOrder | None:
        try:
            if _is_id(key.venue_order_id):
                answer = self._client.get_order_by_id(key.venue_order_id)
            elif key.client_order_id:
                answer = self._client.get_order_by_client_id(key.client_order_id)
            else:
                raise Unavailable("An order is asked for by an id.")
        except Absent:
            return None
        return read(answer, lambda told: messages.order(messages.mapping(told), self._named))

    def open_orders(self) -> list[VenueOrder]:
        found: dict[str, VenueOrder] = {}
        question = {"status": "open", "limit": ORDERS_A_PAGE, "direction": "asc"}
        while True:
            page = read(self._client.get("/orders", dict(question)), messages.rows)
            known = len(found)
            for whole in page:
                for one in read(whole, lambda told: [messages.order(leg, self._named) for leg in messages.single_orders(told)]):
                    found[one.venue_order_id] = one
            if len(page) < ORDERS_A_PAGE:
                return list(found.values())
            if len(found) == known:
                raise Unavailable("Alpaca tells the same page of orders again.")
            # ``after`` leaves out what came at that very instant, so a page begins a little before the last one ended.
            last = read(page[-1], lambda told: messages.moment(told.get("submitted_at")))
            question["after"] = (last - timedelta(microseconds=1)).isoformat()

    # -- what happened ---------------------------------------------------------------------------------------------

    def fills_since(self, since: datetime, symbols: Sequence[str]) -> list[VenueFill]:
        """``symbols`` is not needed: Alpaca tells the executions of the whole account."""
        # Its times have nanoseconds, ours microseconds, and ``after`` leaves out that very instant.
        told = self._activities("/account/activities/FILL", since - timedelta(seconds=1))
        fills = read(told, lambda rows: [messages.fill_activity(one, self._named) for one in rows])
        return sorted((one for one in fills if one.time >= since), key=lambda one: one.time)

    def flows_since(self, since: datetime) -> list[VenueFlow]:
        """Regulatory fees and those for coins are told here, the latter at the end of the day, in the coins they took."""
        told = self._activities("/account/activities", since - timedelta(days=1), category="non_trade_activity")
        day = since.astimezone(messages.NEW_YORK).date()
        # Where Alpaca tells the day alone, that day's are told again: one that came later is not lost.
        fresh = [one for one in told if self._is_fresh(one, since) or (not one.get("created_at") and self._day(one) >= day)]
        flows = read(fresh, lambda rows: [messages.flow(one, self._named) for one in rows])
        return sorted((one for one in flows if one is not None), key=lambda one: one.time)

    @staticmethod
    def _is_fresh(activity: Message, since: datetime) -> bool:
        return read(activity, messages.flow_time) >= since

    @staticmethod
    def _day(activity: Message) -> date:
        return read(activity, messages.flow_day)

    def _activities(self, path: str, after: datetime, **question: str) -> list[Message]:
        found: list[Message] = []
        asked = {
            "after": after.astimezone(UTC).isoformat(),
            "direction": "asc",
            "page_size": str(ACTIVITIES_A_PAGE),
            **question,
        }
        while True:
            page = read(self._client.get(path, dict(asked)), messages.rows)
            found += page
            if len(page) < ACTIVITIES_A_PAGE:
                return found
            last = read(page[-1], lambda told: messages.text(told, "id"))
            if last == asked.get("page_token"):
                raise Unavailable("Alpaca tells the same page of activities again.")
            asked["page_token"] = last

    def updates(self) -> AsyncIterator[Update]:
        base = self._endpoint.base_url.rstrip("/")
        url = "ws" + base.removeprefix("http") + "/stream" if base else STREAMS[self._endpoint.is_paper]
        return stream.updates(
            url, self._credentials["key"], self._credentials["secret"], patience=self._endpoint.timeout, named=self._named
        )

    # -- names -----------------------------------------------------------------------------------------------------

    def _named(self, symbol: str) -> str:
        """BTC/USD for BTCUSD, as the list of Alpaca's coin pairs has it; anything else as it is."""
        if "/" in symbol or not symbol.endswith(COINS_ARE_PRICED_IN):
            return symbol
        if symbol not in self._pairs:
            listed = read(self._client.get("/assets", {"asset_class": "crypto"}), messages.rows)
            pairs = read(listed, lambda assets: [messages.text(one, "symbol") for one in assets])
            self._pairs |= {pair.replace("/", ""): pair for pair in pairs}
            self._pairs.setdefault(symbol, symbol)  # a share or an option that ends alike: not asked again
        return self._pairs[symbol]


def _is_id(venue_order_id: str) -> bool:
    """Whether Alpaca can have made it: its ids are UUIDs, and alpaca-py refuses others with an error of its own."""
    try:
        UUID(venue_order_id)
    except ValueError:
        return False
    return True
