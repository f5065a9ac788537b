"""How often a run was sampled, in which money and where its days end changes nothing that is made from days."""

from __future__ import annotations

import os
import time as clock
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.metrics.catalogue import CATALOGUE
from strategies.metrics.curve import Calendar
from strategies.metrics.result import Metrics
from tests.strategies.metrics.runs import CASH, DAY, START, Run, daily, random_returns, split, trade_list, values

FROM_DAYS = [metric.key for metric in CATALOGUE if metric.sampling in ("run", "days")]
HOUR = 3600


def numbers(m: Metrics, keys: list[str]) -> dict[str, float | None]:
    return {key: value for key, value in m.numbers().items() if key in keys}


@settings(deadline=None)
@given(
    returns=st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=60).map(np.array),
    parts=st.sampled_from([2, 24, 288]),
    calendar=st.sampled_from(["crypto", "exchange"]),
)
def test_the_same_days_sampled_more_often_give_the_same_numbers(returns: np.ndarray, parts: int, calendar: Calendar) -> None:
    run = daily(returns)
    fine = split(run, parts)
    other = np.random.default_rng(5).uniform(50, 60, returns.size)
    by_day = run.measure(calendar=calendar, benchmark=other, resamples=50)
    in_parts = fine.measure(calendar=calendar, benchmark=np.repeat(other, parts), resamples=50)
    assert numbers(in_parts, FROM_DAYS) == numbers(by_day, FROM_DAYS)
    assert in_parts.months == by_day.months
    assert in_parts.distribution == by_day.distribution
    assert in_parts.sampling.days == by_day.sampling.days == returns.size
    assert in_parts.intervals == by_day.intervals
    assert in_parts.max_drawdown <= by_day.max_drawdown


def test_the_sharpe_ratio_of_one_day_in_two() -> None:
    m = daily([0.02, 0.0] * 200).measure()
    # Mean 0.01 and, with divisor m − 1, a deviation of 0.01 × √(400 / 399).
    assert m.sharpe == pytest.approx(np.sqrt(365 * 399 / 400))
    assert m.volatility == pytest.approx(0.01 * np.sqrt(365 * 400 / 399))
    assert daily([0.02, 0.0] * 200).measure(calendar="exchange").sharpe == pytest.approx(np.sqrt(252 * 399 / 400))


def test_the_sortino_and_omega_ratio_of_one_day_in_two() -> None:
    m = daily([0.03, -0.01] * 200).measure()
    assert m.sortino == pytest.approx(0.01 / np.sqrt(0.01**2 / 2) * np.sqrt(365))
    assert m.omega == pytest.approx(3)
    assert m.winning_days == 0.5


def test_a_curve_that_doubles_in_a_year_returns_a_hundred_percent() -> None:
    m = values(*np.linspace(10_100, 20_000, 1461)).measure()
    assert m.total_return == pytest.approx(1)
    assert m.annual_return == pytest.approx(2**0.25 - 1)  # four years of 365.25 days
    assert m.max_drawdown == 0
    assert (m.max_drawdown_recovery, m.max_drawdown_length, m.drawdowns) == (0, 0, ())
    assert m.missing["calmar"] == "no-drawdown"


def test_a_bar_belongs_to_the_day_of_its_last_second() -> None:
    run = values(10_100, 10_200, 10_300, 10_400, seconds=HOUR, start=START + 22 * HOUR)
    m = run.measure(resamples=0)
    assert m.sampling.days == 2
    assert m.best_day == pytest.approx(0.02)
    assert m.worst_day == pytest.approx(10_400 / 10_200 - 1)


