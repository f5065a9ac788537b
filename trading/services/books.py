"""Booking fills: the fact, its position, the cash, the order and the event, in one transaction.

The caller holds the account's lock. What was booked once is never booked again: venues tell a fill many times, on many ways.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from trading import events
from trading.brokers.connect import instrument_called
from trading.brokers.protocol import VenueFill
from trading.lifecycle import OVER
from trading.models import Account, Fill, Order, Position
from trading.positions import Execution, Holding
from trading.prices import money
from trading.risk.breakers import ClosedTrade
from trading.services.journal import record
from trading.services.valuation import snapshot

Status = Order.Status
ZERO: Final = Decimal(0)


class Overfilled(Exception):
    """The venue executed more than was ordered, as far as we know: nothing is booked until somebody has looked."""


def book(order: Order, told: VenueFill, *, at: datetime) -> Fill:
    """Book an execution of ``order`` that is not booked yet.

    Raises Overfilled if the order has no room for it.
    """
    if told.quantity > order.remaining:
        raise Overfilled(f"{told.quantity} of {order.client_order_id}, of which {order.remaining} is left")
    position = position_of(order, at)
    fee, kept = _fee(order, told)
    signed = told.quantity if order.side == Order.Side.BUY else -told.quantity
    execution = Execution(signed, told.price, ZERO if kept else fee)
    before = Holding(position.quantity, position.cost, position.realised_pnl, position.fees)
    after, realised = before.after(execution)
    if kept:
        # What the venue keeps of the coins is as if sold at once to pay the fee with: no cash moves.
        after, gained = after.after(Execution(-kept, told.price, fee))
        realised += gained
    fill = Fill.objects.create(
        order=order,
        account=order.account,
        deployment=order.deployment,
        instrument=order.instrument,
        venue_fill_id=told.venue_fill_id,
        side=order.side,
        quantity=told.quantity,
        price=told.price,
        fee=fee,
        fee_currency="" if told.fee_currency == order.account.currency else told.fee_currency,
        fee_quantity=ZERO if told.fee_currency == order.account.currency else told.fee,
        realised_pnl=realised,
        market_time=told.time,
        filled_at=at,
    )
    closed: tuple[ClosedTrade, ...] = ()
    if before.quantity and before.quantity * after.quantity <= 0:
        profit = after.realised - after.fees - position.result_before
        closed = (ClosedTrade(at, str(fill.public_id), profit),)
    if not after.quantity:
        position.opened_at, position.stop_price = None, None
    elif before.quantity * after.quantity <= 0:
        position.opened_at, position.stop_price = at, None
        position.result_before = before.realised - before.fees if not before.quantity else after.realised - after.fees
    if order.purpose == Order.Purpose.STOP and not after.quantity:
        position.target, position.stopped_out_of = None, position.target
    elif order.evaluation is not None:
        if after.quantity and order.evaluation.stop_price is not None:
            position.stop_price = order.evaluation.stop_price
        if told.quantity == order.remaining:  # a part of it did not reach the target
            position.target, position.stopped_out_of = order.evaluation.target, None
    position.quantity, position.cost, position.average_price = after.quantity, after.cost, after.average_price
    position.realised_pnl, position.fees, position.updated_at = after.realised, after.fees, at
    position.save()
    order.account.cash += execution.cash
    order.account.save(update_fields=["cash"])
    order.filled_quantity += told.quantity
    if order.filled_quantity == order.quantity:
        order.status = Status.FILLED
    elif order.status not in OVER | {Status.CANCELLING}:
        order.status = Status.PARTLY_FILLED
    order.venue_order_id = order.venue_order_id or told.venue_order_id
    order.accepted_at = order.accepted_at or at
    order.updated_at = at
    order.save(update_fields=["filled_quantity", "status", "venue_order_id", "accepted_at", "updated_at"])
    _record(order, fill, position, closed=before.quantity * signed < 0, at=at)
    snapshot(account=order.account, at=at, closed=closed)
    return fill


def is_booked(account: Account, told: VenueFill) -> bool:
    """Whether the execution is in the books. Venues number executions by instrument."""
    instrument = instrument_called(account, told.symbol)
    return Fill.objects.filter(account=account, instrument=instrument, venue_fill_id=told.venue_fill_id).exists()


def position_of(order: Order, at: datetime) -> Position:
    """The position that the order's fills belong to."""
    found = {"account": order.account, "instrument": order.instrument}
    if order.deployment is None:
        position, _ = Position.objects.get_or_create(deployment=None, **found, defaults={"updated_at": at})
    else:
        position, _ = Position.objects.get_or_create(deployment=order.deployment, defaults=found | {"updated_at": at})
    return position


def _fee(order: Order, told: VenueFill) -> tuple[Decimal, Decimal]:
    """What the fee is worth in the account's currency, and what of the bought coins it was taken from instead of cash.

    A fee in a third currency comes out of money that the account does not count: it is written down with the fill alone.
    """
    if told.fee_currency == order.account.currency:
        return money(told.fee), ZERO
    if told.fee_currency == order.instrument.base:
        return money(told.fee * told.price), told.fee
    return ZERO, ZERO


def _record(order: Order, fill: Fill, position: Position, *, closed: bool, at: datetime) -> None:
    record(
        account=order.account,
        type=events.ORDER_FILLED,
        payload=events.FillNews(
            order=str(order.public_id),
            fill=str(fill.public_id),
            **events.whose(order.deployment),
            instrument=order.instrument.ref,
            side=order.side,
            quantity=events.text(fill.quantity),
            price=events.text(fill.price),
            fee=events.text(fill.fee),
            realised_pnl=events.text(fill.realised_pnl),
            closed=closed,
            currency=order.account.currency,
        ),
        at=at,
        correlation_id=order.correlation_id,
        changed=(("order", order.pk), ("fill", fill.pk), ("position", position.pk)),
    )
