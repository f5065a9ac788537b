"""The brokers' protocol over the books of the paper venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from marketdata.models import Instrument
from trading.brokers.paper.venue import match_order
from trading.brokers.protocol import (
    Balance,
    Capabilities,
    Listening,
    OrderKey,
    OrderRequest,
    Permissions,
    Refused,
    Side,
    State,
    TimeInForce,
    Type,
    Update,
    VenueFill,
    VenueFlow,
    VenueOrder,
    VenuePosition,
)
from trading.models import Account, PaperBook, PaperFill, PaperHolding, PaperOrder
from trading.prices import on_grid

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(Type),
    time_in_force=frozenset(TimeInForce) - {TimeInForce.DAY},
    valid_for=timedelta(0),
    shorts=True,
    longest_client_id=48,
)

STATES: Final = {
    PaperOrder.Status.FILLED: State.FILLED,
    PaperOrder.Status.CANCELLED: State.CANCELLED,
    PaperOrder.Status.REJECTED: State.REJECTED,
    PaperOrder.Status.EXPIRED: State.EXPIRED,
}


class PaperBroker:
    """One account at the paper venue. ``clock`` is ours; symbols are the instruments' references."""

    capabilities = CAPABILITIES

    def __init__(self, account: Account, clock: Callable[[], datetime]) -> None:
        self.account, self.clock = account, clock

    def permissions(self) -> Permissions:
        return Permissions(str(self.account.public_id), True, False, True, (self.account.currency,))

    def server_time(self) -> datetime:
        return self.clock()

    def submit(self, request: OrderRequest) -> VenueOrder:
        at = self.clock()
        instrument = Instrument.objects.select_related("venue", "latest").filter(ref=request.symbol).first()
        self._check(request, instrument)
        assert instrument is not None
        with transaction.atomic():
            book = self._book(lock=True)
            order, made = PaperOrder.objects.get_or_create(
                book=book,
                client_order_id=request.client_order_id,
                defaults={
                    "instrument": instrument,
                    "side": request.side,
                    "type": request.type,
                    "quantity": request.quantity,
                    "limit_price": request.limit_price,
                    "stop_price": request.stop_price,
                    "time_in_force": request.time_in_force,
                    "reduce_only": request.reduce_only,
                    "decided_at": request.decided_at or at,
                    "good_till": request.good_till,
                    "is_blind": request.blind,
                    "created_at": at,
                    "updated_at": at,
                },
            )
            if not made:
                raise Refused("duplicate-id", "There is an order of this client order id.")
        match_order(order_id=order.pk, at=at)
        return _told(PaperOrder.objects.select_related("instrument").get(pk=order.pk))

    def _check(self, request: OrderRequest, instrument: Instrument | None) -> None:
        if instrument is None or not instrument.is_active or instrument.quote != self.account.currency:
            raise Refused("unknown-symbol", f"{request.symbol} is not traded on this account.")
        if request.time_in_force not in CAPABILITIES.time_in_force:
            raise Refused("venue-refused", f"The paper venue has no {request.time_in_force} orders.")
        if request.quantity <= 0 or request.quantity != on_grid(request.quantity, instrument.lot_size, ROUND_DOWN):
            raise Refused("bad-quantity", f"The quantity must be a multiple of {instrument.lot_size.normalize():f}.")
        for price in (request.limit_price, request.stop_price):
            if price is not None and (price <= 0 or price != on_grid(price, instrument.tick_size, ROUND_DOWN)):
                raise Refused("bad-price", f"The price must be a multiple of {instrument.tick_size.normalize():f}.")

    @transaction.atomic
    def cancel(self, key: OrderKey) -> VenueOrder | None:
        book = self._book(lock=True)
        order = (
            PaperOrder.objects.select_for_update(of=("self",))
            .select_related("instrument")
            .filter(book=book, client_order_id=key.client_order_id)
            .first()
        )
        if order is None:
            raise Refused("not-open", "There is no such order.")
        if order.status != PaperOrder.Status.OPEN:
            raise Refused("not-open", f"The order is {order.status}.")
        order.status, order.updated_at = PaperOrder.Status.CANCELLED, self.clock()
        order.save(update_fields=["status", "updated_at"])
        return _told(order)

    def replace(self, key: OrderKey, request: OrderRequest) -> VenueOrder:
        raise Refused("venue-refused", "The paper venue replaces no orders: cancel and submit.")

    def order(self, key: OrderKey) -> VenueOrder | None:
        order = self._orders().filter(client_order_id=key.client_order_id).first()
        return None if order is None else _told(order)

    def open_orders(self) -> list[VenueOrder]:
        return [_told(order) for order in self._orders().filter(status=PaperOrder.Status.OPEN)]

    def fills_since(self, since: datetime, symbols: Sequence[str]) -> list[VenueFill]:
        fills = PaperFill.objects.filter(book=self.account.pk, at__gte=since).select_related("order__instrument")
        return [_fill(one, self.account.currency) for one in fills.order_by("pk")]

    def positions(self) -> list[VenuePosition]:
        held = PaperHolding.objects.filter(book=self.account.pk).exclude(quantity=0).select_related("instrument")
        return [VenuePosition(one.instrument.ref, one.quantity, one.cost / one.quantity) for one in held]

    def balances(self) -> list[Balance]:
        cash = self._book().cash
        return [Balance(self.account.currency, cash, cash)]

    def flows_since(self, since: datetime) -> list[VenueFlow]:
        return []

    async def updates(self) -> AsyncIterator[Update]:
        """Nothing to listen to: the paper venue is in our own database, and whoever matches its orders tells at once."""
        yield Listening(self.clock())
        await asyncio.Event().wait()

    def close(self) -> None:
        """Nothing is open."""

    def _orders(self) -> QuerySet[PaperOrder]:
        return PaperOrder.objects.filter(book=self.account.pk).select_related("instrument")

    def _book(self, *, lock: bool = False) -> PaperBook:
        books = PaperBook.objects.select_for_update() if lock else PaperBook.objects
        return books.get(account=self.account)


def _told(order: PaperOrder) -> VenueOrder:
    filled = order.filled_quantity
    state = STATES.get(PaperOrder.Status(order.status), State.PARTLY_FILLED if filled else State.ACCEPTED)
    code, reason = "", order.reason
    if state is State.REJECTED:
        code, _, reason = reason.partition(": ")
    return VenueOrder(
        client_order_id=order.client_order_id,
        venue_order_id=str(order.pk),
        symbol=order.instrument.ref,
        side=Side(order.side),
        type=Type(order.type),
        quantity=order.quantity,
        filled=filled,
        state=state,
        updated_at=order.updated_at,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        reason=reason,
        code=code,
    )


def _fill(fill: PaperFill, currency: str) -> VenueFill:
    return VenueFill(
        venue_fill_id=f"paper-{fill.pk}",
        venue_order_id=str(fill.order_id),
        client_order_id=fill.order.client_order_id,
        symbol=fill.order.instrument.ref,
        side=Side(fill.order.side),
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_currency=currency,
        time=fill.market_time,
        is_maker=fill.is_maker,
    )
