"""Pages of Markets: the list, one instrument, watchlists."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clusterx.accounts.models import User
from clusterx.errors import DomainError
from marketdata import overview, selectors
from marketdata.models import Instrument, Watchlist
from marketdata.services import watchlists

PAGE = 50
LAST_USED = "watchlist"  # in the session: the list that the person starred into last


@require_safe
def market_list(request: HttpRequest) -> HttpResponse:
    """Instruments with price, change and sparkline; filters are in the address.

    Where nobody asks for something else, those without a connection and without a price are counted and not listed.
    """
    person = _person(request)
    filters = {name: request.GET.get(name, "").strip() for name in ("q", "venue", "kind")}
    found = selectors.instruments(q=filters["q"], venue=filters["venue"], kind=filters["kind"])
    lists = list(watchlists.of(person)) if person else []
    chosen = next((one for one in lists if str(one.public_id) == request.GET.get("watchlist")), None)
    if chosen:
        found = found.filter(pk__in=[item.instrument_id for item in chosen.items.all()])
    seen, everything = selectors.with_something_to_see(found), request.GET.get("all") == "1"
    looked_for = bool(filters["q"] or filters["venue"] or chosen)
    off = 0 if looked_for else found.count() - seen.count()
    if off and not everything and seen.exists():
        found = seen
    elif not everything:
        off = 0
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {
        "rows": overview.rows(list(page.object_list), user=person),
        "page": page,
        "query": urlencode({name: value for name, value in request.GET.items() if name != "page" and value}),
        "without_all": urlencode({name: value for name, value in request.GET.items() if name not in ("page", "all") and value}),
        "everything": everything,
        "off": off,
        "filters": filters,
        "filtered": any(filters.values()) or chosen is not None,
        "venues": selectors.venues(),
        "kinds": Instrument.Kind.choices,
        "watchlists": lists,
        "watchlist": chosen,
        "watchlist_empty": chosen is not None and not chosen.items.all(),
        "star_lists": _last_used_first(request, lists),
    }
    partial = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "results"
    return render(request, "markets/_results.html" if partial else "markets/list.html", context)


@require_safe
def instrument(request: HttpRequest, ref: str) -> HttpResponse:
    """The chart, the book and the tape of one instrument."""
    one = _instrument(ref)
    person = _person(request)
    row = overview.rows([one], user=person)[0]
    timeframes = overview.timeframes_for(one)
    wanted = request.GET.get("timeframe", "")
    timeframe = wanted if wanted in timeframes else overview.first_timeframe(one)
    summary = selectors.described(row.summary)
    context = {
        "instrument": one,
        "summary": row.summary,
        "watched": row.watched,
        "star_lists": _last_used_first(request, list(watchlists.of(person)) if person else []),
        "timeframes": timeframes,
        "timeframe": timeframe,
        "page_data": {
            "instrument": {
                **{name: summary[name] for name in ("ref", "symbol", "base", "quote", "price_decimals", "has_ticks")},
                "tick_size": float(one.tick_size),
                "mode": one.venue.mode,
                "connected": one.venue.is_enabled,
                "venue": one.venue.code,
            },
            "reference": row.summary.reference,
            "timeframes": timeframes,
            "timeframe": timeframe,
            "account": request.GET.get("account", ""),
            "deployment": request.GET.get("deployment", ""),
        },
    }
    return render(request, "markets/instrument.html", context)


@login_required
def watchlist_page(request: HttpRequest) -> HttpResponse:
    """The person's watchlists, and a form that starts one."""
    person = cast(User, request.user)
    name, error = "", ""
    if request.method == "POST":
        name = request.POST.get("name", "").strip()[:60]
        try:
            if not name:
                raise DomainError(_("Give the list a name."), field="name")
            _use(request, watchlists.create(owner=person, name=name))
        except DomainError as refused:
            error = refused.message
        else:
            messages.success(request, _("%(name)s is there. Star instruments in Markets to fill it.") % {"name": name})
            return redirect("markets:watchlists")
    shown = []
    lists = list(watchlists.of(person))
    for one in lists:
        chosen = list(Instrument.objects.filter(pk__in=[i.instrument_id for i in one.items.all()]).select_related("venue"))
        shown.append({"id": str(one.public_id), "list": one, "rows": overview.rows(chosen, user=person)})
    context = {"shown": shown, "star_lists": _last_used_first(request, lists), "error": error, "name": name}
    return render(request, "markets/watchlists.html", context, status=400 if error else 200)


