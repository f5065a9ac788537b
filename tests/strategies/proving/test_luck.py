"""A thousand strategies without merit, through engine, metrics and evidence: they lose their costs, and carry no badge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from marketdata.bars import Bars
from strategies.engine import Costs, simulate
from strategies.metrics.curve import days
from strategies.metrics.measuring import measure
from strategies.robustness.evidence import evidence

DAY = 86_400
STRATEGIES, LENGTH, CASH = 1000, 500, 10_000.0
FEES = Costs.of(fee=0.001, slippage=0.0005)


def random_walk(random: np.random.Generator) -> Bars:
    """Daily bars whose prices are a martingale, gaps between close and open included."""
    steps = random.normal(0, 1, (LENGTH, 2)) * (0.002, 0.01) - (0.002**2 / 2, 0.01**2 / 2)
    path = 100 * np.exp(np.cumsum(steps.ravel())).reshape(LENGTH, 2)
    opened, close = np.ascontiguousarray(path[:, 0]), np.ascontiguousarray(path[:, 1])
    reach = 1 + np.abs(random.normal(0, 0.003, (2, LENGTH)))
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    time = 1_600_000_000 // DAY * DAY + np.arange(LENGTH, dtype=np.int64) * DAY
    return Bars(time, opened, high, low, close, np.full(LENGTH, 1e6))


def random_strategy(random: np.random.Generator) -> np.ndarray:
    """Long, flat or short for five days at a time, at random; half of the account, so that none is liquidated."""
    return np.repeat(random.integers(-1, 2, LENGTH // 5), 5) / 2


@dataclass(frozen=True)
class Outcomes:
    """``profit`` and ``costs`` (s,) of each strategy; ``returns`` (days, s) of each day."""

    profit: np.ndarray
    costs: np.ndarray
    returns: np.ndarray


@cache
def outcomes(seed: int, costly: bool, one_market: bool) -> Outcomes:
    random = np.random.default_rng([seed, costly, one_market])
    costs = FEES if costly else Costs()
    profit, paid, returns = np.empty(STRATEGIES), np.empty(STRATEGIES), np.empty((LENGTH, STRATEGIES))
    bars = random_walk(random)
    for s in range(STRATEGIES):
        bars = bars if one_market else random_walk(random)
        result = simulate(bars, random_strategy(random), costs=costs, cash=CASH)
        profit[s], paid[s] = result.final_equity - CASH, result.costs["fees"] + result.costs["slippage"]
        returns[:, s] = days(result.time, result.equity, start_cash=CASH, bar_seconds=DAY, calendar="crypto").returns
    return Outcomes(profit, paid, returns)


def test_on_random_walks_a_thousand_random_strategies_lose_their_costs_and_nothing_else() -> None:
    found = outcomes(1, costly=True, one_market=False)
    gross = found.profit + found.costs
    error = gross.std(ddof=1) / math.sqrt(STRATEGIES)
    assert abs(gross.mean()) < 4 * error
    # That would not be seen if costs were lost in the noise: they are many errors large, and so is the loss.
    assert found.costs.mean() > 10 * error
    assert found.profit.mean() < -8 * error
    assert found.profit.mean() == pytest.approx(-found.costs.mean(), abs=4 * error)


def test_without_costs_they_end_where_they_began() -> None:
    found = outcomes(2, costly=False, one_market=False)
    assert not found.costs.any()
    assert abs(found.profit.mean()) < 4 * found.profit.std(ddof=1) / math.sqrt(STRATEGIES)


@pytest.mark.parametrize("costly", [True, False])
def test_at_most_one_in_twenty_carries_a_badge(costly: bool) -> None:
    returns = outcomes(1 if costly else 2, costly=costly, one_market=False).returns
    share = sum(evidence(returns[:, s]).badge == "significant" for s in range(STRATEGIES)) / STRATEGIES
    if costly:
        assert share <= 0.05
    else:
        # Without costs one in twenty is what a test at 95 % is to let through, give or take the error of a thousand.
        assert 0.01 < share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / STRATEGIES)


@pytest.mark.parametrize("costly", [True, False])
def test_the_best_of_a_thousand_on_one_market_fails_the_deflated_sharpe(costly: bool) -> None:
    returns = outcomes(3, costly=costly, one_market=True).returns
    best = returns[:, np.argmax(returns.mean(axis=0) / returns.std(axis=0))]
    found = evidence(best, trials=STRATEGIES)
    assert found.deflated < 0.95
    assert found.badge != "significant"
    if not costly:
        assert evidence(best).badge == "significant", "without counting its thousand trials it would carry one"
        assert found.badge == "explained-by-trials"


def test_the_trials_that_were_kept_do_not_let_it_through_either() -> None:
    returns = outcomes(3, costly=False, one_market=True).returns
    kept = returns[:, :250]
    best = kept[:, np.argmax(kept.mean(axis=0) / kept.std(axis=0))]
    assert evidence(best, trials=STRATEGIES, kept=kept).badge != "significant"


def test_what_metrics_report_is_what_the_evidence_is_made_of() -> None:
    random = np.random.default_rng(4)
    bars, strategy = random_walk(random), random_strategy(random)
    result = simulate(bars, strategy, costs=FEES, cash=CASH)
    report = measure(result.time, result.equity, result.trades, start_cash=CASH, bar_seconds=DAY, resamples=0)
    daily = days(result.time, result.equity, start_cash=CASH, bar_seconds=DAY, calendar="crypto").returns
    found = evidence(daily)
    assert report.sharpe == pytest.approx(found.sharpe * math.sqrt(365), rel=1e-9)
    assert report.total_return == pytest.approx(np.prod(1 + daily) - 1, rel=1e-9)
