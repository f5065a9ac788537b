"""From the exposure that a strategy wants to an order, a rejection, or nothing. The caller holds the account's lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from trading import events, selectors
from trading.models import Deployment, Evaluation, Order, Position
from trading.risk import Proposal, Rejection, judge
from trading.services.exposure import limits_of, market_of, proposal_of, state_of, terms_of
from trading.services.journal import record
from trading.services.orders import cancel_waiting, place_order
from trading.sizing import wanted_quantity

Outcome = Evaluation.Outcome
ZERO: Final = Decimal(0)


def pursue(deployment: Deployment, evaluation: Evaluation, *, exposure: float, close: float, at: datetime) -> Evaluation:
    """Go after ``exposure``, decided on a bar that closed at ``close``, and save the evaluation with what became of it."""
    cancel_waiting(deployment=deployment, code="superseded", reason="A newer bar was decided on before it was filled.", at=at)
    account, instrument = deployment.account, deployment.instrument
    target = Decimal(repr(exposure))
    held = Position.objects.filter(deployment=deployment).values_list("quantity", flat=True).first() or ZERO
    evaluation.outcome = Outcome.HOLD
    # A target that stands is not traded again because price and equity moved: costs would eat what it corrects.
    if (target * held > 0 and target == _last_filled_target(deployment)) or (not target and not held):
        evaluation.save()
        return evaluation
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
    place_order(
        deployment=deployment,
        evaluation=evaluation,
        client_order_id=f"{deployment.public_id.hex}-{int(evaluation.bar_time.timestamp())}",
        quantity=proposal.quantity,
        reference_price=close,
        correlation_id=evaluation.correlation_id,
        at=at,
    )
    return evaluation


def _last_filled_target(deployment: Deployment) -> Decimal | None:
    """The exposure that the position was last traded to."""
    target = (
        Evaluation.objects.filter(deployment=deployment, order__status=Order.Status.FILLED)
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
