"""A worker that does runs has its sandbox up before somebody waits for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from celery import signals as celery_signals

from strategies import receivers, warming
from strategies.sandbox.limits import NoBoundary
from strategies.sandbox.pool import Pool
from strategies.services import subjects
from tests.strategies.sandbox.attempt import LIMITS, until

pytestmark = pytest.mark.xdist_group("sandbox")


def worker(*queues: str) -> SimpleNamespace:
    return SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=queues))))


def test_a_process_of_a_worker_that_does_runs_starts_its_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pool(1, LIMITS) as pool:
        monkeypatch.setattr(subjects, "_pool", pool)
        monkeypatch.setattr(warming, "FIRST_LOOK", 0.0)
        monkeypatch.setattr(warming, "is_compiled", lambda: True)
        monkeypatch.setattr(warming, "warm", lambda names: None)
        monkeypatch.setattr(celery_signals.worker_process_init, "receivers", [])
        monkeypatch.setattr(celery_signals.worker_ready, "receivers", [])
        receivers.prepare_worker(instance=worker("market"))
        assert not celery_signals.worker_process_init.receivers
        receivers.prepare_worker(instance=worker("market", "backtests"))
        celery_signals.worker_process_init.send(sender=None)
        assert until(lambda: len(pool._zygotes) == 1, 60)


def test_a_worker_without_a_boundary_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: Pool) -> None:
        raise NoBoundary("this host has no namespaces")

    monkeypatch.setattr(Pool, "_started", refuse)
    with Pool(1, LIMITS) as pool:
        pool.warm_aside().join(10)
    assert "this host has no namespaces" in caplog.text
