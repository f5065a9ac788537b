"""Swings, breaks and sweeps on bars written by hand, and against their rules in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.indicators.arrays import IndicatorError
from marketdata.indicators.structure import Swing, liquidity_sweeps, structure, swings
from tests.marketdata.indicators.series import Bars, candles, walk

NAN = float("nan")
# (high, low, close): a top at 1, a bottom at 3, a break of the top at 5, a higher top at 6, a fall through the bottom at 9.
STORY = candles(
    [
        (10, 8, 9), (12, 9, 11), (11, 8, 9), (9, 6, 7), (11, 7, 10),
        (14, 10, 13), (16, 12, 15), (13, 11, 12), (12, 7, 8), (8, 4, 5), (9, 6, 8),
    ]
)  # fmt: skip


def test_a_swing_is_known_only_when_the_bars_after_it_have_closed() -> None:
    assert swings(STORY.high, STORY.low, 1) == (
        Swing("high", 1, 2, 12, ""),
        Swing("low", 3, 4, 6, ""),
        Swing("high", 6, 7, 16, "HH"),
        Swing("low", 9, 10, 4, "LL"),
    )
    assert swings(STORY.high[:7], STORY.low[:7], 1)[-1].index == 3


def test_of_equal_tops_the_first_is_the_swing() -> None:
    high = np.array([1.0, 5, 5, 1, 1])
    assert [swing.index for swing in swings(high, high - 1, 1) if swing.kind == "high"] == [1]
    assert [swing.index for swing in swings(high, high - 1, 2) if swing.kind == "high"] == []


def test_breaks_with_the_trend_and_against_it() -> None:
    state = structure(STORY.high, STORY.low, STORY.close, 1, 50)
    np.testing.assert_array_equal(state.event, [0, 0, 0, 0, 0, 1, 0, 0, 0, -2, 0])
    np.testing.assert_array_equal(state.trend, [0, 0, 0, 0, 0, 1, 1, 1, 1, -1, -1])
    np.testing.assert_array_equal(state.high, [NAN, NAN, 12, 12, 12, 12, 12, 16, 16, 16, 16])
    np.testing.assert_array_equal(state.low, [NAN, NAN, NAN, NAN, 6, 6, 6, 6, 6, 6, 4])
    np.testing.assert_array_equal(state.high_age, [NAN, NAN, 1, 2, 3, 4, 5, 1, 2, 3, 4])
    np.testing.assert_array_equal(state.low_age, [NAN, NAN, NAN, NAN, 1, 2, 3, 4, 5, 6, 1])
    assert state.broken_age[5] == 4
    assert state.broken_age[9] == 6


def test_a_swing_breaks_once() -> None:
    rising = candles([(5, 4, 5), (9, 5, 8), (6, 4, 5), (12, 6, 11), (13, 10, 12), (14, 11, 13)])
    state = structure(rising.high, rising.low, rising.close, 1, 50)
    np.testing.assert_array_equal(state.event, [0, 0, 0, 1, 0, 0])


def test_a_wick_beyond_a_swing_breaks_nothing() -> None:
    wick = candles([(5, 4, 5), (9, 5, 8), (6, 4, 5), (12, 6, 9)])
    assert not structure(wick.high, wick.low, wick.close, 1, 50).event.any()


def test_what_is_older_than_memory_is_forgotten() -> None:
    quiet = [(8.0, 7.0, 7.5)] * 14
    bars = candles([(5, 4, 5), (9, 5, 8), (8.5, 4, 5), *quiet, (12, 8, 11)])
    assert structure(bars.high, bars.low, bars.close, 1, 50).event[-1] == 1
    state = structure(bars.high, bars.low, bars.close, 1, 10)
    assert state.event[-1] == 0
    assert np.isnan(state.high[12])
    assert state.high[11] == 9
    broken = candles([(5, 4, 5), (9, 5, 8), (6, 4, 5), (12, 6, 11), *[(11.0, 10.0, 10.5)] * 14])
    np.testing.assert_array_equal(structure(broken.high, broken.low, broken.close, 1, 10).trend[13:15], [1, 0])


def plain_structure(bars: Bars, strength: int, memory: int) -> tuple[list[int], list[int]]:
    """The rule of `structure`, bar by bar, from its words."""
    events, trends = [], []
    known = {swing.confirmed: [] for swing in swings(bars.high, bars.low, strength)}
    for swing in swings(bars.high, bars.low, strength):
        known[swing.confirmed].append(swing)
    last: dict[str, Swing | None] = {"high": None, "low": None}
    broken: set[tuple[str, int]] = set()
    breaks: list[tuple[int, int]] = []
    for t, close in enumerate(bars.close):
        trend = breaks[-1][1] if breaks and t - breaks[-1][0] <= memory else 0
        event = 0
        for kind, way in (("high", 1), ("low", -1)):
            swing = last[kind]
            if event or swing is None or t - swing.index > memory or (kind, swing.index) in broken:
                continue
            if way * close > way * swing.price:
                event = way * (2 if trend == -way else 1)
                broken.add((kind, swing.index))
                breaks.append((t, way))
                trend = way
        for swing in known.get(t, ()):
            last[swing.kind] = swing
        events.append(event)
        trends.append(trend)
    return events, trends


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), strength=st.integers(1, 8), memory=st.integers(10, 80))
def test_structure_follows_its_rule_on_random_bars(seed: int, strength: int, memory: int) -> None:
    bars = walk(seed=seed, length=300, tick=10.0)
    state = structure(bars.high, bars.low, bars.close, strength, memory)
    events, trends = plain_structure(bars, strength, memory)
    np.testing.assert_array_equal(state.event, events)
    np.testing.assert_array_equal(state.trend, trends)


def test_a_sweep_trades_beyond_a_swing_and_closes_back_inside() -> None:
    bars = candles([(10, 8, 9), (12, 9, 11), (11, 8, 9), (13, 9, 11), (14, 9, 13), (9, 5, 8)])
    swept_high, swept_low, above, below = liquidity_sweeps(bars.high, bars.low, bars.close, 1, 50)
    np.testing.assert_array_equal(swept_high, [NAN, NAN, NAN, 12, NAN, NAN])
    np.testing.assert_array_equal(above, [NAN, NAN, 12, NAN, NAN, 14])
    # The low of bar 2 is swept by bar 5; bars 2 and 3 are confirmed lows only where nothing lower follows.
    np.testing.assert_array_equal(below, [NAN, NAN, NAN, 8, 8, NAN])
    assert np.isnan(swept_low).all()


def test_a_sweep_of_two_swings_names_the_farther_and_a_close_beyond_is_none() -> None:
    tops = [(10, 8, 9), (20, 9, 11), (11, 8, 9), (15, 9, 10), (11, 8, 9)]
    both = candles([*tops, (21, 9, 10)])
    between = candles([*tops, (21, 9, 17)])
    through = candles([*tops, (21, 9, 20.5)])
    for bars, level in ((both, 20.0), (between, 20.0), (through, NAN)):
        swept, _, above, _ = liquidity_sweeps(bars.high, bars.low, bars.close, 1, 50)
        np.testing.assert_array_equal(swept[-1:], [level])
        assert above[-2] == 15
        assert np.isnan(above[-1])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), strength=st.integers(1, 6), memory=st.integers(10, 80))
def test_sweeps_follow_their_rule_on_random_bars(seed: int, strength: int, memory: int) -> None:
    bars = walk(seed=seed, length=250, tick=10.0)
    found = liquidity_sweeps(bars.high, bars.low, bars.close, strength, memory)
    points = swings(bars.high, bars.low, strength)
    for t in range(250):
        expected = []
        for kind, column, sign in (("high", bars.high, 1), ("low", bars.low, -1)):
            untouched = [
                swing.price
                for swing in points
                if swing.kind == kind
                and swing.confirmed < t
                and t - swing.index <= memory
                and all(sign * column[j] <= sign * swing.price for j in range(swing.confirmed + 1, t))
            ]
            swept = [p for p in untouched if sign * column[t] > sign * p > sign * bars.close[t]]
            left = [p for p in untouched if sign * column[t] <= sign * p]
            left += [s.price for s in points if s.kind == kind and s.confirmed == t and t - s.index <= memory]
            expected.append(
                (sign * max(sign * p for p in swept) if swept else NAN, sign * min(sign * p for p in left) if left else NAN)
            )
        np.testing.assert_array_equal(
            [line[t] for line in found], [expected[0][0], expected[1][0], expected[0][1], expected[1][1]]
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: structure(b.high, b.low, b.close, 0, 50), "strength must be at least 1, was 0"),
        (lambda b: structure(b.high, b.low, b.close, 1, 9), "memory must be at least 10, was 9"),
        (lambda b: liquidity_sweeps(b.high, b.low, b.close, 1.5, 50), "strength must be a whole number, at least 1, was 1.5"),
        (lambda b: swings(b.high, b.low[1:], 1), r"low must be as long as high \(11\), has 10 values"),
    ],
)
def test_what_cannot_be_taken_is_named(call: object, message: str) -> None:
    with pytest.raises(IndicatorError, match=message):
        call(STORY)  # type: ignore[operator]
