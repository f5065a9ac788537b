"""How log lines look: short for people, JSON for machines. A machine's line names the request or the task it belongs to."""

from __future__ import annotations

import logging
from typing import Any

import structlog
from celery.signals import task_postrun, task_prerun


def line_formatter() -> logging.Formatter:
    return logging.Formatter("%(levelname).1s %(name)s: %(message)s")


def json_formatter() -> logging.Formatter:
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=processors,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )


@task_prerun.connect(dispatch_uid="clusterx.logs")
def _name_the_task(task_id: str, task: Any, **more: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect(dispatch_uid="clusterx.logs")
def _forget_the_task(**more: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id")
