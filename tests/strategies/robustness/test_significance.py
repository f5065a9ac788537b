"""Tests against chance: no merit is significant one time in twenty, merit nearly always, and drift or habit is no merit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from strategies.robustness.samples import InvalidSample
from strategies.robustness.significance import best_of_many, mean_above_zero, random_entries, rule


def walk(seed: int, n: int = 1000, drift: float = 0.0) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(drift, 0.01, n)))


def some_trades(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    marks = np.sort(rng.choice(n, 2 * k, replace=False))
    return marks[::2], marks[1::2]


def rate(p_values: list[float]) -> tuple[float, float]:
    return float(np.mean(np.array(p_values) <= 0.05)), 4 * math.sqrt(0.05 * 0.95 / len(p_values))


def test_random_entries_in_a_rising_market_are_significant_one_time_in_twenty() -> None:
    values = []
    for seed in range(300):
        rng = np.random.default_rng(10_000 + seed)
        entry, exit_ = some_trades(rng, 500, 15)
        values.append(random_entries(walk(seed, 500, drift=0.003), entry, exit_, np.ones(15), runs=99, seed=seed).p)
    share, error = rate(values)
    assert share == pytest.approx(0.05, abs=error)


def test_knowing_the_future_is_significant() -> None:
    price = walk(1)
    ahead = np.flatnonzero(np.log(price[5:] / price[:-5]) > 0.03)
    entry = [int(ahead[0])]
    for bar in ahead.tolist():
        if bar >= entry[-1] + 5:
            entry.append(bar)
    found = random_entries(price, entry, np.array(entry) + 5, np.ones(len(entry)), runs=500)
    assert found.p == 1 / 501
    assert found.chance.max() < found.observed


def test_random_trades_keep_their_number_sides_and_holding_times() -> None:
    # Prices double at every bar: what a placement earns is side times bars held, wherever it lies.
    found = random_entries(2.0 ** np.arange(40), [2, 10, 20], [5, 11, 27], [1, -1, 1], runs=50)
    assert found.observed == pytest.approx((3 - 1 + 7) * math.log(2))
    assert found.chance == pytest.approx(np.full(50, found.observed))
    assert found.p == 1.0


def test_random_trades_do_not_overlap_where_the_true_ones_do_not() -> None:
    # Only one placement fits: four trades of five bars in twenty.
    price = walk(2, 21)
    found = random_entries(price, [0, 5, 10, 15], [5, 10, 15, 20], [1, 1, 1, 1], runs=20)
    assert found.chance == pytest.approx(np.full(20, math.log(price[-1] / price[0])))


def test_trades_that_overlap_are_placed_freely() -> None:
    found = random_entries(walk(2, 50), [0, 0], [49, 30], [1, 1], runs=200)
    assert len(set(found.chance.round(12))) > 10


@pytest.mark.parametrize(
    ("entry", "exit_", "side"),
    [([], [], []), ([5], [4], [1]), ([5], [99], [1]), ([-1], [4], [1]), ([1], [4], [0]), ([1], [4, 5], [1]), ([1.5], [4], [1])],
)
def test_trades_that_are_none_are_refused(entry: list[float], exit_: list[float], side: list[float]) -> None:
    with pytest.raises(InvalidSample):
        random_entries(walk(0, 50), entry, exit_, side)


def test_a_mean_of_nothing_is_significant_one_time_in_twenty_even_where_returns_hang_together() -> None:
    values = []
    for seed in range(300):
        noise = np.random.default_rng(seed).normal(0, 1, 403)
        together = noise[:-3] + noise[1:-2] + noise[2:-1]
        values.append(mean_above_zero(together, runs=99, seed=seed, block=15).p)
    share, error = rate(values)
    assert share == pytest.approx(0.06, abs=error)  # the bootstrap of a finite series is a little too sure of itself


def test_a_true_mean_is_significant_and_its_opposite_is_not() -> None:
    returns = np.random.default_rng(0).normal(0.002, 0.01, 1000)
    assert mean_above_zero(returns).p < 0.01
    assert mean_above_zero(-returns).p > 0.99


def test_the_best_of_many_worthless_rules_is_not_significant_though_alone_it_would_be() -> None:
    alone, together = [], []
    for seed in range(60):
        returns = np.random.default_rng(seed).normal(0, 0.01, (250, 40))
        alone.append(mean_above_zero(returns[:, returns.mean(axis=0).argmax()], runs=99, seed=seed, block=1).p)
        together.append(best_of_many(returns, runs=99, seed=seed, block=1).p)
    assert rate(alone)[0] > 0.6
    share, error = rate(together)
    assert share <= 0.05 + error


def test_a_true_rule_among_many_is_significant() -> None:
    returns = np.random.default_rng(0).normal(0, 0.01, (500, 40))
    returns[:, 3] += 0.003
    assert best_of_many(returns, runs=300).p < 0.01


def test_always_long_in_a_rising_market_is_no_merit() -> None:
    returns = np.random.default_rng(0).normal(0.01, 0.01, 500)
    assert rule(np.ones(500), returns, runs=200).p == 1.0
    mostly = np.ones(500)
    mostly[100:130] = 0
    assert rule(mostly, returns, runs=500).p > 0.05


def test_a_rule_without_merit_is_significant_one_time_in_twenty() -> None:
    values = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        exposure = np.repeat(rng.integers(-1, 2, 50), 10).astype(float)
        values.append(rule(exposure, rng.normal(0.001, 0.01, 500), runs=199, seed=seed).p)
    share, error = rate(values)
    assert share == pytest.approx(0.05, abs=error)


def test_a_rule_that_knows_the_sign_is_significant_and_rotations_are_what_they_say() -> None:
    returns = np.random.default_rng(0).normal(0, 0.01, 300)
    found = rule(np.sign(returns), returns, runs=400, seed=1)
    assert found.p == 1 / 401
    moves = returns - returns.mean()
    turned = {round(float(np.roll(np.sign(returns), shift) @ moves / 300), 12) for shift in range(1, 300)}
    assert {round(float(v), 12) for v in found.chance} <= turned


def test_one_seed_is_one_answer() -> None:
    returns = np.random.default_rng(0).normal(0, 0.01, 300)
    assert (
        mean_above_zero(returns, seed=4, runs=50).chance.tolist() == mean_above_zero(returns, seed=4, runs=50).chance.tolist()
    )
    assert (
        mean_above_zero(returns, seed=4, runs=50).chance.tolist() != mean_above_zero(returns, seed=5, runs=50).chance.tolist()
    )


def test_exposure_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidSample):
        rule([1, 0, 1], [0.1, 0.2, 0.3, 0.4])
