"""The compiled loops of order flow: footprints of bars, and the positions that they call for."""

from __future__ import annotations

import math

import numpy as np
from numba import boolean, float64, int64, njit, types

from marketdata.indicators.signatures import rows, series, stamps

MOST_STACKED = 10  # bars looked back for imbalances in a row


@njit(types.void(series, series, series, series, float64, rows), cache=True)
def guess(high, low, close, volume, ratio, out):  # type: ignore[no-untyped-def]
    """``Flow.of_bars``: buy, sell, stacked_buy, stacked_sell, node."""
    bought, sold = 0, 0
    for t in range(close.size):
        span = high[t] - low[t]
        share = (close[t] - low[t]) / span if span > 0 else 0.5
        buy, sell = share * volume[t], (1.0 - share) * volume[t]
        bought = min(bought + 1, MOST_STACKED) if buy >= ratio * sell and buy > 0 else 0
        sold = min(sold + 1, MOST_STACKED) if sell >= ratio * buy and sell > 0 else 0
        out[0, t], out[1, t], out[2, t], out[3, t] = buy, sell, bought, sold
        out[4, t] = (high[t] + low[t] + close[t]) / 3


@njit(types.void(stamps, stamps, series, series, series, float64, float64, rows), cache=True)
def footprint(begin, end, price, quantity, side, row, ratio, out):  # type: ignore[no-untyped-def]
    """``Flow.of_trades``: the same five, bar by bar from the trades ``begin[t]`` to ``end[t]``."""
    for t in range(begin.size):
        first, last = begin[t], end[t]
        for k in range(4):
            out[k, t] = 0.0
        out[4, t] = math.nan
        if last <= first:
            continue
        bottom = int(price[first] / row + 1e-9)
        top = bottom
        for i in range(first, last):
            level = int(price[i] / row + 1e-9)
            bottom, top = min(bottom, level), max(top, level)
        if top - bottom > 10_000_000:
            continue
        ladder = np.zeros((top - bottom + 1, 2))
        for i in range(first, last):
            ladder[int(price[i] / row + 1e-9) - bottom, 0 if side[i] > 0 else 1] += quantity[i]
        most, run, against = -1.0, 0, 0
        for level in range(top - bottom + 1):
            buy, sell = ladder[level, 0], ladder[level, 1]
            out[0, t] += buy
            out[1, t] += sell
            if buy + sell > most:
                most = buy + sell
                out[4, t] = (bottom + level + 0.5) * row
            below = ladder[level - 1, 1] if level else math.inf
            above = ladder[level + 1, 0] if level < top - bottom else math.inf
            run = run + 1 if buy > 0 and buy >= ratio * below else 0
            against = against + 1 if sell > 0 and sell >= ratio * above else 0
            out[2, t], out[3, t] = max(out[2, t], run), max(out[3, t], against)


@njit(float64(rows, int64, int64, float64), cache=True)
def heaviest(flow, t, window, height):  # type: ignore[no-untyped-def]
    """The middle of the price row (``height`` of the price high) that traded most in the ``window`` bars up to ``t``."""
    step = math.log1p(height)
    best, most = math.nan, 0.0
    levels = np.empty(window, np.int64)
    for j in range(window):
        node = flow[4, t - window + 1 + j]
        levels[j] = math.floor(math.log(node) / step) if node > 0 else -(1 << 60)
    for j in range(window):
        if levels[j] == -(1 << 60):
            continue
        total = 0.0
        for k in range(window):
            if levels[k] == levels[j]:
                total += flow[0, t - window + 1 + k] + flow[1, t - window + 1 + k]
        # Of equal rows the lower, whatever the order in which they were traded.
        if total > most * (1 + 1e-9) or (total >= most * (1 - 1e-9) and total > 0 and math.exp(levels[j] * step) < best):
            most, best = total, math.exp((levels[j] + 0.5) * step)
    return best


@njit(
    types.void(series, series, series, series, rows, float64[::1], int64[::1], boolean, rows),
    cache=True,
)
def follow_flow(high, low, close, reach, flow, rule, whole, both, out):  # type: ignore[no-untyped-def]
    """Hold from a bar with stacked imbalances, delta behind it and the heaviest row beneath it, until the delta turns.

    ``rule``: stop and profit in units of ``reach``, height of a row as a share of price. ``whole``: imbalances needed, bars
    of the delta, patience. ``out``: exposure, stop, take_profit.
    """
    stack, window, patience = whole[0], whole[1], whole[2]
    side, born, stop, profit = 0.0, 0, math.nan, math.nan
    for t in range(close.size):
        out[0, t], out[1, t], out[2, t] = 0.0, math.nan, math.nan
        if t < window - 1:
            continue
        delta, total = 0.0, 0.0
        for j in range(t - window + 1, t + 1):
            delta += flow[0, j] - flow[1, j]
            total += flow[0, j] + flow[1, j]
        lean = 0.0 if abs(delta) <= 1e-9 * total else delta
        if side != 0 and (
            t - born > patience
            or side * lean <= 0
            or (side > 0 and (low[t] <= stop or high[t] > profit))
            or (side < 0 and (high[t] >= stop or low[t] < profit))
        ):
            side = 0.0
        turn = 1.0 if flow[2, t] >= stack and lean > 0 else -1.0 if both and flow[3, t] >= stack and lean < 0 else 0.0
        if turn != 0 and reach[t] > 0:
            node = heaviest(flow, t, window, rule[2])
            if turn * (close[t] - node) > 0:
                side, born = turn, t
                stop = close[t] - side * rule[0] * reach[t]
                profit = close[t] + side * rule[1] * reach[t]
        if side != 0:
            out[0, t] = side
            out[1, t] = stop if stop > 0 else math.nan
            out[2, t] = profit if profit > 0 else math.nan
