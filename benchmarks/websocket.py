"""From a tick at the exchange's side to 500 browsers: the real stream code, Redis, one web process, real sockets.

2,000 trades a second over ten instruments go into the stream's connections; it builds bars, stores them and
publishes. 500 clients, in a process of their own, each watch one instrument as its page does (trades, quotes,
candles) and note how old each tick is.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import statistics
import subprocess
import time
from typing import Any

import aiohttp
import orjson
import psutil

from benchmarks.figures import Figure
from clusterx import processes
from clusterx.supervisor import free_port
from marketdata.messages import Trade, exact_size
from marketdata.models import Instrument, Venue
from marketdata.services.markets import set_up_markets
from marketdata.stream.connection import VenueConnection
from marketdata.stream.recorder import Recorder

CLIENTS = 500
INSTRUMENTS = 10
TICKS = 2_000
SECONDS = int(os.environ.get("BENCH_SECONDS", "75"))  # more than a minute, so that bars close
WARM_UP = 3  # seconds after the last client has its snapshots


async def watch(url: str, refs: list[str], until: float) -> dict[str, Any]:
    """All clients; returns the ages of ticks in ms, bars that closed, and clients that missed one."""
    ages: list[float] = []
    closed: dict[int, set[tuple[str, int]]] = {i: set() for i in range(CLIENTS)}
    frames = 0
    started = time.time()
    arrived = 0.0  # when the last one was there
    arriving = CLIENTS

    async def one(number: int, session: aiohttp.ClientSession) -> None:
        nonlocal frames, arrived, arriving
        ref = refs[number % len(refs)]
        async with session.ws_connect(url) as socket:
            channels = [f"trades/{ref}", f"quotes/{ref}", f"candles/{ref}/1m"]
            await socket.send_str(json.dumps({"op": "subscribe", "id": 1, "channels": channels}))
            expected = set(channels)
            while (left := until - time.time()) > 0:
                try:
                    text = await socket.receive_str(timeout=left)
                except (TimeoutError, TypeError):
                    return
                now = time.time()
                frames += 1
                # The clients share the machine with the server: all look for closed bars, every tenth notes its ticks.
                noting = number % 10 == 0 and not arriving and now > arrived + WARM_UP
                if not noting and not expected and '"closed"' not in text:
                    continue
                for message in orjson.loads(text)["m"]:
                    if message["t"] == "snapshot" and expected:
                        expected.discard(message["ch"])
                        if not expected:
                            arrived, arriving = now, arriving - 1
                    if message["t"] != "update":
                        continue
                    data = message["d"]
                    if "closed" in data:
                        closed[number].add((ref, int(data["closed"][0])))
                    elif noting and "trades" in data:
                        ages.extend(now * 1000 - trade[0] for trade in data["trades"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one(i, session) for i in range(CLIENTS)))
    seen = {ref: set().union(*(closed[i] for i in range(CLIENTS) if refs[i % len(refs)] == ref)) for ref in refs}
    missed = sum(len(seen[refs[i % len(refs)]] - closed[i]) for i in range(CLIENTS))
    return {
        "ages": sorted(ages),
        "bars": sum(map(len, seen.values())),
        "missed": missed,
        "frames": frames,
        "arrived": arrived - started,
    }


def clients(url: str, refs: list[str], until: float, answer: Any) -> None:
    gc.freeze()  # it is the server that is measured, and not a pause of this process
    answer.put(asyncio.run(watch(url, refs, until)))


async def produce(venue: Venue, instruments: list[Instrument], until: float) -> None:
    """The stream: trades into its connection, its recorder storing and publishing."""
    recorder = Recorder()
    connection = VenueConnection(venue, instruments, recorder)
    connection.connected = True
    connection._ask = lambda *_: asyncio.sleep(0)  # type: ignore[assignment]  there is no venue to ask
    recorder.before_flush.append(connection.flush)
    for series in connection.series.values():
        series.aggregator.connected(int(time.time()))
    recording = asyncio.create_task(recorder.run())
    sent, started = 0, time.time()
    symbols = [instrument.venue_symbol for instrument in instruments]
    while time.time() < until:
        while sent < (time.time() - started) * TICKS:
            sent += 1
            at = int(time.time() * 1000)
            price = 100.0 + sent % 50 / 10
            connection.heard(None, Trade(symbols[sent % len(symbols)], sent // len(symbols), at, price, exact_size("0.01"), 1))
        await asyncio.sleep(0.002)
    recording.cancel()


def measure() -> list[Figure]:
    set_up_markets(feed="off")
    venue = Venue.objects.get(code="simulated")
    for number in range(INSTRUMENTS):
        Instrument.objects.create(
            venue=venue, symbol=f"T{number}-USDT", venue_symbol=f"T{number}USDT", base=f"T{number}", quote="USDT",
            tick_size="0.01", lot_size="0.001",
        )  # fmt: skip
    instruments = list(venue.instruments.filter(symbol__startswith="T", symbol__endswith="-USDT", base__regex=r"^T\d"))
    port = free_port()
    environment = os.environ | {"LIVE_CONNECTIONS_EACH": "100000"}
    web = subprocess.Popen(processes.web(port=port).command, env=environment)
    try:
        wait_for(port)
        answer: Any = multiprocessing.Queue()
        until = time.time() + SECONDS
        url = f"http://127.0.0.1:{port}/ws/v1/stream/"
        watcher = multiprocessing.Process(
            target=clients, args=(url, [instrument.ref for instrument in instruments], until, answer)
        )
        watcher.start()
        memory: list[float] = []

        async def run() -> None:
            producing = asyncio.create_task(produce(venue, instruments, until - 2))
            while not producing.done():
                await asyncio.sleep(3)
                memory.append(psutil.Process(web.pid).memory_info().rss / 2**20)
            await producing

        gc.freeze()  # as manage.py stream does
        asyncio.run(run())
        seen = answer.get(timeout=60)
        watcher.join(10)
    finally:
        web.terminate()
        web.wait(15)
    ages = seen["ages"]
    settled = memory[len(memory) // 3 :]
    return [
        Figure("tick to client, median (500 clients, 2,000 ticks/s)", statistics.median(ages), "ms"),
        Figure("tick to client, p99 (500 clients, 2,000 ticks/s)", ages[int(len(ages) * 0.99)], "ms", 150),
        Figure("until 500 clients that come at once have their snapshots", seen["arrived"], "s"),
        Figure("closed bars lost, of all that clients should have had", seen["missed"], "bars", 0),
        Figure("closed bars sent", seen["bars"] * CLIENTS / INSTRUMENTS, "bars", INSTRUMENTS, "higher"),
        Figure("frames a second", seen["frames"] / SECONDS, "/s"),
        Figure("web process, growth of memory after the first third", settled[-1] - settled[0], "MiB", 15),
    ]


def wait_for(port: int) -> None:
    import urllib.error
    import urllib.request

    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError("the web process did not come up")
