"""The hub of one web process: hears Redis once for everybody, and writes each client one frame at a time.

Redis is subscribed to a channel only while somebody here listens to it. Messages reach a client in order. When they
come faster than frames go out (40 a second at most), numbered ones queue, those that add queue up to a limit, and of
the others only the newest stays. A numbered message that does not fit any more becomes ``resync``: the client asks
REST and goes on.

A snapshot is taken once Redis has confirmed the subscription, so that nothing falls in between. Where it cannot (Redis
is away), the snapshot goes out all the same and ``resync`` follows when Redis is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson
import redis.asyncio
from django.conf import settings

from clusterx.live.publish import encode, prefix, resync, topic
from clusterx.live.registry import kind_of

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 0.025
GATHER_SECONDS = 0.005  # the stream publishes all channels at once: what it said comes within this
CLOSING_ROUNDS, CLOSING_SECONDS = 5, 2.0
MOST_WAITING = 512  # messages of one client between two frames
CONFIRM_SECONDS = 2.0
RESYNC = {"resync": True}  # what callbacks hear of one
Heard = Callable[[dict[str, Any]], None]


class Subscriber:
    """One client: what it listens to and what waits for its next frame."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self.write = write
        self.channels: set[str] = set()
        self.queue: deque[bytes] = deque()
        self.newest: dict[str, bytes] = {}
        self.lost: set[str] = set()  # channels of which something did not fit
        self.held: dict[str, list[tuple[bytes, bytes]]] = {}  # channel → what came before its snapshot

    def put(self, channel: str, flag: bytes, text: bytes) -> None:
        if channel in self.held:
            self.held[channel].append((flag, text))
        elif flag == b"~":
            self.newest[channel] = text
        elif len(self.queue) < MOST_WAITING:
            if earlier := self.newest.pop(channel, None):
                self.queue.append(earlier)  # it was said first: a forming bar must not follow itself closed
            self.queue.append(text)
        elif flag == b"!":
            self.lost.add(channel)

    def drop(self, channel: str) -> None:
        """Forget a channel that the client no longer listens to."""
        self.channels.discard(channel)
        self.held.pop(channel, None)
        self.newest.pop(channel, None)
        self.lost.discard(channel)

    def take(self) -> list[bytes]:
        if not self.queue and not self.newest and not self.lost:
            return []
        waiting = [*self.queue, *self.newest.values(), *(resync(channel) for channel in sorted(self.lost))]
        self.queue.clear()
        self.newest.clear()
        self.lost.clear()
        return waiting


def frame(messages: Iterable[bytes]) -> str:
    return (b'{"m":[' + b",".join(messages) + b"]}").decode()


