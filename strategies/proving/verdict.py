"""The outcome of a proof: what was checked how often, what failed, in sentences that a person understands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

VERSION: Final = 1

# What each check asks, as a person would.
CHECKS: Final = MappingProxyType(
    {
        "prefix": "Decisions stay what they are when later bars are removed",
        "poison": "Decisions stay what they are when later bars are replaced by noise",
        "last-bar": "An unfinished or missing last bar changes no earlier decision",
        "repeat": "The same question gets the same answer",
        "memory": "Nothing is remembered from one question to the next",
        "hidden": "Nothing is read but the bars that were given",
        "elsewhere": "The answer is the same in another process and another time zone",
        "history": "The declared history suffices for the newest decision",
        "activity": "Something is decided, so that there is something to prove",
    }
)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: how many questions it asked. 0: it could not be made, and ``note`` says why."""

    name: str
    count: int
    passed: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is wrong.

    ``bar`` is the bar whose decision changes, ``cause`` the bar that changes it, where there are such; ``times`` how many of
    the questions failed. ``line`` is in the source that was given: where it stopped, or, from reading it and so probable
    and no more, what is odd, and ``line_reason`` why.
    """

    check: str
    message: str
    bar: int | None = None
    cause: int | None = None
    times: int = 1
    line: int | None = None
    line_reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        if self.line is None:
            return f"{self.message}."
        return f"{self.message}: probably line {self.line}, which {self.line_reason}."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a strategy may be deployed, and why not. ``hints`` do not stand in the way.

    ``declared`` and ``needed`` are bars of history: what the strategy says and what the newest decision was found to need.
    """

    bars: int
    seed: int
    checks: tuple[Check, ...]
    failures: tuple[Failure, ...] = ()
    hints: tuple[str, ...] = ()
    declared: int | None = None
    needed: int | None = None

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def questions(self) -> int:
        """How often the strategy was asked and its answer compared."""
        return sum(check.count for check in self.checks)

    @property
    def summary(self) -> str:
        """One sentence."""
        if self.passed:
            return f"Passed {self.questions:,} checks on {self.bars:,} bars."
        more = len(self.failures) - 1
        return self.failures[0].sentence + (f" And {more} more." if more else "")

    def to_json(self) -> dict[str, Any]:
        """Plain values, ``{"version": 1, …}``; a number that is none is None."""
        return {
            "version": VERSION,
            "passed": self.passed,
            "summary": self.summary,
            "bars": self.bars,
            "seed": self.seed,
            "declared": self.declared,
            "needed": self.needed,
            "checks": [
                {"name": one.name, "asks": CHECKS[one.name], "count": one.count, "passed": one.passed, "note": one.note}
                for one in self.checks
            ],
            "failures": [
                {
                    "check": one.check,
                    "sentence": one.sentence,
                    "message": one.message,
                    "reason": one.line_reason,
                    "bar": one.bar,
                    "cause": one.cause,
                    "times": one.times,
                    "line": one.line,
                    "facts": {name: plain(value) for name, value in one.facts.items()},
                }
                for one in self.failures
            ],
            "hints": list(self.hints),
        }


def plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
