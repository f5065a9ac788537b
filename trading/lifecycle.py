"""The life of an order: what it may be, and what it may become. Pure; the database enforces the same table by a trigger.

An order is *unknown* when something was sent for it and no answer proves what came of it. Only the venue ends that: by
showing the order, or by showing that it has none once the request can no longer arrive (``docs/trading.md``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    NEW = "new"  # written down; nothing was sent
    SUBMITTING = "submitting"  # being sent
    ACCEPTED = "accepted"  # works at the venue
    PARTLY_FILLED = "partly-filled"  # works on, with a part executed
    FILLED = "filled"
    CANCELLING = "cancelling"  # works on; its cancellation was asked for
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"  # may work at the venue, or may never have arrived


S = Status

OVER: Final = frozenset({S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED})
OPEN: Final = frozenset(set(S) - OVER)
"""Counts as money that may be spent and exposure that may come."""

AT_VENUE: Final = frozenset({S.ACCEPTED, S.PARTLY_FILLED, S.CANCELLING})
"""The venue has shown that it works there."""

BECOMES: Final[dict[Status, frozenset[Status]]] = {
    # What was not sent yet may be given up without asking anybody.
    S.NEW: frozenset({S.SUBMITTING, S.CANCELLED, S.REJECTED, S.EXPIRED}),
    # Back to new only where the request provably never left.
    S.SUBMITTING: frozenset(set(S) - {S.SUBMITTING, S.CANCELLING}),
    S.UNKNOWN: frozenset(set(S) - {S.UNKNOWN, S.NEW, S.SUBMITTING}),
    S.ACCEPTED: frozenset({S.PARTLY_FILLED, S.FILLED, S.CANCELLING, S.CANCELLED, S.REJECTED, S.EXPIRED, S.UNKNOWN}),
    S.PARTLY_FILLED: frozenset({S.FILLED, S.CANCELLING, S.CANCELLED, S.EXPIRED, S.UNKNOWN}),
    # Back where the venue refused the cancellation and shows the order at work.
    S.CANCELLING: frozenset({S.ACCEPTED, S.PARTLY_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, S.UNKNOWN}),
    S.FILLED: frozenset(),
    # News may come in any order: a fill from before the end may be told after it. And what was given up as never arrived may be
    # shown by the venue after all: it is believed, always.
    S.CANCELLED: frozenset({S.FILLED}),
    S.EXPIRED: frozenset({S.FILLED}),
    S.REJECTED: frozenset({S.ACCEPTED, S.PARTLY_FILLED, S.FILLED, S.CANCELLED, S.EXPIRED}),
}
