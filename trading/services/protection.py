"""Every open position of a deployment has a stop order at the venue, as large as the position; or an alarm.

The stop is an order like another, so it works while all of our processes are down. It follows the position: a fill changes
what it must cover, and it goes when the position is gone. Before a position is closed on purpose its stop is cancelled, because
both would sell it.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Final

from django.db import transaction

from trading import selectors
from trading.lifecycle import OPEN
from trading.models import Account, Order, Position
from trading.prices import on_grid
from trading.services.orders import Why, client_id, give_up, place_order

MOVED: Final = Why("protection-moved", "The position it protected has changed.")
ASK_AGAIN_AFTER: Final = timedelta(seconds=5)


def protect_all(*, account_id: int, at: datetime) -> bool:
    """See to it that every stop is as its position needs it; whether anything was done."""
    done = False
    for pk in _to_look_at(account_id):
        done = _protect(account_id, pk, at) or done
    return done


def _to_look_at(account_id: int) -> list[int]:
    """Positions with a stop price or a stop order."""
    stops = Order.objects.filter(account=account_id, purpose=Order.Purpose.STOP, status__in=OPEN).values("deployment")
    positions = Position.objects.filter(account=account_id).exclude(deployment=None)
    held = positions.exclude(quantity=0).exclude(stop_price=None) | positions.filter(deployment__in=stops)
    return list(held.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def _protect(account_id: int, position_id: int, at: datetime) -> bool:
    account = Account.objects.select_for_update().get(pk=account_id)
    position = Position.objects.select_related("deployment", "instrument__venue").get(pk=position_id)
    working = Order.objects.filter(account=account, deployment=position.deployment, status__in=OPEN)
    if working.exclude(purpose=Order.Purpose.STOP).exists() or position.deployment.flatten_asked_at:  # type: ignore[union-attr]
        return False  # what is under way decides what there will be to protect
    wanted = _wanted(position)
    free, done = True, False
    for order in working.select_for_update(of=("self",)).select_related("deployment", "instrument").order_by("pk"):
        order.account = account
        if wanted is not None and (order.signed_remaining, order.stop_price) == wanted and order.status != "cancelling":
            wanted = None
            continue
        free = give_up(order, MOVED, at=at) and free
        done = True
    if wanted is None or not free or _refused_just_now(position, at):
        return done
    quantity, price = wanted
    market = selectors.market_price(position.instrument_id)
    place_order(
        account=account,
        deployment=position.deployment,
        purpose=Order.Purpose.STOP,
        type=Order.Type.STOP,
        client_order_id=client_id(position.deployment.public_id, "stop", position.deployment.orders.count()),  # type: ignore[union-attr]
        instrument_id=position.instrument_id,
        quantity=quantity,
        stop_price=price,
        reference_price=market.price if market else float(position.average_price),
        decided_at=market.time if market else at,
        correlation_id=uuid.uuid4(),
        at=at,
    )
    return True


def _wanted(position: Position) -> tuple[Decimal, Decimal] | None:
    """The signed quantity and the price of the stop that the position needs; None where it needs none."""
    if not position.quantity or position.stop_price is None:
        return None
    size = on_grid(abs(position.quantity), position.instrument.lot_size, ROUND_DOWN)
    return (-size if position.quantity > 0 else size, position.stop_price) if size else None


def _refused_just_now(position: Position, at: datetime) -> bool:
    """Whether the venue refused the stop a moment ago: then there is an alarm, and it is asked again in a while."""
    refused = (
        Order.objects.filter(deployment=position.deployment, purpose=Order.Purpose.STOP, status=Order.Status.REJECTED)
        .order_by("-pk")
        .first()
    )
    if refused is None or refused.updated_at <= at - ASK_AGAIN_AFTER:
        return False
    newest = Order.objects.filter(deployment=position.deployment).order_by("-pk").first()
    return newest == refused
