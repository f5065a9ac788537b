"""Crosses, turns and trend starts on lines written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.indicators.arrays import IndicatorError
from marketdata.indicators.registry import Signal, compute, detect
from marketdata.indicators.signals import crosses, trend_start
from tests.marketdata.indicators.series import Bars, candles, closes, walk

NAN = float("nan")


def test_a_cross_is_a_change_of_sides() -> None:
    np.testing.assert_array_equal(crosses(closes(1, 3, 3, 1), closes(2, 2, 2, 2)), [0, 1, 0, -1])


def test_a_touch_is_no_cross_until_the_line_comes_out_on_the_other_side() -> None:
    level = np.full(5, 2.0)
    np.testing.assert_array_equal(crosses(closes(3, 2, 3, 2, 1), level), [0, 0, 0, 0, -1])
    np.testing.assert_array_equal(crosses(closes(1, 2, 2, 1, 2), level), [0, 0, 0, 0, 0])


def test_a_line_that_begins_on_one_side_has_not_crossed() -> None:
    np.testing.assert_array_equal(crosses(np.array([NAN, 3, 1, NAN, 3, 1]), np.full(6, 2.0)), [0, 0, -1, 0, 0, -1])


def test_lines_of_different_lengths_do_not_cross() -> None:
    with pytest.raises(IndicatorError, match="as long as each other"):
        crosses(closes(1, 2), closes(1))


def test_signals_say_what_happened_and_where() -> None:
    bars = candles([(v, v, v) for v in (5, 5, 5, 9, 9, 1)])
    assert detect("sma(3)", bars) == (Signal("cross", 5, "down", "Close below SMA"),)
    rising = candles([(v, v, v) for v in (5, 5, 4, 9)])
    assert detect("sma(3)", rising) == (Signal("cross", 3, "up", "Close above SMA"),)


def test_leaving_an_extreme_is_signalled_on_the_way_back_only() -> None:
    close = np.concatenate((np.linspace(100, 60, 40), np.linspace(60, 100, 40), np.linspace(100, 80, 20)))
    bars = candles([(v + 0.1, v - 0.1, v) for v in close])
    found = detect("rsi(5)", bars)
    assert [(signal.direction, signal.label) for signal in found] == [
        ("up", "RSI back above 30"),
        ("down", "RSI back below 70"),
    ]
    assert found[0].index == 40 + int(np.flatnonzero(compute("rsi(5)", bars)["value"][40:] > 30)[0])


def test_each_break_of_structure_is_a_signal() -> None:
    bars = walk(seed=2, length=800)
    events = compute("structure", bars)["event"]
    found = detect("structure", bars)
    assert [(s.index, s.kind, s.direction) for s in found] == [
        (int(i), "bos" if abs(events[i]) == 1 else "choch", "up" if events[i] > 0 else "down") for i in np.flatnonzero(events)
    ]
    assert {s.kind for s in found} == {"bos", "choch"}


def test_each_turn_of_the_supertrend_is_a_signal() -> None:
    bars = walk(seed=2, length=800)
    side = compute("supertrend", bars)["side"]
    turns = [i for i in range(1, 800) if side[i] == -side[i - 1]]
    assert [signal.index for signal in detect("supertrend", bars)] == turns
    assert len(turns) > 5


def steps(*stretches: tuple[int, float]) -> Bars:
    """Bars that climb or fall by a step a bar, the step changing with each stretch."""
    moves = np.concatenate([np.full(count, step) for count, step in stretches])
    close = 1000 + moves.cumsum()
    return candles([(c + 1, c - 1, c) for c in close])


def test_a_trend_starts_once_after_its_quiet_bars() -> None:
    bars = steps((60, 0.0), (60, 3.0), (60, -3.0))
    state, start = trend_start(bars.high, bars.low, bars.close, 5, 20, 7, 25.0, 10)
    up, down = np.flatnonzero(start == 1), np.flatnonzero(start == -1)
    assert up.tolist() == [int(np.flatnonzero(state == 1)[0])]
    assert down.tolist() == [int(np.flatnonzero(state == -1)[0])]
    assert 60 <= up[0] < 70
    assert 120 < down[0] < 150
    assert [(s.kind, s.index, s.direction) for s in detect("trend_start(5,20,7,25,10)", bars)] == [
        ("trend_start", up[0], "up"),
        ("trend_start", down[0], "down"),
    ]


def test_a_trend_that_pauses_less_than_the_quiet_bars_does_not_start_again() -> None:
    bars = walk(seed=4, length=3000)
    state, start = trend_start(bars.high, bars.low, bars.close, 10, 30, 14, 25.0, 12)
    for at in np.flatnonzero(start == 1):
        assert (state[at - 12 : at] != 1).all()
    assert 5 < (start == 1).sum() < ((state == 1) & (np.roll(state, 1) != 1)).sum()


def test_the_witnesses_must_agree() -> None:
    bars = walk(seed=4, length=1000)
    state, _ = trend_start(bars.high, bars.low, bars.close, 10, 30, 14, 25.0, 5)
    fast, slow = (compute(f"ema({n})", bars)["value"] for n in (10, 30))
    lines = compute("adx(14)", bars)
    up = (fast > slow) & (lines["plus"] > lines["minus"]) & (lines["adx"] >= 25)
    np.testing.assert_array_equal(state[60:] == 1, up[60:])


def test_what_cannot_be_taken_is_named() -> None:
    bars = walk(length=50)
    with pytest.raises(IndicatorError, match="fast must be below slow, were 30 and 10"):
        trend_start(bars.high, bars.low, bars.close, 30, 10, 14, 25.0, 5)
    with pytest.raises(IndicatorError, match=r"threshold must be 0\.\.100, was 101"):
        trend_start(bars.high, bars.low, bars.close, 10, 30, 14, 101.0, 5)
