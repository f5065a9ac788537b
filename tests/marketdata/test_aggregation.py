"""Bars from trades: exact, whatever the order and however often trades are delivered."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.aggregation import AMENDABLE, Aggregator, Closed
from marketdata.bars import Bar, Bars, roll_up
from marketdata.messages import Trade
from marketdata.timeframes import TIMEFRAMES, Timeframe, UnknownTimeframe
from tests.marketdata.capture import trades

MINUTE = Timeframe.of("1m")
START = 1_700_000_400  # a multiple of an hour would hide window mistakes; this one of ten minutes is enough


def aggregator(*, listening: int = 0, base: str = "1m") -> Aggregator:
    made = Aggregator(Timeframe.of(base), TIMEFRAMES.values())
    made.connected(listening)
    return made


def trade(number: int, second: float, price: float = 100.0, size: str = "1") -> Trade:
    return Trade("X", number, int((START + second) * 1000), price, Decimal(size), 1)


def final(closed: list[Closed], timeframe: str = "1m") -> dict[int, Bar]:
    """The newest revision of each complete bar."""
    return {item.bar.time: item.bar for item in closed if item.timeframe == timeframe and item.complete}


@pytest.mark.recorded
def test_captured_trades_give_the_exchanges_own_five_minute_bar(recorded: Path):
    expected = json.loads((recorded / "expected" / "tick_to_bar_BTCUSDT.json").read_text())
    made = aggregator()
    closed = [item for one in trades(recorded) for item in made.add(one)]
    bar = final(closed, "5m")[expected["start_ms"] // 1000]
    assert bar[1:6] == tuple(expected["bar"][name] for name in ("open", "high", "low", "close", "volume"))
    assert bar.trades == expected["trades"]
    assert not made.counts


@pytest.mark.recorded
@pytest.mark.parametrize("pair", ["BTC", "ETH", "SOL", "XRP", "DOGE"])
def test_recorded_five_minute_bars_roll_up_to_the_venues_own_longer_bars(recorded: Path, pair: str):
    import pandas as pd

    def read(name: str) -> Bars:
        table = pd.read_feather(recorded / "ohlcv" / "crypto" / "binance_spot" / f"{pair}_USDT-{name}.feather")
        time = table["date"].dt.as_unit("s").astype("int64").to_numpy()
        return Bars(time, *(table[column].to_numpy(float) for column in ("open", "high", "low", "close", "volume")))

    short = read("5m")
    for name in ("1h", "4h", "1d"):
        timeframe, theirs = Timeframe.of(name), read(name)
        ours = roll_up(short, timeframe)
        parts = timeframe.seconds // 300
        whole = len(short) // parts
        count = min(whole, len(theirs))
        assert count > 200
        assert ours.time[:count].tolist() == theirs.time[:count].tolist()
        for column in ("open", "high", "low", "close"):
            assert getattr(ours, column)[:count].tolist() == getattr(theirs, column)[:count].tolist()
        assert ours.volume[:count] == pytest.approx(theirs.volume[:count], rel=1e-6)


def test_a_bar_closes_with_the_first_trade_after_it():
    made = aggregator()
    assert made.add(trade(1, 0, 100)) == []
    assert made.add(trade(2, 59.9, 90, "0.1")) == []
    (closed,) = [item for item in made.add(trade(3, 60, 110)) if item.timeframe == "1m"]
    assert closed.complete
    assert closed.bar == Bar(START, 100, 100, 90, 90, 1.1, 2, 2, 0)


def test_a_bar_closes_by_the_clock_when_nobody_trades():
    made = aggregator()
    made.add(trade(1, 0))
    assert made.tick(START + 61) == []
    assert [item.bar.time for item in made.tick(START + 62) if item.timeframe == "1m"] == [START]


def test_a_silent_minute_is_a_flat_bar_at_the_last_price():
    made = aggregator()
    made.add(trade(1, 0, 101.5))
    bars = final(made.tick(START + 182))
    assert bars[START + 60][1:7] == (101.5, 101.5, 101.5, 101.5, 0.0, 0)
    assert sorted(bars) == [START, START + 60, START + 120]


def test_a_late_trade_amends_the_bar_and_its_revision_grows():
    made = aggregator()
    for one in (trade(1, 0, 100), trade(3, 61, 100)):
        made.add(one)
    amended = final(made.add(trade(2, 30, 120)))[START]
    assert (amended.high, amended.close, amended.revision, amended.trades) == (120, 120, 1, 2)


def test_a_trade_older_than_the_grace_is_dropped_and_counted():
    made = aggregator()
    made.add(trade(1, 0))
    made.tick(START + 60 * (AMENDABLE + 3))
    assert made.add(trade(2, 1)) == []
    assert made.counts["late"] == 1


def test_the_same_trade_twice_counts_once():
    made = aggregator()
    made.add(trade(1, 0))
    made.add(trade(1, 0))
    assert final(made.tick(START + 62))[START].volume == 1
    assert made.counts["duplicate"] == 1


def test_a_bar_that_began_before_we_listened_is_incomplete():
    made = aggregator(listening=START + 30)
    made.add(trade(1, 40))
    closed = made.tick(START + 122)
    assert [item.complete for item in closed if item.timeframe == "1m"] == [False, True]


def test_a_bar_with_missing_trade_ids_is_incomplete():
    made = aggregator()
    made.add(trade(1, 0))
    made.add(trade(5, 1))
    assert [item.complete for item in made.tick(START + 62) if item.timeframe == "1m"] == [False]
    assert made.counts["missing"] == 3


def test_a_longer_bar_is_complete_only_with_all_its_parts():
    made = aggregator(listening=START + 60)
    base = START - START % 300
    closed: list[Closed] = []
    for number, second in enumerate(range(0, 1300, 20)):
        closed += made.add(trade(number, second))
    five = {item.bar.time: item.complete for item in closed if item.timeframe == "5m"}
    assert five[base] is False or base < START
    assert any(five.values())
    assert all(complete for time, complete in five.items() if time >= START + 60)


def test_the_forming_bar_of_every_timeframe_holds_what_was_traded_so_far():
    made = aggregator()
    made.add(trade(1, 0, 100))
    made.add(trade(2, 61, 130, "0.5"))
    forming = made.forming()
    assert forming["1m"][1:6] == (130, 130, 130, 130, 0.5)
    assert (forming["5m"].open, forming["5m"].high, forming["5m"].close) == (100, 130, 130)
    assert set(forming) == set(TIMEFRAMES)


def test_the_venues_own_bars_roll_up_and_its_forming_bar_is_shown():
    made = aggregator(base="5m")
    closed: list[Closed] = []
    for i in range(3):
        at = START - START % 900 + 300 * i
        closed += made.take(Bar(at, 10 + i, 20 + i, 5 + i, 15 + i, 2.0), closed=True)
    (long,) = [item for item in closed if item.timeframe == "15m"]
    assert long.complete
    assert long.bar[1:6] == (10, 22, 5, 17, 6.0)
    made.take(Bar(START - START % 900 + 900, 17, 18, 16, 16.5, 1.0), closed=False)
    assert made.forming()["5m"].close == 16.5


@given(st.data())
def test_any_order_within_the_grace_and_any_repetition_give_the_same_bars(data: st.DataObject):
    count = data.draw(st.integers(2, 40))
    seconds = sorted(data.draw(st.lists(st.floats(0, 170, allow_nan=False), min_size=count, max_size=count)))
    prices = data.draw(st.lists(st.integers(1, 500), min_size=count, max_size=count))
    sent = [trade(i + 1, second, float(price), "0.1") for i, (second, price) in enumerate(zip(seconds, prices, strict=True))]
    shuffled = data.draw(st.permutations(sent + data.draw(st.lists(st.sampled_from(sent), max_size=10))))

    def run(order: list[Trade]) -> dict[int, tuple]:
        made = aggregator()
        made.listening_since = 0
        # The first trade of the earliest minute opens the aggregation, as the first message of a connection does.
        order = [sent[0], *order]
        closed = [item for one in order for item in made.add(one)]
        closed += made.tick(START + 400)
        bars = {item.bar.time: item.bar[1:7] for item in closed if item.timeframe == "1m"}
        return {time: bar for time, bar in bars.items() if bar[5]}

    assert run(list(shuffled)) == run(sent)


def test_an_unknown_timeframe_is_refused_with_those_there_are():
    with pytest.raises(UnknownTimeframe, match="1m, 5m"):
        Timeframe.of("7m")
