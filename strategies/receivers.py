"""News that this app hears of, its own. Each receiver queues or publishes, and decides nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from celery import signals as celery_signals

from strategies import channels, tasks, warming


def queue_inspection(*, version_id: int, **_: Any) -> None:
    tasks.inspect_version.delay(version_id)


def publish_version(*, version_id: int, progress: Mapping[str, Any] | None = None, **_: Any) -> None:
    channels.publish_version(version_id, progress)


def queue_run(*, run_id: int, **_: Any) -> None:
    tasks.run_backtest.delay(run_id)


def publish_run(*, run_id: int, **_: Any) -> None:
    channels.publish_run(run_id)


def queue_appraisal(*, run_id: int, **_: Any) -> None:
    tasks.appraise_run.apply_async((run_id,), countdown=tasks.SOON)


def queue_study(*, study_id: int, **_: Any) -> None:
    tasks.advance_study.delay(study_id)


def queue_chunk(*, chunk_id: int, **_: Any) -> None:
    tasks.do_study_chunk.delay(chunk_id)


def publish_study(*, study_id: int, **_: Any) -> None:
    channels.publish_study(study_id)


# -- the worker's own life -------------------------------------------------------------------------------------------

BACKTESTS, RESEARCH = "backtests", "research"
PATIENT: Final = 10  # nice of who does nothing that somebody watches


def prepare_worker(*, instance: Any, **_: Any) -> None:
    """A worker that does runs has the engine compiled beside it, and loaded in each of its processes, the sandbox too.

    One that only does research loads these with its first task, and gives way to the others of its machine.
    """
    queues = set(instance.app.amqp.queues.consume_from)
    if queues & {BACKTESTS, RESEARCH}:
        celery_signals.worker_ready.connect(compile_engine, weak=False, dispatch_uid="strategies.compile_engine")
    if BACKTESTS in queues:
        celery_signals.worker_process_init.connect(load_engine, weak=False, dispatch_uid="strategies.load_engine")
    if queues == {RESEARCH}:
        celery_signals.worker_process_init.connect(give_way, weak=False, dispatch_uid="strategies.give_way")


def compile_engine(**_: Any) -> None:
    if not warming.is_compiled():
        compiler = warming.compile_aside()
        celery_signals.worker_shutting_down.connect(lambda **_: compiler.terminate(), weak=False)


def give_way(**_: Any) -> None:
    os.nice(PATIENT)


def load_engine(**_: Any) -> None:
    warming.load_aside(then=start_sandbox)


def start_sandbox() -> None:
    """Not before the engine is compiled: the sandbox's image takes over what was."""
    from strategies.services import subjects

    subjects.pool().warm_aside()
