"""The compiled loops of pairs trading: a rolling regression and the position that its residual calls for."""

from __future__ import annotations

import math

import numpy as np
from numba import float64, int64, njit, types

from marketdata.indicators.signatures import row, series


@njit(types.void(row, float64, float64), cache=True)
def add(sums, y, x):  # type: ignore[no-untyped-def]
    if y != y or x != x:
        sums[5] += 1.0
    else:
        sums[0] += y
        sums[1] += x
        sums[2] += y * y
        sums[3] += x * x
        sums[4] += y * x


@njit(types.void(series, series, int64, row, row), cache=True)
def regress(first, second, window, slope, score):  # type: ignore[no-untyped-def]
    """Slope of ``first`` on ``second`` over the window, and the newest residual in deviations of the residuals.

    NaN where the window is not full, holds a hole, or one of the two has not moved. Sums as in ``kernels.moments``: what is
    left of the block before plus what is in of this one.
    """
    n = first.size
    left = np.zeros((window + 1, 6))
    sums = np.zeros(6)
    for begin in range(0, n, window):
        # About a value of the block itself where there is one, so that nothing large is squared.
        u, v = 0.0, 0.0
        for t in range(begin, min(begin + window, n)):
            if first[t] == first[t] and second[t] == second[t]:
                u, v = first[t], second[t]
                break
        sums[:] = 0.0
        for j in range(1, min(window, begin) + 1):
            add(sums, first[begin - j] - u, second[begin - j] - v)
            left[j] = sums
        sums[:] = 0.0
        for t in range(begin, min(begin + window, n)):
            y, x = first[t] - u, second[t] - v
            add(sums, y, x)
            slope[t] = score[t] = math.nan
            if t < window - 1 or y != y or x != x:
                continue
            rest = begin + window - 1 - t
            if sums[5] + left[rest, 5] > 0:
                continue
            mean_y, mean_x = (sums[0] + left[rest, 0]) / window, (sums[1] + left[rest, 1]) / window
            square_x = (sums[3] + left[rest, 3]) / window - mean_x * mean_x
            square_y = (sums[2] + left[rest, 2]) / window - mean_y * mean_y
            if square_x < 1e-18 or square_y < 1e-18:
                continue
            joint = (sums[4] + left[rest, 4]) / window - mean_y * mean_x
            ratio = joint / square_x
            rest_square = square_y - ratio * joint
            if rest_square > 1e-9 * square_y:  # less is rounding: the two are one
                slope[t] = ratio
                score[t] = ((y - mean_y) - ratio * (x - mean_x)) / math.sqrt(rest_square)


@njit(types.void(series, series, float64, float64, float64, int64, float64[:, ::1]), cache=True)
def trade_spread(slope, score, enter, leave, limit, patience, out):  # type: ignore[no-untyped-def]
    """Sell the spread from the bar on which ``score`` comes to ``enter``, buy it from -enter on, until it is back at ``leave``.

    The proportion of the legs is that of the entry: a hedge that is changed on every bar trades on every bar.
    """
    side, born, own, other = 0.0, 0, 0.0, 0.0
    before = math.nan
    for t in range(score.size):
        now = score[t]
        if side != 0 and (t - born > patience or not -side * now > leave or abs(now) >= limit):
            side = 0.0
        if slope[t] > 0.05 and abs(now) < limit:
            turn = -1.0 if now >= enter and before < enter else 1.0 if now <= -enter and before > -enter else 0.0
            if turn != 0:
                side, born = turn, t
                own = 1.0 / (1.0 + slope[t])
                other = slope[t] / (1.0 + slope[t])
        before = now
        out[t, 0], out[t, 1] = side * own, -side * other
        if side == 0:
            out[t, 0] = out[t, 1] = 0.0
