"""Has the engine's machine code ready before somebody waits for it.

Numba compiles for the better part of a minute the first time on a machine and keeps the code on disk; a process that
finds it there still loads it for a second or two. So a process of low priority compiles once, and each process of a worker
that does runs loads what it made, in the background.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from clusterx.compiled import WARMED

logger = logging.getLogger(__name__)

PROJECT: Final = Path(__file__).resolve().parent.parent
COMPILED: Final = (
    "strategies/engine", "strategies/library", "strategies/metrics", "strategies/regimes", "marketdata/indicators",
)  # fmt: skip
BARS: Final = 700  # beyond the longest history of a default
FIRST_LOOK: Final = 5.0  # seconds: a start has better things to do
LOOK_AGAIN: Final = 2.0
WAIT_AGAIN: Final = 1.0
PATIENCE: Final = 900.0


def warm(names: tuple[str, ...] = ()) -> None:
    """Run library strategies (all of them when none is named) on a few bars, so that all they need is compiled or loaded."""
    from marketdata.bars import Bars
    from strategies.backtest import backtest, library_decision
    from strategies.conditions import Conditions, read_costs, read_rules
    from strategies.contract import PortfolioStrategy, validate
    from strategies.engine.model import Market
    from strategies.library import CATALOGUE

    walk = np.random.default_rng(1).normal(0, 0.002, BARS)
    close = 100 * np.exp(np.cumsum(walk))
    start = np.r_[100.0, close[:-1]]
    high, low = np.maximum(start, close) * 1.001, np.minimum(start, close) * 0.999
    bars = Bars(np.arange(BARS, dtype=np.int64) * 3600, start, high, low, close, np.full(BARS, 1000.0))
    for name in names or CATALOGUE:
        strategy = CATALOGUE[name]
        legs = strategy.legs if isinstance(strategy, PortfolioStrategy) else 1
        conditions = Conditions(
            costs=read_costs({"fee": 0.001, "slippage": 0.0005}), rules=read_rules({}), markets=(Market(),) * legs
        )
        backtest([bars] * legs, library_decision(strategy, validate(strategy, {})), conditions, seconds=3600)


def state() -> str:
    """Names the sources that the compiled code was made of: how many there are and when the newest was changed."""
    files = [file for place in COMPILED for file in (PROJECT / place).rglob("*.py")]
    return f"{len(files)} {max(file.stat().st_mtime_ns for file in files)}"


def marker() -> Path | None:
    """The file that says what was compiled; None where machine code is not kept."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    return Path(folder) / WARMED if folder else None


def is_compiled() -> bool:
    """Whether the code on disk is that of the sources as they are."""
    place = marker()
    try:
        return place is not None and place.read_text() == state()
    except OSError:
        return False


def compile_once() -> None:
    """Compile what has not been compiled yet. Sources that change meanwhile are compiled by the next call."""
    place = marker()
    if place is None or is_compiled():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with lock_of(place).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = state()
        if not is_compiled():
            warm()
            place.write_text(before)


def lock_of(place: Path) -> Path:
    """The file that who compiles holds locked; the lock is gone with the process."""
    return place.with_suffix(".lock")


def is_being_compiled() -> bool:
    """Whether some process compiles at this moment."""
    place = marker()
    if place is None or not lock_of(place).exists():
        return False
    with lock_of(place).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_while_compiled(tick: Callable[[], object] = lambda: None) -> None:
    """Come back when nobody compiles: to compile the same beside it would take longer. ``tick`` is called every second."""
    pause = threading.Event()
    while not is_compiled() and is_being_compiled():
        tick()
        pause.wait(WAIT_AGAIN)


# -- in a worker ------------------------------------------------------------------------------------------------------


def compile_aside() -> subprocess.Popen[bytes]:
    """A process of the lowest priority that compiles. In our session, so that who ends us ends it too."""
    return subprocess.Popen(
        [sys.executable, str(PROJECT / "manage.py"), "warm_engine"],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def load_aside(then: Callable[[], object] = lambda: None) -> threading.Thread:
    """A thread that loads what a usual run needs, as soon as it is compiled, and then calls ``then``."""

    def load() -> None:
        pause = threading.Event()
        pause.wait(FIRST_LOOK)
        waited = 0.0
        while not is_compiled():
            if waited > PATIENCE:
                return
            pause.wait(LOOK_AGAIN)
            waited += LOOK_AGAIN
        try:
            warm(("sma-cross",))
        except Exception:
            logger.exception("the engine could not be loaded ahead; the first run will")
        then()

    thread = threading.Thread(target=load, name="warm-engine", daemon=True)
    thread.start()
    return thread
