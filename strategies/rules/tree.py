"""A rule as the platform holds it: frozen values that only ``document.read`` makes, so that each of them is valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from marketdata.indicators.registry import INDICATORS, Spec, make_spec
from marketdata.timeframes import Timeframe
from strategies.rules.shape import Number

Side = Literal["long", "short"]
Comparison = Literal["above", "below", "crosses_above", "crosses_below", "within", "between", "rising", "falling"]
SIDES: Final[tuple[Side, Side]] = ("long", "short")


@dataclass(frozen=True, slots=True)
class Line:
    """A series: an output of an indicator, a column of the bars, or a constant.

    ``timeframe`` is None for the rule's own; ``ago`` counts bars of the line's own timeframe.
    """

    indicator: str | None = None
    params: tuple[tuple[str, Number | str], ...] = ()
    output: str = ""
    price: str | None = None
    constant: Number | None = None
    timeframe: str | None = None
    ago: int = 0

    def spec(self, values: Mapping[str, Any]) -> Spec:
        """The indicator with its parameters. Raises IndicatorError where they do not fit together."""
        assert self.indicator is not None
        return make_spec(self.indicator, {n: v.of(values) if isinstance(v, Number) else v for n, v in self.params})

    @property
    def unit(self) -> str:
        """price, volume, index, code or bars, as the registry says; a constant has none of its own."""
        if self.indicator is not None:
            return next(one.unit for one in INDICATORS[self.indicator].outputs if one.name == self.output)
        return "" if self.constant is not None else "volume" if self.price == "volume" else "price"

    def numbers(self) -> Iterator[Number]:
        yield from (value for _, value in self.params if isinstance(value, Number))
        if self.constant is not None:
            yield self.constant


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of lines: ``others`` are the right side, or the two ends of ``between``; ``number`` a per cent or bars."""

    op: Comparison
    left: Line
    others: tuple[Line, ...] = ()
    number: Number | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        return (self.left, *self.others)

    @property
    def timeframe(self) -> str | None:
        """Where it is evaluated: the timeframe that all its lines share, or None for the rule's own."""
        names = {line.timeframe for line in self.lines if line.constant is None}
        return names.pop() if len(names) == 1 else None


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions of which all or any must hold."""

    kind: Literal["all", "any"]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition that is known."""

    part: Node


Node = Condition | Group | Not


@dataclass(frozen=True, slots=True)
class Distance:
    """How far from a price: a per cent of it, or a multiple of the average true range of ``window`` bars."""

    kind: Literal["percent", "atr"]
    value: Number
    window: Number | None = None

    def numbers(self) -> Iterator[Number]:
        yield self.value
        if self.window is not None:
            yield self.window


@dataclass(frozen=True, slots=True)
class Size:
    """Exposure: ``value`` per cent; or what makes a volatility of ``value`` per cent a year, or loses as much at the stop."""

    kind: Literal["fixed", "volatility", "risk"]
    value: Number
    window: Number | None = None
    most: Number = field(default_factory=lambda: Number(100.0))

    def numbers(self) -> Iterator[Number]:
        yield from (number for number in (self.value, self.window, self.most) if number is not None)


@dataclass(frozen=True, slots=True)
class Rule:
    """A whole rule. ``hold`` is the most bars a position is held after its newest signal, ``cooldown`` those without one."""

    name: str
    timeframe: Timeframe
    direction: Literal["long", "short", "both"]
    entry: Mapping[Side, Node | None]
    exit: Mapping[Side, Node | None]
    filters: Node | None
    stop: Distance | None
    trail: Distance | None
    profit: Distance | None
    hold: Number
    cooldown: Number
    size: Size

    @property
    def sides(self) -> tuple[Side, ...]:
        return SIDES if self.direction == "both" else (self.direction,)

    @property
    def nodes(self) -> tuple[Node, ...]:
        found = (*(self.entry[side] for side in SIDES), *(self.exit[side] for side in SIDES), self.filters)
        return tuple(node for node in found if node is not None)

    def conditions(self) -> Iterator[Condition]:
        for node in self.nodes:
            yield from conditions(node)

    def numbers(self) -> Iterator[Number]:
        """Every number, in the order of the document."""
        for condition in self.conditions():
            for line in condition.lines:
                yield from line.numbers()
            if condition.number is not None:
                yield condition.number
        for part in (self.stop, self.trail, self.profit, self.size):
            if part is not None:
                yield from part.numbers()
        yield self.hold
        yield self.cooldown


def conditions(node: Node) -> Iterator[Condition]:
    """The conditions under ``node``, in their order."""
    if isinstance(node, Condition):
        yield node
    elif isinstance(node, Not):
        yield from conditions(node.part)
    else:
        for part in node.parts:
            yield from conditions(part)
