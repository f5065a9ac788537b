"""Owns what every indicator takes and returns: float arrays, argument checks, the error, the missing value.

Too short a series is not an error: a chart of a young instrument shows nothing yet, so the result is NaN
throughout and as long as the input. A wrong argument is one, whatever the length.
"""

from math import isfinite
from typing import Any, cast

import numpy as np
import talib
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

# TA-Lib keeps these two for the whole process; anything but zero moves every recursive average.
talib.set_unstable_period("ALL", 0)
talib.set_compatibility(0)


class IndicatorError(ValueError):
    """An indicator was asked for with an argument it cannot take."""


def floats(**given: object) -> tuple[Floats, ...]:
    """Each argument as a contiguous (n,) float64 array, in the order given.

    Raises
    ------
    IndicatorError
        If one is not a row of numbers, holds NaN or infinity, or is longer than another.
    """
    taken: list[Floats] = []
    for name, values in given.items():
        try:
            array = np.ascontiguousarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise IndicatorError(f"{name} must be a row of numbers, was {type(values).__name__}") from error
        shape = np.shape(cast(Any, values))
        if len(shape) != 1:
            raise IndicatorError(f"{name} must have one dimension, had shape {shape}")
        if array.size and not isfinite(array.sum()):
            bad = np.flatnonzero(~np.isfinite(array))
            if bad.size:
                at = int(bad[0])
                raise IndicatorError(f"{name} must hold finite numbers, has {array[at]} at index {at}")
        if taken and array.size != taken[0].size:
            raise IndicatorError(f"{name} must be as long as {next(iter(given))} ({taken[0].size}), has {array.size} values")
        taken.append(array)
    return tuple(taken)


def times(time: object, length: int) -> Times:
    """Epoch seconds of the bars' opening as a contiguous (n,) int64 array.

    Raises
    ------
    IndicatorError
        If it is not ``length`` integers in ascending order.
    """
    array = np.asarray(time)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise IndicatorError(f"time must be a row of integers (epoch seconds), was {array.dtype}, {array.shape}")
    if array.size != length:
        raise IndicatorError(f"time must be as long as the prices ({length}), has {array.size} values")
    if array.size > 1 and not bool((array[1:] > array[:-1]).all()):
        raise IndicatorError("time must ascend from bar to bar")
    return np.ascontiguousarray(array, dtype=np.int64)


def whole(name: str, value: object, minimum: int, maximum: int | None = None) -> int:
    """``value`` as an int in ``minimum..maximum``.

    Raises
    ------
    IndicatorError
        If it is not whole or lies outside.
    """
    span = f"{minimum}..{maximum}" if maximum is not None else f"at least {minimum}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise IndicatorError(f"{name} must be a whole number, {span}, was {value!r}")
    if value < minimum or (maximum is not None and value > maximum):
        raise IndicatorError(f"{name} must be {span}, was {value}")
    return int(value)


def real(name: str, value: object, minimum: float, maximum: float | None = None) -> float:
    """``value`` as a finite float in ``minimum..maximum``.

    Raises
    ------
    IndicatorError
        If it is not a number or lies outside.
    """
    span = f"{minimum:g}..{maximum:g}" if maximum is not None else f"at least {minimum:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise IndicatorError(f"{name} must be a number, {span}, was {value!r}")
    number = float(value)
    if not isfinite(number) or number < minimum or (maximum is not None and number > maximum):
        raise IndicatorError(f"{name} must be {span}, was {number:g}")
    return number


def ascending(**given: int) -> None:
    """Raise IndicatorError unless each argument is larger than the one before it."""
    names, values = list(given), list(given.values())
    for i in range(1, len(values)):
        if values[i] <= values[i - 1]:
            raise IndicatorError(f"{names[i - 1]} must be below {names[i]}, were {values[i - 1]} and {values[i]}")
