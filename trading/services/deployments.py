"""Putting strategies to work, and taking them off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from clusterx.templatetags import figures
from marketdata.models import Instrument
from strategies import contract, library
from trading import events, selectors
from trading.errors import DeploymentDeleted, HoldsPosition, NotDeployable, TooMany
from trading.models import Account, Deployment, Position
from trading.services.journal import record
from trading.services.orders import Why, give_up_all
from trading.services.pursuit import flatten

RUNNING_LIMIT: Final = 50


@transaction.atomic
def deploy(
    *,
    account_id: int,
    strategy: str,
    values: Mapping[str, object],
    instrument_id: int,
    timeframe: str,
    allocation: Decimal,
    at: datetime,
    actor: User | None = None,
) -> Deployment:
    """Run a strategy of the library on an instrument and timeframe, beginning with the next bar that closes.

    Parameters
    ----------
    values : mapping
        The strategy's parameters by name; what is left out takes its default.
    allocation : Decimal
        Share of the account's equity that full exposure puts to work, above 0 and at most 1, four decimals.

    Raises
    ------
    UnknownStrategy, InvalidParameter
        As ``strategies.contract`` does.
    NotDeployable
        If the instrument is not traded, is quoted in another currency or has no such bars, or the allocation is out
        of range.
    TooMany
        If 50 deployments of the account run.
    """
    known = library.get(strategy)
    parameters = contract.validate_asked(known, values)
    account = Account.objects.select_for_update().get(pk=account_id)
    instrument = Instrument.objects.select_related("venue").get(pk=instrument_id)
    if not instrument.is_active or not instrument.venue.is_enabled:
        raise NotDeployable(_("%(instrument)s has no live prices here.") % {"instrument": instrument.ref}, field="instrument")
    if instrument.quote != account.currency:
        raise NotDeployable(
            _("%(instrument)s is quoted in %(quote)s; the account is kept in %(currency)s.")
            % {"instrument": instrument.ref, "quote": instrument.quote, "currency": account.currency},
            field="instrument",
        )
    if timeframe not in selectors.timeframes_for(instrument):
        offered = ", ".join(selectors.timeframes_for(instrument))
        raise NotDeployable(
            _("The timeframe must be one of %(offered)s, was %(found)s.") % {"offered": offered, "found": timeframe},
            field="timeframe",
        )
    if not 0 < allocation <= 1 or allocation != allocation.quantize(Decimal("0.0001")):
        raise NotDeployable(
            _("The allocation must be above 0 and at most 1, with four decimals, was %(found)s.") % {"found": allocation},
            field="allocation",
        )
    _check_running_limit(account)
    deployment = Deployment.objects.create(
        account=account,
        strategy=known.name,
        parameters=parameters.to_json(),
        instrument=instrument,
        timeframe=timeframe,
        allocation=allocation,
        created_at=at,
        started_at=at,
        starts_after=selectors.newest_bar_time(instrument.pk, timeframe),
    )
    _tell(deployment, events.DEPLOYMENT_CREATED, at, actor)
    return deployment


@transaction.atomic
def start(*, deployment_id: int, at: datetime, actor: User | None = None) -> Deployment:
    """Let a stopped or failed deployment go on with the next bar that closes. A second call changes nothing.

    An order to close its position that still waits is cancelled.

    Raises DeploymentDeleted, and TooMany if 50 deployments of the account run.
    """
    deployment = _lock(deployment_id)
    if deployment.is_running:
        return deployment
    _check_running_limit(deployment.account)
    give_up_all(deployment, Why("superseded", "The deployment was started again."), at=at)
    deployment.status, deployment.status_reason = Deployment.Status.RUNNING, ""
    deployment.started_at, deployment.stopped_at, deployment.flatten_asked_at = at, None, None
    deployment.starts_after = selectors.newest_bar_time(deployment.instrument_id, deployment.timeframe)
    deployment.save(update_fields=["status", "status_reason", "started_at", "stopped_at", "starts_after", "flatten_asked_at"])
    _tell(deployment, events.DEPLOYMENT_STARTED, at, actor)
    return deployment


@transaction.atomic
def stop(*, deployment_id: int, at: datetime, close_position: bool = False, actor: User | None = None) -> Deployment:
    """Stop a deployment: it looks at no further bar and its waiting orders are cancelled. A second call changes
    nothing.

    What it holds stays, unless ``close_position``: then a market order closes it as soon as there is a fresh price.

    Raises DeploymentDeleted.
    """
    deployment = _lock(deployment_id)
    if deployment.is_running:
        give_up_all(deployment, Why("stopped", "The deployment was stopped."), at=at)
        deployment.status, deployment.stopped_at = Deployment.Status.STOPPED, at
        deployment.save(update_fields=["status", "stopped_at"])
        _tell(deployment, events.DEPLOYMENT_STOPPED, at, actor)
    if close_position and _held(deployment) and deployment.flatten_asked_at is None:
        deployment.flatten_asked_at = at
        deployment.save(update_fields=["flatten_asked_at"])
        flatten(deployment, at=at)
    return deployment


@transaction.atomic
def delete(*, deployment_id: int, at: datetime, close_position: bool = False, actor: User | None = None) -> Deployment:
    """Stop a deployment and hide it for good; its orders and fills stay. A second call changes nothing.

    Raises HoldsPosition if it holds something, unless ``close_position``: then a market order closes it.
    """
    deployment = _lock(deployment_id, deleted=True)
    if deployment.deleted_at is not None:
        return deployment
    if _held(deployment) and not close_position:
        raise HoldsPosition(
            _("The deployment holds %(quantity)s on %(instrument)s; close the position first, or delete it and close.")
            % {"quantity": figures.quantity(_held(deployment), deployment.instrument), "instrument": deployment.instrument.ref},
            quantity=events.text(_held(deployment)),
        )
    stop(deployment_id=deployment_id, at=at, close_position=close_position, actor=actor)
    deployment.refresh_from_db(fields=["status", "stopped_at"])
    deployment.deleted_at = at
    deployment.save(update_fields=["deleted_at"])
    _tell(deployment, events.DEPLOYMENT_DELETED, at, actor)
    return deployment


def _lock(deployment_id: int, *, deleted: bool = False) -> Deployment:
    account_id = Deployment.objects.values_list("account_id", flat=True).get(pk=deployment_id)
    account = Account.objects.select_for_update().get(pk=account_id)
    deployment = Deployment.objects.select_for_update(of=("self",)).select_related("instrument__venue").get(pk=deployment_id)
    if deployment.deleted_at is not None and not deleted:
        raise DeploymentDeleted(_("The deployment was deleted."))
    deployment.account = account
    return deployment


def _held(deployment: Deployment) -> Decimal:
    held = Position.objects.filter(deployment=deployment).values_list("quantity", flat=True).first()
    return held or Decimal(0)


def _check_running_limit(account: Account) -> None:
    if Deployment.objects.filter(account=account, status=Deployment.Status.RUNNING).count() >= RUNNING_LIMIT:
        raise TooMany(_("An account may run %(limit)s deployments.") % {"limit": RUNNING_LIMIT}, limit=RUNNING_LIMIT)


def _tell(deployment: Deployment, type: str, at: datetime, actor: User | None) -> None:
    record(
        account=deployment.account,
        type=type,
        payload=events.DeploymentNews(
            deployment=str(deployment.public_id),
            strategy=deployment.strategy,
            instrument=deployment.instrument.ref,
            timeframe=deployment.timeframe,
        ),
        at=at,
        actor=actor,
        changed=(("deployment", deployment.pk),),
    )
