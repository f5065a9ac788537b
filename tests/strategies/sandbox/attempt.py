"""Runs the corpus, or a part of it, and looks whether anything was left. Also a program, for an ordinary user.

``python -m tests.strategies.sandbox.attempt OUT`` writes what went wrong as JSON to OUT.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from marketdata.bars import Bars
from strategies.sandbox.limits import MEGABYTE, Limits
from strategies.sandbox.pool import Pool
from tests.strategies.sandbox.corpus import CORPUS, Attempt

LIMITS = Limits(seconds=20.0, memory=256 * MEGABYTE)
QUICK = replace(LIMITS, seconds=0.5)


def bars(length: int = 500) -> Bars:
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.01, length)))
    return Bars(np.arange(length) * 3600, walk, walk * 1.01, walk * 0.99, walk.copy(), np.ones(length))


def run(pool: Pool, attempts: Iterable[Attempt]) -> dict[str, str]:
    """What went wrong, by the attempt's name; empty if every one came to nothing as it should."""
    wrong, given = {}, bars()
    for attempt in attempts:
        answer = pool.signals(attempt.code, given, {}, limits=QUICK if "timeout" in attempt.reasons else LIMITS)
        reason = answer.reason or "ok"
        if "GOT THROUGH" in answer.printed:
            wrong[attempt.name] = f"got through ({reason})"
        elif reason not in attempt.reasons:
            wrong[attempt.name] = f"{reason}, not {' or '.join(attempt.reasons)}: {answer.message} {answer.printed[:200]}"
    return wrong


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether ``condition`` came true within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def descendants(pid: int) -> set[int]:
    """Every process below ``pid``, zombies too."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def main() -> int:
    with Pool(1, LIMITS) as pool:
        pool.warm()
        before, held = descendants(os.getpid()), descriptors()
        wrong = run(pool, CORPUS)
        if not until(lambda: len(descendants(os.getpid())) == len(before)):
            wrong["processes"] = f"left: {descendants(os.getpid()) - before}"
        if descriptors() != held:
            wrong["descriptors"] = f"{held} before, {descriptors()} after"
    Path(sys.argv[1]).write_text(json.dumps({"user": os.geteuid(), "attempts": len(CORPUS), "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
