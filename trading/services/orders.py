"""Placing, cancelling and filling orders. A fill, its position, cash, order and events are one transaction."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.db import transaction

from marketdata.timeframes import Timeframe
from trading import events, selectors, signals
from trading.brokers import paper
from trading.models import Account, Deployment, Evaluation, Fill, Order, Position
from trading.positions import Execution, Holding
from trading.risk import Rejection
from trading.risk.rules import buying_power, short_allowed
from trading.services.exposure import limits_of, market_of, proposal_of, state_of, terms_of
from trading.services.journal import record
from trading.services.valuation import snapshot


def place_order(
    *,
    deployment: Deployment,
    client_order_id: str,
    quantity: Decimal,
    reference_price: float,
    correlation_id: uuid.UUID,
    at: datetime,
    evaluation: Evaluation | None = None,
) -> Order:
    """Write down a market order for the signed ``quantity``; after commit the broker works it.

    The caller holds the account's lock. A second order of the same ``client_order_id`` is refused by the database.
    """
    order = Order.objects.create(
        account=deployment.account,
        deployment=deployment,
        evaluation=evaluation,
        client_order_id=client_order_id,
        instrument=deployment.instrument,
        side=Order.Side.BUY if quantity > 0 else Order.Side.SELL,
        quantity=abs(quantity),
        reference_price=reference_price,
        correlation_id=correlation_id,
        created_at=at,
        updated_at=at,
    )
    _record(order, events.ORDER_PLACED, at)
    transaction.on_commit(partial(signals.order_waiting.send_robust, sender=Order, order_id=order.pk), robust=True)
    return order


def cancel_waiting(*, deployment: Deployment, code: str, reason: str, at: datetime) -> int:
    """Cancel the deployment's orders that are not filled yet. The caller holds the account's lock."""
    waiting = Order.objects.select_for_update(of=("self",)).select_related("deployment", "instrument", "account")
    cancelled = 0
    for order in waiting.filter(deployment=deployment, status=Order.Status.NEW).order_by("pk"):
        _close(order, Order.Status.CANCELLED, Rejection(code, reason), at)
        cancelled += 1
    return cancelled


@transaction.atomic
def work_order(*, order_id: int, at: datetime) -> Order:
    """Fill a waiting order if the market allows it. A second call changes nothing.

    The order waits while there is no fresh price from after its bar's close. It is cancelled once a whole further
    bar has passed, because what it was decided on is over, and rejected if its money is gone.
    """
    order = _lock(order_id)
    if order.status != Order.Status.NEW:
        return order
    account = order.account
    market = selectors.market_price(order.instrument_id)
    if market is None or not market.is_fresh(at, selectors.price_age_limit(order.instrument)):
        return order
    if order.evaluation is not None:
        bar = timedelta(seconds=Timeframe.of(order.deployment.timeframe).seconds)
        closed_at = order.evaluation.bar_time + bar
        if market.time < closed_at:
            return order
        if market.time >= closed_at + bar:
            reason = "The next bar closed before the order could be filled."
            return _close(order, Order.Status.CANCELLED, Rejection("expired", reason), at)
    terms = terms_of(account, order.instrument)
    execution = _execution(order, market)
    position = _position(order, at)
    proposal = proposal_of(quantity=execution.quantity, held=position.quantity, market=market, terms=terms)
    state = state_of(account, order.instrument, at=at, except_order=order.pk)
    # The price moved since the decision: what the account has is asked again; the owner's limits were for the decision.
    for rule in (short_allowed, buying_power):
        facts = market_of(order.deployment, market, at=at)
        if objection := rule(proposal, state, limits_of(account), facts):
            return _close(order, Order.Status.REJECTED, objection, at)
    return _fill(order, position, execution, market, at)


@transaction.atomic
def fill_at_last_price(*, order_id: int, at: datetime) -> Order:
    """Fill a waiting order at the last price there was, however old; without one it waits on. A second call changes nothing.

    For a venue that sends no other any more. The fill's ``market_time`` says of when its price is.
    """
    order = _lock(order_id)
    market = selectors.market_price(order.instrument_id)
    if order.status != Order.Status.NEW or market is None:
        return order
    return _fill(order, _position(order, at), _execution(order, market), market, at)


def _lock(order_id: int) -> Order:
    account_id = Order.objects.values_list("account_id", flat=True).get(pk=order_id)
    account = Account.objects.select_for_update().get(pk=account_id)
    order = (
        Order.objects.select_for_update(of=("self",))
        .select_related("deployment", "instrument__venue", "evaluation")
        .get(pk=order_id)
    )
    order.account = order.deployment.account = account
    return order


def _execution(order: Order, market: paper.MarketPrice) -> Execution:
    terms = terms_of(order.account, order.instrument)
    return paper.execute(market, buying=order.side == Order.Side.BUY, quantity=order.quantity, terms=terms)


def _position(order: Order, at: datetime) -> Position:
    position, _ = Position.objects.get_or_create(
        deployment=order.deployment,
        defaults={"account": order.account, "instrument": order.instrument, "updated_at": at},
    )
    return position


def _fill(order: Order, position: Position, execution: Execution, market: paper.MarketPrice, at: datetime) -> Order:
    account = order.account
    before = Holding(position.quantity, position.cost, position.realised_pnl, position.fees)
    after, realised = before.after(execution)
    fill = Fill.objects.create(
        order=order,
        account=account,
        deployment=order.deployment,
        instrument=order.instrument,
        venue_fill_id=f"paper-{order.client_order_id}",
        side=order.side,
        quantity=order.quantity,
        price=execution.price,
        fee=execution.fee,
        realised_pnl=realised,
        market_time=market.time,
        filled_at=at,
    )
    if not after.quantity:
        position.opened_at = None
    elif before.quantity * after.quantity <= 0:
        position.opened_at = at
    position.quantity, position.cost, position.average_price = after.quantity, after.cost, after.average_price
    position.realised_pnl, position.fees, position.updated_at = after.realised, after.fees, at
    position.save()
    account.cash += execution.cash
    account.save(update_fields=["cash"])
    order.status, order.updated_at = Order.Status.FILLED, at
    order.save(update_fields=["status", "updated_at"])
    record(
        account=account,
        type=events.ORDER_FILLED,
        payload=events.FillNews(
            order=str(order.public_id),
            fill=str(fill.public_id),
            deployment=str(order.deployment.public_id),
            strategy=order.deployment.strategy,
            instrument=order.instrument.ref,
            side=order.side,
            quantity=events.text(fill.quantity),
            price=events.text(fill.price),
            fee=events.text(fill.fee),
            realised_pnl=events.text(realised),
            closed=before.quantity * execution.quantity < 0,
            currency=account.currency,
        ),
        at=at,
        correlation_id=order.correlation_id,
        changed=(("order", order.pk), ("fill", fill.pk), ("position", position.pk)),
    )
    snapshot(account=account, at=at)
    return order


def _close(order: Order, status: Order.Status, why: Rejection, at: datetime) -> Order:
    order.status, order.reason_code, order.reason, order.updated_at = status, why.code, why.reason, at
    order.save(update_fields=["status", "reason_code", "reason", "updated_at"])
    type = events.ORDER_CANCELLED if status == Order.Status.CANCELLED else events.ORDER_REJECTED
    _record(order, type, at)
    return order


def _record(order: Order, type: str, at: datetime) -> None:
    record(
        account=order.account,
        type=type,
        payload=events.OrderNews(
            order=str(order.public_id),
            deployment=str(order.deployment.public_id),
            strategy=order.deployment.strategy,
            instrument=order.instrument.ref,
            side=order.side,
            quantity=events.text(order.quantity),
            code=order.reason_code,
            reason=order.reason,
        ),
        at=at,
        correlation_id=order.correlation_id,
        changed=(("order", order.pk),),
    )
