"""The accounts process itself: while it is its turn, it listens to every connected account and moves the paper venue."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import Error
from django.utils import timezone

from trading.agent.listener import Listener
from trading.agent.paper import PaperClock
from trading.agent.threads import Threads
from trading.agent.turn import Turn
from trading.brokers.protocol import BadCredentials
from trading.selectors.connected import Connected, connected_accounts

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 2.0
GRACE: Final = 4.0  # seconds that a request under way has to come to its end when the process is told to


@dataclass
class Running:
    connected: Connected
    listener: Listener
    task: asyncio.Task[None]
    refused_at: datetime | None = None

    def may_go_on(self, now: Connected) -> bool:
        """Whether to begin anew: a key that was not accepted, when the venue has answered to it since."""
        if self.refused_at is None:
            return self.task.done()
        return now.answered_at is not None and now.answered_at > self.refused_at


class AccountsService:
    def __init__(self) -> None:
        self.running: dict[int, Running] = {}
        self.stopping = asyncio.Event()
        self._is_our_turn = asyncio.Event()
        self._turn_is_over = asyncio.Event()
        self._turn = Turn(self._turn_changed)
        self._ended = True
        # What only writes down is not held up by what waits for a venue, nor the clock by either.
        self._facts, self._asking, self._clock = Threads("facts", 4), Threads("asking", 8), Threads("clock", 1)

    def stop(self) -> None:
        self.stopping.set()

    async def run(self) -> bool:
        """Until told to stop; whether all that was under way came to its end."""
        self._turn.begin()
        try:
            while not self.stopping.is_set():
                await _any(self.stopping, self._is_our_turn)
                if self._is_our_turn.is_set() and not self.stopping.is_set():
                    logger.info("acting for all accounts")
                    await self._act()
        finally:
            await asyncio.to_thread(self._turn.end)
            closing = [threads.close(GRACE) for threads in (self._clock, self._facts, self._asking)]
            self._ended = all(await asyncio.gather(*closing)) and self._ended
        return self._ended

    def _turn_changed(self, mine: bool) -> None:
        begins, ends = (self._is_our_turn, self._turn_is_over) if mine else (self._turn_is_over, self._is_our_turn)
        begins.set()
        ends.clear()

    async def _act(self) -> None:
        clock = asyncio.create_task(PaperClock(self._clock).run())
        following = asyncio.create_task(self._follow())
        try:
            await _any(self.stopping, self._turn_is_over)
        finally:
            tasks = [clock, following, *(one.task for one in self.running.values())]
            self.running = {}
            self._ended = await _end(tasks)

    async def _follow(self) -> None:
        """Listen to what was connected, let go of what was revoked."""
        while True:
            try:
                self._keep_up(await self._facts.run(connected_accounts))
            except Error as error:
                logger.warning("cannot look up the accounts: %s", str(error).strip().partition("\n")[0])
            except Exception:
                logger.exception("cannot look up the accounts")
            await asyncio.sleep(LOOK_EVERY)

    def _keep_up(self, accounts: Iterable[Connected]) -> None:
        wanted = {one.account_id: one for one in accounts}
        for account_id, one in list(self.running.items()):
            now = wanted.get(account_id)
            if now is None or now.key != one.connected.key or one.may_go_on(now):
                del self.running[account_id]
                one.task.cancel()
                logger.info("account %s: let go", account_id)
        for account_id in wanted.keys() - self.running.keys():
            listener = Listener(wanted[account_id], self._facts, self._asking)
            task = asyncio.create_task(self._listen(listener))
            self.running[account_id] = Running(wanted[account_id], listener, task)

    async def _listen(self, listener: Listener) -> None:
        try:
            await listener.run()
        except BadCredentials:
            mine = self.running.get(listener.account_id)
            if mine is not None and mine.listener is listener:
                mine.refused_at = timezone.now()


async def _any(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> bool:
    """Whether they ended soon: a venue may take its time to say goodbye."""
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=GRACE)
    return not late


async def serve() -> None:
    """Run until SIGTERM or SIGINT."""
    service = AccountsService()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.stop)
    if not await service.run():
        # A venue that does not answer must not keep the process: what is under way is what a kill -9 leaves, and is found out.
        logging.shutdown()
        os._exit(0)
