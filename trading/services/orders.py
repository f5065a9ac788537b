"""Writing orders down, giving them up, and believing what the venue says of them.

Nothing here touches the network. An order and the instruction to send it are one transaction; ``dispatch`` sends.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from trading import events, signals
from trading.brokers.protocol import State, VenueOrder
from trading.lifecycle import AT_VENUE, OPEN, OVER
from trading.models import Account, Deployment, Evaluation, Instruction, Order
from trading.services.journal import record

Status, Outcome = Order.Status, Instruction.Outcome

NAMESPACE: Final = uuid.UUID("6f1d8f0c-5a3b-4f1e-9b7d-2a0c4e8d1f35")
"""Of client order ids. Changing it would give the same decision another order."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why an order ended without being filled: a stable code and a sentence."""

    code: str
    reason: str


def client_id(*parts: object) -> str:
    """The client order id of what ``parts`` name: the same parts, the same id, on every machine and for ever."""
    return str(uuid.uuid5(NAMESPACE, "/".join(map(str, parts))))


def place_order(
    *,
    account: Account,
    deployment: Deployment | None,
    client_order_id: str,
    instrument_id: int,
    quantity: Decimal,
    reference_price: float,
    decided_at: datetime,
    correlation_id: uuid.UUID,
    at: datetime,
    purpose: str = Order.Purpose.SIGNAL,
    type: str = Order.Type.MARKET,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    time_in_force: str = Order.TimeInForce.GTC,
    good_till: datetime | None = None,
    evaluation: Evaluation | None = None,
) -> Order:
    """Write down an order for the signed ``quantity``, and that it is to be sent; after commit somebody is told to.

    The caller holds the account's lock. A second order of the same ``client_order_id`` is refused by the database.
    """
    order = Order.objects.create(
        account=account,
        deployment=deployment,
        evaluation=evaluation,
        purpose=purpose,
        client_order_id=client_order_id,
        instrument_id=instrument_id,
        side=Order.Side.BUY if quantity > 0 else Order.Side.SELL,
        type=type,
        quantity=abs(quantity),
        limit_price=limit_price,
        stop_price=stop_price,
        time_in_force=time_in_force,
        reference_price=reference_price,
        decided_at=decided_at,
        good_till=good_till,
        correlation_id=correlation_id,
        created_at=at,
        updated_at=at,
    )
    _instruct(order, Instruction.Kind.SUBMIT, at)
    record_order(order, events.ORDER_PLACED, at)
    return order


def open_orders(account_id: int) -> QuerySet[Order]:
    return Order.objects.filter(account=account_id, status__in=OPEN)


def give_up(order: Order, why: Why, *, at: datetime) -> bool:
    """End an order that is not wanted any more: at once where it was not sent, else by asking the venue.

    Whether it is over now. The caller holds the account's lock. A second call changes nothing.
    """
    if order.status in OVER:
        return True
    if order.status == Status.NEW:
        order.instructions.filter(outcome=Outcome.WAITING).update(outcome=Outcome.DROPPED, answered_at=at)
        end(order, Status.CANCELLED, why, at=at)
        return True
    if not order.instructions.filter(kind=Instruction.Kind.CANCEL, outcome__in=[Outcome.WAITING, Outcome.SENDING]).exists():
        order.reason_code, order.reason = why.code, why.reason[:300]
        order.save(update_fields=["reason_code", "reason"])
        _instruct(order, Instruction.Kind.CANCEL, at)
    return False


def give_up_all(deployment: Deployment, why: Why, *, at: datetime) -> bool:
    """``give_up`` every order of the deployment but those that protect what it holds; whether all are over."""
    working = open_orders(deployment.account_id).filter(deployment=deployment).exclude(purpose=Order.Purpose.STOP)
    over = True
    for order in working.select_for_update(of=("self",)).select_related("deployment", "instrument").order_by("pk"):
        order.account = deployment.account
        over = give_up(order, why, at=at) and over
    return over


