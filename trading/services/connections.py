"""Whether an account's venue answers, written down with its connection."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from trading import events
from trading.brokers.protocol import BadCredentials, BrokerError
from trading.models import Account, Connection
from trading.services.journal import record
from trading.services.locks import lock_account
from trading.services.states import restrict


@transaction.atomic
def heard(account_id: int, error: BrokerError | None, *, at: datetime) -> None:
    """The venue answered (None), or why it did not. An account whose key is not accepted trades no more until its owner looks.

    A second call changes nothing but the times.
    """
    account = lock_account(account_id)
    connection = Connection.objects.select_for_update().filter(account=account).first()
    if connection is None or connection.status == Connection.Status.REVOKED:
        return
    if error is not None and not (connection.may_trade and connection.opened_at):
        # Nobody asked the venue: the key has still to pass its test.
        return
    before = connection.status
    connection.checked_at = at
    if error is None:
        connection.status, connection.status_reason, connection.answered_at = Connection.Status.CONNECTED, "", at
    else:
        connection.status, connection.status_reason = Connection.Status.FAILING, error.message[:300]
    connection.save(update_fields=["status", "status_reason", "checked_at", "answered_at"])
    if connection.status != before:
        payload = events.ConnectionNews(connection.status, connection.status_reason)
        record(account=account, type=events.CONNECTION_CHANGED, payload=payload, at=at)
    if isinstance(error, BadCredentials):
        restrict(account, Account.State.HALTED, code="bad-credentials", reason=error.message, at=at)
