"""One account at a broker: its stream is listened to, and what it tells becomes what we know."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

from django.db import Error
from django.utils import timezone

from trading import tasks
from trading.agent.measured import CONNECTED, UPDATES
from trading.agent.threads import Threads
from trading.brokers.connect import connect
from trading.brokers.protocol import BadCredentials, Broker, BrokerError, Listening, Update, VenueFill, VenueOrder
from trading.lifecycle import OVER
from trading.models import Account, Order
from trading.selectors.connected import Connected
from trading.services.connections import heard
from trading.services.dispatch import dispatch
from trading.services.reconciliation import reconcile
from trading.services.reports import fill_told, order_told

logger = logging.getLogger(__name__)

PAUSES: Final = (0.5, 1, 2, 4, 8, 15, 30)
"""Seconds before the next try, each between half and one and a half of it, so that accounts do not all come back at once."""

LASTED: Final = 30.0
"""A stream that lasted so long was a good one: the next pause is the first again."""

POLL_EVERY: Final = 15.0
"""Where a venue's stream is not used, it is asked this often: some allow a question in three seconds. Orders that we send tell
their outcome themselves."""


EXECUTIONS_FOLLOW: Final = 0.3
"""Seconds within which a venue tells an execution after the order that it belongs to."""


class Listener:
    """Until the key is not accepted or somebody cancels it. Nothing else ends it."""

    def __init__(self, connected: Connected, facts: Threads, asking: Threads) -> None:
        self.connected, self.account_id = connected, connected.account_id
        self._facts, self._asking = facts, asking
        self.looks = 0  # how often all that happened before was asked for, and answered
        self._compared = False
        self._began = 0.0

    async def run(self) -> None:
        """Raises BadCredentials."""
        pauses = _pauses()
        while True:
            try:
                await self._listen()
            except BadCredentials as error:
                logger.warning("account %s: %s", self.account_id, error.message)
                await self._mark(error)
                raise
            except BrokerError as error:
                logger.info("account %s: %s", self.account_id, error.message)
            except Error as error:
                logger.warning("account %s: the database: %s", self.account_id, str(error).strip().partition("\n")[0])
            except Exception:
                logger.exception("account %s: its stream failed in a way nobody expected", self.account_id)
            if self._began and time.monotonic() - self._began > LASTED:
                pauses = _pauses()
            await asyncio.sleep(next(pauses))

    async def _mark(self, error: BadCredentials) -> None:
        while True:
            try:
                return await self._facts.run(heard, self.account_id, error, at=timezone.now())
            except Error:
                await asyncio.sleep(1)

    async def _listen(self) -> None:
        self._began = 0.0
        broker = await self._asking.run(_opened, self.account_id)
        looking: set[asyncio.Task[None]] = set()
        try:
            if not broker.capabilities.streams:
                await self._poll(broker)
            async with aclosing(broker.updates()) as updates:  # type: ignore[type-var]
                async for told in updates:
                    if isinstance(told, Listening):
                        self._is_connected()
                        looking.add(asyncio.create_task(self._look()))
                        continue
                    UPDATES.labels(self.connected.broker, "fill" if isinstance(told, VenueFill) else "order").inc()
                    wrote = await self._facts.run(_write_down, self.account_id, told)
                    if wrote.something_follows:
                        await self._asking.run(go_on, self.account_id)
                    if wrote.fills_are_missing:
                        looking = {task for task in looking if not task.done()}
                        looking.add(asyncio.create_task(self._catch_up(told)))
        finally:
            if self._began:
                CONNECTED.labels(self.connected.broker).dec()
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
            await self._asking.run(broker.close)

    def _is_connected(self) -> None:
        self._began = time.monotonic()
        CONNECTED.labels(self.connected.broker).inc()

    async def _catch_up(self, told: Update) -> None:
        """An order was told without its executions. They follow as a rule; where they do not, they are asked for."""
        await asyncio.sleep(EXECUTIONS_FOLLOW)
        with suppress(Error):
            if isinstance(told, VenueOrder) and not await self._facts.run(_is_behind, self.account_id, told):
                return
        await self._look()

    async def _poll(self, broker: Broker) -> None:
        """Raises BrokerError and Error."""
        self._is_connected()
        while True:
            if await self._asking.run(self._seen):
                self.looks += 1
            else:
                await self._asking.run(broker.permissions)  # says so where the key is no longer accepted
            await asyncio.sleep(POLL_EVERY)

    async def _look(self) -> None:
        """See what happened before, as often as it takes: the venue, the database or another worker may be in the way."""
        for pause in _pauses():
            try:
                if await self._asking.run(self._seen):
                    self.looks += 1
                    return
            except Error as error:
                logger.warning("account %s: the database: %s", self.account_id, str(error).strip().partition("\n")[0])
            except Exception:
                logger.exception("account %s cannot be looked at", self.account_id)
            await asyncio.sleep(pause)

    def _seen(self) -> bool:
        """The first time all is compared; later, orders and executions are asked for, and the rest once a minute by beat."""
        if not self._compared:
            self._compared = reconcile(account_id=self.account_id).done
            return self._compared and dispatch(account_id=self.account_id)
        return dispatch(account_id=self.account_id, look=True)


def _pauses() -> Iterator[float]:
    """One for each try, without end."""
    for place in itertools.count():
        yield PAUSES[min(place, len(PAUSES) - 1)] * random.uniform(0.5, 1.5)  # noqa: S311


def _opened(account_id: int) -> Broker:
    """Raises BadCredentials."""
    return connect(Account.objects.select_related("connection__venue").get(pk=account_id), timezone.now)


@dataclass(frozen=True, slots=True)
class Wrote:
    """What came of an update: ``something_follows`` from an order that ended or was filled."""

    something_follows: bool
    fills_are_missing: bool = False


def _write_down(account_id: int, told: Update) -> Wrote:
    if isinstance(told, VenueFill):
        return Wrote(fill_told(account_id=account_id, told=told, at=timezone.now()) is not None)
    assert isinstance(told, VenueOrder)
    open_before = Order.objects.filter(account=account_id, client_order_id=told.client_order_id).exclude(status__in=OVER)
    was_open = bool(told.client_order_id) and open_before.exists()
    order = order_told(account_id=account_id, told=told, at=timezone.now())
    if order is None:
        return Wrote(something_follows=False, fills_are_missing=bool(told.filled))
    return Wrote(order.is_over and was_open, fills_are_missing=told.filled > order.filled_quantity)


def _is_behind(account_id: int, told: VenueOrder) -> bool:
    """Whether the order was filled further than the executions that were told explain."""
    known = Order.objects.filter(account=account_id, venue_order_id=told.venue_order_id, filled_quantity__gte=told.filled)
    return not known.exists()


def go_on(account_id: int) -> None:
    """Let a worker take the next step. One that is not told finds it with the next sweep."""
    try:
        tasks.dispatch.apply_async((account_id, 1), retry=False)
    except Exception as error:
        logger.warning("account %s: the queue is away: %s", account_id, error)
