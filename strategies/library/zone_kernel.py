"""The compiled loop of the zone strategy: touches of zones that were open at the close before."""

from __future__ import annotations

import math

from numba import boolean, float64, int64, njit, types

from marketdata.indicators.signatures import rows, series

zones = types.Array(float64, 2, "C", readonly=True)


@njit(float64(zones, int64, float64, float64, float64, float64), cache=True)
def touched(zone, t, side, reached, close, least):  # type: ignore[no-untyped-def]
    """The far edge of the zone open on ``side`` at bar ``t``; NaN unless it was reached and the close is this side of it."""
    near, far = (zone[0, t], zone[1, t]) if side > 0 else (zone[3, t], zone[2, t])
    if side * (near - far) >= least and side * reached <= side * near and side * close > side * far:
        return far
    return math.nan


@njit(
    types.void(series, series, series, series, series, zones, zones, float64[::1], int64, boolean, rows),
    cache=True,
)
def touch(high, low, close, trend, reach, blocks, gaps, rule, patience, both, out):  # type: ignore[no-untyped-def]
    """Hold from the close of the bar that first touches a zone, while structure points its way.

    ``blocks`` and ``gaps`` are the nearest open zones after each bar: up_top, up_bottom, down_top, down_bottom. ``rule`` is
    least height and buffer (in units of ``reach``), reward (in units of the stop's distance) and risk (share of equity).
    ``out``: exposure, stop, take_profit. The newest touch decides.
    """
    height, buffer, reward, risk = rule[0], rule[1], rule[2], rule[3]
    side, born, stop, profit, amount = 0.0, 0, math.nan, math.nan, 0.0
    for t in range(close.size):
        if side != 0 and (
            t - born > patience
            or side * trend[t] < 0
            or (side > 0 and (low[t] <= stop or high[t] > profit))
            or (side < 0 and (high[t] >= stop or low[t] < profit))
        ):
            side = 0.0
        way = trend[t] if t and trend[t] == trend[t - 1] else 0.0
        if (way > 0 or (way < 0 and both)) and reach[t - 1] > 0:
            least = max(height * reach[t - 1], 1e-9 * close[t])
            reached = low[t] if way > 0 else high[t]
            block = touched(blocks, t - 1, way, reached, close[t], least)
            gap = touched(gaps, t - 1, way, reached, close[t], least)
            if block == block or gap == gap:
                # Of two zones the stop lies beyond the farther.
                far = gap if block != block else block if gap != gap else min(block, gap) if way > 0 else max(block, gap)
                level = far - way * buffer * reach[t - 1]
                distance = way * (close[t] - level)
                if level > 0 and distance > 1e-9 * close[t]:
                    side, born, stop = way, t, level
                    profit = close[t] + way * reward * distance
                    amount = min(1.0, risk * close[t] / distance)
        if side == 0:
            out[0, t], out[1, t], out[2, t] = 0.0, math.nan, math.nan
        else:
            out[0, t], out[1, t], out[2, t] = side * amount, stop, profit if profit > 0 else math.nan
