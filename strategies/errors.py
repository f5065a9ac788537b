"""What people are told when something about a strategy or a run cannot be done."""

from __future__ import annotations

from clusterx.errors import DomainError


class InvalidBars(DomainError):
    """The bars are none that a simulation could be believed on: too few, out of order, or with impossible prices."""

    code = "invalid-bars"


class NoBars(InvalidBars):
    """There are no bars, or a single one, in the span."""

    code = "no-bars"


class Refused(DomainError):
    """A strategy gave no answer. ``facts``: ``reason`` (a code), ``line`` and ``printed`` where it is a user's code."""

    code = "strategy-failed"

    def __init__(self, message: str, *, reason: str, line: int | None = None, printed: str = "") -> None:
        super().__init__(message, reason=reason, line=line)
        self.reason, self.line, self.printed = reason, line, printed


class InvalidRunRequest(DomainError):
    """A run that was asked for makes no sense; ``facts["field"]`` names the field."""

    code = "invalid-run"


class InvalidVersion(DomainError):
    """A version holds nothing, or too much, or not what its strategy's kind wants."""

    code = "invalid-version"


class NameTaken(DomainError):
    """The owner has a strategy of that name."""

    code = "name-taken"
    http_status = 409


class TooMany(DomainError):
    """A limit of how many there may be is reached."""

    code = "too-many"
    http_status = 409


class StrategyArchived(DomainError):
    """The strategy was put away."""

    code = "strategy-archived"
    http_status = 409


class TooEarly(DomainError):
    """It was done a moment ago, and is not done again yet."""

    code = "too-early"
    http_status = 429


class NotDeployable(DomainError):
    """A version may neither trade nor be listed; the message says why."""

    code = "not-deployable"
    http_status = 409


class RunNotDone(DomainError):
    """The run has no result."""

    code = "run-not-done"
    http_status = 409


class StudyOver(DomainError):
    """The study is over, and nothing can be done about it."""

    code = "study-over"
    http_status = 409
