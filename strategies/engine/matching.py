"""One bar against the orders that work: phases B and C of docs/engine.md, sections 3 and 4."""

from __future__ import annotations

import numpy as np
from numba import njit

from strategies.engine import layout as at
from strategies.engine.fills import end, fill_order, sweep_out
from strategies.engine.liquidation import liquidate, liquidation_price, worst_is_under_water
from strategies.engine.opening import phase_open
from strategies.engine.pricing import down, up
from strategies.engine.protection import fill_protective, guarded, protective_stop, set_trail
from strategies.engine.reach import (
    attached_now,
    is_limit,
    is_stop,
    profit_in_reach,
    start_of,
    stop_in_reach,
    stop_of,
    takes_part,
    through,
)
from strategies.engine.state import CANCELLED, FAR, IOC, LIMIT, MARKET, OF_PROFIT, STOP_LIMIT, TRAILING, WAS_IOC, WORKING, State


@njit(cache=True)
def trigger_limit(s: State, i: int, row: int, j: int, phase: int) -> None:
    """A stop-limit triggers within the range: it fills in this bar only where the close is through its limit."""
    order, bar = s.orders[row], s.bar[j]
    side, limit = order[at.SIDE], order[at.LIMIT]
    order[at.TRIGGERED], order[at.FRESH] = 1.0, 0.0
    if through(side, bar[at.BAR_CLOSE], limit, s.rules[at.TOUCH] != 0):
        limit = min(limit, bar[at.BAR_HIGH]) if side > 0 else max(limit, bar[at.BAR_LOW])
        fill_order(s, i, row, limit, True, phase)


@njit(cache=True)
def phase_stops(s: State, i: int, j: int) -> None:
    """Phase B for one instrument: the nearest stop first, those that reduce before the others."""
    own, bar = s.instruments[j], s.bar[j]
    opened, high, low = bar[at.BAR_OPEN], bar[at.BAR_HIGH], bar[at.BAR_LOW]
    step = s.counts[at.STEP]
    set_trail(s, j)
    protected = False
    while True:
        best, best_group, best_distance, price, origin = -1, 2, FAR, np.nan, 0
        held = own[at.POSITION]
        if held != 0 and len(s.instruments) == 1:
            level = liquidation_price(s)
            if level == level and (low <= level if held > 0 else high >= level):
                start = own[at.ENLARGED_PRICE] if own[at.ENLARGED_STEP] == step else opened
                level = min(level, start) if held > 0 else max(level, start)
                best, best_group, best_distance, price = -2, 0, abs(level - opened), level
        if held != 0 and not protected and own[at.FLATTEN] == 0 and guarded(s, j):
            level, source = protective_stop(s, j)
            if level == level and (low <= level if held > 0 else high >= level):
                level = min(level, opened) if held > 0 else max(level, opened)
                if best_group > 0 or abs(level - opened) < best_distance:
                    best, best_group, best_distance, price, origin = -3, 0, abs(level - opened), level, source
        for index in range(s.counts[at.ACTIVE]):
            row = s.active[index]
            order = s.orders[row]
            if not is_stop(order) or not takes_part(s, row, j, at.IN_STOPS):
                continue
            level, side = stop_of(s, row), order[at.SIDE]
            if not (high >= level if side > 0 else low <= level):
                continue
            start = start_of(s, row, j)
            level = max(level, start) if side > 0 else min(level, start)
            group = 0 if order[at.REDUCE_ONLY] else 1
            if group < best_group or (group == best_group and abs(level - opened) < best_distance):
                best, best_group, best_distance, price = row, group, abs(level - opened), level
        if best == -1:
            return
        if best == -2:
            liquidate(s, i, False, price, at.IN_STOPS)
            return
        before = s.counts[at.FILLS]
        if best == -3:
            protected = True
            both = profit_in_reach(s, j, held)
            fill_protective(s, i, j, price, origin, -1, at.IN_STOPS)
        else:
            order = s.orders[best]
            order[at.SEEN] = step
            side = order[at.SIDE]
            if order[at.KIND] == STOP_LIMIT:
                trigger_limit(s, i, best, j, at.IN_STOPS)
                continue
            reduces = held * side < 0
            both = reduces and profit_in_reach(s, j, held)
            both = both or (order[at.WOKEN_STEP] == step and order[at.WOKEN_PHASE] == at.IN_STOPS)
            order[at.TRIGGERED] = 1.0
            fill_order(s, i, best, price, False, at.IN_STOPS)
        if both and s.counts[at.FILLS] > before:
            s.fills[before, at.FILL_AMBIGUOUS] = 1.0


