"""Owns work that a page asks for and that may take longer than a request should: it goes on, and the page asks again.

A request that is held open longer may outlive the page that sent it; the server would end it and say so in its log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from django.http import JsonResponse

T = TypeVar("T")

PATIENCE: Final = 0.7  # seconds that a request is held: it is no slow one yet, and is over long before a server ends it
KEPT: Final = 60.0  # seconds that a result waits for the page to ask again
MOST: Final = 3  # of one person: what was asked before is of a text that has changed since


class NotYet(Exception):
    """It is under way. Who asks the same again gets the result."""


class Desk:
    """Answers to what was asked, each worked out once, by few threads in the order of asking.

    The work uses no database: the thread is not a request's.
    """

    def __init__(self, name: str, *, threads: int = 2, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._asked: dict[tuple[Hashable, Hashable], tuple[Future[Any], float]] = {}

    def ask(self, who: Hashable, what: Hashable, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises, if it is known soon; ``what`` names it. Raises NotYet."""
        future = self.begin(who, what, work)
        try:
            result: T = future.result(timeout=self.patience)
        except TimeoutError:
            if not future.done():
                raise NotYet from None
            self._forget(who, what)
            raise
        except CancelledError:  # the same person has asked something newer meanwhile
            raise NotYet from None
        except BaseException:
            self._forget(who, what)
            raise
        self._forget(who, what)
        return result

    def begin(self, who: Hashable, what: Hashable, work: Callable[[], T]) -> Future[T]:
        """Have it worked on, without waiting; what is under way already is not begun again."""
        now = time.monotonic()
        with self._lock:
            self._let_go(who, what, now)
            if (who, what) not in self._asked:
                self._asked[who, what] = self._threads.submit(work), now
            future, _ = self._asked[who, what]
            self._asked[who, what] = future, now
            return future

    def _let_go(self, who: Hashable, what: Hashable, now: float) -> None:
        """Forget what nobody came back for, and of this person the oldest; what has not begun is not done at all."""
        others = [key for key in self._asked if key[0] == who and key != (who, what)]
        old = {key for key, (_, asked) in self._asked.items() if now - asked > KEPT} | set(others[: 1 - MOST])
        for key in old - {(who, what)}:
            self._asked.pop(key)[0].cancel()

    def _forget(self, who: Hashable, what: Hashable) -> None:
        with self._lock:
            self._asked.pop((who, what), None)


def later(message: str, **more: Any) -> JsonResponse:
    """It is not known yet; the page says ``message`` and asks again."""
    return JsonResponse({"ok": False, "later": True, "message": message, **more}, status=202)