def believe(order: Order, told: VenueOrder, *, at: datetime) -> Order:
    """Let ``order`` be what the venue shows. The caller holds the account's lock.

    Executions are booked from fills alone: an order that the venue calls filled is so here when its fills have come. What it
    called over stays over: older news that comes later changes nothing.
    """
    order.venue_order_id = order.venue_order_id or told.venue_order_id
    order.updated_at = at
    changed = ["venue_order_id", "updated_at"]
    if order.accepted_at is None and told.state is not State.REJECTED:
        order.accepted_at = at
        changed.append("accepted_at")
    order.save(update_fields=changed)
    match told.state:
        case State.REJECTED if order.status not in OVER:
            end(order, Status.REJECTED, Why(told.code or "venue-refused", told.reason or "The venue refused it."), at=at)
        case State.CANCELLED if order.status not in OVER:
            given = (
                Why(order.reason_code, order.reason) if order.reason_code else Why("cancelled-at-venue", "The venue ended it.")
            )
            end(order, Status.CANCELLED, given, at=at)
        case State.EXPIRED if order.status not in OVER:
            end(order, Status.EXPIRED, Why("expired", told.reason or "Its time was over."), at=at)
        case State.ACCEPTED | State.PARTLY_FILLED if order.status not in OVER - {Status.REJECTED}:
            waits = order.instructions.filter(kind=Instruction.Kind.CANCEL, outcome=Outcome.SENDING).exists()
            known = Status.PARTLY_FILLED if order.filled_quantity else Status.ACCEPTED
            _become(order, Status.CANCELLING if waits and order.status == Status.CANCELLING else known, at)
        case State.FILLED if order.status in {Status.SUBMITTING, Status.UNKNOWN}:
            _become(order, Status.PARTLY_FILLED if order.filled_quantity else Status.ACCEPTED, at)
    return order


def end(order: Order, status: str, why: Why, *, at: datetime) -> None:
    """The caller holds the account's lock, and the lifecycle allows it."""
    order.status, order.reason_code, order.reason, order.updated_at = status, why.code, why.reason[:300], at
    order.save(update_fields=["status", "reason_code", "reason", "updated_at"])
    order.instructions.filter(outcome=Outcome.WAITING).update(outcome=Outcome.DROPPED, answered_at=at)
    record_order(order, events.ENDED[order.status], at)
    if order.purpose == Order.Purpose.STOP and status == Status.REJECTED:
        _alarm(order, at)


def _alarm(order: Order, at: datetime) -> None:
    """A stop was refused: its position has no protection until another one is accepted."""
    record(
        account=order.account,
        type=events.PROTECTION_MISSING,
        payload=events.ProtectionNews(
            **events.whose(order.deployment),
            instrument=order.instrument.ref,
            quantity=events.text(order.quantity),
            stop_price=events.optional(order.stop_price),
            reason=order.reason,
        ),
        at=at,
        correlation_id=order.correlation_id,
    )


def doubt(order: Order, *, at: datetime) -> None:
    """Nobody knows what came of what was sent. The caller holds the account's lock."""
    if order.status in OPEN and order.status != Status.UNKNOWN:
        _become(order, Status.UNKNOWN, at)
        record_order(order, events.ORDER_UNKNOWN, at)


def _become(order: Order, status: str, at: datetime) -> None:
    if order.status == status:
        return
    began = order.status not in AT_VENUE
    order.status, order.updated_at = status, at
    order.save(update_fields=["status", "updated_at"])
    # A market order is filled in the same breath, and a stop is news only where the venue refuses it.
    is_news = order.type != Order.Type.MARKET and order.purpose != Order.Purpose.STOP
    if status == Status.ACCEPTED and began and is_news:
        record_order(order, events.ORDER_ACCEPTED, at)


def _instruct(order: Order, kind: str, at: datetime) -> None:
    Instruction.objects.create(account_id=order.account_id, order=order, kind=kind, created_at=at)
    tell = partial(signals.order_waiting.send_robust, sender=Order, account_id=order.account_id)
    transaction.on_commit(tell, robust=True)


def record_order(order: Order, type: str, at: datetime) -> None:
    record(
        account=order.account,
        type=type,
        payload=events.OrderNews(
            order=str(order.public_id),
            **events.whose(order.deployment),
            instrument=order.instrument.ref,
            side=order.side,
            quantity=events.text(order.quantity),
            code=order.reason_code,
            reason=order.reason,
            purpose=order.purpose,
            order_type=order.type,
            limit_price=events.optional(order.limit_price),
            stop_price=events.optional(order.stop_price),
        ),
        at=at,
        correlation_id=order.correlation_id,
        changed=(("order", order.pk),),
    )
