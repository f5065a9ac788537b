"""What a value in a rule document may be: each shape reads a value, collects what is wrong with it, and says its JSON schema.

One declaration serves both, so that the schema of the API docs and the check cannot differ. Nothing here raises: a
problem is noted with its place, and reading goes on, so that a person is told everything at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

Path = tuple[str | int, ...]

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
LARGEST: Final = 1e12  # of any number; beyond it nothing in a market lies, and squares stay finite
_LONGEST_FOUND: Final = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a document: where (a JSON pointer), what was found and what was expected.

    ``template`` and ``facts`` make up what was expected, so that a caller may translate the template.
    """

    path: str
    found: str
    template: str
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def expected(self) -> str:
        return self.template.format(**self.facts)

    def said(self, translate: Callable[[str], str]) -> dict[str, str]:
        """As the API gives it, the expectation in the reader's language."""
        return {"path": self.path, "found": self.found, "expected": translate(self.template).format(**self.facts)}


class Problems(list[Problem]):
    """Problems as they are collected."""

    def note(self, path: Path, value: object, template: str, **facts: object) -> None:
        self.append(Problem(pointer(path), shown(value), template, facts))


def pointer(path: Path) -> str:
    """``/entry/long/all/0`` (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def shown(value: object) -> str:
    """A value as a message names it: short, whatever it is."""
    if value is MISSING:
        return "nothing"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number of more than 12 digits"
    text = f"{value:g}" if isinstance(value, float) else repr(value) if isinstance(value, (str, int)) else type(value).__name__
    return text if len(text) <= _LONGEST_FOUND else text[:_LONGEST_FOUND] + "…"


class _Missing:
    """What is found where there is nothing."""


MISSING: Final = _Missing()


class Shape(Protocol):
    """Reads a value at a place; None and a noted problem where it does not fit."""

    def read(self, value: object, path: Path, problems: Problems) -> Any: ...

    def schema(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Tune:
    """The name and range under which a number may be tuned."""

    name: str
    minimum: float
    maximum: float
    step: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a rule: fixed, or the default of a parameter."""

    value: int | float
    tune: Tune | None = None

    def of(self, values: Mapping[str, Any]) -> Any:
        """What it is when the parameters have ``values``."""
        return self.value if self.tune is None else values.get(self.tune.name, self.value)

    def to_json(self) -> Any:
        if self.tune is None:
            return self.value
        t = self.tune
        return {"tune": t.name, "value": self.value, "minimum": t.minimum, "maximum": t.maximum, "step": t.step}


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number in a range, or one that may be tuned: ``{"tune": "fast", "value": 20, "minimum": 5, "maximum": 60}``."""

    minimum: float
    maximum: float
    whole: bool = False
    tunable: bool = True

    @property
    def _wanted(self) -> str:
        return "a whole number from {minimum:g} to {maximum:g}" if self.whole else "a number from {minimum:g} to {maximum:g}"

    def read(self, value: object, path: Path, problems: Problems) -> Number | None:
        if not self.tunable or not isinstance(value, Mapping):
            taken = self._take(value, path, problems, self.minimum, self.maximum)
            return None if taken is None else Number(taken)
        before = len(problems)
        known = {"tune", "value", "minimum", "maximum", "step"}
        unknown(value, known, path, problems)
        name = value.get("tune", MISSING)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            problems.note((*path, "tune"), name, "a name of small letters, digits and _, at most 32")
        low = self._take(value.get("minimum", MISSING), (*path, "minimum"), problems, self.minimum, self.maximum)
        high = self._take(value.get("maximum", MISSING), (*path, "maximum"), problems, self.minimum, self.maximum)
        if low is None or high is None:
            return None
        if low >= high:
            problems.note((*path, "maximum"), high, "a number above the minimum, {minimum:g}", minimum=low)
            return None
        default = self._take(value.get("value", MISSING), (*path, "value"), problems, low, high)
        step: object = value.get("step", 1 if self.whole else (high - low) / 20)
        smallest = 1.0 if self.whole else 1e-9
        taken = self._take(step, (*path, "step"), problems, smallest, max(smallest, high - low))
        if len(problems) > before or default is None or taken is None:
            return None
        return Number(default, Tune(str(name), low, high, taken, self.whole))

    def _take(self, value: object, path: Path, problems: Problems, low: float, high: float) -> int | float | None:
        # A bool is an int to Python; a large int is no float.
        if not isinstance(value, bool) and isinstance(value, (int, float)) and abs(value) <= LARGEST and low <= value <= high:
            if not self.whole:
                return float(value)
            if value == int(value):
                return int(value)
        problems.note(path, value, self._wanted, minimum=low, maximum=high)
        return None

    def schema(self) -> dict[str, Any]:
        plain = {"type": "integer" if self.whole else "number", "minimum": self.minimum, "maximum": self.maximum}
        if not self.tunable:
            return plain
        step = {"type": plain["type"], "exclusiveMinimum": 0}
        tuned = {"tune": {"type": "string", "pattern": f"^{NAME.pattern}$"}, "value": plain, "minimum": plain, "maximum": plain}
        return {
            "oneOf": [
                plain,
                {
                    "type": "object",
                    "properties": {**tuned, "step": step},
                    "required": list(tuned),
                    "additionalProperties": False,
                },
            ]
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    choices: tuple[str, ...]

    def read(self, value: object, path: Path, problems: Problems) -> str | None:
        if isinstance(value, str) and value in self.choices:
            return value
        problems.note(path, value, "one of {choices}", choices=", ".join(self.choices))
        return None

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.choices)}


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text that shows."""

    longest: int

    def read(self, value: object, path: Path, problems: Problems) -> str | None:
        if isinstance(value, str) and value.strip() and len(value) <= self.longest and value.isprintable():
            return value.strip()
        problems.note(path, value, "a line of 1 to {longest} characters", longest=self.longest)
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Fields:
    """An object with named fields; ``optional`` ones may be left out or null, and are None then.

    ``constants`` are fields whose value is told beforehand (the word that tells one object from another).
    """

    required: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)
    constants: Mapping[str, object] = field(default_factory=dict)

    def read(self, value: object, path: Path, problems: Problems) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            problems.note(path, value, "an object with {names}", names=", ".join((*self.constants, *self.required)) or "fields")
            return None
        before = len(problems)
        unknown(value, {*self.required, *self.optional, *self.constants}, path, problems)
        taken = {name: shape.read(value.get(name, MISSING), (*path, name), problems) for name, shape in self.required.items()}
        for name, shape in self.optional.items():
            given = value.get(name)
            taken[name] = None if given is None else shape.read(given, (*path, name), problems)
        return None if len(problems) > before else taken

    def schema(self) -> dict[str, Any]:
        optional = {name: {"anyOf": [shape.schema(), {"type": "null"}]} for name, shape in self.optional.items()}
        return {
            "type": "object",
            "properties": {
                **{name: {"const": value} for name, value in self.constants.items()},
                **{name: shape.schema() for name, shape in self.required.items()},
                **optional,
            },
            "required": [*self.constants, *self.required],
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Kinds:
    """One of several objects, told apart by the word in the field ``tag``."""

    tag: str
    kinds: Mapping[str, Fields]

    def read(self, value: object, path: Path, problems: Problems) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            problems.note(path, value, "an object with {names}", names=self.tag)
            return None
        word = Choice(tuple(self.kinds)).read(value.get(self.tag, MISSING), (*path, self.tag), problems)
        if word is None:
            return None
        taken = self.kinds[word].read(value, path, problems)
        return None if taken is None else {self.tag: word, **taken}

    def schema(self) -> dict[str, Any]:
        return {"oneOf": [fields.schema() for fields in self.kinds.values()]}


def unknown(value: Mapping[Any, object], known: set[str], path: Path, problems: Problems) -> None:
    """Note the fields of ``value`` that nobody knows."""
    for name in value:
        if name not in known:
            problems.note((*path, str(name)[:_LONGEST_FOUND]), value[name], "no field of this name; there are {names}",
                          names=", ".join(sorted(known)))  # fmt: skip
