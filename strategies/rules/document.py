"""A rule document: JSON of version 1, checked as a whole, and its JSON schema from the same declaration.

``read`` makes a ``Rule`` or raises ``InvalidRule`` with every problem; docs/rules.md describes the form.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from clusterx.errors import DomainError
from marketdata.indicators.definitions import Indicator
from marketdata.indicators.definitions import Parameter as Setting
from marketdata.indicators.registry import INDICATORS, IndicatorError
from marketdata.timeframes import TIMEFRAMES
from strategies.rules.shape import (
    MISSING,
    Choice,
    Fields,
    Kinds,
    Number,
    Numeric,
    Path,
    Problem,
    Problems,
    Shape,
    Text,
    Tune,
    unknown,
)
from strategies.rules.tree import SIDES, Condition, Distance, Group, Line, Node, Not, Rule, Size

VERSION: Final = 1
DEEPEST: Final = 4
MOST_CONDITIONS: Final = 40
MOST_TUNED: Final = 20
PRICES: Final = ("open", "high", "low", "close", "volume")
LONGEST_HOLD: Final = 5000

_MOST_PROBLEMS: Final = 100  # told at once; nobody mends more
_CONSTANT: Final = Numeric(-1e9, 1e9)
_AGO: Final = Numeric(0, 100, whole=True, tunable=False)
_TIMEFRAME: Final = Choice(tuple(TIMEFRAMES))


class InvalidRule(DomainError):
    """A rule document does not fit; ``facts["errors"]`` is a list of path, found and expected, ``problems`` the same typed."""

    code = "invalid-rule"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems[:_MOST_PROBLEMS])
        first = self.problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        message = f"{first.path or 'the rule'} must be {first.expected}, was {first.found}{more}"
        super().__init__(message, errors=[problem.said(str) for problem in self.problems])


def settings(entry: Indicator) -> tuple[Setting, ...]:
    """The parameters of an indicator as a rule may set them: without choices that need the whole past of the series."""
    kept = []
    for setting in entry.parameters:
        if setting.kind == "choice":
            finite = tuple(
                word for word in setting.choices if entry.history({**entry.defaults(), setting.name: word}) is not None
            )
            default = setting.default if setting.default in finite else finite[0]
            setting = Setting(setting.name, setting.label, default, kind="choice", choices=finite)
        kept.append(setting)
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class IndicatorLine:
    """``{"indicator": "ema", "params": {"window": 20}, "output": "value", "timeframe": "1h", "ago": 1}``."""

    def read(self, value: Mapping[str, object], path: Path, problems: Problems) -> Line | None:
        name = Choice(tuple(INDICATORS)).read(value.get("indicator", MISSING), (*path, "indicator"), problems)
        if name is None:
            return None
        entry = INDICATORS[name]
        before = len(problems)
        taken = _indicator_fields(name).read(value, path, problems)
        if taken is None or len(problems) > before:
            return None
        given = taken["params"] or {}
        params = tuple((one.name, _default(one) if given.get(one.name) is None else given[one.name]) for one in settings(entry))
        output = taken["output"] or entry.outputs[0].name
        line = Line(indicator=name, params=params, output=output, timeframe=taken["timeframe"], ago=_whole(taken["ago"]))
        try:
            line.spec({})
        except IndicatorError as error:
            problems.note((*path, "params"), value.get("params"), "parameters that fit together ({why})", why=str(error))
            return None
        return line

    def schema(self) -> dict[str, Any]:
        return {"oneOf": [_indicator_fields(name).schema() for name in INDICATORS]}


@cache
def _indicator_fields(name: str) -> Fields:
    entry = INDICATORS[name]
    shapes: dict[str, Shape] = {
        one.name: Choice(one.choices)
        if one.kind == "choice"
        else Numeric(float(one.minimum or 0), float(one.maximum or 0), whole=one.kind == "int")
        for one in settings(entry)
    }
    return Fields(
        constants={"indicator": name},
        optional={
            "params": Fields(optional=shapes),
            "output": Choice(tuple(one.name for one in entry.outputs)),
            "timeframe": _TIMEFRAME,
            "ago": _AGO,
        },
    )


def _default(setting: Setting) -> Number | str:
    return str(setting.default) if setting.kind == "choice" else Number(setting.default)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class LineShape:
    """One of an indicator's outputs, a price of the bar, or a constant."""

    def read(self, value: object, path: Path, problems: Problems) -> Line | None:
        if isinstance(value, Mapping):
            if "indicator" in value:
                return IndicatorLine().read(value, path, problems)
            if "price" in value:
                taken = _PRICE.read(value, path, problems)
                return (
                    None
                    if taken is None
                    else Line(price=taken["price"], timeframe=taken["timeframe"], ago=_whole(taken["ago"]))
                )
            if "constant" in value:
                taken = _FIXED.read(value, path, problems)
                return None if taken is None else Line(constant=taken["constant"])
        problems.note(path, value, "an object with indicator, price or constant")
        return None

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/line"}


