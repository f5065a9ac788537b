"""Pages of accounts: all of them, connecting one at a broker, what a connection may do and what differs there."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusterx.accounts.models import User
from clusterx.errors import DomainError
from trading.brokers.registry import BROKERS, offer
from trading.forms import CREDENTIAL_PREFIX, ConnectForm, KeyForm, TermsForm
from trading.models import Account, Connection, Difference, Holding
from trading.services import connecting
from trading.services.connection_checks import SKEW_TOLD
from trading.services.paper_terms import change_terms, terms_of

STEPS: Final = ("waiting", "permissions", "clock", "holdings")
BESIDE: Final = 20
DIFFERENCES: Final = 20


@login_required
@require_safe
def account_list(request: HttpRequest) -> HttpResponse:
    """Every account: whose it is, whether it trades, and how its broker answers."""
    accounts = Account.objects.filter(owner=_person(request)).select_related("connection")
    return render(request, "trading/accounts.html", {"accounts": [_named(one) for one in accounts]})


@login_required
@require_safe
def connect(request: HttpRequest) -> HttpResponse:
    """Choose a broker."""
    return render(request, "trading/connect.html", {"brokers": BROKERS.values()})


@never_cache
@login_required
@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def connect_broker(request: HttpRequest, broker: str) -> HttpResponse:
    """How to make a key there, and where to enter it."""
    if broker not in BROKERS:
        raise Http404("there is no such broker")
    offered = BROKERS[broker]
    form = ConnectForm(request.POST or None, offered=offered)
    if request.method == "POST" and form.is_valid():
        try:
            made = connecting.connect_broker(
                owner=_person(request), fields=form.credentials(), at=timezone.now(), **form.choices()
            )
        except DomainError as refused:
            _put_error(form, refused)
        else:
            return redirect("trading:account", made.public_id)
    context = {
        "form": form,
        "offer": offered,
        "guide": f"trading/guides/{offered.name}.html",
        "addresses": settings.TRADING_ADDRESSES,
    }
    return render(request, "trading/connect_broker.html", context, status=400 if form.errors else 200)


@never_cache
@login_required
@require_safe
def account(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One account: how its broker answers and what its key may do; of a paper account, how its orders are executed."""
    one = _account(request, public_id)
    return _shown(request, one, key_form=_key_form(one))


@login_required
@require_POST
def check(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _connected(request, public_id)
    return _act(request, one, lambda: connecting.ask_for_test(account_id=one.pk, at=timezone.now()))


@login_required
@sensitive_post_parameters()
@sensitive_variables()
@require_POST
def replace_key(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _connected(request, public_id)
    form = KeyForm(request.POST, offered=offer(one.connection.broker))
    if form.is_valid():
        try:
            connecting.replace_key(account_id=one.pk, fields=form.credentials(), at=timezone.now(), actor=_person(request))
        except DomainError as refused:
            _put_error(form, refused)
        else:
            return redirect("trading:account", one.public_id)
    return _shown(request, one, key_form=form, status=400)


@login_required
@require_POST
def revoke(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _connected(request, public_id)
    said = _("The key was destroyed here. Delete it at the broker too.")
    return _act(request, one, lambda: connecting.revoke(account_id=one.pk, at=timezone.now(), actor=_person(request)), said)


@login_required
@require_POST
def remove(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _connected(request, public_id)
    try:
        connecting.discard(account_id=one.pk, at=timezone.now(), actor=_person(request))
    except DomainError as refused:
        messages.error(request, refused.message)
        return redirect("trading:account", one.public_id)
    messages.success(request, _("%(name)s is removed.") % {"name": one.name})
    return redirect("trading:accounts")


@login_required
@require_POST
def terms(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _account(request, public_id)
    if one.kind != Account.Kind.PAPER:
        raise Http404("what a broker charges is the broker's")
    form = TermsForm(request.POST)
    if form.is_valid():
        try:
            change_terms(account_id=one.pk, terms=form.terms(), at=timezone.now(), actor=_person(request))
        except DomainError as refused:
            _put_error(form, refused)
        else:
            messages.success(request, _("Saved. The next order is executed by it."))
            return redirect("trading:account", one.public_id)
    return _shown(request, one, terms_form=form, status=400)


# -- what the pages share -----------------------------------------------------------------------------------------


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


def _account(request: HttpRequest, public_id: uuid.UUID) -> Account:
    """One of the person's, that of a broker that never answered too."""
    accounts = Account.objects.filter(owner=_person(request)).select_related("connection__venue")
    one = accounts.filter(public_id=public_id).first()
    if one is None:
        raise Http404("there is no such account")
    return _named(one)


def _connected(request: HttpRequest, public_id: uuid.UUID) -> Account:
    one = _account(request, public_id)
    if one.kind != Account.Kind.BROKER:
        raise Http404("a paper account has no key")
    return one


def _named(one: Account) -> Account:
    """With its broker's name, where it has one."""
    if one.kind == Account.Kind.BROKER:
        name = one.connection.broker
        one.broker_label = BROKERS[name].label if name in BROKERS else name.removeprefix("ccxt:")  # type: ignore[attr-defined]
    return one


def _key_form(one: Account) -> KeyForm | None:
    return KeyForm(offered=offer(one.connection.broker)) if one.kind == Account.Kind.BROKER else None


def _shown(
    request: HttpRequest,
    one: Account,
    *,
    key_form: KeyForm | None = None,
    terms_form: TermsForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"account": one}
    if one.kind == Account.Kind.PAPER:
        context["terms_form"] = terms_form or TermsForm.showing(terms_of(one))
        return render(request, "trading/account.html", context, status=status)
    context |= _tested(one.connection, timezone.now())
    if request.headers.get("HX-Request") and request.GET.get("part") == "connection":
        return render(request, "trading/_connection.html", context)
    context["key_form"] = key_form
    context["differences"] = list(Difference.objects.filter(account=one, resolved_at=None)[:DIFFERENCES])
    context["beside"] = list(Holding.objects.filter(account=one).order_by("currency")[:BESIDE])
    return render(request, "trading/account.html", context, status=status)


def _tested(connection: Connection, at: datetime) -> dict[str, Any]:
    """How far a test is, and what the last one says."""
    place = STEPS.index(connection.step) if connection.step in STEPS else 0
    skew = connection.clock_skew or 0.0
    return {
        "connection": connection,
        "testing": connection.asked_at is not None,
        "place": place,
        "nobody_tests": connection.step == "waiting" and at - (connection.asked_at or at) > connecting.PATIENCE / 4,
        "skew": round(abs(skew), 1) if abs(skew) > SKEW_TOLD else None,
        "ahead": skew > 0,
    }


def _put_error(form: Any, refused: DomainError) -> None:
    field = str(refused.facts.get("field", ""))
    for name in (field, field.replace("credentials.", CREDENTIAL_PREFIX), "money" if field == "is_paper" else ""):
        if name in form.fields and not form.fields[name].widget.is_hidden:
            form.add_error(name, refused.message)
            return
    form.add_error(None, refused.message)


def _act(request: HttpRequest, one: Account, service: Any, said: str = "") -> HttpResponse:
    try:
        service()
    except DomainError as refused:
        messages.error(request, refused.message)
    else:
        if said:
            messages.success(request, said)
    return redirect("trading:account", one.public_id)
