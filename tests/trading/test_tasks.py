"""The tasks, queued in real Redis and done by a real worker."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
from celery.contrib.testing.worker import start_worker
from django.db import InterfaceError, OperationalError

from clusterx.celery import app
from marketdata.signals import bar_closed
from tests.factories import AccountFactory, InstrumentFactory
from tests.trading.conftest import MINUTE, RISING, Market, deployed
from trading import tasks
from trading.models import Deployment, EquitySnapshot, Evaluation, Fill, Order
from trading.watched import watched


@contextmanager
def working() -> Iterator[None]:
    with start_worker(app, pool="solo", perform_ping_check=False, queues=["trading"], shutdown_timeout=20):
        yield
    gc.collect()  # the connection of the worker's thread, which nobody closes


def wait(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def queued() -> int:
    with app.connection_for_read() as broker:
        return broker.default_channel.client.llen("trading")


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, emptied: None) -> Market:
    """A market whose clock is the tasks' clock."""
    market = Market(InstrumentFactory())
    monkeypatch.setattr("trading.tasks.timezone.now", lambda: market.now)
    market.close(*RISING)
    return market


def announce(market: Market, revision: int = 0) -> None:
    bar = market.now - MINUTE
    bar_closed.send(
        sender=None,
        instrument_id=market.instrument.pk,
        timeframe="1m",
        time=int(bar.timestamp()),
        close=104.0,
        revision=revision,
    )


def test_a_closed_bar_becomes_a_fill(live: Market) -> None:
    deployment = deployed(AccountFactory(), live)
    live.close(104.0)
    announce(live)
    announce(live)  # delivered twice, to two evaluations of one bar
    with working():
        wait(lambda: Fill.objects.filter(deployment=deployment).exists(), "the fill")
        announce(live)
        tasks.sweep_evaluations.delay()
        tasks.mark_equity.delay()
        wait(lambda: queued() == 0, "the queue to be empty")
    assert Order.objects.count() == Fill.objects.count() == Evaluation.objects.count() == 1


def test_the_sweep_finds_what_lost_messages_left_behind(live: Market) -> None:
    deployment = deployed(AccountFactory(), live)
    live.close(104.0)  # nobody was told
    tasks.sweep_evaluations.delay()
    with working():
        wait(lambda: Fill.objects.filter(deployment=deployment).exists(), "the fill")


def test_the_sweep_works_an_order_whose_message_was_lost(live: Market) -> None:
    deployment = deployed(AccountFactory(), live)
    live.close(104.0)
    live.evaluate(deployment, live.now - MINUTE)
    assert queued() == 1
    with app.connection_for_write() as broker:
        broker.default_channel.client.delete("trading")  # Redis was killed and came back empty
    tasks.sweep_evaluations.delay()
    with working():
        wait(lambda: Fill.objects.filter(deployment=deployment).exists(), "the fill")
    assert Fill.objects.count() == 1


def test_an_order_fills_soon_after_the_first_price_from_after_its_bar(live: Market) -> None:
    deployment = deployed(AccountFactory(), live)
    live.close(104.0)
    live.price(104.0, time=live.now - MINUTE)  # the last trade was before the close
    announce(live)
    with working():
        wait(lambda: Order.objects.filter(deployment=deployment).exists(), "the order")
        assert not Fill.objects.exists()
        live.price(104.2)
        wait(lambda: Fill.objects.filter(deployment=deployment).exists(), "the fill", seconds=4)


def test_history_that_is_loaded_queues_nothing_that_nobody_looks_at(live: Market) -> None:
    for _ in range(3):
        live.close(104.0)
        announce(live)
    assert queued() == 0
    watched.forget()
    deployment = deployed(AccountFactory(), live)
    live.close(105.0)
    announce(live)
    live.close(106.0)  # stored before the first one's task runs
    announce(live)
    with working():
        wait(lambda: Fill.objects.filter(deployment=deployment).exists(), "the fill")
    looked_at = Evaluation.objects.order_by("bar_time").values_list("outcome", flat=True)
    assert list(looked_at) == ["skipped", "ordered"]


def test_a_revision_is_no_new_bar(live: Market) -> None:
    deployed(AccountFactory(), live)
    live.close(104.0)
    announce(live, revision=1)
    assert queued() == 0
    announce(live)
    assert queued() == 1


def test_marking_records_what_moves_and_only_that(live: Market) -> None:
    holding, idle = AccountFactory(), AccountFactory()
    live.trade(deployed(holding, live), 104.0)
    before = EquitySnapshot.objects.count()
    live.now += MINUTE
    live.price(105.0)
    tasks.mark_equity()
    tasks.mark_equity()
    live.now += MINUTE
    tasks.mark_equity()  # nothing moved
    assert EquitySnapshot.objects.count() == before + 1
    assert not EquitySnapshot.objects.filter(account=idle).exists()
    live.now += 10 * MINUTE
    tasks.mark_equity()  # but after ten minutes it is seen that somebody looked
    assert EquitySnapshot.objects.count() == before + 2


def test_a_deployment_that_was_deleted_meanwhile_is_no_error(live: Market) -> None:
    deployment = deployed(AccountFactory(), live)
    live.close(104.0)
    Deployment.objects.filter(pk=deployment.pk).update(status="stopped", deleted_at=live.now)
    tasks.evaluate([deployment.pk], int((live.now - MINUTE).timestamp()))
    assert not Evaluation.objects.exists()


# -- PostgreSQL is away for a moment ------------------------------------------------------------------------------------


def test_every_task_tries_again_when_the_database_is_away() -> None:
    ours = {name: task for name, task in app.tasks.items() if name.startswith("trading.")}
    assert len(ours) >= 7
    for name, task in ours.items():
        assert {OperationalError, InterfaceError} <= set(task.autoretry_for), name
        assert task.max_retries * tasks.RETRY["retry_backoff_max"] >= 60, name


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_no_evaluation_is_lost_while_the_database_is_away(
    live: Market, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Each step of the way from the bar to the fill fails at first, before and inside its transaction."""
    failed: list[str] = []

    def away_at_first(place: str) -> None:
        module, name = place.rsplit(".", 1)
        there = getattr(import_module(module), name)

        def away(*args: object, **more: object) -> object:
            if failed.count(place) < 2:
                failed.append(place)
                raise error("the server closed the connection unexpectedly")
            return there(*args, **more)

        monkeypatch.setattr(place, away)

    steps = ["trading.selectors.running_on", "trading.services.evaluation.why_late", "trading.services.books.snapshot"]
    for step in steps:
        away_at_first(step)
    monkeypatch.setattr("celery.app.autoretry.get_exponential_backoff_interval", lambda **how: 0)
    deployment = deployed(AccountFactory(), live)
    live.close(104.0)
    announce(live)
    with working():
        wait(lambda: Fill.objects.filter(deployment=deployment).exists(), "the fill")
        wait(lambda: queued() == 0, "the queue to be empty")
    assert sorted(failed) == sorted(steps * 2)
    assert Order.objects.count() == Fill.objects.count() == Evaluation.objects.count() == 1
    assert Evaluation.objects.get().outcome == "ordered"
