"""Owns the indicators as a whole: which there are, how one is named in text, and how it is computed for bars.

A spec is written ``macd(12,26,9)``, ``macd(fast=8)`` or ``macd``; ``str`` gives the first form with every parameter,
which is the key under which values and signals are stored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from marketdata.indicators.arrays import Floats, IndicatorError, floats
from marketdata.indicators.catalogue import ENTRIES
from marketdata.indicators.definitions import Bars, Indicator, Output, Parameter, Params, Tail, Value
from marketdata.indicators.signals import Signal
from marketdata.indicators.structure import Swing, swings
from marketdata.indicators.zones import Zone

__all__ = [
    "INDICATORS",
    "Bars",
    "Indicator",
    "IndicatorError",
    "Output",
    "Parameter",
    "Signal",
    "Spec",
    "Swing",
    "Tail",
    "Zone",
    "compute",
    "describe",
    "detect",
    "get",
    "history",
    "latest",
    "make_spec",
    "parse_spec",
    "swing_points",
    "zones",
]

INDICATORS: Mapping[str, Indicator] = MappingProxyType({entry.name: entry for entry in ENTRIES})

_FORM = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(?:\((.*)\))?\s*")
_LONGEST_SPEC = 200


@dataclass(frozen=True, eq=False, slots=True)
class Spec:
    """An indicator with every parameter set, in the registry's order. Made by `parse_spec` or `make_spec`."""

    name: str
    params: Params

    def __str__(self) -> str:
        values = ",".join(f"{v:.12g}" if isinstance(v, float) else str(v) for v in self.params.values())
        return f"{self.name}({values})" if values else self.name

    @property
    def label(self) -> str:
        """As people read it: ``Simple moving average 20``."""
        values = (f"{v:g}" if isinstance(v, float) else str(v) for v in self.params.values())
        return " ".join((INDICATORS[self.name].label, *values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def get(name: str) -> Indicator:
    """The registry's entry. Raises IndicatorError with all names if there is none."""
    try:
        return INDICATORS[name]
    except (KeyError, TypeError):
        raise IndicatorError(f"no indicator {name!r}; there are {', '.join(INDICATORS)}") from None


def make_spec(name: str, params: Mapping[str, object] | None = None) -> Spec:
    """A spec from a name and some parameters; the rest at their defaults.

    Raises
    ------
    IndicatorError
        If the name or a parameter is unknown, or a value out of range.
    """
    return Spec(name, MappingProxyType(get(name).take(params or {})))


@lru_cache(maxsize=4096)
def parse_spec(text: str) -> Spec:
    """A spec from its text: ``name``, ``name(1,2)``, ``name(slow=2)``, positions before names.

    Raises
    ------
    IndicatorError
        If the text has another form, or as for `make_spec`.
    """
    form = _FORM.fullmatch(text) if len(text) <= _LONGEST_SPEC else None
    if form is None:
        raise IndicatorError(f"an indicator is written name, name(20) or name(window=20), was {text[:60]!r}")
    entry = get(form[1])
    given: dict[str, object] = {}
    named = False
    for position, part in enumerate((form[2] or "").split(",") if (form[2] or "").strip() else ()):
        name, equals, value = part.partition("=")
        if equals:
            named, name = True, name.strip()
        else:
            if named:
                raise IndicatorError(f"{entry.name}: {part.strip()!r} stands after a named parameter")
            if position >= len(entry.parameters):
                raise IndicatorError(f"{entry.name} takes at most {len(entry.parameters)} parameters, has more: {text!r}")
            name, value = entry.parameters[position].name, part
        if name in given:
            raise IndicatorError(f"{entry.name}: {name} is given twice")
        given[name] = _read(value.strip(), next((p for p in entry.parameters if p.name == name), None))
    return make_spec(entry.name, given)


def _read(text: str, parameter: Parameter | None) -> Value:
    if parameter is None or parameter.kind == "choice":
        return text
    try:
        number = float(text)
    except ValueError:
        raise IndicatorError(f"{parameter.name} must be a number, was {text!r}") from None
    return int(number) if parameter.kind == "int" and number.is_integer() else number


def compute(spec: Spec | str, bars: Bars) -> dict[str, Floats]:
    """Every output of ``spec`` over ``bars``: (n,) float64 by name, NaN where there is nothing.

    Raises
    ------
    IndicatorError
        If ``spec`` does not parse or ``bars`` hold what the indicator cannot take.
    """
    spec = _spec(spec)
    return INDICATORS[spec.name].compute(bars, spec.params)


def history(spec: Spec | str, bar_seconds: int = 60) -> int | None:
    """Bars after which the newest value of ``spec`` equals that of the whole series; None: all of them."""
    spec = _spec(spec)
    return INDICATORS[spec.name].history(spec.params, bar_seconds)


def latest(spec: Spec | str, bars: Bars, count: int = 1, bar_seconds: int = 60) -> dict[str, Floats]:
    """The newest ``count`` values of every output, computed from the tail of ``bars`` that they need."""
    spec = _spec(spec)
    needed = history(spec, bar_seconds)
    if needed is not None and needed + count - 1 < len(bars.close):
        cut = slice(-(needed + count - 1), None)
        bars = Tail(bars.time[cut], bars.open[cut], bars.high[cut], bars.low[cut], bars.close[cut], bars.volume[cut])
    return {name: values[-count:] for name, values in compute(spec, bars).items()}


def detect(spec: Spec | str, bars: Bars) -> tuple[Signal, ...]:
    """Signals that ``spec`` gives over ``bars``, oldest first. One at a bar rests on that bar and those before it."""
    spec = _spec(spec)
    entry = INDICATORS[spec.name]
    if not entry.signals:
        return ()
    (close,) = floats(close=bars.close)
    lines = {**entry.compute(bars, spec.params), "close": close}
    found = [signal for rule in entry.signals for signal in rule.find(lines)]
    return tuple(sorted(found, key=lambda signal: signal.index))


def zones(spec: Spec | str, bars: Bars) -> tuple[Zone, ...]:
    """Price zones of ``spec`` over ``bars`` for drawing; none for an indicator without zones."""
    spec = _spec(spec)
    draw = INDICATORS[spec.name].zones
    return draw(bars, spec.params) if draw else ()


def swing_points(spec: Spec | str, bars: Bars) -> tuple[Swing, ...]:
    """Swing highs and lows of ``spec`` over ``bars`` for drawing; none for an indicator without swings."""
    spec = _spec(spec)
    strength = spec.params.get("strength")
    return swings(bars.high, bars.low, strength) if strength is not None else ()


def describe(translate: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """The registry as JSON: what the menu, the API and the rule builder need to know of each indicator.

    ``translate`` is given what people read: labels, groups, summaries and choices. What a spec is made of stays as it is.
    """
    return [
        {
            "name": entry.name,
            "label": translate(entry.label),
            "group": translate(entry.group),
            "summary": translate(entry.summary),
            "source": entry.source,
            "pane": entry.pane,
            "inputs": list(entry.inputs),
            "levels": list(entry.levels),
            "memory": entry.memory,
            "history": entry.history(entry.defaults()),
            "spec": str(make_spec(entry.name)),
            "ascending": list(entry.ascending),
            "has_zones": entry.zones is not None,
            "signals": sorted({rule.kind for rule in entry.signals}),
            "parameters": [
                {
                    "name": p.name,
                    "label": translate(p.label),
                    "kind": p.kind,
                    "default": p.default,
                    "minimum": p.minimum,
                    "maximum": p.maximum,
                    "step": p.step,
                    "choices": list(p.choices),
                    "choice_labels": {choice: translate(choice) for choice in p.choices},
                }
                for p in entry.parameters
            ],
            "outputs": [
                {
                    "name": o.name,
                    "label": translate(o.label),
                    "style": o.style,
                    "unit": o.unit,
                    "tone": o.tone,
                    "pane": o.pane or entry.pane,
                    "shift": o.shift,
                }
                for o in entry.outputs
            ],
        }
        for entry in INDICATORS.values()
    ]


def _spec(spec: Spec | str) -> Spec:
    return parse_spec(spec) if isinstance(spec, str) else spec
