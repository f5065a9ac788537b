"""Confidence intervals: repeatable, around the number, as wide as theory has it, and honest about dependence."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.metrics import intervals
from strategies.metrics.catalogue import CATALOGUE
from tests.strategies.metrics.runs import daily, random_returns, trade_list

RETURNS = random_returns(800)
OTHER = 50 * np.cumprod(1 + random_returns(800, 2))
PNL = np.random.default_rng(4).normal(2, 20, 200)


def test_the_same_seed_gives_the_same_intervals_and_another_does_not() -> None:
    def found(seed: int) -> dict[str, intervals.Interval]:
        return dict(daily(RETURNS).measure(trade_list(PNL), benchmark=OTHER, seed=seed).intervals)

    assert found(1) == found(1)
    different = {key for key in found(1) if found(1)[key] != found(2)[key]}
    assert different == set(found(1))


def test_the_draws_stay_what_they_are() -> None:
    # A golden value: a stored result must come out the same after an upgrade of NumPy or Numba.
    low, high = daily(np.tile([0.01, -0.005, 0.002, 0.0], 100)).measure(seed=7).intervals["sharpe"]
    assert (low, high) == (pytest.approx(5.621308393560383, rel=1e-12), pytest.approx(6.72981919050539, rel=1e-12))


def test_every_number_that_the_catalogue_marks_lies_in_its_interval() -> None:
    m = daily(RETURNS).measure(trade_list(PNL), benchmark=OTHER)
    assert set(m.intervals) == {metric.key for metric in CATALOGUE if metric.interval}
    for key, (low, high) in m.intervals.items():
        assert low < getattr(m, key) < high, key


def test_the_interval_of_a_sharpe_ratio_is_as_wide_as_theory_has_it() -> None:
    # Lo (2002): for independent normal returns the deviation of a day's Sharpe ratio is √((1 + SR² / 2) / m).
    returns = np.random.default_rng(3).normal(0.001, 0.01, 2000)
    low, high = daily(returns).measure().intervals["sharpe"]
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(365 / 2000), rel=0.1)


def test_the_interval_of_an_expectancy_is_as_wide_as_theory_has_it() -> None:
    for count in (200, 5000):
        pnl = np.random.default_rng(6).normal(1, 10, count)
        low, high = intervals.of_trades(pnl, seed=1)["expectancy"]
        assert high - low == pytest.approx(2 * 1.96 * pnl.std() / np.sqrt(count), rel=0.1)


def test_days_that_follow_one_another_widen_the_interval() -> None:
    rng, drift = np.random.default_rng(8), np.zeros(1500)
    for i in range(1, 1500):
        drift[i] = 0.9 * drift[i - 1] + rng.normal(0, 0.004)
    together, apart = daily(drift), daily(rng.permutation(drift))
    widths = [np.ptp(run.measure().intervals["sharpe"]) for run in (together, apart)]
    assert widths[0] > 2 * widths[1]


def test_about_nineteen_intervals_in_twenty_hold_the_truth() -> None:
    held = 0
    for seed in range(300):
        returns = np.random.default_rng(seed).normal(0.0005, 0.01, 300)
        spans = intervals.of_days(returns, 365.0, 1.0, risk_free=0.0, benchmark=None, seed=seed, resamples=300)
        held += spans["sharpe"].low <= 0.05 * np.sqrt(365) <= spans["sharpe"].high
    assert 0.90 <= held / 300 <= 0.98


def test_a_riskless_return_counts_as_if_it_were_taken_off_every_day() -> None:
    other, more = random_returns(800, 2), {"per_year": 365.0, "years": 2.0, "seed": 3}
    kept = intervals.of_days(RETURNS, risk_free=0.0005, benchmark=other, **more)
    taken = intervals.of_days(RETURNS - 0.0005, risk_free=0.0, benchmark=other - 0.0005, **more)
    for key in ("sharpe", "sortino", "alpha", "beta", "information_ratio"):
        assert kept[key] == pytest.approx(taken[key], rel=1e-6), key


def test_too_few_days_or_trades_have_no_interval() -> None:
    assert not daily(RETURNS[:19]).measure(trade_list(PNL[:9])).intervals
    some = daily(RETURNS[:20]).measure(trade_list(PNL[:10])).intervals
    assert {"sharpe", "win_rate"} <= set(some)
    assert not daily(RETURNS).measure(trade_list(PNL), resamples=0).intervals


def test_a_resample_draws_every_day_equally_often() -> None:
    sums = np.zeros((13, 12))
    sums[1:] = np.eye(12).cumsum(axis=0)
    out = np.empty((12, 20_000))
    intervals._draw_days(sums, np.empty(0), 1 / 3, np.uint64(5), out)
    assert (out.sum(axis=0) == 12).all()
    assert out.mean(axis=1) == pytest.approx(np.ones(12), abs=0.05)
