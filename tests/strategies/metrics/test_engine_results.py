"""What the engine gives back is what metrics take."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.bars import Bars
from strategies.engine import Costs, Result, simulate
from strategies.metrics.measuring import measure
from strategies.metrics.trades import Paid
from tests.strategies.metrics.runs import START

HOUR = 3600


@pytest.fixture(scope="module")
def bars() -> Bars:
    rng = np.random.default_rng(12)
    close = 100 * np.exp(rng.normal(0, 0.004, 24 * 400).cumsum())
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.002, np.minimum(opened, close) * 0.998
    time = START + HOUR * np.arange(close.size, dtype=np.int64)
    return Bars(time, opened, high, low, close, np.full(close.size, 1e6))


@pytest.fixture(scope="module")
def result(bars: Bars) -> Result:
    targets = np.repeat(np.random.default_rng(1).choice((-1.0, 0.0, 0.5, 1.0), len(bars.time) // 40), 40)
    return simulate(bars, targets, costs=Costs(taker=0.001), cash=10_000.0)


def test_a_simulated_run_is_measured(bars: Bars, result: Result) -> None:
    paid = Paid(**{name: amount for name, amount in result.costs.items() if name != "dividends"})
    more = {"start_cash": 10_000.0, "bar_seconds": HOUR, "benchmark": bars.close, "benchmark_start": float(bars.open[0])}
    m = measure(result.time, result.equity, result.trades, result.position, paid=paid, **more)
    assert m.final_equity == result.final_equity
    assert m.trades + m.open_trades == len(result.trades) > 100
    assert m.fees == pytest.approx(result.trades["fees"].sum())
    assert m.benchmark_return == pytest.approx(bars.close[-1] / bars.open[0] - 1)
    assert (m.long_exposure > m.short_exposure > 0, m.sampling.days) == (True, 400)
    assert {"sharpe", "beta", "profit_factor"} <= set(m.intervals)


def test_time_in_the_market_is_the_same_from_trades_and_from_positions(result: Result) -> None:
    more = {"start_cash": 10_000.0, "bar_seconds": HOUR, "resamples": 0}
    from_trades = measure(result.time, result.equity, result.trades, **more)
    from_position = measure(result.time, result.equity, result.trades, result.position, **more)
    assert from_trades == from_position
    assert 0.5 < from_trades.exposure < 0.9


def test_buying_and_holding_is_its_own_benchmark(bars: Bars) -> None:
    result = simulate(bars, np.ones(len(bars.time)), costs=Costs(), cash=10_000.0)
    m = measure(result.time, result.equity, result.trades, start_cash=10_000.0, bar_seconds=HOUR, benchmark=bars.close)
    assert m.beta == pytest.approx(1, abs=0.01)
    assert m.alpha == pytest.approx(0, abs=0.01)
    assert m.correlation == pytest.approx(1, abs=1e-3)
