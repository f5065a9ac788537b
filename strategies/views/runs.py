"""Pages of runs: one run from queue to report, the list, the comparison, and the page behind a secret link."""

from __future__ import annotations

import uuid
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusterx.errors import DomainError
from strategies import library, selectors, trade_list
from strategies.models import Run
from strategies.services import appraisals
from strategies.services import runs as services
from strategies.views import listing, report, robustness, tables
from strategies.views.people import my_run, person, uuid_of, wants
from strategies.views.studies_asking import can_be_searched
from strategies.views.subject import code_around, strategy_url
from strategies.views.words import FAILURES

PAGE: Final = 30
COMPARED: Final = 6
COMPARE_POINTS: Final = 600


@login_required
@require_safe
@never_cache
def run(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One run: how far it is, its report, or why it failed. A script asks for the part ``state`` when that changes."""
    one = my_run(request, public_id)
    template = "strategies/_run_state.html" if wants(request, "state") else "strategies/run.html"
    return render(request, template, _state(one))


def _state(one: Run) -> dict[str, Any]:
    context: dict[str, Any] = {
        "run": one,
        "currency": one.instrument.quote,
        "live": {"id": str(one.public_id), "final": one.is_final},
        "parameters": listing.named_parameters(one),
        "strategy_url": strategy_url(one),
    }
    if one.status == Run.Status.DONE:
        context |= report.context(one) | {"share_url": share_url(one), "searchable": can_be_searched(one.version, one.library)}
    elif one.status == Run.Status.FAILED:
        context |= {"failure": FAILURES.get(one.reason, ""), "code": code_around(one)}
    return context


@login_required
@require_POST
def run_cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = my_run(request, public_id)
    services.cancel_run(run_id=one.pk, at=timezone.now())
    return redirect("strategies:run", one.public_id)


@login_required
@require_POST
def run_again(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Do it again with the same bars: the same hash comes out, or the page says what differs."""
    one = my_run(request, public_id)
    try:
        made = services.rerun(run_id=one.pk, owner=person(request), at=timezone.now())
    except DomainError as refused:
        messages.error(request, refused.message)
        return redirect("strategies:run", one.public_id)
    return redirect("strategies:run", made.public_id)


@login_required
@require_POST
def run_share(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = my_run(request, public_id)
    try:
        if request.POST.get("shared") == "false":
            services.unshare_run(run_id=one.pk)
            messages.success(request, _("The link no longer works."))
        else:
            services.share_run(run_id=one.pk, at=timezone.now())
    except DomainError as refused:
        messages.error(request, refused.message)
    return redirect(f"{reverse('strategies:run', args=[one.public_id])}#share")


@login_required
@require_safe
def run_trades(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _done(my_run(request, public_id))
    return render(request, "strategies/_trades.html", tables.trade_rows(one, request) | {"base": _base(one)})


@login_required
@require_safe
def run_bars(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _bars(request, _done(my_run(request, public_id)))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def run_robustness(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The tests of robustness, as far as they were made; a POST has them made anew."""
    one = _done(my_run(request, public_id))
    if request.method == "POST":
        appraisals.appraise_again(run=one)
    return _robustness(request, one, shared=False)


# -- behind the secret link -------------------------------------------------------------------------------------------


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """The report for whoever has its link; nobody needs to sign in."""
    one = _shared(token)
    context = report.context(one, shared=True) | {"parameters": listing.named_parameters(one), "strategy_url": ""}
    answer = render(request, "strategies/shared.html", context)
    answer["X-Robots-Tag"] = "noindex"
    answer["Referrer-Policy"] = "no-referrer"  # the address is the secret
    return answer


@require_safe
def shared_trades(request: HttpRequest, token: str) -> HttpResponse:
    one = _shared(token)
    return render(request, "strategies/_trades.html", tables.trade_rows(one, request) | {"base": _base(one, shared=True)})


@require_safe
@never_cache
def shared_robustness(request: HttpRequest, token: str) -> HttpResponse:
    return _robustness(request, _shared(token), shared=True)


@require_safe
def shared_bars(request: HttpRequest, token: str) -> HttpResponse:
    return _bars(request, _shared(token))


@require_safe
@never_cache
def shared_file(request: HttpRequest, token: str, kind: str) -> HttpResponse:
    """All trades as CSV or Parquet, for whoever has the link. Its name says nothing of whose they are."""
    one = _shared(token)
    refs = [instrument.ref for instrument in one.instruments]
    trades = selectors.trades(one)
    if kind == "csv":
        body, mime = trade_list.as_csv(trades, refs).encode(), "text/csv; charset=utf-8"
    else:
        body, mime = trade_list.as_parquet(trades, refs), "application/vnd.apache.parquet"
    headers = {
        "Content-Disposition": f'attachment; filename="trades.{kind}"', "X-Robots-Tag": "noindex",
        "Referrer-Policy": "no-referrer",
    }  # fmt: skip
    return HttpResponse(body, content_type=mime, headers=headers)


def _shared(token: str) -> Run:
    try:
        return _done(selectors.shared_run(token))
    except Run.DoesNotExist:
        raise Http404("there is no such run") from None


# -- lists --------------------------------------------------------------------------------------------------------------


@login_required
@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """My runs, newest first; filters are in the address."""
    filters = {name: request.GET.get(name, "").strip() for name in ("strategy", "status", "timeframe", "instrument")}
    found = listing.of_strategy(selectors.runs_of(person(request)), filters["strategy"])
    if filters["status"] in Run.Status.values:
        found = found.filter(status=filters["status"])
    if filters["timeframe"]:
        found = found.filter(timeframe=filters["timeframe"])
    if filters["instrument"]:
        found = found.filter(legs__instrument__ref=filters["instrument"]).distinct()
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    mine = list(selectors.strategies_of(person(request))[:200])
    context = {
        "rows": [listing.row(one) for one in page.object_list],
        "page": page,
        "query": urlencode({name: value for name, value in filters.items() if value}),
        "filters": filters,
        "filtered": any(filters.values()),
        "library": library.CATALOGUE.values(),
        "mine": mine,
        "statuses": Run.Status.choices,
        "tab": "runs",
        "most": COMPARED,
    }
    partial = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "results"
    return render(request, "strategies/_runs.html" if partial else "strategies/runs.html", context)


@login_required
@require_safe
def run_compare(request: HttpRequest) -> HttpResponse:
    """Up to six finished runs side by side."""
    wanted = [one for one in dict.fromkeys(request.GET.getlist("run")) if uuid_of(one)][:COMPARED]
    whole = selectors.whole_runs().filter(owner=person(request), public_id__in=wanted, status=Run.Status.DONE)
    known = {str(one.public_id): one for one in whole}
    chosen = [known[public_id] for public_id in wanted if public_id in known]
    context = {
        "runs": [
            {
                "run": one, "place": place + 1, "parameters": listing.named_parameters(one),
                "without": urlencode([("run", other.public_id) for other in chosen if other is not one]),
            }
            for place, one in enumerate(chosen)
        ],
        "rows": listing.compared(chosen),
        "same_bars": len({tuple(leg.snapshot_id for leg in one.legs.all()) for one in chosen}) <= 1,
        "page_data": {"curves": [_curve(one) for one in chosen]},
        "tab": "runs",
        "most": COMPARED,
    }  # fmt: skip
    return render(request, "strategies/compare.html", context)


def _curve(one: Run) -> dict[str, Any]:
    points = selectors.points(one, COMPARE_POINTS)
    cash = float(one.conditions["cash"])
    return {
        "label": f"{one.subject_label} · {one.instrument.symbol}",
        "timeframe": one.timeframe,
        "time": points["time"],
        "growth": [value / cash - 1 for value in points["equity"]],
    }


# -- what the pages share -----------------------------------------------------------------------------------------------


def _done(one: Run) -> Run:
    if one.status != Run.Status.DONE:
        raise Http404("the run has no result")
    return one


def _base(one: Run, *, shared: bool = False) -> str:
    return reverse("strategies:shared", args=[one.share_token]) if shared else reverse("strategies:run", args=[one.public_id])


def _robustness(request: HttpRequest, one: Run, *, shared: bool) -> HttpResponse:
    context = robustness.context(one, shared=shared) | {"url": f"{_base(one, shared=shared)}robustness/"}
    return render(request, "strategies/_robustness.html", context)


def _bars(request: HttpRequest, one: Run) -> HttpResponse:
    def number(name: str, otherwise: int) -> int:
        text = request.GET.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise

    found = tables.bar_window(one, number("leg", 0), number("start", 0), number("count", 1_000))
    if found is None:
        raise Http404("the run has no such instrument")
    answer = JsonResponse(found)
    answer["Cache-Control"] = "private, max-age=3600"  # a snapshot never changes
    return answer


def share_url(one: Run) -> str:
    from django.conf import settings

    return settings.SITE_URL + reverse("strategies:shared", args=[one.share_token]) if one.share_token else ""
