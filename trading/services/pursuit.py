"""From the exposure that a strategy wants to an order, a rejection, or nothing; again when what stood in the way is over.

What a deployment wants is the target of its newest evaluation. Going after it can take several steps: an earlier order must
end before another is sent, because nobody knows yet what it will have done. So ``pursue`` may be called at any time and
as often as one likes: it looks at what is held and what is under way, and takes the next step. The caller holds the account's
lock.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from marketdata.timeframes import Timeframe
from trading import events, selectors
from trading.models import Account, Deployment, Evaluation, Order, Position
from trading.risk import Proposal, Rejection, judge
from trading.services.exposure import limits_of, market_of, proposal_of, state_of, terms_of
from trading.services.journal import record
from trading.services.orders import Why, client_id, give_up, open_orders, place_order
from trading.sizing import wanted_quantity

Outcome = Evaluation.Outcome
ZERO: Final = Decimal(0)
CLOSING: Final = Why("closing", "The position is being closed.")
ASK_AGAIN_AFTER: Final = timedelta(seconds=5)
SUPERSEDED: Final = Why("superseded", "A newer bar was decided on before it was filled.")


def pursue(deployment: Deployment, evaluation: Evaluation, *, at: datetime) -> Evaluation:
    """Take the next step towards the evaluation's target, and save it with what became of it."""
    evaluation.outcome = Outcome.HOLD
    if not _way_is_free(deployment, evaluation, at):
        evaluation.outcome = Outcome.WAITING
        evaluation.save()
        return evaluation
    assert evaluation.target is not None
    target = Decimal(repr(evaluation.target))
    held = Position.objects.filter(deployment=deployment).values_list("quantity", flat=True).first() or ZERO
    # A target that stands is not traded again because price and equity moved: costs would eat what it corrects.
    if (target * held > 0 and target == _last_filled_target(deployment)) or (not target and not held):
        evaluation.save()
        return evaluation
    account, instrument = deployment.account, deployment.instrument
    market = selectors.market_price(instrument.pk)
    terms = terms_of(account, instrument)
    state = state_of(account, instrument, at=at)
    facts = market_of(deployment, market, at=at)
    if market is None:
        missing = Proposal(quantity=target or -held, held=held, price=ZERO, mark=ZERO, fee_rate=terms.fee_rate)
        verdict = judge(missing, state, limits_of(account), facts)
        return _reject(evaluation, missing, verdict.rejection, at)
    wanted = wanted_quantity(
        target=target,
        allocation=deployment.allocation,
        equity=state.equity,
        price=proposal_of(quantity=target or Decimal(1), held=held, market=market, terms=terms).mark,
        terms=terms,
    )
    if wanted == held:
        evaluation.save()
        return evaluation
    proposal = proposal_of(quantity=wanted - held, held=held, market=market, terms=terms)
    rejection = judge(proposal, state, limits_of(account), facts).rejection
    if rejection is not None and proposal.opening and proposal.closing:
        # Half of a reversal is forbidden; the other half still takes the deployment out of a position it does not want.
        _tell_rejection(evaluation, proposal, rejection, at)
        evaluation.reason_code, evaluation.reason = rejection.code, f"Closed only. {rejection.reason}"
        proposal = replace(proposal, quantity=-held)
        rejection = judge(proposal, state, limits_of(account), facts).rejection
    if rejection is not None:
        return _reject(evaluation, proposal, rejection, at)
    evaluation.outcome = Outcome.ORDERED
    evaluation.save()
    closed_at = evaluation.bar_time + _bar(deployment)
    place_order(
        account=account,
        deployment=deployment,
        evaluation=evaluation,
        client_order_id=client_id(deployment.public_id, int(evaluation.bar_time.timestamp()), evaluation.orders.count()),
        instrument_id=deployment.instrument_id,
        quantity=proposal.quantity,
        reference_price=evaluation.close or market.price,
        decided_at=closed_at,
        good_till=closed_at + _bar(deployment),
        correlation_id=evaluation.correlation_id,
        at=at,
    )
    return evaluation


def follow_up(*, account_id: int, at: datetime) -> bool:
    """Take the next step where what stood in the way is over; whether anything was done."""
    done = False
    closing = Deployment.objects.filter(account=account_id).exclude(flatten_asked_at=None)
    for pk in list(closing.order_by("pk").values_list("pk", flat=True)):
        done = _close_on(account_id, pk, at) or done
    waiting = Evaluation.objects.filter(
        deployment__account=account_id, outcome=Outcome.WAITING, deployment__status=Deployment.Status.RUNNING
    )
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        done = _go_on(account_id, pk, at) or done
    return done


def flatten(deployment: Deployment, *, at: datetime) -> bool:
    """Close what the deployment holds at market, once nothing else of it is under way; whether anything was done.

    The caller holds the account's lock and has written down that it was asked for.
    """
    held = Position.objects.filter(deployment=deployment).values_list("quantity", flat=True).first() or ZERO
    working = open_orders(deployment.account_id).filter(deployment=deployment)
    if not held and not working.exists():
        deployment.flatten_asked_at = None
        deployment.save(update_fields=["flatten_asked_at"])
        return True
    if working.filter(purpose=Order.Purpose.CLOSE).exists() or _closed_in_vain(deployment, at):
        return False
    free = True
    for order in working.select_for_update(of=("self",)).select_related("deployment", "instrument").order_by("pk"):
        order.account = deployment.account
        free = give_up(order, CLOSING, at=at) and free
    if not free or not held:
        return False
    market = selectors.market_price(deployment.instrument_id)
    average = Position.objects.values_list("average_price", flat=True).get(deployment=deployment)
    place_order(
        account=deployment.account,
        deployment=deployment,
        purpose=Order.Purpose.CLOSE,
        client_order_id=client_id(deployment.public_id, "close", deployment.orders.count()),
        instrument_id=deployment.instrument_id,
        quantity=-held,
        reference_price=market.price if market else float(average),
        decided_at=market.time if market else at,
        correlation_id=uuid.uuid4(),
        at=at,
    )
    return True


