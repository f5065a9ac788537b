"""Sharpe ratios: the papers' own examples, closed forms, and the law that a thousand worthless strategies obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.robustness.samples import InvalidSample
from strategies.robustness.sharpe import (
    Moments,
    clusters,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
    trials_by_mean_correlation,
)

# The Deflated Sharpe Ratio (2014), "A numerical example": 2.5 a year over five years of days, skew -3, kurtosis 10,
# the best of N trials whose annual Sharpe ratios vary by 1/2.
PAPER = Moments(1250, 2.5 / math.sqrt(250), skew=-3, kurtosis=10)
PAPER_VARIANCE = 0.5 / 250


def test_the_deflated_sharpe_of_the_paper() -> None:
    assert expected_maximum_sharpe(100, PAPER_VARIANCE) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(PAPER, 100, PAPER_VARIANCE) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(PAPER, 46, PAPER_VARIANCE) == pytest.approx(0.9505, abs=5e-5)
    normal = Moments(1250, PAPER.sharpe)
    assert deflated_sharpe(normal, 88, PAPER_VARIANCE) == pytest.approx(0.9505, abs=5e-5)


def test_the_probabilistic_sharpe_of_the_paper() -> None:
    # The Sharpe Ratio Efficient Frontier (2012): two years of months at 1.59 a year; normal, then as they were.
    sharpe = 1.59 / math.sqrt(12)
    assert probabilistic_sharpe(Moments(24, sharpe)) == pytest.approx(0.982, abs=1e-3)
    assert probabilistic_sharpe(Moments(24, sharpe, skew=-2.448, kurtosis=10.164)) == pytest.approx(0.913, abs=1e-3)


@pytest.mark.parametrize(("periods", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_the_minimum_track_record_of_the_paper(periods: int, years: float) -> None:
    # Normal returns, a Sharpe ratio of 2 a year to be told from 1 with 95 %: days, weeks, months.
    needed = minimum_track_record(Moments(100, 2 / math.sqrt(periods)), 1 / math.sqrt(periods))
    assert needed / periods == pytest.approx(years, abs=5e-3)


@given(st.floats(0.01, 0.5), st.floats(-2, 1), st.floats(4, 20), st.floats(0.6, 0.999))
def test_at_the_minimum_track_record_the_probability_is_the_confidence(
    sharpe: float, skew: float, kurtosis: float, confidence: float
) -> None:
    of = Moments(100, sharpe, skew, kurtosis + skew**2)
    needed = minimum_track_record(of, 0.0, confidence)
    root = math.sqrt((needed - 1) / (of.observations - 1))
    z = math.sqrt(of.observations - 1) * sharpe / math.sqrt(of.variance) * root
    assert 0.5 * (1 + math.erf(z / math.sqrt(2))) == pytest.approx(confidence, abs=1e-9)


def test_no_track_record_is_long_enough_for_a_sharpe_that_is_not_above_the_benchmark() -> None:
    assert minimum_track_record(Moments(100, 0.1), 0.1) == math.inf


def test_a_single_trial_is_not_deflated() -> None:
    assert expected_maximum_sharpe(1, 0.3) == 0
    assert deflated_sharpe(PAPER, 1, PAPER_VARIANCE) == probabilistic_sharpe(PAPER)


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_more_trials_never_raise_the_deflated_sharpe(a: float, b: float) -> None:
    few, many = sorted((a, b))
    assert deflated_sharpe(PAPER, many, PAPER_VARIANCE) <= deflated_sharpe(PAPER, few, PAPER_VARIANCE)


@pytest.mark.parametrize("trials", [10, 100, 1000])
def test_the_expected_maximum_is_that_of_normal_draws(trials: int) -> None:
    drawn = np.random.default_rng(trials).normal(0, 0.3, (4000, trials)).max(axis=1)
    assert expected_maximum_sharpe(trials, 0.09) == pytest.approx(drawn.mean(), rel=0.03)


def test_moments_of_a_series_worked_by_hand() -> None:
    of = moments([0.01, -0.01, 0.03, 0.01], risk_free=0.0)
    assert of.sharpe == pytest.approx(0.01 / math.sqrt(0.0008 / 3))
    assert of.skew == pytest.approx(0.0, abs=1e-12)
    assert of.kurtosis == pytest.approx(2.0)  # (0 + 0.02^4 + 0.02^4 + 0)/4 over (0.0002)^2
    assert moments([0.02, 0.0, 0.04, 0.02], risk_free=0.01).sharpe == pytest.approx(of.sharpe)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.1, 0.1], [0.1, math.nan], [[0.1], [0.2]], ["a", "b"]])
def test_returns_without_a_sharpe_are_refused(returns: list[object]) -> None:
    with pytest.raises(InvalidSample):
        moments(returns)  # type: ignore[arg-type]


def test_moments_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InvalidSample, match="no series"):
        probabilistic_sharpe(Moments(100, 2.0, skew=5, kurtosis=1))


def test_the_best_of_a_thousand_worthless_strategies_fails_and_a_true_one_passes() -> None:
    passed = 0
    for world in range(10):
        returns = np.random.default_rng(world).normal(0, 0.01, (750, 1000))
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = moments(returns[:, sharpes.argmax()])
        assert probabilistic_sharpe(best) > 0.99, "undeflated, luck looks like skill"
        passed += deflated_sharpe(best, 1000, float(sharpes.var(ddof=1))) > 0.95
        skilled = moments(returns[:, 0] + 0.01 * 0.25)
        assert deflated_sharpe(skilled, 1000, float(sharpes.var(ddof=1))) > 0.95
    assert passed == 0


def test_about_one_worthless_strategy_in_twenty_has_a_probability_above_95_percent() -> None:
    returns = np.random.default_rng(3).standard_t(5, (500, 2000)) * 0.01
    share = np.mean([probabilistic_sharpe(moments(column)) > 0.95 for column in returns.T])
    assert share == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 2000))


def families(ideas: int, each: int, likeness: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = np.repeat(rng.normal(0, 1, (800, ideas)), each, axis=1)
    own = rng.normal(0, 1, (800, ideas * each))
    mixed = math.sqrt(likeness) * common + math.sqrt(1 - likeness) * own
    return 0.01 * mixed[:, rng.permutation(ideas * each)]


def test_variations_of_five_ideas_count_as_five_trials() -> None:
    found = clusters(families(5, 20, 0.9))
    assert found.count == 5
    assert sorted(np.bincount(found.labels).tolist()) == [20] * 5


def test_independent_trials_stay_apart_and_copies_fall_together() -> None:
    independent = families(60, 1, 0.0)
    found = clusters(independent)
    assert found.count == 60
    assert found.labels.tolist() == list(range(60))
    sharpes = independent.mean(axis=0) / independent.std(axis=0, ddof=1)
    assert found.variance == pytest.approx(float(sharpes.var(ddof=1)))
    copies = clusters(np.repeat(independent[:, :1], 7, axis=1))
    assert (copies.count, copies.variance) == (1, 0.0)


def joined_plainly(returns: np.ndarray, alike: float) -> set[frozenset[int]]:
    """Average linkage by its definition: the pair of groups with the highest mean correlation, again and again."""
    correlation = np.corrcoef(returns.T)
    groups = [[i] for i in range(len(correlation))]
    while len(groups) > 1:
        means = {
            (i, j): correlation[np.ix_(groups[i], groups[j])].mean()
            for i in range(len(groups))
            for j in range(i + 1, len(groups))
        }
        (i, j), highest = max(means.items(), key=lambda item: item[1])
        if highest < alike:
            break
        groups[i] += groups.pop(j)
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("seed", range(12))
def test_trials_are_joined_as_the_definition_of_average_linkage_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.normal(size=(30, 6)) @ rng.normal(size=(6, 25)) + 0.5 * rng.normal(size=(30, 25))
    returns = np.column_stack([returns, returns[:, :4]])  # copies, so that there are ties
    labels = clusters(returns, alike=0.3).labels
    assert {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())} == joined_plainly(
        returns, 0.3
    )


def test_labels_do_not_depend_on_the_order_of_the_trials() -> None:
    returns = families(4, 6, 0.8, seed=2)
    order = np.random.default_rng(1).permutation(24)
    one, two = clusters(returns).labels[order], clusters(returns[:, order]).labels
    assert len(set(zip(one.tolist(), two.tolist(), strict=True))) == 4


def test_trials_that_never_trade_are_one_idea() -> None:
    returns = np.column_stack([families(3, 1, 0.0), np.zeros((800, 4))])
    assert clusters(returns).count == 4


def test_the_mean_correlation_gives_the_paper_s_number_of_trials() -> None:
    copies = np.repeat(families(1, 1, 0.0), 9, axis=1)
    assert trials_by_mean_correlation(copies) == pytest.approx(1)
    assert trials_by_mean_correlation(families(40, 1, 0.0)) == pytest.approx(40, rel=0.02)
    assert trials_by_mean_correlation(families(1, 50, 0.6)) == pytest.approx(0.6 + 0.4 * 50, rel=0.1)
    assert trials_by_mean_correlation(copies[:, :1]) == 1
