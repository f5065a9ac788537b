"""Candles in and out of a real database."""

from __future__ import annotations

import os

import psycopg
import pytest
from django.db import connection

from marketdata.bars import Bar
from marketdata.models import Candle
from marketdata.store import BarStore, write_candles
from tests.factories import InstrumentFactory

pytestmark = pytest.mark.django_db


def bars(count: int, start: int = 1_700_000_000 - 1_700_000_000 % 60) -> list[Bar]:
    return [Bar(start + 60 * i, 10.0 + i, 12.0 + i, 9.0 + i, 11.0 + i, 5.0, 3, 2) for i in range(count)]


def test_writing_twice_changes_nothing():
    instrument = InstrumentFactory()
    candles = [(instrument.pk, "1m", bar) for bar in bars(50)]
    assert len(write_candles(candles)) == 50
    assert write_candles(candles) == []
    assert Candle.objects.count() == 50
    assert set(Candle.objects.values_list("revision", flat=True)) == {0}


def test_a_different_bar_replaces_the_old_one_and_its_revision_grows():
    instrument = InstrumentFactory()
    (bar,) = bars(1)
    write_candles([(instrument.pk, "1m", bar)])
    changed = write_candles([(instrument.pk, "1m", bar._replace(close=11.5))])
    assert [(row[3], row[4]) for row in changed] == [(False, 1)]
    assert BarStore().read(instrument.pk, "1m").close.tolist() == [11.5]


def test_of_two_bars_for_one_time_the_later_counts():
    instrument = InstrumentFactory()
    (bar,) = bars(1)
    write_candles([(instrument.pk, "1m", bar), (instrument.pk, "1m", bar._replace(close=10.5))])
    assert BarStore().read(instrument.pk, "1m").close.tolist() == [10.5]


def test_spans_are_half_open_and_a_limit_keeps_the_newest():
    instrument = InstrumentFactory()
    written = bars(10)
    write_candles((instrument.pk, "1m", bar) for bar in written)
    read = BarStore().read(instrument.pk, "1m", start=written[2].time, end=written[5].time)
    assert read.time.tolist() == [bar.time for bar in written[2:5]]
    assert BarStore().read(instrument.pk, "1m", limit=3).time.tolist() == [bar.time for bar in written[-3:]]
    assert BarStore().last_time(instrument.pk, "1m") == written[-1].time
    assert len(BarStore().read(instrument.pk, "5m")) == 0
    assert next(read.rows())[1:] == written[2][1:6]


@pytest.mark.parametrize(
    "wrong",
    [{"high": 8.0}, {"low": 0.0}, {"close": float("nan")}, {"high": float("inf")}, {"volume": -1.0}, {"low": float("nan")}],
)
def test_the_database_itself_refuses_a_candle_that_cannot_be(wrong):
    instrument = InstrumentFactory()
    (bar,) = bars(1)
    with pytest.raises(psycopg.errors.CheckViolation):
        write_candles([(instrument.pk, "1m", bar._replace(**wrong))])


def test_the_candle_table_is_a_hypertable_where_timescale_is():
    with connection.cursor() as cursor:
        cursor.execute(
            "select string_agg(a.attname, ',' order by k.n) from pg_constraint c,"
            " unnest(c.conkey) with ordinality k(attnum, n) join pg_attribute a on a.attnum = k.attnum"
            " and a.attrelid = 'marketdata_candle'::regclass"
            " where c.conrelid = 'marketdata_candle'::regclass and c.contype = 'p'"
        )
        assert cursor.fetchone() == ("instrument_id,timeframe,time",)
        if os.environ.get("EXPECT_TIMESCALE"):
            assert connection.has_timescale
        if connection.has_timescale:
            cursor.execute("select hypertable_name from timescaledb_information.hypertables")
            names = {row[0] for row in cursor.fetchall()}
            assert {"marketdata_candle", "marketdata_trade", "marketdata_quote", "marketdata_booksnapshot"} <= names
