"""One bar, no movement, ruin and nonsense: a number or the reason why there is none, never NaN."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.metrics.catalogue import CATALOGUE, METRICS
from strategies.metrics.errors import REASONS, InvalidRun
from strategies.metrics.measuring import measure
from strategies.metrics.result import NUMBERS, Metrics
from tests.strategies.metrics.runs import CASH, DAY, START, daily, random_returns, trade_list, values


def holds_together(m: Metrics) -> None:
    for key, value in m.numbers().items():
        assert (value is None) == (key in m.missing), key
        assert value is None or math.isfinite(value), key
    assert set(m.missing.values()) <= set(REASONS)
    assert set(m.intervals) <= {metric.key for metric in CATALOGUE if metric.interval} - set(m.missing)
    for low, high in m.intervals.values():
        assert math.isfinite(low)
        assert low <= high < math.inf
    assert Metrics.from_json(json.loads(json.dumps(m.to_json(), allow_nan=False))) == m


amounts = st.one_of(st.floats(-1e5, 1e5), st.floats(1, 1e6), st.sampled_from([0.0, CASH, 1e-300, 1e-9, 1e50, -1e50]))


@settings(deadline=None)
@given(
    equity=st.lists(amounts, min_size=1, max_size=60),
    pnl=st.lists(st.floats(-1e9, 1e9), max_size=25),
    seconds=st.sampled_from([60, 3600, DAY, 7 * DAY]),
    calendar=st.sampled_from(["crypto", "exchange"]),
    seed=st.integers(0, 9),
    compared=st.booleans(),
    riskless=st.sampled_from([0.0, 0.05, -0.01]),
)
def test_whatever_happened_no_number_is_nan(
    equity: list[float], pnl: list[float], seconds: int, calendar: Any, seed: int, compared: bool, riskless: float
) -> None:
    time = START + seconds * np.random.default_rng(seed).integers(1, 400, len(equity)).cumsum()
    trades = trade_list(pnl[: len(equity) // 2])
    m = measure(
        time,
        np.array(equity),
        trades,
        start_cash=CASH,
        bar_seconds=seconds,
        calendar=calendar,
        benchmark=np.abs(equity).clip(1, 1e20) if compared else None,
        regimes=(np.arange(len(equity)) % 3).astype(np.int8),
        risk_free=riskless,
        resamples=40,
    )
    holds_together(m)


def test_one_bar_has_a_return_and_little_else() -> None:
    m = values(10_500).measure()
    holds_together(m)
    assert (m.total_return, m.final_equity, m.best_day) == (pytest.approx(0.05), 10_500, pytest.approx(0.05))
    assert {m.missing[key] for key in ("sharpe", "volatility", "skew", "value_at_risk", "omega")} == {"too-short"}
    assert m.max_drawdown == 0
    assert [row.value for row in m.months] == pytest.approx([0.05])
    assert sum(m.distribution.counts) == 1


def test_a_win_too_small_to_divide_by_has_no_kelly_fraction() -> None:
    m = daily(np.zeros(9)).measure(trade_list([5e-324, -2.0]))
    holds_together(m)
    assert m.missing["kelly"] == "not-finite"


def test_a_flat_curve_has_no_ratios() -> None:
    m = daily(np.zeros(500)).measure()
    holds_together(m)
    assert (m.total_return, m.annual_return, m.daily_volatility, m.max_drawdown, m.ulcer_index) == (0, 0, 0, 0, 0)
    reasons = {key: m.missing[key] for key in ("sharpe", "sortino", "omega", "skew", "kurtosis", "calmar")}
    assert set(reasons.values()) == {"no-variation", "no-losing-day", "no-drawdown"}
    assert reasons["sharpe"] == "no-variation"


def test_the_same_rate_every_day_has_no_deviation() -> None:
    m = values(*(CASH * 1.001 ** np.arange(1, 501))).measure()
    holds_together(m)
    assert m.missing["sharpe"] == "no-variation"
    assert m.volatility == 0
    assert "sharpe" not in m.intervals


def test_ruin_is_the_last_day() -> None:
    returns = np.concatenate((random_returns(400, drift=0.001), np.zeros(30)))
    run = daily(returns)
    run.equity[400:] = np.linspace(-500, -900, 30)
    m = run.measure(trade_list([1.0, -2.0]))
    holds_together(m)
    assert m.sampling.ruined
    assert (m.sampling.days, m.worst_day) == (401, -1)
    assert m.total_return == pytest.approx(-1.09)
    assert {m.missing["annual_return"], m.missing["calmar"]} == {"ruined"}
    assert m.max_drawdown == pytest.approx(-900 / run.equity[:400].max() - 1)
    assert m.months[-1].value == m.years[-1].value == -1
    assert m.sharpe is not None
    assert m.max_drawdown_recovery is None


def test_ruin_within_a_day_ends_that_day() -> None:
    m = values(10_100, -5, 9_000, 9_500, seconds=DAY // 2).measure()
    holds_together(m)
    assert (m.sampling.ruined, m.sampling.days, m.worst_day) == (True, 1, -1)


def test_an_account_at_exactly_zero_is_ruined() -> None:
    m = daily([0.1, -1.0, 0.0]).measure()
    holds_together(m)
    assert (m.total_return, m.max_drawdown, m.sampling.ruined) == (-1, -1, True)


GOOD: dict[str, Any] = {
    "time": START + DAY * np.arange(5),
    "equity": np.linspace(1, 2, 5),
    "start_cash": 1.0,
    "bar_seconds": DAY,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": np.array([], np.int64), "equity": np.array([])}, "at least one bar"),
        ({"time": START + DAY * np.arange(4)}, "as long as time"),
        ({"equity": np.array([1.0, np.nan, 1, 1, 1])}, "nan at bar 1"),
        ({"equity": np.array([1.0, 1, 1, np.inf, 1])}, "inf at bar 3"),
        ({"equity": np.array([1.0, 1, 1, 1, -2e60])}, "has -2e\\+60 at bar 4"),
        ({"time": START - DAY * np.arange(5)}, "must ascend, bar 1"),
        ({"time": START + DAY * np.array([0, 1, 1, 2, 3])}, "must ascend, bar 2"),
        ({"time": 1000 * (START + DAY * np.arange(5))}, "epoch seconds"),
        ({"time": np.arange(5.0)}, "whole numbers"),
        ({"equity": np.array(["a"] * 5)}, "row of numbers"),
        ({"equity": np.array(1.0)}, "as long as time"),
        ({"start_cash": 0.0}, "start_cash"),
        ({"start_cash": float("nan")}, "start_cash"),
        ({"bar_seconds": 0}, "bar_seconds"),
        ({"calendar": "lunar"}, "crypto or exchange"),
        ({"benchmark": np.zeros(5)}, "benchmark must hold"),
        ({"benchmark": np.ones(4)}, "as long as time"),
        ({"benchmark": np.ones(5), "benchmark_start": -1.0}, "benchmark must hold"),
        ({"risk_free": -1.0}, "risk_free"),
        ({"regimes": np.zeros(5)}, "int8"),
        ({"regimes": np.zeros(4, np.int8)}, "int8"),
    ],
)
def test_what_is_no_run_is_refused_with_what_was_found(change: dict[str, Any], message: str) -> None:
    measure(**GOOD)
    with pytest.raises(InvalidRun, match=message):
        measure(**(GOOD | change))


def test_stored_bars_may_be_read_only_and_integers() -> None:
    equity = np.array([10_000, 11_000, 10_500])
    time = START + DAY * np.arange(3, dtype=np.int32)
    equity.flags.writeable = False
    assert measure(time, equity, start_cash=CASH, bar_seconds=DAY).total_return == pytest.approx(0.05)


def test_the_catalogue_describes_every_number_in_order() -> None:
    assert tuple(METRICS) == NUMBERS == tuple(metric.key for metric in CATALOGUE)


def test_metrics_of_an_unknown_version_are_refused() -> None:
    with pytest.raises(InvalidRun, match="version"):
        Metrics.from_json(values(CASH).measure().to_json() | {"version": 2})
