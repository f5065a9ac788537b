"""Prices, quantities and costs of one fill: section 7 of docs/engine.md."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from strategies.engine import layout as at
from strategies.engine.layout import SlippageKind

FIXED = int(SlippageKind.FIXED)
PERCENTAGE = int(SlippageKind.PERCENTAGE)
HALF_SPREAD = int(SlippageKind.HALF_SPREAD)
VOLUME_SHARE = int(SlippageKind.VOLUME_SHARE)
NOISE = 1e-9  # of a step: what float arithmetic may be off by


@njit(cache=True)
def down(x: float, step: float) -> float:
    return math.floor(x / step + NOISE) * step if step > 0 else x


@njit(cache=True)
def up(x: float, step: float) -> float:
    return math.ceil(x / step - NOISE) * step if step > 0 else x


@njit(cache=True, inline="always")
def slipped(rules: Any, price: float, side: float, quantity: float, volume: float, tick: float) -> float:
    """The price that a market or stop fill at ``price`` gets: moved against the trader, then rounded against him."""
    kind = rules[at.SLIPPAGE_KIND]
    slip = 0.0
    if kind == FIXED:
        slip = rules[at.SLIPPAGE_SIZE]
    elif kind == PERCENTAGE:
        slip = price * rules[at.SLIPPAGE_SIZE]
    elif kind == HALF_SPREAD:
        slip = price * rules[at.SLIPPAGE_SIZE] / 2
    elif kind == VOLUME_SHARE:
        share = 1.0
        if volume > 0:
            share = min(1.0, quantity / volume)
        slip = price * rules[at.SLIPPAGE_SIZE] * share * share
    if side > 0:
        return up(price + slip, tick)
    return down(max(price - slip, tick), tick)


@njit(cache=True, inline="always")
def fee_of(rules: Any, quantity: float, price: float, multiplier: float, maker: bool) -> float:
    rate = rules[at.MAKER] if maker else rules[at.TAKER]
    fee = rate * quantity * price * multiplier + rules[at.PER_UNIT] * quantity
    minimum = rules[at.MINIMUM_FEE]
    return max(minimum, fee) if minimum > 0 else fee


@njit(cache=True, inline="always")
def too_small(notional: float, least: float) -> bool:
    """Whether a fill is below the minimum notional; the quantity that is just worth it is not."""
    return notional < least * (1 - NOISE)


@njit(cache=True)
def equity_with(account: Any, instruments: Any, markets: Any, j: int, price: float) -> float:
    """Account value with instrument ``j`` marked at ``price`` and every other at its mark."""
    value = account[at.CASH] + instruments[j, at.POSITION] * price * markets[j, at.MULTIPLIER]
    for other in range(len(instruments)):
        if other != j and instruments[other, at.POSITION] != 0:
            value += instruments[other, at.POSITION] * instruments[other, at.MARK] * markets[other, at.MULTIPLIER]
    return value


@njit(cache=True)
def gross_of_others(instruments: Any, markets: Any, j: int) -> float:
    """Σ |position| · mark · multiplier of every instrument but ``j``."""
    value = 0.0
    for other in range(len(instruments)):
        if other != j:
            value += abs(instruments[other, at.POSITION]) * instruments[other, at.MARK] * markets[other, at.MULTIPLIER]
    return value


@njit(cache=True, inline="always")
def quantity_for(x: float, held: float, equity: float, unit: float, fee: float) -> float:
    """The position worth ``x`` times the equity that is left after the fee.

    ``unit`` is the money of one unit at the fill's price, ``fee`` the rate of notional.
    """
    share = abs(x)
    if held == 0 or held * x < 0:
        left = equity - fee * unit * abs(held)
        return x * left / (unit * (1 + share * fee)) if left > 0 else 0.0
    have, want = abs(held) * unit, share * equity
    if want > have:
        return x * (equity + fee * have) / (unit * (1 + share * fee))
    if want < have:
        left = equity - fee * have
        return x * left / (unit * (1 - share * fee)) if left > 0 and share * fee < 1 else 0.0
    return held


@njit(cache=True, inline="always")
def sized(
    rules: Any, held: float, cash: float, x: float, price: float, volume: float, unit_of: float, tick: float, lot: float
) -> tuple[float, float]:
    """The position that is worth ``x`` times equity, rounded to the lot, and the price it was found with.

    The position is ``held`` where there is nothing to do.
    ``cash`` is the account's value without this instrument, ``unit_of`` its multiplier, ``price`` the price before slippage.
    """
    worth = cash + held * price * unit_of
    if x == 0 or worth <= 0:
        return 0.0, price
    difference = x * worth - held * price * unit_of
    if difference == 0:
        return held, price
    side = 1.0 if difference > 0 else -1.0
    by_volume = rules[at.SLIPPAGE_KIND] == VOLUME_SHARE
    paid = price if by_volume else slipped(rules, price, side, 0.0, volume, tick)
    wanted = sized_at(rules, held, cash, x, side, paid, unit_of)
    if by_volume:
        paid = slipped(rules, price, side, abs(wanted - held), volume, tick)
        wanted = sized_at(rules, held, cash, x, side, paid, unit_of)
    if wanted != held:
        wanted = math.copysign(down(abs(wanted), lot), wanted)
    # What slippage or rounding turned around is left alone.
    if (wanted - held) * side <= NOISE * max(abs(wanted), abs(held)):
        return held, paid
    return wanted, paid


@njit(cache=True, inline="always")
def sized_at(rules: Any, held: float, cash: float, x: float, side: float, paid: float, unit_of: float) -> float:
    """As ``sized``, at the price after slippage and before rounding; ``held`` where it lies on the other side than ``side``."""
    unit = paid * unit_of
    worth = cash + held * unit
    if worth <= 0 or unit <= 0:
        return 0.0
    fee = rules[at.TAKER] + rules[at.PER_UNIT] / unit
    wanted = quantity_for(x, held, worth, unit, fee)
    minimum = rules[at.MINIMUM_FEE]
    if minimum > 0 and (wanted - held) * side > 0 and abs(wanted - held) * unit * fee < minimum:
        wanted = quantity_for(x, held, worth - minimum, unit, 0.0) if worth > minimum else 0.0
    return wanted if (wanted - held) * side > 0 else held


@njit(cache=True)
def target_quantity(
    rules: Any, account: Any, instruments: Any, markets: Any, j: int, exposure: float, price: float, volume: float
) -> tuple[float, bool]:
    """The position that a target asks for now, and whether buying power cut it."""
    held, unit_of = instruments[j, at.POSITION], markets[j, at.MULTIPLIER]
    tick = markets[j, at.TICK]
    cash = equity_with(account, instruments, markets, j, 0.0)
    x = exposure * rules[at.LEVERAGE]
    wanted, paid = sized(rules, held, cash, x, price, volume, unit_of, tick, markets[j, at.LOT])
    if len(instruments) > 1 and (abs(wanted) > abs(held) or wanted * held < 0):
        most = most_that_fits(rules, account, instruments, markets, j, paid, wanted)
        if most < abs(wanted):
            return math.copysign(most, wanted), True
    return wanted, False


@njit(cache=True)
def most_that_fits(rules: Any, account: Any, instruments: Any, markets: Any, j: int, price: float, wanted: float) -> float:
    """The size up to which gross notional stays within leverage times the equity after the fee; |wanted| where that fits."""
    leverage, held, unit = rules[at.LEVERAGE], instruments[j, at.POSITION], price * markets[j, at.MULTIPLIER]
    equity, others = equity_with(account, instruments, markets, j, price), gross_of_others(instruments, markets, j)
    limit = leverage * (equity - fee_of(rules, abs(wanted - held), price, markets[j, at.MULTIPLIER], False))
    if others + abs(wanted) * unit <= limit + NOISE * abs(limit):
        return abs(wanted)
    kept = abs(held) if wanted * held > 0 else -abs(held)
    fee = rules[at.TAKER] + rules[at.PER_UNIT] / unit
    room = leverage * equity - others
    most = (room + leverage * fee * unit * kept) / (unit * (1 + leverage * fee))
    minimum = rules[at.MINIMUM_FEE]
    if minimum > 0 and minimum > fee * unit * abs(most - kept):
        most = (room - leverage * minimum) / unit
    return max(down(most, markets[j, at.LOT]), max(kept, 0.0))
