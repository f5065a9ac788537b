"""Owns what an indicator says: crosses of two lines, turns of a side, events, and where trends start.

A signal at a bar uses that bar and those before it. What a registry entry detects is declared with the rules here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import talib
from numba import float64, int8, int64, njit
from numpy.typing import NDArray

from marketdata.indicators.arrays import Floats, IndicatorError, ascending, floats, real, whole
from marketdata.indicators.signatures import series
from marketdata.indicators.trend import adx

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Signal:
    """Something seen when bar ``index`` closed; ``kind`` names it for machines and ``label`` for people."""

    kind: str
    index: int
    direction: Direction
    label: str


@dataclass(frozen=True, slots=True)
class Cross:
    """Line ``a`` crosses line ``b``: each is an output's name, ``close``, or a level; ``only`` keeps one direction."""

    a: str
    b: str | float
    up: str
    down: str
    kind: str = "cross"
    only: Direction | None = None

    def find(self, lines: Mapping[str, Floats]) -> Iterable[Signal]:
        """Signals of this rule in ``lines``, outputs by name and the close."""
        first = lines[self.a]
        second = lines[self.b] if isinstance(self.b, str) else np.full(first.size, float(self.b))
        found = crosses(first, second)
        for index in np.flatnonzero(found):
            direction: Direction = "up" if found[index] > 0 else "down"
            if self.only in (None, direction):
                yield Signal(self.kind, int(index), direction, self.up if direction == "up" else self.down)


@dataclass(frozen=True, slots=True)
class Turn:
    """Output ``side`` (1 or −1) changes sides."""

    side: str
    up: str
    down: str
    kind: str = "turn"

    def find(self, lines: Mapping[str, Floats]) -> Iterable[Signal]:
        """Signals of this rule in ``lines``."""
        side = lines[self.side]
        for index in 1 + np.flatnonzero(side[1:] * side[:-1] < 0):
            up = side[index] > 0
            yield Signal(self.kind, int(index), "up" if up else "down", self.up if up else self.down)


@dataclass(frozen=True, slots=True)
class Event:
    """Output ``code`` holds ± ``value`` at this bar."""

    code: str
    value: float
    up: str
    down: str
    kind: str

    def find(self, lines: Mapping[str, Floats]) -> Iterable[Signal]:
        """Signals of this rule in ``lines``."""
        code = lines[self.code]
        for index in np.flatnonzero(np.abs(code) == self.value):
            up = code[index] > 0
            yield Signal(self.kind, int(index), "up" if up else "down", self.up if up else self.down)


@dataclass(frozen=True, slots=True)
class Mark:
    """Output ``output`` holds a number at this bar."""

    output: str
    direction: Direction
    label: str
    kind: str

    def find(self, lines: Mapping[str, Floats]) -> Iterable[Signal]:
        """Signals of this rule in ``lines``."""
        for index in np.flatnonzero(~np.isnan(lines[self.output])):
            yield Signal(self.kind, int(index), self.direction, self.label)


Rule = Cross | Turn | Event | Mark


def crosses(a: Floats, b: Floats) -> NDArray[np.int8]:
    """1 where ``a`` crosses above ``b``, −1 where it crosses below, else 0; (n,) int8.

    A line that touches the other and turns back does not cross. NaN in either starts the comparison anew.

    Raises
    ------
    IndicatorError
        If the lengths differ. (NaN is allowed here: outputs begin with it.)
    """
    first, second = np.ascontiguousarray(a, dtype=np.float64), np.ascontiguousarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise IndicatorError(f"crossing lines must be as long as each other, were {first.shape}, {second.shape}")
    return _crosses(first, second)


def trend_start(
    high: Floats, low: Floats, close: Floats, fast: int, slow: int, window: int, threshold: float, quiet: int
) -> tuple[Floats, Floats]:
    """Trend as three witnesses agree on it, and the bars at which one starts.

    There is an up trend while EMA ``fast`` is above EMA ``slow``, +DI above −DI, and ADX of ``window`` is at least
    ``threshold``; a down trend mirrors it. One starts at the first such bar after ``quiet`` bars without it.

    Returns
    -------
    two (n,) float64
        State −1, 0, 1, and start −1, 0, 1; both NaN until all witnesses and the quiet bars are in.
    """
    high, low, close = floats(high=high, low=low, close=close)
    fast, slow, quiet = whole("fast", fast, 2), whole("slow", slow, 2), whole("quiet", quiet, 1)
    ascending(fast=fast, slow=slow)
    threshold = real("threshold", threshold, 0.0, 100.0)
    strength, plus, minus = adx(high, low, close, window)
    lead = talib.EMA(close, fast) - talib.EMA(close, slow)
    state = np.where((lead > 0) & (plus > minus), 1.0, np.where((lead < 0) & (minus > plus), -1.0, 0.0))
    state[strength < threshold] = 0.0
    state[np.isnan(strength + lead)] = np.nan
    return state, _starts(state, quiet)


@njit(int8[::1](series, series), cache=True)
def _crosses(a, b):  # type: ignore[no-untyped-def]
    out = np.zeros(a.size, np.int8)
    side = 0
    for i in range(a.size):
        if a[i] > b[i]:
            if side < 0:
                out[i] = 1
            side = 1
        elif a[i] < b[i]:
            if side > 0:
                out[i] = -1
            side = -1
        elif a[i] != b[i]:
            side = 0
    return out


@njit(float64[::1](series, int64), cache=True)
def _starts(state, quiet):  # type: ignore[no-untyped-def]
    n = state.size
    out = np.full(n, np.nan)
    first, last_up, last_down = -1, -1, -1
    for i in range(n):
        if state[i] != state[i]:
            continue
        if first < 0:
            first, last_up, last_down = i, i - 1, i - 1
        if i - first >= quiet:
            out[i] = 0.0
            if state[i] > 0 and i - last_up > quiet:
                out[i] = 1.0
            elif state[i] < 0 and i - last_down > quiet:
                out[i] = -1.0
        if state[i] > 0:
            last_up = i
        elif state[i] < 0:
            last_down = i
    return out
