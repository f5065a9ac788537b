"""How a library strategy trades, on bars of this installation: what the chart on its page asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from clusterx import wording as texts
from clusterx.errors import DomainError
from clusterx.templatetags.figures import decimals_of, percent, tone
from strategies.contract import Declared, Strategy, UnknownStrategy
from strategies.forms import EXCHANGE
from strategies.library import find
from strategies.services.runs import RunRequest, conditions_of
from strategies.services.snapshots import finer_bars
from strategies.services.subjects import library_hash
from strategies.views.grounds import Ground, Span, chosen, grounds_for, query_of, span_on
from strategies.views.waiting import later
from strategies.views.words import REGIMES, bars_text, share_text, span_text, written
from strategies.wording import said

SHAPE: Final = 1  # of what the cache holds
KEPT: Final = 3_600.0  # seconds; a bar that a venue amends is seen after them
PATIENCE: Final = 1.5  # seconds that a page waits before it is told to ask again
WAITING: Final = 6  # computations at once in this process, those that wait included
# Anybody may open the page, and the site goes on beside it: one at a time.
_workers: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="demonstration")
_running: Final[dict[str, Future[dict[str, Any]]]] = {}
_lock: Final = threading.Lock()


@require_safe
def demonstration(request: HttpRequest, name: str) -> HttpResponse:
    """The strategy at its defaults on the newest bars of a market that fits, with the numbers that come of it.

    202 while they are being computed: the page asks again. The default ground is the first that the form that asks
    for a run lists; ``instrument`` chooses another one.
    """
    try:
        strategy = find(name)
    except UnknownStrategy:
        raise Http404(f"there is no strategy {name}") from None
    grounds = grounds_for(strategy)
    if not grounds:
        return JsonResponse({"ok": False, "empty": True})
    ground = chosen(grounds, request.GET.get("instrument", ""))
    answer: dict[str, Any] = {
        "choices": [
            {"ref": one.lead.ref, "label": f"{one.label} — {texts.said(one.lead.venue.name, 'venue')}"} for one in grounds
        ],
        "chosen": ground.lead.ref,
    }
    span = span_on(ground)
    if span is None:
        return JsonResponse(answer | {"ok": False, "message": _("There are too few bars of this market yet.")})
    try:
        found = _computed(*_work(strategy, ground, span))
    except DomainError as refused:
        return JsonResponse(answer | {"ok": False, "message": refused.message})
    if found is None:
        return later(_("The engine is getting ready."), **answer)
    return JsonResponse(answer | {"ok": True} | _said(strategy, ground, span, found) | {"chart": _chart(ground, found)})


def _work(strategy: Declared, ground: Ground, span: Span) -> tuple[str, Callable[[], dict[str, Any]]]:
    """The key of a demonstration, and what computes it; everything that asks the database is asked here."""
    from strategies.conditions import Conditions
    from strategies.demonstration import demonstrate

    asked = RunRequest(
        strategy=strategy.name, instruments=[one.ref for one in ground.instruments], timeframe=ground.timeframe, costs=EXCHANGE
    )
    conditions = Conditions.from_json(conditions_of(asked, ground.instruments))
    ends = f"{span.series[0].time[0]}:{span.series[0].time[-1]}:{':'.join(str(len(one)) for one in span.series)}"
    legs = ":".join(str(one.pk) for one in ground.instruments)
    key = f"demonstration:{SHAPE}:{library_hash()[:12]}:{strategy.name}:{ground.timeframe}:{legs}:{ends}"
    finer = None
    if isinstance(strategy, Strategy) and strategy.levels and cache.get(key) is None:
        kept = finer_bars(instrument=ground.lead, timeframe=ground.timeframe, start=span.start, end=span.end)
        finer = kept[1] if kept else None
    return key, partial(demonstrate, strategy, span.series, conditions, finer)


def _computed(key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The demonstration from the cache or from ``work``; None while that is not done, or where too much waits already.

    Raises whatever ``work`` raises.
    """
    known: dict[str, Any] | None = cache.get(key)
    if known is not None:
        return known

    def kept() -> dict[str, Any]:
        found = work()
        cache.set(key, found, KEPT)
        return found

    with _lock:
        future = _running.get(key)
        if future is None:
            if len(_running) >= WAITING:
                return None
            future = _running[key] = _workers.submit(kept)
            future.add_done_callback(lambda _done: _running.pop(key, None))
    try:
        return future.result(timeout=PATIENCE)
    except TimeoutError:
        return None


def _said(strategy: Declared, ground: Ground, span: Span, found: dict[str, Any]) -> dict[str, Any]:
    """The numbers as people read them, and where the same run is asked for."""
    count = len(found["rows"][0])
    closed, still_open = found["closed"], found["open"]
    trades = ngettext("%(count)s still open", "%(count)s still open", still_open) % {"count": still_open}
    ends = (span.start.timestamp(), span.end.timestamp() - 1)
    figures = {
        "return": (percent(found["total_return"]), "", tone(found["total_return"])),
        "benchmark": (percent(found["benchmark_return"]), "", tone(found["benchmark_return"])),
        "trades": (written(closed, 0), trades if still_open else "", ""),
        "span": (span_text(*ends), f"{bars_text(count)} · {ground.timeframe}", ""),
    }
    note = _("One market, one span, default parameters: an example of how it trades, no proof that it earns.")
    if strategy.name == "order-flow":
        note = _("There are no recorded trades of this span: who bought and who sold is guessed from the bars.") + " " + note
    return {
        "figures": {name: {"value": value, "note": more, "tone": kind} for name, (value, more, kind) in figures.items()},
        "badge": {"text": ground.lead.venue.get_mode_display(), "kind": ground.lead.venue.mode},
        "note": note,
        "told": _("%(strategy)s on %(market)s, %(span)s: %(gain)s, buy and hold %(held)s, %(count)s trades")
        % {
            "strategy": said(strategy.label),
            "market": ground.label,
            "span": figures["span"][0],
            "gain": figures["return"][0],
            "held": figures["benchmark"][0],
            "count": figures["trades"][0],
        },
        "run": f"{reverse('strategies:run_new')}?{query_of(strategy, ground, span)}",
    }


def costs_text() -> str:
    """Fee and slippage of a fill that demonstrations assume."""
    return f"{share_text(EXCHANGE['fee'])} + {share_text(EXCHANGE['slippage'])}"


def _chart(ground: Ground, found: dict[str, Any]) -> dict[str, Any]:
    lines = [one | {"label": said(one["label"])} for one in found["lines"]]
    kinds = {int(kind): str(label) for kind, label in REGIMES.items()}
    return found | {
        "timeframe": ground.timeframe,
        "lines": lines,
        "regime_names": {kind: kinds[kind] for kind in sorted(set(found["regimes"]) - {0})},
        "legs": [
            {"symbol": one.symbol, "price_decimals": decimals_of(one.tick_size), "tick_size": float(one.tick_size)}
            for one in ground.instruments
        ],
    }
