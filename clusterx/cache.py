"""The cache, whose loss must cost no more than time."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

logger = logging.getLogger(__name__)
QUIET_FOR = 30.0
_last_complaint = 0.0


def _complain(error: Exception) -> None:
    global _last_complaint
    now = time.monotonic()
    if now - _last_complaint > QUIET_FOR:
        _last_complaint = now
        logger.warning("The cache does not answer (%s); going on without it", type(error).__name__)


def _forgiving(method: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            _complain(error)
            return otherwise(*args, **kwargs)

    return call


def _the_default(key: str, default: Any = None) -> Any:
    return default


class ForgivingClient(RedisCacheClient):
    """While Redis is away every look-up misses and every ``add`` succeeds.

    So the site answers, more slowly and with its throttles open; guessing passwords stays limited, because django-axes counts
    in PostgreSQL.
    """

    add = _forgiving(RedisCacheClient.add, lambda *a, **k: True)
    get = _forgiving(RedisCacheClient.get, _the_default)
    set = _forgiving(RedisCacheClient.set, lambda *a, **k: None)
    touch = _forgiving(RedisCacheClient.touch, lambda *a, **k: False)
    delete = _forgiving(RedisCacheClient.delete, lambda *a, **k: False)
    get_many = _forgiving(RedisCacheClient.get_many, lambda *a, **k: {})
    has_key = _forgiving(RedisCacheClient.has_key, lambda *a, **k: False)
    set_many = _forgiving(RedisCacheClient.set_many, lambda *a, **k: [])
    delete_many = _forgiving(RedisCacheClient.delete_many, lambda *a, **k: None)


class ForgivingRedisCache(RedisCache):
    """``BACKEND`` of the cache."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = ForgivingClient
