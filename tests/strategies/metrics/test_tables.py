"""Months, years, the spread of days, and results by regime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.metrics.by_regime import RegimeResult
from tests.strategies.metrics.runs import DAY, START, daily, random_returns, split, trade_list, values

HOUR = 3600
returns_lists = st.lists(st.floats(-0.2, 0.25), min_size=1, max_size=120).map(np.array)


@settings(deadline=None)
@given(returns_lists)
def test_months_and_years_compound_to_the_total_return(returns: np.ndarray) -> None:
    m = daily(np.repeat(returns, 5)).measure(resamples=0)
    for rows in (m.months, m.years):
        assert np.prod([1 + row.value for row in rows]) == pytest.approx(1 + m.total_return)
    assert [row.year for row in m.years] == sorted({row.year for row in m.months})


def test_a_month_ends_with_the_bar_that_closes_at_its_last_midnight() -> None:
    # The hours around the end of January 2020, in UTC.
    run = values(11_000, 12_000, 15_000, seconds=HOUR, start=START + 31 * DAY - 2 * HOUR)
    assert run.measure().months == ((2020, 1, pytest.approx(0.2)), (2020, 2, pytest.approx(0.25)))


@settings(deadline=None)
@given(returns_lists)
def test_every_day_falls_in_one_bin_and_zero_parts_them(returns: np.ndarray) -> None:
    table = daily(returns).measure(resamples=0).distribution
    sampled = np.diff(daily(returns).equity, prepend=10_000) / np.concatenate(([10_000], daily(returns).equity[:-1]))
    assert sum(table.counts) == returns.size
    assert 0.0 in table.edges
    assert len(table.edges) == len(table.counts) + 1 <= 64
    assert np.diff(table.edges) == pytest.approx(np.full(len(table.counts), table.edges[1] - table.edges[0]))
    clear = np.abs(sampled) > 1e-9
    below = sum(count for count, edge in zip(table.counts, table.edges, strict=False) if edge < 0)
    assert abs(below - int((sampled[clear] < 0).sum())) <= int((~clear).sum())


def test_regimes_by_hand() -> None:
    # Of the label at the close before: two bars of 1, two of 2, one of 1 again.
    run = values(11_000, 12_100, 6_050, 12_100, 13_310)
    labels = np.array([1, 2, 2, 1, 3], np.int8)
    trades = trade_list([5.0, -2.0, 4.0], entry_bar=[0, 2, 3], exit_bar=[1, 3, 4])
    first, second = run.measure(trades, regimes=labels, resamples=0).regimes
    assert (first.label, first.bars, first.share, first.days) == (1, 3, 0.6, 3)
    assert first.total_return == pytest.approx(1.1**3 - 1)
    assert first.max_drawdown == 0
    assert (first.trades, first.win_rate, first.pnl) == (1, 1, 5)
    assert second.total_return == pytest.approx(0)
    assert second.max_drawdown == pytest.approx(-0.5)
    assert (second.trades, second.win_rate, second.pnl) == (2, 0.5, 2)
    assert isinstance(second, RegimeResult)


@settings(deadline=None)
@given(returns=returns_lists, seed=st.integers(0, 50))
def test_regimes_share_out_the_whole_run(returns: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run = split(daily(returns), 4)
    labels = rng.integers(-128, 128, run.time.size).astype(np.int8)
    trades = trade_list(rng.normal(0, 9, run.time.size // 2))
    m = run.measure(trades, regimes=labels, resamples=0)
    assert np.prod([1 + row.total_return for row in m.regimes]) == pytest.approx(1 + m.total_return)
    assert sum(row.bars for row in m.regimes) == run.time.size
    assert sum(row.share for row in m.regimes) == pytest.approx(1)
    assert sum(row.trades for row in m.regimes) == m.trades
    assert sum(row.pnl for row in m.regimes) == pytest.approx(trades["pnl"].sum())
    assert [row.label for row in m.regimes] == sorted(row.label for row in m.regimes)


def test_one_regime_throughout_is_the_run() -> None:
    run = split(daily(random_returns(200)), 24)
    m = run.measure(regimes=np.full(run.time.size, -7, np.int8), resamples=0)
    (only,) = m.regimes
    assert (only.label, only.share, only.days) == (-7, 1, 200)
    assert only.total_return == pytest.approx(m.total_return)
    assert only.max_drawdown == pytest.approx(m.max_drawdown)
    assert (only.sharpe, only.volatility) == (m.sharpe, m.volatility)


def test_a_regime_seen_only_at_the_close_does_not_count_for_its_own_bar() -> None:
    run = values(10_000, 20_000, 20_000, 20_000)
    labels = np.array([0, 9, 0, 0], np.int8)  # the bar of the jump ends as 9, the bar after it is traded as 9
    calm, wild = run.measure(regimes=labels, resamples=0).regimes
    assert (calm.total_return, wild.total_return) == (1, 0)
    assert wild.bars == 1


def test_a_day_counts_for_the_label_most_of_its_bars_have() -> None:
    run = split(daily([0.01, 0.02, -0.01]), 4)
    labels = np.array([5, 5, 5, 6, 6, 6, 6, 5, 5, 6, 6, 6], np.int8)
    five, six = run.measure(regimes=labels, resamples=0).regimes
    # Known one bar later, days of 4, 0 and 2 bars of five; of two alike the lower counts.
    assert (five.days, six.days) == (2, 1)