_PRICE: Final = Fields(required={"price": Choice(PRICES)}, optional={"timeframe": _TIMEFRAME, "ago": _AGO})
_FIXED: Final = Fields(required={"constant": _CONSTANT})
_LINE: Final = LineShape()
_TWO: Final[dict[str, Shape]] = {"left": _LINE, "right": _LINE}
_BARS: Final[dict[str, Shape]] = {"left": _LINE, "bars": Numeric(1, 100, whole=True)}


def _op(word: str, fields: Mapping[str, Shape]) -> Fields:
    return Fields(constants={"op": word}, required=fields)


_CONDITION: Final = Kinds(
    "op",
    {
        **{word: _op(word, _TWO) for word in ("above", "below", "crosses_above", "crosses_below")},
        "within": _op("within", {**_TWO, "percent": Numeric(0.01, 100)}),
        "between": _op("between", {"left": _LINE, "low": _LINE, "high": _LINE}),
        **{word: _op(word, _BARS) for word in ("rising", "falling")},
    },
)


@dataclass(frozen=True, slots=True)
class NodeShape:
    """A condition, or ``{"all": […]}``, ``{"any": […]}``, ``{"not": …}`` of such; at most ``DEEPEST`` levels of groups."""

    depth: int = 0

    def read(self, value: object, path: Path, problems: Problems) -> Node | None:
        if not isinstance(value, Mapping):
            problems.note(path, value, "an object with op, all, any or not")
            return None
        word = next((word for word in ("all", "any", "not") if word in value), None)
        if word is None:
            return _condition(_CONDITION.read(value, path, problems))
        if self.depth == DEEPEST:
            problems.note(path, value, "a condition: groups may be {deepest} levels deep", deepest=DEEPEST)
            return None
        unknown(value, {word}, path, problems)
        inner, part = NodeShape(self.depth + 1), value[word]
        if word == "not":
            negated = inner.read(part, (*path, word), problems)
            return None if negated is None else Not(negated)
        if not isinstance(part, (list, tuple)) or not 1 <= len(part) <= MOST_CONDITIONS:
            problems.note((*path, word), part, "a list of 1 to {most} conditions", most=MOST_CONDITIONS)
            return None
        parts = [inner.read(one, (*path, word, index), problems) for index, one in enumerate(part)]
        kept = tuple(one for one in parts if one is not None)
        return Group("all" if word == "all" else "any", kept) if len(kept) == len(parts) else None

    def schema(self) -> dict[str, Any]:
        return {"$ref": f"#/$defs/node{self.depth}"}


def _condition(taken: dict[str, Any] | None) -> Condition | None:
    if taken is None:
        return None
    others = tuple(taken[name] for name in ("right", "low", "high") if name in taken)
    return Condition(taken["op"], taken["left"], others, taken.get("percent") or taken.get("bars"))


_DISTANCE: Final = Kinds(
    "kind",
    {
        "percent": Fields(constants={"kind": "percent"}, required={"value": Numeric(0.01, 90)}),
        "atr": Fields(
            constants={"kind": "atr"}, required={"value": Numeric(0.1, 50)}, optional={"window": Numeric(2, 500, whole=True)}
        ),
    },
)
_MOST: Final = Numeric(1, 100)
_SIZE: Final = Kinds(
    "kind",
    {
        "fixed": Fields(constants={"kind": "fixed"}, required={"value": _MOST}),
        "volatility": Fields(
            constants={"kind": "volatility"},
            required={"value": Numeric(1, 500)},
            optional={"window": Numeric(5, 500, whole=True), "most": _MOST},
        ),
        "risk": Fields(constants={"kind": "risk"}, required={"value": Numeric(0.05, 20)}, optional={"most": _MOST}),
    },
)
_PER_SIDE: Final = Fields(optional=dict.fromkeys(SIDES, NodeShape()))
_RULE: Final = Fields(
    constants={"version": VERSION},
    required={
        "name": Text(80),
        "timeframe": _TIMEFRAME,
        "direction": Choice(("long", "short", "both")),
        "entry": _PER_SIDE,
        "hold": Numeric(1, LONGEST_HOLD, whole=True),
    },
    optional={
        "exit": _PER_SIDE,
        "filters": NodeShape(),
        "stop": _DISTANCE,
        "trail": _DISTANCE,
        "profit": _DISTANCE,
        "cooldown": Numeric(0, 1000, whole=True),
        "size": _SIZE,
    },
)


