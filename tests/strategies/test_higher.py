"""Higher timeframes: the venue's own bars, known no sooner than they have closed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.bars import Bars
from strategies.higher import Higher
from tests.strategies.library.series import recorded, walk

HOUR = 3600


def quarter_hours(length: int, *, first: int = 0) -> Bars:
    """15-minute bars from ``first`` bars after midnight; every close is the bar's number."""
    close = np.arange(1.0, length + 1)
    time = 1_700_006_400 + (first + np.arange(length, dtype=np.int64)) * 900
    return Bars(time, close - 0.5, close + 1, close - 1, close, np.ones(length))


def without(bars: Bars, *absent: int) -> Bars:
    keep = np.setdiff1d(np.arange(len(bars)), absent)
    return Bars(*(column[keep] for column in bars.columns))


def test_four_quarters_make_an_hour_and_it_is_known_with_the_last_of_them() -> None:
    higher = Higher(quarter_hours(10), "1h")
    assert higher.bars.time.tolist() == [1_700_006_400, 1_700_010_000]
    assert [column.tolist() for column in higher.bars.columns[1:]] == [[0.5, 4.5], [5, 9], [0, 4], [4, 8], [4, 4]]
    aligned = higher.align(higher.bars.close)
    np.testing.assert_array_equal(aligned, [np.nan] * 3 + [4] * 4 + [8] * 3)


def test_an_hour_whose_beginning_is_not_there_is_left_out() -> None:
    higher = Higher(quarter_hours(9, first=2), "1h")
    assert higher.bars.close.tolist() == [6]
    np.testing.assert_array_equal(higher.align(higher.bars.close), [np.nan] * 5 + [6] * 4)


def test_an_hour_that_ends_in_a_hole_is_known_with_the_first_bar_after_it() -> None:
    # The fourth quarter of the first hour is absent; so is all of the second but its third quarter.
    higher = Higher(without(quarter_hours(12), 3, 4, 5, 7), "1h")
    assert higher.bars.close.tolist() == [3, 7, 12]
    np.testing.assert_array_equal(higher.align(higher.bars.close), [np.nan] * 3 + [3] + [7] * 3 + [12])


def test_whoever_knows_the_length_of_the_base_bars_may_begin_with_a_hole() -> None:
    bars = without(quarter_hours(12), 1, 3)
    full = Higher(bars, "1h", step=900)
    aligned = full.align(full.bars.close)
    np.testing.assert_array_equal(aligned, [np.nan] * 2 + [3] * 3 + [8] * 4 + [12])
    for cut in range(len(bars) + 1):
        part = Higher(bars[:cut], "1h", step=900)
        np.testing.assert_array_equal(part.align(part.bars.close), aligned[:cut])


@pytest.mark.recorded
@pytest.mark.parametrize("timeframe", ["1h", "4h", "1d"])
def test_they_are_the_venue_s_own_bars(timeframe: str) -> None:
    higher = Higher(recorded("ETH_USDT-5m"), timeframe).bars
    venue = recorded(f"ETH_USDT-{timeframe}")
    both = min(len(higher), len(venue))
    assert both >= 248
    for mine, theirs in zip(higher[:both].columns[:5], venue[:both].columns[:5], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(higher.volume[:both], venue.volume[:both], rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    cut=st.integers(1, 399),
    holes=st.sets(st.integers(2, 398), max_size=60),
    start=st.integers(0, 7),
)
def test_the_future_changes_nothing_that_was_known(seed: int, cut: int, holes: set[int], start: int) -> None:
    bars = without(walk(seed, 400, start=1_700_000_000 + 900 * start), *holes)
    cut = min(cut, len(bars))
    full, part = Higher(bars, "1h"), Higher(bars[:cut], "1h")
    for name in ("time", "open", "high", "low", "close", "volume"):
        mine, theirs = getattr(part.bars, name), getattr(full.bars, name)[: len(part.bars)]
        np.testing.assert_array_equal(mine, theirs)
        known, now = part.align(mine.astype(float)), full.align(getattr(full.bars, name).astype(float))[:cut]
        np.testing.assert_array_equal(known, now)
    # What is known at a bar closed no later than that bar, and is the newest that did.
    closes = full.align((full.bars.time + HOUR).astype(float))
    seen = ~np.isnan(closes)
    assert (closes[seen] <= bars.time[seen] + 900).all()


def test_no_bars_and_one_bar_make_no_higher_bar() -> None:
    for length in (0, 1):
        higher = Higher(quarter_hours(length), "1h")
        assert len(higher.bars) == 0
        assert np.isnan(higher.align(higher.bars.close)).all()
        assert len(higher.align(higher.bars.close)) == length


def test_what_does_not_divide_the_higher_timeframe_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        Higher(walk(1, 50, step=7 * 60), "1h")
    with pytest.raises(ValueError, match="no multiple"):
        Higher(walk(1, 50, step=14400), "1h")
    with pytest.raises(ValueError, match="values must be 2"):
        Higher(quarter_hours(10), "1h").align(np.zeros(3))
