"""What the local venue server costs: start, memory, processor and stop, as a process with one client on every stream."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

from benchmarks.figures import Figure
from clusterx.embedded.layout import PROJECT

LISTEN_SECONDS = 10.0
TICKS = ("trade", "depth@100ms", "bookTicker")
KINDS = {"recorded": TICKS, "replay": ("kline_5m",), "simulated": TICKS}


async def one(markets: str) -> list[Figure]:
    names = markets.split(",")
    with tempfile.TemporaryDirectory(prefix="clusterx-venue-") as folder:
        port_file = Path(folder) / "port"
        began = time.perf_counter()
        command = [
            "-m", "marketdata.venue", "--markets", markets, "--port", "0", "--port-file", str(port_file), "--state", folder,
        ]  # fmt: skip
        child = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=PROJECT, env=dict(os.environ), stdout=asyncio.subprocess.DEVNULL
        )
        while not port_file.exists():
            if child.returncode is not None:
                raise RuntimeError(f"the venue ended with {child.returncode}")
            await asyncio.sleep(0.01)
        started = time.perf_counter() - began
        process = psutil.Process(child.pid)
        messages = 0
        async with aiohttp.ClientSession() as session:

            async def listen(name: str) -> None:
                nonlocal messages
                base = f"http://127.0.0.1:{port_file.read_text()}/{name}"
                async with session.get(base + "/clusterx/info") as answer:
                    symbols = (await answer.json())["symbols"]
                streams = "/".join(f"{symbol.lower()}@{kind}" for symbol in symbols for kind in KINDS[name])
                async with session.ws_connect(f"{base}/stream?streams={streams}") as socket:
                    async for _ in socket:
                        messages += 1

            listeners = [asyncio.create_task(listen(name)) for name in names]
            await asyncio.sleep(1)
            before, messages = process.cpu_times(), 0
            await asyncio.sleep(LISTEN_SECONDS)
            after, heard = process.cpu_times(), messages
            memory = process.memory_info().rss / 2**20
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)
            stopping = time.perf_counter()
            child.send_signal(signal.SIGTERM)
            await child.wait()
            stopped = time.perf_counter() - stopping
    busy = (after.user + after.system - before.user - before.system) / LISTEN_SECONDS * 100
    return [
        Figure(f"venue {markets}: start", started, "s", 2.0),
        Figure(f"venue {markets}: memory", memory, "MB", 250),
        Figure(f"venue {markets}: share of a core", busy, "%", 15),
        Figure(f"venue {markets}: messages a second", heard / LISTEN_SECONDS, "/s"),
        Figure(f"venue {markets}: stop", stopped, "s", 1.0),
    ]


def measure() -> list[Figure]:
    from django.conf import settings

    figures = asyncio.run(one("simulated"))
    if (settings.RECORDED_DATA / "MANIFEST.tsv").exists():
        figures += asyncio.run(one("recorded,replay"))
    return figures
