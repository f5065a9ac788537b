"""Pages of studies: one from queue to result, the list, and what can be done about one that is not over."""

from __future__ import annotations

import uuid
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clusterx.errors import DomainError
from strategies import library, selectors
from strategies.models import Study
from strategies.services import studies as services
from strategies.views import listing
from strategies.views import studies_report as report
from strategies.views import studies_words as words
from strategies.views.people import my_study, person, wants
from strategies.views.subject import code_around, strategy_url
from strategies.views.words import written

PAGE: Final = 30
OPEN: Final = (Study.Status.QUEUED, Study.Status.RUNNING, Study.Status.PAUSED)


@login_required
@require_safe
@never_cache
def study(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One study: how far it is, what came out, or why it failed. A script asks for the part ``state`` when that changes."""
    one = my_study(request, public_id)
    template = "strategies/_study_state.html" if wants(request, "state") else "strategies/study.html"
    return render(request, template, _state(one))


def _state(one: Study) -> dict[str, Any]:
    known = words.parameters_of(one)
    context: dict[str, Any] = {
        "study": one,
        "title": words.title_of(one),
        "walk_forward": one.kind == Study.Kind.WALK_FORWARD,
        "tone": words.TONES.get(one.status, "info"),
        "facts": report.facts_of(one),
        "ranges": report.ranges_said(one),
        "assumed": report.assumed(one),
        "strategy_url": strategy_url(one),
        "live": {
            "id": str(one.public_id),
            "status": one.status,
            "labels": _labels(known),
            "objective": one.objective,
            "cash": float(one.conditions["cash"]),
            "searched": report.searched(one),
        },
        "so_far": report.described(one, known, one.best or {}),
        "done_text": written(one.trials_done, 0),
        "total_text": written(one.trials_total, 0),
    }
    if one.status == Study.Status.DONE:
        context |= report.context(one)
    elif one.status == Study.Status.FAILED:
        context |= {"failure": words.failure_of(one), "code": code_around(one)}
    return context


def _labels(known: Any) -> dict[str, str]:
    return {name: words.labels_of(known, name) for name in known}


@login_required
@require_POST
def study_pause(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _changed(request, public_id, lambda one: services.pause_study(study_id=one.pk))


@login_required
@require_POST
def study_resume(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _changed(request, public_id, lambda one: services.resume_study(study_id=one.pk))


@login_required
@require_POST
def study_cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _changed(request, public_id, lambda one: services.cancel_study(study_id=one.pk, at=timezone.now()))


def _changed(request: HttpRequest, public_id: uuid.UUID, change: Any) -> HttpResponse:
    one = my_study(request, public_id)
    try:
        change(one)
    except DomainError as refused:
        messages.error(request, refused.message)
    if request.POST.get("back") == "list":
        return redirect("strategies:studies")
    return redirect("strategies:study", one.public_id)


# -- the list -------------------------------------------------------------------------------------------------------------


@login_required
@require_safe
def study_list(request: HttpRequest) -> HttpResponse:
    """My studies, newest first; filters are in the address."""
    filters = {name: request.GET.get(name, "").strip() for name in ("strategy", "status")}
    page = Paginator(_filtered(selectors.studies_of(person(request)), filters), PAGE).get_page(request.GET.get("page"))
    context = {
        "rows": [_row(one) for one in page.object_list],
        "page": page,
        "query": urlencode({name: value for name, value in filters.items() if value}),
        "filters": filters,
        "filtered": any(filters.values()),
        "library": library.CATALOGUE.values(),
        "mine": list(selectors.strategies_of(person(request))[:200]),
        "statuses": Study.Status.choices,
        "tab": "studies",
    }
    partial = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "results"
    return render(request, "strategies/_studies.html" if partial else "strategies/studies.html", context)


def _filtered(found: QuerySet[Study], filters: dict[str, str]) -> QuerySet[Study]:
    found = listing.of_strategy(found, filters["strategy"])
    return found.filter(status=filters["status"]) if filters["status"] in Study.Status.values else found


def _row(one: Study) -> dict[str, Any]:
    word, kind, sentence = words.badge_of(one.evidence or {}) or ("", "", "")
    return {
        "study": one,
        "title": words.title_of(one),
        "tone": words.TONES.get(one.status, "info"),
        "open": one.status in OPEN,
        "percent": f"{written(one.progress * 100, 0)}\u00a0%",
        "score": words.score_text(one.objective, (one.best or {}).get("score")),
        "objective": words.OBJECTIVES.get(one.objective, one.objective),
        "trials": written(one.trials_done, 0),
        "badge": {"word": word, "kind": kind, "sentence": sentence} if word else None,
    }
