"""The simulated exchange: its matching, its determinism, and a past that agrees with what was published, kills included."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.bars import Bar, Bars, problem, roll_up
from marketdata.orderbook import OrderBook
from marketdata.timeframes import TIMEFRAMES
from marketdata.venue import SimulatedMarket
from marketdata.venue.matching import Matching
from tests.marketdata.capture import delta, levels
from tests.marketdata.venue.clients import START, Clock

Messages = list[tuple[str, dict[str, Any]]]


class Played:
    """A market that runs by hand, and everything that it published."""

    def __init__(self, clock: Clock, state: Path | None = None, *, seed: int = 7, speed: float = 10.0) -> None:
        self.clock = clock
        self.market = SimulatedMarket(seed=seed, speed=speed, now=clock, state=state)
        self.said: Messages = []

    def play(self, seconds: float, *, at_a_time: float = 0.1) -> Played:
        until = self.clock.at + seconds
        while self.clock.at < until:
            self.clock.at = min(self.clock.at + at_a_time, until)
            self.market.advance(self.market.clock.now(), lambda stream, message: self.said.append((stream, message)))
        return self

    def of(self, stream: str) -> list[dict[str, Any]]:
        return [message for name, message in self.said if name == stream]

    def bars(self, symbol: str, interval: str = "1m") -> Bars:
        return self.market.klines(self.market.symbols[symbol], interval, None, None, 1000)


# -- matching -------------------------------------------------------------------------------------------------------

orders = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.none() | st.integers(90, 110), st.integers(1, 500)), min_size=1, max_size=60
)


@given(orders)
def test_what_is_sent_is_traded_or_rests_and_the_book_is_never_crossed(sent: list[tuple[str, int | None, int]]):
    engine = Matching(decimals=2)
    balance = {"buy": Decimal(0), "sell": Decimal(0)}
    for side, price, hundredths in sent:
        size = hundredths / 100
        best = engine.best_ask() if side == "buy" else engine.best_bid()
        happened = engine.market(side, size) if price is None else engine.limit(side, price, size)
        traded = sum((Decimal(str(one.size)) for one in happened), Decimal(0))
        assert traded <= Decimal(str(size))
        if happened:
            assert happened[0].price == best  # the best price is matched first, at the resting order's price
            assert {one.buyer_is_maker for one in happened} == {side == "sell"}
            steps = [later.price - earlier.price for earlier, later in pairwise(happened)]
            assert all(step >= 0 if side == "buy" else step <= 0 for step in steps)
        if price is not None:
            assert all(one.price <= price if side == "buy" else one.price >= price for one in happened)
            balance[side] += Decimal(str(size)) - traded
        balance["sell" if side == "buy" else "buy"] -= traded
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is None or ask is None or bid < ask
    for side, mark, book in (("buy", "b", engine.bids), ("sell", "a", engine.asks)):
        assert sum((Decimal(str(engine.size_at(mark, price))) for price in book), Decimal(0)) == balance[side]
        assert all(order[0] > 0 for queue in book.values() for order in queue)


# -- the flow -------------------------------------------------------------------------------------------------------


def test_the_same_seed_and_clock_publish_the_same_messages():
    one, two, other = (Played(Clock(START + 0.0), seed=seed).play(30) for seed in (3, 3, 4))
    assert one.said == two.said
    assert one.said != other.said
    assert len(one.of("btcusdt@trade")) > 50


def test_published_trades_make_the_bars_that_are_answered_later():
    played = Played(Clock(START + 0.0)).play(63)  # ten minutes of the venue's, and half of one that runs
    for symbol in ("BTCUSDT", "XRPUSDT"):
        trades = played.of(f"{symbol.lower()}@trade")
        assert [trade["t"] for trade in trades] == list(range(1, len(trades) + 1))
        for row in played.bars(symbol).tail(9).rows():
            inside = [trade for trade in trades if row[0] * 1000 <= trade["T"] < (row[0] + 60) * 1000]
            prices = [float(trade["p"]) for trade in inside]
            assert row[1:5] == (prices[0], max(prices), min(prices), prices[-1])
            assert row[5] == float(sum(Decimal(trade["q"]) for trade in inside))


def test_minutes_follow_each_other_without_a_hole_from_the_drawn_past_on():
    played = Played(Clock(START + 0.0)).play(30)
    bars = played.bars("SOLUSDT")
    assert set(np.diff(bars.time).tolist()) == {60}
    assert bars.time[-1] == int(played.market.now()) // 60 * 60
    assert bars.time[0] < played.market.began < bars.time[-1]
    assert all(problem(Bar(*row)) is None for row in bars.rows())
    jump = np.abs(np.diff(np.log(bars.close)))
    at = int(np.searchsorted(bars.time, played.market.began))
    assert jump[at - 1 : at + 1].max() < 10 * jump.std()  # where the past ends and the flow begins
    longer = played.bars("SOLUSDT", "1h")
    assert roll_up(played.bars("SOLUSDT", "5m"), TIMEFRAMES["1h"]).close[-2:].tolist() == longer.close[-2:].tolist()


def test_the_published_book_is_the_engines_own_and_its_quotes_are_its_top():
    played = Played(Clock(START + 0.0)).play(2)
    market, symbol = played.market, played.market.symbols["ETHUSDT"]
    snapshot = market.depth(symbol, 5000)
    book = OrderBook()
    book.snapshot(snapshot["lastUpdateId"], levels(snapshot["bids"]), levels(snapshot["asks"]))
    played.said.clear()
    played.play(30)
    quotes = {message["u"]: message for message in played.of("ethusdt@bookTicker")}
    for message in played.of("ethusdt@depth"):
        assert book.apply(delta(message))
        if quote := quotes.get(message["u"]):
            (bid,), (ask,) = book.top(1)
            assert bid == (float(quote["b"]), float(quote["B"]))
            assert ask == (float(quote["a"]), float(quote["A"]))
            assert bid[0] < ask[0]
    now = market.depth(symbol, 5000)
    assert book.top(5000) == (levels(now["bids"]), levels(now["asks"]))


def test_the_spread_widens_and_trades_come_faster_when_it_is_wild():
    def spread_and_trades(variance: float) -> tuple[float, int]:
        played = Played(Clock(START + 0.0))
        pair = played.market.pairs["BTCUSDT"]
        spreads = []
        for _ in range(300):
            pair.own.variance = played.market.mood.variance = variance
            played.play(0.1)
            bid, ask = pair.engine.best_bid(), pair.engine.best_ask()
            if bid is not None and ask is not None:
                spreads.append(ask - bid)
        return float(np.mean(spreads)), len(played.of("btcusdt@trade"))

    calm, wild = spread_and_trades(0.3), spread_and_trades(20.0)
    assert wild[0] > 2 * calm[0]
    assert wild[1] > 2 * calm[1]


def test_live_minutes_have_the_volumes_and_moves_of_the_drawn_past():
    drawn, traded, moved = [], [], []
    for seed in (1, 2, 3):
        market = SimulatedMarket(seed=seed, now=Clock(START), lead=0)
        drawn += [pair.history.volume / pair.typical for pair in market.pairs.values()]
        began = market.at
        while market.at < began + 60 * 60:
            market.at += 0.5
            market._end_minutes(market.at)
            market.step()
        for pair in market.pairs.values():
            live = pair.minutes(int(began) + 300, int(began) + 3600)  # the book is filled in the first minutes
            traded.append(live.volume / pair.typical)
            returns = np.diff(np.log(live.close))
            past = np.diff(np.log(pair.history.close))
            moved.append(np.percentile(np.abs(returns), 75) / np.percentile(np.abs(past), 75))
    shares = [10, 25, 50, 75, 90]
    ratio = np.percentile(np.concatenate(traded), shares) / np.percentile(np.concatenate(drawn), shares)
    assert ratio == pytest.approx(np.ones(5), abs=0.3)
    assert np.median(moved) == pytest.approx(1, abs=0.3)


def test_pairs_move_together():
    played = Played(Clock(START + 0.0))
    closes = [played.market.pairs[name].history.close for name in ("BTCUSDT", "ETHUSDT")]
    first, second = (np.diff(np.log(close)) for close in closes)
    assert np.corrcoef(first, second)[0, 1] > 0.5


# -- restarts -------------------------------------------------------------------------------------------------------


def columns(bars: Bars) -> list[list[float]]:
    return [column.tolist() for column in bars.columns]


def test_after_a_clean_stop_it_goes_on_from_its_last_trade(tmp_path: Path):
    clock = Clock(START + 0.0)
    before = Played(clock, tmp_path).play(41)
    before.market._save(clean=True)
    clock.at += 3600  # switched off
    after = Played(clock, tmp_path, seed=99)
    assert after.market.now() == before.market.now()
    assert after.market.seed == 7  # the past was of this seed
    for symbol in ("BTCUSDT", "ADAUSDT"):
        assert columns(before.bars(symbol)) == columns(after.bars(symbol))
    after.play(10)
    for symbol in ("BTCUSDT", "ADAUSDT"):
        last = before.of(f"{symbol.lower()}@trade")[-1]["t"]
        assert after.of(f"{symbol.lower()}@trade")[0]["t"] == last + 1
        near = after.bars(symbol).tail(3).close
        assert near == pytest.approx(before.bars(symbol).close[-1], rel=0.02)


def test_after_a_kill_closed_bars_stay_and_no_number_is_used_twice(tmp_path: Path):
    clock = Clock(START + 0.0)
    before = Played(clock, tmp_path).play(29)
    before.market._save(clean=False)  # as it does every second …
    before.play(0.9)  # … and is killed before the next time
    after = Played(clock, tmp_path)
    assert after.market.now() >= before.market.now() - 1
    for symbol in ("BTCUSDT", "XRPUSDT"):
        ours, theirs = list(before.bars(symbol).rows()), {row[0]: row for row in after.bars(symbol).rows()}
        assert all(theirs[row[0]] == row for row in ours[-900:] if row[0] < before.market.pairs[symbol].open_minute)
    after.play(20)
    for stream, number in (("btcusdt@trade", "t"), ("btcusdt@depth", "u"), ("btcusdt@trade", "T")):
        assert after.of(stream)[0][number] > before.of(stream)[-1][number] - (1000 if number == "T" else 0)
    assert set(np.diff(after.bars("BTCUSDT").time).tolist()) == {60}


def test_a_line_that_a_kill_cut_off_is_left_out_and_the_file_goes_on(tmp_path: Path):
    clock = Clock(START + 0.0)
    Played(clock, tmp_path).play(29).market._save(clean=False)
    path = tmp_path / "simulated-minutes.jsonl"
    whole = path.read_text()
    path.write_text(whole + whole.splitlines()[-1][:20])
    Played(clock, tmp_path).play(20).market._save(clean=True)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    opened = [line[0] for line in lines]
    assert opened == list(range(opened[0], opened[0] + 60 * len(opened), 60))
    assert len(opened) > len(whole.splitlines())


def test_a_kill_before_the_first_minute_changes_no_drawn_past(tmp_path: Path):
    clock = Clock(START + 0.0)
    first = Played(clock, tmp_path)
    clock.at += 7
    again = Played(clock, tmp_path)
    for name, pair in first.market.pairs.items():
        assert columns(pair.history) == columns(again.market.pairs[name].history)


def test_a_machine_that_slept_finds_that_nobody_traded_meanwhile():
    clock = Clock(START + 0.0)
    played = Played(clock).play(10)
    clock.at += 600
    played.play(0.1)
    bars = played.bars("BTCUSDT")
    assert set(np.diff(bars.time).tolist()) == {60}
    quiet = bars.volume == 0
    assert 95 <= quiet.sum() <= 105  # 600 s at 10×
    assert played.market.now() <= clock.at
