"""Owns the strategy that stays: a child that answers each closed bar for as long as its deployment lives."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from marketdata.bars import Bar
from strategies.sandbox.answers import LARGEST_PRICE, Unfit, check_failure
from strategies.sandbox.inside import wire
from strategies.sandbox.limits import Limits, Reason
from strategies.sandbox.runs import Child, Ended


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


class Session:
    """A context manager. One question at a time; another thread waits its turn."""

    def __init__(self, child: Child, limits: Limits, leave: Callable[[], None]) -> None:
        self._child, self._limits, self._leave = child, limits, leave
        self._turn = threading.Lock()
        self._over: Refused | None = None
        try:
            header, _ = child.frame()
            if header.get("kind") == "error":
                reason, message, line, _ = check_failure(header)
                raise Refused(reason, message, line)
            if header.get("kind") != "live":
                raise Refused(Reason.INVALID_RESULT, "the answer is to another question")
        except Ended as error:
            raise Refused(error.reason, error.message, error.line) from None
        except Unfit as error:
            raise Refused(Reason.INVALID_RESULT, str(error)) from None

    def bar(self, bar: Bar) -> Levels:
        """What the strategy wants after ``bar``, which has closed. Raises Refused, and from then on always."""
        with self._turn:
            if self._over is not None:
                raise self._over
            self._child.deadline = time.monotonic() + self._limits.seconds
            try:
                self._child.send([wire.BAR.pack(*bar[:6])])
                return checked(self._child.levels())
            except (Ended, Unfit) as error:
                reason, line = (error.reason, error.line) if isinstance(error, Ended) else (Reason.INVALID_RESULT, None)
                self._over = Refused(reason, str(error), line)
            self._child.close()
            raise self._over

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

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def checked(levels: tuple[float, float, float, float]) -> Levels:
    """Finite, bounded, NaN for none. Raises Unfit."""
    exposure, *prices = levels
    if not -1 <= exposure <= 1:
        raise Unfit(f"exposure must be -1..1, was {exposure:g}")
    if not all(math.isnan(price) or 0 < price <= LARGEST_PRICE for price in prices):
        raise Unfit("a level must be a price above 0, or NaN")
    return Levels(exposure, *(None if math.isnan(price) else price for price in prices))
