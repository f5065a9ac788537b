"""Owns what volume tells: on-balance volume, money flow, the volume-weighted price and the volume profile.

OBV over a whole series and CMF are TA-Lib's. What starts anew each UTC day, week or month is ours: TA-Lib's VWAP
runs on from the first bar. Prices are (n,) in quote currency, volume (n,) in base units, time (n,) epoch seconds
of the bars' opening. All raise IndicatorError when a parameter is out of range or inputs do not fit together.
"""

from dataclasses import dataclass

import numpy as np
import talib
from numba import float64, int64, njit, types

from marketdata.indicators.arrays import Floats, IndicatorError, Times, floats, real, times, whole
from marketdata.indicators.calendar import DAY, anchor_code
from marketdata.indicators.signatures import row, rows, series, stamps

_DAY = DAY
_VALUE_SHARE = 0.7


def obv(close: Floats, volume: Floats) -> Floats:
    """On-balance volume from the first bar of the series, base units (Granville 1963). TA-Lib OBV.

    Its level depends on where the series begins; only its moves mean something.
    """
    close, volume = floats(close=close, volume=volume)
    return talib.OBV(close, volume)


def anchored_obv(time: Times, close: Floats, volume: Floats, anchor: str) -> Floats:
    """On-balance volume since the start of the UTC ``anchor`` period, base units.

    The first bar of a period counts against the close before it; the first of all counts nothing.
    """
    close, volume = floats(close=close, volume=volume)
    out = np.empty(close.size)
    _obv(times(time, close.size), close, volume, anchor_code(anchor), out)
    return out


def cmf(high: Floats, low: Floats, close: Floats, volume: Floats, window: int) -> Floats:
    """Chaikin money flow, −1..1, over ``window`` bars. TA-Lib CMF; 0 without volume."""
    high, low, close, volume = floats(high=high, low=low, close=close, volume=volume)
    return talib.CMF(high, low, close, volume, whole("window", window, 2))


def vwap(
    time: Times,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    anchor: str,
    start: int,
    deviations: float,
) -> tuple[Floats, Floats, Floats]:
    """Volume-weighted typical price since the session began, with bands of ``deviations`` weighted deviations.

    Parameters
    ----------
    anchor : str
        ``day``, ``week`` or ``month``, in UTC.
    start : int
        Minute of the UTC day at which a session begins, ``0..1439``.
    deviations : float
        Width of the bands in volume-weighted population standard deviations.

    Returns
    -------
    three (n,) float64
        VWAP, upper and lower band in quote currency; NaN until the session has volume.
    """
    high, low, close, volume = floats(high=high, low=low, close=close, volume=volume)
    offset = 60 * whole("start", start, 0, 1439)
    width = real("deviations", deviations, 0.1)
    out = np.empty((3, close.size))
    _vwap(times(time, close.size), high, low, close, volume, anchor_code(anchor), offset, width, out)
    return out[0], out[1], out[2]


def volume_profile(
    time: Times, high: Floats, low: Floats, volume: Floats, anchor: str, row: float
) -> tuple[Floats, Floats, Floats]:
    """Developing volume profile of the session: point of control, value area high and low.

    A bar's volume is spread evenly over its range; rows are ``row`` percent of the session's first middle price
    high. The value area holds 70 % of the volume, grown from the point of control row by row towards the larger
    neighbour (Steidlmayer's Market Profile, on volume).

    Returns
    -------
    three (n,) float64
        Middle of the largest row, upper and lower edge of the value area, quote currency; NaN until the session
        has volume.
    """
    high, low, volume = floats(high=high, low=low, volume=volume)
    share = real("row", row, 0.05, 5.0) / 100
    out = np.full((3, high.size), np.nan)
    _developing_profile(times(time, high.size), high, low, volume, anchor_code(anchor), share, out)
    return out[0], out[1], out[2]


@dataclass(frozen=True, slots=True)
class Profile:
    """Volume by price of one stretch of bars: ``volume[i]`` lies between ``edges[i]`` and ``edges[i + 1]``."""

    edges: Floats
    volume: Floats
    point_of_control: float
    value_high: float
    value_low: float


def profile(high: Floats, low: Floats, volume: Floats, count: int) -> Profile:
    """Volume profile of all bars given, in ``count`` rows of equal height, for drawing beside the chart.

    Raises
    ------
    IndicatorError
        If ``count`` is not 2..1000, there is no bar, or there is no volume.
    """
    high, low, volume = floats(high=high, low=low, volume=volume)
    count = whole("count", count, 2, 1000)
    if not volume.size or volume.sum() <= 0:
        raise IndicatorError("a volume profile needs at least one bar with volume, found none")
    bottom, top = float(low.min()), float(high.max())
    height = (top - bottom) / count or 1.0
    amounts = _profile(high, low, volume, bottom, height, count)
    peak = int(np.argmax(amounts))
    first, last = _value_area(amounts, peak, 0, count - 1, float(amounts.sum()))
    edges: Floats = bottom + height * np.arange(count + 1, dtype=np.float64)
    return Profile(edges, amounts, float(edges[peak] + height / 2), float(edges[last + 1]), float(edges[first]))


