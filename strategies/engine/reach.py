"""Which orders a bar can fill, and from what price on: sections 3 and 4 of docs/engine.md."""

from __future__ import annotations

from typing import Any

from numba import njit

from strategies.engine import layout as at
from strategies.engine.fills import row_of
from strategies.engine.pricing import down, up
from strategies.engine.protection import guarded, protective_stop
from strategies.engine.state import LIMIT, STOP, STOP_LIMIT, TRAILING, WORKING, State


@njit(cache=True)
def stop_of(s: State, row: int) -> float:
    """The price at which a stop or a trailing stop triggers now."""
    order = s.orders[row]
    if order[at.KIND] != TRAILING:
        return order[at.STOP]
    tick = s.markets[int(order[at.INSTRUMENT]), at.TICK]
    side = order[at.SIDE]
    level = order[at.ORDER_EXTREME] + side * order[at.TRAIL]
    # Reduce-only towards the market, others away from it.
    upwards = (side > 0) != (order[at.REDUCE_ONLY] != 0)
    return up(level, tick) if upwards else down(level, tick)


@njit(cache=True)
def is_limit(order: Any) -> bool:
    return order[at.KIND] == LIMIT or (order[at.KIND] == STOP_LIMIT and order[at.TRIGGERED] != 0)


@njit(cache=True)
def is_stop(order: Any) -> bool:
    kind = order[at.KIND]
    return (kind == STOP or kind == TRAILING or kind == STOP_LIMIT) and order[at.TRIGGERED] == 0


@njit(cache=True)
def through(side: float, price: float, limit: float, touch: bool) -> bool:
    """Whether ``price`` is better than a limit of that side."""
    if price == limit:
        return touch
    return price < limit if side > 0 else price > limit


@njit(cache=True)
def start_of(s: State, row: int, j: int) -> float:
    """The price from which on an order takes part in this bar: the open, or where its parent filled."""
    order = s.orders[row]
    if order[at.WOKEN_STEP] == s.counts[at.STEP] and order[at.WOKEN_PHASE] != at.AT_OPEN:
        return order[at.WOKEN_PRICE]
    return s.bar[j, at.BAR_OPEN]


@njit(cache=True)
def takes_part(s: State, row: int, j: int, phase: int) -> bool:
    """Whether an order may fill in phase B or C of this bar: section 4."""
    order = s.orders[row]
    step = s.counts[at.STEP]
    if order[at.STATUS] != WORKING or order[at.INSTRUMENT] != j or order[at.SEEN] == step:
        return False
    if order[at.WOKEN_STEP] != step or order[at.WOKEN_PHASE] == at.AT_OPEN:
        return True
    return (
        order[at.WOKEN_PHASE] == at.IN_STOPS
        and opposes_parent(s, row)
        and not (phase == at.IN_LIMITS and s.rules[at.OPTIMISTIC] != 0)
    )


@njit(cache=True)
def opposes_parent(s: State, row: int) -> bool:
    order = s.orders[row]
    parent = row_of(s, order[at.PARENT])
    return parent >= 0 and s.orders[parent, at.SIDE] != order[at.SIDE]


@njit(cache=True)
def attached_now(s: State, row: int, j: int) -> bool:
    """Whether an order works since its parent filled in phase C of this bar, and has not been looked at."""
    order, step = s.orders[row], s.counts[at.STEP]
    if order[at.STATUS] != WORKING or order[at.SEEN] == step or order[at.INSTRUMENT] != j:
        return False
    return order[at.WOKEN_STEP] == step and order[at.WOKEN_PHASE] == at.IN_LIMITS and opposes_parent(s, row)


@njit(cache=True)
def profit_in_reach(s: State, j: int, held: float) -> bool:
    """Whether this bar holds a limit that would reduce a position of ``held``: that the stop came first is an assumption."""
    own, bar, touch = s.instruments[j], s.bar[j], s.rules[at.TOUCH] != 0
    side = -1.0 if held > 0 else 1.0
    extreme = bar[at.BAR_HIGH] if held > 0 else bar[at.BAR_LOW]
    profit = own[at.PROFIT_LEVEL]
    if profit == profit and guarded(s, j):
        profit = up(profit, s.markets[j, at.TICK]) if held > 0 else down(profit, s.markets[j, at.TICK])
        if through(side, extreme, profit, touch):
            return True
    for index in range(s.counts[at.ACTIVE]):
        row = s.active[index]
        order = s.orders[row]
        if order[at.SIDE] == side and is_limit(order) and takes_part(s, row, j, at.IN_LIMITS):
            if through(side, extreme, order[at.LIMIT], touch):
                return True
    return False


@njit(cache=True)
def stop_in_reach(s: State, j: int, held: float) -> bool:
    """With optimistic fills, whether this bar also holds a stop that would reduce a position of ``held``."""
    if s.rules[at.OPTIMISTIC] == 0:
        return False
    own, bar = s.instruments[j], s.bar[j]
    side = -1.0 if held > 0 else 1.0
    high, low = bar[at.BAR_HIGH], bar[at.BAR_LOW]
    if guarded(s, j) and own[at.FLATTEN] == 0:
        level, _ = protective_stop(s, j)
        if level == level and (low <= level if held > 0 else high >= level):
            return True
    for index in range(s.counts[at.ACTIVE]):
        row = s.active[index]
        order = s.orders[row]
        if order[at.SIDE] == side and is_stop(order) and takes_part(s, row, j, at.IN_STOPS):
            level = stop_of(s, row)
            if high >= level if side > 0 else low <= level:
                return True
    return False
