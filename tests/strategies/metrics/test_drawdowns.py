"""Drawdowns by hand and by an independent count, at bar closes from the start cash on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.metrics.curve import Drawdown, drawdowns
from tests.strategies.metrics.runs import CASH, DAY, START, values

HOUR = 3600


def test_two_falls_by_hand() -> None:
    # Closes of hours 1 to 9; the peak of 12,000 lasts until hour 3.
    run = values(11_000, 12_000, 12_000, 9_000, 10_800, 12_000, 11_400, 11_700, 11_500, seconds=HOUR)
    m = run.measure(resamples=0)
    deep = Drawdown(START + 3 * HOUR, START + 4 * HOUR, START + 6 * HOUR, -0.25, 3 * HOUR, 2 * HOUR)
    last = Drawdown(START + 6 * HOUR, START + 7 * HOUR, None, pytest.approx(-0.05), 3 * HOUR, None)  # type: ignore[arg-type]
    assert m.drawdowns == (deep, last)
    assert (m.max_drawdown, m.max_drawdown_length, m.max_drawdown_recovery) == (-0.25, 3 * HOUR, 2 * HOUR)


def test_the_start_cash_is_the_first_peak() -> None:
    m = values(9_000, 8_000).measure(resamples=0)
    assert m.drawdowns == (Drawdown(START, START + 2 * DAY, None, pytest.approx(-0.2), 2 * DAY, None),)  # type: ignore[arg-type]
    assert (m.max_drawdown_recovery, m.missing["max_drawdown_recovery"]) == (None, "not-recovered")
    assert m.ulcer_index == pytest.approx(np.sqrt((0.1**2 + 0.2**2) / 2))


def test_only_the_ten_deepest_are_kept_in_order() -> None:
    equity = np.ravel([[CASH, CASH * (1 - fall / 100)] for fall in (3, 7, 1, 9, 2, 12, 5, 11, 4, 8, 10, 6, 7)])
    found = values(*equity).measure(resamples=0).drawdowns
    assert [round(-100 * fall.depth) for fall in found] == [12, 11, 10, 9, 8, 7, 7, 6, 5, 4]
    first, second = (fall for fall in found if round(-100 * fall.depth) == 7)
    assert first.peak_time < second.peak_time


@settings(deadline=None)
@given(st.lists(st.integers(50, 150).map(float), min_size=1, max_size=50))
def test_an_independent_count_finds_the_same(equity: list[float]) -> None:
    found = drawdowns(
        START + DAY * np.arange(len(equity)), np.array(equity), start_cash=100.0, bar_seconds=DAY, most=len(equity) + 1
    )
    closes = [100.0, *equity]
    expected, peak = [], 0
    while peak < len(closes):
        following = next((i for i in range(peak + 1, len(closes)) if closes[i] >= closes[peak]), None)
        below = closes[peak + 1 : following]
        if below:
            trough = peak + 1 + int(np.argmin(below))
            end = len(closes) - 1 if following is None else following
            expected.append(
                Drawdown(
                    START + DAY * peak,
                    START + DAY * trough,
                    None if following is None else START + DAY * following,
                    closes[trough] / closes[peak] - 1,
                    DAY * (end - peak),
                    None if following is None else DAY * (following - trough),
                )
            )
        if following is None:
            break
        peak = following
    assert list(found) == sorted(expected, key=lambda fall: fall.depth)
