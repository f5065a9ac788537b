"""Which day it is for an account, and what it was worth when that day began."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from marketdata.models import LatestPrice, Venue
from tests.factories import START, AccountFactory, DeploymentFactory, InstrumentFactory, VenueFactory, limits
from tests.trading.conftest import FALLING, RISING, Market, at, deployed
from trading import selectors
from trading.models import Account, EquitySnapshot, Evaluation, Position
from trading.services.valuation import mark_equity, snapshot

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
D = Decimal
Outcome = Evaluation.Outcome


def worth(account: Account, moment: datetime, equity: int) -> None:
    """Record that the account, which holds nothing, was worth that much."""
    valued = selectors.portfolio(account, at=moment)
    snapshot(account=account, at=moment)
    EquitySnapshot.objects.filter(account=account, at=valued.at).update(equity=equity)


def day_start(account: Account, moment: datetime) -> Decimal:
    return selectors.portfolio(account, at=moment).day_start_equity


def test_the_day_begins_with_the_last_equity_of_the_day_before() -> None:
    account = AccountFactory()
    for second, equity in ((-3600, 9_000), (-15, 9_500), (15, 9_700), (30, 9_800)):
        worth(account, at(second), equity)
    assert day_start(account, at(60)) == 9_500
    assert day_start(account, at(-1)) == account.starting_balance
    assert day_start(account, START + DAY + HOUR) == 9_800


def test_what_is_recorded_at_midnight_is_what_the_day_began_with() -> None:
    account = AccountFactory()
    for second, equity in ((-60, 9_000), (0, 9_100), (60, 9_200)):
        worth(account, at(second), equity)
    assert day_start(account, at(120)) == 9_100
    assert selectors.day_of(START) == date(2024, 8, 8)


def test_a_day_outlives_its_records() -> None:
    """Old records are thinned; the day's first equity is carried in each."""
    account = AccountFactory()
    for second, equity in ((-60, 9_000), (60, 9_200), (120, 9_300)):
        worth(account, at(second), equity)
    EquitySnapshot.objects.filter(account=account, equity__lt=9_300).delete()
    assert day_start(account, at(180)) == 9_000


# -- venues that run faster -------------------------------------------------------------------------------------------


def trades_at(account: Account, venue: Venue, time: datetime | None) -> None:
    instrument = InstrumentFactory(venue=venue)
    DeploymentFactory(account=account, instrument=instrument)
    if time is not None:
        LatestPrice.objects.create(instrument=instrument, price=1, time=time, received_at=START)


@pytest.fixture
def replay() -> Venue:
    return VenueFactory(code="replay", clock_rate=60.0)


def test_days_are_counted_by_the_clock_of_a_venue_that_runs_faster(replay: Venue) -> None:
    account = AccountFactory()
    noon = datetime(2019, 3, 1, 12, tzinfo=UTC)
    trades_at(account, replay, noon)
    for minute in range(60):  # an hour of ours, two days and a half of the venue's
        LatestPrice.objects.update(time=noon + minute * HOUR)
        worth(account, at(minute * 60), 10_000 - minute)
    now = at(3600)
    LatestPrice.objects.update(time=noon + 60 * HOUR)
    valued = selectors.portfolio(account, at=now)
    assert (valued.day, valued.day_is_ours) == (date(2019, 3, 3), False)
    assert valued.day_start_equity == 10_000 - 36  # what it was at midnight of the third of March


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_where_there_are_several_the_slowest_clock_counts(replay: Venue, rate: float) -> None:
    account = AccountFactory()
    trades_at(account, replay, datetime(2019, 3, 1, 12, tzinfo=UTC))
    trades_at(account, VenueFactory(code="other", clock_rate=rate), datetime(2031, 1, 5, 12, tzinfo=UTC))
    expected = date(2024, 8, 9) if rate == 1 else date(2031, 1, 5)
    assert selectors.days_of([account.pk], at=at(60)) == {account.pk: expected}


def test_without_a_price_or_a_deployment_our_clock_counts(replay: Venue) -> None:
    idle, waiting = AccountFactory(), AccountFactory()
    trades_at(waiting, replay, None)
    assert set(selectors.days_of([idle.pk, waiting.pk], at=at(60)).values()) == {date(2024, 8, 9)}


def test_a_clock_that_jumps_begins_a_day_and_keeps_the_equity(replay: Venue) -> None:
    """A replay that begins anew, or another venue: the day is another one, what came before is what it begins with."""
    account = AccountFactory()
    trades_at(account, replay, datetime(2019, 3, 1, 12, tzinfo=UTC))
    worth(account, at(0), 10_000)
    worth(account, at(15), 9_900)
    LatestPrice.objects.update(time=datetime(2018, 1, 1, 12, tzinfo=UTC))
    assert day_start(account, at(30)) == 9_900
    worth(account, at(30), 9_800)
    assert day_start(account, at(45)) == 9_900


def lose_and_come_again(market: Market, days: timedelta) -> str:
    """Lose more than a day's limit, let time pass, and want to open again; what became of that."""
    market.close(*RISING)
    account = AccountFactory(risk=limits(maximum_position="1"))
    mark_equity(at=market.now)
    deployment = deployed(account, market, allocation="0.9")
    market.trade(deployment, 104.0, 98.0)
    assert Position.objects.get(deployment=deployment).quantity == 0
    stopped = market.trade(deployment, *RISING)[-1]
    assert (stopped.outcome, stopped.reason_code) == (Outcome.REJECTED, "breaker-daily-loss")
    assert "today" in stopped.reason
    ours = market.now
    market.now += days
    market.close(*FALLING)
    market.now -= days - timedelta(minutes=1)  # our clock: a minute later; the venue's bars and prices: a day later
    LatestPrice.objects.update(received_at=market.now)
    assert market.now - ours < timedelta(hours=1)
    account = Account.objects.get(pk=account.pk)
    valued = selectors.portfolio(account, at=market.now)
    return "again" if valued.day_pnl == 0 else "stopped"


def test_the_loss_of_a_day_at_a_fast_venue_stops_for_that_day_alone(market: Market) -> None:
    Venue.objects.filter(pk=market.instrument.venue_id).update(clock_rate=60.0)
    assert lose_and_come_again(market, DAY) == "again"


def test_at_a_venue_of_our_pace_an_hour_does_not_end_the_day(market: Market) -> None:
    assert lose_and_come_again(market, DAY) == "stopped"


def test_pages_say_whose_day_it_is(replay: Venue, client) -> None:
    account = AccountFactory()
    client.force_login(account.owner)
    assert "Today" in client.get("/trade/").content.decode()
    trades_at(account, replay, datetime(2019, 3, 1, 12, tzinfo=UTC))
    assert "This day at the venue" in client.get("/trade/").content.decode()