@njit(cache=True)
def attached_in_limits(s: State, i: int, j: int, enlarged: bool, entry: float) -> None:
    """Rule 4 of section 4: what is attached to an entry that a limit made in this bar. Stops first, the nearest first."""
    bar, own = s.bar[j], s.instruments[j]
    high, low, close = bar[at.BAR_HIGH], bar[at.BAR_LOW], bar[at.BAR_CLOSE]
    while True:
        best, best_distance, price = -1, FAR, np.nan
        held = own[at.POSITION]
        if enlarged and held != 0 and len(s.instruments) == 1:
            level = liquidation_price(s)
            if level == level and (low <= level if held > 0 else high >= level):
                level = min(level, entry) if held > 0 else max(level, entry)
                best, best_distance, price = -2, abs(level - entry), level
        for index in range(s.counts[at.ACTIVE]):
            row = s.active[index]
            order = s.orders[row]
            if not is_stop(order) or not attached_now(s, row, j):
                continue
            level, side, start = stop_of(s, row), order[at.SIDE], order[at.WOKEN_PRICE]
            if not (high >= level if side > 0 else low <= level):
                continue
            level = max(level, start) if side > 0 else min(level, start)
            if abs(level - start) < best_distance:
                best, best_distance, price = row, abs(level - start), level
        if best == -2:
            liquidate(s, i, False, price, at.IN_LIMITS)
            return
        if best >= 0:
            s.orders[best, at.SEEN] = s.counts[at.STEP]
            if s.orders[best, at.KIND] == STOP_LIMIT:
                trigger_limit(s, i, best, j, at.IN_LIMITS)
            else:
                s.orders[best, at.TRIGGERED] = 1.0
                fill_order(s, i, best, price, False, at.IN_LIMITS)
            continue
        for index in range(s.counts[at.ACTIVE]):
            row = s.active[index]
            order = s.orders[row]
            if order[at.KIND] == LIMIT and attached_now(s, row, j):
                best = row
                break
        if best == -1:
            return
        order = s.orders[best]
        order[at.SEEN] = s.counts[at.STEP]
        side, limit, start = order[at.SIDE], order[at.LIMIT], order[at.WOKEN_PRICE]
        if through(side, close, limit, s.rules[at.TOUCH] != 0):
            both = held * side < 0 and stop_in_reach(s, j, held)
            f = s.counts[at.FILLS]
            if fill_order(s, i, best, max(limit, start) if side < 0 else min(limit, start), True, at.IN_LIMITS) and both:
                s.fills[f, at.FILL_AMBIGUOUS] = 1.0


@njit(cache=True)
def phase_limits(s: State, i: int, j: int) -> None:
    """Phase C for one instrument."""
    own, bar = s.instruments[j], s.bar[j]
    opened, high, low = bar[at.BAR_OPEN], bar[at.BAR_HIGH], bar[at.BAR_LOW]
    step, touch = s.counts[at.STEP], s.rules[at.TOUCH] != 0
    set_trail(s, j)
    held, profit = own[at.POSITION], own[at.PROFIT_LEVEL]
    if held != 0 and profit == profit and own[at.FLATTEN] == 0 and guarded(s, j):
        profit = up(profit, s.markets[j, at.TICK]) if held > 0 else down(profit, s.markets[j, at.TICK])
        if through(-1.0 if held > 0 else 1.0, high if held > 0 else low, profit, touch):
            both = stop_in_reach(s, j, held)
            before = s.counts[at.FILLS]
            fill_protective(s, i, j, max(profit, opened) if held > 0 else min(profit, opened), OF_PROFIT, -1, at.IN_LIMITS)
            if both and s.counts[at.FILLS] > before:
                s.fills[before, at.FILL_AMBIGUOUS] = 1.0
    for group in range(2):
        for index in range(s.counts[at.ACTIVE]):
            row = s.active[index]
            order = s.orders[row]
            if (order[at.REDUCE_ONLY] != 0) != (group == 0) or not is_limit(order) or not takes_part(s, row, j, at.IN_LIMITS):
                continue
            side, limit = order[at.SIDE], order[at.LIMIT]
            if through(side, low if side > 0 else high, limit, touch):
                order[at.SEEN] = step
                start = start_of(s, row, j)
                price = limit
                if order[at.WOKEN_STEP] == step:
                    price = min(limit, start) if side > 0 else max(limit, start)
                before = own[at.POSITION]
                both = before * side < 0 and stop_in_reach(s, j, before)
                f = s.counts[at.FILLS]
                if fill_order(s, i, row, price, True, at.IN_LIMITS):
                    after = own[at.POSITION]
                    if both:
                        s.fills[f, at.FILL_AMBIGUOUS] = 1.0
                    attached_in_limits(s, i, j, abs(after) > abs(before) or before * after < 0, price)
                    if s.account[at.BANKRUPT]:
                        return


