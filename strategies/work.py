"""Runs and studies as long work: what a person has under way, and what of it was over a short while ago."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import reverse

from clusterx.work import Item, State
from strategies.models import Run, RunLeg, Study

AT_MOST: Final = 40
UNDER_WAY: Final = ("queued", "running")
OVER: Final = ("done", "failed")
ORDER: Final = (F("finished_at").desc(nulls_first=True), "-pk")  # what runs is never beyond AT_MOST of what is over
NEEDED: Final = (
    "public_id",
    "library",
    "version__number",
    "version__strategy__name",
    "timeframe",
    "status",
    "created_at",
    "finished_at",
)


def runs(user: Any, since: datetime) -> Iterator[Item]:
    """Backtests of ``user``, newest first; of a pair the first market is named."""
    first = RunLeg.objects.filter(run=OuterRef("pk")).order_by("place").values("instrument__symbol")[:1]
    found = Run.objects.filter(_recent(since), owner=user).select_related("version__strategy").only(*NEEDED, "progress")
    for run in found.annotate(market=Coalesce(Subquery(first), Value(""))).order_by(*ORDER)[:AT_MOST]:
        yield _item("run", run, run.market)


def studies(user: Any, since: datetime) -> Iterator[Item]:
    """Searches and walk-forwards of ``user``, newest first."""
    found = Study.objects.filter(_recent(since), owner=user).select_related("version__strategy", "instrument")
    for study in found.only(*NEEDED, "trials_done", "trials_total", "instrument__symbol").order_by(*ORDER)[:AT_MOST]:
        yield _item("study", study, study.instrument.symbol)


def _recent(since: datetime) -> Q:
    return Q(status__in=UNDER_WAY) | Q(status__in=OVER, finished_at__gte=since)


def _item(kind: str, work: Run | Study, market: str) -> Item:
    state: State = "done" if work.status == "done" else "failed" if work.status == "failed" else "running"
    return Item(
        key=f"{kind}:{work.public_id}",
        label=work.subject_label,
        market=market,
        timeframe=work.timeframe,
        address=reverse(f"strategies:{kind}", args=[work.public_id]),
        state=state,
        status=work.get_status_display(),
        progress=work.progress,
        created_at=work.created_at,
        finished_at=work.finished_at,
    )
