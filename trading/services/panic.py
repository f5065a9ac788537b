"""Out of everything, now: the account is halted, its orders are cancelled, its positions closed at market.

It asks for no price: where the feed is down the orders go out all the same ("blind liquidation"). What was begun is written
down and goes on over restarts until nothing is left, step by step, for everybody to see.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN
from functools import partial
from typing import Final

from django.db import transaction

from clusterx.accounts.models import User
from trading import events, selectors, signals
from trading.lifecycle import OPEN
from trading.models import Account, Deployment, Evaluation, Order, Panic, Position
from trading.prices import on_grid
from trading.services.journal import record
from trading.services.locks import lock_account
from trading.services.orders import Why, client_id, give_up, place_order
from trading.services.states import restrict

WHY: Final = Why("panic", "The panic button was pressed.")
ASK_AGAIN_AFTER: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that panic does: to which order or position, and how far it is. ``state`` is waiting, done or failed."""

    what: str
    subject: str
    quantity: str
    state: str
    reason: str = ""


@transaction.atomic
def panic(*, account_id: int, reason: str, at: datetime, actor: User | None) -> Panic:
    """Begin to get out of everything. Pressed again while it is under way, it is the same panic."""
    account = lock_account(account_id)
    begun = Panic.objects.filter(account=account, done_at=None).first()
    if begun is not None:
        return begun
    begun = Panic.objects.create(account=account, started_at=at, started_by=actor, reason=reason[:300])
    restrict(account, Account.State.HALTED, code="panic", reason=reason or WHY.reason, at=at)
    stopped = Deployment.objects.filter(account=account, status=Deployment.Status.RUNNING)
    stopped.update(status=Deployment.Status.STOPPED, stopped_at=at, status_reason=WHY.reason)
    Deployment.objects.filter(account=account).exclude(flatten_asked_at=None).update(flatten_asked_at=None)
    waiting = Evaluation.objects.filter(deployment__account=account, outcome=Evaluation.Outcome.WAITING)
    waiting.update(outcome=Evaluation.Outcome.SKIPPED, reason_code=WHY.code, reason=WHY.reason)
    payload = events.PanicNews(str(begun.pk), reason[:300])
    record(account=account, type=events.PANIC_STARTED, payload=payload, at=at, actor=actor)
    _step(account, begun, at)
    if begun.done_at is None:
        # Also where nothing new is to be sent: an order whose cancellation was asked for before is looked at now, not later.
        tell = partial(signals.order_waiting.send_robust, sender=Panic, account_id=account.pk)
        transaction.on_commit(tell, robust=True)
    return begun


def go_on(*, account_id: int, at: datetime) -> bool:
    """Take the next step of a panic that is under way; whether anything was done."""
    if not Panic.objects.filter(account=account_id, done_at=None).exists():
        return False
    with transaction.atomic():
        account = lock_account(account_id)
        begun = Panic.objects.select_for_update().filter(account=account, done_at=None).first()
        return begun is not None and _step(account, begun, at)


def _step(account: Account, begun: Panic, at: datetime) -> bool:
    working = Order.objects.filter(account=account, status__in=OPEN).exclude(purpose=Order.Purpose.PANIC)
    for order in working.select_for_update(of=("self",)).select_related("deployment", "instrument").order_by("pk"):
        order.account = account
        give_up(order, WHY, at=at)
    done = False
    left = False
    held = Position.objects.filter(account=account).exclude(quantity=0).select_related("deployment", "instrument")
    for position in held.order_by("pk"):
        size = on_grid(abs(position.quantity), position.instrument.lot_size, ROUND_DOWN)
        if not size:
            continue  # less than can be traded
        left = True
        mine = Order.objects.filter(account=account, deployment=position.deployment, instrument=position.instrument)
        if mine.filter(status__in=OPEN).exists():
            continue  # nobody knows yet what it will have sold
        closing = mine.filter(purpose=Order.Purpose.PANIC, created_at__gte=begun.started_at)
        if closing.filter(status=Order.Status.REJECTED, updated_at__gt=at - ASK_AGAIN_AFTER).exists():
            continue
        market = selectors.market_price(position.instrument_id)
        place_order(
            account=account,
            deployment=position.deployment,
            purpose=Order.Purpose.PANIC,
            client_order_id=client_id(account.public_id, "panic", begun.pk, position.pk, closing.count()),
            instrument_id=position.instrument_id,
            quantity=-size if position.quantity > 0 else size,
            reference_price=market.price if market else float(position.average_price),
            decided_at=at,
            correlation_id=uuid.uuid5(uuid.NAMESPACE_OID, f"panic/{begun.pk}"),
            at=at,
        )
        done = True
    if not left and not Order.objects.filter(account=account, status__in=OPEN).exists():
        begun.done_at = at
        begun.save(update_fields=["done_at"])
        record(account=account, type=events.PANIC_DONE, payload=events.PanicNews(str(begun.pk), begun.reason), at=at)
        return True
    return done


def steps(begun: Panic) -> list[Step]:
    """What was done and what is left, for people."""
    touched = Order.objects.filter(account=begun.account).select_related("instrument", "deployment")
    told = []
    for order in touched.filter(reason_code=WHY.code, updated_at__gte=begun.started_at).exclude(purpose=Order.Purpose.PANIC):
        state = "done" if order.is_over else "waiting"
        told.append(Step("cancel", order.instrument.ref, events.text(order.quantity), state, order.get_status_display()))
    closing = touched.filter(purpose=Order.Purpose.PANIC, created_at__gte=begun.started_at)
    for order in closing.order_by("pk"):
        state = {"filled": "done", "rejected": "failed"}.get(order.status, "waiting")
        told.append(Step("close", order.instrument.ref, events.text(order.quantity), state, order.reason))
    return told
