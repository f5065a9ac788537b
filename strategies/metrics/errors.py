"""Owns the error of this package, and why a number may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Literal

from clusterx.errors import DomainError

Reason = Literal[
    "too-short",
    "under-a-year",
    "no-variation",
    "no-losing-day",
    "no-drawdown",
    "not-recovered",
    "ruined",
    "no-trades",
    "few-trades",
    "no-wins",
    "no-losses",
    "no-benchmark",
    "still-benchmark",
    "not-given",
    "not-finite",
]

REASONS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        "too-short": "there are too few days",
        "under-a-year": "the run is under a year long, so nothing is compounded to a year",
        "no-variation": "daily returns do not vary",
        "no-losing-day": "no day lost",
        "no-drawdown": "equity never fell below an earlier peak",
        "not-recovered": "equity has not come back to its peak",
        "ruined": "the account fell to zero or below",
        "no-trades": "no trade was closed",
        "few-trades": "there are too few closed trades",
        "no-wins": "no closed trade won",
        "no-losses": "no closed trade lost",
        "no-benchmark": "the run has no benchmark",
        "still-benchmark": "the benchmark did not move",
        "not-given": "the run does not say",
        "not-finite": "the number is too large to be written",
    }
)


class InvalidRun(DomainError):
    """The arrays of a run do not fit together or hold what cannot be measured."""

    code: ClassVar[str] = "invalid-run"
