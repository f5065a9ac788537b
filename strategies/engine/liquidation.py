"""When an account fails and what is done then: section 8 of docs/engine.md."""

from __future__ import annotations

import numpy as np
from numba import njit

from strategies.engine import layout as at
from strategies.engine.fills import fill, new_order
from strategies.engine.pricing import gross_of_others, slipped
from strategies.engine.protection import end_flatten, end_target
from strategies.engine.state import CANCELLED, FILLED, LIQUIDATED, MARKET, OF_LIQUIDATION, WAITING, WORKING, State


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
