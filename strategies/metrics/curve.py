"""Owns the equity curve: its check, its days, its ruin and its drawdowns.

A bar is stamped with its opening and counts at its close. It belongs to the UTC day in which its last second lies, so a
daily bar and the 24 hourly bars of that day end the same day with the same equity: what is computed from days does not
know how often a run was sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from numba import boolean, float64, int64, njit, types

from strategies.metrics.errors import InvalidRun

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Calendar = Literal["crypto", "exchange"]

DAY: Final = 86_400
DAYS_A_YEAR: Final[dict[Calendar, int]] = {"crypto": 365, "exchange": 252}
YEAR: Final = 365.25 * DAY
# From the first session of a year to the close of its last is as little as 360 days.
YEAR_AT_LEAST: Final = 360 * DAY
# Beyond this many times the start cash a market is not what made it, and fourth powers would overflow.
MOST: Final = 1e60
# Left with less of the start cash than this, an account is ruined: what it returns after means nothing.
RUIN: Final = 1e-12
_LATEST: Final = 253_402_300_800  # the year 10000: milliseconds given for seconds are beyond it

_series = types.Array(float64, 1, "C", readonly=True)
_stamps = types.Array(int64, 1, "C", readonly=True)


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """Equity day by day.

    ``number`` (m,) counts days since 1970-01-01 UTC. ``equity`` (m,) and ``value`` of the benchmark (m,) are those at each
    day's last close; ``returns`` (m,) are simple returns, the first from the start cash. ``ruined`` says that equity fell
    to `RUIN` of the start cash or below: that day's return is −1 and is the last. ``per_year`` days make a year.
    """

    number: Times
    equity: Floats
    returns: Floats
    benchmark: Floats | None
    ruined: bool
    per_year: float


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall below an earlier peak, at bar closes: times in epoch seconds, ``depth`` a fraction below 0.

    ``recovery_time`` is the first close at the old peak or above, None while there is none; ``length`` runs from the peak
    to it or to the run's end, ``recovery`` from the trough to it, both in seconds.
    """

    peak_time: int
    trough_time: int
    recovery_time: int | None
    depth: float
    length: int
    recovery: int | None


def check(time: Times, equity: Floats, start_cash: float, bar_seconds: int) -> None:
    """Raise InvalidRun unless these are a run: n ≥ 1, time ascending in epoch seconds, equity below `MOST`, cash positive."""
    if not (np.isfinite(start_cash) and start_cash > 0):
        raise InvalidRun(f"start_cash must be above 0, was {start_cash:g}")
    if bar_seconds < 1:
        raise InvalidRun(f"bar_seconds must be at least 1, was {bar_seconds}")
    if time.ndim != 1 or time.size == 0:
        raise InvalidRun(f"a run needs a row of at least one bar, had shape {time.shape}")
    if equity.shape != time.shape:
        raise InvalidRun(f"equity must be as long as time ({time.size}), had shape {equity.shape}")
    if not max(float(equity.max()), -float(equity.min())) < MOST * start_cash:
        at = int(np.flatnonzero(~(np.abs(equity) < MOST * start_cash))[0])
        raise InvalidRun(f"equity must hold amounts below {MOST:g} times the start cash, has {equity[at]} at bar {at}")
    at = int(_disorder(time))
    if at:
        raise InvalidRun(f"time must ascend, bar {at} opens at {time[at]} after {time[at - 1]}")
    if time[0] < 0 or time[-1] >= _LATEST:
        raise InvalidRun(f"time must be epoch seconds, was {time[0]} to {time[-1]}")


