"""What every statistic of robustness takes and says: rows of finite numbers, seeds, and the errors for anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clusterx.errors import DomainError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class InvalidSpace(DomainError):
    """A search space, a constraint or a search is not what can be searched."""

    code = "invalid-search-space"


class InvalidPlan(DomainError):
    """Windows or splits were asked for that the data cannot give."""

    code = "invalid-plan"


class InvalidSample(DomainError):
    """A statistic was asked of numbers that it cannot be computed from."""

    code = "invalid-sample"


def row(name: str, values: npt.ArrayLike, minimum: int = 1) -> Floats:
    """``values`` as a contiguous (n,) float64 array of at least ``minimum`` finite numbers.

    Raises InvalidSample.
    """
    return _finite(name, _numbers(name, values, 1), minimum)


def table(name: str, values: npt.ArrayLike, minimum_rows: int = 1, minimum_columns: int = 1) -> Floats:
    """``values`` as a contiguous (rows, columns) float64 array of finite numbers.

    Raises InvalidSample.
    """
    array = _finite(name, _numbers(name, values, 2), minimum_rows)
    if array.shape[1] < minimum_columns:
        raise InvalidSample(f"{name} must have at least {minimum_columns} columns, had {array.shape[1]}")
    return array


def share(name: str, value: float, *, least: float = 0.0, most: float = 1.0) -> float:
    """``value`` strictly between ``least`` and ``most``. Raises InvalidSample."""
    if not least < value < most:
        raise InvalidSample(f"{name} must be above {least:g} and below {most:g}, was {value!r}")
    return float(value)


def count(name: str, value: int, *, least: int = 1, most: int | None = None) -> int:
    """``value`` as a whole number in ``least..most``. Raises InvalidSample."""
    if isinstance(value, bool) or int(value) != value or value < least or (most is not None and value > most):
        raise InvalidSample(f"{name} must be a whole number from {least} to {'any' if most is None else most}, was {value!r}")
    return int(value)


def generator(*seed: int) -> np.random.Generator:
    """A generator that depends on these whole numbers alone: the same on every machine and in every process."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))


def _numbers(name: str, values: npt.ArrayLike, dimensions: int) -> Floats:
    try:
        array: npt.NDArray[Any] = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidSample(f"{name} must be numbers, was {type(values).__name__}") from error
    if np.ndim(values) != dimensions:
        raise InvalidSample(f"{name} must have {dimensions} dimension(s), had {np.ndim(values)}")
    return array


def _finite(name: str, array: Floats, minimum: int) -> Floats:
    if len(array) < minimum:
        raise InvalidSample(f"{name} must have at least {minimum} values, had {len(array)}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidSample(f"{name} must hold finite numbers, has {array[where]} at {', '.join(map(str, where))}")
    return array
