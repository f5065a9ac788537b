"""Work of strategies in the background. Every task may run twice, late or at the same time as itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from strategies import selectors
from strategies.errors import Refused

# PostgreSQL comes back; what was not committed is done again.
RETRY = {
    "autoretry_for": (OperationalError, InterfaceError),
    "retry_backoff": 1,
    "retry_backoff_max": 10,
    "retry_jitter": False,
    "max_retries": 8,
}

LOST_AFTER: Final = timedelta(seconds=90)


@shared_task(name="strategies.run_backtest", **RETRY)
def run_backtest(run_id: int) -> None:
    """Do one run."""
    # The numeric libraries are loaded by the first run, and not by every process that knows the tasks.
    from strategies.services import execution

    execution.execute_run(run_id=run_id, at=timezone.now())


@shared_task(name="strategies.inspect_version", **(RETRY | {"autoretry_for": (OperationalError, InterfaceError, Refused)}))
def inspect_version(version_id: int) -> None:
    """Find out what a version declares."""
    from strategies.services import inspections

    inspections.inspect(version_id=version_id, at=timezone.now())


# Sweeps expire: after an hour without workers there is one to do, not a hundred.
@shared_task(name="strategies.sweep_runs", expires=30, **RETRY)
def sweep_runs() -> None:
    """Find runs that a lost message left behind. One that a worker has is left alone by whoever comes second."""
    for run_id in selectors.unfinished_before(timezone.now() - LOST_AFTER):
        run_backtest.delay(run_id)
