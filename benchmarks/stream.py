"""What the stream process costs in memory: at its highest, while a new database is filled from the simulated venue."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from django.conf import settings

from benchmarks.figures import Figure
from clusterx import processes
from clusterx.embedded.layout import PROJECT
from clusterx.processes import Process
from marketdata.models import Candle
from marketdata.services.markets import set_up_markets

LIMIT = 190.0  # MB of a million bytes
QUIET_SECONDS = 8.0  # without a new bar of history: everything has been fetched
LONGEST = 120.0


def started(process: Process, extra: dict[str, str], stack: ExitStack) -> subprocess.Popen[bytes]:
    environment = os.environ | extra | process.environment
    child = subprocess.Popen(process.command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
    stack.callback(child.wait)
    stack.callback(child.terminate)
    return child


def highest(pid: int) -> float:
    """The most that was resident since the process began, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def measure() -> list[Figure]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    extra = {"FEED": "simulated", "LOCAL_VENUE_URL": f"http://127.0.0.1:{port}"}
    settings.LOCAL_VENUE_URL = extra["LOCAL_VENUE_URL"]  # where the rows of the venues point to
    with ExitStack() as stack:
        started(processes.venue(), extra, stack)
        set_up_markets(feed="simulated")
        child = started(processes.stream(), extra, stack)
        began = grew = time.monotonic()
        bars = 0
        while time.monotonic() - began < LONGEST and (bars == 0 or time.monotonic() - grew < QUIET_SECONDS):
            time.sleep(0.5)
            if child.poll() is not None:
                raise RuntimeError(f"the stream process ended with {child.returncode}")
            if (now := Candle.objects.count()) > bars + 50:  # the bars that close meanwhile are fewer
                bars, grew = now, time.monotonic()
        if not bars:
            raise RuntimeError("no bars came from the venue")
        memory = highest(child.pid)
    return [Figure(f"stream process: highest memory while {bars:,} bars are fetched", memory, "MB", LIMIT)]
