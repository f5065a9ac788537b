"""What is measured, and how Prometheus gets it from every process.

A process keeps its numbers in files of the folder PROMETHEUS_MULTIPROC_DIR, where that is set, and whoever answers a scrape
sums up all of them: a worker its pool's processes, and under ``make run``, where one folder serves all, the web process
everything. METRICS_LISTEN is an address of each process for that, beside the web process's /metrics.

Source: prometheus.github.io/client_python, "Multiprocess Mode (E.g. Gunicorn)".
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import prometheus_client
from celery.signals import beat_init, task_postrun, task_prerun, worker_ready
from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)

TASKS = Counter("clusterx_tasks", "Runs of tasks that ended, by how: SUCCESS, RETRY, FAILURE.", ["task", "state"])
TASK_SECONDS = Histogram(
    "clusterx_task_seconds",
    "Time that a run of a task took.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_started: dict[str, float] = {}


def registry() -> CollectorRegistry:
    """Everything measured by this process and by those that share its folder."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return prometheus_client.REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared, path=folder)  # type: ignore[no-untyped-call]
    return shared


def exposition() -> bytes:
    """All of it as Prometheus text."""
    return prometheus_client.generate_latest(registry())


def serve(**sent: Any) -> None:
    """Answer scrapes at METRICS_LISTEN, where that is set, from a thread of its own."""
    if not settings.METRICS_LISTEN:
        return
    host, _, port = settings.METRICS_LISTEN.rpartition(":")
    try:
        prometheus_client.start_http_server(int(port), host, registry())
    except OSError as error:  # what is measured is no reason not to work
        logger.error("metrics cannot be served at %s: %s", settings.METRICS_LISTEN, error)


worker_ready.connect(serve, dispatch_uid="clusterx.metrics")  # after the pool was forked
beat_init.connect(serve, dispatch_uid="clusterx.metrics")


@task_prerun.connect(dispatch_uid="clusterx.metrics")
def _begin(task_id: str, **more: Any) -> None:
    _started[task_id] = time.perf_counter()


@task_postrun.connect(dispatch_uid="clusterx.metrics")
def _end(task_id: str, task: Any, state: str | None = None, **more: Any) -> None:
    TASKS.labels(task.name, state or "FAILURE").inc()
    if (started := _started.pop(task_id, None)) is not None:
        TASK_SECONDS.labels(task.name).observe(time.perf_counter() - started)
