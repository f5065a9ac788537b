"""One deployment looks at one closed bar, once: strategy → proposal → risk check → order.

The key is (deployment, bar time). The strategy is asked before any lock is taken, because it is pure and may take
long; then, under the account's lock, the key is looked up again and everything is decided and written in one
transaction. Whoever comes second, at the same moment or after a restart, finds the key and stops.
"""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Max

from trading import events, selectors, signals
from trading.models import Account, Deployment, Evaluation
from trading.services.answers import Answer, ask
from trading.services.journal import record
from trading.services.orders import Why, give_up_all
from trading.services.pursuit import pursue, why_late

Outcome = Evaluation.Outcome
NOT_BEGUN = (Outcome.SKIPPED, Outcome.WARMING_UP)


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


@transaction.atomic
def decide(*, deployment_id: int, bar_time: datetime, answer: Answer, at: datetime) -> Evaluation | None:
    """Write down what follows from ``answer``, unless the bar was decided on meanwhile."""
    deployment = _lock(deployment_id)
    if not _awaits(deployment, bar_time):
        return None
    evaluation = _act(deployment, bar_time=bar_time, answer=answer, at=at)
    news = {"account_id": deployment.account_id, "evaluation_id": evaluation.pk}
    transaction.on_commit(partial(signals.bar_looked_at.send_robust, sender=Evaluation, **news), robust=True)
    return evaluation


def _act(deployment: Deployment, *, bar_time: datetime, answer: Answer, at: datetime) -> Evaluation:
    _record_passed(deployment, before=bar_time, at=at)
    evaluation = Evaluation(
        deployment=deployment,
        bar_time=bar_time,
        evaluated_at=at,
        target=answer.target,
        close=None if math.isnan(answer.close) else answer.close,
        atr=answer.atr,
        wanted_stop=answer.stop,
        outcome=answer.outcome,
        reason_code=answer.code,
        reason=answer.reason[:300],
        correlation_id=uuid.uuid4(),
    )
    if late := why_late(deployment, bar_time):
        evaluation.outcome, evaluation.reason_code, evaluation.reason = Outcome.SKIPPED, "late", late
    elif answer.outcome == Outcome.FAILED:
        _fail(deployment, evaluation, at)
    elif answer.target is not None:
        return pursue(deployment, evaluation, at=at)
    evaluation.save()
    return evaluation


def _awaits(deployment: Deployment, bar_time: datetime) -> bool:
    if not deployment.is_running:
        return False
    if deployment.starts_after is not None and bar_time <= deployment.starts_after:
        return False
    return not Evaluation.objects.filter(deployment=deployment, bar_time__gte=bar_time).exists()


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
    begun = Evaluation.objects.filter(deployment=deployment, bar_time__lt=before).exclude(outcome__in=NOT_BEGUN).exists()
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
    if not begun:  # the first bars come while history is being fetched: it has not begun, and nobody need be warned
        return len(passed)
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


def _fail(deployment: Deployment, evaluation: Evaluation, at: datetime) -> None:
    """Stop a deployment whose strategy cannot answer. What it holds stays; its owner decides."""
    give_up_all(deployment, Why("failed", "The deployment failed."), at=at)
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
