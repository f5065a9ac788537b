"""The account's stream: what is sent, and to whom. Other channels' kinds belong to other apps."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db.models import Max
from django.utils import timezone, translation

from clusterx.events.models import Event
from clusterx.live.publish import publish
from trading import selectors
from trading.activity import described
from trading.api import serializers
from trading.models import Account, Evaluation
from trading.services.journal import stream_of


def account_channel(account: Account) -> str:
    """The name of the account's private channel."""
    return stream_of(account)


def publish_news(account_id: int, event_id: int, changed: tuple[tuple[str, int], ...]) -> None:
    """Send the rows that changed, then the event; all with the event's id as their sequence number."""
    account = Account.objects.select_related("owner").get(pk=account_id)
    event = Event.objects.get(pk=event_id)
    messages = [{kind: _row(kind, pk)} for kind, pk in changed]
    with translation.override(account.owner.language or settings.LANGUAGE_CODE):
        messages.append({"event": dict(serializers.ActivityOutput(described([event])[0]).data)})
    for message in messages:
        publish(account_channel(account), message, seq=event.pk, keep=False)


def publish_look(account_id: int, evaluation_id: int) -> None:
    """Send what a deployment thought of a bar. Most looks change nothing and are in no log: they carry no number."""
    account = Account.objects.select_related("owner").get(pk=account_id)
    look = Evaluation.objects.select_related("deployment").get(pk=evaluation_id)
    with translation.override(account.owner.language or settings.LANGUAGE_CODE):
        told = serializers.LookOutput(look).data
    publish(account_channel(account), {"look": dict(told)}, keep=False, adds=True)


def publish_equity(portfolio: selectors.Portfolio) -> None:
    """Send what the account is worth; the newest wins, so it carries no number of its own."""
    publish(account_channel(portfolio.account), {"equity": valued(portfolio)}, keep=False)


def valued(portfolio: selectors.Portfolio) -> dict[str, Any]:
    """The account as REST gives it, its positions included."""
    return dict(serializers.AccountOutput(portfolio).data)


def _row(kind: str, pk: int) -> dict[str, Any]:
    match kind:
        case "order":
            return dict(serializers.OrderOutput(selectors.orders().get(pk=pk)).data)
        case "fill":
            return dict(serializers.FillOutput(selectors.fills().get(pk=pk)).data)
        case "position":
            return dict(serializers.PositionOutput(selectors.holding(selectors.positions().get(pk=pk))).data)
        case "deployment":
            return dict(serializers.DeploymentOutput(selectors.deployments().get(pk=pk)).data)
    raise AssertionError(f"no row is called {kind!r}")


# -- subscribers --------------------------------------------------------------------------------------------------


def authorise(channel: str, user: Any) -> bool:
    """Whether this person may listen: to their own account's channel, and no other."""
    return _account_of(channel, user) is not None


def snapshot(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    """The account valued now, and the number of the newest event that is in it."""
    account = _account_of(channel, user)
    if account is None:
        return {}, None
    # The number is read first: an event that comes in between is sent after the snapshot, never lost.
    newest = Event.objects.filter(stream=channel).aggregate(newest=Max("pk"))["newest"]
    return valued(selectors.portfolio(account, at=timezone.now())), newest


def _account_of(channel: str, user: Any) -> Account | None:
    _, _, public_id = channel.partition("/")
    if not user.is_authenticated:
        return None
    try:
        return selectors.account_of(user, uuid.UUID(public_id))
    except (ValueError, Account.DoesNotExist):
        return None
