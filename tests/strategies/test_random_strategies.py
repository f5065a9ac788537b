"""Law: who has no merit loses the costs, is seldom called significant, and the best of a thousand is not called so at all."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.bars import Bars
from strategies.appraisal import daily_returns
from strategies.engine import Costs, simulate
from strategies.engine.sweep import Outcome, sweep
from strategies.robustness.evidence import evidence
from strategies.robustness.significance import mean_above_zero

STRATEGIES, BARS, HOUR, CASH = 1000, 24 * 365, 3600, 10_000.0


def fair_walk(seed: int) -> Bars:
    """A year of hourly bars whose price is as likely to gain as to lose: its expectation is the price now."""
    rng = np.random.default_rng(seed)
    deviation = 0.006
    close = 100 * np.exp(np.cumsum(rng.normal(-(deviation**2) / 2, deviation, BARS)))
    start = np.r_[100.0, close[:-1]]
    high, low = np.maximum(start, close) * 1.001, np.minimum(start, close) * 0.999
    return Bars(np.arange(BARS, dtype=np.int64) * HOUR + 1_704_067_200, start, high, low, close, np.full(BARS, 1e6))


def chosen_at_random(seed: int) -> np.ndarray:
    """Long, flat or short, for a day and a half on average."""
    rng = np.random.default_rng([seed, 1])
    change = rng.random(BARS) < 1 / 36
    change[0] = True
    return rng.integers(-1, 2, BARS)[np.maximum.accumulate(np.where(change, np.arange(BARS), 0))].astype(np.float64)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Each strategy on a walk of its own."""
    costs = Costs.of(0.001, 0.0005)
    return [next(iter(sweep(fair_walk(seed), [chosen_at_random(seed)], costs=costs, cash=CASH))) for seed in range(STRATEGIES)]


def paid(seed: int) -> float:
    """What a strategy paid in fees and slippage, by the whole simulation."""
    costs = simulate(fair_walk(seed), chosen_at_random(seed), costs=Costs.of(0.001, 0.0005), cash=CASH).costs
    return costs["fees"] + costs["slippage"]


def test_the_mean_result_is_minus_the_costs(outcomes: list[Outcome]) -> None:
    costs = np.array([paid(seed) for seed in range(STRATEGIES)])
    result = np.array([outcome.final_equity - CASH for outcome in outcomes])
    gross = result + costs
    assert abs(gross.mean()) < 3 * gross.std() / np.sqrt(STRATEGIES)
    assert costs.mean() > 10 * gross.std() / np.sqrt(STRATEGIES)  # else anything would pass
    assert result.mean() == pytest.approx(-costs.mean(), abs=3 * gross.std() / np.sqrt(STRATEGIES))


def test_at_most_one_in_twenty_carries_a_badge_and_the_best_of_them_none(outcomes: list[Outcome]) -> None:
    # Before costs even: with them nearly all lose.
    free = [next(iter(sweep(fair_walk(seed), [chosen_at_random(seed)], cash=CASH))) for seed in range(STRATEGIES)]
    returns = [np.diff(np.r_[CASH, outcome.daily]) / np.r_[CASH, outcome.daily[:-1]] for outcome in free]
    shown = [evidence(one) for one in returns]
    assert sum(one.badge == "significant" for one in shown) <= STRATEGIES * 0.05 + 2 * np.sqrt(STRATEGIES * 0.05 * 0.95)
    best = max(range(STRATEGIES), key=lambda place: shown[place].sharpe)
    assert shown[best].badge == "significant"
    after = evidence(returns[best], trials=STRATEGIES)
    assert after.badge == "explained-by-trials"
    assert after.deflated < 0.95
    costly = [np.diff(np.r_[CASH, outcome.daily]) / np.r_[CASH, outcome.daily[:-1]] for outcome in outcomes]
    assert sum(evidence(one).badge == "significant" for one in costly) <= STRATEGIES * 0.05


def test_daily_returns_are_those_of_the_curve() -> None:
    result = simulate(fair_walk(3), chosen_at_random(3), cash=CASH)
    days = daily_returns(result.time, result.equity, CASH)
    assert np.prod(1 + days) == pytest.approx(result.final_equity / CASH)
    assert mean_above_zero(days, runs=200).p > 0.01
