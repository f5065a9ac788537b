"""Pages on which strategies are written: the gallery, the editor of code, the builder of rules, and what they ask for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from clusterx.errors import DomainError
from marketdata.models import Instrument
from marketdata.store import BarStore
from marketdata.timeframes import TIMEFRAMES
from strategies import selectors
from strategies.forms import DAYS, EXCHANGE, SPANS
from strategies.models import UserStrategy, Version
from strategies.services import strategies as services
from strategies.services.runs import RunRequest, request_run
from strategies.views.checking import load_ahead
from strategies.views.grounds import fitting, markets_with_bars, span_of_bars
from strategies.views.mine import inspection_of
from strategies.views.people import given_json, my_strategy, my_version, person, text_in
from strategies.views.preview import BARS

FOLDER: Final = settings.BASE_DIR / "templates" / "strategies" / "gallery"
AS_PREVIEWED: Final = "preview"


@dataclass(frozen=True)
class Starter:
    """A file of the gallery; it runs as it is."""

    name: str
    label: Any
    text: Any

    @property
    def source(self) -> str:
        return (FOLDER / f"{self.name}.py").read_text()


GALLERY: Final = (
    Starter(
        "trend",
        gettext_lazy("Trend with a stop"),
        gettext_lazy("Two averages and a stop that keeps its distance."),
    ),
    Starter(
        "reversion",
        gettext_lazy("Return to the middle"),
        gettext_lazy("Buys an oversold RSI; a loop shows how to keep state."),
    ),
    Starter(
        "breakout",
        gettext_lazy("Breakout, sized by volatility"),
        gettext_lazy("New highs with pandas; smaller in wild markets."),
    ),
    Starter(
        "bracket",
        gettext_lazy("Dip with a bracket"),
        gettext_lazy("Bar by bar: a limit order with its own stop and target."),
    ),
    Starter(
        "pairs",
        gettext_lazy("Two that belong together"),
        gettext_lazy("Two instruments on one account, one long, one short."),
    ),
)


@login_required
@require_safe
def new(request: HttpRequest) -> HttpResponse:
    """Where to begin: rules without code, or a template."""
    load_ahead()
    return render(request, "strategies/new.html", {"gallery": GALLERY})


@login_required
@require_safe
def new_code(request: HttpRequest) -> HttpResponse:
    """The editor with a template that has not been saved yet."""
    wanted = request.GET.get("template") or GALLERY[0].name
    starter = next((one for one in GALLERY if one.name == wanted), None)
    if starter is None:
        raise Http404(f"there is no template {wanted[:40]}")
    return render(request, "strategies/edit.html", _editor(None, None, starter.source, str(starter.label)))


@login_required
@require_safe
def edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The editor with the newest version, or with an older one that the address names."""
    one = my_strategy(request, public_id)
    if request.GET.get("version"):
        version = my_version(request, request.GET["version"])
        if version.strategy_id != one.pk:
            raise Http404("the version is of another strategy")
    else:
        version = selectors.versions().filter(strategy=one).order_by("-number").first()  # type: ignore[assignment]
    if one.kind == UserStrategy.Kind.RULES:
        return render(request, "strategies/rules.html", _builder(one, version))
    context = _editor(one, version, version.source if version else "", one.name)
    line = request.GET.get("line", "")
    context["page_data"]["line"] = int(line) if line.isascii() and line.isdigit() and len(line) < 7 else None
    return render(request, "strategies/edit.html", context)


@login_required
@require_safe
def new_rules(request: HttpRequest) -> HttpResponse:
    """The builder of rules, empty."""
    return render(request, "strategies/rules.html", _builder(None, None))


def _pair(instruments: Any, days: Any) -> list[str]:
    """Two instruments of one venue and one currency to try a strategy of two legs on: with the first, else the longest."""
    first = instruments[0].ref if instruments else ""
    grounds = fitting("", 2, instruments, days)
    ground = max(grounds, key=lambda one: (one.lead.ref == first, one.bars), default=None)
    return [one.ref for one in ground.instruments] if ground else []


def _editor(one: UserStrategy | None, version: Version | None, source: str, name: str) -> dict[str, Any]:
    instruments, days = markets_with_bars()
    return {
        "strategy": one,
        "version": version,
        "inspection": inspection_of(version) if version else None,
        "name": name,
        "source": source,
        "instruments": instruments,
        "pair": _pair(instruments, days),
        "spans": [(value, label) for value, label in SPANS if value != "dates"],
        "span": "all",
        "page_data": {
            "source": source,
            "saved": one is not None,
            "line": None,
            "save": reverse("strategies:save", args=[one.public_id]) if one else reverse("strategies:create"),
            "try": reverse("strategies:try", args=[one.public_id]) if one else "",
            "lint": reverse("strategies:lint"),
            "instruments": days,
            "names": reverse("strategies:names"),
        },
    }


