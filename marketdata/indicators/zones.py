"""Owns the price zones of smart-money concepts: order blocks and fair value gaps, from birth to mitigation.

A zone is known from the bar that confirms it. It is mitigated when a later bar has traded back through the share
``fill`` of it (0 its near edge, 0.5 its middle, 1 all of it) and forgotten when it is older than ``memory`` bars.

Prices are (n,) in quote currency, oldest first. All raise IndicatorError when a parameter is out of range or an
input is not a row of finite numbers of one length.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numba import float64, int64, njit, types
from numpy.typing import NDArray

from marketdata.indicators.arrays import Floats, floats, real, whole
from marketdata.indicators.signatures import rows, series
from marketdata.indicators.structure import structure

Kind = Literal["order_block", "fair_value_gap"]
Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Zone:
    """A price zone that begins at bar ``start``, is known from bar ``confirmed`` and ended at bar ``end``.

    ``end`` is None while the zone is open; ``outcome`` tells whether it was mitigated or forgotten. An ``up`` zone
    lies below the price that left it.
    """

    kind: Kind
    direction: Direction
    start: int
    confirmed: int
    end: int | None
    outcome: Literal["open", "mitigated", "forgotten"]
    top: float
    bottom: float


class Levels(NamedTuple):
    """Nearest open zone on each side, and zones formed at each bar (1 up, −1 down, 0 none), all (n,) float64."""

    up_top: Floats
    up_bottom: Floats
    down_top: Floats
    down_bottom: Floats
    formed: Floats


def order_blocks(high: Floats, low: Floats, close: Floats, strength: int, fill: float, memory: int) -> Levels:
    """Nearest open order block on each side.

    When structure breaks upward, the bar with the lowest low between the broken swing high and the break is an ``up``
    block, from its low to its high. Downward mirrors it. A block that a second break confirms stays one block.
    """
    levels, _ = _blocks(high, low, close, strength, fill, memory)
    return levels


def order_block_zones(high: Floats, low: Floats, close: Floats, strength: int, fill: float, memory: int) -> tuple[Zone, ...]:
    """Every order block of the series by the rule of `order_blocks`, in the order in which they become known."""
    _, zones = _blocks(high, low, close, strength, fill, memory)
    return _zones("order_block", zones)


def fair_value_gaps(high: Floats, low: Floats, close: Floats, smallest: float, fill: float, memory: int) -> Levels:
    """Nearest open fair value gap on each side.

    Three bars leave an ``up`` gap when the third's low is above the first's high by more than ``smallest`` percent of
    the third's close. Downward mirrors it. The gap begins at the middle bar and is known at the third.
    """
    levels, _ = _imbalances(high, low, close, smallest, fill, memory)
    return levels


def fair_value_gap_zones(
    high: Floats, low: Floats, close: Floats, smallest: float, fill: float, memory: int
) -> tuple[Zone, ...]:
    """Every fair value gap of the series by the rule of `fair_value_gaps`, in the order of their bars."""
    _, zones = _imbalances(high, low, close, smallest, fill, memory)
    return _zones("fair_value_gap", zones)


class _Tracked(NamedTuple):
    marks: NDArray[np.int64]
    edges: Floats
    ends: NDArray[np.int64]


def _blocks(high: Floats, low: Floats, close: Floats, strength: int, fill: float, memory: int) -> tuple[Levels, _Tracked]:
    high, low, close = floats(high=high, low=low, close=close)
    state = structure(high, low, close, strength, memory)
    marks, edges = _find_blocks(high, low, state.event, state.broken_age)
    return _follow(high, low, marks, edges, fill, memory)


def _imbalances(high: Floats, low: Floats, close: Floats, smallest: float, fill: float, memory: int) -> tuple[Levels, _Tracked]:
    high, low, close = floats(high=high, low=low, close=close)
    marks, edges = _find_gaps(high, low, close, real("smallest", smallest, 0.0) / 100)
    return _follow(high, low, marks, edges, fill, memory)


def _follow(
    high: Floats, low: Floats, marks: NDArray[np.int64], edges: Floats, fill: float, memory: int
) -> tuple[Levels, _Tracked]:
    share, memory = real("fill", fill, 0.0, 1.0), whole("memory", memory, 10)
    ends, out = np.zeros((len(marks), 2), np.int64), np.empty((5, high.size))
    _track(high, low, marks, edges, share, memory, ends, out)
    return Levels(*out), _Tracked(marks, edges, ends)


def _zones(kind: Kind, tracked: _Tracked) -> tuple[Zone, ...]:
    return tuple(
        Zone(
            kind=kind,
            direction="up" if direction > 0 else "down",
            start=start,
            confirmed=confirmed,
            end=None if end < 0 else end,
            outcome="open" if end < 0 else "forgotten" if forgotten else "mitigated",
            top=top,
            bottom=bottom,
        )
        for (start, confirmed, direction), (top, bottom), (end, forgotten) in zip(
            tracked.marks.tolist(), tracked.edges.tolist(), tracked.ends.tolist(), strict=True
        )
        if forgotten >= 0
    )


_found = types.Tuple((int64[:, ::1], float64[:, ::1]))


@njit(_found(series, series, series, series), cache=True)
def _find_blocks(high, low, event, broken_age):  # type: ignore[no-untyped-def]
    count = 0
    for t in range(event.size):
        if event[t] != 0:
            count += 1
    marks, edges = np.empty((count, 3), np.int64), np.empty((count, 2))
    i = 0
    for t in range(event.size):
        if event[t] == 0:
            continue
        start = t - int(broken_age[t])
        for j in range(start + 1, t + 1):
            if (event[t] > 0 and low[j] < low[start]) or (event[t] < 0 and high[j] > high[start]):
                start = j
        marks[i, 0], marks[i, 1], marks[i, 2] = start, t, 1 if event[t] > 0 else -1
        edges[i, 0], edges[i, 1] = high[start], low[start]
        i += 1
    return marks, edges


@njit(_found(series, series, series, float64), cache=True)
def _find_gaps(high, low, close, smallest):  # type: ignore[no-untyped-def]
    count = 0
    for t in range(2, close.size):
        least = smallest * close[t]
        if low[t] - high[t - 2] > least or low[t - 2] - high[t] > least:
            count += 1
    marks, edges = np.empty((count, 3), np.int64), np.empty((count, 2))
    i = 0
    for t in range(2, close.size):
        least = smallest * close[t]
        if low[t] - high[t - 2] > least:
            marks[i, 0], marks[i, 1], marks[i, 2] = t - 1, t, 1
            edges[i, 0], edges[i, 1] = low[t], high[t - 2]
            i += 1
        elif low[t - 2] - high[t] > least:
            marks[i, 0], marks[i, 1], marks[i, 2] = t - 1, t, -1
            edges[i, 0], edges[i, 1] = low[t - 2], high[t]
            i += 1
    return marks, edges


@njit(
    types.void(series, series, int64[:, ::1], float64[:, ::1], float64, int64, int64[:, ::1], rows),
    cache=True,
)
def _track(high, low, marks, edges, fill, memory, ends, out):  # type: ignore[no-untyped-def]
    """Follow each zone to its end. ``ends`` holds the end (−1 open) and 0 mitigated, 1 forgotten, −1 a repetition.

    Open zones of a side lie on a stack, the nearest to price on top, so that a bar looks at those that it ends.
    """
    n, m = high.size, marks.shape[0]
    up_top, up_bottom, down_top, down_bottom, formed = out[0], out[1], out[2], out[3], out[4]
    known, goal = np.empty(m, np.int64), np.empty(m)
    stacks, counts = np.empty((2, m), np.int64), np.zeros(2, np.int64)
    born = 0
    for t in range(n):
        formed[t] = 0.0
        for side in range(2):
            sign = 1.0 - 2.0 * side
            reached = low[t] if side == 0 else -high[t]
            while counts[side]:
                zone = stacks[side, counts[side] - 1]
                if t - known[zone] > memory:
                    ends[zone, 0], ends[zone, 1] = known[zone] + memory + 1, 1
                elif reached <= sign * goal[zone]:
                    ends[zone, 0] = t
                else:
                    break
                counts[side] -= 1
        while born < m and marks[born, 1] == t:
            side = 0 if marks[born, 2] > 0 else 1
            sign = 1.0 - 2.0 * side
            top, bottom = edges[born, 0], edges[born, 1]
            goal[born] = top - fill * (top - bottom) if side == 0 else bottom + fill * (top - bottom)
            known[born], ends[born, 0] = t, -1
            formed[t] = sign
            place = counts[side]
            while place and sign * goal[stacks[side, place - 1]] > sign * goal[born]:
                place -= 1
            if place and marks[stacks[side, place - 1], 0] == marks[born, 0]:
                known[stacks[side, place - 1]] = t
                ends[born, 1] = -1
            else:
                for j in range(counts[side], place, -1):
                    stacks[side, j] = stacks[side, j - 1]
                stacks[side, place] = born
                counts[side] += 1
            born += 1
        if counts[0]:
            zone = stacks[0, counts[0] - 1]
            up_top[t], up_bottom[t] = edges[zone, 0], edges[zone, 1]
        else:
            up_top[t], up_bottom[t] = np.nan, np.nan
        if counts[1]:
            zone = stacks[1, counts[1] - 1]
            down_top[t], down_bottom[t] = edges[zone, 0], edges[zone, 1]
        else:
            down_top[t], down_bottom[t] = np.nan, np.nan
    for side in range(2):
        for place in range(counts[side]):
            zone = stacks[side, place]
            if n - 1 - known[zone] > memory:
                ends[zone, 0], ends[zone, 1] = known[zone] + memory + 1, 1
