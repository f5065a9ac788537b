"""The clock of the paper venue: its open orders meet the newest prices several times a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from django.db import Error
from django.utils import timezone

from trading.agent.measured import MATCHED
from trading.agent.threads import Threads
from trading.brokers.paper.venue import match
from trading.selectors.connected import paper_accounts_at_work
from trading.services.dispatch import dispatch
from trading.services.reconciliation import reconcile

logger = logging.getLogger(__name__)

TICK: Final = 0.25


class PaperClock:
    """Looks while nothing is open cost one query.

    What the venue did is written down in its books first and in ours after, so an account whose news could not be fetched (a
    worker acted for it, the database went away) is asked about again at the next tick.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._unseen: set[int] = set()
        self._compared = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._threads.run(self.tick)
            except Error as error:
                logger.warning("paper venue: the database: %s", str(error).strip().partition("\n")[0])
                await asyncio.sleep(1)
            except Exception:
                logger.exception("paper venue: failed in a way nobody expected")
                await asyncio.sleep(1)
            await asyncio.sleep(max(0.0, began + TICK - loop.time()))

    def tick(self) -> None:
        if not self._compared:
            self._unseen |= set(paper_accounts_at_work())
            for account_id in sorted(self._unseen):
                self._alone(reconcile, account_id)
            self._compared = True
        moved = match(at=timezone.now())
        MATCHED.inc(len(moved))
        self._unseen |= moved
        for account_id in sorted(self._unseen):
            if self._alone(partial(dispatch, look=True), account_id) is not False:
                self._unseen.discard(account_id)

    @staticmethod
    def _alone(act: Callable[..., object], account_id: int) -> object:
        """What goes wrong with one account stands in the way of no other. Raises Error."""
        try:
            return act(account_id=account_id)
        except Error:
            raise
        except Exception:
            logger.exception("paper venue: account %s cannot be looked at", account_id)
            return None
