"""The captured messages in a loop: the same book, bars and trades in every turn, and a past that never changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketdata.bars import roll_up
from marketdata.orderbook import BookOutOfStep, OrderBook
from marketdata.timeframes import TIMEFRAMES
from marketdata.venue import RecordedMarket
from marketdata.venue.recorded import BEGIN, LOOP
from marketdata.venue.replay import load
from tests.marketdata.capture import delta, levels
from tests.marketdata.venue.clients import START, Clock

pytestmark = pytest.mark.recorded


class Played:
    """A market played by hand, with what it published."""

    def __init__(self, recorded: Path, clock: Clock, state: Path | None = None) -> None:
        self.clock = clock
        self.market = RecordedMarket(recorded, now=clock, state=state)
        self.symbol = self.market.symbols["BTCUSDT"]
        self.market.depth(self.symbol, 1)  # it begins here

    def play(self, seconds: float) -> list[tuple[str, dict[str, Any]]]:
        self.clock.at += seconds
        return [self.market._message(kind, body, turn) for kind, body, turn in self.market._advance()]


def test_each_turn_is_every_captured_message_with_its_times_shifted(recorded: Path):
    one = Played(recorded, Clock(START + 0.001))
    first, second = one.play(LOOP), one.play(LOOP)
    assert len(second) == len(one.market.capture)
    assert abs(len(first) - len(second)) < 5
    trades = [body for stream, body in first + second if stream.endswith("@trade")]
    assert [body["t"] for body in trades] == list(range(1, len(trades) + 1))
    assert trades == sorted(trades, key=lambda body: body["T"])
    count = len(one.market.capture.trades)
    for body, again in zip(trades, trades[count:], strict=False):
        assert again == body | {"t": body["t"] + count, "T": body["T"] + LOOP * 1000, "E": body["E"] + LOOP * 1000}


def test_the_book_of_a_turn_agrees_with_every_best_quote_and_breaks_at_the_seam(recorded: Path):
    one = Played(recorded, Clock(START + 300.0))
    book, tops, quotes, broken = OrderBook(), {}, {}, 0
    snapshot = one.market.depth(one.symbol, 5000)
    book.snapshot(snapshot["lastUpdateId"], levels(snapshot["bids"]), levels(snapshot["asks"]))
    for _ in range(2):  # to the seam and over it
        for stream, body in one.play(LOOP / 3):
            if stream.endswith("@bookTicker"):
                quotes[body["u"]] = ((float(body["b"]), float(body["B"])), (float(body["a"]), float(body["A"])))
            elif stream.endswith("@depth"):
                try:
                    book.apply(delta(body))
                except BookOutOfStep:
                    broken += 1
                    book.reset()
                    break  # as a client would: ask for a snapshot
                bids, asks = book.top(1)
                tops[body["u"]] = (bids[0], asks[0])
        for _ in one.market._advance():
            pass
        snapshot = one.market.depth(one.symbol, 5000)
        book.snapshot(snapshot["lastUpdateId"], levels(snapshot["bids"]), levels(snapshot["asks"]))
        assert book.top(1)[0][0][0] < book.top(1)[1][0][0]
    assert broken == 1
    both = tops.keys() & quotes.keys()
    assert len(both) > 400
    assert all(tops[update] == quotes[update] for update in both)


def test_the_bar_of_each_turn_is_the_exchanges_own(recorded: Path):
    expected = json.loads((recorded / "expected" / "tick_to_bar_BTCUSDT.json").read_text())["bar"]
    clock = Clock(START + 0.0)
    market = RecordedMarket(recorded, now=clock)
    clock.at += 5 * LOOP + 60
    symbol = market.symbols["BTCUSDT"]
    for turn in range(5):
        opened = START + turn * LOOP + 300
        (row,) = market.klines(symbol, "5m", opened * 1000, opened * 1000, 1).rows()
        assert row == (opened, *(expected[name] for name in ("open", "high", "low", "close", "volume")))
    minutes = market.klines(symbol, "1m", START * 1000, (START + LOOP) * 1000 - 1, 1000)
    fives = market.klines(symbol, "5m", START * 1000, (START + LOOP) * 1000 - 1, 1000)
    rolled = roll_up(minutes, TIMEFRAMES["5m"])
    assert rolled.close.tolist() == fives.close.tolist()
    assert rolled.volume.tolist() == pytest.approx(fives.volume.tolist(), abs=1e-9)


def test_older_bars_are_the_recorded_ones_that_led_up_to_the_capture(recorded: Path):
    clock = Clock(START + 123.0)
    market = RecordedMarket(recorded, now=clock)
    symbol = market.symbols["BTCUSDT"]
    found = market.klines(symbol, "5m", None, START * 1000 - 1, 1000)
    original = load(recorded, symbol)
    original = original[: int(np.searchsorted(original.time, BEGIN))].tail(1000)
    assert (found.time - original.time).tolist() == [START - BEGIN] * 1000
    assert found.close.tolist() == original.close.tolist()
    assert found.time[-1] == START - 300  # no hole before the capture
    assert len(market.klines(symbol, "1m", None, START * 1000 - 1, 10)) == 0  # no shorter ones were recorded


def test_the_running_bar_grows_into_the_closed_one(recorded: Path):
    clock = Clock(START + 300.0)
    market = RecordedMarket(recorded, now=clock)
    symbol = market.symbols["BTCUSDT"]
    rows = []
    while clock.at < START + 360:
        rows.append(next(iter(market.klines(symbol, "1m", None, None, 1).rows())))
        clock.at += 7.3
    clock.at = START + 361.0
    (whole,) = market.klines(symbol, "1m", (START + 300) * 1000, (START + 300) * 1000, 1).rows()
    rows = [row for row in rows if row[5]]  # it is flat at the price before until somebody trades
    assert len(rows) > 5
    for earlier, later in zip(rows, [*rows[1:], whole], strict=True):
        assert earlier[:2] == later[:2]
        assert earlier[2] <= later[2]
        assert earlier[3] >= later[3]
        assert earlier[5] <= later[5]


def test_a_restart_keeps_the_past_and_the_numbers_of_trades(recorded: Path, tmp_path: Path):
    clock = Clock(START + 100.0)
    first = RecordedMarket(recorded, now=clock, state=tmp_path)
    symbol = first.symbols["BTCUSDT"]
    clock.at += 3 * LOOP + 77
    again = RecordedMarket(recorded, now=clock, state=tmp_path)
    for name in ("1m", "5m", "1h"):
        ours, theirs = (market.klines(symbol, name, None, None, 500) for market in (first, again))
        assert [column.tolist() for column in ours.columns] == [column.tolist() for column in theirs.columns]
    assert first.recent_trades(symbol, 50) == again.recent_trades(symbol, 50)
    assert again.recent_trades(symbol, 1)[0]["t"] > 3 * len(again.capture.trades)


def test_recent_trades_reach_back_over_the_seam(recorded: Path):
    clock = Clock(START + 0.0)
    market = RecordedMarket(recorded, now=clock)
    clock.at += LOOP + 1
    found = market.recent_trades(market.symbols["BTCUSDT"], 1000)
    assert len(found) == 1000
    assert [body["t"] for body in found] == list(range(found[0]["t"], found[0]["t"] + 1000))
    assert found[0]["T"] < (START + LOOP) * 1000 <= found[-1]["T"] <= clock.at * 1000


def test_after_a_long_sleep_the_past_is_no_news(recorded: Path):
    one = Played(recorded, Clock(START + 10.0))
    assert one.play(8 * 3600) == []
    assert one.play(1.0)