# Numba keeps compiled code until its own file changes, so a compiled function calls none of another file.
@njit(int64(int64, int64), cache=True)
def period(day: int, anchor: int) -> int:
    """Number of the period that holds ``day`` (days since 1970-01-01, a Thursday)."""
    if anchor == 0:
        return day
    if anchor == 1:
        return (day + 3) // 7
    # Months since year 0 by Hinnant's days-from-civil, run backwards (years start in March).
    shifted = day + 719468
    era = shifted // 146097
    of_era = shifted - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return (era * 400 + year) * 12 + (5 * of_year + 2) // 153


@njit(types.void(stamps, series, series, int64, row), cache=True)
def _obv(time, close, volume, anchor, out):  # type: ignore[no-untyped-def]
    total, day, current = 0.0, -1, -1
    for i in range(close.size):
        today = time[i] // _DAY
        if today != day:
            day = today
            now = period(day, anchor)
            if now != current:
                current, total = now, 0.0
        if i:
            # Without a branch, which would be mispredicted every other bar.
            total += volume[i] * ((close[i] > close[i - 1]) - (close[i] < close[i - 1]))
        out[i] = total


@njit(types.void(stamps, series, series, series, series, int64, int64, float64, rows), cache=True)
def _vwap(time, high, low, close, volume, anchor, offset, width, out):  # type: ignore[no-untyped-def]
    middle, upper, lower = out[0], out[1], out[2]
    weight, mean, spread, day, current = 0.0, 0.0, 0.0, -1, -1
    for i in range(close.size):
        today = (time[i] - offset) // _DAY
        if today != day:
            day = today
            now = period(day, anchor)
            if now != current:
                current, weight, mean, spread = now, 0.0, 0.0, 0.0
        if volume[i] > 0:
            # West's weighted update: no difference of large squares.
            weight += volume[i]
            step = (high[i] + low[i] + close[i]) / 3 - mean
            move = step * (volume[i] / weight)
            mean += move
            spread += volume[i] * step * (step - move)
        if weight > 0:
            reach = width * np.sqrt(spread / weight)
            middle[i], upper[i], lower[i] = mean, mean + reach, mean - reach
        else:
            middle[i], upper[i], lower[i] = np.nan, np.nan, np.nan


@njit(types.UniTuple(int64, 2)(float64[::1], int64, int64, int64, float64), cache=True)
def _value_area(amounts, peak, lowest, highest, total):  # type: ignore[no-untyped-def]
    first, last, held = peak, peak, amounts[peak]
    goal = _VALUE_SHARE * total
    while held < goal and (first > lowest or last < highest):
        below = amounts[first - 1] if first > lowest else -1.0
        above = amounts[last + 1] if last < highest else -1.0
        if above >= below:
            last += 1
            held += above
        else:
            first -= 1
            held += below
    return first, last


@njit(types.void(float64[::1], float64, float64, float64, float64, float64, int64), cache=True)
def _spread(amounts, high, low, volume, bottom, height, count):  # type: ignore[no-untyped-def]
    first = min(max(int((low - bottom) / height), 0), count - 1)
    last = min(max(int((high - bottom) / height), 0), count - 1)
    if first == last:
        amounts[first] += volume
        return
    each = volume / (high - low)
    amounts[first] += each * (bottom + (first + 1) * height - low)
    for j in range(first + 1, last):
        amounts[j] += each * height
    amounts[last] += each * (high - (bottom + last * height))


@njit(float64[::1](series, series, series, float64, float64, int64), cache=True)
def _profile(high, low, volume, bottom, height, count):  # type: ignore[no-untyped-def]
    amounts = np.zeros(count)
    for i in range(high.size):
        _spread(amounts, high[i], low[i], volume[i], bottom, height, count)
    return amounts


@njit(types.void(stamps, series, series, series, int64, float64, rows), cache=True)
def _developing_profile(time, high, low, volume, anchor, share, out):  # type: ignore[no-untyped-def]
    control, top, bottom = out[0], out[1], out[2]
    # Rows count from a price of zero; a session that more than quadruples piles up in the last row.
    count = int(4 / share)
    amounts = np.zeros(count)
    total, height, peak, lowest, highest, day, current = 0.0, 1.0, 0, count, -1, -1, -1
    for i in range(high.size):
        today = time[i] // _DAY
        if today != day:
            day = today
            now = period(day, anchor)
            if now != current:
                current = now
                for j in range(lowest, highest + 1):
                    amounts[j] = 0.0
                total, lowest, highest = 0.0, count, -1
                height = (high[i] + low[i]) / 2 * share
        if volume[i] > 0 and height > 0:
            first = min(max(int(low[i] / height), 0), count - 1)
            last = min(max(int(high[i] / height), 0), count - 1)
            if highest < 0:
                peak = first
            lowest, highest = min(lowest, first), max(highest, last)
            _spread(amounts, high[i], low[i], volume[i], 0.0, height, count)
            total += volume[i]
            for j in range(first, last + 1):
                if amounts[j] > amounts[peak]:
                    peak = j
        if total > 0:
            begin, end = _value_area(amounts, peak, lowest, highest, total)
            control[i] = (peak + 0.5) * height
            top[i] = (end + 1) * height
            bottom[i] = begin * height
