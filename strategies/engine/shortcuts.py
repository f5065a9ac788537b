"""The short ways through bars on which nothing works and nothing is decided: they come to what ``kernel`` comes to."""

from __future__ import annotations

from typing import Any

from numba import njit

from strategies.engine import layout as at
from strategies.engine.fills import write_fill, write_target
from strategies.engine.prefetch import AHEAD, LINE, fetch_bar
from strategies.engine.pricing import NOISE, fee_of, sized, slipped, too_small
from strategies.engine.series import Series
from strategies.engine.state import DUST, FILLED, OF_TARGET, REJECTED, TOO_SMALL, YEAR, State


@njit(cache=True)
def last_known(close: Any, i: int, otherwise: float) -> float:
    while i >= 0:
        if close[i, 0] == close[i, 0]:
            return close[i, 0]
        i -= 1
    return otherwise


@njit(cache=True)
def quiet(s: State, series: Series) -> bool:
    """Whether bars on which nothing works can be walked over: one instrument, and nothing is due but for what is lent."""
    return (
        len(s.instruments) == 1
        and len(series.intents) == 0
        and len(series.targets) > 0
        and len(series.actions) == 0
        and len(series.funding) == 0
        and s.rules[at.FILL_AT_CLOSE] == 0
    )


@njit(cache=True)
def walk(s: State, series: Series, i: int, n: int, equity: Any) -> int:
    """Write the equity of bars from ``i`` on until something may happen; returns the bar it may happen on.

    That is the bar on which a target changes (bar ``i`` is over then but for its decision: it is left to ``run``), or
    one in which the position comes near liquidation or a protective level is in force.
    """
    own = s.instruments[0]
    held, unit = own[at.POSITION], s.markets[0, at.MULTIPLIER]
    cash, target, mark = s.account[at.CASH], own[at.TARGET], own[at.MARK]
    guarded = len(series.stops) > 0 or len(series.profits) > 0 or len(series.trails) > 0
    if own[at.PENDING] or own[at.FLATTEN] or (held != 0 and guarded) or (cash < 0 and s.rules[at.INTEREST_RATE] > 0):
        return i
    targets, close = series.targets, series.close
    if held == 0:
        while i < n and targets[i, 0] == target:
            equity[i] = cash
            i += 1
    else:
        worth = held * unit
        # Above this margin no bar's low or high can bring the account under water.
        risky = held < 0 or cash < -NOISE * abs(worth) * mark or s.rules[at.MAINTENANCE] > 0
        opened, low, high, time = series.open, series.low, series.high, series.time
        rate = s.rules[at.BORROW_RATE] if held < 0 else 0.0
        before, owed, borrow = own[at.CLOSE_BEFORE], 0.0, s.account[at.BORROW]
        while i < n and targets[i, 0] == target:
            price, rich = close[i, 0], cash
            if rate > 0 and i > 0:  # as ``carry``
                owed = -held * before * unit
                owed *= rate * ((time[i] - time[i - 1]) / YEAR)
                cash -= owed
            if price == price:
                mark = price
                if risky:
                    worst = low[i, 0] if held > 0 else high[i, 0]
                    worst = min(worst, opened[i, 0]) if held > 0 else max(worst, opened[i, 0])
                    if cash + worth * worst <= s.rules[at.MAINTENANCE] * abs(worth) * worst * (1 + 1e-9) + 1e-9 * abs(cash):
                        cash = rich
                        break
                before = price
            equity[i] = cash + worth * mark
            borrow += owed
            i += 1
            if cash < 0 and s.rules[at.INTEREST_RATE] > 0:
                break
        s.account[at.CASH], s.account[at.BORROW] = cash, borrow
    own[at.MARK] = own[at.CLOSE_BEFORE] = last_known(close, i - 1, mark)
    return i


@njit(cache=True)
def plain(s: State, series: Series) -> bool:
    """Whether ``run_plain`` may be tried: nothing but targets decides, and nothing but the open fills them."""
    others = len(series.stops) + len(series.profits) + len(series.trails) + len(series.fillable) + len(series.fine)
    return quiet(s, series) and others == 0 and s.rules[at.MAINTENANCE] == 0 and s.rules[at.LEVERAGE] <= 1


@njit(cache=True)
def column(table: Any) -> Any:
    """The only column of a table, as the compiler can walk it fastest."""
    return table.reshape(table.size)


