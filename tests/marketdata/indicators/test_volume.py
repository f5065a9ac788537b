"""What starts anew each session, against plain sums; and the volume profile, row by row."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.indicators.arrays import IndicatorError
from marketdata.indicators.volume import anchored_obv, period, profile, volume_profile, vwap
from tests.marketdata.indicators.series import START, Bars, closes, walk

DAY = 86_400


def keys(bars: Bars, anchor: str, start: int = 0) -> list[object]:
    moments = [datetime.fromtimestamp(int(t) - 60 * start, UTC) for t in bars.time]
    if anchor == "month":
        return [(m.year, m.month) for m in moments]
    return [m.isocalendar()[:2] if anchor == "week" else m.date() for m in moments]


@given(st.integers(-200_000, 200_000), st.integers(-200_000, 200_000))
def test_days_share_a_period_exactly_when_the_calendar_says_so(a: int, b: int) -> None:
    first, second = (np.datetime64(day, "D") for day in (a, b))
    assert (period(a, 0) == period(b, 0)) == (a == b)
    assert (period(a, 2) == period(b, 2)) == (first.astype("M8[M]") == second.astype("M8[M]"))
    monday = np.datetime64("1969-12-29")
    assert (period(a, 1) == period(b, 1)) == ((first - monday).astype(int) // 7 == (second - monday).astype(int) // 7)


@pytest.mark.parametrize(("anchor", "start"), [("day", 0), ("day", 810), ("week", 0), ("month", 0)])
def test_vwap_and_its_bands_are_the_weighted_mean_and_deviation_of_the_session(anchor: str, start: int) -> None:
    bars = walk(length=1500)
    middle, upper, lower = vwap(bars.time, bars.high, bars.low, bars.close, bars.volume, anchor, start, 2.0)
    typical, session = (bars.high + bars.low + bars.close) / 3, keys(bars, anchor, start)
    for at in (0, 23, 24, 700, 743, 744, 745, 1499):
        since = next(i for i in range(at + 1) if session[i] == session[at])
        prices, weights = typical[since : at + 1], bars.volume[since : at + 1]
        mean = np.average(prices, weights=weights)
        deviation = np.sqrt(np.average((prices - mean) ** 2, weights=weights))
        assert middle[at] == pytest.approx(mean, rel=1e-12)
        assert upper[at] - lower[at] == pytest.approx(4 * deviation, rel=1e-6, abs=1e-6)


def test_vwap_by_hand_starts_anew_at_midnight_and_waits_for_volume() -> None:
    time = START + np.array([0, 3600, DAY, DAY + 3600], dtype=np.int64)
    price, amounts = closes(10, 20, 40, 50), closes(1, 3, 0, 2)
    middle, upper, lower = vwap(time, price, price, price, amounts, "day", 0, 1.0)
    np.testing.assert_allclose(middle, [10, 17.5, np.nan, 50])
    # 0.25·7.5² + 0.75·2.5² = 18.75
    np.testing.assert_allclose(upper - middle, [0, 18.75**0.5, np.nan, 0])
    np.testing.assert_allclose(middle - lower, [0, 18.75**0.5, np.nan, 0])


def test_anchored_volume_counts_the_first_bar_against_the_close_before() -> None:
    time = START + np.array([0, 3600, DAY, DAY + 3600], dtype=np.int64)
    found = anchored_obv(time, closes(1, 2, 1, 3), closes(7, 5, 3, 2), "day")
    np.testing.assert_array_equal(found, [0, 5, -3, -1])


def test_the_profile_spreads_each_bar_over_its_range() -> None:
    found = profile(closes(4, 2), closes(0, 1), closes(8, 3), 4)
    np.testing.assert_allclose(found.edges, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(found.volume, [2, 5, 2, 2])
    # From row 1: 5, then of equal neighbours the upper, 7, then 9 of 11 holds 70 %.
    assert (found.point_of_control, found.value_low, found.value_high) == (1.5, 1, 4)


def test_the_profile_of_one_price_is_one_row() -> None:
    found = profile(closes(5, 5), closes(5, 5), closes(1, 2), 3)
    assert found.volume.sum() == 3
    assert found.volume.max() == 3


def test_the_profile_holds_all_the_volume() -> None:
    bars = walk(length=500)
    assert profile(bars.high, bars.low, bars.volume, 60).volume.sum() == pytest.approx(bars.volume.sum())


def test_the_developing_profile_grows_with_the_session_and_is_emptied_after_it() -> None:
    time = START + np.array([0, 3600, 7200, DAY], dtype=np.int64)
    # Rows of 1: the first middle price is 100, and a row 1 %.
    high, low = closes(100.9, 100.9, 103.9, 51), closes(99.1, 100.1, 103.1, 49)
    control, top, bottom = volume_profile(time, high, low, closes(1.8, 1, 4, 1), "day", 1.0)
    # 0.9 and 0.9; then 0.9 and 1.9 (68 % of 2.8); then row 103 has 4 of 6.8 and takes rows down to 100; then rows of 0.5.
    np.testing.assert_allclose(control[:3], [99.5, 100.5, 103.5])
    np.testing.assert_allclose(top[:3], [101, 101, 104])
    np.testing.assert_allclose(bottom[:3], [99, 99, 100])
    assert 49 <= bottom[3] <= control[3] <= top[3] <= 51.5


def test_the_value_area_always_holds_its_share_and_the_point_of_control() -> None:
    bars = walk(length=600)
    control, top, bottom = volume_profile(bars.time, bars.high, bars.low, bars.volume, "week", 0.25)
    known = ~np.isnan(control)
    assert known.sum() > 580
    assert ((bottom[known] <= control[known]) & (control[known] <= top[known])).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: vwap(b.time, b.high, b.low, b.close, b.volume, "year", 0, 2.0), "one of day, week, month, was 'year'"),
        (lambda b: vwap(b.time[::-1], b.high, b.low, b.close, b.volume, "day", 0, 2.0), "time must ascend"),
        (lambda b: vwap(b.time[1:], b.high, b.low, b.close, b.volume, "day", 0, 2.0), "time must be as long as the prices"),
        (lambda b: vwap(b.close, b.high, b.low, b.close, b.volume, "day", 0, 2.0), "time must be a row of integers"),
        (lambda b: vwap(b.time, b.high, b.low, b.close, b.volume, "day", 1440, 2.0), r"start must be 0\.\.1439, was 1440"),
        (lambda b: volume_profile(b.time, b.high, b.low, b.volume, "day", 0.01), r"row must be 0\.05\.\.5, was 0\.01"),
        (lambda b: profile(b.high, b.low, b.volume, 1), r"count must be 2\.\.1000, was 1"),
        (lambda b: profile(b.high, b.low, b.volume * 0, 10), "needs at least one bar with volume"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named(call: object, message: str) -> None:
    with pytest.raises(IndicatorError, match=message):
        call(walk(length=200))  # type: ignore[operator]
