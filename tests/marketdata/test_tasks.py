"""Market data's tasks, queued in real Redis and done by a real worker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from celery.contrib.testing.worker import start_worker
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from clusterx.celery import app
from marketdata import tasks
from marketdata.bars import Bar
from marketdata.models import BookSnapshot, Candle, Gap, Instrument, Quote, Signal, Trade, Venue
from marketdata.services import backfill, indicators
from marketdata.signals import bar_closed
from marketdata.store import BarStore, write_candles
from tests.factories import InstrumentFactory, VenueFactory

START = 1_790_000_400 // 3600 * 3600
pytestmark = pytest.mark.django_db


@pytest.fixture
def _committed(transactional_db: None) -> Iterator[None]:
    """For tests whose rows a worker sees: afterwards even the tables that only grow may be emptied."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("set clusterx.append_only = 'off'")


@contextmanager
def working() -> Iterator[None]:
    with start_worker(app, pool="solo", perform_ping_check=False, queues=["market"], shutdown_timeout=20):
        yield


def wait(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def wave(instrument: Instrument, count: int = 400, *, timeframe: str = "1m") -> list[Bar]:
    """Bars that swing widely, so that trends begin and lines cross."""
    bars = []
    for n in range(count):
        close = 100 + 20 * math.sin(n / 12)
        before = 100 + 20 * math.sin((n - 1) / 12)
        top, bottom = max(close, before) + 0.5, min(close, before) - 0.5
        bars.append(Bar(START + n * 60, before, top, bottom, close, 3.0 + n % 5, 4, 2))
    write_candles((instrument.pk, timeframe, bar) for bar in bars)
    return bars


def with_signals(instrument: Instrument) -> int:
    """The newest bar of a wave that has signals, which are forgotten again; what came after it is taken away."""
    for bar in reversed(wave(instrument)[-80:]):
        if indicators.detect_signals(instrument_id=instrument.pk, timeframe="1m", time=bar.time):
            Signal.objects.all().delete()
            Candle.objects.filter(time__gt=datetime.fromtimestamp(bar.time, UTC)).delete()
            return bar.time
    raise AssertionError("the wave has no signals")


def found() -> list[tuple[str, str, str]]:
    return sorted(Signal.objects.values_list("indicator", "kind", "direction"))


# -- signals ------------------------------------------------------------------------------------------------------------


def announce(instrument: Instrument, opened: int) -> None:
    bar_closed.send(sender=None, instrument_id=instrument.pk, timeframe="1m", time=opened, close=100.0, revision=0)


@pytest.mark.usefixtures("_committed")
def test_a_closed_bar_that_is_told_of_twice_has_its_signals_once() -> None:
    instrument = InstrumentFactory()
    opened = with_signals(instrument)
    announce(instrument, opened)
    announce(instrument, opened)
    tasks.prune.delay()  # comes last, and so says that both were done
    with working():
        wait(found, "the signals")
        wait(lambda: queued() == 0, "the queue to be empty")
    once = found()
    assert len(once) == len(set(once)) > 0
    assert {signal.time.timestamp() for signal in Signal.objects.all()} == {opened}
    indicators.detect_signals(instrument_id=instrument.pk, timeframe="1m", time=opened)
    assert found() == once


def queued() -> int:
    with app.connection_for_read() as broker:
        return broker.default_channel.client.llen("market")


@pytest.mark.usefixtures("_committed")
def test_signals_are_detected_although_postgresql_was_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = InstrumentFactory()
    opened = with_signals(instrument)
    read, cut = BarStore.read, []

    def cut_off_once(self: BarStore, *args: object, **wanted: object) -> object:
        """The first time the server ends our connection, as it does when it restarts."""
        if not cut:
            cut.append(True)
            with connection.cursor() as cursor, psycopg.connect(**raw_parameters(), autocommit=True) as other:
                cursor.execute("select pg_backend_pid()")
                other.execute("select pg_terminate_backend(%s, 5000)", [cursor.fetchone()[0]])
        return read(self, *args, **wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(BarStore, "read", cut_off_once)
    tasks.detect_signals.delay(instrument.pk, "1m", opened)
    with working():
        wait(found, "the signals")
    assert cut
    assert len(found()) == len(set(found()))


def raw_parameters() -> dict[str, object]:
    parameters = connection.get_connection_params()
    return {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}


@pytest.mark.parametrize("task", [tasks.detect_signals, tasks.detect_missed_signals, tasks.roll_up_candles, tasks.prune])
def test_a_task_tries_again_when_the_database_is_away_and_fails_for_what_is_wrong(task) -> None:
    assert set(task.autoretry_for) == {OperationalError, InterfaceError}
    assert task.max_retries * task.retry_backoff_max > 60  # a restart of PostgreSQL takes less


def test_a_bar_that_nobody_told_of_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = InstrumentFactory()
    opened = with_signals(instrument)
    InstrumentFactory(venue=VenueFactory(code="off", is_enabled=False))
    detect, looks = indicators.detect_signals, []

    def look(**wanted: object) -> object:
        looks.append(wanted)
        return detect(**wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(indicators, "detect_signals", look)
    tasks.detect_missed_signals()
    assert found()
    once = found()
    tasks.detect_missed_signals()
    assert looks == [{"instrument_id": instrument.pk, "timeframe": "1m", "time": opened}]
    assert found() == once
    # A bar without a signal is not looked at again and again either.
    last = BarStore().read(instrument.pk, "1m", limit=1)
    flat = Bar(opened + 60, *[float(last.close[-1])] * 4, 3.0)
    write_candles([(instrument.pk, "1m", flat)])
    tasks.detect_missed_signals()
    tasks.detect_missed_signals()
    assert len(looks) == 2


# -- holes --------------------------------------------------------------------------------------------------------------


def test_holes_are_found_and_filled_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = InstrumentFactory()
    bars = wave(instrument, 30)
    Candle.objects.filter(time=datetime.fromtimestamp(bars[7].time, UTC)).delete()
    asked = []

    def answer(instrument: Instrument, timeframe: object, *, start: int, end: int) -> list[Bar]:
        asked.append((instrument.ref, str(timeframe), start, end))
        return [bar for bar in bars if start <= bar.time < end]

    monkeypatch.setattr(backfill, "fetch", answer)
    tasks.find_gaps()
    tasks.find_gaps()
    assert asked == [(instrument.ref, "1m", bars[7].time, bars[8].time)]
    assert Gap.objects.get().status == Gap.Status.FILLED
    assert len(BarStore().read(instrument.pk, "1m")) == 30


def test_a_slow_search_is_not_joined_by_the_next_and_lets_go_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []
    monkeypatch.setattr(backfill, "find_gaps", lambda at: searches.append(at))
    monkeypatch.setattr(backfill, "fill_gaps", lambda at: 0)
    with psycopg.connect(**raw_parameters(), autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s, %s)", [tasks.LOCKS, 1])
        tasks.find_gaps()
        assert searches == []
    wait(lambda: (tasks.find_gaps(), searches)[1], "the lock to be free")

    def fail(at: datetime) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(backfill, "fill_gaps", fail)
    with pytest.raises(ValueError, match="something else"):
        tasks.find_gaps()
    with psycopg.connect(**raw_parameters(), autocommit=True) as other:
        assert other.execute("select pg_try_advisory_lock(%s, %s)", [tasks.LOCKS, 1]).fetchone() == (True,)


def test_longer_bars_are_rolled_up_for_connected_venues_alone() -> None:
    off = InstrumentFactory(venue=VenueFactory(code="off", mode=Venue.Mode.LIVE, is_enabled=False))
    on = InstrumentFactory()
    now = int(timezone.now().timestamp()) // 3600 * 3600 - 7200
    for instrument in (off, on):
        write_candles((instrument.pk, "1m", Bar(now + n * 60, 1.0, 2.0, 1.0, 2.0, 1.0)) for n in range(60))
    for _ in range(2):
        tasks.roll_up_candles()
    counts = {name: len(BarStore().read(on.pk, name)) for name in ("5m", "15m", "1h", "4h", "1d")}
    assert counts == {"5m": 12, "15m": 4, "1h": 1, "4h": 0, "1d": 0}
    assert Candle.objects.filter(instrument=off).exclude(timeframe="1m").count() == 0


# -- pruning ------------------------------------------------------------------------------------------------------------


def test_ticks_older_than_a_week_go_and_candles_stay() -> None:
    instrument, now = InstrumentFactory(), timezone.now()
    ages = (timedelta(), tasks.TICKS_KEPT - timedelta(minutes=1), tasks.TICKS_KEPT + timedelta(minutes=1))
    for number, age in enumerate(ages):
        at = {"instrument": instrument, "time": now - age}
        Trade.objects.create(**at, trade_id=number, price=1, quantity=1, side=1)
        Quote.objects.create(**at, bid=1, bid_size=1, ask=2, ask_size=1)
        BookSnapshot.objects.create(**at, sequence=number, bid_prices=[1], bid_sizes=[1], ask_prices=[2], ask_sizes=[1])
    old = Bar(START - 400 * 86400, 1.0, 1.0, 1.0, 1.0, 1.0)
    write_candles([(instrument.pk, "1m", old)])
    for _ in range(2):
        tasks.prune()
        for model in (Trade, Quote, BookSnapshot):
            assert sorted(model.objects.values_list("time", flat=True)) == sorted(now - age for age in ages[:2])
    assert Candle.objects.count() == 1