def test_a_bar_over_midnight_belongs_to_the_day_in_which_it_closes() -> None:
    # Hours that open at half past: the second and the 26th close half an hour after midnight.
    equity = 10_000 + np.arange(1.0, 51.0)
    m = values(*equity, seconds=HOUR, start=START + 22 * HOUR + HOUR // 2).measure(resamples=0)
    ends = np.array([10_000, 10_001, 10_025, 10_049, 10_050])
    assert m.sampling.days == 4
    assert (m.best_day, m.worst_day) == (pytest.approx(24 / 10_001), pytest.approx(1 / 10_049))
    assert m.daily_volatility == pytest.approx(np.std(ends[1:] / ends[:-1] - 1, ddof=1))


def test_the_tail_of_twenty_one_days_is_two_of_them() -> None:
    m = daily([0.0] * 10 + [-0.03, -0.05] + [0.0] * 9).measure(resamples=0)
    assert m.value_at_risk == pytest.approx(-0.03)
    assert m.expected_shortfall == pytest.approx(-0.04)


def test_a_day_without_bars_counts_on_a_crypto_calendar_only() -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.01])
    run = daily(returns)
    holed = Run(run.time + DAY * np.array([0, 0, 3, 3]), run.equity, DAY)
    assert holed.measure(calendar="exchange").sharpe == run.measure(calendar="exchange").sharpe
    filled = daily([0.01, -0.02, 0.0, 0.0, 0.0, 0.03, 0.01])
    assert holed.measure().sharpe == filled.measure().sharpe
    assert holed.measure().sampling.days == 7


def test_bars_longer_than_a_day_are_samples_of_their_own() -> None:
    returns = random_returns(60)
    weekly = Run(START + 7 * DAY * np.arange(60, dtype=np.int64), daily(returns).equity, 7 * DAY)
    m = weekly.measure(resamples=0)
    assert (m.sampling.days, m.sampling.days_per_year) == (60, pytest.approx(365.25 / 7))
    assert m.volatility == pytest.approx(returns.std(ddof=1) * np.sqrt(365.25 / 7))


@settings(deadline=None)
@given(factor=st.sampled_from([1e-6, 1e-2, 0.5, 3.0, 1e6, 1e9]), seed=st.integers(0, 20))
def test_the_currency_scales_money_and_nothing_else(factor: float, seed: int) -> None:
    returns = random_returns(400, seed)
    pnl = np.random.default_rng(seed).normal(1, 20, 40)
    run = daily(returns)
    scaled = Run(run.time, run.equity * factor, DAY)
    one = run.measure(trade_list(pnl, fees=1.0), benchmark=run.equity[::-1].copy())
    other = scaled.measure(
        trade_list(pnl * factor, fees=factor, entry_price=100 * factor, exit_price=100 * factor),
        start_cash=CASH * factor,
        benchmark=run.equity[::-1].copy(),
    )
    for metric in CATALOGUE:
        mine, theirs = getattr(one, metric.key), getattr(other, metric.key)
        if mine is None:
            assert theirs is None
        else:
            assert theirs == pytest.approx(mine * (factor if metric.unit == "money" else 1), rel=1e-7, abs=1e-12), metric.key


def test_a_prefix_of_flat_days_lowers_the_sharpe_ratio_and_leaves_the_return() -> None:
    returns = random_returns(400)
    late = daily(np.concatenate((np.zeros(400), returns))).measure()
    early = daily(returns).measure()
    assert late.total_return == pytest.approx(early.total_return)
    assert late.sharpe is not None
    assert early.sharpe is not None
    assert 0 < late.sharpe < early.sharpe


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_the_time_zone_of_the_process_changes_nothing(zone: str) -> None:
    before, run = os.environ.get("TZ"), split(daily(random_returns(80)), 24)
    expected = run.measure()
    try:
        os.environ["TZ"] = zone
        clock.tzset()
        assert run.measure() == expected
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        clock.tzset()


def test_under_a_year_nothing_is_compounded_to_one() -> None:
    short = daily(random_returns(359)).measure(trade_list([1.0, 2.0]))
    compounded = [metric.key for metric in CATALOGUE if metric.compounded]
    assert short.sampling.under_a_year
    assert {short.missing.get(key) for key in compounded} == {"under-a-year"}
    assert not set(compounded) & set(short.intervals)
    enough = daily(random_returns(360)).measure(trade_list([1.0, 2.0]))
    assert not enough.sampling.under_a_year
    assert all(getattr(enough, key) is not None for key in compounded)


def test_the_catalogue_marks_exactly_what_days_a_year_scale() -> None:
    run = daily(random_returns(400))
    with_benchmark = {"benchmark": np.random.default_rng(1).uniform(50, 60, 400)}
    crypto, exchange = (run.measure(calendar=calendar, **with_benchmark) for calendar in ("crypto", "exchange"))
    scaled = {metric.key for metric in CATALOGUE if getattr(crypto, metric.key) != getattr(exchange, metric.key)}
    assert scaled == {metric.key for metric in CATALOGUE if metric.annualised}
    assert len(fields(Metrics)) == len(CATALOGUE) + 8
