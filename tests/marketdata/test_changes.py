"""What an instrument's change is told against: the same in the list, in the head of its page and in the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketdata import selectors
from marketdata.bars import Bar
from marketdata.models import Instrument, LatestPrice
from marketdata.store import write_candles
from marketdata.timeframes import TIMEFRAMES
from tests.factories import InstrumentFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 9, 22, 14, 37, 20, tzinfo=UTC)
DAY = timedelta(days=1)


def bar(instrument: Instrument, timeframe: str, opens: datetime, close: float) -> None:
    write_candles([(instrument.pk, timeframe, Bar(int(opens.timestamp()), close, close, close, close, 1.0))])


def bar_closing(instrument: Instrument, timeframe: str, closes: datetime, close: float) -> None:
    bar(instrument, timeframe, closes - timedelta(seconds=TIMEFRAMES[timeframe].seconds), close)


def traded(instrument: Instrument, price: float, at: datetime = NOW) -> None:
    LatestPrice.objects.create(instrument=instrument, price=price, time=at, received_at=at)


def summary(instrument: Instrument) -> selectors.Summary:
    return selectors.summaries([instrument])[0]


def stock(**fields: Any) -> Instrument:
    return InstrumentFactory(calendar="XNYS", kind="stock", base_timeframe="1d", has_ticks=False, **fields)


def test_a_price_is_told_against_the_nearest_minute_a_day_before() -> None:
    one = InstrumentFactory()
    traded(one, 120.0)
    yesterday = (NOW - DAY).replace(second=0)
    for minutes, close in ((-60, 90.0), (-1, 98.0), (0, 100.0), (1, 103.0), (37, 115.0)):
        bar_closing(one, "1m", yesterday + timedelta(minutes=minutes), close)
    bar_closing(one, "1h", yesterday.replace(minute=0), 80.0)
    assert summary(one).reference == 100.0  # 14:37:00 is nearer to 14:37:20 than 14:38:00 is
    assert summary(one).change == pytest.approx(0.2)


def test_the_change_goes_on_with_the_minutes_and_does_not_jump_on_the_hour() -> None:
    one = InstrumentFactory()
    start = NOW.replace(minute=0, second=0) - DAY
    for minute in range(-3, 4):
        bar_closing(one, "1m", start + timedelta(minutes=minute), 100.0 + minute)
    traded(one, 100.0)
    heard = []
    for minute in range(-2, 4):
        LatestPrice.objects.update(time=start + DAY + timedelta(minutes=minute))
        heard.append(summary(one).reference)
    assert heard == [98.0, 99.0, 100.0, 101.0, 102.0, 103.0]


@pytest.mark.parametrize("timeframe", ["5m", "15m", "1h", "4h"])
def test_without_minutes_the_finest_bars_there_are_serve(timeframe: str) -> None:
    one = InstrumentFactory()
    traded(one, 110.0)
    length = TIMEFRAMES[timeframe].seconds
    nearest = datetime.fromtimestamp(round((NOW - DAY).timestamp() / length) * length, UTC)
    bar_closing(one, timeframe, nearest, 100.0)
    bar_closing(one, "1d", NOW.replace(hour=0, minute=0, second=0), 50.0)  # too coarse to be "24 hours ago"
    assert summary(one).change == pytest.approx(0.1)


def test_without_a_bar_near_the_moment_there_is_no_change() -> None:
    one = InstrumentFactory()
    traded(one, 110.0)
    bar(one, "1m", NOW - DAY - timedelta(hours=9), 100.0)
    bar(one, "1m", NOW - timedelta(hours=9), 100.0)
    assert summary(one).change is None


def test_a_stock_is_told_against_the_session_before() -> None:
    one = stock()
    friday = datetime(2026, 9, 18, tzinfo=UTC)
    for days, close in ((-30, 50.0), (-1, 90.0), (0, 100.0), (3, 97.5)):  # nothing trades at the weekend
        bar(one, "1d", friday + timedelta(days=days), close)
    told = summary(one)
    assert (told.price, told.reference, told.change_since) == (97.5, 100.0, "previous-session")
    assert told.change == pytest.approx(-0.025)
    assert told.time == friday + timedelta(days=3)


def test_a_stock_that_trades_now_is_told_against_the_last_close() -> None:
    one = stock()
    today = NOW.replace(hour=0, minute=0, second=0)
    for days, close in ((-2, 90.0), (-1, 100.0)):
        bar(one, "1d", today + timedelta(days=days), close)
    traded(one, 101.0)
    assert summary(one).change == pytest.approx(0.01)
    bar(one, "1d", today, 101.0)  # the session has ended; its own close is not the one before
    assert summary(one).change == pytest.approx(0.01)


def test_list_page_and_api_say_the_same_and_name_it() -> None:
    one = stock(base="AAPL")
    for days, close in ((0, 100.0), (1, 97.52)):
        bar(one, "1d", datetime(2013, 3, 27, tzinfo=UTC) + timedelta(days=days), close)
    client = Client()
    for address in ("/markets/", f"/markets/{one.ref}/"):
        page = client.get(address).content.decode()
        assert "−2.48\u00a0%" in page, address
        assert "Since the close of the session before" in page, address
        assert "Mar 28, 2013" in page, address  # old prices carry their day
    told = client.get(f"/api/v1/instruments/{one.ref}/").json()
    assert told["change_24h"] == pytest.approx(-0.0248)
    assert (told["change_since"], told["reference"]) == ("previous-session", 100.0)
    assert client.get("/api/v1/instruments/").json()["results"] == [told]


def test_any_number_of_instruments_costs_three_queries() -> None:
    listed = [InstrumentFactory(), stock(), InstrumentFactory(base_timeframe="1h"), InstrumentFactory()]
    for one in listed:
        traded(one, 100.0)
        bar_closing(one, "1h", (NOW - DAY).replace(minute=30, second=0), 99.0)
    for count in (1, 4):
        with CaptureQueriesContext(connection) as made:
            selectors.summaries(listed[:count])
        assert len(made) == 3
