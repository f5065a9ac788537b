"""Whose turn it is: of several accounts processes one acts, and the others wait until it is gone."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import Error, connection

from clusterx.db.locks import alone

logger = logging.getLogger(__name__)

LOCK: Final = 0x61636374  # of advisory locks, the accounts process's
LOOK_EVERY: Final = 1.0


class Turn:
    """Held in a thread of its own, because the lock belongs to that thread's connection to the database.

    ``changed`` is called in the event loop with whether it is our turn. While the database is away it is nobody's: who finds it
    back first goes on. Two that both believe to have it for a moment do no harm, because what they write down are facts.
    """

    def __init__(self, changed: Callable[[bool], None]) -> None:
        self._changed = changed
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="turn", daemon=True)

    def begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(5)

    def _keep(self) -> None:
        waits = False
        while not self._over.is_set():
            try:
                with alone(LOCK, 0) as mine:
                    if mine:
                        self._hold()
                    elif not waits:
                        waits = True
                        logger.info("another accounts process acts; waiting for it to end")
            except Error as error:
                logger.warning("the database is away: %s", str(error).strip().partition("\n")[0])
            finally:
                connection.close()
            self._over.wait(LOOK_EVERY)

    def _hold(self) -> None:
        self._tell(True)
        try:
            while not self._over.wait(LOOK_EVERY):
                with connection.cursor() as cursor:  # a lost connection is a lost lock
                    cursor.execute("select 1")
        finally:
            self._tell(False)

    def _tell(self, mine: bool) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed, mine)
