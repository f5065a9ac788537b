"""The sandbox: what a run costs beside the strategy's own work, request to checked result, transfer included."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import psutil

from benchmarks.figures import Figure
from marketdata.bars import Bar, Bars
from strategies.sandbox.image import image
from strategies.sandbox.limits import Limits
from strategies.sandbox.pool import Pool
from strategies.sandbox.zygotes import Zygote
from tests.strategies.sandbox.attempt import LIMITS as HOSTILE
from tests.strategies.sandbox.attempt import descendants, descriptors, run, until
from tests.strategies.sandbox.corpus import CORPUS

HEAD = """
from clusterx_api import *
class Mine({base}):
    name = label = summary = "benchmark"
    parameters = (Parameter("fast", "Fast", "int", 20, minimum=2, maximum=200),)
    def history(self, p): return 100
"""
SMA_CROSS = (
    HEAD.format(base="Strategy")
    + """
    def signals(self, bars, p):
        return (indicators.sma(bars.close, p.fast) > indicators.sma(bars.close, 100)) * 1.0
"""
)
LAST_CLOSE = (
    HEAD.format(base="Strategy")
    + """
    def signals(self, bars, p):
        return (bars.close > 100.0) * 1.0
"""
)
ON_BAR = (
    HEAD.format(base="EventStrategy")
    + """
    def on_bar(self, ctx):
        if ctx.close > 1e9:
            ctx.target(1.0)
"""
)
LIMITS = Limits(seconds=60)


def walk(length: int) -> Bars:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.001, length)))
    opened = np.r_[close[:1], close[:-1]]
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    return Bars(np.arange(length) * 60, opened, high, low, close, np.ones(length))


def timed(work: Callable[[], object], times: int) -> float:
    """Median seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def measure() -> list[Figure]:
    image()  # made once for each version of the code; what follows is what a worker sees
    began = time.perf_counter()
    with Pool(1, LIMITS) as pool:
        pool.warm()
        cold = time.perf_counter() - began
        return [
            Figure("sandbox: cold start of a jail, libraries imported", cold, "s", 3),
            *(whole(pool, length, limit) for length, limit in ((100_000, 25.0), (1_000_000, None))),
            round_trip(pool),
            order_round_trip(pool),
            event_loop(pool),
            resident(pool),
            *hostile(),
        ]


def whole(pool: Pool, length: int, limit: float | None) -> Figure:
    bars = walk(length)

    def run() -> None:
        answer = pool.signals(SMA_CROSS, bars, {"fast": 20})
        assert answer.ok, answer

    run()
    return Figure(f"sandbox: SMA cross on {length:,} bars, warm, request to result", timed(run, 21) * 1e3, "ms", limit)


def round_trip(pool: Pool) -> Figure:
    with pool.live(LAST_CLOSE, {}, history=walk(100)) as session:
        at = iter(range(10**9, 10**10, 60))
        seconds = timed(lambda: session.bar(Bar(next(at), 1.0, 2.0, 0.5, 1.0, 1.0)), 5000)
    return Figure("sandbox: one live bar, there and back, median", seconds * 1e6, "µs", 60)


def order_round_trip(pool: Pool) -> Figure:
    with pool.orders(ON_BAR, {}, history=walk(100)) as session:
        at = iter(range(10**9, 10**10, 60))
        seconds = timed(lambda: session.bar(Bar(next(at), 1.0, 2.0, 0.5, 1.0, 1.0)), 2000)
    return Figure("sandbox: one live bar of an event-driven strategy, median", seconds * 1e6, "µs", 300)


def event_loop(pool: Pool) -> Figure:
    """Bars a second of the loop alone: the difference of two lengths, so that the fork is not in it."""
    short, long = walk(1_000), walk(501_000)

    def run(bars: Bars) -> None:
        answer = pool.events(ON_BAR, bars, {})
        assert answer.ok, answer

    seconds = timed(lambda: run(long), 5) - timed(lambda: run(short), 5)
    return Figure("sandbox: on_bar in Python, bars a second", 500_000 / seconds, "", 300_000, "higher")


def resident(pool: Pool) -> Figure:
    zygote: Zygote = pool._zygotes[0]
    with open(f"/proc/{zygote.pid}/smaps_rollup") as lines:  # noqa: PTH123
        private = sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))
    return Figure("sandbox: memory of a zygote that is in no file", private / 1024, "MiB")


def hostile() -> list[Figure]:
    """What two hundred hostile programs in a row leave, those that take their time to be stopped aside."""
    quick = [attempt for attempt in CORPUS if "timeout" not in attempt.reasons and "memory" not in attempt.reasons]
    programs = (quick * (200 // len(quick) + 1))[:200]
    with Pool(1, HOSTILE) as pool:
        pool.warm()
        processes = len(descendants(os.getpid()))
        run(pool, programs[:20])
        own, zygote = psutil.Process(), psutil.Process(pool._zygotes[0].pid)
        until(lambda: len(descendants(os.getpid())) == processes)
        files, inside = descriptors(), zygote.num_fds()
        memory, held = own.memory_info().rss, zygote.memory_info().rss
        began = time.perf_counter()
        wrong = run(pool, programs)
        seconds = time.perf_counter() - began
        # What was killed last is still being cleared away, and the next children are being forked ahead.
        until(lambda: len(descendants(os.getpid())) == processes and zygote.num_fds() == inside)
        left = [
            ("did what they must not", len(wrong), "", 0),
            ("processes left", len(descendants(os.getpid())) - processes, "", 0),
            ("descriptors left in the worker", descriptors() - files, "", 0),
            ("descriptors left in the zygote", zygote.num_fds() - inside, "", 0),
            ("memory left in the worker", (own.memory_info().rss - memory) / 2**20, "MiB", 4),
            ("memory left in the zygote", (zygote.memory_info().rss - held) / 2**20, "MiB", 2),
            ("time for each", seconds / len(programs) * 1e3, "ms", None),
        ]
    return [Figure(f"sandbox: 200 hostile programs, {name}", value, unit, limit) for name, value, unit, limit in left]


if __name__ == "__main__":
    from benchmarks.figures import machine, table

    print(machine())
    print(table(measure()))