def _builder(one: UserStrategy | None, version: Version | None) -> dict[str, Any]:
    instruments, days = markets_with_bars()
    return {
        "strategy": one,
        "version": version,
        "inspection": inspection_of(version) if version else None,
        "instruments": instruments,
        "spans": [(AS_PREVIEWED, _("As the preview")), *((value, label) for value, label in SPANS if value != "dates")],
        "span": AS_PREVIEWED,
        "rule_document": version.rules if version else None,
        "page_data": {
            "saved": one is not None,
            "save": reverse("strategies:save", args=[one.public_id]) if one else reverse("strategies:create"),
            "try": reverse("strategies:try", args=[one.public_id]) if one else "",
            "preview": reverse("strategies:preview"),
            "vocabulary": reverse("strategies:vocabulary"),
            "instruments": days,
        },
    }


# -- what the editors send -----------------------------------------------------------------------------------------------


@login_required
@require_POST
def create(request: HttpRequest) -> HttpResponse:
    """A new strategy with its first version."""
    given = given_json(request)
    kind = "rules" if given.get("rules") is not None else "code"
    try:
        version = services.create_strategy(
            owner=person(request), name=text_in(given, "name"), kind=kind, source=text_in(given, "source"),
            rules=given.get("rules"), notes=text_in(given, "notes"), at=timezone.now(),
        )  # fmt: skip
    except DomainError as refused:
        return _refused(refused)
    return _saved(version, 201)


@login_required
@require_POST
def save(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The next version; the same text twice is the same version."""
    one = my_strategy(request, public_id)
    given = given_json(request)
    try:
        version = services.save_version(
            strategy_id=one.pk, source=text_in(given, "source"), rules=given.get("rules"), notes=text_in(given, "notes"),
            at=timezone.now(),
        )  # fmt: skip
    except DomainError as refused:
        return _refused(refused)
    return _saved(version, 200)


@login_required
@require_POST
def try_out(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Run the newest version with its defaults, on the instrument, timeframe and span of the editor."""
    one = my_strategy(request, public_id)
    given = given_json(request)
    version = selectors.versions().filter(strategy=one).order_by("-number").first()
    if version is None:
        raise Http404("there is no version")
    wanted = given.get("instruments")
    refs = [str(ref)[:57] for ref in wanted][:8] if isinstance(wanted, list) else []
    timeframe = text_in(given, "timeframe")
    try:
        start, end = _span(refs, timeframe, text_in(given, "span"))
        run = request_run(
            owner=person(request),
            asked=RunRequest(
                version=version, instruments=refs, timeframe=timeframe, start=start, end=end, costs=dict(EXCHANGE)
            ),
            at=timezone.now(),
        )
    except DomainError as refused:
        return _refused(refused)
    url = reverse("strategies:run", args=[run.public_id])
    span = {"timeframe": run.timeframe, "start": int(run.start.timestamp()), "end": int(run.end.timestamp())}
    return JsonResponse({"id": str(run.public_id), "url": url, **span}, status=201)


def _span(refs: list[str], timeframe: str, span: str) -> tuple[Any, Any]:
    if timeframe not in TIMEFRAMES:
        return None, None  # refused with its reason by the service
    instruments = list(Instrument.objects.filter(ref__in=refs))
    first, end = span_of_bars(instruments, timeframe)
    if span == AS_PREVIEWED and instruments:
        bars = BarStore().read(instruments[0].pk, timeframe, limit=BARS)
        return (datetime.fromtimestamp(int(bars.time[0]), UTC) if len(bars) else first), end
    return (max(first, end - timedelta(days=DAYS[span])) if span in DAYS else first), end


def _saved(version: Version, status: int) -> HttpResponse:
    one = version.strategy
    return JsonResponse(
        {
            "number": version.number,
            "version": str(version.public_id),
            "strategy": str(one.public_id),
            "name": one.name,
            "page": reverse("strategies:version", args=[version.public_id]),
            "home": reverse("strategies:mine_one", args=[one.public_id]),
            "edit": reverse("strategies:edit", args=[one.public_id]),
            "save": reverse("strategies:save", args=[one.public_id]),
            "try": reverse("strategies:try", args=[one.public_id]),
            "run": f"{reverse('strategies:run_new')}?version={version.public_id}",
            "sha256": version.sha256,
        },
        status=status,
    )


def _refused(refused: DomainError) -> HttpResponse:
    told = {"message": refused.message, "code": refused.code, "field": refused.facts.get("field", "")}
    return JsonResponse(told, status=refused.http_status)