def read(document: object) -> Rule:
    """A rule from its JSON document.

    Raises InvalidRule with all that is wrong with it, each with path, what was found and what was expected.
    """
    problems = Problems()
    if isinstance(document, Mapping) and (version := document.get("version", MISSING)) is not MISSING:
        # True is 1 to Python.
        if isinstance(version, bool) or version != VERSION:
            problems.note(("version",), version, "{version}", version=VERSION)
    elif isinstance(document, Mapping):
        problems.note(("version",), MISSING, "{version}", version=VERSION)
    taken = _RULE.read(document, (), problems)
    if taken is None or problems:
        raise InvalidRule(problems)
    none = dict.fromkeys(SIDES)
    rule = Rule(
        name=taken["name"],
        timeframe=TIMEFRAMES[taken["timeframe"]],
        direction=taken["direction"],
        entry=taken["entry"],
        exit=taken["exit"] or none,
        filters=taken["filters"],
        stop=_distance(taken["stop"]),
        trail=_distance(taken["trail"]),
        profit=_distance(taken["profit"]),
        hold=taken["hold"],
        cooldown=taken["cooldown"] or Number(0),
        size=_size(taken["size"]),
    )
    _together(rule, problems)
    if problems:
        raise InvalidRule(problems)
    return rule


def _together(rule: Rule, problems: Problems) -> None:
    """Rules between fields."""
    for side in SIDES:
        if side in rule.sides:
            if rule.entry[side] is None:
                problems.note(
                    ("entry", side), MISSING, "a condition, as the direction is {direction}", direction=rule.direction
                )
            continue
        for part, node in (("entry", rule.entry[side]), ("exit", rule.exit[side])):
            if node is not None:
                problems.note((part, side), {}, "nothing, as the direction is {direction}", direction=rule.direction)
    if rule.size.kind == "risk" and rule.stop is None:
        problems.note(("stop",), MISSING, "a stop, as the size is a risk down to it")
    count = sum(1 for _ in rule.conditions())
    if count > MOST_CONDITIONS:
        problems.note((), [None] * count, "a rule of at most {most} conditions", most=MOST_CONDITIONS)
    for index, condition in enumerate(rule.conditions()):
        for line in condition.lines:
            if line.timeframe is not None and TIMEFRAMES[line.timeframe] < rule.timeframe:
                problems.note(("timeframe",), rule.timeframe.name, "at most {other}, which condition {number} reads",
                              other=line.timeframe, number=index + 1)  # fmt: skip
        if all(line.constant is not None for line in condition.lines):
            problems.note(
                (), [None] * count, "a rule without comparisons of constants alone (condition {number})", number=index + 1
            )
    named: dict[str, set[tuple[float, Tune]]] = defaultdict(set)
    for number in rule.numbers():
        if number.tune is not None:
            named[number.tune.name].add((number.value, number.tune))
    for name, uses in named.items():
        if len(uses) > 1:
            problems.note((), name, "the same value, range and step wherever {name} is tuned", name=name)
    if len(named) > MOST_TUNED:
        problems.note((), [None] * len(named), "a rule with at most {most} tuned numbers", most=MOST_TUNED)


def _distance(taken: dict[str, Any] | None) -> Distance | None:
    if taken is None:
        return None
    return Distance(taken["kind"], taken["value"], (taken.get("window") or Number(14)) if taken["kind"] == "atr" else None)


def _size(taken: dict[str, Any] | None) -> Size:
    if taken is None:
        return Size("fixed", Number(100.0))
    window = (taken.get("window") or Number(50)) if taken["kind"] == "volatility" else None
    return Size(taken["kind"], taken["value"], window, taken.get("most") or Number(100.0))


def _whole(number: Number | None) -> int:
    return 0 if number is None else int(number.value)


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a rule document."""
    groups = {f"node{depth}": _node_schema(depth) for depth in range(DEEPEST + 1)}
    lines = [IndicatorLine().schema(), _PRICE.schema(), _FIXED.schema()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rule",
        **_RULE.schema(),
        "$defs": {"condition": _CONDITION.schema(), "line": {"oneOf": lines}, **groups},
    }


def _node_schema(depth: int) -> dict[str, Any]:
    condition = {"$ref": "#/$defs/condition"}
    if depth == DEEPEST:
        return condition
    inner = NodeShape(depth + 1).schema()
    many = {"type": "array", "items": inner, "minItems": 1, "maxItems": MOST_CONDITIONS}
    groups = [
        {"type": "object", "properties": {word: one}, "required": [word], "additionalProperties": False}
        for word, one in (("all", many), ("any", many), ("not", inner))
    ]
    return {"oneOf": [condition, *groups]}
