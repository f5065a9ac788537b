"""The page that asks for a run: which strategy, on what, over which span, with which costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from clusterx.errors import DomainError
from marketdata.overview import timeframes_for
from marketdata.timeframes import TIMEFRAMES
from strategies import library, selectors
from strategies.contract import Declared, Parameter, PortfolioStrategy, UnknownStrategy
from strategies.forms import DAYS, INSTRUMENT_PREFIX, PARAMETER_PREFIX, RunForm
from strategies.models import Inspection, Run, Study, Version
from strategies.services.runs import RunRequest, request_run
from strategies.services.subjects import FromDeclaration, Subject
from strategies.views.grounds import fitting, markets_with_bars, span_of_bars
from strategies.views.people import my_run, my_study, my_version, person
from strategies.wording import said


@dataclass(frozen=True)
class Chosen:
    """What is to be run: a library strategy or a version, with what it declares."""

    label: str
    summary: str
    parameters: tuple[Parameter, ...]
    legs: int
    address: str
    strategy: str = ""
    version: Version | None = None

    @property
    def query(self) -> str:
        return urlencode({"version": str(self.version.public_id)} if self.version else {"strategy": self.strategy})


def chosen_library(declared: Declared) -> Chosen:
    legs = declared.legs if isinstance(declared, PortfolioStrategy) else 1
    return Chosen(
        said(declared.label), said(declared.summary), declared.parameters, legs,
        reverse("strategies:detail", args=[declared.name]), strategy=declared.name,
    )  # fmt: skip


def chosen_version(version: Version) -> Chosen:
    inspection: Inspection | None = getattr(version, "inspection", None)
    told = (inspection.declaration if inspection else None) or {}
    parameters = FromDeclaration(told).parameters if told else ()
    least, _most = Subject(version=version).legs
    return Chosen(
        str(version), told.get("summary", ""), parameters, least,
        reverse("strategies:mine_one", args=[version.strategy.public_id]), version=version,
    )  # fmt: skip


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def run_new(request: HttpRequest) -> HttpResponse:
    """Ask for a run; strategy, instrument and timeframe may come in the address.

    ``like`` takes everything of a run, ``study`` of a study and its best values; ``p-<name>`` sets one parameter, ``start``
    and ``end`` a span of dates.
    """
    like = _like(request)
    chosen = _chosen(request, like)
    instruments, days = markets_with_bars()
    form = RunForm(
        request.POST or None,
        parameters=chosen.parameters,
        legs=chosen.legs,
        instruments=instruments,
        initial=_initial(request, chosen, instruments, days, like),
    )
    if request.method == "POST" and form.is_valid():
        run = _asked(request, form, chosen)
        if run is not None:
            return redirect("strategies:run", run.public_id)
    known = {one.ref for one in instruments}
    context = {
        "form": form,
        "without_bars": [ref for ref in request.GET.getlist("instrument") if ref and ref not in known],
        "chosen": chosen,
        "library": library.CATALOGUE.values(),
        "mine": _newest_versions(request),
        "instruments": instruments,
        "page_data": {
            "instruments": days,
            "seconds": {name: one.seconds for name, one in TIMEFRAMES.items()},
            "days": DAYS,
        },
        "query": urlencode({name: request.GET[name] for name in ("instrument", "timeframe") if request.GET.get(name)}),
    }  # fmt: skip
    return render(request, "strategies/run_new.html", context, status=400 if form.errors else 200)


def _asked(request: HttpRequest, form: RunForm, chosen: Chosen) -> Run | None:
    """The run that the form asks for, or None where it was refused and the form says why."""
    timeframe = form.cleaned_data["timeframe"]
    first, end = span_of_bars(form.chosen, timeframe)
    start, stop = form.span_of(first, end)
    try:
        return request_run(
            owner=person(request),
            asked=RunRequest(
                strategy=chosen.strategy,
                version=chosen.version,
                parameters=form.values,
                instruments=[one.ref for one in form.chosen],
                timeframe=timeframe,
                start=start,
                end=stop,
                cash=form.cleaned_data["cash"],
                costs=form.cost_values,
                benchmark=form.cleaned_data["benchmark"],
            ),
            at=timezone.now(),
        )
    except DomainError as refused:
        form.tell(str(refused.facts.get("field", "")), refused.facts, refused.message)
        return None


def _like(request: HttpRequest) -> Run | Study | None:
    if _is_uuid(request.GET.get("study", "")):
        return my_study(request, request.GET["study"])
    return my_run(request, cast(Any, request.GET["like"])) if _is_uuid(request.GET.get("like", "")) else None


def _chosen(request: HttpRequest, like: Run | Study | None) -> Chosen:
    if like is not None and "strategy" not in request.GET and "version" not in request.GET:
        if like.version is not None:
            return chosen_version(my_version(request, like.version.public_id))
        return _of_library(like.library)
    wanted = request.GET.get("strategy", "")
    # The chooser has one field for both kinds.
    if _is_uuid(wanted) or request.GET.get("version"):
        return chosen_version(my_version(request, wanted or request.GET["version"]))
    return _of_library(wanted or next(iter(library.CATALOGUE)))


def _of_library(name: str) -> Chosen:
    try:
        return chosen_library(library.find(name))
    except UnknownStrategy:
        raise Http404(f"there is no strategy {name}") from None


def _initial(
    request: HttpRequest, chosen: Chosen, instruments: Any, days: Mapping[str, Mapping[str, float]], like: Run | Study | None
) -> dict[str, Any]:
    refs = [one.ref for one in instruments]
    wanted = request.GET.getlist("instrument")
    if like is not None:
        wanted = [like.instrument.ref] if isinstance(like, Study) else [one.ref for one in like.instruments]
    wanted = [ref for ref in wanted if ref in refs]
    grounds = [
        one for one in fitting(chosen.strategy, chosen.legs, instruments, days) if not wanted or one.lead.ref == wanted[0]
    ]
    ground = max(grounds, key=lambda one: one.bars, default=None)
    wanted += [one.ref for one in ground.instruments if one.ref not in wanted] if ground else []
    wanted += [ref for ref in refs if ref not in wanted]
    initial: dict[str, Any] = {"timeframe": request.GET.get("timeframe") or (ground.timeframe if ground else "1h")}
    for leg, ref in zip(range(chosen.legs), wanted, strict=False):
        initial[INSTRUMENT_PREFIX if leg == 0 else f"{INSTRUMENT_PREFIX}-{leg + 1}"] = ref
    first = next((one for one in instruments if one.ref == initial.get(INSTRUMENT_PREFIX)), None)
    if first is not None and initial["timeframe"] not in timeframes_for(first):
        initial["timeframe"] = timeframes_for(first)[0]
    if like is not None:
        initial |= conditions_of(like) | {"timeframe": like.timeframe}
    if request.GET.get("start") and request.GET.get("end"):
        initial |= {"span": "dates", "start": request.GET["start"], "end": request.GET["end"]}
    values: dict[str, Any] = {}
    if isinstance(like, Study):
        values = (like.best or {}).get("values", {})
    elif like is not None:
        initial["benchmark"], values = like.conditions["benchmark"], like.values
    initial |= {PARAMETER_PREFIX + name: value for name, value in values.items()}
    named = (PARAMETER_PREFIX + one.name for one in chosen.parameters)
    return initial | {name: request.GET[name] for name in named if request.GET.get(name)}


def conditions_of(like: Run | Study) -> dict[str, Any]:
    """Span, money and costs of a run or a study, as forms have them."""
    costs = like.conditions["costs"]
    slippage = costs["slippage"]["size"] if costs["slippage"]["kind"] == "percentage" else 0.0
    return {
        "span": "dates",
        "start": max(like.start, _first_bar(like)).date(),
        "end": like.end.date(),
        "cash": like.conditions["cash"],
        "costs": "custom",
        "fee": round(costs["taker"] * 100, 6),
        "slippage": round(slippage * 100, 6),
        "borrow": round(costs.get("borrow", 0.0) * 100, 6),
    }


def _first_bar(like: Run | Study) -> datetime:
    if isinstance(like, Study):
        return like.snapshot.first_time if like.snapshot else like.start
    return min((leg.snapshot.first_time for leg in like.legs.all() if leg.snapshot), default=like.start)


def _newest_versions(request: HttpRequest) -> list[Version]:
    mine = selectors.versions().filter(strategy__owner=person(request), strategy__archived_at__isnull=True)
    return list(mine.defer("source", "rules").order_by("strategy_id", "-number").distinct("strategy_id")[:100])


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4 and all(letter in "0123456789abcdef-" for letter in text)
