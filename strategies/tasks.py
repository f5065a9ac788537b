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
SOON: Final = 2.0  # seconds after which a run that is done is tested: first its report is made
TURN: Final = 2.0  # seconds until a machine is asked again whether it is free for tests


@shared_task(name="strategies.run_backtest", **RETRY)
def run_backtest(run_id: int) -> None:
    """Do one run."""
    # The numeric libraries are loaded by the first run, and not by every process that knows the tasks.
    from strategies.services import execution

    execution.execute_run(run_id=run_id, at=timezone.now())


@shared_task(name="strategies.appraise_run", **RETRY)
def appraise_run(run_id: int) -> None:
    """Put the result of a run to the tests of robustness; later, while this machine tests another."""
    from strategies.services import appraisals

    if not appraisals.take_turn(run_id=run_id, at=timezone.now()):
        appraise_run.apply_async((run_id,), countdown=TURN)


@shared_task(name="strategies.inspect_version", **(RETRY | {"autoretry_for": (OperationalError, InterfaceError, Refused)}))
def inspect_version(version_id: int) -> None:
    """Find out what a version declares, and put it to the proof."""
    from strategies.services import inspections

    inspections.inspect(version_id=version_id, at=timezone.now())


# Sweeps expire: after an hour without workers there is one to do, not a hundred.
@shared_task(name="strategies.sweep_runs", expires=30, **RETRY)
def sweep_runs() -> None:
    """Find runs and studies that a lost message left behind. What a worker has is left alone by whoever comes second."""
    for run_id in selectors.unfinished_before(timezone.now() - LOST_AFTER):
        run_backtest.delay(run_id)
    for run_id in selectors.unappraised_before(timezone.now() - LOST_AFTER):
        appraise_run.delay(run_id)
    for study_id in selectors.studies_unfinished_before(timezone.now() - LOST_AFTER):
        advance_study.delay(study_id)


@shared_task(name="strategies.advance_study", **RETRY)
def advance_study(study_id: int) -> None:
    """Begin a study, or go on with it."""
    from strategies.services import trying

    trying.begin_study(study_id=study_id, at=timezone.now())


@shared_task(name="strategies.do_study_chunk", **RETRY)
def do_study_chunk(chunk_id: int) -> None:
    """Do some trials of a study."""
    from strategies.services import trying

    trying.do_chunk(chunk_id=chunk_id, at=timezone.now())


@shared_task(name="strategies.sweep_inspections", expires=240, **RETRY)
def sweep_inspections() -> None:
    """Find versions whose message was lost, or whose worker was away for longer than it tries."""
    for version_id in selectors.waiting_for_proof(timezone.now() - LOST_AFTER):
        inspect_version.delay(version_id)
