"""Matching by price and then time, on whole ticks."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Happened(NamedTuple):
    """One match: the resting order's price, the size, and whether the buyer rested."""

    price: int
    size: float
    buyer_is_maker: bool


class Matching:
    """Price-time priority on whole ticks. Sizes are rounded to ``decimals`` by whoever sends them."""

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals
        self.bids: dict[int, deque[list[float]]] = {}
        self.asks: dict[int, deque[list[float]]] = {}
        self.touched: set[tuple[str, int]] = set()

    def best_bid(self) -> int | None:
        return max(self.bids, default=None)

    def best_ask(self) -> int | None:
        return min(self.asks, default=None)

    def limit(self, side: str, price: int, size: float) -> list[Happened]:
        """Match what crosses, rest what is left."""
        happened, left = self._match(side, size, price)
        if left > 0:
            book = self.bids if side == "buy" else self.asks
            book.setdefault(price, deque()).append([left])
            self.touched.add(("b" if side == "buy" else "a", price))
        return happened

    def market(self, side: str, size: float) -> list[Happened]:
        return self._match(side, size, None)[0]

    def _match(self, side: str, size: float, limit: int | None) -> tuple[list[Happened], float]:
        book, mark = (self.asks, "a") if side == "buy" else (self.bids, "b")
        happened = []
        while size > 0 and book:
            price = min(book) if side == "buy" else max(book)
            if limit is not None and (price > limit if side == "buy" else price < limit):
                break
            queue = book[price]
            resting = queue[0]
            done = min(size, resting[0])
            size = round(size - done, self.decimals)
            resting[0] = round(resting[0] - done, self.decimals)
            if resting[0] <= 0:
                queue.popleft()
                if not queue:
                    del book[price]
            self.touched.add((mark, price))
            happened.append(Happened(price, done, side == "sell"))
        return happened, size

    def drop(self, mark: str, price: int) -> None:
        """Cancel everything that rests at a price."""
        book = self.bids if mark == "b" else self.asks
        if book.pop(price, None) is not None:
            self.touched.add((mark, price))

    def size_at(self, mark: str, price: int) -> float:
        queue = (self.bids if mark == "b" else self.asks).get(price)
        return round(sum(order[0] for order in queue), self.decimals) if queue else 0.0
