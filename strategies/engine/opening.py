"""What the open of a bar decides, and the close where orders fill there: phase A of docs/engine.md, section 3."""

from __future__ import annotations

import numpy as np
from numba import njit

from strategies.engine import layout as at
from strategies.engine.fills import end, fill_order, sweep_out
from strategies.engine.liquidation import liquidate, under_water
from strategies.engine.pricing import down, up
from strategies.engine.protection import fill_protective, fill_target, guarded, protective_stop, shrinks
from strategies.engine.reach import is_limit, stop_of, through
from strategies.engine.state import CANCELLED, IOC, MARKET, OF_PROFIT, STOP_LIMIT, WAS_IOC, WORKING, State


@njit(cache=True)
def order_at_open(s: State, i: int, row: int) -> None:
    order = s.orders[row]
    j, side = int(order[at.INSTRUMENT]), order[at.SIDE]
    price, touch = s.bar[j, at.BAR_OPEN], s.rules[at.TOUCH] != 0
    if order[at.KIND] == MARKET:
        if s.rules[at.FILL_AT_CLOSE] == 0:
            fill_order(s, i, row, price, False, at.AT_OPEN)
    elif is_limit(order):
        if through(side, price, order[at.LIMIT], touch):
            fill_order(s, i, row, price, True, at.AT_OPEN)
    elif order[at.TRIGGERED]:
        fill_order(s, i, row, price, False, at.AT_OPEN)
    else:
        stop = stop_of(s, row)
        if price >= stop if side > 0 else price <= stop:
            if order[at.KIND] == STOP_LIMIT:
                order[at.TRIGGERED], order[at.FRESH] = 1.0, 1.0
                if through(side, price, order[at.LIMIT], touch):
                    fill_order(s, i, row, price, True, at.AT_OPEN)
            else:
                order[at.TRIGGERED] = 1.0
                fill_order(s, i, row, price, False, at.AT_OPEN)


@njit(cache=True)
def levels_at_open(s: State, i: int, j: int) -> None:
    """Protective levels that the open of ``j`` is beyond, and exits that go on."""
    own, price = s.instruments[j], s.bar[j, at.BAR_OPEN]
    held = own[at.POSITION]
    if held == 0:
        own[at.FLATTEN] = 0.0
        return
    if own[at.FLATTEN]:
        fill_protective(s, i, j, price, int(own[at.FLATTEN]), int(own[at.FLATTEN_ROW]), at.AT_OPEN)
        return
    if not guarded(s, j):
        return
    level, origin = protective_stop(s, j)
    if level == level and (price <= level if held > 0 else price >= level):
        fill_protective(s, i, j, price, origin, -1, at.AT_OPEN)
        return
    profit = own[at.PROFIT_LEVEL]
    if profit == profit:
        profit = up(profit, s.markets[j, at.TICK]) if held > 0 else down(profit, s.markets[j, at.TICK])
        if through(-1.0 if held > 0 else 1.0, price, profit, s.rules[at.TOUCH] != 0):
            fill_protective(s, i, j, price, OF_PROFIT, -1, at.AT_OPEN)


@njit(cache=True)
def phase_open(s: State, i: int) -> None:
    """Phase A: everything that the open decides."""
    if under_water(s) and liquidate(s, i, False, np.nan, at.AT_OPEN):
        return
    count = len(s.instruments)
    step = s.counts[at.STEP]
    first = np.zeros(count, np.bool_)
    for j in range(count):
        first[j] = shrinks(s, j, s.bar[j, at.BAR_OPEN])
    last = s.counts[at.ACTIVE]
    for group in range(2):
        for j in range(count):
            if not s.bar[j, at.FILLABLE]:
                continue
            if group == 0:
                levels_at_open(s, i, j)
            if first[j] == (group == 0) and s.instruments[j, at.PENDING] and s.rules[at.FILL_AT_CLOSE] == 0:
                fill_target(s, i, j, s.bar[j, at.BAR_OPEN], at.AT_OPEN)
            for index in range(last):
                row = s.active[index]
                order = s.orders[row]
                if order[at.STATUS] != WORKING or order[at.INSTRUMENT] != j or order[at.WOKEN_STEP] == step:
                    continue
                if (order[at.REDUCE_ONLY] != 0) == (group == 0):
                    order_at_open(s, i, row)


@njit(cache=True)
def at_the_close(s: State, i: int) -> None:
    """``fill="close"``: market orders and targets at the close of the bar they were decided on."""
    count = len(s.instruments)
    first = np.zeros(count, np.bool_)
    for j in range(count):
        first[j] = shrinks(s, j, s.bar[j, at.BAR_CLOSE])
    for group in range(2):
        for j in range(count):
            own = s.instruments[j]
            if not s.bar[j, at.FILLABLE]:
                continue
            price = s.bar[j, at.BAR_CLOSE]
            if group == 0:
                own[at.VOLUME_USED] = own[at.BAR_USED]
            if own[at.PENDING] and first[j] == (group == 0):
                fill_target(s, i, j, price, at.AT_CLOSE)
            for index in range(s.counts[at.ACTIVE]):
                row = s.active[index]
                order = s.orders[row]
                if order[at.STATUS] != WORKING or order[at.INSTRUMENT] != j or order[at.KIND] != MARKET:
                    continue
                if (order[at.REDUCE_ONLY] != 0) == (group == 0):
                    if order[at.WOKEN_STEP] != 0 and order[at.WOKEN_BAR] == i:
                        continue
                    fill_order(s, i, row, price, False, at.AT_CLOSE)
                    if order[at.STATUS] == WORKING and order[at.TIME_IN_FORCE] == IOC:
                        end(s, row, CANCELLED, WAS_IOC)
    sweep_out(s)
