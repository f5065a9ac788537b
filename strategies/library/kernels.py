"""Compiled loops of the built-in strategies: one pass over the bars each, from measures to exposure and levels.

A position here is always the work of an event within the last ``patience`` bars, so that a tail of the series holds what
all of it would: the newest event decides, whatever was held before it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import boolean, float64, int64, njit, types

from marketdata.indicators.signatures import row, rows, series


@njit(types.void(series, series, series, float64, boolean, row), cache=True)
def compare(above, below, scale, tolerance, both, out):  # type: ignore[no-untyped-def]
    """1 where ``above`` is over ``below`` by more than ``tolerance`` of ``scale``, -1 where under it and ``both``, else 0."""
    short = 1.0 if both else 0.0
    for i in range(out.size):
        difference = above[i] - below[i]
        noise = abs(scale[i]) * tolerance
        out[i] = (1.0 if difference > noise else 0.0) - (short if difference < -noise else 0.0)


@njit(types.void(series, float64, row), cache=True)
def scaled(values, factor, out):  # type: ignore[no-untyped-def]
    """``values`` times ``factor``, NaN where that is not above 0: a distance that protects nothing is none."""
    for i in range(out.size):
        distance = values[i] * factor
        out[i] = distance if distance > 0 else math.nan


@njit(
    types.void(series, series, series, series, series, series, float64[::1], int64, boolean, rows),
    cache=True,
)
def hold(score, high, low, close, reach, goal, rule, patience, both, out):  # type: ignore[no-untyped-def]
    """Hold from the bar on which ``score`` comes to ``enter``, until it is back at ``leave``; short on the mirrored score.

    ``rule`` is enter, leave, stop and profit (in units of ``reach`` from the entry's close, 0: none), risk (share of
    equity that one ``reach`` may cost; 0: whole exposure). ``goal``: prices to take profit at that move from bar to bar; empty
    for none. ``out``: exposure, stop, take_profit.
    """
    enter, leave, stop_reach, profit_reach, risk = rule[0], rule[1], rule[2], rule[3], rule[4]
    side, born, stop, profit, amount = 0.0, 0, math.nan, math.nan, 0.0
    before = math.nan
    levels = out.shape[0] == 3
    for t in range(score.size):
        now = score[t]
        if side != 0 and (
            t - born > patience
            or not side * now > leave
            or (side > 0 and (low[t] <= stop or high[t] > profit))
            or (side < 0 and (high[t] >= stop or low[t] < profit))
        ):
            side = 0.0
        turn = 0.0
        if now >= enter and before < enter:
            turn = 1.0
        elif both and now <= -enter and before > -enter:
            turn = -1.0
        before = now
        if turn != 0:
            far = reach[t] if reach.size else 1.0
            if far > 0:
                side, born = turn, t
                amount = min(1.0, risk * close[t] / far) if risk > 0 else 1.0
                stop = close[t] - side * stop_reach * far if stop_reach > 0 else math.nan
                profit = close[t] + side * profit_reach * far if profit_reach > 0 else math.nan
        if side == 0:
            out[0, t] = 0.0
            if levels:
                out[1, t] = out[2, t] = math.nan
        else:
            if goal.size:
                profit = goal[t]
            out[0, t] = side * amount
            if levels:
                out[1, t] = stop if stop > 0 else math.nan
                out[2, t] = profit if profit > 0 else math.nan


@njit(
    types.void(series, series, series, series, series, series, series, series, float64, int64, boolean, rows),
    cache=True,
)
def break_out(high, low, close, top, bottom, exit_top, exit_bottom, reach, stop_reach, patience, both, out):  # type: ignore[no-untyped-def]
    """Hold from a close beyond the channel of the bars before, until one beyond the exit channel on the other side.

    ``out``: exposure, stop. Each further break renews the position and its stop.
    """
    side, born, stop = 0.0, 0, math.nan
    for t in range(close.size):
        if t == 0:
            out[0, t], out[1, t] = 0.0, math.nan
            continue
        if (
            t - born > patience
            or (side > 0 and (close[t] < exit_bottom[t - 1] or low[t] <= stop))
            or (side < 0 and (close[t] > exit_top[t - 1] or high[t] >= stop))
        ):
            side = 0.0
        turn = 0.0
        if close[t] > top[t - 1]:
            turn = 1.0
        elif both and close[t] < bottom[t - 1]:
            turn = -1.0
        if turn != 0 and reach[t] > 0:
            side, born = turn, t
            stop = close[t] - side * stop_reach * reach[t]
        out[0, t] = side
        out[1, t] = stop if side != 0 and stop > 0 else math.nan


@njit(types.void(series, int64, rows), cache=True)
def moments(values, window, out):  # type: ignore[no-untyped-def]
    """Mean and population deviation over ``window``; NaN before it is full, a deviation of 0 where values stood still.

    Sums over a window are what is left of the block before plus what is in of this one, about the value that opens the
    block: nothing is subtracted, so neither a large level nor a long past costs digits.
    """
    n = values.size
    left = np.zeros((window + 1, 2))
    for begin in range(0, n, window):
        centre = values[begin]
        a, b = 0.0, 0.0
        for j in range(1, min(window, begin) + 1):
            y = values[begin - j] - centre
            a += y
            b += y * y
            left[j, 0], left[j, 1] = a, b
        a, b = 0.0, 0.0
        noise = 1e-18 * centre * centre
        for t in range(begin, min(begin + window, n)):
            y = values[t] - centre
            a += y
            b += y * y
            if t < window - 1:
                out[0, t] = out[1, t] = math.nan
                continue
            rest = begin + window - 1 - t
            mean = (a + left[rest, 0]) / window
            square = (b + left[rest, 1]) / window - mean * mean
            out[0, t] = centre + mean
            out[1, t] = math.sqrt(square) if square > noise else 0.0


@njit(types.void(series, series, series, row), cache=True)
def standardised(values, mean, deviation, out):  # type: ignore[no-untyped-def]
    """Deviations from the mean; NaN where there is none, for there a score means nothing."""
    for i in range(out.size):
        out[i] = (values[i] - mean[i]) / deviation[i] if deviation[i] > 0 else math.nan


@njit(types.void(series, series, int64, row), cache=True)
def drift(close, reach, window, out):  # type: ignore[no-untyped-def]
    """Change over ``window`` bars in units of what a random walk with that average range would have moved."""
    root = math.sqrt(window)
    for i in range(out.size):
        out[i] = math.nan
        if i >= window and reach[i] > 1e-9 * close[i]:
            out[i] = (close[i] - close[i - window]) / (reach[i] * root)


@njit(types.void(series, series, series, series, series, series, float64, float64, row), cache=True)
def filters(close, average, strength, line, signal, trend, least_trend, ceiling, out):  # type: ignore[no-untyped-def]
    """2 where all filters agree upward, 1 where the close is merely above its average, 0 neither; negative mirrored."""
    for i in range(out.size):
        noise = 1e-9 * close[i]
        side = 1.0 if close[i] - average[i] > noise else -1.0 if average[i] - close[i] > noise else 0.0
        turned = side * (line[i] - signal[i]) > noise
        pull = 50.0 + side * (strength[i] - 50.0)
        agree = turned and 50.0 < pull < ceiling and trend[i] >= least_trend
        out[i] = 2.0 * side if agree else side if average[i] == average[i] and trend[i] == trend[i] else math.nan


@njit(types.void(series, series, series, float64, row), cache=True)
def returned(close, mean, deviation, width, out):  # type: ignore[no-untyped-def]
    """2 on the bar that closes back above the lower band, 1 elsewhere below the mean, 0 at it; negative mirrored."""
    outside = 0
    for i in range(out.size):
        if not deviation[i] > 0:
            outside, out[i] = 0, math.nan
            continue
        score = (mean[i] - close[i]) / deviation[i]
        now = 1 if score > width else -1 if score < -width else 0
        side = 1.0 if score > 0 else -1.0 if score < 0 else 0.0
        out[i] = 2.0 * outside if outside != 0 and now == 0 and side == outside else side
        outside = now
