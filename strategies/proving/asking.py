"""Asking a strategy, and keeping what was found: what every check of a proof works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from strategies.contract import InvalidSignals
from strategies.proving.decisions import Decisions, Given, decisions_of
from strategies.proving.poison import copied
from strategies.proving.reading import culprit
from strategies.proving.subjects import Answering, Stopped
from strategies.proving.verdict import Check, Failure


@dataclass
class Questions:
    """What is asked, and what came of it so far. ``heard`` hears of each check when it was made."""

    answer: Answering
    given: Given
    source: str
    seed: int
    checks: list[Check] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    heard: Callable[[Check], None] | None = None

    @property
    def apart(self) -> bool:
        """Every question gets a process of its own."""
        return bool(getattr(self.answer, "apart", False))

    def ask(self, given: Given, answer: Answering | None = None) -> Decisions:
        """Raises Stopped where there is no answer, or none of the right shape."""
        try:
            return decisions_of((answer or self.answer)(given), len(given))
        except Stopped:
            raise
        except InvalidSignals as error:
            raise Stopped(error.message) from error
        except Exception as error:
            raise Stopped(f"{type(error).__name__}: {error}".removesuffix(": ")) from error

    def prefixes(self, cuts: Sequence[int]) -> Iterator[tuple[int, Decisions | Stopped]]:
        many = getattr(self.answer, "prefixes", None)
        if many is None:
            for cut in cuts:
                try:
                    yield cut, self.ask(copied(self.given, cut))
                except Stopped as error:
                    yield cut, error
            return
        at = 0
        try:
            for cut, reply in zip(cuts, many(self.given, cuts), strict=False):
                yield cut, decisions_of(reply, cut)
                at += 1
        except Stopped as error:
            yield cuts[at], error
        except InvalidSignals as error:
            yield cuts[at], Stopped(error.message)

    def made(self, check: Check) -> None:
        self.checks.append(check)
        if self.heard is not None:
            self.heard(check)

    def clean(self, *checks: str) -> bool:
        return not any(failure.check in checks for failure in self.failures)

    def fail(
        self, check: str, message: str, *, bar: int | None = None, cause: int | None = None, times: int = 1,
        line: int | None = None, **facts: Any,
    ) -> None:  # fmt: skip
        odd = culprit(self.source, check) if self.source and line is None else None
        reason = odd.reason if odd else "is where it stopped" if line is not None else ""
        self.failures.append(Failure(check, message, bar, cause, times, odd.line if odd else line, reason, facts))
