"""A venue that misbehaves on command, and that the client notices and recovers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import ccxt
import pytest
import pytest_asyncio

from marketdata.messages import Malformed
from marketdata.orderbook import BookOutOfStep, OrderBook
from marketdata.providers.base import Subscription
from marketdata.providers.binance import BinanceProvider
from marketdata.venue import Faults, SimulatedMarket, VenueServer
from tests.marketdata.capture import delta
from tests.marketdata.venue.clients import ccxt_client, raw_client, said, until


@pytest_asyncio.fixture
async def server() -> AsyncIterator[VenueServer]:
    async with VenueServer([SimulatedMarket(speed=60.0)], allow_faults=True) as running:
        yield running


async def test_429_says_when_to_come_back_and_500_is_another_error(server: VenueServer):
    async with raw_client(server, "simulated") as raw:
        server.faults.statuses.extend([429, 418, 500])
        for status, code in ((429, -1003), (418, -1003), (500, -1000)):
            found, body, headers = await raw.get("/api/v3/time")
            assert (found, body["code"]) == (status, code)
            assert ("Retry-After" in headers) == (status != 500)
        assert (await raw.get("/api/v3/time"))[0] == 200


async def test_the_library_tells_a_limit_from_a_failure(server: VenueServer):
    async with ccxt_client(server, "simulated") as client:
        server.faults.statuses.append(429)
        with pytest.raises(ccxt.DDoSProtection):
            await client.fetch_time()
        server.faults.statuses.append(503)
        with pytest.raises(ccxt.OperationFailed):
            await client.fetch_time()
        assert await client.fetch_time() > 0


async def test_a_dropped_change_of_the_book_is_noticed_and_a_snapshot_mends_it(server: VenueServer):
    async with raw_client(server, "simulated") as raw, raw.socket("/ws/btcusdt@depth@100ms") as socket:
        book = OrderBook()
        book.apply(delta(await said(socket)))
        snapshot = await raw.ask("depth", symbol="BTCUSDT", limit=1000)
        book.snapshot(snapshot["lastUpdateId"], numbers(snapshot["bids"]), numbers(snapshot["asks"]))
        for _ in range(5):
            book.apply(delta(await said(socket)))
        server.faults.drop["depth"] = 2
        after = [delta(await said(socket)) for _ in range(5)]
        with pytest.raises(BookOutOfStep):
            [book.apply(change) for change in after]
        snapshot = await raw.ask("depth", symbol="BTCUSDT", limit=1000)
        book.snapshot(snapshot["lastUpdateId"], numbers(snapshot["bids"]), numbers(snapshot["asks"]))
        for _ in range(5):
            book.apply(delta(await said(socket)))
        bids, asks = book.top(1)
        assert bids[0][0] < asks[0][0]


def numbers(levels: list[list[str]]) -> list[tuple[float, float]]:
    return [(float(price), float(size)) for price, size in levels]


async def test_messages_come_twice_and_out_of_order_on_command(server: VenueServer):
    async with raw_client(server, "simulated") as raw, raw.socket("/ws/btcusdt@depth") as socket:
        await said(socket)
        server.faults.duplicate = 1
        ids = [(await said(socket))["u"] for _ in range(6)]
        assert len(ids) - len(set(ids)) == 1
        server.faults.swap = 1
        ids = [(await said(socket))["u"] for _ in range(6)]
        assert ids != sorted(ids)
        assert len(set(ids)) == 6


async def test_delayed_messages_keep_their_order_and_come_late(server: VenueServer):
    async with raw_client(server, "simulated") as raw, raw.socket("/ws/btcusdt@depth") as socket:
        await said(socket)
        server.faults.delay = 0.4
        began = time.monotonic()
        ids = [(await said(socket))["u"]]
        while time.monotonic() - began < 0.4:  # what was under way already
            ids.append((await said(socket))["u"])
        late = [await said(socket) for _ in range(4)]
        ids += [message["u"] for message in late]
        assert ids == sorted(set(ids))
        market = server.markets["simulated"]
        assert market.now() * 1000 - late[-1]["E"] >= 0.4 * 60 * 1000 * 0.7


async def test_a_message_cut_off_is_refused_and_the_connection_goes_on(server: VenueServer):
    market = server.markets["simulated"]
    provider = BinanceProvider(base_url=server.base_url("simulated"))
    provider.now_ms = lambda: market.now() * 1000
    heard: list[Any] = []
    task = asyncio.create_task(provider.listen([Subscription("BTCUSDT", "1m", True)], lambda raw, said: heard.append(said)))
    await until(lambda: len(heard) > 5)
    server.faults.cut = 3
    await until(lambda: sum(isinstance(said, Malformed) for said in heard) == 3)
    count = len(heard)
    await until(lambda: len(heard) > count + 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await provider.close()


async def test_faults_are_set_over_http_and_only_such_as_there_are(server: VenueServer):
    async with raw_client(server, "simulated") as raw:
        url = raw.base.replace("/simulated", "/control/faults")
        async with raw.session.post(
            url, json={"statuses": [429], "drop": {"trade": 3}, "malformed": 2, "delay": 0.1}
        ) as answer:
            assert answer.status == 200
        assert list(server.faults.statuses) == [429]
        assert (server.faults.drop, server.faults.malformed, server.faults.delay) == ({"trade": 3}, 2, 0.1)
        for wrong in ({"statuses": [200]}, {"nothing": 1}, {"malformed": -1}, {"delay": 3600}, {"drop": 5}, [1]):
            async with raw.session.post(url, json=wrong) as answer:
                assert answer.status == 400, wrong


async def test_without_leave_there_is_no_control():
    async with (
        VenueServer([SimulatedMarket()]) as server,
        raw_client(server, "simulated") as raw,
        raw.session.post(raw.base.replace("/simulated", "/control/faults"), json={}) as answer,
    ):
        assert answer.status == 404


def test_a_fault_is_used_up_by_the_message_that_it_spoils():
    faults = Faults(cut=1, duplicate=1, malformed=1, drop={"depth": 1})
    assert faults.spoil(b"0123456789", "X") == [b"01234"]
    assert len(faults.spoil(b"0123456789", "X")) == 3
    assert faults.spoil(b"0123456789", "X") == [b"0123456789"]
    assert [faults.dropped(stream) for stream in ("x@trade", "x@depth", "x@depth")] == [False, True, False]
