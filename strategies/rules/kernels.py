"""Compiled loops of rules: comparisons with three answers, and the one pass from signals to positions.

An answer is int8: 1 yes, -1 no, 0 unknown (a line has no value). So "and" is the minimum, "or" the maximum and "not" the
negative, and nothing follows from what is not known.
"""

from __future__ import annotations

import math

import numpy as np
from numba import boolean, float64, int8, int64, njit, types

from marketdata.indicators.signatures import row, rows, series

answers = int8[::1]
flags = types.Array(int8, 1, "C", readonly=True)

# Bars for which a cross remembers the side it came from while the lines lie on each other.
TOUCH = 50


@njit(types.void(series, series, series, int64, answers), cache=True)
def above(a, b, noise, sign, out):  # type: ignore[no-untyped-def]
    """Whether ``a`` is over ``b`` (``sign`` 1) or under it (-1), by more than ``noise``."""
    for i in range(out.size):
        difference = sign * (a[i] - b[i])
        out[i] = 0 if difference != difference else 1 if difference > noise[i] else -1


@njit(types.void(series, series, series, int64, answers), cache=True)
def crosses(a, b, noise, sign, out):  # type: ignore[no-untyped-def]
    """Whether ``a`` comes over ``b`` at this bar, having been under it before; ``sign`` -1: mirrored. A touch is none."""
    side, seen = 0, 0
    for i in range(out.size):
        difference = sign * (a[i] - b[i])
        if difference != difference:
            side, out[i] = 0, 0
            continue
        out[i] = -1
        if difference > noise[i]:
            if side < 0 and i - seen <= TOUCH:
                out[i] = 1
            side, seen = 1, i
        elif difference < -noise[i]:
            side, seen = -1, i


@njit(types.void(series, series, float64, answers), cache=True)
def within(a, b, share, out):  # type: ignore[no-untyped-def]
    """Whether ``a`` is at most ``share`` of ``b`` away from it."""
    for i in range(out.size):
        away = abs(a[i] - b[i])
        out[i] = 0 if away != away else 1 if away <= share * abs(b[i]) * (1 + 1e-9) else -1


@njit(types.void(series, series, int64, int64, answers), cache=True)
def runs(a, noise, sign, bars, out):  # type: ignore[no-untyped-def]
    """Whether ``a`` rose (``sign`` 1) or fell (-1) at each of the last ``bars`` bars."""
    length, known = 0, 0
    for i in range(out.size):
        change = sign * (a[i] - a[i - 1]) if i > 0 else math.nan
        if change != change:
            length, known, out[i] = 0, 0, 0
            continue
        known += 1
        length = length + 1 if change > noise[i] else 0
        out[i] = 1 if length >= bars else 0 if known < bars and length == known else -1


@njit(
    types.void(
        flags, flags, flags, flags, flags, series, series, series, series, series, series, series, int64, int64,
        boolean, rows,
    ),
    cache=True,
)  # fmt: skip
def positions(  # type: ignore[no-untyped-def]
    buy, sell, short, cover, gate, high, low, close, stop_far, trail_far, profit_far, amount, hold, cooldown, levels, out
):
    """Exposure, and with ``levels`` stop and take-profit prices, after each bar.

    A signal is the bar on which an entry becomes true while ``gate`` holds and the exit of its side does not; two at once
    are none. It opens, reverses or renews the position: levels and time count from the newest signal alone, so that the
    last ``hold`` bars hold what decides. The distances are prices (empty: none), the ``amount`` an exposure.
    """
    side, born, ended = 0.0, 0, -1
    stop, profit, extreme, trail, size = math.nan, math.nan, math.nan, math.nan, 0.0
    taken = False
    for t in range(close.size):
        if side != 0:
            if (
                t - born >= hold
                or (side > 0 and (sell[t] == 1 or low[t] <= stop or high[t] > profit))
                or (side < 0 and (cover[t] == 1 or high[t] >= stop or low[t] < profit))
            ):
                side, ended = 0.0, t
            elif trail == trail:
                extreme = max(extreme, high[t]) if side > 0 else min(extreme, low[t])
                level = extreme - side * trail
                if not side * (stop - level) >= 0:
                    stop = level
        up = t > 0 and buy[t] == 1 and buy[t - 1] != 1 and sell[t] != 1
        down = t > 0 and short[t] == 1 and short[t - 1] != 1 and cover[t] != 1
        if gate[t] == 1 and up != down:
            far = stop_far[t] if stop_far.size else math.nan
            goal = profit_far[t] if profit_far.size else math.nan
            trailing = trail_far[t] if trail_far.size else math.nan
            ready = amount[t] > 0
            ready = ready and (stop_far.size == 0 or far > 0)
            ready = ready and (profit_far.size == 0 or goal > 0)
            ready = ready and (trail_far.size == 0 or trailing > 0)
            if ready:
                turn = 1.0 if up else -1.0
                if side == -turn:
                    ended = t
                side, born, size, extreme, trail = turn, t, amount[t], close[t], trailing
                stop = close[t] - turn * far
                profit = close[t] + turn * goal
                if trailing == trailing:
                    level = close[t] - turn * trailing
                    if not turn * (stop - level) >= 0:
                        stop = level
                taken = cooldown == 0 or ended < 0 or t - ended > cooldown
        held = side != 0 and taken
        out[0, t] = side * size if held else 0.0
        if levels:
            out[1, t] = stop if held and stop > 0 else math.nan
            out[2, t] = profit if held and profit > 0 else math.nan


@njit(types.void(series, int64, row), cache=True)
def volatility(close, window, out):  # type: ignore[no-untyped-def]
    """Sample deviation of the last ``window`` logarithmic returns; NaN before there are as many."""
    left = np.zeros((window + 1, 2))
    n = close.size
    change = np.zeros(n)
    for i in range(1, n):
        change[i] = math.log(close[i] / close[i - 1])
    for begin in range(0, n, window):
        a, b = 0.0, 0.0
        for j in range(1, min(window, begin) + 1):
            y = change[begin - j]
            a += y
            b += y * y
            left[j, 0], left[j, 1] = a, b
        a, b = 0.0, 0.0
        for t in range(begin, min(begin + window, n)):
            y = change[t]
            a += y
            b += y * y
            if t < window:
                out[t] = math.nan
                continue
            rest = begin + window - 1 - t
            mean = (a + left[rest, 0]) / window
            square = (b + left[rest, 1]) / window - mean * mean
            out[t] = math.sqrt(square * window / (window - 1)) if square > 1e-18 else 0.0
