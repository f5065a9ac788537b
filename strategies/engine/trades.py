"""Trades and positions from fills: section 9 of docs/engine.md."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from strategies.engine import layout as at
from strategies.engine.prefetch import fetch_range

COLUMNS = 14
SOON = 2  # fills from now


@njit(cache=True)
def trades_of(fills: Any, orders: Any, multipliers: Any, close: Any, splits: Any) -> tuple[Any, Any]:
    """From flat to flat, in order of their first fill. ``splits`` are (s, 3) rows of bar, instrument, ratio.

    Returns
    -------
    (t, 14) float64
        instrument, side, entry bar, exit bar, largest quantity, mean entry and exit price, pnl, fees, slippage, entry reason,
        exit reason, ambiguous, open.
    (f, 2) int64
        The trade that each fill ends or reduces, and the one that it opens or enlarges; -1 for none.
    """
    count = close.shape[1]
    table = np.zeros((len(fills) + 1, COLUMNS))
    of_fill = np.full((len(fills), 2), -1, np.int64)
    current = np.full(count, -1, np.int64)
    held = np.zeros(count)
    bought = np.zeros((len(fills) + 1, 4))  # entry quantity, entry value, exit quantity, exit value
    made = split = 0
    for f in range(len(fills)):
        row = fills[f]
        while split < len(splits) and splits[split, 0] <= row[at.FILL_BAR]:
            rescale(table, bought, current, held, splits[split])
            split += 1
        j = int(row[at.FILL_INSTRUMENT])
        side, quantity, price = row[at.FILL_SIDE], row[at.FILL_QUANTITY], row[at.FILL_PRICE]
        fee, slip = row[at.FILL_FEE], row[at.FILL_SLIPPAGE]
        order = orders[int(row[at.FILL_ORDER])]
        reason = order[at.REASON] if order[at.ORIGIN] == 0 else -order[at.ORIGIN]
        before, after = held[j], row[at.FILL_POSITION]
        closing = min(quantity, abs(before)) if before * side < 0 else 0.0
        if before * side < 0 and after == 0:
            closing = quantity
        if closing > 0:
            t = current[j]
            of_fill[f, 0] = t
            share = closing / quantity
            bought[t, 2] += closing
            bought[t, 3] += closing * price
            table[t, 8] += fee * share
            table[t, 9] += slip * share
            table[t, 3], table[t, 11] = row[at.FILL_BAR], reason
            if row[at.FILL_AMBIGUOUS]:
                table[t, 12] = 1.0
            if after == 0 or after * before < 0:
                current[j] = -1
        opening = quantity - closing
        if opening > 0 and after != 0:
            t = current[j]
            if t < 0:
                t = made
                made += 1
                current[j] = t
                table[t, 0], table[t, 1] = j, side
                table[t, 2], table[t, 10], table[t, 13] = row[at.FILL_BAR], reason, 1.0
            of_fill[f, 1] = t
            share = opening / quantity
            bought[t, 0] += opening
            bought[t, 1] += opening * price
            table[t, 8] += fee * share
            table[t, 9] += slip * share
        held[j] = after
        if current[j] >= 0:
            table[current[j], 4] = max(table[current[j], 4], abs(after))
    while split < len(splits):
        rescale(table, bought, current, held, splits[split])
        split += 1
    for j in range(count):
        # What is open at the end is valued at the last close, and has no exit but that.
        t = current[j]
        if t >= 0:
            last = len(close) - 1
            while last > 0 and not close[last, j] == close[last, j]:
                last -= 1
            price = close[last, j]
            for done in range(len(splits)):
                if splits[done, 1] == j and splits[done, 0] > last:
                    price /= splits[done, 2]  # nothing has traded since
            bought[t, 2] += abs(held[j])
            bought[t, 3] += abs(held[j]) * price
            table[t, 3] = len(close) - 1
    for t in range(made):
        if current[int(table[t, 0])] != t:
            table[t, 13] = 0.0
        table[t, 5] = bought[t, 1] / bought[t, 0]
        table[t, 6] = bought[t, 3] / bought[t, 2] if bought[t, 2] > 0 else np.nan
        side = table[t, 1]
        table[t, 7] = side * (bought[t, 3] - bought[t, 1]) * multipliers[int(table[t, 0])] - table[t, 8]
    return table[:made], of_fill


@njit(cache=True)
def rescale(table: Any, bought: Any, current: Any, held: Any, split: Any) -> None:
    """A split of an open trade: more units at a lower price, the same money."""
    j = int(split[1])
    held[j] *= split[2]
    t = current[j]
    if t >= 0:
        table[t, 4] *= split[2]
        bought[t, 0] *= split[2]
        bought[t, 2] *= split[2]


@njit(cache=True)
def excursions(fills: Any, of_fill: Any, multipliers: Any, high: Any, low: Any, close: Any, splits: Any) -> Any:
    """(t, 2) worst and best open result of each trade, against its mean entry price."""
    made = 0
    for f in range(len(fills)):
        made = max(made, of_fill[f, 0] + 1, of_fill[f, 1] + 1)
    answer = np.zeros((made, 2))
    count = close.shape[1]
    for j in range(count):
        held, mean, trade, bar, split = 0.0, 0.0, -1, 0, 0
        since_open, opened_at_close = True, -1
        unit = multipliers[j]
        f = 0
        while True:
            while f < len(fills) and fills[f, at.FILL_INSTRUMENT] != j:
                f += 1
            until = int(fills[f, at.FILL_BAR]) if f < len(fills) else len(close)
            at_close = f < len(fills) and fills[f, at.FILL_PHASE] == at.AT_CLOSE
            if at_close:
                until += 1  # what was held before has that whole bar
            if trade >= 0:
                # Bars that end with this position, from one split to the next.
                i, over = bar, min(until, len(close))
                while i < over:
                    while split < len(splits) and splits[split, 0] <= i:
                        if splits[split, 1] == j and splits[split, 0] >= bar:
                            held, mean = held * splits[split, 2], mean / splits[split, 2]
                        split += 1
                    stop = over
                    if split < len(splits):
                        stop = min(over, int(splits[split, 0]))
                    if since_open:
                        bottom, top = extremes(low, high, i, stop, j)
                    else:
                        stop = i + 1
                        bottom = top = close[i, j]
                        since_open = True
                    if bottom <= top:
                        one, other = (bottom - mean) * held * unit, (top - mean) * held * unit
                        answer[trade, 0] = min(answer[trade, 0], one, other)
                        answer[trade, 1] = max(answer[trade, 1], one, other)
                    i = stop
            if f >= len(fills):
                break
            row = fills[f]
            if f + SOON < len(fills):
                fetch_range(low, high, int(fills[f + SOON, at.FILL_BAR]) * count + j)
            while split < len(splits) and splits[split, 0] <= row[at.FILL_BAR]:
                if splits[split, 1] == j and trade >= 0:
                    held, mean = held * splits[split, 2], mean / splits[split, 2]
                split += 1
            price, quantity, after = row[at.FILL_PRICE], row[at.FILL_QUANTITY], row[at.FILL_POSITION]
            if of_fill[f, 0] >= 0:
                gain = (price - mean) * held * unit
                trade = of_fill[f, 0]
                answer[trade, 0], answer[trade, 1] = min(answer[trade, 0], gain), max(answer[trade, 1], gain)
            if of_fill[f, 1] >= 0:
                opening = abs(after) if of_fill[f, 0] >= 0 or held == 0 else quantity
                kept = abs(after) - opening
                mean = (kept * mean + opening * price) / abs(after)
                trade = of_fill[f, 1]
                if kept == 0:
                    since_open = row[at.FILL_PHASE] == at.AT_OPEN or at_close
                    opened_at_close = until if at_close else -1
                if at_close and opened_at_close == until:
                    gain = (close[until - 1, j] - mean) * after * unit
                    answer[trade, 0], answer[trade, 1] = min(answer[trade, 0], gain), max(answer[trade, 1], gain)
            held = after
            bar = until
            if held == 0:
                trade = -1
            f += 1
    return answer


@njit(cache=True)
def extremes(low: Any, high: Any, start: int, stop: int, j: int) -> tuple[float, float]:
    """The lowest low and the highest high of bars; (inf, -inf) where all are absent."""
    bottom, top = np.inf, -np.inf
    for i in range(start, stop):
        if low[i, j] < bottom:
            bottom = low[i, j]
        if high[i, j] > top:
            top = high[i, j]
    return bottom, top


@njit(cache=True)
def positions_at(fills: Any, splits: Any, n: int, count: int) -> Any:
    """(n, k) units held at each close. ``splits`` are (s, 3) rows of bar, instrument, ratio."""
    answer = np.zeros((n, count))
    held = np.zeros(count)
    f = split = 0
    for i in range(n):
        while split < len(splits) and splits[split, 0] <= i:
            held[int(splits[split, 1])] *= splits[split, 2]
            split += 1
        while f < len(fills) and fills[f, at.FILL_BAR] <= i:
            held[int(fills[f, at.FILL_INSTRUMENT])] = fills[f, at.FILL_POSITION]
            f += 1
        answer[i] = held
    return answer
