"""Which bars some running deployment looks at, as the stream process needs to know it: often, and for almost nothing."""

from __future__ import annotations

import time
from typing import Final

from django.db import Error, close_old_connections

from trading import selectors

KNOWN_FOR: Final = 1.0
"""Seconds. A deployment that is younger is found by the sweep."""


class WatchedBars:
    """Asks the database once a second at most. Thousands of bars are stored at a start, and each is announced."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._pairs: set[tuple[int, str]] = set()
        self._asked_at = -KNOWN_FOR

    def has(self, instrument_id: int, timeframe: str) -> bool:
        """Whether a deployment runs on these bars; yes, too, while the database cannot be asked."""
        now = time.monotonic()
        if now - self._asked_at >= KNOWN_FOR:
            close_old_connections()  # this thread belongs to no request that would do it
            try:
                self._pairs = selectors.watched_bars()
            except Error:
                return True
            self._asked_at = now
        return (instrument_id, timeframe) in self._pairs


watched = WatchedBars()
