"""Owns what a run may use and the words for how one ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clusterx.errors import DomainError

MEGABYTE = 2**20


class Reason(StrEnum):
    """Why a run has no answer. Buyers of protected code see this and nothing else."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    FORBIDDEN = "forbidden"
    ERROR = "error"
    INVALID_RESULT = "invalid-result"
    BOUNDARY = "boundary"


class NoBoundary(DomainError):
    """This host cannot establish the sandbox, so the code does not run."""

    code = "boundary"
    http_status = 503


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    ``seconds``: wall clock, the processor's clock being a second longer. ``memory``: bytes beyond what the interpreter and
    the libraries have mapped already. ``printed``: bytes of print. ``result``: bytes of the answer beside eight float64
    columns of the bars. ``code``: bytes of the source.
    """

    seconds: float = 10.0
    memory: int = 512 * MEGABYTE
    printed: int = 64 * 1024
    result: int = MEGABYTE
    code: int = 256 * 1024

    def __post_init__(self) -> None:
        for name, low, high in (
            ("seconds", 0.01, 24 * 3600.0),
            ("memory", 16 * MEGABYTE, 64 * 1024 * MEGABYTE),
            ("printed", 0, 16 * MEGABYTE),
            ("result", 1024, 1024 * MEGABYTE),
            ("code", 1024, 4 * MEGABYTE),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low:g}..{high:g}, was {getattr(self, name):g}")
