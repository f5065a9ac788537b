"""Keep the embedded servers up while any process of this project uses them.

Every user holds a shared ``flock`` on ``users.lock``; the kernel lets go of it however the process ends. Who
leaves last finds that it can take the lock exclusively, and stops the servers. ``start.lock`` makes starting
and leaving one at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from clusterx.embedded.layout import Layout
from clusterx.embedded.postgres import Postgres
from clusterx.embedded.redis import Redis


class EmbeddedSession:
    """One process's claim on the embedded servers. Leaves alone what DATABASE_URL or REDIS_URL names."""

    def __init__(self, layout: Layout, *, throwaway: bool = False) -> None:
        self.layout = layout
        self.servers: list[Postgres | Redis] = []
        if not os.environ.get("DATABASE_URL"):
            self.servers.append(Postgres(layout, throwaway=throwaway))
        if not os.environ.get("REDIS_URL"):
            self.servers.append(Redis(layout, throwaway=throwaway))
        self._claim: IO[bytes] | None = None
        self._owner = os.getpid()

    def open(self) -> None:
        """Claim the servers and start those that are down."""
        if not self.servers:
            return
        self.layout.create()
        with self._one_at_a_time():
            if self._claim is None:
                claim = (self.layout.root / "users.lock").open("ab")
                fcntl.flock(claim, fcntl.LOCK_SH)
                self._claim = claim
            for server in self.servers:
                server.start()

    def heal(self) -> list[str]:
        """Restart servers that died; return their names."""
        dead = [server for server in self.servers if not (server.running() and server.accepting())]
        if dead:
            with self._one_at_a_time():
                for server in dead:
                    server.start()
        return [type(server).__name__ for server in dead]

    def close(self) -> None:
        """Give the claim back; the last one out stops the servers."""
        if self._claim is None or os.getpid() != self._owner:
            return
        with self._one_at_a_time():
            try:
                fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # somebody else still uses them
            else:
                for server in reversed(self.servers):
                    server.stop()
            self._claim.close()
            self._claim = None

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (self.layout.root / "start.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def embedded_services() -> Iterator[EmbeddedSession]:
    """The embedded servers of this project, up for the length of the block."""
    session = EmbeddedSession(Layout.from_environment())
    session.open()
    try:
        yield session
    finally:
        session.close()
