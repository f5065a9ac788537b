"""Accounts that are looked after: those whose broker is listened to, and those at the paper venue with something open."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from trading.lifecycle import OPEN
from trading.models import Account, Connection, Order


@dataclass(frozen=True, slots=True)
class Connected:
    """An account whose broker is listened to. ``key`` changes when it must be connected anew."""

    account_id: int
    broker: str
    key: str
    answered_at: datetime | None


def connected_accounts() -> list[Connected]:
    """Accounts at a broker whose key has passed its test and was not revoked."""
    connections = Connection.objects.filter(account__kind=Account.Kind.BROKER, sealed__isnull=False, may_trade=True)
    return [
        Connected(one.account_id, one.broker, _key(one), one.answered_at)
        for one in connections.exclude(opened_at=None).exclude(status=Connection.Status.REVOKED).order_by("pk")
    ]


def _key(connection: Connection) -> str:
    sealed = hashlib.sha256(bytes(connection.sealed or b"")).hexdigest()
    return f"{connection.broker} {connection.market} {connection.is_paper} {sealed}"


def paper_accounts_at_work() -> list[int]:
    """Accounts at the paper venue with an order that is not over as far as we know."""
    working = Order.objects.filter(account__kind=Account.Kind.PAPER, status__in=OPEN)
    return sorted(set(working.values_list("account_id", flat=True)))


def accounts_to_reconcile() -> list[int]:
    return sorted({one.account_id for one in connected_accounts()} | set(paper_accounts_at_work()))
