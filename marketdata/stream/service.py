"""The stream process itself: follows the venues that are switched on, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter

from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections

from marketdata.models import Instrument, Venue
from marketdata.stream.connection import VenueConnection
from marketdata.stream.measured import measure
from marketdata.stream.recorder import Recorder

logger = logging.getLogger(__name__)
LOOK_EVERY = 2.0
TELL_EVERY = 60.0


def wanted() -> dict[tuple[int, str, str], tuple[Venue, list[Instrument]]]:
    """The venues to be connected to; the key changes when a connection must be made anew."""
    close_old_connections()
    venues = {}
    for venue in Venue.objects.filter(is_enabled=True).exclude(provider=""):
        instruments = list(venue.instruments.filter(is_active=True).select_related("venue"))
        if instruments:
            key = (venue.pk, venue.base_url, ",".join(f"{i.pk}{i.base_timeframe}{i.has_ticks}" for i in instruments))
            venues[key] = (venue, instruments)
    return venues


class StreamService:
    def __init__(self) -> None:
        self.recorder = Recorder()
        self.running: dict[tuple[int, str, str], tuple[VenueConnection, asyncio.Task[None]]] = {}
        self.stopping = asyncio.Event()
        self._told: Counter[str] = Counter()
        self._measured: Counter[str] = Counter()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stopping.set)
        self.recorder.before_flush.append(self._gather)
        recording = asyncio.create_task(self.recorder.run())
        telling = asyncio.create_task(self._tell())
        try:
            while not self.stopping.is_set():
                await self._follow()
                self._measure()
                self.recorder.say("venues", {"venues": [connection.status() for connection, _ in self.running.values()]})
                if recording.done():
                    recording.result()
                try:
                    await asyncio.wait_for(self.stopping.wait(), LOOK_EVERY)
                except TimeoutError:
                    continue
        finally:
            for _, task in self.running.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in self.running.values()), return_exceptions=True)
            telling.cancel()
            self.recorder.end()
            await recording

    def _gather(self) -> None:
        for connection, _ in self.running.values():
            connection.flush()

    async def _follow(self) -> None:
        """Connect to what was switched on, let go of what was switched off."""
        try:
            venues = await sync_to_async(wanted)()
        except Error as error:
            logger.warning("cannot look up the venues: %s", str(error).splitlines()[0])
            return
        for key in set(self.running) - set(venues):
            connection, task = self.running.pop(key)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            logger.info("%s: disconnected", connection.venue.code)
        for key in set(venues) - set(self.running):
            connection = VenueConnection(*venues[key], self.recorder)
            self.running[key] = (connection, asyncio.create_task(self._keep(connection)))

    async def _keep(self, connection: VenueConnection) -> None:
        while True:
            try:
                await connection.run()
            except Exception:
                logger.exception("%s: the connection failed in a way nobody expected; again in 5 s", connection.venue.code)
                await asyncio.sleep(5)

    def _counts(self) -> Counter[str]:
        """What was heard, stored and refused since the start, by name."""
        counts = Counter(self.recorder.counts)
        for connection, _ in self.running.values():
            for name, count in connection.counts.items():
                counts[f"{connection.venue.code}.{name}"] += count
            for series in connection.series.values():
                for name, count in series.aggregator.counts.items():
                    counts[f"{connection.venue.code}.{name}"] += count
        return counts

    def _measure(self) -> None:
        counts = self._counts()
        heard = {connection.venue.code: connection.heard_at for connection, _ in self.running.values()}
        measure(counts - self._measured, heard)
        self._measured = counts

    async def _tell(self) -> None:
        """One line a minute of what was heard, stored and refused."""
        while True:
            await asyncio.sleep(TELL_EVERY)
            counts = self._counts()
            news = counts - self._told
            self._told = counts
            logger.info("a minute: %s", ", ".join(f"{name} {count}" for name, count in sorted(news.items())) or "nothing")
