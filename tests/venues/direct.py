"""A broker that is connected to an ``Exchange`` without a network between: thousands of faults a second.

It misbehaves as the local servers do, in the words of the protocol instead of the venue's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from tests.venues.exchange import Exchange, Execution, Refusal, Resting
from tests.venues.faults import Fault, Faults
from trading.brokers.protocol import (
    BadCredentials,
    Balance,
    Capabilities,
    FlowKind,
    Listening,
    NotSent,
    OrderKey,
    OrderRequest,
    OutcomeUnknown,
    Permissions,
    RateLimited,
    Refused,
    Side,
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


class DirectBroker:
    """``arriving`` is called when a request is on its way, before the exchange sees it: the moment in which all may happen."""

    def __init__(self, exchange: Exchange, faults: Faults, arriving: Callable[[], None] = lambda: None) -> None:
        self.exchange, self.faults, self.arriving = exchange, faults, arriving
        self.late: list[tuple[datetime, OrderRequest]] = []
        self.names_fills = True  # with our id of their order

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            order_types=frozenset(Type),
            time_in_force=frozenset(TimeInForce),
            valid_for=timedelta(seconds=10),
            unique_ids=self.exchange.unique_ids,
            shorts=self.exchange.margin or self.exchange.shorts,
            margin_wallet=self.exchange.margin,
            holds_coins=self.exchange.holds_coins and not self.exchange.margin,
        )

    def permissions(self) -> Permissions:
        self._ask()
        return Permissions("direct", True, False, True)

    def server_time(self) -> datetime:
        self._ask()
        return self.exchange.clock()

    # -- what changes something ------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> VenueOrder:
        return order_of(self._change("submit", lambda: self._submit(request), request))

    def cancel(self, key: OrderKey) -> VenueOrder | None:
        def cancel() -> Resting:
            found = self._found(key)
            if found is None:
                raise Refusal("not-open", "there is no such order")
            return self.exchange.cancel(found)

        return order_of(self._change("cancel", cancel))

    def replace(self, key: OrderKey, request: OrderRequest) -> VenueOrder:
        raise Refused("venue-refused", "no")

    def _submit(self, request: OrderRequest) -> Resting:
        return self.exchange.submit(
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            quantity=request.quantity,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            time_in_force=request.time_in_force,
        )

    def _change(self, operation: str, act: Callable[[], Resting], request: OrderRequest | None = None) -> Resting:
        fault, sent_at = self.faults.take(operation), self.exchange.clock()
        self.arriving()
        if self.exchange.clock() - sent_at > self.capabilities.valid_for:
            raise Refused("venue-refused", "outside of the receive window")
        match fault:
            case Fault.LOST_REQUEST:
                raise OutcomeUnknown("the connection broke")
            case Fault.LATE if request is not None:
                self.late.append((self.exchange.clock() + timedelta(seconds=self.faults.seconds), request))
                raise OutcomeUnknown("timed out")
            case Fault.REJECT:
                raise Refused("venue-refused", "the venue says no")
            case Fault.RATE_LIMIT:
                raise RateLimited("too many requests", 1)
            case Fault.BROKEN | Fault.SKEWED:
                raise OutcomeUnknown("503")
            case Fault.REVOKED:
                raise BadCredentials("the key is not accepted")
            case Fault.SLOW:
                raise NotSent("no connection")
        try:
            done = act()
        except Refusal as refusal:
            if fault in {Fault.LOST_ANSWER, Fault.BROKEN_AFTER, Fault.LATE}:
                raise OutcomeUnknown("timed out") from None
            raise Refused(refusal.code, refusal.message) from None
        if fault in {Fault.LOST_ANSWER, Fault.BROKEN_AFTER, Fault.LATE}:
            raise OutcomeUnknown("timed out")
        return done

    def deliver(self) -> None:
        """What was late arrives."""
        due = [one for one in self.late if one[0] <= self.exchange.clock()]
        self.late = [one for one in self.late if one not in due]
        for _, request in due:
            try:
                self._submit(request)
            except Refusal:
                continue

    # -- questions -------------------------------------------------------------------------------------------------

    def order(self, key: OrderKey) -> VenueOrder | None:
        self._ask()
        found = self._found(key)
        return None if found is None else order_of(found)

    def _found(self, key: OrderKey) -> Resting | None:
        if key.venue_order_id:
            return self.exchange.orders.get(int(key.venue_order_id))
        return self.exchange.by_client_id(key.client_order_id)

    def open_orders(self) -> list[VenueOrder]:
        self._ask()
        return [order_of(one) for one in self.exchange.open_orders()]

    def fills_since(self, since: datetime, symbols: Sequence[str]) -> list[VenueFill]:
        self._ask()
        return [told for one in self.exchange.fills if one.at >= since and (told := fill_of(one, named=self.names_fills))]

    def positions(self) -> list[VenuePosition]:
        self._ask()
        return [VenuePosition(symbol, held) for symbol, held in self.exchange.positions.items() if held]

    def balances(self) -> list[Balance]:
        self._ask()
        return [Balance(one, total, total - self.exchange.held(one)) for one, total in list(self.exchange.balances.items())]

    def flows_since(self, since: datetime) -> list[VenueFlow]:
        self._ask()
        return [
            VenueFlow(str(number), FlowKind(kind), currency, amount, time)
            for number, kind, currency, amount, time in self.exchange.flows
            if time >= since
        ]

    async def updates(self) -> AsyncIterator[Update]:
        yield Listening(self.exchange.clock())

    def close(self) -> None:
        """Nothing is open."""

    def _ask(self) -> None:
        if self.faults.take("ask") is not None:
            raise Unavailable("no answer")


def order_of(order: Resting) -> VenueOrder:
    states = {"filled": State.FILLED, "cancelled": State.CANCELLED, "expired": State.EXPIRED}
    return VenueOrder(
        client_order_id=order.client_order_id,
        venue_order_id=str(order.id),
        symbol=order.symbol,
        side=Side(order.side),
        type=Type(order.type),
        quantity=order.quantity,
        filled=order.filled,
        state=states.get(order.status, State.PARTLY_FILLED if order.filled else State.ACCEPTED),
        updated_at=order.updated_at,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
    )


def fill_of(one: Execution | None, *, named: bool = True) -> VenueFill | None:
    """``named``: with our id of the order, which most venues do not tell."""
    if one is None:
        return None
    return VenueFill(
        venue_fill_id=str(one.id),
        venue_order_id=str(one.order.id),
        client_order_id=one.order.client_order_id if named else "",
        symbol=one.order.symbol,
        side=Side(one.order.side),
        quantity=one.quantity,
        price=one.price,
        fee=one.fee,
        fee_currency=one.fee_currency,
        time=one.at,
        is_maker=one.maker,
    )
