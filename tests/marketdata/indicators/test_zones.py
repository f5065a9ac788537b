"""Order blocks and fair value gaps on bars written by hand, and gaps against their rule in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.indicators.arrays import IndicatorError
from marketdata.indicators.zones import Zone, fair_value_gap_zones, fair_value_gaps, order_block_zones, order_blocks
from tests.marketdata.indicators.series import Bars, candles, walk

NAN = float("nan")
# Bars 0 to 2 leave a gap from 10 to 12; bar 4 trades back to 11, bar 5 to 9.5.
GAP = candles([(10, 9, 10), (13, 10, 13), (14, 12, 14), (15, 13, 15), (14, 11, 13), (13.5, 9.5, 11)])
# A top at 1 (12), the lowest bar at 3, a close above the top at 5; bar 8 trades back into the block, bar 10 through it.
BLOCK = candles(
    [
        (10, 8, 9), (12, 9, 11), (11, 8, 9), (9, 6, 7), (11, 7, 10), (14, 10, 13),
        (15, 12, 14), (14, 11, 12), (12, 8, 9), (10, 7, 8), (9, 5, 6),
    ]
)  # fmt: skip


def test_a_gap_begins_at_the_middle_bar_and_is_known_at_the_third() -> None:
    assert fair_value_gap_zones(GAP.high, GAP.low, GAP.close, 0.0, 1.0, 50) == (
        Zone("fair_value_gap", "up", start=1, confirmed=2, end=5, outcome="mitigated", top=12, bottom=10),
    )
    levels = fair_value_gaps(GAP.high, GAP.low, GAP.close, 0.0, 1.0, 50)
    np.testing.assert_array_equal(levels.up_top, [NAN, NAN, 12, 12, 12, NAN])
    np.testing.assert_array_equal(levels.up_bottom, [NAN, NAN, 10, 10, 10, NAN])
    np.testing.assert_array_equal(levels.formed, [0, 0, 1, 0, 0, 0])
    assert np.isnan(levels.down_top).all()


@pytest.mark.parametrize(("fill", "end"), [(0.0, 4), (0.5, 4), (0.75, 5), (1.0, 5)])
def test_a_gap_ends_when_its_share_is_filled(fill: float, end: int) -> None:
    (zone,) = fair_value_gap_zones(GAP.high, GAP.low, GAP.close, 0.0, fill, 50)
    assert zone.end == end


def test_a_gap_that_is_too_small_is_none() -> None:
    # 2 of 14 is 14.3 %.
    assert len(fair_value_gap_zones(GAP.high, GAP.low, GAP.close, 14.2, 1.0, 50)) == 1
    assert fair_value_gap_zones(GAP.high, GAP.low, GAP.close, 14.3, 1.0, 50) == ()


def test_gaps_downward_mirror_gaps_upward() -> None:
    up = fair_value_gap_zones(GAP.high, GAP.low, GAP.close, 0.0, 1.0, 50)[0]
    down = fair_value_gap_zones(100 - GAP.low, 100 - GAP.high, 100 - GAP.close, 0.0, 1.0, 50)[0]
    assert (down.direction, down.start, down.confirmed, down.end) == ("down", up.start, up.confirmed, up.end)
    assert (down.top, down.bottom) == (100 - up.bottom, 100 - up.top)


def test_of_two_gaps_the_one_nearer_to_price_ends_first_even_if_it_is_older() -> None:
    bars = candles([(10, 9, 9.5), (9.5, 8, 9), (12, 11, 11.5), (12, 10.5, 11), (12, 9.8, 10)])
    zones = fair_value_gap_zones(bars.high, bars.low, bars.close, 0.0, 1.0, 50)
    assert [(zone.confirmed, zone.bottom, zone.end) for zone in zones] == [(2, 10, 4), (3, 9.5, None)]
    levels = fair_value_gaps(bars.high, bars.low, bars.close, 0.0, 1.0, 50)
    np.testing.assert_array_equal(levels.up_bottom, [NAN, NAN, 10, 10, 9.5])


def test_a_gap_that_is_never_filled_is_open_and_then_forgotten() -> None:
    bars = candles([(10, 9, 10), (13, 10, 13), (14, 12, 14), *[(15.0, 13.0, 14.0)] * 14])
    (zone,) = fair_value_gap_zones(bars.high[:12], bars.low[:12], bars.close[:12], 0.0, 1.0, 10)
    assert (zone.end, zone.outcome) == (None, "open")
    (zone,) = fair_value_gap_zones(bars.high, bars.low, bars.close, 0.0, 1.0, 10)
    assert (zone.end, zone.outcome) == (13, "forgotten")
    levels = fair_value_gaps(bars.high, bars.low, bars.close, 0.0, 1.0, 10)
    np.testing.assert_array_equal(levels.up_top[12:14], [12, NAN])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    fill=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    smallest=st.sampled_from([0.0, 0.1]),
    memory=st.integers(10, 60),
)
def test_gaps_follow_their_rule_on_random_bars(seed: int, fill: float, smallest: float, memory: int) -> None:
    bars = walk(seed=seed, length=220, tick=10.0)
    high, low, close = bars.high, bars.low, bars.close
    expected: list[tuple[object, ...]] = []
    open_at: list[list[tuple[float, float, float]]] = [[] for _ in range(220)]
    for t in range(2, 220):
        for sign, top, bottom in ((1, low[t], high[t - 2]), (-1, low[t - 2], high[t])):
            if top - bottom <= smallest / 100 * close[t]:
                continue
            goal = top - fill * (top - bottom) if sign > 0 else bottom + fill * (top - bottom)
            end = next(
                (s for s in range(t + 1, min(t + memory + 1, 220)) if (low[s] <= goal if sign > 0 else high[s] >= goal)), None
            )
            outcome = "mitigated" if end is not None else "forgotten" if t + memory + 1 < 220 else "open"
            end = t + memory + 1 if outcome == "forgotten" else end
            expected.append((t - 1, t, end, outcome, top, bottom, "up" if sign > 0 else "down"))
            for s in range(t, 220 if end is None else end):
                open_at[s].append((sign, top, bottom, goal))  # type: ignore[arg-type]
    found = fair_value_gap_zones(high, low, close, smallest, fill, memory)
    assert [(z.start, z.confirmed, z.end, z.outcome, z.top, z.bottom, z.direction) for z in found] == expected
    levels = fair_value_gaps(high, low, close, smallest, fill, memory)
    for t in range(220):
        ups = [zone for zone in open_at[t] if zone[0] > 0]
        downs = [zone for zone in open_at[t] if zone[0] < 0]
        assert np.isnan(levels.up_top[t]) == (not ups)
        assert np.isnan(levels.down_top[t]) == (not downs)
        if ups:
            goal = max(zone[3] for zone in ups)  # type: ignore[misc]
            assert (levels.up_top[t], levels.up_bottom[t]) in [zone[1:3] for zone in ups if zone[3] == goal]  # type: ignore[misc]
        if downs:
            goal = min(zone[3] for zone in downs)  # type: ignore[misc]
            assert (levels.down_top[t], levels.down_bottom[t]) in [zone[1:3] for zone in downs if zone[3] == goal]  # type: ignore[misc]


def test_an_order_block_is_the_lowest_bar_before_the_break() -> None:
    zones = order_block_zones(BLOCK.high, BLOCK.low, BLOCK.close, 1, 1.0, 50)
    assert zones[0] == Zone("order_block", "up", start=3, confirmed=5, end=10, outcome="mitigated", top=9, bottom=6)
    levels = order_blocks(BLOCK.high, BLOCK.low, BLOCK.close, 1, 1.0, 50)
    np.testing.assert_array_equal(levels.up_top, [NAN] * 5 + [9] * 5 + [NAN])
    np.testing.assert_array_equal(levels.up_bottom, [NAN] * 5 + [6] * 5 + [NAN])
    assert levels.formed[5] == 1


def test_an_order_block_ends_when_its_share_is_filled() -> None:
    ends = [order_block_zones(BLOCK.high, BLOCK.low, BLOCK.close, 1, fill, 50)[0].end for fill in (0.0, 0.6, 1.0)]
    assert ends == [8, 9, 10]


def test_order_blocks_downward_mirror_those_upward() -> None:
    up = order_block_zones(BLOCK.high, BLOCK.low, BLOCK.close, 1, 1.0, 50)
    down = order_block_zones(100 - BLOCK.low, 100 - BLOCK.high, 100 - BLOCK.close, 1, 1.0, 50)
    assert [(z.start, z.confirmed, z.end, 100 - z.bottom) for z in down] == [(z.start, z.confirmed, z.end, z.top) for z in up]
    assert {(a.direction, b.direction) for a, b in zip(up, down, strict=True)} <= {("up", "down"), ("down", "up")}


def test_two_breaks_above_one_low_make_one_block() -> None:
    # The tops at 2 and 6 both stand before the low at 7; the second is confirmed by the bar that breaks the first.
    bars = candles(
        [
            (5, 4, 4.5), (6, 5, 5.5), (10, 7, 8), (8, 6, 7), (7, 5.5, 6.5),
            (9, 6, 8), (14, 8, 9.5), (12, 5, 9), (13, 9, 11), (16, 11, 15),
        ]
    )  # fmt: skip
    zones = order_block_zones(bars.high, bars.low, bars.close, 2, 1.0, 50)
    assert [(zone.start, zone.confirmed, zone.direction) for zone in zones] == [(7, 8, "up")]
    assert order_blocks(bars.high, bars.low, bars.close, 2, 1.0, 50).formed[8:].tolist() == [1, 1]
    # The second break keeps it in mind for another ``memory`` bars.
    quiet = [(16.0, 13.0, 15.0)] * 12
    later = Bars(*(np.concatenate(pair) for pair in zip(bars, candles(quiet), strict=True)))
    top = order_blocks(later.high, later.low, later.close, 2, 1.0, 10).up_top
    assert top[18:21].tolist()[:2] == [12, 12]
    assert np.isnan(top[20])


def test_what_cannot_be_taken_is_named() -> None:
    with pytest.raises(IndicatorError, match=r"fill must be 0\.\.1, was 1.1"):
        fair_value_gaps(GAP.high, GAP.low, GAP.close, 0.0, 1.1, 50)
    with pytest.raises(IndicatorError, match="smallest must be at least 0, was -1"):
        fair_value_gap_zones(GAP.high, GAP.low, GAP.close, -1.0, 1.0, 50)
    with pytest.raises(IndicatorError, match="memory must be at least 10, was 3"):
        order_blocks(GAP.high, GAP.low, GAP.close, 1, 1.0, 3)
