"""Live messages out: to Redis, from where every web process forwards them to its clients.

Messages are hints that nothing depends on: the database holds the truth, and a client that missed one asks REST. So
publishing never raises when Redis is away; it counts and goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import orjson
import redis
import redis.asyncio
from django.conf import settings

logger = logging.getLogger(__name__)
KEPT_FOR = 7 * 86400
Message = tuple[str, dict[str, Any] | None, int | None, bool]  # channel, data (None: a resync), seq, keep


def prefix() -> str:
    """Publish/subscribe is not divided by Redis database, so the database's number is part of every name."""
    return f"cx{settings.REDIS_FIRST_DATABASE}:"


def topic(channel: str) -> str:
    """The Redis channel of a stream channel."""
    return f"{prefix()}live:{channel}"


def kept_key(channel: str) -> str:
    """Where a channel's last message is kept for snapshots."""
    return f"{prefix()}last:{channel}"


def encode(channel: str, data: dict[str, Any], seq: int | None, kind: str = "update") -> bytes:
    """The message as clients get it, so that web processes forward bytes and encode nothing again."""
    message: dict[str, Any] = {"t": kind, "ch": channel}
    if seq is not None:
        message["seq"] = seq
    message["d"] = data
    return orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY, default=str)


def resync(channel: str) -> bytes:
    """Tells clients that something of a channel was lost, or came to be without being sent: they ask REST."""
    return orjson.dumps({"t": "resync", "ch": channel})


def _packed(channel: str, data: dict[str, Any], seq: int | None, adds: bool) -> bytes:
    """The message behind a flag that says how web processes treat it when a client is slower than the news.

    ``!`` has a number and is never dropped; ``+`` adds to the one before; ``~`` is replaced by a newer one.
    """
    flag = b"!" if seq is not None else b"+" if adds or channel.startswith("trades/") else b"~"
    return flag + encode(channel, data, seq)


class _Away:
    """Says once that Redis is away, and once that it is back."""

    def __init__(self) -> None:
        self.away = False

    def failed(self, error: Exception) -> None:
        if not self.away:
            logger.warning("live messages are not being sent: %s", error)
        self.away = True

    def succeeded(self) -> None:
        if self.away:
            logger.warning("live messages are being sent again")
        self.away = False


_state = _Away()
_client: redis.Redis | None = None
_async_client: redis.asyncio.Redis | None = None


def _redis() -> redis.Redis:
    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.LIVE_REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    return _client


def publish(channel: str, data: dict[str, Any], *, seq: int | None = None, keep: bool = True, adds: bool = False) -> None:
    """Send one message; with ``keep`` it is also what a new subscriber gets first.

    One without a number is replaced by the channel's next one if it has not been sent yet, unless it ``adds`` to what was said.
    """
    try:
        pipeline = _redis().pipeline(transaction=False)
        _add(pipeline, channel, data, seq, keep, adds)
        pipeline.execute()
    except redis.RedisError as error:
        _state.failed(error)
    else:
        _state.succeeded()


def _add(pipeline: Any, channel: str, data: dict[str, Any] | None, seq: int | None, keep: bool, adds: bool = False) -> None:
    if data is None:
        pipeline.publish(topic(channel), b"!" + resync(channel))
        return
    if keep:
        # One field for each sort of message, so that a closed bar and the forming one stand side by side.
        sort = next(iter(data), "")
        pipeline.hset(kept_key(channel), sort, orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY, default=str))
        pipeline.expire(kept_key(channel), KEPT_FOR)
    pipeline.publish(topic(channel), _packed(channel, data, seq, adds))


def kept(channel: str) -> dict[str, Any]:
    """The newest message of each sort, merged; empty when there was none or Redis is away."""
    try:
        fields = _redis().hgetall(kept_key(channel))
    except redis.RedisError as error:
        _state.failed(error)
        return {}
    merged: dict[str, Any] = {}
    for text in fields.values():
        merged |= orjson.loads(text)
    return merged


async def publish_async(channel: str, data: dict[str, Any], *, seq: int | None = None, keep: bool = True) -> None:
    await publish_many_async([(channel, data, seq, keep)])


async def publish_many_async(messages: Sequence[Message]) -> None:
    """Send messages in one round trip, in order."""
    global _async_client
    if not messages:
        return
    if _async_client is None:
        _async_client = redis.asyncio.Redis.from_url(settings.LIVE_REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        pipeline = _async_client.pipeline(transaction=False)
        for channel, data, seq, keep in messages:
            _add(pipeline, channel, data, seq, keep)
        await pipeline.execute()
    except (redis.RedisError, OSError) as error:
        _state.failed(error)
    else:
        _state.succeeded()
