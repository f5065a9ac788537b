"""Pages of the library: the list, and what one strategy does."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from clusterx.templatetags.figures import quantity
from strategies import selectors, wording
from strategies.contract import Declared, EventStrategy, Parameter, PortfolioStrategy, Strategy, UnknownStrategy
from strategies.library import CATALOGUE, LIBRARY, find
from strategies.views import listing
from strategies.views.demonstration import costs_text
from strategies.views.people import person
from strategies.views.studies_asking import can_be_searched
from strategies.wording import said

RECENT = 5
TOLD = 6


@require_safe
def strategy_list(request: HttpRequest) -> HttpResponse:
    """The library; an instrument in the address goes along to the run and the deploy form."""
    context = {
        "strategies": [
            {"one": one, "deployable": one.name in LIBRARY, "style": style_of(one), "told": defaults(one)[:TOLD]}
            for one in CATALOGUE.values()
        ],
        "instrument": instrument_of(request),
        "tab": "library",
    }  # fmt: skip
    return render(request, "strategies/list.html", context)


@require_safe
def strategy(request: HttpRequest, name: str) -> HttpResponse:
    """What it does and why, what may be set, and my latest runs of it."""
    try:
        one = find(name)
    except UnknownStrategy:
        raise Http404(f"there is no strategy {name}") from None
    runs: list[dict[str, Any]] = []
    if request.user.is_authenticated:
        mine = selectors.runs_of(person(request)).filter(library=name)[:RECENT]
        runs = [listing.row(run) for run in mine]
    context = {
        "strategy": one,
        "style": style_of(one),
        "parameters": [{"one": parameter, "default": default_of(parameter)} for parameter in one.parameters],
        "deployable": name in LIBRARY,
        "searchable": can_be_searched(None, name),
        "legs": one.legs if isinstance(one, PortfolioStrategy) else 1,
        "instrument": instrument_of(request),
        "costs": costs_text(),
        "rows": runs,
    }
    return render(request, "strategies/detail.html", context)


def defaults(one: Declared) -> list[tuple[str, str]]:
    """Parameters with their defaults, as people read them."""
    return [(said(parameter.label), default_of(parameter)) for parameter in one.parameters]


def default_of(parameter: Parameter) -> str:
    named = dict(wording.choices(parameter.choices))
    value = parameter.default
    return named[value] if isinstance(value, str) else quantity(value)


def style_of(one: Declared) -> str:
    """How it works, in two words."""
    if isinstance(one, PortfolioStrategy):
        return _("Several instruments")
    if isinstance(one, EventStrategy):
        return _("Places orders")
    levels = one.levels if isinstance(one, Strategy) else ()
    return _("With protective stops") if levels else ""


def instrument_of(request: HttpRequest) -> str:
    return request.GET.get("instrument", "")[:57]
