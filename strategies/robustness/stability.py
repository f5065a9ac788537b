"""Is the winner a peak or a plateau? Heat maps of two parameters, and what is left of a score one step away.

Neighbours of a trial are those within one level of it in every searched parameter (levels are the values that trials
took; where a parameter took more than 64, within a tenth of its range) and with the same choices. A good point on a
plateau has neighbours as good as itself; a peak among bad neighbours is what luck looks like.

Source: Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd ed. 2008, chapter 10 (robust optimum).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from strategies.contract import Value
from strategies.robustness.samples import Floats, Ints, InvalidSample, row
from strategies.robustness.space import Dimension, Space

MOST_LEVELS: Final = 64
BINS: Final = 20
RADIUS: Final = 0.1
MOST_POINTS: Final = 50_000


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Scores over two parameters, the others averaged out. ``x`` (c,) and ``y`` (r,) label columns and rows, ascending.

    ``mean`` and ``best`` are (r, c), NaN where there is no trial; ``count`` (r, c) is how many there are.
    """

    x_name: str
    y_name: str
    x: tuple[Value, ...]
    y: tuple[Value, ...]
    mean: Floats
    best: Floats
    count: Ints

    def to_json(self) -> dict[str, Any]:
        def cells(values: Floats) -> list[list[float | None]]:
            return [[None if math.isnan(v) else v for v in line] for line in values.tolist()]

        axes = {"x": {"name": self.x_name, "values": list(self.x)}, "y": {"name": self.y_name, "values": list(self.y)}}
        return {"version": 1, **axes, "mean": cells(self.mean), "best": cells(self.best), "count": self.count.tolist()}


def heat_map(space: Space, points: Sequence[Mapping[str, Value]], scores: npt.ArrayLike, x: str, y: str) -> HeatMap:
    """The marginal of two searched parameters over (n,) trials.

    A number that took more than 64 values is put into 20 bins, labelled by their middles.

    Raises InvalidSample if a name is not searched, both are the same, or points and scores differ in number.
    """
    values = _scores(points, scores)
    named = {dimension.name: dimension for dimension in space.dimensions}
    if x not in named or y not in named or x == y:
        raise InvalidSample(f"a heat map needs two of {', '.join(named)}; had {x!r} and {y!r}")
    columns, across = _binned(named[x], points)
    lines, down = _binned(named[y], points)
    shape = (len(down), len(across))
    count = np.zeros(shape, np.int64)
    total, best = np.zeros(shape), np.full(shape, -np.inf)
    np.add.at(count, (lines, columns), 1)
    np.add.at(total, (lines, columns), values)
    np.maximum.at(best, (lines, columns), values)
    empty = count == 0
    mean = np.where(empty, np.nan, total / np.maximum(count, 1))
    return HeatMap(x, y, across, down, mean, np.where(empty, np.nan, best), count)


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """For each of (n,) trials: ``mean`` and ``worst`` score of itself and its neighbours, and how many neighbours it has."""

    mean: Floats
    worst: Floats
    neighbours: Ints


@dataclass(frozen=True, slots=True)
class Stability:
    """How the best trial stands among its neighbours, and which trial has the best surroundings.

    ``kept`` is the neighbours' mean over the best score (NaN without neighbours, or where the best is not above 0);
    ``close`` the share of neighbours that keep 80 % of it or more; ``worst`` the least of them. ``plateau`` is the
    index of the trial with the highest mean of itself and its neighbours.
    """

    best: int
    neighbours: int
    kept: float
    close: float
    worst: float
    plateau: int

    @property
    def degradation(self) -> float:
        """What a step away costs, as a share of the best score."""
        return 1 - self.kept


def neighbourhoods(space: Space, points: Sequence[Mapping[str, Value]], scores: npt.ArrayLike) -> Neighbourhoods:
    """The surroundings of every trial. Raises InvalidSample for more than 50,000 trials."""
    values = _scores(points, scores)
    if len(values) > MOST_POINTS:
        raise InvalidSample(f"stability is told of at most {MOST_POINTS:,} trials, was given {len(values):,}")
    mean, worst = np.empty(len(values)), np.empty(len(values))
    neighbours = np.empty(len(values), np.int64)
    _surroundings(_coordinates(space, points), values, mean, worst, neighbours)
    return Neighbourhoods(mean, worst, neighbours)


def stability(space: Space, points: Sequence[Mapping[str, Value]], scores: npt.ArrayLike) -> Stability:
    """Whether the best of (n,) trials lies on a plateau. Raises InvalidSample."""
    values = _scores(points, scores)
    around = neighbourhoods(space, points, values)
    best = int(values.argmax())
    coordinates = _coordinates(space, points)
    near = (np.abs(coordinates - coordinates[best]) <= 1 + 1e-9).all(axis=1)
    near[best] = False
    others = values[near]
    top = float(values[best])
    fair = len(others) > 0 and top > 0
    # A lone point's surroundings are itself alone; it is not a plateau while any other point has company.
    ranked = np.where(around.neighbours > 0, around.mean, -np.inf) if around.neighbours.any() else around.mean
    return Stability(
        best,
        len(others),
        float(others.mean()) / top if fair else math.nan,
        float((others >= 0.8 * top).mean()) if fair else math.nan,
        float(others.min()) if len(others) else math.nan,
        int(ranked.argmax()),
    )


def _scores(points: Sequence[Mapping[str, Value]], scores: npt.ArrayLike) -> Floats:
    values = row("scores", scores)
    if len(points) != len(values):
        raise InvalidSample(f"every point needs its score: {len(points)} points, {len(values)} scores")
    return values


def _coordinates(space: Space, points: Sequence[Mapping[str, Value]]) -> Floats:
    """(n, dimensions) in which a distance of 1 is one level; choices lie far apart."""
    columns = []
    for dimension in space.dimensions:
        units = np.array([dimension.unit(point[dimension.name]) for point in points])
        levels, place = np.unique(units, return_inverse=True)
        if dimension.kind == "choice":
            columns.append(place * 1e6)
        else:
            columns.append(place.astype(np.float64) if len(levels) <= MOST_LEVELS else units / RADIUS)
    return np.ascontiguousarray(np.column_stack(columns))


def _binned(dimension: Dimension, points: Sequence[Mapping[str, Value]]) -> tuple[Ints, tuple[Value, ...]]:
    values = [point[dimension.name] for point in points]
    units = np.array([dimension.unit(value) for value in values])
    levels, first, place = np.unique(units, return_index=True, return_inverse=True)
    if dimension.kind == "choice" or len(levels) <= MOST_LEVELS:
        return place.astype(np.int64), tuple(values[i] for i in first)
    bins = np.minimum((units * BINS).astype(np.int64), BINS - 1)
    return bins, tuple(dimension.at((i + 0.5) / BINS) for i in range(BINS))


@njit(cache=True)
def _surroundings(coordinates: Floats, scores: Floats, mean: Floats, worst: Floats, neighbours: Ints) -> None:
    n, dimensions = coordinates.shape
    for i in range(n):
        total, least, near = scores[i], scores[i], 0
        for j in range(n):
            if j == i:
                continue
            inside = True
            for d in range(dimensions):
                if abs(coordinates[i, d] - coordinates[j, d]) > 1 + 1e-9:
                    inside = False
                    break
            if inside:
                near += 1
                total += scores[j]
                least = min(least, scores[j])
        mean[i], worst[i], neighbours[i] = total / (near + 1), least, near
