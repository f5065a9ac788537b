"""One deployment looks at one closed bar, once: strategy → proposal → risk check → order.

The key is (deployment, bar time). The strategy is asked before any lock is taken, because it is pure and may take
long; then, under the account's lock, the key is looked up again and everything is decided and written in one
transaction. Whoever comes second, at the same moment or after a restart, finds the key and stops.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Max

from clusterx.errors import DomainError
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe
from strategies import contract, library
from trading import events, selectors
from trading.models import Account, Deployment, Evaluation, Order, Position
from trading.risk import Proposal, Rejection, judge
from trading.services.exposure import limits_of, market_of, proposal_of, state_of, terms_of
from trading.services.journal import record
from trading.services.orders import cancel_waiting, place_order
from trading.sizing import wanted_quantity

Outcome = Evaluation.Outcome
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the strategy said about a bar: the exposure it wants, or why it has no say (``outcome`` is set then)."""

    close: float
    target: float | None = None
    outcome: str = ""
    code: str = ""
    reason: str = ""


def evaluate(*, deployment_id: int, bar_time: datetime, at: datetime) -> Evaluation | None:
    """Look at the bar that opened at ``bar_time`` and act on it if it is the newest.

    Returns the evaluation, or None where there was nothing to do: the deployment has looked at this bar or a later
    one, is not running, was started after the bar, or the bar is not stored.
    """
    deployment = Deployment.objects.select_related("instrument__venue").get(pk=deployment_id)
    if not _awaits(deployment, bar_time):
        return None
    answer = ask(deployment, bar_time)
    if answer is None:
        return None
    return decide(deployment_id=deployment_id, bar_time=bar_time, answer=answer, at=at)


def ask(deployment: Deployment, bar_time: datetime) -> Answer | None:
    """The strategy's answer for the bar, or None if the bar is not stored."""
    timeframe = Timeframe.of(deployment.timeframe)
    opened = int(bar_time.timestamp())
    try:
        strategy = library.get(deployment.strategy)
        parameters = contract.read(strategy, deployment.parameters)
    except DomainError as error:
        return Answer(math.nan, outcome=Outcome.FAILED, code=error.code, reason=error.message)
    history = strategy.history(parameters)
    bars = BarStore().read(deployment.instrument_id, deployment.timeframe, end=opened + timeframe.seconds, limit=history)
    if not len(bars) or bars.time[-1] != opened:
        return None
    close = float(bars.close[-1])
    if len(bars) < history:
        reason = f"{len(bars)} of {history} bars are there."
        return Answer(close, outcome=Outcome.WARMING_UP, code="not-enough-history", reason=reason)
    first = datetime.fromtimestamp(int(bars.time[0]), UTC)
    if selectors.has_open_gap(deployment.instrument_id, deployment.timeframe, first, bar_time):
        reason = "Bars are missing in the history and are being asked for."
        return Answer(close, outcome=Outcome.WARMING_UP, code="open-gap", reason=reason)
    try:
        target = float(strategy.signals(bars, parameters)[-1])
    except Exception as error:
        # Whatever a strategy raises is the strategy's failure and stops this deployment alone.
        return Answer(close, outcome=Outcome.FAILED, code="strategy-raised", reason=f"{type(error).__name__}: {error}")
    if not -1 <= target <= 1:
        reason = f"The exposure must be -1..1, was {target}."
        return Answer(close, outcome=Outcome.FAILED, code="strategy-exposure", reason=reason)
    return Answer(close, target=target)


@transaction.atomic
def decide(*, deployment_id: int, bar_time: datetime, answer: Answer, at: datetime) -> Evaluation | None:
    """Write down what follows from ``answer``, unless the bar was decided on meanwhile."""
    deployment = _lock(deployment_id)
    if not _awaits(deployment, bar_time):
        return None
    _record_passed(deployment, before=bar_time, at=at)
    evaluation = Evaluation(
        deployment=deployment,
        bar_time=bar_time,
        evaluated_at=at,
        target=answer.target,
        outcome=answer.outcome,
        reason_code=answer.code,
        reason=answer.reason[:300],
        correlation_id=uuid.uuid4(),
    )
    if late := _why_late(deployment, bar_time):
        evaluation.outcome, evaluation.reason_code, evaluation.reason = Outcome.SKIPPED, "late", late
    elif answer.outcome == Outcome.FAILED:
        _fail(deployment, evaluation, at)
    elif answer.target is not None:
        return _act(deployment, evaluation, answer, at)
    evaluation.save()
    return evaluation


