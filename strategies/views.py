"""Pages of Strategies: the library, and what one strategy does."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from strategies.contract import UnknownStrategy
from strategies.library import LIBRARY, get


@require_safe
def strategy_list(request: HttpRequest) -> HttpResponse:
    """The library; an instrument in the address goes along to the deploy form."""
    return render(request, "strategies/list.html", {"strategies": LIBRARY.values(), "instrument": _instrument(request)})


@require_safe
def strategy(request: HttpRequest, name: str) -> HttpResponse:
    """What it does, and what may be set."""
    try:
        one = get(name)
    except UnknownStrategy:
        raise Http404(f"there is no strategy {name}") from None
    return render(request, "strategies/detail.html", {"strategy": one, "instrument": _instrument(request)})


def _instrument(request: HttpRequest) -> str:
    return request.GET.get("instrument", "")[:57]
