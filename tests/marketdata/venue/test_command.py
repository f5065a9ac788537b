"""The server as a process: it starts quickly, stops when told, and comes back from ``kill -9`` with the same past."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from clusterx.embedded.layout import PROJECT
from marketdata.venue import serving
from tests.marketdata.venue.clients import until

MEMORY_MB = 250
ALONE = ("-m", "marketdata.venue")


class Process:
    """One server of a state folder; ``kill`` and ``stop`` end it."""

    def __init__(self, child: asyncio.subprocess.Process, port: int) -> None:
        self.child, self.base = child, f"http://127.0.0.1:{port}"

    async def stop(self) -> float:
        """Seconds that it took to end in order."""
        began = time.monotonic()
        self.child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(self.child.wait(), 10) == 0
        return time.monotonic() - began

    async def kill(self) -> None:
        self.child.kill()
        await self.child.wait()


@asynccontextmanager
async def running(
    state: Path, *arguments: str, command: tuple[str, ...] = ("-m", "marketdata.venue")
) -> AsyncIterator[Process]:
    port_file = state / "port"
    port_file.unlink(missing_ok=True)
    options = ("--port", "0", "--port-file", str(port_file), "--state", str(state), *arguments)
    child = await asyncio.create_subprocess_exec(sys.executable, *command, *options, cwd=PROJECT, env=dict(os.environ))
    try:
        await until(lambda: port_file.exists() or child.returncode is not None, seconds=30)
        yield Process(child, int(port_file.read_text()))
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def ask(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        assert answer.status == 200
        return await answer.json()


async def until_answer(session: aiohttp.ClientSession, url: str, holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(20):
        while not holds(found := await ask(session, url)):
            await asyncio.sleep(0.05)
    return found


async def test_it_ends_within_a_second_of_being_told_though_a_client_does_not_answer(tmp_path: Path):
    async with running(tmp_path, "--markets", "simulated") as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base.rpartition(":")[2]))
        writer.write(
            b"GET /simulated/ws/btcusdt@depth HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b"101" in await reader.readline()
        assert await server.stop() < 1
        writer.close()


async def test_after_kill_nine_the_simulation_has_the_same_past_and_goes_on(tmp_path: Path):
    hours = "/simulated/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000"
    async with aiohttp.ClientSession() as session:
        async with running(tmp_path, "--markets", "simulated", "--speed", "120") as server:
            await until_answer(session, server.base + "/simulated/api/v3/trades?symbol=BTCUSDT", lambda found: len(found) > 100)
            before = await ask(session, server.base + hours)
            await server.kill()
        async with running(tmp_path, "--markets", "simulated", "--speed", "120") as server:
            after = {row[0]: row for row in await ask(session, server.base + hours)}
            assert [after[row[0]] for row in before[-900:-1]] == before[-900:-1]
            newest = max(after)
            await until_answer(session, server.base + hours, lambda found: found[-1][0] > newest)


@pytest.mark.recorded
async def test_after_kill_nine_the_recordings_have_the_same_past_in_little_memory(tmp_path: Path):
    markets = ("--markets", "recorded,replay")
    async with aiohttp.ClientSession() as session:
        async with running(tmp_path, *markets) as server:
            urls = [
                f"/{market}/api/v3/klines?symbol=BTCUSDT&interval={interval}&limit=500"
                for market, interval in (("recorded", "5m"), ("replay", "5m"), ("replay", "4h"))
            ]
            before = [await ask(session, server.base + url) for url in urls]
            said = await ask(session, server.base + "/replay/clusterx/info")
            await server.kill()
        async with running(tmp_path, *markets) as server:
            for url, rows in zip(urls, before, strict=True):
                after = {row[0]: row for row in await ask(session, server.base + url)}
                assert [after[row[0]] for row in rows[-400:-1]] == rows[-400:-1]
            again = await ask(session, server.base + "/replay/clusterx/info")
            assert abs(again["time"] - said["time"]) < 60_000 * 10
            assert psutil.Process(server.child.pid).memory_info().rss / 2**20 < MEMORY_MB


async def test_the_command_of_the_platform_serves_the_same(tmp_path: Path):
    async with (
        running(tmp_path, "--markets", "simulated", "--allow-faults", command=("manage.py", "venue")) as server,
        aiohttp.ClientSession() as session,
    ):
        assert (await ask(session, server.base + "/simulated/clusterx/info"))["mode"] == "simulated"
        async with session.post(server.base + "/control/faults", json={"statuses": [429]}) as answer:
            assert answer.status == 200
        async with session.get(server.base + "/simulated/api/v3/time") as answer:
            assert answer.status == 429


def test_what_is_served_follows_from_the_feed_and_the_recordings(tmp_path: Path):
    assert serving.names(None, feed="auto", recordings=tmp_path) == ["simulated"]
    (tmp_path / "MANIFEST.tsv").touch()
    assert serving.names(None, feed="auto", recordings=tmp_path) == ["recorded", "replay"]
    assert serving.names(None, feed="simulated", recordings=tmp_path) == ["simulated"]
    assert serving.names("replay,simulated", feed="recorded", recordings=tmp_path) == ["replay", "simulated"]


@pytest.mark.parametrize(("name", "reason"), [("recorded", "RECORDED_DATA"), ("moon", "no market 'moon'")])
def test_a_market_that_cannot_be_served_says_why(tmp_path: Path, name: str, reason: str):
    with pytest.raises(serving.CannotServe, match=reason):
        serving.market(name, recordings=tmp_path, state=None, speed=None, seed=7)
