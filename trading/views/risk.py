"""Pages of risk: limits and what they would become, circuit breakers, whether trading is on, and the way out of everything."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import sanitize_separators
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusterx.api.whole_numbers import whole_number
from clusterx.errors import DomainError
from trading import selectors, wording
from trading.models import Account, Deployment, Panic, Position
from trading.risk.breakers import Breaker
from trading.risk.checks import RULES
from trading.risk.excess import Excess, excesses
from trading.risk.numbers import Unit, plain
from trading.risk.parameters import PARAMETERS, InvalidProfile, Parameter, Value
from trading.risk.profile import RiskProfile
from trading.selectors import risk as standings
from trading.services import panic as panics
from trading.services import risk as services
from trading.services.orders import open_orders
from trading.views import _deployment, _own, _person, _wants

PREFIX: Final = "p-"
NEWEST: Final = 8
HUNDRED: Final = Decimal(100)
STATES: Final = tuple(Account.State.values)


@dataclass(frozen=True, slots=True)
class Row:
    """A limit of the table: what it is, and what it would become. ``then`` is empty where nothing would change."""

    label: str
    help: str
    now: str
    then: str
    by_hand: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A limit to be set by hand; an empty ``typed`` leaves it to the appetite."""

    name: str
    label: str
    help: str
    typed: str
    low: str
    high: str
    suffix: str
    choices: tuple[tuple[str, str], ...]
    error: str


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def risk(request: HttpRequest) -> HttpResponse:
    """The account's limits and where it stands with them; ``part=preview`` is what others would change."""
    if (account := _own(request)) is None:
        return redirect("trading:account_new")
    if request.method == "POST" and "preview" not in request.POST:
        return _save(request, account)
    asked = request.POST if request.method == "POST" else request.GET
    if _wants(request, "live"):
        return render(request, "trading/_risk_live.html", _live(account))
    if _wants(request, "preview"):
        return render(request, "trading/_risk_preview.html", _preview(account, asked))
    return _page(request, account, asked)


@login_required
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """What each rule refuses and each limit means."""
    told = [(rule.code, wording.said(rule.label), wording.said(rule.refuses)) for rule in RULES]
    limits = [(wording.said(one.label), wording.said(one.help), *_span(one)) for one in PARAMETERS]
    return render(request, "trading/risk_rules.html", {"account": _own(request), "rules": told, "limits": limits})


@login_required
@require_safe
def standing(request: HttpRequest) -> HttpResponse:
    """Why the account does not trade: the banner of every page, asked for again when something changed."""
    account = _own(request)
    if account is None:
        raise Http404("there is no such account")
    return render(request, "trading/_standing.html", {"account": account, "standing": standings.standing(account)})


@login_required
@require_POST
def breaker_reset(request: HttpRequest, breaker: str) -> HttpResponse:
    account = _named(request)
    if breaker not in list(Breaker):
        raise Http404("there is no such breaker")
    reason = request.POST.get("reason", "")
    try:
        done = services.reset_breaker(
            account_id=account.pk, breaker=Breaker(breaker), reason=reason, at=timezone.now(), actor=_person(request)
        )
    except DomainError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("The breaker is reset.") if done else _("The breaker had not tripped."))
    return redirect(_risk_of(account))


@login_required
@require_POST
def account_state(request: HttpRequest) -> HttpResponse:
    account, state = _named(request), _state(request)
    try:
        services.set_account_state(
            account_id=account.pk,
            state=state,
            reason=request.POST.get("reason", ""),
            at=timezone.now(),
            actor=_person(request),
        )
    except DomainError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("The trading state is set."))
    return redirect(_risk_of(account))


@login_required
@require_POST
def deployment_state(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one, state = _deployment(request, public_id), _state(request)
    try:
        services.set_deployment_state(
            deployment_id=one.pk,
            state=state,
            reason=request.POST.get("reason", ""),
            at=timezone.now(),
            actor=_person(request),
        )
    except DomainError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("The trading state is set."))
    return redirect("trading:deployment", one.public_id)


@login_required
@require_POST
def panic_start(request: HttpRequest) -> HttpResponse:
    """Out of everything, now."""
    account = _named(request)
    reason = request.POST.get("reason", "").strip() or _("The panic button was pressed.")
    begun = panics.panic(account_id=account.pk, reason=reason, at=timezone.now(), actor=_person(request))
    return redirect("trading:panic", begun.pk)


@login_required
@require_safe
def panic_will(request: HttpRequest) -> HttpResponse:
    """What panic would do now, for whoever is looking at its button."""
    account = _named(request)
    context = {"account": account, "portfolio": selectors.portfolio(account, at=timezone.now())}
    return render(request, "trading/_panic_will.html", context)


