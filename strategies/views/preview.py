"""The live preview of a rule: its trades on the newest bars, without a run being kept."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import numpy as np
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clusterx.errors import DomainError
from clusterx.templatetags.figures import decimals_of
from marketdata.models import Instrument
from marketdata.overview import timeframes_for
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe
from strategies import warming
from strategies.forms import EXCHANGE
from strategies.services.runs import RunRequest, conditions_of
from strategies.views.checking import rules_package
from strategies.views.people import given_json, person, text_in
from strategies.views.waiting import Desk, NotYet, later

BARS: Final = 1_000
_workers: Final = Desk("preview")


@login_required
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Trades of a rule on the newest 1,000 bars of its timeframe; where it is none yet, what is wrong with it."""
    given = given_json(request)
    document = given.get("document")
    one = Instrument.objects.filter(ref=text_in(given, "instrument"), is_active=True).first()
    try:
        rules = rules_package()
    except NotYet:
        return later(_("The indicators are being loaded."), problems=[])
    try:
        strategy = rules.compile_rule(document)
    except rules.InvalidRule as wrong:
        return JsonResponse({"ok": False, "problems": wrong.facts["errors"]})
    timeframe = str(strategy.timeframe)
    if one is None or timeframe not in timeframes_for(one):
        offered = ", ".join(timeframes_for(one)) if one else ""
        message = (
            _("%(symbol)s has %(offered)s.") % {"symbol": one.symbol, "offered": offered} if one else _("Choose an instrument.")
        )
        return JsonResponse({"ok": False, "problems": [], "message": message})
    bars = BarStore().read(one.pk, timeframe, limit=BARS)
    if len(bars) < 2:
        return JsonResponse({"ok": False, "problems": [], "message": _("There are no bars to show it on.")})
    what = hashlib.sha256(json.dumps([document, one.pk, int(bars.time[-1])]).encode()).digest()
    try:
        trades, equity = _workers.ask(person(request).pk, what, lambda: _traded(strategy, bars, one))
    except NotYet:
        if warming.is_compiled():
            return later(_("Still computing."), problems=[])
        return later(_("The engine is being prepared; this happens once."), problems=[])
    except DomainError as refused:
        return JsonResponse({"ok": False, "problems": [], "message": refused.message})
    return JsonResponse(
        {
            "ok": True,
            "timeframe": timeframe,
            "start": int(bars.time[0]),
            "end": int(bars.time[-1]) + Timeframe.of(timeframe).seconds,
            "price_decimals": decimals_of(one.tick_size),
            "tick_size": float(one.tick_size),
            "rows": np.column_stack(bars.columns).tolist(),
            "trades": {
                name: trades[name].tolist()
                for name in ("side", "entry_time", "exit_time", "entry_price", "exit_price", "pnl", "open")
            },
            "total_return": equity,
        }
    )  # fmt: skip


def _traded(strategy: Any, bars: Any, one: Instrument) -> tuple[Any, float]:
    """Trades under the conditions of a run that an editor asks for, and what they return."""
    warming.wait_while_compiled()
    from strategies.backtest import library_decision, simulated, tradable_volumes
    from strategies.conditions import Conditions
    from strategies.contract import validate

    asked = RunRequest(instruments=[one.ref], timeframe=str(strategy.timeframe), costs=dict(EXCHANGE))
    conditions = Conditions.from_json(conditions_of(asked, [one]))
    decision = library_decision(strategy, validate(strategy, {}))([bars], conditions)
    traded, _unknown = tradable_volumes([bars])
    result = simulated(traded, decision, conditions)
    return result.trades, result.final_equity / conditions.cash - 1
