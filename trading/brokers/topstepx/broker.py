"""``Broker`` over the ProjectX Gateway. What the venue has and lacks is told in the package's docstring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

from pysignalr.messages import InvocationMessage

from trading.brokers.protocol import (
    BadCredentials,
    Balance,
    Capabilities,
    Credentials,
    Endpoint,
    Listening,
    NotSent,
    OrderKey,
    OrderRequest,
    Permissions,
    RateLimited,
    Refused,
    Side,
    State,
    TimeInForce,
    Unavailable,
    Update,
    VenueFill,
    VenueFlow,
    VenueOrder,
    VenuePosition,
)
from trading.brokers.topstepx import hub
from trading.brokers.topstepx.account import Account
from trading.brokers.topstepx.gateway import Accepted, Gateway
from trading.brokers.topstepx.messages import (
    CURRENCY,
    SIDE_NUMBERS,
    TYPE_NUMBERS,
    Contract,
    read,
    to_contract,
    to_fill,
    to_order,
    to_position,
)
from trading.brokers.topstepx.refusals import CANCEL, MODIFY, PLACE

T = TypeVar("T")


class TopstepXBroker:
    """One account. ``credentials``: username, key, and account (its id or name).

    Without an account it is the first that may trade, for an ``endpoint`` of paper only among those that are simulated.
    ``endpoint.base_url`` takes the place of both of the venue's hosts.
    """

    def __init__(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self._gateway = Gateway(credentials, endpoint)
        self._account = Account(self._gateway, wanted=credentials.get("account"), simulated=endpoint.is_paper)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            order_types=frozenset(TYPE_NUMBERS),
            time_in_force=frozenset({TimeInForce.GTC}),
            # The gateway has no receive window. Assumption: no proxy on the way holds a request for longer.
            valid_for=timedelta(minutes=2),
            replaces=True,
            asks_by_client_id=False,
            unique_ids="ever",
            shorts=True,
            margin_wallet=True,
        )

    def permissions(self) -> Permissions:
        row = self._account.row()
        return Permissions(
            account=row["name"],
            may_trade=row["canTrade"],
            may_withdraw=False,  # nothing in the gateway's interface moves money out
            is_paper=row.get("simulated", False),  # the careful side where it is not told
            currencies=(CURRENCY,),
        )

    def server_time(self) -> datetime:
        return self._gateway.date()

    def contract(self, symbol: str) -> Contract:
        """What one contract is worth. Raises as a question does."""
        data = self._gateway.ask("/api/Contract/searchById", contractId=symbol)
        return read(to_contract, [data.get("contract") or {}])[0]

    # -- orders ----------------------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> VenueOrder:
        self._check(request)
        if request.reduce_only:
            self._check_reduces(request)
        account = self._before_change(self._account.id)
        taken = self._gateway.act(
            "/api/Order/place",
            PLACE,
            accountId=account,
            contractId=request.symbol,
            type=TYPE_NUMBERS[request.type],
            side=SIDE_NUMBERS[request.side],
            size=int(request.quantity),
            limitPrice=request.limit_price,
            stopPrice=request.stop_price,
            trailPrice=None,
            customTag=request.client_order_id,
        )
        return _placed(request, taken)

    def cancel(self, key: OrderKey) -> VenueOrder | None:
        account = self._before_change(self._account.id)
        number = key.venue_order_id or self._before_change(lambda: self._open(key)).venue_order_id
        if not number.isdigit():
            raise Refused("not-open", "TopstepX has no such order.")
        try:
            self._gateway.act("/api/Order/cancel", CANCEL, accountId=account, orderId=int(number))
        except Refused as refused:
            if refused.code != "venue-refused" or not self._is_over(key, number):
                raise
        else:
            return None
        raise Refused("not-open", "The order is over.")

    def replace(self, key: OrderKey, request: OrderRequest) -> VenueOrder:
        """Changes size (all of it, with what is filled) and price. The order stays, under its own client order id."""
        self._check(request)
        account = self._before_change(self._account.id)
        found = self._before_change(lambda: self._open(key))
        if (found.symbol, found.side, found.type) != (request.symbol, request.side, request.type):
            raise Refused("venue-refused", "TopstepX changes the size and the price of an order only.")
        try:
            taken = self._gateway.act(
                "/api/Order/modify",
                MODIFY,
                accountId=account,
                orderId=int(found.venue_order_id),
                size=int(request.quantity),
                limitPrice=request.limit_price,
                stopPrice=request.stop_price,
                trailPrice=None,
            )
        except Refused as refused:
            if refused.code != "venue-refused" or not self._is_over(key, found.venue_order_id):
                raise
        else:
            return changed(
                found,
                quantity=request.quantity,
                limit_price=request.limit_price,
                stop_price=request.stop_price,
                updated_at=taken.at,
            )
        raise Refused("not-open", "The order is over.")

    def order(self, key: OrderKey) -> VenueOrder | None:
        return self._account.order(key)

    def open_orders(self) -> list[VenueOrder]:
        return self._account.open_orders()

    # -- the account -----------------------------------------------------------------------------------------------

    def fills_since(self, since: datetime, symbols: Sequence[str]) -> list[VenueFill]:
        """Of all symbols. A trade that the venue voided is none."""
        rows = self._account.rows("/api/Trade/search", "trades", startTimestamp=since.astimezone(UTC).isoformat())
        fills = read(to_fill, [row for row in rows if not row.get("voided")])
        return sorted(fills, key=lambda one: (one.time, int(one.venue_fill_id)))

    def positions(self) -> list[VenuePosition]:
        rows = self._account.rows("/api/Position/searchOpen", "positions")
        return read(to_position, [row for row in rows if row.get("size")])

    def balances(self) -> list[Balance]:
        """The account's balance; ``free`` is the same, because the gateway tells nothing of margin."""
        total = self._account.row()["balance"]
        return [Balance(CURRENCY, total, total)]

    def flows_since(self, since: datetime) -> list[VenueFlow]:
        return []  # the gateway has no history of them

    async def updates(self) -> AsyncIterator[Update]:
        stream = hub.Hub(self._gateway.hub, timeout=self._gateway.timeout)
        account = await asyncio.to_thread(self._for_stream, self._account.id)
        token = ""
        for is_last in (False, True):
            token = await asyncio.to_thread(self._for_stream, partial(self._gateway.token, token))
            async with aclosing(stream.listen(token, account)) as calls:
                try:
                    await anext(calls)
                except BadCredentials:  # the token was over; whether the key still is good, logging in again tells
                    if is_last:
                        raise
                    continue
                yield Listening(datetime.now(UTC))
                async for call in calls:
                    for update in _updates(call, account):
                        yield update

    def close(self) -> None:
        self._gateway.close()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _open(self, key: OrderKey) -> VenueOrder:
        found = self.order(key)
        if found is None or not found.state.is_open:
            raise Refused("not-open", "The order is over." if found else "TopstepX has no such order.")
        return found

    def _is_over(self, key: OrderKey, number: str) -> bool:
        try:
            found = self.order(changed(key, venue_order_id=number))
        except (Unavailable, RateLimited, BadCredentials):
            return False
        return found is not None and not found.state.is_open

    def _check_reduces(self, request: OrderRequest) -> None:
        """The gateway has no reduce-only. What the account holds is asked just before: an order that was sent in between, or
        an end that the venue itself puts to the position, can still turn it round."""
        held = sum((one.quantity for one in self._before_change(self.positions) if one.symbol == request.symbol), Decimal(0))
        closing = -held if request.side is Side.BUY else held
        if request.quantity > closing:
            raise Refused("reduce-only", "The order is larger than the position that it should reduce.")

    @staticmethod
    def _check(request: OrderRequest) -> None:
        """What the gateway cannot be asked for is not sent as something else."""
        if request.type not in TYPE_NUMBERS:
            raise Refused("venue-refused", "TopstepX takes market, limit and stop orders only.")
        if request.time_in_force is not TimeInForce.GTC:
            raise Refused("venue-refused", "TopstepX has no time in force: an order rests until it is cancelled.")
        if request.quantity != int(request.quantity):
            raise Refused("bad-quantity", "Contracts are traded whole.")

    @staticmethod
    def _before_change(question: Callable[[], T]) -> T:
        """A question that comes before a change: without an answer, the change was not sent."""
        try:
            return question()
        except Unavailable as error:
            message = error.message
        raise NotSent(message)

    @staticmethod
    def _for_stream(question: Callable[[], T]) -> T:
        try:
            return question()
        except (Unavailable, NotSent) as error:
            message = error.message
        raise Unavailable(message)


def _placed(request: OrderRequest, taken: Accepted) -> VenueOrder:
    """The venue answers with the order's number alone: taken, and nothing known of fills yet."""
    return VenueOrder(
        client_order_id=request.client_order_id,
        venue_order_id=str(taken.data.get("orderId") or ""),
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        quantity=request.quantity,
        filled=Decimal(0),
        state=State.ACCEPTED,
        updated_at=taken.at,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
    )


def _updates(call: InvocationMessage, account: int) -> list[VenueOrder] | list[VenueFill]:
    mine = [row for row in hub.rows(call) if row.get("accountId") == account]
    if call.target == "GatewayUserOrder":
        return read(to_order, mine)
    if call.target == "GatewayUserTrade":
        return read(to_fill, [row for row in mine if not row.get("voided")])
    return []
