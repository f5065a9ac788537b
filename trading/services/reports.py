"""What a venue tells of orders and executions, in whatever order and however often, becomes what we know."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime

from django.db import transaction

from trading import events
from trading.brokers.connect import instrument_called
from trading.brokers.protocol import VenueFill, VenueOrder
from trading.models import Account, Connection, Fill, Order
from trading.services.books import Overfilled, book, is_booked
from trading.services.locks import lock_account
from trading.services.orders import believe, client_id, record_order

logger = logging.getLogger(__name__)


class UnknownInstrument(Exception):
    """The venue tells of something that is no instrument here."""


def order_told(*, account_id: int, told: VenueOrder, at: datetime) -> Order | None:
    """Believe what the venue shows of an order; None for one that is not ours and over already, or of no instrument here."""
    try:
        return _order_told(account_id, told, at)
    except UnknownInstrument as error:
        logger.info("account %s has an order of %s, which is no instrument here", account_id, error)
        return None


def fill_told(*, account_id: int, told: VenueFill, at: datetime) -> Fill | None:
    """Book an execution; None if it is booked already.

    One of an order that nobody here placed is adopted with an order of its own: the account holds what its venue says. What
    cannot be booked is left to the comparison with the venue, which halts the account; it stands in the way of no other.
    """
    try:
        return _fill_told(account_id, told, at)
    except UnknownInstrument as error:
        logger.info("account %s has an execution of %s, which is no instrument here", account_id, error)
    except Overfilled as error:
        logger.error("account %s has an execution that cannot be booked: %s", account_id, error)
    return None


@transaction.atomic
def _order_told(account_id: int, told: VenueOrder, at: datetime) -> Order | None:
    account = lock_account(account_id)
    order = _order(account, told)
    if order is None:
        if not told.state.is_open or _may_be_ours(account, told):
            return None
        order = _adopt(account, told, at)
    return believe(order, told, at=at)


@transaction.atomic
def _fill_told(account_id: int, told: VenueFill, at: datetime) -> Fill | None:
    account = lock_account(account_id)
    if is_booked(account, told) or _is_older_than_the_books(account, told):
        return None
    order = _order(account, told)
    if order is None and _may_be_ours(account, told):
        return None
    if order is None or (order.purpose == Order.Purpose.ADOPTED and told.quantity > order.remaining):
        order = _adopted_for(account, told, at)
    return book(order, told, at=at)


def _is_older_than_the_books(account: Account, told: VenueFill) -> bool:
    """What an account's broker executed before it was connected is in what the account began with."""
    return Connection.objects.filter(account=account, opened_at__gt=told.time).exists()


def _order(account: Account, told: VenueOrder | VenueFill) -> Order | None:
    orders = Order.objects.select_for_update(of=("self",)).select_related("deployment", "instrument__venue", "evaluation")
    found = None
    if told.client_order_id:
        found = orders.filter(account=account, client_order_id=told.client_order_id).first()
    if found is None and told.venue_order_id:
        # Some venues number orders by instrument.
        instrument = instrument_called(account, told.symbol)
        found = orders.filter(account=account, instrument=instrument, venue_order_id=told.venue_order_id).first()
    if found is not None:
        found.account = account
        if found.deployment is not None:
            found.deployment.account = account
    return found


def _may_be_ours(account: Account, told: VenueOrder | VenueFill) -> bool:
    """Whether it may belong to an order of ours whose number is not known yet, its answer on the way or lost.

    Whoever learns the number asks for the executions again.
    """
    if told.client_order_id:
        return False
    nameless = Order.objects.filter(account=account, venue_order_id="", instrument=instrument_called(account, told.symbol))
    return nameless.filter(side=told.side, status__in=[Order.Status.SUBMITTING, Order.Status.UNKNOWN]).exists()


def _adopt(account: Account, told: VenueOrder, at: datetime) -> Order:
    """Write down an order that the venue has and we did not place."""
    instrument = instrument_called(account, told.symbol)
    if instrument is None:
        raise UnknownInstrument(told.symbol)
    order = Order.objects.create(
        account=account,
        purpose=Order.Purpose.ADOPTED,
        client_order_id=client_id(account.public_id, "venue", told.symbol, told.venue_order_id),
        venue_order_id=told.venue_order_id,
        instrument=instrument,
        side=told.side,
        type=told.type,
        quantity=told.quantity,
        limit_price=told.limit_price,
        stop_price=told.stop_price,
        status=Order.Status.UNKNOWN,
        reference_price=float(told.limit_price or told.stop_price or 0),
        decided_at=told.updated_at,
        correlation_id=uuid.uuid4(),
        created_at=at,
        updated_at=at,
    )
    record_order(order, events.ORDER_ADOPTED, at)
    return order


def _adopted_for(account: Account, told: VenueFill, at: datetime) -> Order:
    """An order just as large as an execution that belongs to none."""
    instrument = instrument_called(account, told.symbol)
    if instrument is None:
        raise UnknownInstrument(told.symbol)
    order, made = Order.objects.get_or_create(
        client_order_id=client_id(account.public_id, "venue-fill", told.symbol, told.venue_fill_id),
        defaults={
            "account": account,
            "purpose": Order.Purpose.ADOPTED,
            "venue_order_id": told.venue_order_id,
            "instrument": instrument,
            "side": told.side,
            "quantity": told.quantity,
            "status": Order.Status.ACCEPTED,
            "reference_price": float(told.price),
            "decided_at": told.time,
            "correlation_id": uuid.uuid4(),
            "created_at": at,
            "updated_at": at,
        },
    )
    if made:
        record_order(order, events.ORDER_ADOPTED, at)
    return order