def _closed_in_vain(deployment: Deployment, at: datetime) -> bool:
    """Whether the venue refused to close it a moment ago: it is asked again, but not in a circle."""
    return deployment.orders.filter(
        purpose=Order.Purpose.CLOSE, status=Order.Status.REJECTED, updated_at__gt=at - ASK_AGAIN_AFTER
    ).exists()


@transaction.atomic
def _close_on(account_id: int, deployment_id: int, at: datetime) -> bool:
    account = Account.objects.select_for_update().get(pk=account_id)
    deployment = Deployment.objects.select_for_update(of=("self",)).select_related("instrument__venue").get(pk=deployment_id)
    deployment.account = account
    return deployment.flatten_asked_at is not None and flatten(deployment, at=at)


@transaction.atomic
def _go_on(account_id: int, evaluation_id: int, at: datetime) -> bool:
    account = Account.objects.select_for_update().get(pk=account_id)
    evaluation = Evaluation.objects.select_for_update(of=("self",)).get(pk=evaluation_id)
    deployment = (
        Deployment.objects.select_for_update(of=("self",)).select_related("instrument__venue").get(pk=evaluation.deployment_id)
    )
    evaluation.deployment, deployment.account = deployment, account
    if evaluation.outcome != Outcome.WAITING or not deployment.is_running:
        return False
    if late := why_late(deployment, evaluation.bar_time):
        evaluation.outcome, evaluation.reason_code, evaluation.reason = Outcome.SKIPPED, "late", late
        evaluation.save()
        return True
    return pursue(deployment, evaluation, at=at).outcome != Outcome.WAITING


def why_late(deployment: Deployment, bar_time: datetime) -> str:
    """Why a bar is no longer acted upon: a newer one closed, or should have."""
    newest = selectors.newest_bar_time(deployment.instrument_id, deployment.timeframe)
    if newest is not None and newest > bar_time:
        return "A newer bar had closed already."
    bar = _bar(deployment)
    market = selectors.market_price(deployment.instrument_id)
    # The market runs on while bars that were missed are being fetched. Two bars, not one: a quote may overtake the
    # candle.
    if market is not None and market.time >= bar_time + 3 * bar:
        return f"The market was {market.time - bar_time - bar} past the bar's close."
    return ""


def objection_before_sending(order: Order, *, at: datetime) -> Why | None:
    """Why an order that was written down is not sent any more: time has passed since it was decided on."""
    if order.good_till is None:
        return None
    market = selectors.market_price(order.instrument_id)
    if market is not None and market.time >= order.good_till:
        return Why("expired", "The next bar closed before the order could be sent.")
    return None


def _way_is_free(deployment: Deployment, evaluation: Evaluation, at: datetime) -> bool:
    """Whether nothing of the deployment is under way; what a newer decision replaces is given up."""
    free = True
    working = open_orders(deployment.account_id).filter(deployment=deployment).exclude(purpose=Order.Purpose.STOP)
    for order in working.select_for_update(of=("self",)).select_related("deployment", "instrument").order_by("pk"):
        order.account = deployment.account
        own = order.evaluation_id is not None and order.evaluation_id == evaluation.pk
        free = (not own and give_up(order, SUPERSEDED, at=at)) and free
    return free


def _bar(deployment: Deployment) -> timedelta:
    return timedelta(seconds=Timeframe.of(deployment.timeframe).seconds)


def _last_filled_target(deployment: Deployment) -> Decimal | None:
    """The exposure that the position was last traded to."""
    target = (
        Evaluation.objects.filter(deployment=deployment, orders__status=Order.Status.FILLED)
        .order_by("-bar_time")
        .values_list("target", flat=True)
        .first()
    )
    return None if target is None else Decimal(repr(target))


def _reject(evaluation: Evaluation, proposal: Proposal, rejection: Rejection | None, at: datetime) -> Evaluation:
    assert rejection is not None
    evaluation.reason_code, evaluation.reason = rejection.code, rejection.reason[:300]
    if rejection.code == "below-minimum":
        # Too small to trade is no news: the exposure is as near to what is wanted as the venue allows.
        evaluation.outcome = Outcome.HOLD
    else:
        evaluation.outcome = Outcome.REJECTED
        _tell_rejection(evaluation, proposal, rejection, at)
    evaluation.save()
    return evaluation


def _tell_rejection(evaluation: Evaluation, proposal: Proposal, rejection: Rejection, at: datetime) -> None:
    """Log a rejection, but not the same one bar after bar: each evaluation carries its own, the feed wants news."""
    deployment = evaluation.deployment
    before = (
        Evaluation.objects.filter(deployment=deployment, bar_time__lt=evaluation.bar_time)
        .order_by("-bar_time")
        .values_list("reason_code", flat=True)
        .first()
    )
    if before == rejection.code:
        return
    record(
        account=deployment.account,
        type=events.PROPOSAL_REJECTED,
        payload=events.RejectionNews(
            deployment=str(deployment.public_id),
            strategy=deployment.strategy,
            instrument=deployment.instrument.ref,
            timeframe=deployment.timeframe,
            bar_time=evaluation.bar_time.isoformat(),
            side=Order.Side.BUY if proposal.quantity > 0 else Order.Side.SELL,
            quantity=events.text(abs(proposal.quantity)),
            code=rejection.code,
            reason=rejection.reason,
        ),
        at=at,
        correlation_id=evaluation.correlation_id,
    )