def days(
    time: Times,
    equity: Floats,
    *,
    start_cash: float,
    bar_seconds: int,
    calendar: Calendar,
    benchmark: Floats | None = None,
) -> Days:
    """The run's days, from arrays that `check` has passed.

    A crypto year has 365 days, and a day without a bar keeps the equity of the day before: its return is 0. An exchange
    year has 252, and only days with a bar count. Bars longer than a day are samples of their own.
    """
    per_year = float(DAYS_A_YEAR[calendar])
    longer = bar_seconds > DAY
    if longer:
        per_year = YEAR / bar_seconds
    every = calendar == "crypto" and not longer
    first, last = (int(t + bar_seconds - 1) // DAY for t in (time[0], time[-1]))
    room = last - first + 1 if every else min(time.size, last - first + 1)
    number, end = np.empty(room, np.int64), np.empty(room, np.int64)
    used = _day_ends(time, bar_seconds, every, number, end)
    number, end = number[:used], end[:used]
    closes = equity[end]
    before = np.concatenate(([start_cash], closes[:-1]))
    values = None if benchmark is None else benchmark[end]
    ruin = _first_at_or_below(equity, RUIN * start_cash)
    if ruin >= 0:
        day = int(np.searchsorted(end, ruin))  # the first day that ends with the bar of ruin or after it
        returns = closes[: day + 1] / before[: day + 1] - 1
        returns[day] = -1.0
    else:
        returns = closes / before - 1
    return Days(number, closes, returns, values, ruin >= 0, per_year)


def below_peak(equity: Floats, start: float) -> Floats:
    """(n,) share below the highest value so far, 0 or less; ``start`` is the first peak."""
    below: Floats = equity / np.maximum.accumulate(np.maximum(equity, start)) - 1
    return below


def daily_growth(closes: Floats, start: float) -> Floats:
    """(d,) return of each day from the account's value at its end; nothing is earned by an account that is empty."""
    before = np.r_[start, closes[:-1]]
    safe = before > 0
    made: Floats = np.where(safe, closes / np.where(safe, before, 1.0) - 1, 0.0)
    return made


def drawdowns(time: Times, equity: Floats, *, start_cash: float, bar_seconds: int, most: int = 10) -> tuple[Drawdown, ...]:
    """The ``most`` deepest falls, deepest first; the earlier of two alike first. The start cash is the first peak."""
    depth, place = np.zeros(most), np.zeros((most, 3), np.int64)
    found = _deepest(equity, start_cash, depth, place)
    begin, finish = int(time[0]), int(time[-1]) + bar_seconds

    def when(bar: int) -> int:
        return begin if bar < 0 else int(time[bar]) + bar_seconds

    rows = []
    for i in range(found):
        peak, trough, back = (int(bar) for bar in place[i])
        recovery = None if back < 0 else when(back)
        until = finish if recovery is None else recovery
        rows.append(
            Drawdown(
                when(peak),
                when(trough),
                recovery,
                float(depth[i]),
                until - when(peak),
                None if recovery is None else recovery - when(trough),
            )
        )
    return tuple(rows)


# Numba keeps compiled code until its own file changes, so a compiled function calls none of another file.
@njit(int64(_stamps), cache=True)
def _disorder(time):  # type: ignore[no-untyped-def]
    """The first bar that does not open after the one before it, or 0."""
    for i in range(1, time.size):
        if time[i] <= time[i - 1]:
            return i
    return 0


@njit(int64(_series, float64), cache=True)
def _first_at_or_below(equity, level):  # type: ignore[no-untyped-def]
    for i in range(equity.size):
        if equity[i] <= level:
            return i
    return -1


@njit(int64(_stamps, int64, boolean, int64[::1], int64[::1]), cache=True)
def _day_ends(time, bar_seconds, every, number, end):  # type: ignore[no-untyped-def]
    """Each day and its last bar; ``every`` fills days without a bar with the bar before. Returns how many."""
    n, used = time.size, 0
    shift = bar_seconds - 1
    day = (time[0] + shift) // 86_400
    midnight = (day + 1) * 86_400 - shift
    for i in range(1, n):
        if time[i] >= midnight:
            number[used], end[used] = day, i - 1
            used += 1
            following = (time[i] + shift) // 86_400
            if every:
                for missing in range(day + 1, following):
                    number[used], end[used] = missing, i - 1
                    used += 1
            day = following
            midnight = (day + 1) * 86_400 - shift
    number[used], end[used] = day, n - 1
    return used + 1


@njit(int64(_series, float64, float64[::1], int64[:, ::1]), cache=True)
def _deepest(equity, start, depth, place):  # type: ignore[no-untyped-def]
    """The deepest falls in order into ``depth`` and ``place`` (bar of peak, trough, recovery; -1: start, none yet)."""
    most, found = depth.size, 0
    peak, peak_bar = start, -1
    low, low_bar = start, -1
    n = equity.size
    for i in range(n + 1):
        if i < n and equity[i] < peak:
            if equity[i] < low:
                low, low_bar = equity[i], i
            continue
        if low < peak:
            fall = low / peak - 1.0
            if found < most or fall < depth[most - 1]:
                row = min(found, most - 1)
                while row > 0 and fall < depth[row - 1]:
                    depth[row] = depth[row - 1]
                    place[row] = place[row - 1]
                    row -= 1
                depth[row] = fall
                place[row, 0], place[row, 1], place[row, 2] = peak_bar, low_bar, i if i < n else -1
                found = min(found + 1, most)
        if i < n:
            peak, peak_bar = equity[i], i
            low, low_bar = peak, i
    return found
