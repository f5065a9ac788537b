"""Where the database and synchronous brokers are called from: threads, so that one that waits holds nobody else up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from django.db import close_old_connections

Said = ParamSpec("Said")
Result = TypeVar("Result")


class Threads:
    """A few threads, each with its own connection to the database, which is made anew when it broke."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._busy: set[asyncio.Future[Any]] = set()

    async def run(self, call: Callable[Said, Result], *said: Said.args, **named: Said.kwargs) -> Result:
        """What ``call`` returns. Whoever stops waiting leaves it to its end: what acts at a venue is not torn in two."""

        def work() -> Result:
            close_old_connections()
            try:
                return call(*said, **named)
            finally:
                close_old_connections()

        done = asyncio.get_running_loop().run_in_executor(self._pool, work)
        self._busy.add(done)
        done.add_done_callback(self._over)
        return await asyncio.shield(done)

    def _over(self, done: asyncio.Future[Any]) -> None:
        self._busy.discard(done)
        if not done.cancelled():
            done.exception()  # nobody may be waiting for it any more

    async def close(self, patience: float) -> bool:
        """Let what runs come to its end; whether it did within ``patience`` seconds."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        waiting = set(self._busy)
        if waiting:
            await asyncio.wait(waiting, timeout=patience)
        return all(one.done() for one in waiting)
