"""Which kinds of stream channels there are: each app registers its own in ``AppConfig.ready``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Snapshot = Callable[[str, Any], tuple[dict[str, Any], int | None]]
Emit = Callable[[dict[str, Any]], None]
Listen = Callable[[str, Callable[[dict[str, Any]], None]], Callable[[], None]]
Source = Callable[[str, Emit, Listen], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """One kind of channel, the first word of its name.

    ``snapshot(channel, user)`` returns ``(data, seq)`` for a new subscriber; ``authorise(channel, user)`` says whether
    this person may listen, and False also where there is no such channel, so that nobody learns what others have.
    Both are synchronous and may read the database.

    ``source(channel, emit, listen)`` computes a channel inside the web process for as long as somebody there listens to it:
    it runs until it is cancelled, hears another channel by ``listen(other, callback)`` (of a resync ``{"resync": True}``) and
    sends by ``emit(data)``.
    Channels without a source come over Redis.
    """

    name: str
    snapshot: Snapshot
    authorise: Callable[[str, Any], bool]
    source: Source | None = None


_kinds: dict[str, Kind] = {}


def register(name: str, *, snapshot: Snapshot, authorise: Callable[[str, Any], bool], source: Source | None = None) -> None:
    _kinds[name] = Kind(name, snapshot, authorise, source)


def kind_of(channel: str) -> Kind | None:
    return _kinds.get(channel.split("/", 1)[0])
