"""Owns the strategy that stays: a child that answers each closed bar for as long as its deployment lives."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from marketdata.bars import Bar
from strategies.engine.layout import Action
from strategies.engine.series import IN_ACTION, IN_BAR, IN_ID
from strategies.sandbox.answers import LARGEST_PRICE, Floats, Unfit, check_failure, check_intents
from strategies.sandbox.inside import wire
from strategies.sandbox.limits import Limits, Reason
from strategies.sandbox.runs import Child, Ended

T = TypeVar("T")


class Refused(Exception):
    """The session has no answer, now or ever again: ``reason``, ``message`` and ``line`` as in an ``Answer``."""

    def __init__(self, reason: Reason, message: str, line: int | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.line = reason, message, line


@dataclass(frozen=True, slots=True)
class Levels:
    """The answer to one bar: exposure in [-1, 1], and prices; None where there is no such order."""

    exposure: float
    stop: float | None = None
    take_profit: float | None = None
    trail: float | None = None


class _Conversation:
    """A context manager. One question at a time; another thread waits its turn."""

    kind: ClassVar[str]

    def __init__(self, child: Child, limits: Limits, leave: Callable[[], None]) -> None:
        self._child, self._limits, self._leave = child, limits, leave
        self._turn = threading.Lock()
        self._over: Refused | None = None
        try:
            self._began(self._frame())
        except (Ended, Unfit) as error:
            raise _refused(error) from None

    def _began(self, arrays: Mapping[str, wire.Array]) -> None:
        """What came with the first frame."""

    def _answer(self, bar: Bar, read: Callable[[], T]) -> T:
        with self._turn:
            if self._over is not None:
                raise self._over
            self._child.deadline = time.monotonic() + self._limits.seconds
            try:
                self._child.send([wire.BAR.pack(*bar[:6])])
                return read()
            except (Ended, Unfit) as error:
                self._over = _refused(error)
            self._child.close()
            raise self._over

    def _frame(self) -> dict[str, wire.Array]:
        """Raises Ended or Unfit."""
        header, arrays = self._child.frame()
        if header.get("kind") == "error":
            reason, message, line, _ = check_failure(header)
            raise Ended(reason, message, line)
        if header.get("kind") != self.kind:
            raise Unfit("the answer is to another question")
        return arrays

    @property
    def printed(self) -> str:
        """What it printed so far, safe to show."""
        return self._child.text()

    def close(self) -> None:
        with self._turn:
            if self._over is None or self._over.message != "closed":
                self._over = Refused(Reason.ERROR, "closed")
                self._child.close()
                self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Session(_Conversation):
    """A vectorised strategy, which answers each bar with an exposure and levels."""

    kind = "live"

    def bar(self, bar: Bar) -> Levels:
        """What the strategy wants after ``bar``, which has closed. Raises Refused, and from then on always."""
        return self._answer(bar, lambda: checked(self._child.levels()))


class OrderSession(_Conversation):
    """An event-driven strategy, which answers each bar with orders.

    ``replayed`` is what it decided on the history, (m, 15); orders of that may still work. Bars are counted from the first
    one of the history: a session begun again with the same history, and the bars since at its end, goes on as this one.
    """

    kind = "orders"

    def __init__(self, child: Child, limits: Limits, leave: Callable[[], None], *, length: int) -> None:
        self._length, self._last_id = length, 0.0
        super().__init__(child, limits, leave)

    def _began(self, arrays: Mapping[str, wire.Array]) -> None:
        self.replayed = self._checked(arrays)

    def bar(self, bar: Bar) -> Floats:
        """The intents decided on after ``bar``, which has closed: (m, 15), as ``simulate`` takes them.

        Raises Refused, and from then on always.
        """
        return self._answer(bar, self._decided)

    def _decided(self) -> Floats:
        self._length += 1
        intents = self._checked(self._frame())
        if (intents[:, IN_BAR] != self._length - 1).any():
            raise Unfit("an order is dated at another bar")
        return intents

    def _checked(self, arrays: Mapping[str, wire.Array]) -> Floats:
        if set(arrays) != {"intents"}:
            raise Unfit("the answer must be intents")
        intents = check_intents(arrays["intents"], self._length)
        placed = intents[intents[:, IN_ACTION] == Action.PLACE][:, IN_ID]
        if len(placed):
            if placed[0] <= self._last_id:
                raise Unfit("an order has the number of an earlier one")
            self._last_id = float(placed[-1])
        return intents


def _refused(error: Ended | Unfit) -> Refused:
    if isinstance(error, Ended):
        return Refused(error.reason, error.message, error.line)
    return Refused(Reason.INVALID_RESULT, str(error))


def checked(levels: tuple[float, float, float, float]) -> Levels:
    """Finite, bounded, NaN for none. Raises Unfit."""
    exposure, *prices = levels
    if not -1 <= exposure <= 1:
        raise Unfit(f"exposure must be -1..1, was {exposure:g}")
    if not all(math.isnan(price) or 0 < price <= LARGEST_PRICE for price in prices):
        raise Unfit("a level must be a price above 0, or NaN")
    return Levels(exposure, *(None if math.isnan(price) else price for price in prices))
