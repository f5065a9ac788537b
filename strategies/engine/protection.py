"""Targets and protective levels: section 6 of docs/engine.md."""

from __future__ import annotations

from numba import njit

from strategies.engine import layout as at
from strategies.engine.fills import fill, new_order, room
from strategies.engine.pricing import down, equity_with, slipped, target_quantity, too_small, up
from strategies.engine.state import (
    CANCELLED,
    DUST,
    FILLED,
    LIMIT,
    MARKET,
    NO_POWER,
    NONE,
    OF_PROFIT,
    OF_STOP,
    OF_TARGET,
    OF_TRAIL,
    PROTECTED,
    REJECTED,
    STOP,
    TOO_SMALL,
    TRAILING,
    State,
)


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
def shrinks(s: State, j: int, price: float) -> bool:
    """Whether the target of ``j`` makes the position smaller without turning it."""
    held, x = s.instruments[j, at.POSITION], exposure_of(s, j) * s.rules[at.LEVERAGE]
    if held == 0 or x * held < 0:
        return held != 0 and equity_with(s.account, s.instruments, s.markets, j, price) <= 0
    worth = equity_with(s.account, s.instruments, s.markets, j, price)
    return abs(x) * worth < abs(held) * price * s.markets[j, at.MULTIPLIER]


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
