"""Writing to an account's stream of the event log, and telling who listens after commit."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from clusterx.accounts.models import User
from clusterx.events import log
from clusterx.events.models import Event
from trading import signals
from trading.models import Account


def stream_of(account: Account) -> str:
    """The account's stream of events, and its channel."""
    return f"account/{account.public_id}"


def record(
    *,
    account: Account,
    type: str,
    payload: Any,
    at: datetime,
    changed: tuple[tuple[str, int], ...] = (),
    actor: User | None = None,
    correlation_id: uuid.UUID | None = None,
) -> Event:
    """Append ``payload`` to the account's stream inside the caller's transaction.

    After commit ``account_news`` is sent with the rows that ``changed``. Receivers fail on their own: what was
    committed stays.
    """
    event = log.append(stream=stream_of(account), type=type, payload=payload, actor=actor, correlation_id=correlation_id, at=at)
    transaction.on_commit(
        lambda: signals.account_news.send_robust(sender=Account, account_id=account.pk, event_id=event.pk, changed=changed),
        robust=True,
    )
    return event
