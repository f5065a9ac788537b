"""Ranges of parameters on the form of a study: those that it begins with, and those that somebody typed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from strategies.contract import Declared, Parameter, Value

if TYPE_CHECKING:
    from strategies.robustness.space import Space

LEVELS: Final = 10  # values of a parameter at most, in a range that nobody chose
MOST_LEVELS: Final = 1_000
SEARCHED: Final = 2  # parameters that a form begins with: they make one map
MOST_LOOKED_AT: Final = 200_000  # combinations that a page counts before the rules between them
NOTHING: Final = 1e-9  # nobody means a smaller number
NICE: Final = (1.0, 2.0, 5.0)
Range = dict[str, Any]


def suggested(parameter: Parameter, centre: float) -> tuple[float, float, float]:
    """First, last and step of a range around ``centre``: from half of it to twice, about ten values, ``centre`` among them.

    It stays within the declared range. First and last are the same where nothing else may be chosen.
    """
    least = parameter.step or (1.0 if parameter.kind == "int" else None)
    low, high = _around(centre, parameter, least)
    if high - low <= NOTHING:
        return rounded(centre), rounded(centre), least or 1.0
    step = _nice((high - low) / (LEVELS - 1), least)
    down, up = math.floor((centre - low) / step + 1e-9), math.floor((high - centre) / step + 1e-9)
    if down + up == 0 and least is not None and least < step:
        step = least
        down, up = math.floor((centre - low) / step + 1e-9), math.floor((high - centre) / step + 1e-9)
    return rounded(centre - down * step), rounded(centre + up * step), rounded(step)


def _around(centre: float, parameter: Parameter, least: float | None) -> tuple[float, float]:
    bottom = -math.inf if parameter.minimum is None else parameter.minimum
    top = math.inf if parameter.maximum is None else parameter.maximum
    if abs(centre) > NOTHING:
        low, high = sorted((centre / 2, centre * 2))
    elif math.isfinite(top - bottom):
        low, high = bottom, top
    else:
        low, high = -LEVELS * (least or 0.1) / 2, LEVELS * (least or 0.1) / 2
    return max(low, bottom), min(high, top)


def _nice(wanted: float, least: float | None) -> float:
    """The first of 1, 2, 5, 10, 20 … that is not below ``wanted``, and a multiple of ``least``."""
    if wanted <= 0:
        return least or 1.0
    size = 10.0 ** math.floor(math.log10(wanted))
    step = next((size * one for one in NICE if size * one >= wanted * (1 - 1e-9)), size * 10)
    return max(1, math.ceil(step / least - 1e-9)) * least if least else step


def rounded(value: float) -> float:
    """Without the dust of binary fractions."""
    return float(f"{value:.12g}")


def levels(low: float, high: float, step: float) -> int:
    """How many values lie in a range; ``MOST_LEVELS`` + 1 where there are more than may be searched."""
    count = (high - low) / step + 1e-9
    return MOST_LEVELS + 1 if not count < MOST_LEVELS else math.floor(count) + 1


def begins_with(parameters: Sequence[Parameter], centres: Mapping[str, Value]) -> dict[str, Range]:
    """The range that the form shows of each parameter, and which of them are searched: the first two with a range."""
    found: dict[str, Range] = {}
    left = SEARCHED
    for parameter in parameters:
        centre = centres.get(parameter.name, parameter.default)
        one: Range = {"value": centre, "searched": False}
        if parameter.kind == "choice":
            one["choices"] = [value for value, _label in parameter.choices]
        else:
            first, last, step = suggested(parameter, float(centre))
            one |= {"first": first, "last": last, "step": step}
            if left and last > first:
                one["searched"], left = True, left - 1
        found[parameter.name] = one
    if left == SEARCHED:
        choice = next((one for one in parameters if one.kind == "choice" and len(one.choices) > 1), None)
        if choice is not None:
            found[choice.name]["searched"] = True
    return found


def stored_ranges(space: Mapping[str, Any]) -> dict[str, Range]:
    """The ranges of a study, as ``begins_with`` gives them, from what was stored of its space."""
    found: dict[str, Range] = {name: {"value": value, "searched": False} for name, value in space["fixed"].items()}
    for one in space["dimensions"]:
        if one["kind"] == "choice":
            found[one["name"]] = {"choices": list(one["choices"]), "searched": True}
        else:
            spread = one["maximum"] - one["minimum"]
            step = one["step"] or (1.0 if one["kind"] == "int" else spread / (LEVELS - 1) or 1.0)
            found[one["name"]] = {
                "first": one["minimum"], "last": one["maximum"], "step": rounded(step), "searched": True,
            }  # fmt: skip
    return found


def space_of(declared: Declared, ranges: Mapping[str, Range], rules: Sequence[str]) -> Space:
    """What would be searched. Raises InvalidSpace."""
    from strategies.robustness import space

    return space.space_of(declared, {name: asked(one) for name, one in ranges.items()}, rules)


def asked(one: Range) -> dict[str, Any]:
    """A range of the form as a study takes it."""
    if not one["searched"]:
        return {"value": one["value"]}
    if "choices" in one:
        return {"choices": list(one["choices"])}
    return {"minimum": one["first"], "maximum": one["last"], "step": one["step"]}


def allowed(space: Space, most: int) -> int | None:
    """How many combinations of the grid the rules allow, ``most`` + 1 where there are more; None: too many to look at."""
    if space.combinations > MOST_LOOKED_AT:
        return None
    return sum(1 for _ in islice(space.grid(), most + 1))
