"""The page that asks for a study: what is searched in which ranges, on which market, and how; and how much that would be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from clusterx.errors import DomainError
from marketdata.models import Instrument
from marketdata.timeframes import TIMEFRAMES, Timeframe
from strategies import library, selectors
from strategies.contract import Declared, EventStrategy, PortfolioStrategy, UnknownStrategy
from strategies.errors import InvalidRunRequest
from strategies.forms import DAYS, INSTRUMENT_PREFIX
from strategies.models import Inspection, Run, Study, Version
from strategies.services import studies as services
from strategies.views import studies_ranges as ranges
from strategies.views.asking import (
    Chosen,
    chosen_library,
    chosen_version,
    conditions_of,
)
from strategies.views.grounds import markets_with_bars, span_of_bars
from strategies.views.people import my_run, my_study, my_version, person, uuid_of
from strategies.views.studies_form import OPTIMISES, WALKS, StudyForm

ENOUGH: Final = 1_500  # bars that a search is worth beginning with
FAVOURED: Final = "1h"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def study_new(request: HttpRequest) -> HttpResponse:
    """Ask for a study. The address may name strategy, instrument, timeframe and kind; ``run`` or ``again`` take all of one."""
    like = _like(request)
    chosen = _chosen(request, like)
    declared, obstacle = searchable(chosen)
    instruments, spans = markets_with_bars()
    context: dict[str, Any] = {
        "chosen": chosen, "obstacle": obstacle, "instruments": instruments, "tab": "studies",
        "library": [{"one": one, "searchable": not isinstance(one, EventStrategy | PortfolioStrategy)}
                    for one in library.CATALOGUE.values()],
        "mine": _newest_versions(request), "query": _query(request), "walks": request.GET.get("kind") == WALKS,
    }  # fmt: skip
    if declared is None or not instruments:
        return render(request, "strategies/study_new.html", context, status=400 if request.method == "POST" else 200)
    form = _form(request, declared, instruments, spans, like)
    if request.method == "POST" and form.is_valid():
        study = _asked(request, form, chosen)
        if study is not None:
            return redirect("strategies:study", study.public_id)
    context |= {
        "form": form,
        "how_many": form.how_many() if form.is_bound else _counted(form),
        "page_data": {
            "instruments": spans, "seconds": {name: one.seconds for name, one in TIMEFRAMES.items()}, "days": DAYS,
        },
    }  # fmt: skip
    return render(request, "strategies/study_new.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def study_count(request: HttpRequest) -> HttpResponse:
    """How much the form asks for so far: words, and what is wrong with the ranges."""
    declared, obstacle = searchable(_chosen(request, None))
    if declared is None:
        return JsonResponse({"said": "", "wrong": [obstacle["title"]]}, status=400)
    form = StudyForm(request.POST, declared=declared, instruments=Instrument.objects.none(), starts={})
    form.is_valid()
    fields = {name: errors for name, errors in form.errors.items() if name in COUNTED or name.startswith(RANGES)}
    wrong = list(dict.fromkeys(str(error) for errors in fields.values() for error in errors))
    return JsonResponse({"said": form.how_many(), "wrong": wrong[:3]})


COUNTED: Final = ("__all__", "constraints", "method", "trials")
RANGES: Final = ("at-", "from-", "to-", "step-", "of-")


# -- what can be searched -------------------------------------------------------------------------------------------------


def searchable(chosen: Chosen) -> tuple[Declared | None, dict[str, str]]:
    """What is declared, or in words why it cannot be searched."""
    try:
        declared = services.declared_of(chosen.strategy, chosen.version, FAVOURED)
    except InvalidRunRequest:
        return None, _unread(chosen.version)
    except DomainError:
        return None, _other_style(chosen)
    if not any(_has_range(one) for one in declared.parameters):
        title = _("%(name)s has nothing to search") % {"name": chosen.label}
        return None, {"title": title, "text": _("It declares no parameter that could take another value.")}
    return declared, {}


def can_be_searched(version: Version | None, name: str) -> bool:
    """Whether the page of a strategy, a version or a run should offer it."""
    try:
        return any(_has_range(one) for one in services.declared_of(name, version, FAVOURED).parameters)
    except DomainError:
        return False


def _has_range(parameter: Any) -> bool:
    if parameter.kind == "choice":
        return len(parameter.choices) > 1
    first, last, _step = ranges.suggested(parameter, float(parameter.default))
    return last > first


def _other_style(chosen: Chosen) -> dict[str, str]:
    style = _("It trades several instruments at once.") if chosen.legs > 1 else _("It places its own orders, bar by bar.")
    rest = _(
        "Only strategies that answer with an exposure for one instrument can be searched. Change its parameters by hand and"
        " compare the runs."
    )
    return {"title": _("%(name)s cannot be searched") % {"name": chosen.label}, "text": f"{style} {rest}"}


def _unread(version: Version | None) -> dict[str, str]:
    inspection: Inspection | None = getattr(version, "inspection", None)
    if inspection is not None and inspection.status == Inspection.Status.FAILED:
        return {"title": _("This version does not run"), "text": inspection.message, "mend": "yes"}
    return {
        "title": _("This version is still being read"),
        "text": _("What it declares is known in a moment. Reload the page."), "waits": "yes",
    }  # fmt: skip


# -- what the form begins with --------------------------------------------------------------------------------------------


def _like(request: HttpRequest) -> Run | Study | None:
    if again := uuid_of(request.GET.get("again", "")):
        return my_study(request, again)
    if run := uuid_of(request.GET.get("run", "")):
        return my_run(request, run)
    return None


def _chosen(request: HttpRequest, like: Run | Study | None) -> Chosen:
    wanted = request.GET.get("strategy", "")
    version = uuid_of(wanted) or uuid_of(request.GET.get("version", ""))
    if version:
        return chosen_version(my_version(request, version))
    if not wanted and like is not None:
        if like.version is not None:
            return chosen_version(my_version(request, like.version.public_id))
        wanted = like.library
    try:
        return chosen_library(library.find(wanted or next(iter(library.CATALOGUE))))
    except UnknownStrategy:
        raise Http404(f"there is no strategy {wanted[:60]}") from None


def _newest_versions(request: HttpRequest) -> list[Version]:
    mine = selectors.versions().filter(strategy__owner=person(request), strategy__archived_at__isnull=True)
    return list(mine.defer("source", "rules").order_by("strategy_id", "-number").distinct("strategy_id")[:100])


def _query(request: HttpRequest) -> str:
    """What goes along when the form is sent or another strategy is chosen."""
    return urlencode({name: request.GET[name] for name in ("instrument", "timeframe", "kind") if request.GET.get(name)})


def _form(
    request: HttpRequest, declared: Declared, instruments: Any, spans: Mapping[str, Any], like: Run | Study | None
) -> StudyForm:
    starts = ranges.begins_with(declared.parameters, like.values if isinstance(like, Run) else {})
    if isinstance(like, Study):
        names = {one.name for one in declared.parameters}
        starts |= {
            name: starts[name] | one for name, one in ranges.stored_ranges(like.space).items() if name in names
        }  # fmt: skip
    return StudyForm(
        request.POST or None,
        declared=declared,
        instruments=instruments,
        starts=starts,
        initial=_initial(request, instruments, spans, like),
    )


def _initial(request: HttpRequest, instruments: Any, spans: Mapping[str, Any], like: Run | Study | None) -> dict[str, Any]:
    kind = WALKS if request.GET.get("kind") == WALKS else OPTIMISES
    wanted = like.instrument.ref if like else request.GET.get("instrument", "")
    ref = wanted if wanted in spans else max(spans, key=lambda one: max(spans[one].values(), default=0))
    timeframe = like.timeframe if like else request.GET.get("timeframe", "")
    initial: dict[str, Any] = {
        "kind": kind, INSTRUMENT_PREFIX: ref,
        "timeframe": timeframe if timeframe in spans[ref] else longest_enough(spans[ref]),
    }  # fmt: skip
    if like is not None:
        initial |= conditions_of(like)
    if isinstance(like, Study):
        initial |= _of_study(like)
        if request.GET.get("kind"):
            initial["kind"] = kind
    return initial


def longest_enough(days: Mapping[str, float]) -> str:
    """Of an instrument's timeframes with the days of each: an hour where there is enough of it, else the one with most bars."""
    bars = {name: count * 86_400 / Timeframe.of(name).seconds for name, count in days.items()}
    if bars.get(FAVOURED, 0) >= ENOUGH:
        return FAVOURED
    return max(bars, key=lambda name: bars[name], default=FAVOURED)


