"""The recorder against a real database and a real Redis, either of which goes away and comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connections

from clusterx.live import publish as live
from marketdata.bars import Bar
from marketdata.messages import Trade
from marketdata.models import Instrument
from marketdata.signals import bar_closed
from marketdata.stream import recorder as recording
from marketdata.stream.recorder import Recorder
from tests.factories import InstrumentFactory
from tests.marketdata.outside import Outside
from tests.marketdata.venue.clients import until

pytestmark = pytest.mark.django_db(transaction=True)
OPENED = 1_790_000_400


def bar(minute: int, close: float = 100.0) -> Bar:
    return Bar(OPENED + 60 * minute, close, close, close, close, 1.0, 1, 2)


def trade(number: int, price: float = 100.0) -> Trade:
    return Trade("BTCUSDT", number, OPENED * 1000 + number, price, Decimal(1), 1)


def minutes(outside: Outside) -> list[int]:
    times = outside.rows("select extract(epoch from time)::bigint from marketdata_candle order by time")
    return [(time - OPENED) // 60 for (time,) in times]


def trades(outside: Outside) -> list[int]:
    return [number for (number,) in outside.rows("select trade_id from marketdata_trade order by trade_id")]


def waiting(outside: Outside) -> bool:
    return bool(outside.rows("select 1 from pg_locks where not granted and relation = 'marketdata_candle'::regclass"))


class Database:
    """The writer's way to the database, which a test cuts and mends."""

    def __init__(self, outside: Outside, monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
        self.outside, self.nowhere, self.away = outside, nowhere, False
        kind = type(connections["default"])
        given = kind.get_connection_params
        monkeypatch.setattr(
            kind, "get_connection_params", lambda made: given(made) | ({"host": str(nowhere)} if self.away else {})
        )

    def leave(self) -> None:
        """Break the connection that there is, and refuse new ones."""
        self.away = True
        if recording._raw is not None:
            self.outside.raw.execute("select pg_terminate_backend(%s)", [recording._raw.info.backend_pid])


class Heard:
    """What is published, in order."""

    def __init__(self) -> None:
        self.client = redis.Redis.from_url(settings.LIVE_REDIS_URL)
        self.listening = self.client.pubsub(ignore_subscribe_messages=True)
        self.listening.psubscribe(live.topic("*"))
        self.said: list[dict[str, Any]] = []
        self.listening.get_message(timeout=1)  # the confirmation

    def of(self, kind: str) -> list[Any]:
        while (message := self.listening.get_message()) is not None:
            self.said.append(orjson.loads(message["data"][1:]))
        return [one["d"][kind] for one in self.said if kind in one.get("d", {})]

    def close(self) -> None:
        self.listening.close()
        self.client.close()


@pytest.fixture
def outside(transactional_db: None) -> Iterator[Outside]:
    with Outside() as made:
        yield made


@pytest.fixture
def database(outside: Outside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    return Database(outside, monkeypatch, tmp_path)


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    made.close()


@pytest.fixture
def instrument(transactional_db: None) -> Instrument:
    return InstrumentFactory(venue_symbol="BTCUSDT")


@pytest.fixture
async def recorder(instrument: Instrument, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Recorder]:
    """One that runs, and whose news stays in this test."""
    monkeypatch.setattr(bar_closed, "receivers", [])
    monkeypatch.setattr(live, "_async_client", None)
    made = Recorder()
    made.refs[instrument.pk] = instrument.ref
    running = asyncio.create_task(made.run())
    yield made
    made.end()
    await asyncio.wait_for(running, 10)
    if live._async_client is not None:
        await live._async_client.aclose()


async def test_a_closed_bar_is_published_once_it_is_committed_and_ticks_do_not_wait_for_the_database(
    recorder: Recorder, instrument: Instrument, outside: Outside, heard: Heard
) -> None:
    with outside.raw.transaction():
        outside.raw.execute("lock table marketdata_candle in share mode")
        recorder.candle(instrument.pk, "1m", bar(0))
        await until(partial(waiting, outside))
        for price in (101.0, 102.0):
            recorder.say(f"quotes/{instrument.ref}", {"price": price})
            recorder.trade(instrument.pk, trade(int(price), price))
            await until(lambda price=price: price in heard.of("price"))
        assert heard.of("closed") == []
        assert [one[0][1] for one in heard.of("trades")] == [101.0, 102.0]
    (closed,) = await until(lambda: heard.of("closed"))
    assert closed == bar(0).row
    assert minutes(outside) == [0]


async def test_of_a_forming_bar_only_the_newest_is_sent(recorder: Recorder, instrument: Instrument, heard: Heard) -> None:
    for close in range(100):
        recorder.say(f"candles/{instrument.ref}/1m", {"forming": bar(0, 1.0 + close).row})
    assert (await until(lambda: heard.of("forming"))) == [bar(0, 100.0).row]


async def test_while_the_database_is_away_candles_are_kept_and_trades_bounded_and_all_is_written_once(
    recorder: Recorder,
    instrument: Instrument,
    outside: Outside,
    database: Database,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(recording, "MOST_TRADES", 5)
    recorder.candle(instrument.pk, "1m", bar(0))
    recorder.trade(instrument.pk, trade(0))
    await until(lambda: heard.of("closed"))
    database.leave()
    for minute in range(1, 8):
        recorder.candle(instrument.pk, "1m", bar(minute))
        recorder.trade(instrument.pk, trade(minute))
        if minute in (2, 4):
            await until(lambda: recorder._pause)  # batches that failed and what came later are mixed
    recorder.say(f"quotes/{instrument.ref}", {"price": 7.0})
    await until(lambda: 7.0 in heard.of("price"))
    assert minutes(outside) == [0]
    assert len(heard.of("closed")) == 1
    assert recorder.counts["trades_not_stored"] == 2
    database.away = False
    await until(lambda: len(minutes(outside)) == 8)
    await until(lambda: len(heard.of("closed")) == 8)
    assert [row[0] for row in heard.of("closed")] == [bar(minute).time for minute in range(8)]
    assert trades(outside) == [0, 1, 2, 3, 4, 5]
    assert {one["d"]["revision"] for one in heard.said if "closed" in one["d"]} == {0}
    for minute in range(8):
        recorder.candle(instrument.pk, "1m", bar(minute))
    recorder.candle(instrument.pk, "1m", bar(8))
    await until(lambda: len(heard.of("closed")) > 8)
    assert [row[0] for row in heard.of("closed")[8:]] == [bar(8).time]
    told = [record.getMessage() for record in caplog.records if record.name == recording.__name__]
    assert [text.split(",")[0] for text in told] == ["the database is away", "the database is back"]


async def test_trades_beyond_the_bound_are_counted_when_a_failed_batch_is_put_back(
    recorder: Recorder, instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST_TRADES", 3)
    for number in range(3):
        recorder.trade(instrument.pk, trade(number))
    failed, recorder.batch = recorder.batch, recording.Batch()
    for number in range(3, 5):
        recorder.trade(instrument.pk, trade(number))
    recorder._keep(failed, psycopg.OperationalError("away"))
    assert [one.id for _, one in recorder.batch.trades] == [0, 1, 2]
    assert recorder.counts["trades_not_stored"] == 2


async def test_while_redis_is_away_no_candle_is_lost_or_late(
    recorder: Recorder, instrument: Instrument, outside: Outside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "LIVE_REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    for minute in range(3):
        recorder.candle(instrument.pk, "1m", bar(minute))
        recorder.say(f"quotes/{instrument.ref}", {"price": 1.0})
        await until(lambda minute=minute: minute in minutes(outside), seconds=2)


async def test_ending_writes_what_has_gathered_even_when_the_database_has_just_come_back(
    instrument: Instrument, outside: Outside, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_closed, "receivers", [])
    monkeypatch.setattr(live, "_async_client", None)
    recorder = Recorder()
    recorder.refs[instrument.pk] = instrument.ref
    running = asyncio.create_task(recorder.run())
    database.leave()
    recorder.candle(instrument.pk, "1m", bar(0))
    await until(lambda: recorder._pause)
    recorder._retry_at += 60  # the pause after many failures
    database.away = False
    recorder.candle(instrument.pk, "1m", bar(1))
    recorder.end()
    await asyncio.wait_for(running, 5)
    if live._async_client is not None:
        await live._async_client.aclose()
    assert minutes(outside) == [0, 1]


async def test_a_row_that_the_database_refuses_holds_up_no_other(
    recorder: Recorder, instrument: Instrument, outside: Outside, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.candle(instrument.pk, "1m", bar(0))
    recorder.candle(instrument.pk, "1m", bar(1)._replace(low=-1.0))  # a rule of the table
    recorder.trade(instrument.pk, trade(1)._replace(time_ms=2**62))  # no moment in time
    recorder.trade(instrument.pk, trade(2))
    recorder.candle(instrument.pk, "1m", bar(3))
    await until(lambda: len(heard.of("closed")) == 2)
    await until(lambda: trades(outside) == [2])
    assert minutes(outside) == [0, 3]
    assert recorder.counts["rows_refused"] == 2
    assert len([record for record in caplog.records if "refused" in record.getMessage()]) == 2


async def test_slow_receivers_hold_up_no_candle_and_ending_waits_for_them(
    recorder: Recorder, instrument: Instrument, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the queue's Redis is away: sending one task fails after half a second of trying."""
    told: list[int] = []
    go_on = threading.Event()

    def receive(*, time: int, **_: Any) -> None:
        go_on.wait(20)
        told.append((time - OPENED) // 60)

    bar_closed.connect(receive)
    for minute in range(3):
        recorder.candle(instrument.pk, "1m", bar(minute))
        await until(lambda minute=minute: minute in minutes(outside))
    assert told == []
    recorder.end()
    go_on.set()
    await until(lambda: told == [0, 1, 2])


async def test_receivers_hear_of_a_bar_that_is_committed_and_not_of_history(
    recorder: Recorder, instrument: Instrument, outside: Outside
) -> None:
    seen: list[tuple[int, list[int]]] = []

    def receive(*, time: int, **_: Any) -> None:
        seen.append((time, minutes(outside)))

    bar_closed.connect(receive)
    recorder.candle(instrument.pk, "1m", bar(0), history=True)
    recorder.candle(instrument.pk, "1m", bar(1))
    await until(lambda: seen)
    assert seen == [(bar(1).time, [0, 1])]


async def test_bars_that_the_stream_missed_are_sent_before_what_closes_after_them_and_many_as_one_resync(
    recorder: Recorder, instrument: Instrument, heard: Heard
) -> None:
    seen: list[int] = []

    def receive(*, time: int, **_: Any) -> None:
        seen.append(time)

    bar_closed.connect(receive)
    candles = f"candles/{instrument.ref}/1m"
    for minute in (0, 1):
        recorder.candle(instrument.pk, "1m", bar(minute), history=True)
    recorder.candle(instrument.pk, "1m", bar(2))
    await until(lambda: len(heard.of("closed")) == 3)
    first = OPENED // 60
    sent = [(one["seq"], one["d"]["closed"], one["d"]["revision"]) for one in heard.said]
    assert sent == [(first + minute, bar(minute).row, 0) for minute in range(3)]
    assert live.kept(candles) == {"closed": bar(2).row, "revision": 0}  # what is past is not the newest
    heard.said.clear()
    for minute in range(3, 3 + recording.MOST_TOLD + 1):
        recorder.candle(instrument.pk, "1m", bar(minute), history=True)
    recorder.candle(instrument.pk, "1m", bar(99))
    await until(lambda: heard.of("closed"))
    assert [(one["t"], one["ch"]) for one in heard.said] == [("resync", candles), ("update", candles)]
    await until(lambda: seen == [bar(2).time, bar(99).time])
