"""One bar against the orders that work: sections 3 to 6 and 8 of docs/engine.md."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from strategies.engine import layout as at
from strategies.engine.layout import Kind, Origin, Status, TimeInForce, Why
from strategies.engine.pricing import down, equity_with, fee_of, gross_of_others, slipped, target_quantity, too_small, up

MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING = (int(kind) for kind in Kind)
WORKING, FILLED, CANCELLED, REJECTED, EXPIRED, WAITING = (int(status) for status in Status)
IOC = int(TimeInForce.IOC)
OF_INTENT, OF_TARGET, OF_STOP, OF_PROFIT, OF_TRAIL, OF_LIQUIDATION = (int(origin) for origin in Origin)
(
    NONE, NO_LOT, NO_PRICE, NO_PARENT, NOTHING_TO_REDUCE, NO_SHORT, TOO_SMALL, NO_POWER, IN_GROUP, WAS_IOC, WAS_DAY, LIQUIDATED,
    WAS_BANKRUPT, CHANGED, ASKED, PROTECTED,
) = (int(why) for why in Why)  # fmt: skip
FAR = np.inf
DUST = 1e-12  # of a quantity: what float arithmetic leaves of nothing


class State(NamedTuple):
    """All that a simulation is in the middle of; arrays as ``layout`` describes them."""

    account: Any
    counts: Any
    instruments: Any
    markets: Any
    rules: Any
    bar: Any
    orders: Any
    active: Any  # rows of orders that are not over, by id
    fills: Any


# -- what a fill does -------------------------------------------------------------------------------------------------


@njit(cache=True)
def new_order(s: State, bar: int, j: int, side: float, kind: int, quantity: float, origin: int) -> int:
    """A row for an order that the engine itself makes."""
    row = s.counts[at.ORDERS]
    s.counts[at.ORDERS] += 1
    order = s.orders[row]
    order[:] = 0.0
    # Not an intent's: that of the one before, so that ids still ascend; `simulate` names them in the end.
    order[at.ID] = s.orders[row - 1, at.ID] if row > 0 else 0.0
    order[at.BAR] = bar
    order[at.INSTRUMENT] = j
    order[at.SIDE] = side
    order[at.KIND] = kind
    order[at.QUANTITY] = quantity
    order[at.LIMIT] = order[at.STOP] = order[at.TRAIL] = np.nan
    order[at.ORIGIN] = origin
    return row


@njit(cache=True)
def fill(
    s: State, i: int, row: int, quantity: float, price: float, reference: float, maker: bool, why: int, phase: int
) -> None:
    """Book ``quantity`` of an order at ``price``: cash, position, costs, the order itself and the record."""
    order = s.orders[row]
    j, side = int(order[at.INSTRUMENT]), order[at.SIDE]
    own = s.instruments[j]
    multiplier = s.markets[j, at.MULTIPLIER]
    before = own[at.POSITION]
    fee = fee_of(s.rules, quantity, price, multiplier, maker)
    slippage = abs(price - reference) * quantity * multiplier
    after = before + side * quantity
    if abs(after) <= DUST * quantity:
        after = 0.0
    own[at.POSITION] = after
    own[at.VOLUME_USED] += quantity
    own[at.BAR_USED] += quantity
    if abs(after) > abs(before) or before * after < 0:
        own[at.ENLARGED_STEP], own[at.ENLARGED_PRICE] = s.counts[at.STEP], reference
    if after != 0 and before * after <= 0:
        own[at.OPENED_STEP], own[at.OPENED_PHASE] = s.counts[at.STEP], phase
        own[at.EXTREME], own[at.TRAIL_LEVEL] = price, np.nan
    s.account[at.CASH] -= side * quantity * price * multiplier + fee
    s.account[at.FEES] += fee
    s.account[at.SLIPPAGE] += slippage
    order[at.FILLED] += quantity
    order[at.VALUE] += quantity * price
    f = s.counts[at.FILLS]
    s.counts[at.FILLS] += 1
    write_fill(s.fills, f, i, row, j, side, quantity, price, fee, slippage, maker, why, phase, after)


@njit(cache=True)
def write_fill(
    fills: Any, f: int, i: int, row: int, j: int, side: float, quantity: float, price: float, fee: float, slippage: float,
    maker: bool, why: int, phase: int, position: float,
) -> None:  # fmt: skip
    one = fills[f]
    one[at.FILL_BAR], one[at.FILL_ORDER], one[at.FILL_INSTRUMENT] = i, row, j
    one[at.FILL_SIDE], one[at.FILL_QUANTITY], one[at.FILL_PRICE] = side, quantity, price
    one[at.FILL_FEE], one[at.FILL_SLIPPAGE], one[at.FILL_MAKER] = fee, slippage, maker
    one[at.FILL_WHY], one[at.FILL_PHASE], one[at.FILL_AMBIGUOUS] = why, phase, 0.0
    one[at.FILL_POSITION] = position


@njit(cache=True)
def write_target(orders: Any, row: int, bar: int, side: float, quantity: float) -> None:
    """A target order of the first instrument."""
    order = orders[row]
    for column in range(at.ORDER_SIZE):
        order[column] = 0.0
    order[at.BAR] = bar
    order[at.SIDE], order[at.QUANTITY], order[at.ORIGIN] = side, quantity, OF_TARGET
    order[at.LIMIT] = order[at.STOP] = order[at.TRAIL] = np.nan


@njit(cache=True)
def room(s: State, j: int, quantity: float) -> float:
    """How much of ``quantity`` the volume cap lets through in this bar."""
    share, volume = s.rules[at.VOLUME_SHARE], s.bar[j, at.BAR_VOLUME]
    if not (share >= 0 and volume >= 0):  # no cap, or the volume is not known
        return quantity
    left = down(share * volume - s.instruments[j, at.VOLUME_USED], s.markets[j, at.LOT])
    return min(quantity, left) if left > DUST * share * volume else 0.0


@njit(cache=True)
def row_of(s: State, name: float) -> int:
    """The row of the order with that id, or -1. Ids ascend."""
    low, high = 0, s.counts[at.ORDERS]
    while low < high:
        middle = (low + high) // 2
        if s.orders[middle, at.ID] < name:
            low = middle + 1
        else:
            high = middle
    return low if low < s.counts[at.ORDERS] and s.orders[low, at.ID] == name else -1


@njit(cache=True)
def end(s: State, row: int, status: int, why: int) -> None:
    """End an order; without a fill, also those that wait for it, and those that wait for them."""
    order = s.orders[row]
    order[at.STATUS], order[at.WHY] = status, why
    if order[at.FILLED] > 0:
        return
    for index in range(s.counts[at.ACTIVE]):
        child = s.orders[s.active[index]]
        if child[at.STATUS] == WAITING:
            parent = s.orders[row_of(s, child[at.PARENT])]
            if parent[at.STATUS] not in (WORKING, WAITING) and parent[at.FILLED] == 0:
                child[at.STATUS], child[at.WHY] = CANCELLED, NO_PARENT


@njit(cache=True)
def sweep_out(s: State) -> None:
    """Take orders that are over from the list of those that are not."""
    kept = 0
    for index in range(s.counts[at.ACTIVE]):
        row = s.active[index]
        status = s.orders[row, at.STATUS]
        if status == WORKING or status == WAITING:
            s.active[kept] = row
            kept += 1
    s.counts[at.ACTIVE] = kept


@njit(cache=True)
def filled_some(s: State, i: int, row: int, quantity: float, price: float, reference: float, phase: int) -> None:
    """What a fill of an explicit order does to its group and its children."""
    order = s.orders[row]
    whole = order[at.QUANTITY] - order[at.FILLED] <= DUST * order[at.QUANTITY]
    if whole:
        order[at.STATUS] = FILLED
    for index in range(s.counts[at.ACTIVE]):
        other_row = s.active[index]
        other = s.orders[other_row]
        if other_row == row or other[at.STATUS] not in (WORKING, WAITING):
            continue
        if other[at.PARENT] == order[at.ID]:
            if other[at.STATUS] == WAITING:
                other[at.STATUS] = WORKING
                other[at.QUANTITY] = 0.0
                other[at.WOKEN_STEP], other[at.WOKEN_PHASE], other[at.WOKEN_PRICE] = s.counts[at.STEP], phase, reference
                other[at.WOKEN_BAR], other[at.ORDER_EXTREME] = i, price
                other[at.SESSION] = s.counts[at.SESSION_NEXT if phase == at.AT_CLOSE else at.SESSION_NOW]
            other[at.QUANTITY] += quantity
        if order[at.GROUP] != 0 and other[at.GROUP] == order[at.GROUP]:
            if whole:
                end(s, other_row, CANCELLED, IN_GROUP)
            elif other[at.STATUS] == WORKING:
                other[at.QUANTITY] -= quantity
                if other[at.QUANTITY] - other[at.FILLED] <= DUST * quantity:
                    end(s, other_row, CANCELLED, IN_GROUP)


@njit(cache=True)
def fill_order(s: State, i: int, row: int, reference: float, limit: bool, phase: int) -> bool:
    """Fill an explicit order as far as the checks and the volume let it. True when something was filled."""
    order = s.orders[row]
    j, side = int(order[at.INSTRUMENT]), order[at.SIDE]
    own, market = s.instruments[j], s.markets[j]
    held = own[at.POSITION]
    quantity = order[at.QUANTITY] - order[at.FILLED]
    if order[at.REDUCE_ONLY]:
        quantity = min(quantity, max(0.0, -side * held))
        if quantity <= 0:
            end(s, row, CANCELLED, NOTHING_TO_REDUCE)
            return False
        order[at.QUANTITY] = order[at.FILLED] + quantity
    price = reference if limit else slipped(s.rules, reference, side, quantity, s.bar[j, at.BAR_VOLUME], market[at.TICK])
    after = held + side * quantity
    closes = abs(after) <= DUST * quantity
    if closes:
        after = 0.0
    if after < 0 and side < 0 and not market[at.SHORT]:
        end(s, row, REJECTED, NO_SHORT)
        return False
    unit = price * market[at.MULTIPLIER]
    if too_small(order[at.QUANTITY] * unit, market[at.MINIMUM_NOTIONAL]) and not closes:
        end(s, row, REJECTED, TOO_SMALL)
        return False
    maker = limit and not (phase == at.AT_OPEN and order[at.FRESH] != 0)
    if after != 0 and (abs(after) > abs(held) or after * held < 0):
        fee = fee_of(s.rules, quantity, price, market[at.MULTIPLIER], maker)
        equity = equity_with(s.account, s.instruments, s.markets, j, price) - fee
        gross = gross_of_others(s.instruments, s.markets, j) + abs(after) * unit
        if gross > s.rules[at.LEVERAGE] * equity + 1e-9 * abs(gross):
            end(s, row, REJECTED, NO_POWER)
            return False
    fits = room(s, j, quantity)
    if fits <= 0:
        return False
    if fits < quantity and not limit:
        if order[at.KIND] != MARKET:
            order[at.TRIGGERED] = 1.0
        price = slipped(s.rules, reference, side, fits, s.bar[j, at.BAR_VOLUME], market[at.TICK])
    fill(s, i, row, fits, price, reference, maker, int(order[at.KIND]), phase)
    filled_some(s, i, row, fits, price, reference, phase)
    return True


# -- targets and protective levels ------------------------------------------------------------------------------------


@njit(cache=True)
def exposure_of(s: State, j: int) -> float:
    """The target of ``j``, as far as the instrument may be sold short."""
    target = s.instruments[j, at.TARGET]
    return target if target > 0 or s.markets[j, at.SHORT] else 0.0


@njit(cache=True)
def guarded(s: State, j: int) -> bool:
    """Whether protective levels are in force: they belong to a position on the side that the target asked for."""
    own = s.instruments[j]
    return own[at.POSITION] * own[at.TARGET] > 0


@njit(cache=True)
def fill_target(s: State, i: int, j: int, reference: float, phase: int) -> None:
    """Trade towards the target of instrument ``j``."""
    own, market = s.instruments[j], s.markets[j]
    exposure = exposure_of(s, j)
    if exposure != own[at.TARGET]:
        s.account[at.SHORT_REFUSED] += 1
    held, volume = own[at.POSITION], s.bar[j, at.BAR_VOLUME]
    wanted, cut = target_quantity(s.rules, s.account, s.instruments, s.markets, j, exposure, reference, volume)
    change = wanted - held
    row = int(own[at.TARGET_ROW])
    if change == 0:
        own[at.PENDING] = 0.0
        if row < 0 and cut:
            row = new_order(s, int(own[at.TARGET_BAR]), j, 1.0 if exposure > 0 else -1.0, MARKET, 0.0, OF_TARGET)
        if row >= 0:
            s.orders[row, at.STATUS], s.orders[row, at.WHY] = (REJECTED, NO_POWER) if cut else (FILLED, NONE)
        return
    side = 1.0 if change > 0 else -1.0
    quantity = abs(change)
    if row < 0:
        row = new_order(s, int(own[at.TARGET_BAR]), j, side, MARKET, quantity, OF_TARGET)
        own[at.TARGET_ROW] = row
    order = s.orders[row]
    order[at.SIDE], order[at.QUANTITY] = side, order[at.FILLED] + quantity
    price = slipped(s.rules, reference, side, quantity, volume, market[at.TICK])
    if wanted != 0 and too_small(quantity * price * market[at.MULTIPLIER], market[at.MINIMUM_NOTIONAL]):
        order[at.STATUS], order[at.WHY] = REJECTED, TOO_SMALL
        own[at.PENDING] = 0.0
        return
    fits = room(s, j, quantity)
    if fits > 0:
        if fits < quantity:
            price = slipped(s.rules, reference, side, fits, volume, market[at.TICK])
        fill(s, i, row, fits, price, reference, False, OF_TARGET, phase)
    if quantity - fits <= DUST * quantity:
        own[at.PENDING] = 0.0
        order[at.STATUS] = FILLED


@njit(cache=True)
def protective_stop(s: State, j: int) -> tuple[float, int]:
    """The level at which the position of ``j`` is left, and what made it; NaN where there is none."""
    own = s.instruments[j]
    held, tick = own[at.POSITION], s.markets[j, at.TICK]
    level, trail = own[at.STOP_LEVEL], own[at.TRAIL_LEVEL]
    if level == level:
        level = up(level, tick) if held > 0 else down(level, tick)
    if trail == trail and (not level == level or (trail > level if held > 0 else trail < level)):
        return trail, OF_TRAIL
    return level, OF_STOP


@njit(cache=True)
def set_trail(s: State, j: int) -> None:
    """Bring the trailing level of the position up to date; it is never loosened."""
    own = s.instruments[j]
    distance, held = own[at.TRAIL_DISTANCE], own[at.POSITION]
    if not distance == distance or not guarded(s, j):
        return
    tick = s.markets[j, at.TICK]
    if held > 0:
        level = up(own[at.EXTREME] - distance, tick)
        if not own[at.TRAIL_LEVEL] >= level:
            own[at.TRAIL_LEVEL] = level
    else:
        level = down(own[at.EXTREME] + distance, tick)
        if not own[at.TRAIL_LEVEL] <= level:
            own[at.TRAIL_LEVEL] = level


@njit(cache=True)
def end_target(s: State, j: int, why: int) -> None:
    own = s.instruments[j]
    if own[at.PENDING] and own[at.TARGET_ROW] >= 0:
        row = int(own[at.TARGET_ROW])
        s.orders[row, at.STATUS], s.orders[row, at.WHY] = CANCELLED, why
    own[at.PENDING] = 0.0


@njit(cache=True)
def end_flatten(s: State, j: int, why: int) -> None:
    """End what the volume cap left of a protective exit."""
    own = s.instruments[j]
    if own[at.FLATTEN]:
        row = int(own[at.FLATTEN_ROW])
        s.orders[row, at.STATUS], s.orders[row, at.WHY] = CANCELLED, why
    own[at.FLATTEN] = 0.0


@njit(cache=True)
def fill_protective(s: State, i: int, j: int, reference: float, origin: int, row: int, phase: int) -> None:
    """Leave the position of ``j``. ``row`` is the order that is gone on with, or -1."""
    own, market = s.instruments[j], s.markets[j]
    held = own[at.POSITION]
    side = -1.0 if held > 0 else 1.0
    quantity = abs(held)
    end_target(s, j, PROTECTED)
    if row < 0:
        kind = LIMIT if origin == OF_PROFIT else (TRAILING if origin == OF_TRAIL else STOP)
        row = new_order(s, max(0, i - 1), j, side, kind, quantity, origin)
        s.orders[row, at.LIMIT if origin == OF_PROFIT else at.STOP] = reference
    limit = origin == OF_PROFIT and own[at.FLATTEN] == 0
    fits = room(s, j, quantity)
    own[at.FLATTEN], own[at.FLATTEN_ROW] = 0.0, -1.0
    if fits > 0:
        volume = s.bar[j, at.BAR_VOLUME]
        price = reference if limit else slipped(s.rules, reference, side, fits, volume, market[at.TICK])
        fill(s, i, row, fits, price, reference, limit and phase != at.AT_OPEN, origin, phase)
    if quantity - fits > DUST * quantity:
        own[at.FLATTEN], own[at.FLATTEN_ROW] = origin, row
    else:
        s.orders[row, at.STATUS] = FILLED


# -- liquidation ------------------------------------------------------------------------------------------------------


@njit(cache=True)
def under_water(s: State) -> bool:
    """Whether equity at the marks is below the maintenance margin, with a position held."""
    gross = gross_of_others(s.instruments, s.markets, -1)
    if gross == 0:
        return False
    equity = s.account[at.CASH]
    for j in range(len(s.instruments)):
        equity += s.instruments[j, at.POSITION] * s.instruments[j, at.MARK] * s.markets[j, at.MULTIPLIER]
    return equity <= 0 or equity < s.rules[at.MAINTENANCE] * gross


@njit(cache=True)
def liquidation_price(s: State) -> float:
    """Where the only position of the account is liquidated; NaN where nowhere."""
    held, cash = s.instruments[0, at.POSITION], s.account[at.CASH]
    multiplier, maintenance = s.markets[0, at.MULTIPLIER], s.rules[at.MAINTENANCE]
    if held > 0 and maintenance < 1:
        price = -cash / (held * multiplier * (1 - maintenance))
    elif held < 0:
        price = cash / (-held * multiplier * (1 + maintenance))
    else:
        return np.nan
    return price if price > 0 else np.nan


@njit(cache=True)
def liquidate(s: State, i: int, at_worst: bool, reference: float, phase: int) -> bool:
    """Close every position that can be closed, and end every order. False where none can be, and nothing is done."""
    able = False
    for j in range(len(s.instruments)):
        able = able or (s.instruments[j, at.POSITION] != 0 and s.bar[j, at.FILLABLE] != 0)
    if not able:
        return False
    s.account[at.LIQUIDATIONS] += 1
    for j in range(len(s.instruments)):
        own = s.instruments[j]
        end_target(s, j, LIQUIDATED)
        end_flatten(s, j, LIQUIDATED)
        held = own[at.POSITION]
        if held == 0 or not s.bar[j, at.FILLABLE]:
            continue
        side = -1.0 if held > 0 else 1.0
        price = reference
        if at_worst:
            price = s.bar[j, at.BAR_LOW] if held > 0 else s.bar[j, at.BAR_HIGH]
        elif not price == price:
            price = own[at.MARK]
        row = new_order(s, i, j, side, MARKET, abs(held), OF_LIQUIDATION)
        got = slipped(s.rules, price, side, abs(held), s.bar[j, at.BAR_VOLUME], s.markets[j, at.TICK])
        fill(s, i, row, abs(held), got, price, False, OF_LIQUIDATION, phase)
        s.orders[row, at.STATUS] = FILLED
    for index in range(s.counts[at.ACTIVE]):
        order = s.orders[s.active[index]]
        if order[at.STATUS] == WORKING or order[at.STATUS] == WAITING:
            order[at.STATUS], order[at.WHY] = CANCELLED, LIQUIDATED
    equity = s.account[at.CASH]
    for j in range(len(s.instruments)):
        equity += s.instruments[j, at.POSITION] * s.instruments[j, at.MARK] * s.markets[j, at.MULTIPLIER]
    if equity <= 0:
        s.account[at.BANKRUPT] = 1.0
    return True


# -- the phases -------------------------------------------------------------------------------------------------------


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
def shrinks(s: State, j: int, price: float) -> bool:
    """Whether the target of ``j`` makes the position smaller without turning it."""
    held, x = s.instruments[j, at.POSITION], exposure_of(s, j) * s.rules[at.LEVERAGE]
    if held == 0 or x * held < 0:
        return held != 0 and equity_with(s.account, s.instruments, s.markets, j, price) <= 0
    worth = equity_with(s.account, s.instruments, s.markets, j, price)
    return abs(x) * worth < abs(held) * price * s.markets[j, at.MULTIPLIER]


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
def attached_now(s: State, row: int, j: int) -> bool:
    """Whether an order works since its parent filled in phase C of this bar, and has not been looked at."""
    order, step = s.orders[row], s.counts[at.STEP]
    if order[at.STATUS] != WORKING or order[at.SEEN] == step or order[at.INSTRUMENT] != j:
        return False
    return order[at.WOKEN_STEP] == step and order[at.WOKEN_PHASE] == at.IN_LIMITS and opposes_parent(s, row)


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


@njit(cache=True)
def worst_is_under_water(s: State) -> bool:
    """Whether the account fails with every position at its worst price of the bar."""
    equity, gross = s.account[at.CASH], 0.0
    for j in range(len(s.instruments)):
        held = s.instruments[j, at.POSITION]
        price = s.instruments[j, at.MARK]
        if s.bar[j, at.FILLABLE]:
            price = s.bar[j, at.BAR_LOW] if held > 0 else s.bar[j, at.BAR_HIGH]
        equity += held * price * s.markets[j, at.MULTIPLIER]
        gross += abs(held) * price * s.markets[j, at.MULTIPLIER]
    return gross > 0 and (equity <= 0 or equity < s.rules[at.MAINTENANCE] * gross)


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