@login_required
@require_POST
def watchlist_delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Delete one of the person's lists."""
    mine = get_object_or_404(Watchlist, owner=request.user, public_id=public_id)
    mine.delete()
    messages.success(request, _("%(name)s was deleted.") % {"name": mine.name})
    return redirect("markets:watchlists")


@login_required
@require_POST
def watchlist_rename(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give one of the person's lists another name."""
    mine = get_object_or_404(Watchlist, owner=request.user, public_id=public_id)
    name = request.POST.get("name", "").strip()[:60]
    try:
        if not name:
            raise DomainError(_("Give the list a name."), field="name")
        watchlists.change(watchlist_id=mine.pk, name=name)
    except DomainError as refused:
        messages.error(request, refused.message)
    return redirect("markets:watchlists")


@login_required
@require_POST
def watch(request: HttpRequest, ref: str) -> HttpResponse:
    """Put the instrument on a list or take it off.

    The list is ``list``, or where none is named the one last used; a person without any gets the first.
    """
    one, person = _instrument(ref), cast(User, request.user)
    lists = _last_used_first(request, list(watchlists.of(person)))
    named = request.POST.get("list", "")
    mine = next((each for each in lists if str(each.public_id) == named), None) if named else next(iter(lists), None)
    if named and mine is None:
        raise Http404("there is no such list")
    try:
        _watch(request, one, mine, wanted=request.POST.get("watched") == "true")
    except DomainError as refused:
        messages.error(request, refused.message)
    back = _local(request, request.POST.get("next", ""))
    if request.headers.get("HX-Request"):
        context = {
            "instrument": one,
            "watched": overview.watched_by(person, [one]).get(one.pk, frozenset()),
            "star_lists": _last_used_first(request, list(watchlists.of(person))),
            "place": slugify(request.POST.get("place", "")) or "list",
            "next": back,
        }
        return render(request, "markets/_star.html", context)
    return redirect(back or reverse("markets:instrument", args=[one.ref]))


def _watch(request: HttpRequest, one: Instrument, mine: Watchlist | None, *, wanted: bool) -> None:
    if mine is None:
        if wanted:
            _use(request, watchlists.create(owner=cast(User, request.user), name=_("Watched"), refs=[one.ref]))
        return
    others = [item.instrument.ref for item in mine.items.all() if item.instrument_id != one.pk]
    if wanted != (len(others) < len(mine.items.all())):
        watchlists.change(watchlist_id=mine.pk, refs=[*others, one.ref] if wanted else others)
    _use(request, mine)


def _use(request: HttpRequest, mine: Watchlist) -> None:
    request.session[LAST_USED] = str(mine.public_id)


def _last_used_first(request: HttpRequest, lists: list[Watchlist]) -> list[Watchlist]:
    last = request.session.get(LAST_USED)
    return sorted(lists, key=lambda mine: str(mine.public_id) != last)


def _local(request: HttpRequest, address: str) -> str:
    """``address`` where it is a path of this site, else nothing: ``redirect`` takes any other word for the name of a view."""
    here = url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return address if here and address.startswith("/") else ""


def _instrument(ref: str) -> Instrument:
    found = Instrument.objects.filter(ref=ref, is_active=True).select_related("venue").first()
    if found is None:
        raise Http404(f"there is no instrument {ref}")
    return found


def _person(request: HttpRequest) -> User | None:
    user: Any = request.user
    return user if user.is_authenticated else None
