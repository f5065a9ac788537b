"""An order book kept from a snapshot and the changes after it. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from marketdata.messages import BookDelta

Levels = list[tuple[float, float]]


class BookOutOfStep(Exception):
    """A change is missing: the book must begin again from a snapshot."""


class OrderBook:
    """One instrument's book. Changes that come before the snapshot wait for it."""

    MOST_WAITING = 5000

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.update: int | None = None
        self.time_ms = 0
        self._waiting: list[BookDelta] = []

    @property
    def ready(self) -> bool:
        return self.update is not None

    def reset(self) -> None:
        """Forget everything; the next snapshot begins anew."""
        self.bids.clear()
        self.asks.clear()
        self.update = None
        self._waiting.clear()

    def snapshot(self, update: int, bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]]) -> None:
        """Begin from the book as of ``update``, then apply what has waited.

        Raises BookOutOfStep when the waiting changes begin after it: ask for a newer snapshot.
        """
        waiting = self._waiting
        self._waiting = []
        if waiting and waiting[0].first > update + 1:
            self._waiting = waiting
            raise BookOutOfStep(f"the snapshot is of update {update}, the changes begin at {waiting[0].first}")
        self.bids = dict(bids)
        self.asks = dict(asks)
        self.update = update
        for delta in waiting:
            self.apply(delta)

    def apply(self, delta: BookDelta) -> bool:
        """Apply one change; False when it is older than the book or waits for the snapshot.

        Raises BookOutOfStep, and forgets the book, when updates between the book and this change are missing.
        """
        if self.update is None:
            if len(self._waiting) >= self.MOST_WAITING:
                self._waiting.clear()
            self._waiting.append(delta)
            return False
        if delta.last <= self.update:
            return False
        if delta.first > self.update + 1:
            missing = f"updates {self.update + 1} to {delta.first - 1} are missing"
            self.reset()
            self._waiting.append(delta)
            raise BookOutOfStep(missing)
        for side, changes in ((self.bids, delta.bids), (self.asks, delta.asks)):
            for price, size in changes:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        self.update = delta.last
        self.time_ms = delta.time_ms
        return True

    def top(self, depth: int) -> tuple[Levels, Levels]:
        """The best ``depth`` levels of both sides, best first."""
        bids = [(price, self.bids[price]) for price in heapq.nlargest(depth, self.bids)]
        asks = [(price, self.asks[price]) for price in heapq.nsmallest(depth, self.asks)]
        return bids, asks
