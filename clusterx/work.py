"""Long work that a person left and may come back to. Apps say here what theirs is; the shell never knows of whom it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

SHOWN_FOR: Final = timedelta(hours=1)

State = Literal["running", "done", "failed"]
Source = Callable[[Any, datetime], Iterable["Item"]]

_sources: dict[str, Source] = {}


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work. ``progress`` is a share, 0 to 1; ``status`` is said to people, ``key`` is its own for good."""

    key: str
    label: str
    market: str
    timeframe: str
    address: str
    state: State
    status: str
    progress: float
    created_at: datetime
    finished_at: datetime | None


def register(name: str, source: Source) -> None:
    """``source(user, since)`` gives what of this user runs, and what finished at or after ``since``, in one query."""
    _sources[name] = source


def work_of(user: Any, now: datetime) -> list[Item]:
    """What of ``user`` runs or finished within ``SHOWN_FOR`` before ``now``: what runs first, then newest first."""
    if not user.is_authenticated:
        return []
    found = [item for source in _sources.values() for item in source(user, now - SHOWN_FOR)]
    return sorted(found, key=lambda item: (item.state != "running", -(item.finished_at or item.created_at).timestamp()))