def _awaits(deployment: Deployment, bar_time: datetime) -> bool:
    if not deployment.is_running:
        return False
    if deployment.starts_after is not None and bar_time <= deployment.starts_after:
        return False
    return not Evaluation.objects.filter(deployment=deployment, bar_time__gte=bar_time).exists()


def _why_late(deployment: Deployment, bar_time: datetime) -> str:
    """Why a bar is no longer acted upon: a newer one closed, or should have."""
    newest = selectors.newest_bar_time(deployment.instrument_id, deployment.timeframe)
    if newest is not None and newest > bar_time:
        return "A newer bar had closed already."
    bar = timedelta(seconds=Timeframe.of(deployment.timeframe).seconds)
    market = selectors.market_price(deployment.instrument_id)
    # The market runs on while bars that were missed are being fetched. Two bars, not one: a quote may overtake the
    # candle.
    if market is not None and market.time >= bar_time + 3 * bar:
        return f"The market was {market.time - bar_time - bar} past the bar's close."
    return ""


@transaction.atomic
def record_passed(*, deployment_id: int, at: datetime) -> int:
    """Write down stored bars older than the newest evaluation that were never looked at; how many there were.

    They come when what was missed is fetched after a newer bar was acted upon.
    """
    deployment = _lock(deployment_id)
    last = Evaluation.objects.filter(deployment=deployment).aggregate(last=Max("bar_time"))["last"]
    return _record_passed(deployment, before=last, at=at) if last is not None else 0


def _lock(deployment_id: int) -> Deployment:
    account_id = Deployment.objects.values_list("account_id", flat=True).get(pk=deployment_id)
    account = Account.objects.select_for_update().get(pk=account_id)
    deployment = Deployment.objects.select_for_update(of=("self",)).select_related("instrument__venue").get(pk=deployment_id)
    deployment.account = account
    return deployment


def _record_passed(deployment: Deployment, *, before: datetime, at: datetime) -> int:
    """Write down the bars before ``before`` that nobody looked at, so that the record has no hole."""
    passed = selectors.bars_without_evaluation(deployment, before=before)
    if not passed:
        return 0
    correlation_id = uuid.uuid4()
    Evaluation.objects.bulk_create(
        [
            Evaluation(
                deployment=deployment,
                bar_time=moment,
                evaluated_at=at,
                outcome=Outcome.SKIPPED,
                reason_code="missed",
                reason="Nobody looked at it while it was the newest.",
                correlation_id=correlation_id,
            )
            for moment in passed
        ],
        batch_size=1000,
    )
    record(
        account=deployment.account,
        type=events.BARS_SKIPPED,
        payload=events.SkippedNews(
            deployment=str(deployment.public_id),
            strategy=deployment.strategy,
            instrument=deployment.instrument.ref,
            timeframe=deployment.timeframe,
            bars=len(passed),
            first=passed[0].isoformat(),
            last=passed[-1].isoformat(),
        ),
        at=at,
        correlation_id=correlation_id,
    )
    return len(passed)


def _act(deployment: Deployment, evaluation: Evaluation, answer: Answer, at: datetime) -> Evaluation:
    """From the exposure wanted to an order, a rejection, or nothing. Holds the locks."""
    cancel_waiting(deployment=deployment, code="superseded", reason="A newer bar was decided on before it was filled.", at=at)
    account, instrument = deployment.account, deployment.instrument
    target = Decimal(repr(answer.target))
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
        reference_price=answer.close,
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


def _fail(deployment: Deployment, evaluation: Evaluation, at: datetime) -> None:
    """Stop a deployment whose strategy cannot answer. What it holds stays; its owner decides."""
    cancel_waiting(deployment=deployment, code="failed", reason="The deployment failed.", at=at)
    deployment.status, deployment.status_reason, deployment.stopped_at = (
        Deployment.Status.FAILED,
        evaluation.reason,
        at,
    )
    deployment.save(update_fields=["status", "status_reason", "stopped_at"])
    record(
        account=deployment.account,
        type=events.DEPLOYMENT_FAILED,
        payload=events.DeploymentNews(
            deployment=str(deployment.public_id),
            strategy=deployment.strategy,
            instrument=deployment.instrument.ref,
            timeframe=deployment.timeframe,
            reason=evaluation.reason,
        ),
        at=at,
        correlation_id=evaluation.correlation_id,
        changed=(("deployment", deployment.pk),),
    )