def _of_study(study: Study) -> dict[str, Any]:
    walks = study.kind == WALKS
    initial: dict[str, Any] = {
        "kind": WALKS if walks else OPTIMISES, "method": study.method, "trials": study.budget, "objective": study.objective,
        "patience": study.stopping.get("patience"), "constraints": "\n".join(study.space["constraints"]), "seed": study.seed,
    }  # fmt: skip
    if study.plan:
        initial |= {name: study.plan[name] for name in ("windows", "mode", "embargo")}
        initial["test_share"] = round(study.plan["test_share"] * 100, 6)
    return initial


def _counted(form: StudyForm) -> str:
    """What the form that nobody has filled in yet would ask for."""
    data = {name: form[name].value() for name in form.fields}
    trial = StudyForm(
        {name: value for name, value in data.items() if value is not None and value is not False},
        declared=form.declared, instruments=Instrument.objects.none(), starts={},
    )  # fmt: skip
    trial.is_valid()
    return trial.how_many()


# -- asking ---------------------------------------------------------------------------------------------------------------


def _asked(request: HttpRequest, form: StudyForm, chosen: Chosen) -> Study | None:
    """The study that the form asks for, or None where it was refused and the form says why."""
    cleaned, one = form.cleaned_data, form.chosen[0]
    timeframe = cleaned["timeframe"]
    first, end = span_of_bars(form.chosen, timeframe)
    start, stop = form.span_of(first, end)
    seconds = (min(stop, end) - max(start, first)).total_seconds()
    form.check_bars(max(0.0, seconds) / Timeframe.of(timeframe).seconds)
    if form.errors:
        return None
    try:
        return services.request_study(
            owner=person(request),
            asked=services.StudyRequest(
                strategy=chosen.strategy,
                version=chosen.version,
                instrument=one.ref,
                timeframe=timeframe,
                kind=WALKS if cleaned["kind"] == WALKS else cleaned["method"],
                method=cleaned["method"],
                space={name: ranges.asked(wanted) for name, wanted in form.ranges.items()},
                constraints=form.rules,
                plan=form.plan,
                objective=cleaned["objective"],
                budget=form.trials_asked,
                stopping={"patience": cleaned["patience"]} if cleaned["patience"] else {},
                start=start,
                end=stop,
                cash=cleaned["cash"],
                costs=form.cost_values,
                seed=1 if cleaned["seed"] is None else cleaned["seed"],
            ),
            at=timezone.now(),
        )
    except DomainError as refused:
        form.tell(str(refused.facts.get("field", "")), refused.facts, refused.message)
        return None
