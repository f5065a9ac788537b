"""What a simulation is given, looked at before the kernel reads it.

The kernel is compiled without checks of bounds: an index or a shape that is wrong would reach beyond an array. So every
array and table passes here first, and comes out as the kernel expects it: of its shape, contiguous, aligned, in native
float64 or int64, and one that may be written to (Numba compiles everything anew for arrays that may not).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
from numba import njit

from marketdata.bars import Bars
from strategies.engine.model import CorporateAction, Costs, Floats, Rules, refuse

LARGEST_PRICE: Final = 1e15  # as ``marketdata.bars.problem``
LARGEST_VOLUME: Final = 1e30
LATEST: Final = 10**11  # the year 5138: epoch milliseconds are beyond it
LARGEST: Final = float(np.finfo(np.float64).max)
LAYOUT: Final = ("C_CONTIGUOUS", "ALIGNED", "WRITEABLE")

_sound: WeakSet[Bars] = WeakSet()


@dataclass(frozen=True, slots=True)
class Fault:
    """The first bar that can be none, why, and how many there are of it."""

    bar: int
    why: str
    count: int


def fault(bars: Bars) -> Fault | None:
    """What is wrong with the prices and volumes of ``bars``, (n,) float64 each, or None.

    A NaN price says that the instrument has no bar there, a NaN volume that it is unknown: neither is wrong here.
    """
    opened, high, low, close, volume = (np.require(column, np.float64, LAYOUT) for column in bars.columns[1:])
    if not unsound(opened, high, low, close, volume):
        return None
    prices = np.stack([opened, high, low, close])
    for why, wrong in (
        ("a price is not a number", np.isinf(prices).any(axis=0)),
        ("a price is beyond any market", (prices >= LARGEST_PRICE).any(axis=0)),
        ("a price is not above 0", (prices <= 0).any(axis=0)),
        ("high and low do not hold open and close", (prices > high).any(axis=0) | (prices < low).any(axis=0)),
        ("volume is below 0 or infinite", (volume < 0) | (volume >= LARGEST_VOLUME)),
    ):
        if wrong.any():
            return Fault(int(np.argmax(wrong)), why, int(wrong.sum()))
    raise AssertionError("the fast look and the slow one differ")


@njit(cache=True)
def unsound(opened: Any, high: Any, low: Any, close: Any, volume: Any) -> int:
    """How many bars are wrong; a millisecond for a million. What compares with NaN is false, so NaN passes."""
    wrong = 0
    for i in range(len(opened)):
        o, h, l, c = opened[i], high[i], low[i], close[i]  # noqa: E741
        wrong += (
            (l <= 0) | (o <= 0) | (c <= 0) | (h >= LARGEST_PRICE) | (o >= LARGEST_PRICE) | (c >= LARGEST_PRICE)
            | (l >= LARGEST_PRICE) | (h < l) | (o < l) | (o > h) | (c < l) | (c > h)
            | (volume[i] < 0) | (volume[i] >= LARGEST_VOLUME) | (h <= 0)
        )  # fmt: skip
    return wrong


def sound(bars: object, field: str = "bars") -> Bars:
    """``bars`` as the kernel reads them.

    Prices are looked at once for each ``Bars``: what is changed in its arrays afterwards is not seen, and can do no worse
    than a wrong result. Raises InvalidSimulation, naming the first bar that is wrong.
    """
    if not isinstance(bars, Bars):
        refuse(field, "Bars, or several of them (from strategies.engine import Bars)", type(bars).__name__)
    assert isinstance(bars, Bars)
    n = len(bars)
    time = whole(f"{field}: time", bars.time, n, field)
    if n and max(abs(time[0]), abs(time[-1])) >= LATEST:
        refuse(f"{field}: time", "epoch seconds", int(time[0] if abs(time[0]) >= LATEST else time[-1]), field)
    if not ascending(time):
        at = int(np.argmax(np.diff(time) <= 0)) + 1
        refuse(field, "in ascending order of time", f"{time[at]} after {time[at - 1]} (bar {at})", field)
    names = ("open", "high", "low", "close", "volume")
    columns = [numbers(f"{field}: {name}", getattr(bars, name), (n,), field) for name in names]
    given = (time, *columns)
    plain = bars if all(one is other for one, other in zip(given, bars.columns, strict=True)) else Bars(time, *columns)
    if bars not in _sound:
        if found := fault(plain):
            moment = np.datetime64(int(time[found.bar]), "s")
            refuse(field, "prices above 0 within high and low, volumes of 0 or more",
                   f"bar {found.bar} ({moment} UTC): {found.why}", field)  # fmt: skip
        _sound.add(bars)
    return plain


@njit(cache=True)
def ascending(time: Any) -> bool:
    wrong = 0
    for i in range(1, len(time)):
        wrong += time[i] <= time[i - 1]
    return wrong == 0


@njit(cache=True)
def outside(values: Any, low: float, high: float) -> int:
    """How many of the values are below ``low`` or above ``high``; NaN is neither."""
    wrong = 0
    for i in range(len(values)):
        wrong += (values[i] < low) | (values[i] > high)
    return wrong


def numbers(name: str, values: Any, shape: tuple[int, ...], field: str | None = None) -> Floats:
    """``values`` in ``shape``; an (n,) array passes for (n, 1). Raises InvalidSimulation."""
    array = numeric(name, values, "numbers", field)
    usual = shape[:1] if shape[1:] == (1,) else shape
    if array.shape not in (usual, shape):
        refuse(name, f"of shape {usual}", array.shape, field)
    return np.require(array.reshape(shape), np.float64, LAYOUT)


def numeric(name: str, values: Any, expected: str, field: str | None = None) -> npt.NDArray[Any]:
    """``values`` as an array of numbers. Raises InvalidSimulation for text, dates, complex numbers and ragged lists."""
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError):
        refuse(name, expected, type(values).__name__, field)
    if array.dtype.kind not in "biuf":
        refuse(name, expected, values if isinstance(values, str) else f"of {array.dtype}", field)
    return array


def whole(name: str, values: Any, n: int, field: str | None = None) -> npt.NDArray[np.int64]:
    """(n,) int64. Raises InvalidSimulation for what are no whole numbers."""
    array = numeric(name, values, "whole numbers", field)
    if array.shape != (n,):
        refuse(name, f"of shape {(n,)}", array.shape, field)
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(array) < 2.0**53) | (array != np.floor(array))
        if wrong.any():
            refuse(name, "whole numbers", float(array[np.argmax(wrong)]), field)
    return np.require(array, np.int64, LAYOUT)


def within(name: str, array: Floats, low: float, high: float, expected: str) -> Floats:
    """``array`` again, if all of it is NaN or in [low, high]."""
    if outside(array.reshape(-1), low, high):
        wrong = (array < low) | (array > high)
        row = np.unravel_index(int(np.argmax(wrong)), array.shape)
        refuse(name, expected, float(array[row]), where=f"bar {row[0]}")
    return array


def levels(name: str, values: Any, n: int, k: int) -> Floats:
    return within(name, numbers(name, values, (n, k)), -LARGEST, LARGEST, "finite, or NaN for none")


def rates(values: Any, n: int, k: int) -> Floats:
    return within("funding", numbers("funding", values, (n, k)), -1.0, 1.0, "rates in -1..1, or NaN for none")


def switches(name: str, values: Any, n: int, k: int) -> npt.NDArray[np.int8]:
    array = numbers(name, values, (n, k))
    on = array == 1
    if not (on | (array == 0)).all():
        refuse(name, "true or false", float(array[~(on | (array == 0))][0]))
    return on.astype(np.int8)


def actions_table(actions: Sequence[CorporateAction], n: int, k: int) -> Floats:
    """(m, 4) in the order given. Raises InvalidSimulation for a bar or an instrument that is not there."""
    rows, before = [], 0
    for number, action in enumerate(actions):
        if not isinstance(action, CorporateAction):
            refuse("actions", "CorporateActions", type(action).__name__)
        for name, count in (("bar", n), ("instrument", k)):
            value = getattr(action, name)
            if not 0 <= index(value) < count:
                refuse(f"actions: {name}", f"a whole number in 0..{count - 1}", value, "actions", where=f"action {number}")
        if index(action.bar) < before:
            refuse("actions", "in order of their bars", f"bar {action.bar} after bar {before}", where=f"action {number}")
        before = index(action.bar)
        rows.append(action.row())
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def index(value: object) -> int:
    """A whole number; -1 for what is none."""
    if isinstance(value, (bool, np.bool_)):
        return -1
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return -1


def told(costs: object, rules: object) -> None:
    """Raises InvalidSimulation unless they are what they are called."""
    if not isinstance(costs, Costs):
        refuse("costs", "Costs, such as Costs.of(0.001)", costs)
    if not isinstance(rules, Rules):
        refuse("rules", "Rules", rules)
