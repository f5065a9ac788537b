"""Pages of Trade: an account's dashboard, deployments and their controls, orders, activity."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusterx.accounts.models import User
from clusterx.api.whole_numbers import whole_number
from clusterx.errors import DomainError
from strategies import library, wording
from strategies.contract import UnknownStrategy
from trading import selectors
from trading.forms import PARAMETER_PREFIX, AccountForm, DeploymentForm
from trading.models import Account, Deployment, Evaluation
from trading.selectors import risk as standings
from trading.services import deployments as deployment_services
from trading.services.accounts import create_account

LAST_EVENT = 2**59  # the addresses of older news go by the numbers of events
NEWEST = 8
USUAL_TIMEFRAME = "5m"
PAGE = 50


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What the account is worth, holds and does; the first account unless the address names one."""
    accounts = list(selectors.accounts_of(_person(request)))
    if not accounts:
        waiting = selectors.connections_of(_person(request)).exists()
        return redirect("trading:accounts" if waiting else "trading:account_new")
    account = _chosen(accounts, request.GET.get("account"))
    context = _lists(request, account) | {"accounts": accounts}
    if _wants(request, "lists"):
        return render(request, "trading/_lists.html", context)
    context["page_data"] = _page_data(account, context["portfolio"])
    return render(request, "trading/dashboard.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_new(request: HttpRequest) -> HttpResponse:
    """Open a paper account."""
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            account = create_account(owner=_person(request), at=timezone.now(), **form.cleaned_data)
        except DomainError as refused:
            _put_error(form, refused)
        else:
            messages.success(request, _("Account %(name)s is open.") % {"name": account.name})
            return redirect(_dashboard_of(account))
    first = not selectors.accounts_of(_person(request)).exists()
    status = 400 if form.errors else 200
    return render(request, "trading/account_new.html", {"form": form, "first": first}, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def deploy(request: HttpRequest) -> HttpResponse:
    """Put a strategy to work; account, strategy and instrument may come in the address."""
    accounts = list(selectors.accounts_of(_person(request)))
    if not accounts:
        messages.info(request, _("Open a paper account first; then deploy on it."))
        return redirect("trading:account_new")
    account = _chosen(accounts, request.GET.get("account"))
    name = request.GET.get("strategy") or next(iter(library.LIBRARY))
    try:
        form = _deployment_form(request, account, name)
    except UnknownStrategy:
        raise Http404(f"there is no strategy {name}") from None
    if request.method == "POST" and form.is_valid():
        try:
            made = deployment_services.deploy(**form.cleaned(), at=timezone.now(), actor=_person(request))
        except DomainError as refused:
            _put_error(form, refused)
        else:
            messages.success(request, _("Deployed. It acts on the next bar that closes."))
            return redirect("trading:deployment", made.public_id)
    context = {
        "form": form,
        "account": account,
        "accounts": accounts,
        "strategy": form.strategy,
        "strategies": library.LIBRARY.values(),
        "page_data": {"instruments": form.fits()},
        "why_not": selectors.why_not_deployable(account, asked) if (asked := request.GET.get("instrument", "")) else "",
    }
    return render(request, "trading/deploy.html", context, status=400 if form.errors else 200)


@login_required
@require_safe
def deployment(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One strategy at work: what it holds, did and thought."""
    one = _deployment(request, public_id)
    portfolio = selectors.portfolio(one.account, at=timezone.now())
    holding = next((held for held in portfolio.positions if held.deployment == one), None)
    context: dict[str, Any] = {
        "deployment": one,
        "account": one.account,
        "holding": holding,
        "holding_list": [holding] if holding else [],
        "orders": list(selectors.orders_of(_person(request)).filter(deployment=one)[:PAGE]),
        "fills": list(selectors.fills_of(_person(request)).filter(deployment=one)[:PAGE]),
        "evaluations": standings.explained(Evaluation.objects.filter(deployment=one).order_by("-bar_time")[:NEWEST]),
        "state_reason": standings.state_reason(one),
        "states": Account.State.values,
        "parameters": _named_parameters(one),
    }
    if _wants(request, "lists"):
        return render(request, "trading/_deployment.html", context)
    context["page_data"] = _page_data(one.account, portfolio) | {"deployment": str(one.public_id)}
    return render(request, "trading/deployment.html", context)


@login_required
@require_POST
def deployment_start(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _deployment(request, public_id)
    return _act(request, one, deployment_services.start, _("%(name)s runs. It acts on the next bar that closes."))


@login_required
@require_POST
def deployment_stop(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _deployment(request, public_id)
    close = request.POST.get("close_position") == "true"
    said = _("%(name)s is stopped; its position is being closed at market.") if close else _("%(name)s is stopped.")
    return _act(request, one, deployment_services.stop, said, close_position=close)


@login_required
@require_POST
def deployment_delete(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = _deployment(request, public_id)
    close = request.POST.get("close_position") == "true"
    said = _("%(name)s is deleted. Its orders and fills stay.")
    return _act(request, one, deployment_services.delete, said, close_position=close)


@login_required
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    """Every order of the account, whatever became of it."""
    if (account := _own(request)) is None:
        return redirect("trading:account_new")
    page = Paginator(selectors.orders_of(_person(request)).filter(account=account), PAGE).get_page(request.GET.get("page"))
    return render(request, "trading/orders.html", {"account": account, "orders": page.object_list, "page": page})


@login_required
@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """What happened to the account, newest first."""
    if (account := _own(request)) is None:
        return redirect("trading:account_new")
    before = whole_number(request.GET.get("before"), least=1, most=LAST_EVENT)
    told = selectors.activity(account, limit=PAGE, before=before)
    context = {"account": account, "activity": told, "more": told[-1].id if len(told) == PAGE else None}
    return render(request, "trading/activity.html", context)


# -- what the pages share -----------------------------------------------------------------------------------------


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


def _wants(request: HttpRequest, part: str) -> bool:
    return bool(request.headers.get("HX-Request")) and request.GET.get("part") == part


def _chosen(accounts: list[Account], public_id: str | None) -> Account:
    if not public_id:
        return accounts[0]
    for account in accounts:
        if str(account.public_id) == public_id:
            return account
    raise Http404("there is no such account")


def _own(request: HttpRequest) -> Account | None:
    """The account that the address names, else the first; None for a person without any."""
    accounts = list(selectors.accounts_of(_person(request)))
    return _chosen(accounts, request.GET.get("account")) if accounts else None


def _dashboard_of(account: Account) -> str:
    return f"{reverse('trading:dashboard')}?account={account.public_id}"


def _deployment(request: HttpRequest, public_id: uuid.UUID) -> Deployment:
    one = selectors.deployments_of(_person(request)).filter(public_id=public_id).first()
    if one is None:
        raise Http404("there is no such deployment")
    return one


def _lists(request: HttpRequest, account: Account) -> dict[str, Any]:
    person, at = _person(request), timezone.now()
    return {
        "account": account,
        "portfolio": selectors.portfolio(account, at=at),
        "deployments": list(selectors.deployments_of(person).filter(account=account)),
        "orders": list(selectors.orders_of(person).filter(account=account)[:NEWEST]),
        "fills": list(selectors.fills_of(person).filter(account=account)[:NEWEST]),
        "activity": selectors.activity(account, limit=20),
    }


def _page_data(account: Account, portfolio: selectors.Portfolio) -> dict[str, Any]:
    return {
        "account": str(account.public_id),
        "currency": account.currency,
        "starting_balance": str(account.starting_balance),
        "equity": [[moment, float(equity)] for moment, equity in selectors.equity_curve(account)],
    }


def _deployment_form(request: HttpRequest, account: Account, strategy: str) -> DeploymentForm:
    if request.method == "POST":
        return DeploymentForm(request.POST, account=account, strategy=strategy)
    initial: dict[str, Any] = {name: value for name, value in request.GET.items() if name.startswith(PARAMETER_PREFIX)}
    ref = request.GET.get("instrument")
    found = selectors.deployable_instruments(account)
    # Nobody is given another instrument than they asked for: what cannot be traded here is left to be chosen.
    chosen = found.filter(ref=ref).first() if ref else found.order_by("pk").first()
    if chosen:
        offered = selectors.timeframes_for(chosen)
        wanted = request.GET.get("timeframe", "" if ref else USUAL_TIMEFRAME)
        initial |= {"instrument": chosen.ref, "timeframe": wanted if wanted in offered else offered[0]}
    return DeploymentForm(account=account, strategy=strategy, initial=initial)


def _named_parameters(one: Deployment) -> list[tuple[str, str]]:
    try:
        return wording.values(library.get(one.strategy).parameters, one.parameter_values)
    except DomainError:  # the library moved on; what was stored is still worth reading
        return wording.values((), one.parameters.get("values", {}))


def _put_error(form: Any, refused: DomainError) -> None:
    field = refused.facts.get("field")
    for name in (field, str(field).replace("parameters.", PARAMETER_PREFIX)):
        if name in form.fields:
            form.add_error(name, refused.message)
            return
    form.add_error(None, refused.message)


def _act(request: HttpRequest, one: Deployment, service: Any, said: str, **how: Any) -> HttpResponse:
    at: datetime = timezone.now()
    try:
        service(deployment_id=one.pk, at=at, actor=_person(request), **how)
    except DomainError as refused:
        messages.error(request, refused.message)
        return redirect("trading:deployment", one.public_id)
    messages.success(request, said % {"name": one.strategy_label})
    gone = service is deployment_services.delete
    back = request.POST.get("back") == "deployment" and not gone
    return redirect(reverse("trading:deployment", args=[one.public_id]) if back else _dashboard_of(one.account))