@njit(cache=True)
def step_over(s: State) -> None:
    """What the end of a bar changes: trailing extremes, orders that had one bar, limits that are not fresh any more."""
    step = s.counts[at.STEP]
    for j in range(len(s.instruments)):
        if not s.bar[j, at.FILLABLE]:
            continue
        own, bar = s.instruments[j], s.bar[j]
        held = own[at.POSITION]
        if held != 0:
            since_open = own[at.OPENED_STEP] != step or own[at.OPENED_PHASE] == at.AT_OPEN
            if held > 0:
                own[at.EXTREME] = max(own[at.EXTREME], bar[at.BAR_HIGH] if since_open else bar[at.BAR_CLOSE])
            else:
                own[at.EXTREME] = min(own[at.EXTREME], bar[at.BAR_LOW] if since_open else bar[at.BAR_CLOSE])
    for index in range(s.counts[at.ACTIVE]):
        row = s.active[index]
        order = s.orders[row]
        if order[at.STATUS] != WORKING:
            continue
        j = int(order[at.INSTRUMENT])
        bar = s.bar[j]
        if not bar[at.FILLABLE]:
            continue
        order[at.FRESH] = 0.0
        woken = order[at.WOKEN_STEP] == step
        if order[at.TIME_IN_FORCE] == IOC and not woken and (order[at.KIND] != MARKET or s.rules[at.FILL_AT_CLOSE] == 0):
            end(s, row, CANCELLED, WAS_IOC)
            continue
        if order[at.KIND] == TRAILING and order[at.TRIGGERED] == 0:
            since_open = not woken or order[at.WOKEN_PHASE] == at.AT_OPEN
            if order[at.SIDE] < 0:
                order[at.ORDER_EXTREME] = max(order[at.ORDER_EXTREME], bar[at.BAR_HIGH] if since_open else bar[at.BAR_CLOSE])
            else:
                order[at.ORDER_EXTREME] = min(order[at.ORDER_EXTREME], bar[at.BAR_LOW] if since_open else bar[at.BAR_CLOSE])
    sweep_out(s)


@njit(cache=True)
def match(s: State, i: int) -> None:
    """One bar, or finer bar, in ``s.bar``, against everything that works."""
    s.counts[at.STEP] += 1
    count = len(s.instruments)
    for j in range(count):
        s.instruments[j, at.VOLUME_USED] = 0.0
        if s.bar[j, at.BAR_OPEN] == s.bar[j, at.BAR_OPEN]:
            s.instruments[j, at.MARK] = s.bar[j, at.BAR_OPEN]
        set_trail(s, j)
    phase_open(s, i)
    if not s.account[at.BANKRUPT]:
        for turn in range(2):
            for j in range(count):
                if s.bar[j, at.FILLABLE] and not s.account[at.BANKRUPT]:
                    if (turn == 0) == (s.rules[at.OPTIMISTIC] == 0):
                        phase_stops(s, i, j)
                    else:
                        phase_limits(s, i, j)
        if count > 1 and worst_is_under_water(s):
            liquidate(s, i, True, np.nan, at.IN_LIMITS)
    step_over(s)
    for j in range(count):
        if s.bar[j, at.BAR_CLOSE] == s.bar[j, at.BAR_CLOSE]:
            s.instruments[j, at.MARK] = s.bar[j, at.BAR_CLOSE]
