"""Clocks, conditions and real clients for the tests of the local venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import ccxt.pro
import orjson

from marketdata.venue import VenueServer

START = 1_790_000_400  # a multiple of ten minutes


class Clock:
    """A wall clock that the test moves."""

    def __init__(self, at: float = START) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


async def until(condition: Callable[[], Any], *, seconds: float = 20) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def ccxt_client(server: VenueServer, market: str) -> AsyncIterator[ccxt.pro.binance]:
    """ccxt's own Binance client with nothing changed but its addresses."""
    client = ccxt.pro.binance(
        {"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}}
    )
    base = server.base_url(market)
    client.urls["api"] |= {"public": f"{base}/api/v3", "private": f"{base}/api/v3"}
    client.urls["api"]["ws"] |= {"spot": base.replace("http", "ws", 1) + "/ws"}
    client.rateLimit = 1
    try:
        yield client
    finally:
        await client.close()


class Raw:
    """A bare WebSocket and HTTP client."""

    def __init__(self, server: VenueServer, market: str, session: aiohttp.ClientSession) -> None:
        self.base, self.session = server.base_url(market), session

    async def get(self, path: str, **query: Any) -> tuple[int, Any, Any]:
        async with self.session.get(self.base + path, params=query) as answer:
            return answer.status, orjson.loads(await answer.read()), answer.headers

    async def ask(self, call: str, **query: Any) -> Any:
        status, body, _ = await self.get(f"/api/v3/{call}", **query)
        assert status == 200, body
        return body

    def socket(self, path: str) -> Any:
        return self.session.ws_connect(self.base + path)


@asynccontextmanager
async def raw_client(server: VenueServer, market: str) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        yield Raw(server, market, session)


async def said(socket: aiohttp.ClientWebSocketResponse) -> Any:
    """The next message that is not an answer to a method."""
    while True:
        message = orjson.loads(await socket.receive_str(timeout=10))
        if not (isinstance(message, dict) and "id" in message):
            return message
