"""Owns the swing structure of smart-money concepts: swings, breaks of structure, liquidity sweeps.

The field has no single source for these; each function states the rule it follows. A swing is known ``strength``
bars after its extreme and nothing is used before it is known. Whatever is older than ``memory`` bars is forgotten,
so that the state at a bar depends on a fixed number of bars and a tail of the series gives the same as all of it.

Prices are (n,) in quote currency, oldest first. All raise IndicatorError when a parameter is out of range or an
input is not a row of finite numbers of one length.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numba import boolean, float64, int64, njit, types

from marketdata.indicators.arrays import Floats, floats, whole
from marketdata.indicators.signatures import rows, series


class Structure(NamedTuple):
    """State of the swing structure as known at each bar, all (n,) float64.

    ``event`` is 1 for a break of structure, 2 for a change of character, negative when downward, else 0;
    ``trend`` is the direction of the last of them, −1, 0, 1. ``high`` and ``low`` are the last swing levels, NaN if
    there is none; ``high_age`` and ``low_age`` say how many bars ago they stood. ``broken_age`` is, at an event,
    the age of the swing that broke, else NaN.
    """

    high: Floats
    low: Floats
    trend: Floats
    event: Floats
    high_age: Floats
    low_age: Floats
    broken_age: Floats


@dataclass(frozen=True, slots=True)
class Swing:
    """A swing extreme at bar ``index``, known from bar ``confirmed``; ``label`` compares it with the one before."""

    kind: Literal["high", "low"]
    index: int
    confirmed: int
    price: float
    label: Literal["HH", "LH", "HL", "LL", ""]


def structure(high: Floats, low: Floats, close: Floats, strength: int, memory: int) -> Structure:
    """Swing structure with its breaks.

    A swing high stands above the ``strength`` highs before it and not below those after it; a swing low mirrors
    it. A close beyond the last unbroken swing is a break of structure, or a change of character when it goes
    against the trend. A break breaks its swing once.
    """
    high, low, close = floats(high=high, low=low, close=close)
    out = np.empty((7, close.size))
    _structure(high, low, close, whole("strength", strength, 1), whole("memory", memory, 10), out)
    return Structure(*out)


def swings(high: Floats, low: Floats, strength: int) -> tuple[Swing, ...]:
    """Every swing of the series, in the order in which they become known."""
    high, low = floats(high=high, low=low)
    strength = whole("strength", strength, 1)
    found: list[Swing] = []
    last = {"high": np.nan, "low": np.nan}
    for confirmed, is_high in zip(*_swings(high, low, strength), strict=True):
        index = int(confirmed) - strength
        if is_high:
            price = float(high[index])
            label = "" if np.isnan(last["high"]) else "HH" if price > last["high"] else "LH"
            last["high"] = price
            found.append(Swing("high", index, int(confirmed), price, label))  # type: ignore[arg-type]
        else:
            price = float(low[index])
            label = "" if np.isnan(last["low"]) else "LL" if price < last["low"] else "HL"
            last["low"] = price
            found.append(Swing("low", index, int(confirmed), price, label))  # type: ignore[arg-type]
    return tuple(found)


def liquidity_sweeps(
    high: Floats, low: Floats, close: Floats, strength: int, memory: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Sweeps of the liquidity that rests beyond swings.

    A bar that trades beyond a swing and closes back inside sweeps it. A swing that has been traded through holds no
    liquidity any more.

    Returns
    -------
    four (n,) float64, quote currency
        The highest swing high swept at this bar and the lowest swing low (NaN without a sweep); the nearest untouched
        swing high and swing low (NaN if none).
    """
    high, low, close = floats(high=high, low=low, close=close)
    out = np.empty((4, close.size))
    _sweeps(high, low, close, whole("strength", strength, 1), whole("memory", memory, 10), out)
    return out[0], out[1], out[2], out[3]


@njit(boolean(series, int64, int64, float64), cache=True)
def _is_extreme(price, index, strength, sign):  # type: ignore[no-untyped-def]
    """Whether ``index`` is a swing of ``sign`` · price: above what precedes it, not below what follows."""
    level = sign * price[index]
    for away in range(1, strength + 1):
        if sign * price[index + away] > level or sign * price[index - away] >= level:
            return False
    return True


