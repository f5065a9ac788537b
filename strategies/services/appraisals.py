"""Putting the result of a run to the tests of robustness, once, after it is done."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction

from clusterx.db.locks import alone, anybody
from clusterx.errors import DomainError
from strategies import signals, warming
from strategies.errors import Refused, RunNotDone
from strategies.models import Appraisal, Run
from strategies.services.execution import AT_WORK, MACHINE
from strategies.services.snapshots import bars_of
from strategies.services.subjects import subject_of

logger = logging.getLogger(__name__)
Made = TypeVar("Made")

LOCKS: Final = 0x61707072  # "appr" and "turn": the first halves of the advisory locks' keys
TURNS: Final = 0x7475726E
LOWEST: Final = 19  # of the nice values
LOOK: Final = 0.1  # seconds between two looks at whether somebody waits for a run
READING: Final = 2.0  # seconds after a run in which its page is made, and the next one may be asked for
PATIENCE: Final = 60.0  # seconds that an appraisal stands back for in all
CHANGED: Final = "changed"  # the run does not come out as it did: the code of a strategy of ours is another one


def take_turn(*, run_id: int, at: datetime) -> bool:
    """Appraise a run unless this machine appraises another: its other workers are for who waits. Whether it was its turn."""
    with alone(TURNS, MACHINE) as free:
        if free:
            appraise_run(run_id=run_id, at=at)
        return free


def appraise_run(*, run_id: int, at: datetime) -> Appraisal | None:
    """Appraise a run that is done, unless it was or another worker does it. Only a database that is away is raised."""
    with alone(LOCKS, run_id) as mine:
        run = Run.objects.select_related("version__strategy", "version__inspection").filter(pk=run_id).first()
        if not mine or run is None or run.status != Run.Status.DONE or Appraisal.objects.filter(run=run).exists():
            return None
        began, told, reason = time.perf_counter(), None, ""
        try:
            told = _told(run)
        except (OperationalError, InterfaceError):
            raise
        except Refused as error:
            reason = error.reason
        except DomainError as error:
            reason = error.code
        except SoftTimeLimitExceeded:
            reason = "timeout"
        except MemoryError:
            reason = "memory"
        except Exception:
            logger.exception("the appraisal of run %s broke", run.public_id)
            reason = "internal"
        seconds = round(time.perf_counter() - began, 3)
        return Appraisal.objects.create(run=run, told=told, reason=reason[:40], seconds=seconds, created_at=at)


@transaction.atomic
def appraise_again(*, run: Run) -> None:
    """Have a worker do it anew. Raises RunNotDone."""
    if run.status != Run.Status.DONE:
        raise RunNotDone(f"the run has no result: it is {run.status}", status=run.status)
    Appraisal.objects.filter(run=run).delete()
    transaction.on_commit(lambda: signals.run_done.send_robust(sender=Run, run_id=run.pk), robust=True)


def _told(run: Run) -> dict[str, Any]:
    from strategies.appraisal import appraise
    from strategies.backtest import on_one_axis, simulated, tradable_volumes
    from strategies.conditions import Conditions

    warming.wait_while_compiled()
    legs = list(run.legs.select_related("snapshot", "finer"))
    bars = on_one_axis([bars_of(leg.snapshot) for leg in legs if leg.snapshot is not None])
    decide, conditions = subject_of(run).decide(run.parameters, run.timeframe), Conditions.from_json(run.conditions)
    finer = legs[0].finer
    detail = tradable_volumes([bars_of(finer)])[0][0] if finer is not None else None
    result = simulated(tradable_volumes(bars)[0], decide(bars, conditions), conditions, detail)
    if result.orders_hash != run.orders_hash:
        raise Refused("the run does not come out as it did", reason=CHANGED)

    def tested(between: Callable[[], None]) -> Any:
        def ask(*asked: Any) -> Any:
            between()
            return decide(*asked)

        return appraise(bars, ask, conditions, result, seed=run.seed, told=lambda test: between())

    told: dict[str, Any] = aside(tested, wait=lambda: anybody(AT_WORK, MACHINE)).to_json()
    return told


def aside(work: Callable[[Callable[[], None]], Made], wait: Callable[[], bool] = lambda: False) -> Made:
    """What ``work`` gives, done by a thread of the lowest priority. It is handed what it calls between its parts, where it
    stands back while ``wait`` is true and a moment longer: even the lowest priority slows down what runs beside it.

    Priorities belong to threads, and no thread may raise its own again: so the worker's own keeps the one it has.
    """
    answers: list[Made] = []
    errors: list[BaseException] = []
    given_up, clear = threading.Event(), threading.Event()
    clear.set()
    patience, until = PATIENCE, 0.0

    def between() -> None:
        nonlocal patience
        if not clear.is_set() and patience > 0:
            began = time.perf_counter()
            clear.wait(patience)
            patience -= time.perf_counter() - began
        if given_up.is_set():
            raise SystemExit

    def run() -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
            answers.append(work(between))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="appraisal", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            if wait():
                clear.clear()
                until = time.monotonic() + READING
            elif time.monotonic() >= until:
                clear.set()
            thread.join(LOOK)
    finally:
        given_up.set()
        clear.set()
    if errors:
        raise errors[0]
    return answers[0]
