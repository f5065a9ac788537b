"""The compiled loops of regime detection."""

from __future__ import annotations

import math

import numpy as np
from numba import float64, int8, int64, njit, types

from marketdata.indicators.signatures import row, series


@njit(types.void(series, int64, row), cache=True)
def mean_squares(x, window, out):  # type: ignore[no-untyped-def]
    """Mean square of the last ``window`` changes of ``x``, summed in blocks: nothing is subtracted."""
    n = x.size
    left = np.zeros(window + 1)
    for begin in range(0, n, window):
        total = 0.0
        for j in range(1, min(window, begin) + 1):
            i = begin - j
            change = x[i] - x[i - 1] if i else 0.0
            total += change * change
            left[j] = total
        total = 0.0
        for t in range(begin, min(begin + window, n)):
            change = x[t] - x[t - 1] if t else 0.0
            total += change * change
            out[t] = (total + left[begin + window - 1 - t]) / window if t >= window else math.nan


@njit(types.void(series, int64, int64, row), cache=True)
def rank_of_newest(values, past, apart, out):  # type: ignore[no-untyped-def]
    """Share of the values of the last ``past`` bars that are smaller; NaN before there are as many.

    Windows that overlap say nearly the same, so only values ``apart`` bars from each other are asked.
    """
    count = past // apart
    for phase in range(min(apart, values.size)):
        # Side by side, so that a bar's neighbours in this order are compared several at a time.
        lane = values[phase::apart].copy()
        for k in range(lane.size):
            smaller = 0
            if k >= count and not math.isnan(lane[k - count]):
                # A difference of rounding is none: a still market has no rank.
                newest = lane[k] * (1 - 1e-9)
                for value in lane[k - count : k]:
                    smaller += value < newest
                out[phase + k * apart] = smaller / count
            else:
                out[phase + k * apart] = math.nan


@njit(
    types.void(series, series, series, series, series, float64[::1], int64[::1], int8[::1]),
    cache=True,
)
def label(adx, slope, variance, exponent, rank, limits, whole, out):  # type: ignore[no-untyped-def]
    """Votes, their confirmation and what is left of them: ``limits`` and ``whole`` as ``regimes`` packs its rules."""
    window, votes, confirm, memory = whole[0], whole[1], whole[2], whole[3]
    # The least-squares slope of a random walk of that window has this deviation, in units of its step.
    chance = math.sqrt(1.2 / window)
    since_trend, since_volatile = memory + 1, memory + 1
    up_run, down_run, wild_run, calm_run, out_run = 0, 0, 0, 0, 0
    trend, volatile = 0, False
    for t in range(out.size):
        known = adx[t] == adx[t] and slope[t] == slope[t] and rank[t] == rank[t]
        if not known:
            out[t] = 0
            trend, volatile = 0, False
            up_run = down_run = wild_run = calm_run = out_run = 0
            continue
        root = math.sqrt(variance[t])
        score = slope[t] / (root * chance) if root > 1e-12 else 0.0
        size = abs(score)
        comes = (adx[t] >= limits[0]) + (size >= limits[2]) + (exponent[t] >= limits[4])
        stays = (adx[t] >= limits[1]) + (size >= limits[3]) + (exponent[t] >= limits[5])
        up_run = up_run + 1 if comes >= votes and score > 0 else 0
        down_run = down_run + 1 if comes >= votes and score < 0 else 0
        out_run = out_run + 1 if stays < votes or trend * score < 0 else 0
        wild_run = wild_run + 1 if rank[t] >= limits[6] else 0
        calm_run = calm_run + 1 if rank[t] < limits[7] else 0
        since_trend += 1
        since_volatile += 1
        if trend != 0 and (out_run >= confirm or since_trend > memory):
            trend = 0
        # Whatever was counted under the state before is over with the new one: only this event and what follows count.
        if up_run >= confirm:
            trend, since_trend, out_run = 1, 0, 0
        elif down_run >= confirm:
            trend, since_trend, out_run = -1, 0, 0
        if volatile and (calm_run >= confirm or since_volatile > memory):
            volatile = False
        if wild_run >= confirm:
            volatile, since_volatile = True, 0
        out[t] = 4 if volatile else 1 if trend > 0 else 2 if trend < 0 else 3
