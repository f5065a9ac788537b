"""Which deployment looks at which bar, and which bars nobody looked at: what the queue and the sweep ask."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, Max, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest

from marketdata.models import Candle
from marketdata.timeframes import TIMEFRAMES, Timeframe
from trading.models import Deployment, Evaluation, Instruction, Order, PaperOrder


def running_on(instrument_id: int, timeframe: str) -> list[int]:
    """Keys of the deployments that look at this instrument's bars."""
    return list(
        Deployment.objects.filter(
            instrument_id=instrument_id, timeframe=timeframe, status=Deployment.Status.RUNNING
        ).values_list("pk", flat=True)
    )


def watched_bars() -> set[tuple[int, str]]:
    """(instrument, timeframe) of every running deployment."""
    running = Deployment.objects.filter(status=Deployment.Status.RUNNING)
    return set(running.values_list("instrument_id", "timeframe").distinct().order_by())


def overdue_evaluations() -> list[tuple[int, datetime]]:
    """(deployment, opening time of the newest stored bar) where a running deployment has not looked at that bar."""
    newest_bar = (
        Candle.objects.filter(instrument=OuterRef("instrument"), timeframe=OuterRef("timeframe"))
        .order_by("-time")
        .values("time")[:1]
    )
    running = Deployment.objects.filter(status=Deployment.Status.RUNNING).annotate(
        newest=Subquery(newest_bar), last=Max("evaluations__bar_time")
    )
    overdue = running.filter(
        Q(last=None) | Q(newest__gt=F("last")),
        Q(starts_after=None) | Q(newest__gt=F("starts_after")),
        newest__isnull=False,
    )
    return list(overdue.order_by("pk").values_list("pk", "newest"))


def bars_without_evaluation(deployment: Deployment, *, before: datetime, bars: int = 1000) -> list[datetime]:
    """Stored bars never evaluated, since the deployment's start and within ``bars`` bars before ``before``."""
    seen = Evaluation.objects.filter(deployment=deployment)
    since = deployment.starts_after or seen.aggregate(first=Min("bar_time"))["first"]
    if since is None:
        return []
    since = max(since, before - bars * timedelta(seconds=Timeframe.of(deployment.timeframe).seconds))
    stored = Candle.objects.filter(
        instrument_id=deployment.instrument_id, timeframe=deployment.timeframe, time__gt=since, time__lt=before
    )
    looked_at = set(seen.filter(bar_time__gt=since, bar_time__lt=before).values_list("bar_time", flat=True))
    return [time for time in stored.order_by("time").values_list("time", flat=True) if time not in looked_at]


def deployments_with_holes(*, bars: int = 100) -> list[int]:
    """Running deployments that passed over a stored bar lately: it came after a newer one was looked at."""
    seen = Evaluation.objects.filter(deployment=OuterRef("pk"))
    looked_at = Evaluation.objects.filter(deployment=OuterRef(OuterRef("pk")), bar_time=OuterRef("time"))
    found: list[int] = []
    for name, timeframe in TIMEFRAMES.items():
        running = Deployment.objects.filter(status=Deployment.Status.RUNNING, timeframe=name).annotate(
            last=Subquery(seen.order_by("-bar_time").values("bar_time")[:1]),
            first=Coalesce("starts_after", Subquery(seen.order_by("bar_time").values("bar_time")[:1])),
        )
        passed = Candle.objects.filter(
            ~Exists(looked_at),
            instrument=OuterRef("instrument"),
            timeframe=name,
            time__gt=Greatest(
                OuterRef("first"),
                ExpressionWrapper(OuterRef("last") - bars * timedelta(seconds=timeframe.seconds), output_field=DateTimeField()),
            ),
            time__lt=OuterRef("last"),
        )
        found += running.filter(Exists(passed)).values_list("pk", flat=True)
    return found


def awaits_price(account_id: int) -> bool:
    """Whether the account has an order at the paper venue that the next price may fill."""
    waiting = PaperOrder.objects.filter(book=account_id, status=PaperOrder.Status.OPEN)
    return waiting.filter(Q(type="market") | ~Q(triggered_at=None)).exists()


def accounts_with_work() -> list[int]:
    """Accounts with something to tell their venue, to find out, or to go on with."""
    under_way = Instruction.objects.filter(outcome__in=[Instruction.Outcome.WAITING, Instruction.Outcome.SENDING])
    unknown = Order.objects.filter(status=Order.Status.UNKNOWN)
    waiting = Evaluation.objects.filter(outcome=Evaluation.Outcome.WAITING)
    closing = Deployment.objects.exclude(flatten_asked_at=None)
    accounts = set(under_way.values_list("account_id", flat=True)) | set(unknown.values_list("account_id", flat=True))
    accounts |= set(waiting.values_list("deployment__account_id", flat=True))
    return sorted(accounts | set(closing.values_list("account_id", flat=True)))
