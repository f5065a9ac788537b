"""People's own rows and what happened to them: what lists, pages and the API show."""

from __future__ import annotations

import uuid

from django.db.models import OuterRef, QuerySet, Subquery

from clusterx.accounts.models import User
from clusterx.events.models import Event
from trading.activity import Activity, described
from trading.models import Account, Connection, Deployment, Evaluation, Fill, Order, Position


def accounts_of(user: User) -> QuerySet[Account]:
    """The user's accounts that have books, oldest first: not those of a broker that has never answered."""
    return Account.objects.filter(owner=user).exclude(currency="")


def connections_of(user: User) -> QuerySet[Connection]:
    """The user's connections to brokers, oldest first, those that have never worked too."""
    connections = Connection.objects.filter(account__owner=user).select_related("account", "venue")
    return connections.order_by("created_at", "pk")


def account_of(user: User, public_id: uuid.UUID | str) -> Account:
    """One of the user's accounts. Raises Account.DoesNotExist, for other people's too."""
    return accounts_of(user).get(public_id=public_id)


def deployments() -> QuerySet[Deployment]:
    """Deployments, newest first, each with its newest evaluation.

    Annotated ``last_bar_time``, ``last_evaluated_at``, ``last_outcome``, ``last_reason``, ``last_target``: None before
    the first.
    """
    newest = Evaluation.objects.filter(deployment=OuterRef("pk")).order_by("-bar_time")
    return Deployment.objects.select_related("account", "instrument__venue", "position").annotate(
        last_bar_time=Subquery(newest.values("bar_time")[:1]),
        last_evaluated_at=Subquery(newest.values("evaluated_at")[:1]),
        last_outcome=Subquery(newest.values("outcome")[:1]),
        last_reason=Subquery(newest.values("reason")[:1]),
        last_target=Subquery(newest.values("target")[:1]),
    )


def deployments_of(user: User) -> QuerySet[Deployment]:
    """The user's deployments that are not deleted, as ``deployments`` gives them."""
    return deployments().filter(account__owner=user, deleted_at=None)


def orders() -> QuerySet[Order]:
    """Orders, newest first; annotated ``fill_price`` and ``fill_fee``, None until filled."""
    fills = Fill.objects.filter(order=OuterRef("pk"))
    return Order.objects.select_related("account", "deployment", "instrument__venue").annotate(
        fill_price=Subquery(fills.values("price")[:1]), fill_fee=Subquery(fills.values("fee")[:1])
    )


def orders_of(user: User) -> QuerySet[Order]:
    """The user's orders, as ``orders`` gives them."""
    return orders().filter(account__owner=user)


def fills() -> QuerySet[Fill]:
    """Fills, newest first."""
    return Fill.objects.select_related("account", "deployment", "instrument__venue", "order")


def fills_of(user: User) -> QuerySet[Fill]:
    """The user's fills."""
    return fills().filter(account__owner=user)


def positions() -> QuerySet[Position]:
    """Positions, flat ones too, newest first, with what ``holding`` needs."""
    return Position.objects.select_related("account", "deployment", "instrument__venue", "instrument__latest").order_by(
        "-deployment_id"
    )


def positions_of(user: User) -> QuerySet[Position]:
    """The user's positions."""
    return positions().filter(account__owner=user)


def activity(account: Account, *, limit: int = 50, before: int | None = None) -> list[Activity]:
    """What happened to the account, newest first; ``before`` is the id of the oldest one already seen."""
    events = Event.objects.filter(stream=f"account/{account.public_id}")
    if before is not None:
        events = events.filter(pk__lt=before)
    return described(events.order_by("-pk")[:limit])
