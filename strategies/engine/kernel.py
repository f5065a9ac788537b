"""The simulation's loop: sections 2 and 6 of docs/engine.md, in one pass over the bars.

``run`` goes on from where the state is, and stops early when the arrays for orders or fills might not suffice for the
next bar: whoever called makes them larger and calls again. Bars on which nothing works and nothing is decided take
the short way, a few instructions each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from strategies.engine import layout as at
from strategies.engine.fills import end, row_of, sweep_out
from strategies.engine.layout import Action
from strategies.engine.matching import match
from strategies.engine.opening import at_the_close
from strategies.engine.pricing import down, up
from strategies.engine.protection import end_flatten, end_target
from strategies.engine.series import (
    ACTION_BAR,
    ACTION_DIVIDEND,
    ACTION_INSTRUMENT,
    ACTION_RATIO,
    IN_ACTION,
    IN_BAR,
    IN_GROUP,
    IN_ID,
    IN_INSTRUMENT,
    IN_KIND,
    IN_LIMIT,
    IN_PARENT,
    IN_QUANTITY,
    IN_REASON,
    IN_REDUCE,
    IN_SIDE,
    IN_STOP,
    IN_TIF,
    IN_TRAIL,
    Series,
    session_of,
)
from strategies.engine.shortcuts import last_known, plain, quiet, run_plain, walk
from strategies.engine.state import (
    ASKED,
    CANCELLED,
    CHANGED,
    EXPIRED,
    LIMIT,
    NO_LOT,
    NO_PARENT,
    NO_PRICE,
    NONE,
    OF_INTENT,
    REJECTED,
    STOP,
    STOP_LIMIT,
    TRAILING,
    WAITING,
    WAS_BANKRUPT,
    WAS_DAY,
    WORKING,
    YEAR,
    State,
)

DAY = 2
CANCEL, REPLACE = int(Action.CANCEL), int(Action.REPLACE)


@njit(cache=True)
def round_prices(order: Any, tick: float) -> None:
    buying = order[at.SIDE] > 0
    order[at.LIMIT] = down(order[at.LIMIT], tick) if buying else up(order[at.LIMIT], tick)
    upwards = buying != (order[at.REDUCE_ONLY] != 0)
    order[at.STOP] = up(order[at.STOP], tick) if upwards else down(order[at.STOP], tick)


@njit(cache=True)
def lacks_price(order: Any) -> bool:
    kind = order[at.KIND]
    if kind in (LIMIT, STOP_LIMIT) and not order[at.LIMIT] > 0:
        return True
    if kind in (STOP, STOP_LIMIT) and not order[at.STOP] > 0:
        return True
    return kind == TRAILING and not order[at.TRAIL] > 0


@njit(cache=True)
def place(s: State, series: Series, i: int, intent: Any) -> None:
    """A new order. It works from the next bar on, or waits for its parent."""
    row = s.counts[at.ORDERS]
    s.counts[at.ORDERS] += 1
    order = s.orders[row]
    order[:] = 0.0
    j = int(intent[IN_INSTRUMENT])
    order[at.ID], order[at.BAR], order[at.INSTRUMENT] = intent[IN_ID], i, j
    order[at.SIDE], order[at.KIND] = intent[IN_SIDE], intent[IN_KIND]
    order[at.LIMIT], order[at.STOP], order[at.TRAIL] = intent[IN_LIMIT], intent[IN_STOP], intent[IN_TRAIL]
    order[at.TIME_IN_FORCE], order[at.REDUCE_ONLY] = intent[IN_TIF], intent[IN_REDUCE]
    order[at.PARENT], order[at.GROUP], order[at.REASON] = intent[IN_PARENT], intent[IN_GROUP], intent[IN_REASON]
    order[at.ORIGIN], order[at.FRESH] = OF_INTENT, 1.0
    order[at.QUANTITY] = down(intent[IN_QUANTITY], s.markets[j, at.LOT])
    order[at.ORDER_EXTREME] = s.instruments[j, at.MARK]
    order[at.SESSION] = s.counts[at.SESSION_NEXT]
    round_prices(order, s.markets[j, at.TICK])
    why = NONE
    if s.account[at.BANKRUPT]:
        why = WAS_BANKRUPT
    elif order[at.PARENT] == 0 and not order[at.QUANTITY] > 0:
        why = NO_LOT
    elif lacks_price(order) or (order[at.KIND] == TRAILING and order[at.PARENT] == 0 and not order[at.ORDER_EXTREME] > 0):
        why = NO_PRICE
    if why == NONE and order[at.PARENT] != 0:
        order[at.QUANTITY] = 0.0
        parent = row_of(s, order[at.PARENT])
        known = parent >= 0 and parent != row and s.orders[parent, at.INSTRUMENT] == j
        if known and s.orders[parent, at.FILLED] > 0:
            order[at.QUANTITY] = s.orders[parent, at.FILLED]
        elif known and s.orders[parent, at.STATUS] in (WORKING, WAITING):
            order[at.STATUS] = WAITING
        else:
            order[at.STATUS], order[at.WHY] = CANCELLED, NO_PARENT
            return
    if why != NONE:
        order[at.STATUS], order[at.WHY] = REJECTED, why
        return
    s.active[s.counts[at.ACTIVE]] = row
    s.counts[at.ACTIVE] += 1


@njit(cache=True)
def replace(s: State, intent: Any) -> None:
    row = row_of(s, intent[IN_ID])
    if row < 0:
        return
    order = s.orders[row]
    if order[at.STATUS] != WORKING and order[at.STATUS] != WAITING:
        return
    if intent[IN_LIMIT] <= 0 or intent[IN_STOP] <= 0 or intent[IN_TRAIL] <= 0:
        return
    if order[at.PARENT] == 0 and intent[IN_QUANTITY] == intent[IN_QUANTITY]:
        quantity = down(intent[IN_QUANTITY], s.markets[int(order[at.INSTRUMENT]), at.LOT])
        if quantity <= order[at.FILLED]:
            end(s, row, CANCELLED, ASKED)
            return
        order[at.QUANTITY] = quantity
    if intent[IN_LIMIT] > 0:
        order[at.LIMIT], order[at.FRESH] = intent[IN_LIMIT], 1.0
    if intent[IN_STOP] > 0:
        order[at.STOP] = intent[IN_STOP]
    if intent[IN_TRAIL] > 0:
        order[at.TRAIL] = intent[IN_TRAIL]
    round_prices(order, s.markets[int(order[at.INSTRUMENT]), at.TICK])


@njit(cache=True)
def cancel_order(s: State, name: float) -> None:
    row = row_of(s, name)
    if row >= 0 and (s.orders[row, at.STATUS] == WORKING or s.orders[row, at.STATUS] == WAITING):
        end(s, row, CANCELLED, ASKED)


@njit(cache=True)
def begin_deciding(s: State, series: Series, i: int) -> None:
    """Bring marks and sessions to the close of bar ``i`` where bars were passed over because nothing worked in them."""
    s.counts[at.SESSION_NOW] = session_of(series, i)
    s.counts[at.SESSION_NEXT] = session_of(series, i + 1) if i + 1 < len(series.time) else -1
    price = last_known(series.close, i, s.instruments[0, at.MARK])
    s.instruments[0, at.MARK] = s.instruments[0, at.CLOSE_BEFORE] = price


@njit(cache=True)
def decide(s: State, series: Series, i: int) -> None:
    """What was decided at the close of bar ``i`` begins to work."""
    while s.counts[at.NEXT_INTENT] < len(series.intents):
        intent = series.intents[s.counts[at.NEXT_INTENT]]
        if intent[IN_BAR] > i:
            break
        s.counts[at.NEXT_INTENT] += 1
        if intent[IN_ACTION] == CANCEL:
            cancel_order(s, intent[IN_ID])
        elif intent[IN_ACTION] == REPLACE:
            replace(s, intent)
        else:
            place(s, series, i, intent)
    sweep_out(s)
    for j in range(len(s.instruments)):
        own = s.instruments[j]
        if len(series.targets) and series.targets[i, j] != own[at.TARGET]:
            end_target(s, j, CHANGED)
            end_flatten(s, j, CHANGED)
            own[at.TARGET] = series.targets[i, j]
            own[at.PENDING], own[at.TARGET_BAR], own[at.TARGET_ROW] = 1.0, i, -1.0
        if len(series.stops):
            own[at.STOP_LEVEL] = series.stops[i, j]
        if len(series.profits):
            own[at.PROFIT_LEVEL] = series.profits[i, j]
        if len(series.trails):
            own[at.TRAIL_DISTANCE] = series.trails[i, j]
            if not own[at.TRAIL_DISTANCE] == own[at.TRAIL_DISTANCE]:
                own[at.TRAIL_LEVEL] = np.nan


@njit(cache=True)
def carry(s: State, series: Series, i: int) -> None:
    """Borrow and interest for the time since the last bar."""
    elapsed = (series.time[i] - series.time[i - 1]) / YEAR
    cash = s.account[at.CASH]
    for j in range(len(s.instruments)):
        held = s.instruments[j, at.POSITION]
        if held < 0:
            owed = -held * s.instruments[j, at.CLOSE_BEFORE] * s.markets[j, at.MULTIPLIER]
            owed *= s.rules[at.BORROW_RATE] * elapsed
            s.account[at.CASH] -= owed
            s.account[at.BORROW] += owed
    if cash < 0:
        owed = -cash * s.rules[at.INTEREST_RATE] * elapsed
        s.account[at.CASH] -= owed
        s.account[at.INTEREST] += owed


@njit(cache=True)
def act(s: State, series: Series, i: int) -> None:
    """Splits and dividends of bar ``i``."""
    while s.counts[at.NEXT_ACTION] < len(series.actions):
        action = series.actions[s.counts[at.NEXT_ACTION]]
        if action[ACTION_BAR] > i:
            break
        s.counts[at.NEXT_ACTION] += 1
        j = int(action[ACTION_INSTRUMENT])
        own, ratio = s.instruments[j], action[ACTION_RATIO]
        if ratio != 1:
            own[at.POSITION] *= ratio
            for column in (
                at.MARK,
                at.CLOSE_BEFORE,
                at.STOP_LEVEL,
                at.PROFIT_LEVEL,
                at.TRAIL_DISTANCE,
                at.TRAIL_LEVEL,
                at.EXTREME,
            ):
                own[column] /= ratio
            for column in (at.TARGET_ROW, at.FLATTEN_ROW):
                row = int(own[column])
                if row >= 0 and s.orders[row, at.STATUS] == WORKING:
                    s.orders[row, at.QUANTITY] *= ratio
                    s.orders[row, at.FILLED] *= ratio
            for index in range(s.counts[at.ACTIVE]):
                order = s.orders[s.active[index]]
                if order[at.INSTRUMENT] == j:
                    order[at.QUANTITY] *= ratio
                    order[at.FILLED] *= ratio
                    for column in (at.LIMIT, at.STOP, at.TRAIL, at.ORDER_EXTREME):
                        order[column] /= ratio
        paid = own[at.POSITION] * action[ACTION_DIVIDEND] * s.markets[j, at.MULTIPLIER]
        s.account[at.CASH] += paid
        s.account[at.DIVIDENDS] += paid


@njit(cache=True)
def fund(s: State, series: Series, i: int) -> None:
    for j in range(len(s.instruments)):
        rate, price = series.funding[i, j], series.open[i, j]
        if rate == rate and price == price and s.instruments[j, at.POSITION] != 0:
            paid = s.instruments[j, at.POSITION] * price * s.markets[j, at.MULTIPLIER] * rate
            s.account[at.CASH] -= paid
            s.account[at.FUNDING] += paid


@njit(cache=True)
def expire(s: State, series: Series, i: int) -> None:
    session = s.counts[at.SESSION_NOW]
    for index in range(s.counts[at.ACTIVE]):
        row = s.active[index]
        order = s.orders[row]
        if order[at.STATUS] == WORKING and order[at.TIME_IN_FORCE] == DAY and order[at.SESSION] != session:
            end(s, row, EXPIRED, WAS_DAY)
    sweep_out(s)


@njit(cache=True)
def load(s: State, series: Series, i: int) -> None:
    """Bar ``i`` of every instrument into ``s.bar``."""
    for j in range(len(s.instruments)):
        row = s.bar[j]
        row[at.BAR_OPEN], row[at.BAR_HIGH] = series.open[i, j], series.high[i, j]
        row[at.BAR_LOW], row[at.BAR_CLOSE] = series.low[i, j], series.close[i, j]
        volume = series.volume[i, j]
        row[at.BAR_VOLUME] = volume
        known = row[at.BAR_OPEN] + row[at.BAR_HIGH] + row[at.BAR_LOW] + row[at.BAR_CLOSE]
        if not known == known:
            row[: at.BAR_VOLUME] = np.nan
        row[at.FILLABLE] = known == known and not volume <= 0 and (len(series.fillable) == 0 or series.fillable[i, j] != 0)


@njit(cache=True)
def begin_bar(s: State, series: Series, i: int) -> None:
    """Steps 1 to 5 of a bar."""
    if i > 0 and s.rules[at.CARRIES]:
        carry(s, series, i)
    if len(series.actions):
        act(s, series, i)
    for j in range(len(s.instruments)):
        if s.bar[j, at.BAR_OPEN] == s.bar[j, at.BAR_OPEN]:
            s.instruments[j, at.MARK] = s.bar[j, at.BAR_OPEN]
    if len(series.funding):
        fund(s, series, i)
    if s.counts[at.ACTIVE]:
        expire(s, series, i)


@njit(cache=True)
def whole_bar(s: State, series: Series, i: int, deciding: bool) -> float:
    """Everything that happens in bar ``i``; returns the equity at its close."""
    load(s, series, i)
    s.counts[at.SESSION_NOW] = session_of(series, i)
    s.counts[at.SESSION_NEXT] = session_of(series, i + 1) if i + 1 < len(series.time) else -1
    for j in range(len(s.instruments)):
        s.instruments[j, at.BAR_USED] = 0.0
    begin_bar(s, series, i)
    if not s.account[at.BANKRUPT]:
        fine = len(series.fine_from) > 0 and series.fine_from[i + 1] > series.fine_from[i]
        if fine and s.bar[0, at.FILLABLE]:
            for part in range(series.fine_from[i], series.fine_from[i + 1]):
                s.bar[0, : at.FILLABLE] = series.fine[part]
                s.bar[0, at.FILLABLE] = not series.fine[part, at.BAR_VOLUME] <= 0
                before = s.counts[at.FILLS]
                match(s, i)
                if part > series.fine_from[i]:
                    for f in range(before, s.counts[at.FILLS]):
                        if s.fills[f, at.FILL_PHASE] == at.AT_OPEN:
                            s.fills[f, at.FILL_PHASE] = at.IN_STOPS  # not at the open of the whole bar
                if s.account[at.BANKRUPT]:
                    break
            load(s, series, i)
        else:
            match(s, i)
    for j in range(len(s.instruments)):
        if s.bar[j, at.BAR_CLOSE] == s.bar[j, at.BAR_CLOSE]:
            s.instruments[j, at.MARK] = s.bar[j, at.BAR_CLOSE]
            s.instruments[j, at.CLOSE_BEFORE] = s.bar[j, at.BAR_CLOSE]
    if deciding:
        decide(s, series, i)
        if s.rules[at.FILL_AT_CLOSE] and not s.account[at.BANKRUPT]:
            at_the_close(s, i)
    return equity_now(s)


@njit(cache=True)
def equity_now(s: State) -> float:
    value = s.account[at.CASH]
    for j in range(len(s.instruments)):
        if s.instruments[j, at.POSITION] != 0:
            value += s.instruments[j, at.POSITION] * s.instruments[j, at.MARK] * s.markets[j, at.MULTIPLIER]
    return value


@njit(cache=True)
def run(s: State, series: Series, i: int, n: int, equity: Any) -> int:
    """Simulate bars ``i`` to ``n``; returns the first bar that was not simulated: ``n``, or where room must be made."""
    calm = quiet(s, series)
    if plain(s, series):
        i = run_plain(s, series, i, n, equity, series.fine_from, equity, np.zeros(2))
    count = len(s.instruments)
    while i < n:
        if calm:
            i = walk(s, series, i, n, equity)
            if i >= n:
                break
        parts = 1
        if len(series.fine_from):
            parts = max(1, series.fine_from[i + 1] - series.fine_from[i])
        most = (s.counts[at.ACTIVE] + 4 * count) * parts + 2 * count
        coming = s.counts[at.NEXT_INTENT]
        while coming < len(series.intents) and series.intents[coming, IN_BAR] <= i:
            coming += 1
        most += coming - s.counts[at.NEXT_INTENT]
        if s.counts[at.FILLS] + most > len(s.fills) or s.counts[at.ORDERS] + most > len(s.orders):
            return i
        if s.counts[at.ACTIVE] + most > len(s.active):
            return i
        equity[i] = whole_bar(s, series, i, True)
        i += 1
    return i
