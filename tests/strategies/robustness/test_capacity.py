"""Capacity: the closed forms of the square-root law, and the share of volume."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.robustness.capacity import capacity, profit_at
from strategies.robustness.samples import InvalidSample


def test_capacity_worked_by_hand() -> None:
    # Two fills of 1,000 in bars of 1,000,000 at 2 %: each costs 1,000·0.02·√0.001.
    found = capacity([1000, 1000], [1e6, 1e6], [0.02, 0.02], profit=100.0, capital=10_000.0)
    cost = 2 * 1000 * 0.02 * math.sqrt(0.001)
    assert found.impact == pytest.approx(cost)
    assert found.by_share == pytest.approx(10_000 * 0.05 / 0.001)
    assert found.half_return == pytest.approx(10_000 * (100 / (2 * cost)) ** 2)
    assert found.break_even == pytest.approx(10_000 * (100 / cost) ** 2)
    assert found.estimate == min(found.by_share, found.half_return)


@given(st.floats(1, 1e6), st.floats(1e-4, 0.2), st.floats(1, 1e5))
def test_profit_is_half_highest_and_nothing_where_it_is_said_to_be(size: float, volatility: float, profit: float) -> None:
    found = capacity([size], [1e7], [volatility], profit=profit, capital=1000.0)

    def earned(capital: float) -> float:
        return profit_at(capital, of=found, profit=profit, backtest_capital=1000.0)

    assert earned(found.half_return) == pytest.approx(profit * found.half_return / 1000 / 2, rel=1e-6)
    assert earned(found.break_even) == pytest.approx(0, abs=1e-6 * profit * found.break_even / 1000)
    top = earned(found.highest_profit)
    assert top >= earned(found.highest_profit * 1.01)
    assert top >= earned(found.highest_profit * 0.99)


def test_one_quiet_bar_does_not_decide_and_many_do() -> None:
    traded = np.full(100, 1e6)
    traded[0] = 1.0
    usual = capacity(np.full(100, 1000.0), traded, np.full(100, 0.01), profit=1e9, capital=1.0)
    assert usual.share == 0.001
    traded[:10] = 1.0
    assert capacity(np.full(100, 1000.0), traded, np.full(100, 0.01), profit=1e9, capital=1.0).share == 1000.0


def test_fills_where_nothing_traded_leave_no_capacity() -> None:
    found = capacity([10.0, 10.0], [0.0, 1000.0], [0.01, 0.01], profit=5, capital=100)
    assert (found.estimate, found.by_share) == (0.0, 0.0)
    assert found.impact == pytest.approx(10 * 0.01 * 0.1)  # of the fill that had a market
    assert found.break_even > 0


def test_of_few_fills_the_largest_decides() -> None:
    assert capacity([10.0, 20.0], [1000.0, 1000.0], [0.01, 0.01], profit=5, capital=100).share == 0.02


def test_what_earns_nothing_carries_nothing_and_a_market_that_does_not_move_carries_all() -> None:
    assert capacity([10.0], [1e6], [0.01], profit=-5, capital=100).estimate == 0.0
    still = capacity([10.0], [1e6], [0.0], profit=5, capital=100)
    assert still.half_return == math.inf
    assert still.estimate == still.by_share
    assert still.to_json()["break_even"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"notional": [0.0]},
        {"traded": [-1.0]},
        {"volatility": [math.nan]},
        {"volatility": [0.1, 0.1]},
        {"capital": 0.0},
        {"profit": math.inf},
        {"most_share": 0.0},
        {"part_of_fills": 1.5},
    ],
)
def test_what_cannot_be_estimated_is_refused(change: dict[str, object]) -> None:
    given_ = {"notional": [10.0], "traded": [1e6], "volatility": [0.01], "profit": 5.0, "capital": 100.0} | change
    with pytest.raises(InvalidSample):
        capacity(**given_)  # type: ignore[arg-type]
