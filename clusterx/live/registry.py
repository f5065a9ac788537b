"""Which kinds of stream channels there are: each app registers its own in ``AppConfig.ready``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of channel, the first word of its name.

    ``snapshot(channel, user)`` returns ``(data, seq)`` for a new subscriber; ``authorise(channel, user)`` says whether this
    person may listen, and False also where there is no such channel, so that nobody learns what others have. Both are
    synchronous and may read the database. ``conflated(data)`` says whether a newer message may replace this one.
    """

    name: str
    snapshot: Callable[[str, Any], tuple[dict[str, Any], int | None]]
    authorise: Callable[[str, Any], bool]
    conflated: Callable[[dict[str, Any]], bool]


_kinds: dict[str, Kind] = {}


def register(
    name: str,
    *,
    snapshot: Callable[[str, Any], tuple[dict[str, Any], int | None]],
    authorise: Callable[[str, Any], bool],
    conflated: Callable[[dict[str, Any]], bool] = lambda data: False,
) -> None:
    _kinds[name] = Kind(name, snapshot, authorise, conflated)


def kind_of(channel: str) -> Kind | None:
    return _kinds.get(channel.split("/", 1)[0])
