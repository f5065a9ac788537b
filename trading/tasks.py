"""Work of trading in the background. Every task may run twice, late or at the same time as itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from celery import shared_task
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from trading import selectors
from trading.brokers.paper.venue import match
from trading.models import Connection
from trading.selectors.connected import accounts_to_reconcile
from trading.services import connection_checks, evaluation, reconciliation, valuation
from trading.services import dispatch as outbox

# PostgreSQL comes back; what was not committed is done again.
RETRY = {
    "autoretry_for": (OperationalError, InterfaceError),
    "retry_backoff": 1,
    "retry_backoff_max": 10,
    "retry_jitter": False,
    "max_retries": 8,
}

TOGETHER: Final = 25  # deployments that one task evaluates: enough to share what is read, few enough to share the work
LOOKS: Final = 12
LOOK_AGAIN_AFTER: Final = 0.4  # seconds; after the last look the sweep goes on


@shared_task(name="trading.evaluate_bar", **RETRY)
def evaluate_bar(instrument_id: int, timeframe: str, time: int) -> None:
    """A bar closed (``time``: its opening, in seconds): let every deployment that runs on it look at it.

    Not if a newer bar is stored: that one is acted upon, and whoever looks at it records this one as passed over.
    """
    newest = selectors.newest_bar_time(instrument_id, timeframe)
    if newest is not None and newest.timestamp() > time:
        return
    waiting = selectors.running_on(instrument_id, timeframe)
    look_at_bar(waiting[:TOGETHER], time)
    for first in range(TOGETHER, len(waiting), TOGETHER):
        evaluate.delay(waiting[first : first + TOGETHER], time)


@shared_task(name="trading.evaluate", **RETRY)
def evaluate(deployment_ids: list[int], time: int) -> None:
    """Let deployments on one instrument and timeframe look at the bar that opened at ``time`` (seconds)."""
    look_at_bar(deployment_ids, time)


def look_at_bar(deployment_ids: list[int], time: int) -> None:
    """Evaluate, and send at once what follows from it: nobody else need be told of orders that this worker sends itself."""
    with outbox.sending_here() as accounts:
        evaluation.evaluate_all(deployment_ids=deployment_ids, bar_time=datetime.fromtimestamp(time, UTC), at=timezone.now())
    for account_id in accounts:
        try:
            dispatch(account_id)
        except (OperationalError, InterfaceError):  # the bar was looked at; what follows from it is a task of its own
            dispatch.delay(account_id)


@shared_task(name="trading.record_passed", **RETRY)
def record_passed(deployment_id: int) -> None:
    """Write down the bars that a deployment never looked at."""
    evaluation.record_passed(deployment_id=deployment_id, at=timezone.now())


@shared_task(name="trading.dispatch", **RETRY)
def dispatch(account_id: int, looks: int = LOOKS) -> None:
    """Send what waits in an account's outbox; look again soon at paper orders that wait for a price, ``looks`` times in all.

    A bar is often stored a moment before the first price from after its close.
    """
    moved = looks < LOOKS and match(at=timezone.now(), accounts=[account_id])
    outbox.dispatch(account_id=account_id, look=bool(moved))
    if looks > 1 and selectors.awaits_price(account_id):
        dispatch.apply_async((account_id, looks - 1), countdown=LOOK_AGAIN_AFTER)


@shared_task(name="trading.look", **RETRY)
def look(account_id: int) -> None:
    """See what happened at an account's venue, and do what follows."""
    outbox.dispatch(account_id=account_id, look=True)


@shared_task(name="trading.check_connection", **RETRY)
def check_connection(account_id: int, looks: int = LOOKS) -> None:
    """Test a broker's key, in the one process that opens it; again soon while another worker acts for the account."""
    checked = connection_checks.check_connection(account_id=account_id)
    if checked is None and looks > 1:
        check_connection.apply_async((account_id, looks - 1), countdown=1)
    elif checked is not None and checked.status == Connection.Status.CONNECTED:
        reconciliation.reconcile(account_id=account_id)


@shared_task(name="trading.reconcile", expires=55, **RETRY)
def reconcile(account_id: int) -> None:
    """Compare an account's books with its venue, and do what follows from what that found."""
    if reconciliation.reconcile(account_id=account_id).done:
        outbox.dispatch(account_id=account_id)


@shared_task(name="trading.reconcile_accounts", expires=55, **RETRY)
def reconcile_accounts() -> None:
    """Queue a comparison for every account that has something at its venue."""
    for account_id in accounts_to_reconcile():
        reconcile.delay(account_id)


# Sweeps expire: after an hour without workers there is one to do, not seven hundred.
@shared_task(name="trading.sweep_evaluations", expires=15, **RETRY)
def sweep_evaluations() -> None:
    """Find what a lost message left behind: bars nobody looked at and orders nobody worked. Value what is held."""
    for deployment_id, newest in selectors.overdue_evaluations():
        evaluate.delay([deployment_id], int(newest.timestamp()))
    for deployment_id in selectors.deployments_with_holes():
        record_passed.delay(deployment_id)
    for account_id in sorted(match(at=timezone.now())):
        look.delay(account_id)
    for account_id in selectors.accounts_with_work():
        dispatch.delay(account_id, looks=1)
    valuation.announce_equity(at=timezone.now())


@shared_task(name="trading.mark_equity", expires=30, **RETRY)
def mark_equity() -> None:
    """Record the equity of accounts whose worth can change."""
    valuation.mark_equity(at=timezone.now())


@shared_task(name="trading.thin_equity", expires=1800, **RETRY)
def thin_equity() -> None:
    """Let go of recorded equities that no curve shows any more."""
    valuation.thin_equity(at=timezone.now())
