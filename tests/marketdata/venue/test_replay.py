"""Recorded bars replayed: one fixed mapping of time, a clock that never runs ahead, and bars that grow as bars do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.venue import ReplayMarket
from marketdata.venue.market import CatchingUp
from marketdata.venue.recorded import BTC
from marketdata.venue.replay import STEP, WEEK, load, so_far
from tests.marketdata.venue.clients import START, Clock

DAY = 86400


@given(
    lead=st.floats(0, 90 * DAY),
    speed=st.floats(1, 600),
    waits=st.lists(st.floats(0, 3 * DAY), min_size=1, max_size=8),
)
def test_the_clock_runs_at_its_speed_and_never_ahead_of_ours(lead: float, speed: float, waits: list[float]):
    wall = Clock(START + 0.0)
    clock = CatchingUp(START - lead, speed, wall)
    before = clock.now()
    for wait in waits:
        wall.at += wait
        now = clock.now()
        assert now <= wall.at
        assert now >= before
        assert now == pytest.approx(min(wall.at, before + wait * speed), abs=1e-3)
        before = now


prices = st.floats(0.01, 1000)


@given(st.tuples(prices, prices, prices, prices), st.floats(0, 1e6), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_a_running_bar_only_grows_and_ends_as_recorded(values: tuple[float, ...], volume: float, shares: list[float]):
    low, a, b, high = sorted(round(value, 2) for value in values)
    for open_, close in ((a, b), (b, a)):
        bar = (open_, high, low, close, round(volume, 5))
        earlier = so_far(bar, 0.0, BTC)
        assert earlier == (open_, open_, open_, open_, 0.0)
        for share in [*sorted(shares), 1.0]:
            now = so_far(bar, share, BTC)
            assert now[0] == open_
            assert low <= now[2] <= now[3] <= now[1] <= high
            assert now[1] >= earlier[1]
            assert now[2] <= earlier[2]
            assert now[4] >= earlier[4]
            earlier = now
        assert earlier == bar


def test_a_rising_bar_visits_its_low_first_and_a_falling_one_its_high():
    assert so_far((10.0, 13.0, 8.0, 12.0, 9.0), 1 / 3, BTC)[:4] == (10.0, 10.0, 8.0, 8.0)
    assert so_far((10.0, 13.0, 8.0, 12.0, 9.0), 2 / 3, BTC)[3] == 13.0
    assert so_far((12.0, 13.0, 8.0, 10.0, 9.0), 1 / 3, BTC)[:4] == (12.0, 13.0, 12.0, 13.0)
    assert so_far((12.0, 13.0, 8.0, 10.0, 9.0), 2 / 3, BTC)[3] == 8.0


@pytest.mark.recorded
def test_bars_are_the_recording_shifted_by_whole_weeks_and_repeated(recorded: Path):
    clock = Clock(START + 0.0)
    market = ReplayMarket(recorded, now=clock, lead=0.0)
    symbol = market.symbols["BTCUSDT"]
    original = load(recorded, symbol)
    assert (market.origin - int(original.time[0])) % WEEK == 0
    month = 30 * DAY // STEP
    found = market.klines(symbol, "5m", market.origin * 1000, None, 1000)
    assert found.close.tolist() == original.close[:1000].tolist()
    played = int((market.now() - market.origin) // STEP)
    assert played > 4 * month  # months of history lie before the first start
    clock.at += market.length  # a whole span later the same bars come again
    later = market.klines(symbol, "5m", (market.origin + market.length) * 1000, None, 1000)
    assert (later.time - found.time).tolist() == [market.length] * 1000
    assert later.close.tolist() == found.close.tolist()


@pytest.mark.recorded
def test_all_pairs_are_replayed_by_one_clock(recorded: Path):
    clock = Clock(START + 33.0)
    market = ReplayMarket(recorded, now=clock)
    newest = {int(market.klines(symbol, "5m", None, None, 2).time[-1]) for symbol in market.symbols.values()}
    assert newest == {int(market.now()) // STEP * STEP}
    clock.at += 5
    assert market.now() == pytest.approx(START + 33 - 30 * DAY + 5 * 60)


@pytest.mark.recorded
def test_a_restart_goes_on_where_it_stopped_and_changes_no_bar(recorded: Path, tmp_path: Path):
    clock = Clock(START + 0.0)
    first = ReplayMarket(recorded, now=clock, state=tmp_path)
    clock.at += 1000
    first._save()
    stopped = first.now()
    symbol = first.symbols["ETHUSDT"]
    before = first.klines(symbol, "1h", None, None, 500)
    clock.at += 5 * DAY  # switched off
    again = ReplayMarket(recorded, now=clock, state=tmp_path)
    assert again.now() == stopped
    after = again.klines(symbol, "1h", None, None, 500)
    assert [column.tolist() for column in before.columns] == [column.tolist() for column in after.columns]
