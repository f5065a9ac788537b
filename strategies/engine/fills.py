"""What a fill checks and what it does: sections 5 and 7 of docs/engine.md."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from strategies.engine import layout as at
from strategies.engine.pricing import down, equity_with, fee_of, gross_of_others, slipped, too_small
from strategies.engine.state import (
    CANCELLED,
    DUST,
    FILLED,
    IN_GROUP,
    MARKET,
    NO_PARENT,
    NO_POWER,
    NO_SHORT,
    NOTHING_TO_REDUCE,
    OF_TARGET,
    REJECTED,
    TOO_SMALL,
    WAITING,
    WORKING,
    State,
)


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