@login_required
@require_safe
def panic(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a panic is, step by step, and what to do next."""
    begun = Panic.objects.select_related("account").filter(pk=pk, account__owner=_person(request)).first()
    if begun is None:
        raise Http404("there is no such panic")
    account = begun.account
    held = Position.objects.filter(account=account).exclude(quantity=0)
    context = {
        "account": account,
        "panic": begun,
        "steps": panics.steps(begun),
        "stopped": Deployment.objects.filter(account=account, stopped_at=begun.started_at).count(),
        "positions": held.count(),
        "open_orders": open_orders(account.pk).count(),
    }
    if _wants(request, "steps"):
        return render(request, "trading/_panic_steps.html", context)
    context["page_data"] = {"account": str(account.public_id)}
    return render(request, "trading/panic.html", context)


# -- what the page of limits shows ------------------------------------------------------------------------------------


def _page(request: HttpRequest, account: Account, asked: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    context = _live(account) | _preview(account, asked)
    context["accounts"] = list(selectors.accounts_of(_person(request)))
    context["fields"] = _fields(context["typed"], context["error_field"], context["error"])
    context["page_data"] = {"account": str(account.public_id)}
    return render(request, "trading/risk.html", context, status=status)


def _save(request: HttpRequest, account: Account) -> HttpResponse:
    appetite, overrides = _asked(request.POST, account)
    try:
        services.set_risk(
            account_id=account.pk, appetite=appetite, overrides=overrides, at=timezone.now(), actor=_person(request)
        )
    except InvalidProfile:
        return _page(request, account, request.POST, status=400)
    messages.success(request, _("The limits are set. They hold from the next order on."))
    return redirect(_risk_of(account))


def _live(account: Account) -> dict[str, Any]:
    valued = selectors.portfolio(account, at=timezone.now())
    refused = [(one, *wording.rejection(one.payload)) for one in standings.refused_lately(account, limit=NEWEST)]
    return {
        "account": account,
        "portfolio": valued,
        "standing": standings.standing(account),
        "gauges": standings.gauges(account, standings.breakers_of(account)),
        "sized": list(standings.sized_lately(account)[:NEWEST]),
        "refused": refused,
        "last_panic": standings.panics_of(account).first(),
        "states": STATES,
    }


def _preview(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Every limit as it is and as it would be, and what would be beyond it."""
    appetite, overrides = _asked(asked, account)
    now = account.risk_profile
    then, error, error_field = now, "", ""
    try:
        then = services.checked(appetite, overrides)
    except InvalidProfile as refused:
        error, error_field = refused.message, str(refused.facts.get("field", ""))
    valued = selectors.portfolio(account, at=timezone.now())
    state = standings.breakers_of(account)
    beyond: tuple[Excess, ...] = ()
    if then != now:
        beyond = excesses(standings.held_of(valued), valued.equity, state, then)
    rows = [_row(one, now, then) for one in PARAMETERS]
    return {
        "account": account,
        "appetite": appetite,
        "typed": {name: asked[PREFIX + name] for name in overrides if PREFIX + name in asked} or _typed(overrides),
        "rows": rows,
        "changes": sum(1 for row in rows if row.then),
        "is_changed": then != now,
        "excesses": beyond,
        "error": error,
        "error_field": error_field,
    }


def _asked(data: Mapping[str, Any], account: Account) -> tuple[int, dict[str, object]]:
    """The appetite and the limits set by hand that ``data`` holds; the account's own where it holds none."""
    now = account.risk_profile
    if "appetite" not in data:
        return now.appetite, {name: now.values[name] for name in now.by_hand}
    overrides: dict[str, object] = {}
    for parameter in PARAMETERS:
        given = str(
            sanitize_separators(str(data.get(PREFIX + parameter.name, "")).strip())
        )  # 2,5 where that is how it is written
        if given:
            overrides[parameter.name] = _from_percent(given) if parameter.unit == Unit.SHARE else given
    return whole_number(data["appetite"], least=0, most=99) or 0, overrides


def _from_percent(given: str) -> Decimal | str:
    """A share that was typed in percent; what is no number stays as it was typed."""
    try:
        number = Decimal(given)
    except InvalidOperation:
        return given
    return number / HUNDRED if number.is_finite() else given


def _typed(overrides: Mapping[str, object]) -> dict[str, str]:
    return {one.name: _in_field(one, overrides[one.name]) for one in PARAMETERS if one.name in overrides}


def _in_field(parameter: Parameter, value: object) -> str:
    if parameter.choices or not isinstance(value, (int, Decimal)):
        return str(value)
    return plain(Decimal(value) * (HUNDRED if parameter.unit == Unit.SHARE else 1))


def _row(parameter: Parameter, now: RiskProfile, then: RiskProfile) -> Row:
    was: Value = now.values[parameter.name]
    becomes: Value = then.values[parameter.name]
    return Row(
        label=wording.said(parameter.label),
        help=wording.said(parameter.help),
        now=wording.value(parameter, was),
        then=wording.value(parameter, becomes) if becomes != was else "",
        by_hand=parameter.name in then.by_hand,
    )


def _fields(typed: Mapping[str, str], error_field: str, error: str) -> list[Field]:
    return [
        Field(
            name=PREFIX + one.name,
            label=wording.said(one.label),
            help=wording.said(one.help),
            typed=typed.get(one.name, ""),
            **dict(zip(("low", "high"), _span(one), strict=True)),
            suffix={Unit.SHARE: "%", Unit.TIMES: "×", Unit.ATR: "ATR", Unit.SECONDS: "s"}.get(one.unit, ""),
            choices=tuple((name, wording.said(label)) for name, label in one.choices),
            error=error if one.name == error_field else "",
        )
        for one in PARAMETERS
    ]


def _span(parameter: Parameter) -> tuple[str, str]:
    return ("", "") if parameter.choices else services.limits_of(parameter)


def _state(request: HttpRequest) -> str:
    state = request.POST.get("state", "")
    if state not in STATES:
        raise Http404("there is no such trading state")
    return state


def _named(request: HttpRequest) -> Account:
    """The account that the address names: what is done to one is never done to another because a name was left out."""
    account = _own(request) if request.GET.get("account") else None
    if account is None:
        raise Http404("the address names no account")
    return account


def _risk_of(account: Account) -> str:
    return f"{reverse('trading:risk')}?account={account.public_id}"