@njit(types.Tuple((int64[::1], boolean[::1]))(series, series, int64), cache=True)
def _swings(high, low, strength):  # type: ignore[no-untyped-def]
    n = high.size
    # Two swings of a kind are more than ``strength`` bars apart.
    confirmed, is_high = np.empty(2 * (n // (strength + 1) + 1), np.int64), np.empty(2 * (n // (strength + 1) + 1), np.bool_)
    count = 0
    for t in range(2 * strength, n):
        if _is_extreme(high, t - strength, strength, 1.0):
            confirmed[count], is_high[count] = t, True
            count += 1
        if _is_extreme(low, t - strength, strength, -1.0):
            confirmed[count], is_high[count] = t, False
            count += 1
    return confirmed[:count].copy(), is_high[:count].copy()


@njit(types.void(series, series, series, int64, int64, rows), cache=True)
def _structure(high, low, close, strength, memory, out):  # type: ignore[no-untyped-def]
    n = close.size
    top, bottom, trend, event, top_age, bottom_age, broken_age = out[0], out[1], out[2], out[3], out[4], out[5], out[6]
    peak, trough, last_break = -1, -1, 0
    peak_broken, trough_broken = False, False
    side = 0.0
    for t in range(n):
        event[t], broken_age[t] = 0.0, np.nan
        if t - peak > memory:
            peak = -1
        if t - trough > memory:
            trough = -1
        if t - last_break > memory:
            side = 0.0
        if peak >= 0 and not peak_broken and close[t] > high[peak]:
            event[t] = 2.0 if side < 0 else 1.0
            side, last_break, peak_broken = 1.0, t, True
            broken_age[t] = t - peak
        elif trough >= 0 and not trough_broken and close[t] < low[trough]:
            event[t] = -2.0 if side > 0 else -1.0
            side, last_break, trough_broken = -1.0, t, True
            broken_age[t] = t - trough
        index = t - strength
        if index >= strength:
            if _is_extreme(high, index, strength, 1.0):
                peak, peak_broken = index, False
            if _is_extreme(low, index, strength, -1.0):
                trough, trough_broken = index, False
        trend[t] = side
        if peak >= 0 and t - peak <= memory:
            top[t], top_age[t] = high[peak], t - peak
        else:
            top[t], top_age[t] = np.nan, np.nan
        if trough >= 0 and t - trough <= memory:
            bottom[t], bottom_age[t] = low[trough], t - trough
        else:
            bottom[t], bottom_age[t] = np.nan, np.nan


@njit(types.void(series, series, series, int64, int64, rows), cache=True)
def _sweeps(high, low, close, strength, memory, out):  # type: ignore[no-untyped-def]
    n = close.size
    swept_high, swept_low, next_high, next_low = out[0], out[1], out[2], out[3]
    # Untouched highs descend (a later, higher one would have traded through them), so the nearest is on top.
    highs, lows = np.empty(n // (strength + 1) + 1, np.int64), np.empty(n // (strength + 1) + 1, np.int64)
    high_count, low_count = 0, 0
    for t in range(n):
        swept_high[t], swept_low[t] = np.nan, np.nan
        while high_count:
            index = highs[high_count - 1]
            if t - index <= memory:
                if high[t] <= high[index]:
                    break
                if close[t] < high[index]:
                    swept_high[t] = high[index]
            high_count -= 1
        while low_count:
            index = lows[low_count - 1]
            if t - index <= memory:
                if low[t] >= low[index]:
                    break
                if close[t] > low[index]:
                    swept_low[t] = low[index]
            low_count -= 1
        index = t - strength
        if index >= strength and strength <= memory:
            if _is_extreme(high, index, strength, 1.0):
                highs[high_count] = index
                high_count += 1
            if _is_extreme(low, index, strength, -1.0):
                lows[low_count] = index
                low_count += 1
        next_high[t] = high[highs[high_count - 1]] if high_count else np.nan
        next_low[t] = low[lows[low_count - 1]] if low_count else np.nan
