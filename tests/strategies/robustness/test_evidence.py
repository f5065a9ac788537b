"""The badge: earned by merit, seldom by luck, and not by trying often."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from strategies.robustness.evidence import evidence, recounted
from strategies.robustness.samples import InvalidSample


def random_strategies(seed: int, periods: int, trials: int, cost: float = 0.0) -> np.ndarray:
    """Returns of strategies that are long, flat or short at random on one random walk, and pay for each change."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, periods)
    exposure = np.repeat(rng.integers(-1, 2, (periods // 5 + 1, trials)), 5, axis=0)[:periods].astype(float)
    turnover = np.abs(np.diff(exposure, axis=0, prepend=0))
    return exposure * market[:, None] - cost * turnover


def best(returns: np.ndarray) -> np.ndarray:
    return returns[:, (returns.mean(axis=0) / returns.std(axis=0)).argmax()]


def test_at_most_one_random_strategy_in_twenty_carries_a_badge() -> None:
    # On walks of their own: a thousand strategies on one walk would share its luck.
    badges = [evidence(random_strategies(seed, 500, 1)[:, 0]).badge for seed in range(1000)]
    assert badges.count("significant") / 1000 <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 1000)
    assert badges.count("significant") > 10, "a badge that nothing ever carries proves nothing"
    costly = [evidence(random_strategies(seed, 500, 1, cost=0.001)[:, 0]).badge for seed in range(300)]
    assert costly.count("significant") / 300 < 0.05


@pytest.mark.parametrize("cost", [0.0, 0.001])
def test_the_best_of_a_thousand_random_strategies_carries_none(cost: float) -> None:
    for seed in range(5):
        returns = random_strategies(seed, 750, 1000, cost)
        chosen = best(returns)
        found = evidence(chosen, trials=1000, kept=returns)
        assert found.badge != "significant"
        assert evidence(chosen, trials=1000).badge != "significant"
        if not cost:
            assert evidence(chosen).badge == "significant", "without counting the trials it would carry one"
            assert found.badge == "explained-by-trials"


def sweep_of_crosses(seed: int) -> np.ndarray:
    """Returns of 40 crosses of two moving averages, long or short, on one random walk."""
    moves = np.random.default_rng(seed).normal(0, 0.01, 900)
    total = np.concatenate([[0.0], np.cumsum(np.exp(np.cumsum(moves)))])
    averages = {window: ((total[window:] - total[:-window]) / window)[-800:] for window in range(5, 101)}
    lines = [
        np.sign(averages[fast] - averages[slow])[:-1] * moves[-799:]
        for fast in range(5, 51, 5)
        for slow in range(20, 101, 20)
        if fast < slow
    ]
    return np.array(lines).T


def test_the_winner_of_a_sweep_over_a_random_walk_carries_a_badge_at_most_one_time_in_twenty() -> None:
    uncounted = counted = 0
    for seed in range(200):
        returns = sweep_of_crosses(seed)
        chosen = best(returns)
        uncounted += evidence(chosen).badge == "significant"
        counted += evidence(chosen, trials=returns.shape[1], kept=returns).badge == "significant"
    assert uncounted > 30, "a sweep would find significance where there is none"
    assert counted <= 10


def narrow_sweep(seed: int, cost: float) -> np.ndarray:
    """Daily returns of 25 crosses that are one idea, long or flat, on one random walk of hours without a drift."""
    moves = np.random.default_rng(seed).normal(0, 0.006, 6000)
    price = 100 * np.exp(np.cumsum(moves - 0.006**2 / 2))
    total, growth = np.concatenate([[0.0], np.cumsum(price)]), np.diff(price) / price[:-1]

    def average(window: int) -> np.ndarray:
        return np.concatenate([np.full(window - 1, np.nan), (total[window:] - total[:-window]) / window])

    lines = []
    for fast in range(5, 26, 5):
        for slow in range(60, 141, 20):
            held = (average(fast) > average(slow)).astype(float)
            lines.append(held[:-1] * growth - cost * np.abs(np.diff(held)))
    return np.array(lines)[:, : 249 * 24].reshape(25, 249, 24).sum(axis=2).T


@pytest.mark.parametrize("cost", [0.0, 0.0015])
def test_nor_does_the_winner_of_variations_that_are_all_one_idea(cost: float) -> None:
    alone = counted = 0
    for seed in range(200):
        returns = narrow_sweep(seed, cost)
        chosen = best(returns)
        alone += evidence(chosen).badge == "significant"
        counted += evidence(chosen, trials=25, kept=returns).badge == "significant"
    assert alone > 10, "a sweep would find significance where there is none"
    assert counted <= 10


def test_merit_carries_a_badge_through_many_trials() -> None:
    returns = random_strategies(0, 750, 300)
    skilled = np.random.default_rng(1).normal(0.0025, 0.01, 750)
    assert evidence(skilled, trials=301, kept=np.column_stack([returns, skilled])).badge == "significant"


def test_variations_of_one_idea_are_not_counted_as_ideas_and_trials_that_were_not_kept_are_counted() -> None:
    idea = np.random.default_rng(2).normal(0.001, 0.01, (500, 1))
    kept = idea + np.random.default_rng(3).normal(0, 0.002, (500, 50))
    # One idea, but the best of fifty is not its mean: correlated at 0.96 they are worth two trials, and not fifty.
    assert 1.5 < evidence(kept[:, 0], trials=50, kept=kept).effective_trials < 2.5
    assert 10 < evidence(kept[:, 0], trials=500, kept=kept).effective_trials < 30
    assert evidence(kept[:, 0], trials=50, kept=np.repeat(kept[:, :1], 50, axis=1)).effective_trials == 1
    assert evidence(kept[:, 0], trials=500).effective_trials == 500


def test_kept_trials_that_happen_to_agree_do_not_wipe_the_deflation_out() -> None:
    rng = np.random.default_rng(4)
    kept = rng.normal(0, 0.01, (250, 2))
    kept -= kept.mean(axis=0)  # two ideas, both with a Sharpe ratio of exactly nothing: their variance is 0
    found = evidence(rng.normal(0.001, 0.01, 250), trials=100, kept=kept)
    assert found.by_luck == pytest.approx(2.5 / math.sqrt(249), rel=0.05)


def test_it_is_told_as_json() -> None:
    losing = evidence(np.random.default_rng(5).normal(-0.002, 0.01, 250))
    told = json.loads(json.dumps(losing.to_json()))
    assert told["badge"] == "not-shown"
    assert told["minimum_track_record"] is None
    assert evidence(np.random.default_rng(5).normal(0.002, 0.01, 250)).to_json()["minimum_track_record"] > 1


def test_more_kept_than_made_and_numbers_out_of_range_are_refused() -> None:
    returns = random_strategies(6, 100, 3)
    with pytest.raises(InvalidSample, match="3 trials were kept of 2"):
        evidence(returns[:, 0], trials=2, kept=returns)
    with pytest.raises(InvalidSample):
        evidence(returns[:, 0], trials=0)
    with pytest.raises(InvalidSample):
        evidence(returns[:, 0], confidence=1.0)


@pytest.mark.parametrize("before", [1, 3, 40])
@pytest.mark.parametrize("later", [40, 41, 4000])
@pytest.mark.parametrize("kept", [True, False])
def test_evidence_that_is_recounted_is_that_of_so_many_trials_from_the_start(before: int, later: int, kept: bool) -> None:
    returns = random_strategies(1, 500, min(before, 3)) + 0.0005
    matrix = returns if kept and before > 1 else None
    told = evidence(best(returns), trials=before, kept=matrix).to_json()
    expected = evidence(best(returns), trials=later, kept=matrix).to_json()
    for name, value in recounted(told, later).items():
        assert value == (pytest.approx(expected[name], rel=1e-9) if isinstance(value, float) else expected[name]), name


def test_what_has_no_badge_is_recounted_to_the_number_of_trials_alone() -> None:
    assert recounted({"badge": None, "trials": 2, "pbo": None}, 9) == {"badge": None, "trials": 9, "pbo": None}
