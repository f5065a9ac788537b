"""Order flow: footprints counted by hand, recorded trades, and the guess from bars that says what it is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from marketdata.bars import Bars
from strategies.contract import validate
from strategies.library.flow import Flow, InvalidFlow
from strategies.library.order_flow import OrderFlow
from tests.strategies.library.series import walk


def bars_at(*times: int) -> Bars:
    ones = np.ones(len(times))
    return Bars(np.array(times, dtype=np.int64), 100 * ones, 103 * ones, 99 * ones, 102 * ones, 10 * ones)


def test_a_footprint_counted_by_hand() -> None:
    # Rows of 1: at 100 sellers take 2; at 101 buyers take 6 (three times the 2 below), sellers 1; at 102 buyers take 3
    # (three times that 1), sellers 1; at 103 buyers take 1 (once). Two imbalances of buyers in a row; the heaviest row is 101.
    trades = [
        (0, 100, 2, -1),
        (5, 101.5, 6, 1),
        (6, 101, 1, -1),
        (7, 102, 3, 1),
        (8, 102.9, 1, -1),
        (59, 103, 1, 1),
        (60, 90, 9, 1),
    ]
    time, price, quantity, side = np.array(trades, dtype=float).T
    flow = Flow.of_trades(bars_at(0, 60, 120), time, price, quantity, side, row=1.0, ratio=3.0, seconds=60)
    assert not flow.approximate
    assert flow.buy.tolist() == [10, 9, 0]
    assert flow.sell.tolist() == [4, 0, 0]
    assert flow.stacked_buy.tolist() == [2, 0, 0]
    assert flow.stacked_sell.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(flow.node, [101.5, 90.5, np.nan])


def test_sellers_are_held_against_the_row_above() -> None:
    trades = [(0, 102, 2, 1), (1, 101, 6, -1), (2, 100, 4, -1), (3, 101, 1, 1)]
    time, price, quantity, side = np.array(trades, dtype=float).T
    flow = Flow.of_trades(bars_at(0), time, price, quantity, side, row=1.0, ratio=3.0, seconds=60)
    assert (flow.stacked_buy[0], flow.stacked_sell[0]) == (0, 2)


def test_a_guess_takes_the_place_of_the_close_in_its_range() -> None:
    time = np.arange(4, dtype=np.int64) * 60
    low, high = np.array([10.0, 10, 10, 12]), np.array([14.0, 14, 14, 12])
    bars = Bars(time, low, high, low, np.array([13.0, 14, 10, 12]), np.array([8.0, 8, 8, 8]))
    flow = Flow.of_bars(bars, 3.0)
    assert flow.approximate
    assert flow.buy.tolist() == [6, 8, 0, 4]
    assert flow.sell.tolist() == [2, 0, 8, 4]
    assert flow.stacked_buy.tolist() == [1, 2, 0, 0]
    assert flow.stacked_sell.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"side": [1, 0]}, "side must be 1 or -1"),
        ({"time": [5, 1]}, "in order of time"),
        ({"price": [1, 2, 3]}, "one length"),
        ({"price": [1, -1]}, "above 0"),
    ],
)
def test_trades_that_are_none_are_refused(change: dict, message: str) -> None:
    trades = {"time": [1, 2], "price": [10, 11], "quantity": [1, 1], "side": [1, -1]} | change
    with pytest.raises(InvalidFlow, match=message):
        Flow.of_trades(bars_at(0), **trades, row=1.0, ratio=3.0, seconds=60)
    with pytest.raises(InvalidFlow, match="row was 0"):
        Flow.of_trades(bars_at(0), [1], [1], [1], [1], row=0, ratio=3.0, seconds=60)


@pytest.mark.recorded
def test_recorded_trades_make_the_venue_s_volume_and_a_flow_that_can_be_followed(recorded: Path) -> None:
    trades = []
    for day in ("20240808", "20240809"):
        with gzip.open(recorded / "binance_ws_l2" / f"spot_btcusdt_{day}.gz", "rt") as lines:
            messages = (json.loads(line.split(" ", 1)[1]) for line in lines if '"e":"trade"' in line)
            trades += [
                (m["T"] / 1000, float(m["p"]), float(m["q"]), -1 if m["m"] else 1) for m in (m["data"] for m in messages)
            ]
    time, price, quantity, side = np.array(sorted(trades, key=lambda trade: trade[0])).T
    start, seconds = 1723161600 - 300, 5
    edges = start + np.arange(120, dtype=np.int64) * seconds
    where = [slice(*np.searchsorted(time, (edge, edge + seconds))) for edge in edges.astype(float)]
    assert all(part.stop > part.start for part in where)
    bars = Bars(
        edges,
        np.array([price[part][0] for part in where]),
        np.array([price[part].max() for part in where]),
        np.array([price[part].min() for part in where]),
        np.array([price[part][-1] for part in where]),
        np.array([quantity[part].sum() for part in where]),
    )
    flow = Flow.of_trades(bars, time, price, quantity, side, row=1.0, ratio=3.0, seconds=seconds)
    np.testing.assert_allclose(flow.buy + flow.sell, bars.volume, rtol=1e-9)
    assert (flow.buy + flow.sell)[60:].sum() == pytest.approx(221.61722)
    assert ((flow.node >= bars.low - 1) & (flow.node <= bars.high + 1)).all()
    assert flow.stacked_buy.max() >= 3
    strategy = OrderFlow()
    p = validate(strategy, {"stack": 2, "window": 10, "atr_window": 5, "row": 0.01, "direction": "long-short"})
    exposure = strategy.follow(bars, flow, p).exposure
    assert {-1, 1} <= set(exposure)
    cut = 70
    early = Flow(*(getattr(flow, name)[:cut] for name in ("buy", "sell", "stacked_buy", "stacked_sell", "node")), False)
    np.testing.assert_array_equal(strategy.follow(bars[:cut], early, p).exposure, exposure[:cut])


def test_entries_have_imbalance_delta_and_the_node_behind_them() -> None:
    bars = walk(3, 3000)
    strategy = OrderFlow()
    p = validate(strategy, {"stack": 2, "window": 20, "row": 0.5, "ratio": 1.5, "direction": "long-short"})
    flow = Flow.of_bars(bars, 1.5)
    exposure = strategy.signals(bars, p).exposure
    delta = np.convolve(flow.buy - flow.sell, np.ones(20))[: len(bars)]
    starts = np.flatnonzero((exposure != 0) & (np.r_[0, exposure[:-1]] != exposure))
    assert len(starts) > 20
    for t in starts:
        side = exposure[t]
        assert side * delta[t] > 0
        assert (flow.stacked_buy if side > 0 else flow.stacked_sell)[t] >= 2
        rows = np.floor(np.log(flow.node[t - 19 : t + 1]) / np.log1p(0.005))
        heaviest = max(np.unique(rows), key=lambda row: bars.volume[t - 19 : t + 1][rows == row].sum())
        assert side * (bars.close[t] - np.exp((heaviest + 0.5) * np.log1p(0.005))) > 0
