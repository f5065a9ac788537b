"""``/ws/v1/stream/``: what a client may say, and the limits on saying it. See docs/api.md.

A plain ASGI application: Channels routes and authenticates, and its per-message dispatch stays out of the way of the hub.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import Any

import orjson
import redis.asyncio
from asgiref.typing import Scope
from channels.db import database_sync_to_async
from django.conf import settings

from clusterx.live.hub import Hub, Subscriber, hub
from clusterx.live.publish import encode, prefix
from clusterx.live.registry import Kind, kind_of

MOST_CHANNELS = 100
LARGEST_FRAME = 64 * 1024
MOST_COMMANDS, COMMANDS_WINDOW = 50, 10.0
LONGEST_CHANNEL = 200
TOO_MUCH = 4429
TOO_LARGE = 4009  # not 1009: servers keep the codes below 3000 for themselves and refuse them from an application


class StreamSocket:
    """One connection."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.scope, self.send = scope, send
        self.user: Any = scope.get("user")
        self.commands: deque[float] = deque()
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        counter = await self._count()
        try:
            await send({"type": "websocket.accept"})
            if counter is None:
                await send({"type": "websocket.close", "code": TOO_MUCH, "reason": "too many connections"})
                return
            await self._talk(receive)
        finally:
            if counter is not None:
                await counter()

    async def _talk(self, receive: Any) -> None:
        self.hub: Hub = hub()
        self.subscriber = Subscriber(lambda text: self.send({"type": "websocket.send", "text": text}))
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return
                if not await self._allowed(message):
                    return
                await self._command(message.get("text") or message.get("bytes") or "")
        finally:
            await self.hub.leave(self.subscriber)

    async def _allowed(self, message: dict[str, Any]) -> bool:
        if len(message.get("text") or message.get("bytes") or "") > LARGEST_FRAME:
            await self.send({"type": "websocket.close", "code": TOO_LARGE, "reason": "a frame holds 64 KiB at most"})
            return False
        now = time.monotonic()
        self.commands.append(now)
        while self.commands[0] < now - COMMANDS_WINDOW:
            self.commands.popleft()
        if len(self.commands) > 2 * MOST_COMMANDS:
            await self.send({"type": "websocket.close", "code": TOO_MUCH, "reason": "too many commands"})
            return False
        return True

    async def _command(self, text: str | bytes) -> None:
        try:
            command = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._error(None, "not-json", "a frame is one JSON object")
            return
        if not isinstance(command, dict):
            self._error(None, "not-json", "a frame is one JSON object")
            return
        number = command.get("id")
        if not isinstance(number, int | str | None) or (isinstance(number, str) and len(number) > 64):
            self._error(None, "invalid-id", "id is a number or a short text")
            return
        if len(self.commands) > MOST_COMMANDS:
            self._error(number, "too-many-commands", f"{MOST_COMMANDS} commands in {COMMANDS_WINDOW:.0f} s at most")
            return
        op = command.get("op")
        if op == "ping":
            self.hub.say(self.subscriber, {"t": "pong", "id": number, "time": int(time.time() * 1000)})
        elif op in ("subscribe", "unsubscribe"):
            channels = command.get("channels")
            if not isinstance(channels, list):
                self._error(number, "invalid-channels", "channels is a list of channel names")
            elif wrong := [place for place, channel in enumerate(channels) if not isinstance(channel, str)]:
                self._error(number, "invalid-channels", f"channels is a list of channel names; entry {wrong[0]} is none")
            elif op == "subscribe":
                await self._subscribe(number, channels)
            else:
                for channel in channels:
                    if channel in self.subscriber.channels:
                        await self.hub.remove(self.subscriber, channel)
                self.hub.say(self.subscriber, {"t": "unsubscribed", "id": number, "channels": channels})
        else:
            self._error(number, "unknown-op", "op is subscribe, unsubscribe or ping")

    async def _subscribe(self, number: Any, channels: list[str]) -> None:
        wanted: list[tuple[str, Kind]] = []
        for looked_up, channel in enumerate(dict.fromkeys(channels)):
            if channel in self.subscriber.channels:
                continue
            # Each name costs a question to the database, also the name of nothing.
            if len(self.subscriber.channels) + len(wanted) >= MOST_CHANNELS or looked_up >= MOST_CHANNELS:
                self._error(number, "too-many-channels", f"{MOST_CHANNELS} channels a connection at most", channel)
                break
            kind = kind_of(channel) if len(channel) <= LONGEST_CHANNEL and channel.isprintable() else None
            if kind is None or not await database_sync_to_async(kind.authorise)(channel, self.user):
                self._error(number, "unknown-channel", "there is no such channel, or it is not yours", channel)
                continue
            wanted.append((channel, kind))
        self.hub.say(self.subscriber, {"t": "subscribed", "id": number, "channels": [channel for channel, _ in wanted]})
        for channel, kind in wanted:
            await self.hub.add(self.subscriber, channel)  # first listen, then look: nothing falls in between
            data, seq = await database_sync_to_async(kind.snapshot)(channel, self.user)
            self.hub.release(self.subscriber, channel, encode(channel, data, seq, "snapshot"))

    def _error(self, number: Any, code: str, detail: str, channel: str | None = None) -> None:
        message = {"t": "error", "id": number, "code": code, "detail": detail}
        self.hub.say(self.subscriber, message | ({"channel": channel} if channel is not None else {}))

    async def _count(self) -> Any:
        """Count this connection for its person or address; None when there are too many.

        Kept in Redis, because a person's connections end in several processes. Members are dated: those of a process that was
        killed age out. Without Redis nobody is turned away: there is nothing to hear then either.
        """
        who = f"user:{self.user.pk}" if self.user is not None and self.user.is_authenticated else self._address()
        key, member = f"{prefix()}sockets:{who}", f"{time.time_ns()}:{id(self)}"
        client = hub().redis
        try:
            now = time.time()
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.zremrangebyscore(key, 0, now - 6 * 3600)
                pipeline.zadd(key, {member: now})
                pipeline.zcard(key)
                pipeline.expire(key, 6 * 3600)
                _, _, open_now, _ = await pipeline.execute()
            if open_now > settings.LIVE_CONNECTIONS_EACH:
                await client.zrem(key, member)
                return None
        except (redis.RedisError, OSError):
            pass

        async def forget() -> None:
            with suppress(redis.RedisError, OSError):
                await client.zrem(key, member)

        return forget

    def _address(self) -> str:
        client: Any = self.scope.get("client")
        return f"address:{client[0] if client else 'unknown'}"


async def stream_socket(scope: Scope, receive: Any, send: Any) -> None:
    await StreamSocket()(scope, receive, send)
