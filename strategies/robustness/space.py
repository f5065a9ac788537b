"""The search space: which values each parameter may take, which combinations are allowed, and how they are enumerated.

A dimension is a declared parameter with a range to search. It maps a *unit* coordinate in [0, 1] to a value and back,
linearly or by logarithm, and rounds to its step; grid, random and Bayesian search and the stability of a result are all
told in these coordinates. Random points come from the seed and the number of the trial alone, so that who computes them
does not matter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from strategies.contract import Declared, InvalidParameter, Parameter, Value, validate
from strategies.robustness import constraints
from strategies.robustness.constraints import Constraint
from strategies.robustness.samples import InvalidSpace, generator

Values = dict[str, Value]

VERSION: Final = 1
DEFAULT_LEVELS: Final = 10
MOST_LEVELS: Final = 100_000
MOST_COMBINATIONS: Final = 20_000_000
CHUNK: Final = 65_536
ATTEMPTS: Final = 200


@dataclass(frozen=True, slots=True)
class Dimension:
    """A parameter and what is searched of it. Numbers have inclusive bounds; a choice has ``choices``.

    ``step`` is the distance of a number's values (whole numbers: 1 where it is None); ``log`` spaces values evenly in their
    logarithm; ``levels`` is how many values a grid takes where ``step`` does not say.
    """

    name: str
    kind: Literal["int", "float", "choice"]
    minimum: float = 0.0
    maximum: float = 0.0
    step: float | None = None
    log: bool = False
    levels: int | None = None
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind == "choice":
            if not self.choices or len(set(self.choices)) != len(self.choices):
                raise InvalidSpace(f"{self.name} must list different choices, had {self.choices!r}", field=self.name)
            return
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum) and self.minimum <= self.maximum):
            raise self._wrong(f"must range from a number to a larger one, was {self.minimum:g}..{self.maximum:g}")
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            raise self._wrong(f"must have a step above 0, was {self.step:g}")
        if self.step is not None and not math.isfinite((self.maximum - self.minimum) / self.step):
            raise self._wrong(f"has too small a step, was {self.step:g}")
        if self.log and self.minimum <= 0:
            raise self._wrong(f"must start above 0 to be searched by logarithm, starts at {self.minimum:g}")
        if self.levels is not None and not 1 <= self.levels <= MOST_LEVELS:
            raise self._wrong(f"must have 1..{MOST_LEVELS} levels, was {self.levels}")
        if self.kind == "int" and any(v != int(v) for v in (self.minimum, self.maximum, self.step or 1)):
            raise self._wrong("must range over whole numbers")

    def _wrong(self, what: str) -> InvalidSpace:
        return InvalidSpace(f"{self.name} {what}", field=self.name)

    @property
    def stepped(self) -> bool:
        """Whether its values are the ends of equal steps, and so finite in number."""
        return self.kind != "choice" and not self.log and (self.kind == "int" or self.step is not None)

    @property
    def steps(self) -> int:
        """How many steps lie between the bounds of a stepped dimension."""
        return math.floor((self.maximum - self.minimum) / (self.step or 1) + 1e-9)

    def grid(self) -> tuple[Value, ...]:
        """The values of a grid, ascending; ``levels`` of them (10 unless told) where there is no step.

        Raises InvalidSpace if there are more than 100,000.
        """
        if self.kind == "choice":
            return self.choices
        if self.levels is None and self.stepped:
            if self.steps >= MOST_LEVELS:
                raise self._wrong(f"has {self.steps + 1:,} values; a larger step or levels makes them fewer")
            return tuple(self.stepped_at(i) for i in range(self.steps + 1))
        wanted = self.levels or DEFAULT_LEVELS
        units = np.linspace(0, 1, wanted) if wanted > 1 else np.array([0.5])
        return tuple(dict.fromkeys(self.at(float(unit)) for unit in units))

    def at(self, unit: float) -> Value:
        """The value at ``unit`` in [0, 1], rounded to the step."""
        if self.kind == "choice":
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        if self.stepped:
            return self.stepped_at(min(int(unit * (self.steps + 1)), self.steps))
        if self.log:
            low, high = math.log(self.minimum), math.log(self.maximum)
            value = math.exp(low + unit * (high - low))
        else:
            value = self.minimum + unit * (self.maximum - self.minimum)
        if self.step is not None or self.kind == "int":
            step = self.step or 1
            value = self.minimum + round((value - self.minimum) / step) * step
        return self._number(min(max(value, self.minimum), self.maximum))

    def unit(self, value: Value) -> float:
        """Where ``value`` lies between the bounds, 0 to 1; a choice by its place in the list."""
        if self.kind == "choice":
            return self.choices.index(str(value)) / max(len(self.choices) - 1, 1)
        number = float(value)
        if self.minimum == self.maximum:
            return 0.0
        if self.log:
            return (math.log(number) - math.log(self.minimum)) / (math.log(self.maximum) - math.log(self.minimum))
        return (number - self.minimum) / (self.maximum - self.minimum)

    def stepped_at(self, index: int) -> Value:
        """The value ``index`` steps above the minimum."""
        return self._number(self.minimum + index * (self.step or 1))

    def index(self, value: Value) -> int:
        """How many steps ``value`` lies above the minimum; the opposite of ``stepped_at``."""
        return round((float(value) - self.minimum) / (self.step or 1))

    def _number(self, value: float) -> Value:
        # 0.1 + 2 * 0.1 is not 0.3: twelve digits keep what people typed.
        return round(value) if self.kind == "int" else float(f"{value:.12g}")

    def to_json(self) -> dict[str, Any]:
        return {name: list(v) if isinstance(v := getattr(self, name), tuple) else v for name in self.__slots__}


@dataclass(frozen=True)
class Space:
    """Dimensions, the rules between them, and the parameters that are held fixed.

    ``strategy`` adds what its own ``check`` refuses; it is not stored with the space.
    """

    dimensions: tuple[Dimension, ...]
    rules: tuple[Constraint, ...] = ()
    fixed: Mapping[str, Value] = field(default_factory=dict)
    strategy: Declared | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        names = [dimension.name for dimension in self.dimensions]
        if not names or len({*names, *self.fixed}) != len(names) + len(self.fixed):
            raise InvalidSpace(f"a space needs parameters of different names, had {[*names, *self.fixed]}")

    @property
    def combinations(self) -> int:
        """How many points the grid has before the rules are asked."""
        return math.prod(len(dimension.grid()) for dimension in self.dimensions)

    def allows(self, values: Mapping[str, Value]) -> bool:
        """Whether the rules, and the strategy itself, accept ``values`` (searched and fixed together)."""
        return all(rule.holds(values) for rule in self.rules) and self._strategy_allows(values)

    def _strategy_allows(self, values: Mapping[str, Value]) -> bool:
        if self.strategy is None:
            return True
        try:
            validate(self.strategy, values)
        except InvalidParameter:
            return False
        return True

    def grid(self) -> Iterator[Values]:
        """Every allowed combination of the dimensions' grids; the last dimension changes fastest.

        Raises InvalidSpace if there are more than 20 million before the rules.
        """
        axes = [dimension.grid() for dimension in self.dimensions]
        total = math.prod(map(len, axes))
        if total > MOST_COMBINATIONS:
            raise InvalidSpace(
                f"the grid has {total:,} combinations, more than {MOST_COMBINATIONS:,}; search at random", count=total
            )
        columns = [np.asarray(axis) for axis in axes]
        shape = tuple(map(len, axes))
        for start in range(0, total, CHUNK):
            places = np.unravel_index(np.arange(start, min(start + CHUNK, total)), shape)
            kept = np.flatnonzero(self._mask([column[place] for column, place in zip(columns, places, strict=True)]))
            for row in kept.tolist():
                values = {d.name: axis[int(place[row])] for d, axis, place in zip(self.dimensions, axes, places, strict=True)}
                if self._strategy_allows(values | dict(self.fixed)):
                    yield values | dict(self.fixed)

    def grid_within(self, cap: int) -> list[Values]:
        """The whole grid. Raises InvalidSpace if more than ``cap`` combinations are allowed."""
        points = list(itertools.islice(self.grid(), cap + 1))
        if len(points) > cap:
            raise InvalidSpace(
                f"the grid has more than {cap:,} allowed combinations; take larger steps or search at random", cap=cap
            )
        if not points:
            raise InvalidSpace("the constraints leave no combination of the grid")
        return points

    def sample(self, seed: int, number: int, taken: Set[str] = frozenset()) -> Values | None:
        """Point ``number`` of the random sequence of ``seed``: uniform over unit coordinates and allowed.

        Its ``key`` is not in ``taken``. None if 200 attempts found nothing new.
        """
        rng = generator(seed, number)
        for attempt in range(ATTEMPTS):
            units = rng.random((64 if attempt else 4, len(self.dimensions)))
            points = [{d.name: d.at(u) for d, u in zip(self.dimensions, line, strict=True)} for line in units.tolist()]
            columns = [np.asarray([point[d.name] for point in points]) for d in self.dimensions]
            for place in np.flatnonzero(self._mask(columns)).tolist():
                values = points[place] | dict(self.fixed)
                if key(values) not in taken and self._strategy_allows(values):
                    return values
        return None

    def _mask(self, columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
        named = {d.name: column for d, column in zip(self.dimensions, columns, strict=True)}
        named |= {name: np.asarray([value]) for name, value in self.fixed.items()}
        kept = np.ones(len(columns[0]), np.bool_)
        for rule in self.rules:
            kept &= rule.mask(named)
        return kept

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "dimensions": [dimension.to_json() for dimension in self.dimensions],
            "constraints": [rule.text for rule in self.rules],
            "fixed": dict(self.fixed),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], strategy: Declared | None = None) -> Space:
        """Raises InvalidSpace if it was stored by a version that is not known here."""
        if stored.get("version") != VERSION:
            raise InvalidSpace(f"a search space must be of version {VERSION}, was {stored.get('version')!r}")
        dimensions = tuple(Dimension(**{**d, "choices": tuple(d["choices"])}) for d in stored["dimensions"])
        return build(dimensions, stored["constraints"], stored["fixed"], strategy)


def key(values: Mapping[str, Value]) -> str:
    """A text that is equal for equal points."""
    return "|".join(f"{name}={values[name]!r}" for name in sorted(values))


def build(
    dimensions: Sequence[Dimension],
    rules: Sequence[str] = (),
    fixed: Mapping[str, Value] | None = None,
    strategy: Declared | None = None,
) -> Space:
    """A space from dimensions and the texts of its constraints. Raises InvalidSpace."""
    fixed = dict(fixed or {})
    kinds: dict[str, constraints.Kind] = {d.name: "text" if d.kind == "choice" else "number" for d in dimensions}
    kinds |= {name: "text" if isinstance(value, str) else "number" for name, value in fixed.items()}
    return Space(tuple(dimensions), tuple(constraints.parse(rule, kinds) for rule in rules), fixed, strategy)


def space_of(strategy: Declared, ranges: Mapping[str, Mapping[str, Any]], rules: Sequence[str] = ()) -> Space:
    """The space of a strategy's declared parameters.

    Parameters
    ----------
    strategy : Declared
        Of any style. Its declarations give kinds and outer bounds; its ``check`` refuses points.
    ranges : mapping of parameter name to a range
        A range may have ``minimum``, ``maximum``, ``step``, ``log``, ``levels``, ``choices``; the rest is as
            declared. ``{"value": 5}`` holds the parameter at 5; one that is not named keeps its default.
    rules : sequence of str
        Constraints, see ``constraints``.

    Raises
    ------
    InvalidSpace
        If a name is unknown, a range reaches beyond the declared one, or nothing is left to search.
    """
    declared = {parameter.name: parameter for parameter in strategy.parameters}
    for name in ranges:
        if name not in declared:
            raise InvalidSpace(f"{strategy.name} has no parameter {name!r}; it has {', '.join(declared)}", field=name)
    fixed: dict[str, Value] = {}
    dimensions: list[Dimension] = []
    for name, parameter in declared.items():
        if name in ranges and "value" not in ranges[name]:
            dimensions.append(dimension_of(parameter, ranges[name]))
        else:
            fixed[name] = parameter.accept(ranges.get(name, {}).get("value", parameter.default))
    if not dimensions:
        raise InvalidSpace(f"no parameter to search was named; {strategy.name} has {', '.join(declared)}")
    return build(dimensions, rules, fixed, strategy)


def dimension_of(parameter: Parameter, given: Mapping[str, Any]) -> Dimension:
    """A declared parameter with the range to search. Raises InvalidSpace."""
    known = {"minimum", "maximum", "step", "log", "levels", "choices"}
    if unknown := sorted(set(given) - known):
        raise InvalidSpace(f"{parameter.name} has {unknown[0]!r}; a range has {', '.join(sorted(known))}", field=parameter.name)
    _check_types(parameter, given)
    if parameter.kind == "choice":
        declared = tuple(name for name, _ in parameter.choices)
        choices = tuple(given.get("choices") or declared)
        if strange := [choice for choice in choices if choice not in declared]:
            raise InvalidSpace(f"{parameter.name} must be {' or '.join(declared)}, was {strange[0]!r}", field=parameter.name)
        return Dimension(parameter.name, "choice", choices=choices)
    low, high = given.get("minimum", parameter.minimum), given.get("maximum", parameter.maximum)
    if low is None or high is None:
        raise InvalidSpace(f"{parameter.name} declares no range; give its minimum and maximum", field=parameter.name)
    try:
        parameter.accept(low), parameter.accept(high)
    except InvalidParameter as error:
        raise InvalidSpace(error.message, field=parameter.name) from error
    return Dimension(
        parameter.name,
        parameter.kind,
        float(low),
        float(high),
        given.get("step", parameter.step),
        bool(given.get("log", getattr(parameter, "log", False))),
        given.get("levels"),
    )


def _check_types(parameter: Parameter, given: Mapping[str, Any]) -> None:
    """Ranges come from people: a word where a number is meant is theirs to hear of. Raises InvalidSpace."""
    for name, kinds, wanted in (
        ("step", (int, float), "a number"),
        ("levels", (int,), "a whole number"),
        ("choices", (list, tuple), "a list"),
    ):
        value = given.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
            raise InvalidSpace(f"{name} of {parameter.name} must be {wanted}, was {str(value)[:40]!r}", field=parameter.name)
