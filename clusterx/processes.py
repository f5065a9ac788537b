"""The processes of ClusterX and the commands that start them, for the supervisor and for containers."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

FEEDS = ("auto", "recorded", "simulated", "binance", "off")
# What somebody watches (backtests) does not wait for what takes its time (research: proofs, searches, tests), and orders wait
# for neither.
TRADING = "trading"
QUEUES = ("market", TRADING, "backtests", "research", "default")


# glibc gives each thread a pool of memory of its own and hands none of them back; two serve these processes as well.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}
# A worker uses the same arrays of megabytes again and again. Handed back after each use, they cost as much time to get anew,
# page by page, as a simulation takes.
KEEPING = ENVIRONMENT | {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20)}


@dataclass(frozen=True)
class Process:
    """One long-lived process."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=ENVIRONMENT.copy)
    opens_credentials: bool = False  # gets CREDENTIALS_PRIVATE_KEYS, which no other process does


def web(host: str = "127.0.0.1", port: int = 8000) -> Process:
    return Process(
        "web",
        (
            sys.executable, "-m", "daphne", "-v", "0", "-b", host, "-p", str(port), "--no-server-name", "--proxy-headers",
            "--application-close-timeout", "5", "--websocket_connect_timeout", "20", "clusterx.asgi:application",
        ),
        ENVIRONMENT | {"DATABASE_POOL": "20"},
    )  # fmt: skip


def stream() -> Process:
    return Process("stream", (sys.executable, "manage.py", "stream"))


def worker(*queues: str, concurrency: int = 2, name: str = "worker") -> Process:
    """A Celery worker of ``queues`` (all of them when none is named)."""
    return Process(
        name,
        (
            sys.executable, "-m", "celery", "--quiet", "-A", "clusterx", "worker", "-Q", ",".join(queues or QUEUES),
            "-c", str(concurrency), "-n", f"{name}@%h", "--without-gossip", "--without-mingle", "-l", "WARNING",
        ),
        KEEPING.copy() if {"backtests", "research"} & set(queues or QUEUES) else ENVIRONMENT.copy(),
        opens_credentials=TRADING in (queues or QUEUES),
    )  # fmt: skip


def workers() -> list[Process]:
    """The workers of one machine that does everything.

    Orders have one of their own, because it opens the credentials of brokers.
    """
    return [
        worker("market", "default"),
        worker(TRADING, name="trading"),
        worker("backtests", name="backtests"),
        worker("research", name="research"),
    ]


def accounts() -> Process:
    """Listens to brokers, and so opens their credentials as the trading worker does. One acts, others wait."""
    return Process("accounts", (sys.executable, "manage.py", "accounts"), opens_credentials=True)


def beat() -> Process:
    return Process("beat", (sys.executable, "manage.py", "beat"))


def venue() -> Process:
    """The local venue server: recordings, or a simulation. Not part of a deployment."""
    return Process("venue", (sys.executable, "-m", "marketdata.venue"))
