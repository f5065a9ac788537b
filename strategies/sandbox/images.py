"""Owns which images lie on the disk: each process holds the one that it uses; of what nobody holds, the newest stays.

A hold is a shared ``flock`` on the image's file ``held``, so the kernel ends it with the last process that has it, however
that one dies. An image is made, and removed, under the exclusive lock; it is renamed before it is removed, and whoever
waited for its lock meanwhile finds out that the file is no longer there and begins again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

HELD: Final = "held"
READY: Final = "libraries.json"
_KEY: Final = re.compile(r"[0-9a-f]{16}")
_DOOMED: Final = re.compile(r"\.[0-9a-f]{16}\.\d+")
PAUSE: Final = 0.01  # seconds between two tries to be the one who makes it
UNMARKED: Final = 3600.0  # seconds: what has no ``held`` is about to get it, or was left by a version that knew of none


def hold(base: Path, make: Callable[[], None]) -> int:
    """The image in ``base``, held until the descriptor is closed; ``make`` makes it if it is not ready. Raises OSError."""
    while True:
        descriptor = _opened(base)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if not (base / READY).exists() and _is(base, descriptor) and _alone(descriptor):
                if not (base / READY).exists() and _is(base, descriptor):
                    make()
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            # Between two locks it may have been removed.
            if (base / READY).exists() and _is(base, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        time.sleep(PAUSE)


def sweep(folder: Path, keep: Path) -> list[Path]:
    """Remove every image in ``folder`` but ``keep``, the newest other one, and those that are held. Returns those removed.

    What may not be removed stays; that is no error.
    """
    removed: list[Path] = []
    with contextlib.suppress(OSError):
        for left in [one for one in folder.iterdir() if _DOOMED.fullmatch(one.name)]:
            shutil.rmtree(left, ignore_errors=True)
        others = [one for one in folder.iterdir() if _KEY.fullmatch(one.name) and one != keep]
        ready = [one for one in others if (one / READY).exists()]
        newest = max(ready, key=_made, default=None)
        removed = [one for one in others if one != newest and _removed(one)]
    return removed


def _opened(base: Path) -> int:
    """Made by another user it can be held all the same: ``flock`` asks for no more than reading."""
    try:
        return os.open(base / HELD, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        base.mkdir(parents=True, exist_ok=True)
        return os.open(base / HELD, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _alone(descriptor: int) -> bool:
    """Nobody waits for the exclusive lock: whoever made the image meanwhile holds it shared for as long as it runs."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(base: Path, descriptor: int) -> bool:
    try:
        there = (base / HELD).stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _made(base: Path) -> int:
    return (base / READY).stat().st_mtime_ns


def _removed(base: Path) -> bool:
    try:
        descriptor = os.open(base / HELD, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return time.time() - base.stat().st_mtime > UNMARKED and _cleared(base)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _is(base, descriptor) and _cleared(base)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _cleared(base: Path) -> bool:
    doomed = base.with_name(f".{base.name}.{os.getpid()}")
    try:
        base.rename(doomed)
    except OSError:
        return False
    shutil.rmtree(doomed, ignore_errors=True)
    return True