@njit(cache=True)
def run_plain(s: State, series: Series, i: int, n: int, equity: Any, ends: Any, daily: Any, peaks: Any) -> int:
    """As ``run``, while the account holds no debt and is asked for none. Returns the first bar that needs the long way.

    With an empty ``equity`` nothing is written of bars, orders and fills: ``daily`` takes the equity at the bars ``ends``, and
    ``peaks`` (2,) the highest equity so far and the deepest fall from a peak, a fraction.
    """
    written = len(equity) > 0
    peak, deepest, day = peaks[0], peaks[1], 0
    floor = peak * (1 + deepest)
    own, account, rules, orders, fills, counts = s.instruments[0], s.account, s.rules, s.orders, s.fills, s.counts
    targets, opened, close, volume = column(series.targets), column(series.open), column(series.close), column(series.volume)
    high, low = column(series.high), column(series.low)
    unit, tick, lot = s.markets[0, at.MULTIPLIER], s.markets[0, at.TICK], s.markets[0, at.LOT]
    least, leverage = s.markets[0, at.MINIMUM_NOTIONAL], rules[at.LEVERAGE]
    target, held, cash, mark = own[at.TARGET], own[at.POSITION], account[at.CASH], own[at.MARK]
    pending, decided, row = own[at.PENDING] != 0, int(own[at.TARGET_BAR]), int(own[at.TARGET_ROW])
    fees, slippage, step = 0.0, 0.0, counts[at.STEP]
    f, made = counts[at.FILLS], counts[at.ORDERS]
    capped, charged = rules[at.VOLUME_SHARE] >= 0, rules[at.INTEREST_RATE] > 0
    room_for = min(len(fills), len(orders)) - 2
    while i < n:
        if held < 0 or target < 0 or cash < -NOISE * held * unit * mark or (charged and cash < 0):
            break
        if written and (f > room_for or made > room_for):
            break
        if pending:
            price = opened[i]
            known = price + high[i] + low[i] + close[i]
            if known == known and not volume[i] <= 0:
                if capped and volume[i] > 0:
                    break
                step += 1
                wanted, _ = sized(rules, held, cash, target * leverage, price, volume[i], unit, tick, lot)
                quantity, side = abs(wanted - held), 1.0 if wanted > held else -1.0
                pending = False
                if quantity > 0:
                    paid = slipped(rules, price, side, quantity, volume[i], tick)
                    row = made
                    made += 1
                    if written:
                        write_target(orders, row, decided, side, quantity)
                    if wanted != 0 and too_small(quantity * paid * unit, least):
                        if written:
                            orders[row, at.STATUS], orders[row, at.WHY] = REJECTED, TOO_SMALL
                    else:
                        fee = fee_of(rules, quantity, paid, unit, False)
                        slip = abs(paid - price) * quantity * unit
                        cash -= side * quantity * paid * unit + fee
                        fees += fee
                        slippage += slip
                        held = wanted if abs(wanted) > DUST * quantity else 0.0
                        if written:
                            orders[row, at.FILLED], orders[row, at.VALUE] = quantity, quantity * paid
                            orders[row, at.STATUS] = FILLED
                            write_fill(fills, f, i, row, 0, side, quantity, paid, fee, slip, False, OF_TARGET, at.AT_OPEN, held)
                        f += 1
            if known == known:
                mark = close[i]
        elif held == 0 and written:
            while i < n and targets[i] == target:
                if i % LINE == 0:
                    fetch_bar(opened, high, low, volume, i + AHEAD)
                equity[i] = cash
                i += 1
        elif held == 0:
            while i < n and targets[i] == target:
                i += 1
            while day < len(ends) and ends[day] < i:
                daily[day] = cash
                day += 1
        elif written:
            worth = held * unit
            while i < n and targets[i] == target:
                if i % LINE == 0:
                    fetch_bar(opened, high, low, volume, i + AHEAD)
                price = close[i]
                if price == price:
                    mark = price
                equity[i] = cash + worth * mark
                i += 1
        else:
            worth = held * unit
            while i < n and targets[i] == target:
                # To the end of the day, or of the target. Between these two prices nothing is new; the margin is for rounding.
                until = min(n, ends[day] + 1) if day < len(ends) else n
                lowest, highest = (floor - cash) / worth * (1 + 1e-12), (peak - cash) / worth * (1 - 1e-12)
                while i < until and targets[i] == target:
                    price = close[i]
                    if lowest <= price <= highest:
                        mark = price
                    elif price == price:
                        mark = price
                        value = cash + worth * mark
                        if value > peak:
                            peak = value
                            floor = peak * (1 + deepest)
                        elif value < floor:
                            deepest = value / peak - 1
                            floor = value
                        lowest, highest = (floor - cash) / worth * (1 + 1e-12), (peak - cash) / worth * (1 - 1e-12)
                    i += 1
                value = cash + worth * mark
                if i == until and day < len(ends):
                    daily[day] = value
                    day += 1
        if i >= n:
            break
        # Bar i, in which a target works or whose close decides otherwise.
        if close[i] == close[i]:
            mark = close[i]
        value = cash + held * unit * mark
        if written:
            equity[i] = value
        else:
            if value > peak:
                peak = value
                floor = peak * (1 + deepest)
            elif value < floor:
                deepest = value / peak - 1
                floor = value
            if day < len(ends) and ends[day] == i:
                daily[day] = value
                day += 1
        if targets[i] != target:
            target, pending, decided, row = targets[i], True, i, -1
        i += 1
    account[at.CASH] = cash
    account[at.FEES] += fees
    account[at.SLIPPAGE] += slippage
    counts[at.STEP], counts[at.FILLS], counts[at.ORDERS] = step, f, made
    own[at.POSITION], own[at.TARGET], own[at.PENDING] = held, target, pending
    own[at.TARGET_BAR], own[at.TARGET_ROW] = decided, row if pending else -1
    peaks[0], peaks[1] = peak, deepest
    if i > 0:
        own[at.MARK] = own[at.CLOSE_BEFORE] = last_known(series.close, min(i, n) - 1, mark)
    return i
