"""From the exposure that a strategy wants to an order, a rejection, or nothing; again when what stood in the way is over.

What a deployment wants is the target of its newest evaluation. Going after it can take several steps: an earlier order must
end before another is sent, because nobody knows yet what it will have done. So ``pursue`` may be called at any time and
as often as one likes: it looks at what is held and what is under way, and takes the next step. The caller holds the account's
lock.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Final

from django.db import transaction

from marketdata.timeframes import Timeframe
from trading import events, selectors
from trading.brokers.paper.pricing import MarketPrice
from trading.models import Account, Deployment, Evaluation, Order, Position
from trading.prices import on_grid
from trading.risk.checks import judge
from trading.risk.findings import Finding
from trading.risk.situation import Proposal
from trading.risk.sizing import Wish, size
from trading.risk.states import TradingState, strictest
from trading.services import panic, protection
from trading.services.breakers import watch
from trading.services.exposure import Standing, breakers_of, platform_state, proposal_of, terms_of
from trading.services.journal import record
from trading.services.orders import Why, client_id, give_up, open_orders, place_order
from trading.sizing import Terms

Outcome = Evaluation.Outcome
ZERO: Final = Decimal(0)

SIGNAL_THRESHOLD: Final = Decimal("0.25")
"""The exposure from which a signal counts, where the risk appetite is so low that weak ones are left alone."""

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
    position = Position.objects.filter(deployment=deployment).first()
    if (stands := standing(position, evaluation.target)) is not None:
        evaluation.reason_code = stands
        evaluation.save()
        return evaluation
    target, held = Decimal(repr(evaluation.target)), position.quantity if position else ZERO
    account, instrument = deployment.account, deployment.instrument
    market = selectors.market_price(instrument.pk)
    terms, now = terms_of(account, instrument), Standing(account, at)
    watch(account, now.valued, at=at)  # a new day may have begun, or the price moved since the account was last valued
    profile, situation = account.risk_profile, now.situation(deployment, instrument, market)
    if market is None:
        missing = proposal_of(quantity=on_grid(target or -held, terms.lot, ROUND_UP), held=held, market=None, terms=terms)
        return _reject(evaluation, missing, judge(missing, situation, profile).rejection, at)
    wanted = ZERO
    if target:
        sized = size(_wish(deployment, evaluation, target, market, terms), now.room(deployment, instrument), profile)
        wanted, evaluation.bound_by, evaluation.stop_price = sized.quantity, sized.bound_by, sized.stop
    if wanted == held:
        evaluation.save()
        return evaluation
    stop = evaluation.stop_price if wanted else None
    proposal = proposal_of(quantity=wanted - held, held=held, market=market, terms=terms, stop=stop)
    rejection = judge(proposal, situation, profile).rejection
    if rejection is not None and proposal.is_reversal:
        # Half of a reversal is forbidden; the other half still takes the deployment out of a position it does not want.
        _tell_rejection(evaluation, proposal, rejection, at)
        evaluation.reason_code, evaluation.reason = rejection.code, f"Closed only. {rejection.sentence}"[:300]
        proposal = proposal.closing_half()
        rejection = judge(proposal, situation, profile).rejection
    if rejection is not None:
        return _reject(evaluation, proposal, rejection, at)
    if proposal.closing and not _unprotected(deployment, at):
        evaluation.outcome = Outcome.WAITING  # its stop would sell it a second time
        evaluation.save()
        return evaluation
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


def standing(position: Position | None, target: float) -> str | None:
    """Why there is nothing to do for ``target``: a code, empty for what needs no word; None where there is something."""
    held = position.quantity if position else ZERO
    if not target and not held:
        return ""
    # A target that stands is not traded again because price and equity moved: costs would eat what it corrects.
    if position is not None and Decimal(repr(target)) * held > 0 and target == position.target:
        return ""
    # Nor after its stop took it out: the strategy must have wanted something else in between, as in a backtest.
    if position is not None and not held and position.stopped_out_of == target:
        return "stopped-out"
    return None


def _wish(deployment: Deployment, evaluation: Evaluation, target: Decimal, market: MarketPrice, terms: Terms) -> Wish:
    proposal = proposal_of(quantity=target, held=ZERO, market=market, terms=terms)
    scale = deployment.account.risk_profile.signal_scale
    return Wish(
        target=target,
        allocation=deployment.allocation,
        price=proposal.price,
        mark=proposal.mark,
        fee_rate=terms.fee_rate,
        tick=terms.tick,
        lot=terms.lot,
        threshold=SIGNAL_THRESHOLD if scale > 1 else ZERO,
        atr=_decimal(evaluation.atr),
        stop=_decimal(evaluation.wanted_stop),
    )


def _decimal(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(repr(number))


def _unprotected(deployment: Deployment, at: datetime) -> bool:
    """Whether no stop of the deployment works any more; those that do are given up."""
    stops = open_orders(deployment.account_id).filter(deployment=deployment, purpose=Order.Purpose.STOP)
    free = True
    for order in stops.select_for_update(of=("self",)).select_related("deployment", "instrument").order_by("pk"):
        order.account = deployment.account
        free = give_up(order, CLOSING, at=at) and free
    return free


def follow_up(*, account_id: int, at: datetime) -> bool:
    """Take the next step where what stood in the way is over; whether anything was done."""
    done = panic.go_on(account_id=account_id, at=at)
    closing = Deployment.objects.filter(account=account_id).exclude(flatten_asked_at=None)
    for pk in list(closing.order_by("pk").values_list("pk", flat=True)):
        done = _close_on(account_id, pk, at) or done
    waiting = Evaluation.objects.filter(
        deployment__account=account_id, outcome=Outcome.WAITING, deployment__status=Deployment.Status.RUNNING
    )
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        done = _go_on(account_id, pk, at) or done
    return protection.protect_all(account_id=account_id, at=at) or done


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
    if order.purpose not in {Order.Purpose.STOP, Order.Purpose.PANIC} and (why := _no_longer_allowed(order)):
        return why
    if order.good_till is None:
        return None
    market = selectors.market_price(order.instrument_id)
    if market is not None and market.time >= order.good_till:
        return Why("expired", "The next bar closed before the order could be sent.")
    return None


def _no_longer_allowed(order: Order) -> Why | None:
    """Whether trading was restricted between the decision and now. What closes is let through, except where all is halted."""
    states = [TradingState(order.account.state), platform_state()]
    if order.deployment is not None:
        states.append(TradingState(order.deployment.state))
    state = strictest(*states)
    breakers = breakers_of(order.account)
    if state is TradingState.HALTED:
        return Why("halted", "Trading was halted before the order was sent.")
    held = Position.objects.filter(deployment=order.deployment, account=order.account, instrument=order.instrument)
    quantity = held.values_list("quantity", flat=True).first() or ZERO
    opens = quantity * order.signed_remaining >= 0 or abs(order.signed_remaining) > abs(quantity)
    if not opens:
        return None
    if state is TradingState.REDUCE_ONLY:
        return Why("reduce-only", "Only closing was allowed when the order was to be sent.")
    if breakers.trips:
        return Why(f"breaker-{breakers.trips[0].breaker.value}", "A circuit breaker tripped before the order was sent.")
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


def _reject(evaluation: Evaluation, proposal: Proposal, rejection: Finding | None, at: datetime) -> Evaluation:
    assert rejection is not None
    evaluation.reason_code, evaluation.reason = rejection.code, rejection.sentence[:300]
    if rejection.code == "below-minimum":
        # Too small to trade is no news: the exposure is as near to what is wanted as the venue allows.
        evaluation.outcome = Outcome.HOLD
    else:
        evaluation.outcome = Outcome.REJECTED
        _tell_rejection(evaluation, proposal, rejection, at)
    evaluation.save()
    return evaluation


def _tell_rejection(evaluation: Evaluation, proposal: Proposal, rejection: Finding, at: datetime) -> None:
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
            reason=rejection.sentence,
            finding=rejection.to_json(),
        ),
        at=at,
        correlation_id=evaluation.correlation_id,
    )
