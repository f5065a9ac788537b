"""What people decide about risk: how much of it, whether a deployment, an account or the platform trades, and what goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from clusterx.events import log
from trading import events, signals, wording
from trading.errors import PanicUnderWay
from trading.models import Account, Deployment, Panic, Platform
from trading.risk.breakers import Breaker, ReasonNeeded
from trading.risk.numbers import Number, plain
from trading.risk.parameters import BY_NAME, InvalidProfile, Parameter, Value
from trading.risk.profile import RiskProfile, profile, to_json
from trading.services import breakers, states
from trading.services.journal import record
from trading.services.locks import lock_account

PLATFORM_STREAM: Final = "platform"
BY_HAND: Final = "by-hand"
State = Account.State


def checked(appetite: int, overrides: Mapping[str, object]) -> RiskProfile:
    """The profile of ``appetite`` with ``overrides``. Raises InvalidProfile in the language of the moment."""
    try:
        return profile(appetite, overrides)
    except InvalidProfile as refused:
        field = str(refused.facts.get("field", ""))
        found = appetite if field == "appetite" else overrides.get(field)
        raise InvalidProfile(_objection(refused, field, found), **refused.facts) from None


@transaction.atomic
def set_risk(*, account_id: int, appetite: int, overrides: Mapping[str, object], at: datetime, actor: User) -> RiskProfile:
    """Let the account keep the limits of ``appetite``, and ``overrides`` in their place. A second call changes nothing.

    Raises InvalidProfile, naming the field.
    """
    chosen = checked(appetite, overrides)
    account = lock_account(account_id)
    before = account.risk_profile
    if chosen == before:
        return before
    account.risk = to_json(chosen)
    account.save(update_fields=["risk"])
    was, now = before.values, chosen.values
    changed = {name: [_stored(was[name]), _stored(now[name])] for name in BY_NAME if was[name] != now[name]}
    payload = events.RiskNews(chosen.appetite, before.appetite, changed)
    record(account=account, type=events.RISK_CHANGED, payload=payload, at=at, actor=actor)
    return chosen


@transaction.atomic
def set_account_state(*, account_id: int, state: str, reason: str, at: datetime, actor: User) -> bool:
    """Restrict an account, or let it trade again; whether that changed anything.

    Raises ReasonNeeded, and PanicUnderWay where it would trade before a panic is over.
    """
    account = lock_account(account_id)
    if account.state == state:
        return False
    reason = _explained(reason)
    if state != State.HALTED and Panic.objects.filter(account=account, done_at=None).exists():
        raise PanicUnderWay(_("A panic is under way: the account trades again when everything is closed."))
    states.change(account, state, code=BY_HAND, reason=reason, at=at, actor=actor)
    # What waited for this is looked at now.
    tell = partial(signals.order_waiting.send_robust, sender=Account, account_id=account.pk)
    transaction.on_commit(tell, robust=True)
    return True


@transaction.atomic
def set_deployment_state(*, deployment_id: int, state: str, reason: str, at: datetime, actor: User) -> bool:
    """Restrict one deployment, or let it trade again; whether that changed anything. Raises ReasonNeeded."""
    account = lock_account(Deployment.objects.values_list("account_id", flat=True).get(pk=deployment_id))
    deployment = Deployment.objects.select_for_update(of=("self",)).select_related("instrument").get(pk=deployment_id)
    if deployment.state == state:
        return False
    reason = _explained(reason)
    before, deployment.state = deployment.state, state
    deployment.save(update_fields=["state"])
    record(
        account=account,
        type=events.DEPLOYMENT_STATE_CHANGED,
        payload=events.DeploymentStateNews(
            deployment=str(deployment.public_id),
            strategy=deployment.strategy,
            instrument=deployment.instrument.ref,
            timeframe=deployment.timeframe,
            state=state,
            before=before,
            reason=reason,
        ),
        at=at,
        actor=actor,
        changed=(("deployment", deployment.pk),),
    )
    return True


@transaction.atomic
def set_platform(*, state: str, reason: str, at: datetime, actor: User) -> Platform:
    """The kill switch: whether anybody trades here at all. A second call changes nothing. Raises ReasonNeeded."""
    Platform.objects.get_or_create(pk=1)
    platform = Platform.objects.select_for_update().get(pk=1)
    if platform.state == state:
        return platform
    reason = _explained(reason)
    before = platform.state
    platform.state, platform.reason, platform.changed_at, platform.changed_by = state, reason, at, actor
    platform.save()
    news = events.PlatformNews(state=state, before=before, reason=reason)
    log.append(stream=PLATFORM_STREAM, type=events.PLATFORM_CHANGED, payload=news, at=at, actor=actor)
    return platform


def reset_breaker(*, account_id: int, breaker: Breaker, reason: str, at: datetime, actor: User) -> bool:
    """Let the account trade again after ``breaker`` tripped; whether it had. Raises ReasonNeeded."""
    return breakers.reset(account_id=account_id, breaker=breaker, reason=_explained(reason), at=at, actor=actor)


def _explained(reason: str) -> str:
    """``reason`` as it is kept."""
    if not reason.strip():
        raise ReasonNeeded(_("Say why: it is kept with what happened."), field="reason")
    return reason.strip()[:300]


def _stored(value: Value) -> str:
    return value if isinstance(value, str) else plain(Decimal(value))


def _objection(refused: InvalidProfile, field: str, found: object) -> str:
    """What ``refused`` says, in the language of the moment: the engine is pure and knows no languages."""
    told = {"found": str(found)[:60]}
    if field == "appetite":
        return _("The risk appetite must be 1 to 10, was %(found)s.") % told
    parameter = BY_NAME.get(field)
    if parameter is None:
        return _("There is no limit called %(name)s.") % {"name": field[:60]}
    told["label"] = wording.said(parameter.label)
    if parameter.choices:
        told["offered"] = ", ".join(name for name, _label in parameter.choices)
        return _("“%(label)s” must be one of %(offered)s, was %(found)s.") % told
    if "minimum" in refused.facts:
        low, high = limits_of(parameter)
        return _("“%(label)s” must be %(low)s to %(high)s.") % (told | {"low": low, "high": high})
    if parameter.is_whole:
        return _("“%(label)s” must be a whole number, was %(found)s.") % told
    return _("“%(label)s” must be a number, was %(found)s.") % told


def limits_of(parameter: Parameter) -> tuple[str, str]:
    """The least and the most that may be set by hand, as people read them."""
    low, high = (wording.number(Number(one, parameter.unit)) for one in (parameter.minimum, parameter.maximum))
    return low, high
