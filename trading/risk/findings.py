"""What the engine answers: where a proposal stands with each rule, and for a refusal its code, its sentence and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from trading.risk.numbers import Number, told_apart

VERSION: Final = 1


class Status(StrEnum):
    PASSED = "passed"
    REFUSED = "refused"
    DOES_NOT_APPLY = "does-not-apply"  # the rule has nothing to say of such an order
    NOT_CHECKED = "not-checked"  # what it needs to know is not known


@dataclass(frozen=True, slots=True)
class Finding:
    """Why not: a stable code, and a sentence whose numbers stand apart, so that pages draw them and say it in any language.

    ``template`` names its numbers as ``%(value)s``; among them ``value`` and ``limit``, where the rule compares two.
    """

    code: str
    template: str
    numbers: Mapping[str, Number] = field(default_factory=dict)

    @property
    def value(self) -> Number | None:
        return self.numbers.get("value")

    @property
    def limit(self) -> Number | None:
        return self.numbers.get("limit")

    @property
    def texts(self) -> dict[str, str]:
        """The numbers in writing, value and limit with digits enough to tell them apart."""
        texts = {name: number.text for name, number in self.numbers.items()}
        if self.value is not None and self.limit is not None:
            texts["value"], texts["limit"] = told_apart(self.value, self.limit)
        return texts

    @property
    def sentence(self) -> str:
        return self.template % self.texts

    def to_json(self) -> dict[str, Any]:
        numbers = {name: number.to_json() for name, number in self.numbers.items()}
        return {"version": VERSION, "code": self.code, "template": self.template, "numbers": numbers}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What ``to_json`` told. Raises ValueError for another version."""
        if told["version"] != VERSION:
            raise ValueError(f"version must be {VERSION}, was {told['version']!r}")
        numbers = {name: Number.from_json(number) for name, number in told["numbers"].items()}
        return cls(told["code"], told["template"], numbers)


@dataclass(frozen=True, slots=True)
class Result:
    """What one rule says of a proposal, with its numbers where it has them, whether or not it objects."""

    code: str
    status: Status
    numbers: Mapping[str, Number] = field(default_factory=dict)
    finding: Finding | None = None

    @property
    def value(self) -> Number | None:
        return self.numbers.get("value")

    @property
    def limit(self) -> Number | None:
        return self.numbers.get("limit")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first objection, if any, and the rules that were asked but could not be checked."""

    rejection: Finding | None
    not_checked: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.rejection is None
