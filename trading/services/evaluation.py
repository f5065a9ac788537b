"""Deployments look at a closed bar, each once: strategy → target → the next step towards it.

The key is (deployment, bar time). Strategies are asked before any lock is taken, because they are pure and may take long, and
all that look at one bar share what is read of it. Then, for each account, under its lock, the keys are looked up again and
everything is decided and written in one transaction. Whoever comes second, at the same moment or after a restart, finds the key
and stops.
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Max

from marketdata.timeframes import Timeframe
from trading import events, selectors, signals
from trading.lifecycle import OPEN
from trading.models import Account, Deployment, Evaluation, Order, Position
from trading.services.answers import Answer, Closed, ask
from trading.services.journal import record
from trading.services.orders import Why, give_up_all
from trading.services.pursuit import pursue, standing, why_late

Outcome = Evaluation.Outcome
NOT_BEGUN = (Outcome.SKIPPED, Outcome.WARMING_UP)


def evaluate(*, deployment_id: int, bar_time: datetime, at: datetime) -> Evaluation | None:
    """Let one deployment look at the bar that opened at ``bar_time`` and act on it if it is the newest.

    Returns the evaluation, or None where there was nothing to do: the deployment has looked at this bar or a later
    one, is not running, was started after the bar, or the bar is not stored.
    """
    return next(iter(evaluate_all(deployment_ids=[deployment_id], bar_time=bar_time, at=at)), None)


def evaluate_all(*, deployment_ids: Iterable[int], bar_time: datetime, at: datetime) -> list[Evaluation]:
    """``evaluate`` for deployments on the same instrument and timeframe; the evaluations that were made."""
    rows = Deployment.objects.filter(pk__in=list(deployment_ids)).select_related("instrument__venue")
    deployments = list(rows.annotate(last=Max("evaluations__bar_time")).order_by("pk"))
    awaiting = [one for one in deployments if _awaits(one, one.last, bar_time)]  # type: ignore[attr-defined]
    if not awaiting:
        return []
    closed = Closed.read(awaiting, bar_time)
    if closed is None:
        return []
    answers: dict[int, dict[int, Answer]] = defaultdict(dict)
    for one in awaiting:
        answers[one.account_id][one.pk] = ask(one, closed)
    done = []
    for account_id, of_account in answers.items():
        done += decide(account_id=account_id, answers=of_account, bar_time=bar_time, at=at)
    return done


@transaction.atomic
def decide(*, account_id: int, answers: dict[int, Answer], bar_time: datetime, at: datetime) -> list[Evaluation]:
    """Write down what follows from ``answers`` (by deployment), unless a bar was decided on meanwhile."""
    account = Account.objects.select_for_update().get(pk=account_id)
    rows = Deployment.objects.select_for_update(of=("self",)).select_related("instrument__venue").filter(pk__in=answers)
    deployments = list(rows.order_by("pk"))
    last = dict(
        Evaluation.objects.filter(deployment__in=answers).order_by().values_list("deployment").annotate(Max("bar_time"))
    )
    positions = {one.deployment_id: one for one in Position.objects.filter(deployment__in=answers)}
    working = Order.objects.filter(account=account, deployment__in=answers, status__in=OPEN)
    busy = set(working.exclude(purpose=Order.Purpose.STOP).values_list("deployment_id", flat=True))
    late = why_late(deployments[0], bar_time) if deployments else ""
    done, quiet = [], []
    for deployment in deployments:
        deployment.account = account
        before = last.get(deployment.pk)
        if not _awaits(deployment, before, bar_time):
            continue
        if before is None or before < bar_time - timedelta(seconds=Timeframe.of(deployment.timeframe).seconds):
            _record_passed(deployment, before=bar_time, at=at)
        evaluation = _evaluation(deployment, bar_time, answers[deployment.pk], at)
        done.append(evaluation)
        if late:
            evaluation.outcome, evaluation.reason_code, evaluation.reason = Outcome.SKIPPED, "late", late
            quiet.append(evaluation)
        elif evaluation.outcome == Outcome.FAILED:
            evaluation.save()
            _fail(deployment, evaluation, at)
        elif evaluation.target is None or (
            not _changes(positions.get(deployment.pk), evaluation) and deployment.pk not in busy
        ):
            quiet.append(evaluation)
        else:
            pursue(deployment, evaluation, at=at)
    Evaluation.objects.bulk_create(quiet)
    for evaluation in done:
        tell = partial(signals.bar_looked_at.send_robust, sender=Evaluation, account_id=account.pk, evaluation_id=evaluation.pk)
        transaction.on_commit(tell, robust=True)
    return done


def _changes(position: Position | None, evaluation: Evaluation) -> bool:
    """Whether there is something to do for the target; says why not, where that needs a word."""
    assert evaluation.target is not None
    if position is not None and position.stopped_out_of not in {None, evaluation.target}:
        position.stopped_out_of = None
        position.save(update_fields=["stopped_out_of"])
    stands = standing(position, evaluation.target)
    evaluation.outcome, evaluation.reason_code = Outcome.HOLD, stands or ""
    return stands is None


def _evaluation(deployment: Deployment, bar_time: datetime, answer: Answer, at: datetime) -> Evaluation:
    return Evaluation(
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


def _awaits(deployment: Deployment, last: datetime | None, bar_time: datetime) -> bool:
    if not deployment.is_running:
        return False
    if deployment.starts_after is not None and bar_time <= deployment.starts_after:
        return False
    return last is None or last < bar_time


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