class Hub:
    def __init__(self) -> None:
        self.listeners: dict[str, set[Subscriber]] = {}
        self.callbacks: dict[str, list[Heard]] = {}
        self.sources: dict[str, asyncio.Task[None]] = {}
        self.dirty: set[Subscriber] = set()
        self.news = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.pubsub: Any = None
        self.away = False  # whether the last attempt to hear Redis failed
        self.asked: Counter[str] = Counter()  # subscriptions that Redis has not confirmed yet
        self.confirmed: set[str] = set()
        self.unsure: set[str] = set()  # channels that somebody listens to without having heard everything
        self.waiting: dict[str, asyncio.Future[None]] = {}
        self.redis = redis.asyncio.Redis.from_url(settings.LIVE_REDIS_URL, socket_timeout=5, socket_connect_timeout=5)
        self._skip = len(topic(""))

    # -- what clients do --------------------------------------------------------------------------------------

    async def add(self, subscriber: Subscriber, channel: str) -> None:
        """Listen, holding back what comes until ``release`` has sent the snapshot."""
        self._start()
        subscriber.channels.add(channel)
        subscriber.held[channel] = []
        first = channel not in self.listeners
        self.listeners.setdefault(channel, set()).add(subscriber)
        if first:
            await self._open(channel)
        if channel not in self.sources:
            await self._confirmation(channel)

    def release(self, subscriber: Subscriber, channel: str, snapshot: bytes) -> None:
        """Send the snapshot, then what came meanwhile."""
        held = subscriber.held.pop(channel, [])
        subscriber.put(channel, b"!", snapshot)
        for flag, text in held:
            # Held back ones queue in order: replaced by newest they would overtake the snapshot.
            subscriber.put(channel, b"!" if flag == b"~" else flag, text)
        self.dirty.add(subscriber)
        self.news.set()

    async def remove(self, subscriber: Subscriber, channel: str) -> None:
        subscriber.drop(channel)
        listening = self.listeners.get(channel)
        if listening is None:
            return
        listening.discard(subscriber)
        if not listening:
            del self.listeners[channel]
            await self._close(channel)

    async def leave(self, subscriber: Subscriber) -> None:
        self.dirty.discard(subscriber)
        for channel in list(subscriber.channels):
            await self.remove(subscriber, channel)

    def say(self, subscriber: Subscriber, message: dict[str, Any]) -> None:
        """Answer one client, in order with its other messages."""
        self._start()
        subscriber.queue.append(orjson.dumps(message))
        self.dirty.add(subscriber)
        self.news.set()

    # -- where channels come from -----------------------------------------------------------------------------

    async def _open(self, channel: str) -> None:
        kind = kind_of(channel)
        if kind is not None and kind.source is not None:
            self.sources[channel] = asyncio.create_task(self._run_source(kind.source, channel))
        else:
            await self._subscribe(channel)

    async def _close(self, channel: str) -> None:
        if task := self.sources.pop(channel, None):
            task.cancel()
        elif channel not in self.callbacks:
            self.confirmed.discard(channel)
            self.unsure.discard(channel)
            if self.pubsub is not None:
                with suppress(redis.RedisError, OSError):
                    await self.pubsub.unsubscribe(topic(channel))

    async def _subscribe(self, *channels: str) -> None:
        if self.pubsub is not None:
            self.asked.update(channels)
            with suppress(redis.RedisError, OSError):  # the reader subscribes to everything again when it reconnects
                await self.pubsub.subscribe(*map(topic, channels))

    async def _confirmation(self, channel: str) -> None:
        """Wait until Redis sends what is said on ``channel``; where it does not come, whoever listens is told later."""
        if channel not in self.confirmed and not self.away:
            answer = self.waiting.setdefault(channel, asyncio.get_running_loop().create_future())
            await asyncio.wait([answer], timeout=CONFIRM_SECONDS)
        if channel not in self.confirmed:
            self.unsure.add(channel)

    def _confirm(self, channel: str) -> None:
        self.asked[channel] -= 1
        if self.asked[channel] > 0:  # given up and taken again meanwhile: only the last one counts
            return
        del self.asked[channel]
        self.confirmed.add(channel)
        if answer := self.waiting.pop(channel, None):
            answer.set_result(None)
        if channel in self.unsure:
            self.unsure.discard(channel)
            self._fan_out(channel, b"!", resync(channel))

    def _lose(self) -> None:
        """Redis is away: whatever is said meanwhile is lost, so every client will be told to ask REST."""
        self.pubsub, self.away = None, True
        self.unsure.update(channel for channel in self.listeners if channel not in self.sources)
        self.asked.clear()
        self.confirmed.clear()
        for answer in self.waiting.values():
            answer.set_result(None)
        self.waiting.clear()

    def listen(self, channel: str, heard: Heard) -> Callable[[], None]:
        """Hear a channel's data inside this process; returns what ends it."""
        self.callbacks.setdefault(channel, []).append(heard)
        if channel not in self.listeners:
            task = asyncio.get_running_loop().create_task(self._subscribe(channel))
            task.add_done_callback(lambda done: done.exception())

        def stop() -> None:
            callbacks = self.callbacks.get(channel, [])
            with suppress(ValueError):
                callbacks.remove(heard)
            if not callbacks:
                self.callbacks.pop(channel, None)
                if channel not in self.listeners:
                    asyncio.get_running_loop().create_task(self._close(channel))

        return stop

    async def _run_source(self, source: Any, channel: str) -> None:
        def emit(data: dict[str, Any]) -> None:
            self._fan_out(channel, b"~", encode(channel, data, None))

        while True:
            try:
                await source(channel, emit, self.listen)
            except Exception:
                logger.exception("the source of %s failed; starting it again", channel)
            await asyncio.sleep(5)

    async def close(self) -> None:
        """End the loops and the connections to Redis; for the end of an event loop."""
        running = {*self.tasks, *self.sources.values()}
        for _ in range(CLOSING_ROUNDS):  # one that meets an answer of Redis may be swallowed: said again, it is heard
            if not running:
                break
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=CLOSING_SECONDS)
        if running:
            logger.error("%d loops of the hub did not end", len(running))
        self.tasks.clear()
        self.sources.clear()
        await self.redis.aclose()

    # -- the two loops ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        if not self.tasks:
            self.tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._flush())]

    async def _read(self) -> None:
        pause = 0.2
        while True:
            # It waits for news as long as it takes, but not for a connection to begin or to end.
            client = redis.asyncio.Redis.from_url(settings.LIVE_REDIS_URL, socket_connect_timeout=5)
            try:
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe(f"{prefix()}hub")
                    # From here on whoever adds a channel subscribes to it; those that were added before, now.
                    self.pubsub, self.away, pause = pubsub, False, 0.2
                    if earlier := {*self.listeners, *self.callbacks} - set(self.sources):
                        await self._subscribe(*earlier)
                    async for message in pubsub.listen():
                        channel = message["channel"].decode()[self._skip :]
                        if message["type"] == "message":
                            self._heard(channel, message["data"])
                        elif message["type"] == "subscribe" and channel in self.asked:
                            self._confirm(channel)
            except (redis.RedisError, OSError) as error:
                logger.warning("live messages are not being heard (%s); trying again in %.1f s", error, pause)
            finally:
                self._lose()
                with suppress(redis.RedisError, OSError):
                    await client.aclose()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    def _heard(self, channel: str, packed: bytes) -> None:
        flag, text = packed[:1], packed[1:]
        if channel in self.listeners:
            self._fan_out(channel, flag, text)
        if callbacks := self.callbacks.get(channel):
            data = orjson.loads(text).get("d", RESYNC)
            for heard in list(callbacks):
                try:
                    heard(data)
                except Exception:  # one that fails must not make everybody deaf
                    logger.exception("a listener to %s failed", channel)

    def _fan_out(self, channel: str, flag: bytes, text: bytes) -> None:
        listening = self.listeners.get(channel, ())
        for subscriber in listening:
            subscriber.put(channel, flag, text)
        self.dirty.update(listening)
        self.news.set()

    async def _flush(self) -> None:
        """Write as soon as there is news, once it has come whole, but no more often than every FLUSH_SECONDS."""
        loop = asyncio.get_running_loop()
        while True:
            await self.news.wait()
            await asyncio.sleep(GATHER_SECONDS)
            started = loop.time()
            self.news.clear()
            dirty, self.dirty = self.dirty, set()
            # Clients with the same news share one encoded frame. The messages themselves are the key, not their ids: an id
            # may be given away again as soon as its object is gone, and one client's frame would go to another.
            frames: dict[tuple[bytes, ...], str] = {}
            for subscriber in dirty:
                messages = tuple(subscriber.take())
                if not messages:
                    continue
                text = frames.get(messages)
                if text is None:
                    text = frames[messages] = frame(messages)
                try:
                    await subscriber.write(text)
                except Exception as error:  # its connection is going; it must not take everybody's with it
                    logger.debug("a frame could not be written: %r", error)
            await asyncio.sleep(max(0.0, FLUSH_SECONDS - (loop.time() - started)))


_hub: Hub | None = None
_loop: asyncio.AbstractEventLoop | None = None


def hub() -> Hub:
    """This process's hub; tests have an event loop each, and so a hub each."""
    global _hub, _loop
    running = asyncio.get_running_loop()
    if _hub is None or _loop is not running:
        _hub, _loop = Hub(), running
    return _hub
