"""What Prometheus gets of processes that are not the web process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from prometheus_client import REGISTRY

from clusterx.celery import app
from clusterx.embedded.layout import PROJECT
from clusterx.observability import metrics
from clusterx.supervisor import free_port
from marketdata.stream.measured import measure

DONE = 'clusterx_tasks_total{state="SUCCESS",task="celery.accumulate"}'


def wait(condition: Callable[[], object], what: str, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def value(text: str, series: str) -> float | None:
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.rpartition(" ")[0] == series), None)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real worker, whose tasks run in processes of its pool; where it answers scrapes, and its folder."""
    address, folder = f"127.0.0.1:{free_port()}", tmp_path / "metrics"
    command = [
        "-m",
        "celery",
        "-q",
        "-A",
        "clusterx",
        "worker",
        "-Q",
        "measured",
        "-c",
        "2",
        "--without-gossip",
        "--without-mingle",
    ]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=PROJECT,
        env=os.environ | {"METRICS_LISTEN": address, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
    )
    yield address, folder
    process.terminate()
    assert process.wait(30) == 0


@pytest.mark.django_db
def test_tasks_of_a_workers_pool_are_told_by_the_worker_and_by_who_shares_its_folder(
    worker: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = worker
    for _ in range(3):
        app.send_task("celery.accumulate", args=[1], queue="measured")

    def told() -> str:
        try:
            return urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode()
        except OSError:
            return ""

    wait(lambda: value(told(), DONE) == 3, "three tasks to be told of")
    assert value(told(), 'clusterx_task_seconds_count{task="celery.accumulate"}') == 3
    page = Client().get("/metrics").content.decode()
    assert value(page, DONE) is None  # this process alone
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    page = Client().get("/metrics").content.decode()
    assert value(page, DONE) == 3


def test_the_stream_tells_what_it_heard_by_venue() -> None:
    def told(venue: str, kind: str) -> float:
        return REGISTRY.get_sample_value("clusterx_stream_events_total", {"venue": venue, "kind": kind}) or 0.0

    before = told("here", "trade"), told("", "candles")
    measure(Counter({"here.trade": 5, "candles": 2}), {"here": 1_790_000_000.5})
    measure(Counter({"here.trade": 1}), {"here": 1_790_000_001.5})
    assert (told("here", "trade") - before[0], told("", "candles") - before[1]) == (6, 2)
    heard = REGISTRY.get_sample_value("clusterx_stream_heard_timestamp_seconds", {"venue": "here"})
    assert heard == 1_790_000_001.5


def test_an_address_in_use_costs_the_metrics_and_not_the_process(
    settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def in_use(*_: object) -> None:
        raise OSError("Address already in use")

    monkeypatch.setattr(metrics.prometheus_client, "start_http_server", in_use)
    settings.METRICS_LISTEN = "127.0.0.1:9100"
    metrics.serve()
    assert "127.0.0.1:9100: Address already in use" in caplog.text
    settings.METRICS_LISTEN = ""
    caplog.clear()
    metrics.serve()
    assert caplog.text == ""


def test_an_address_without_a_port_is_refused_at_the_start() -> None:
    failed = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        cwd=PROJECT,
        env=os.environ | {"METRICS_LISTEN": "9100x", "DJANGO_SETTINGS_MODULE": "clusterx.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{ImproperlyConfigured.__name__}: METRICS_LISTEN must be host:port, was '9100x'" in failed.stderr
