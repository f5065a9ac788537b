"""Owns the control group of a jail, where the host delegates cgroup version 2: memory, processes and CPU of all its runs.

It is a second net. A run is one process that can share no memory, and its rlimits hold it by themselves; the group holds
what they do not count: the page tables and buffers of the kernel, and all runs of a jail together.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CONTROLLERS: Final = ("memory", "pids", "cpu")
SETTING: Final = "CLUSTERX_SANDBOX_CGROUP"
MARKS: Final = ("trusted.delegate", "user.delegate")  # what systemd puts on a group with Delegate=
ZYGOTE_MEMORY: Final = 512 * 2**20
KERNEL_MEMORY: Final = 1.25  # page tables and buffers, to the memory that a run may have
PERIOD: Final = 100_000  # microseconds
CLEARING: Final = 2.0
_OURS: Final = re.compile(r"clusterx-(\d+)-\d+")
_numbers = itertools.count()


class NotDelegated(Exception):
    """Jails have no group of their own on this host; why, and what would change it (``remedy``)."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass
class Group:
    """The group of one jail. ``limited`` is False only for tests on hosts that have groups without controllers."""

    folder: Path
    limited: bool = True
    _children: int = field(default=0, init=False)
    _memory: int = field(default=0, init=False)

    @property
    def entrance(self) -> str:
        """Who writes 0 to this file is in the group, and all that it starts."""
        return str(self.folder / "cgroup.procs")

    def allow(self, children: int, memory: int) -> None:
        """Room for so many runs at once of so many bytes each. It only ever grows: a run that ends takes a moment to go."""
        if not self.limited or (children <= self._children and memory <= self._memory):
            return
        self._children, self._memory = max(children, self._children), max(memory, self._memory)
        most = ZYGOTE_MEMORY + self._children * int(self._memory * KERNEL_MEMORY)
        self._write("memory.max", str(most))
        self._write("pids.max", str(16 + 2 * self._children))
        self._write("cpu.max", f"{(1 + self._children) * PERIOD} {PERIOD}")

    def close(self) -> None:
        """End whatever is in it, and remove it."""
        until = time.monotonic() + CLEARING
        with contextlib.suppress(OSError):
            self._write("cgroup.kill", "1")
        while self.folder.exists() and time.monotonic() < until:
            try:
                self.folder.rmdir()
            except OSError:  # the kernel is still at it
                time.sleep(0.005)

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)


def group(delegated: Path, *, limited: bool = True) -> Group:
    """A new group below ``delegated``, for one jail. Raises OSError."""
    folder = delegated / f"clusterx-{os.getpid()}-{next(_numbers)}"
    folder.mkdir()
    made = Group(folder, limited)
    try:
        if limited:
            with contextlib.suppress(OSError):  # no swap is counted on this host
                (folder / "memory.swap.max").write_text("0")
            made.allow(1, 0)
    except OSError:
        made.close()
        raise
    return made


def delegated() -> Path:
    """The group below which this process may make groups with every controller. Raises NotDelegated.

    It is the one that ``CLUSTERX_SANDBOX_CGROUP`` names, else the one above ours if systemd marked it as delegated.
    """
    folder = _candidate()
    lacking = set(CONTROLLERS) - set(_words(folder / "cgroup.controllers"))
    if lacking:
        raise NotDelegated(f"{folder} has no controller {', '.join(sorted(lacking))}", "Delegate=memory pids cpu")
    try:
        if set(CONTROLLERS) - set(_words(folder / "cgroup.subtree_control")):
            (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in CONTROLLERS))
        _clear(folder)
        made = group(folder)
    except OSError as error:
        raise NotDelegated(
            f"{folder} is not ours to divide: {error.strerror}", "a group that its owner may write to and no process is in"
        ) from None
    try:
        entered = subprocess.run(["/bin/sh", "-c", 'echo 0 > "$0"', made.entrance], capture_output=True, check=False)
    finally:
        made.close()
    if entered.returncode:
        raise NotDelegated(f"no process of ours can enter {folder}", "the worker started below a group that it owns")
    return folder


def _candidate() -> Path:
    if chosen := os.environ.get(SETTING):
        return Path(chosen)
    remedy = (
        "in the unit of the worker: Delegate=memory pids cpu and DelegateSubgroup=worker (systemd 254);"
        f" or {SETTING} with the folder of a group that the worker's user owns"
    )
    mounted, own = _mounted(Path("/proc/self/mountinfo").read_text()), _own(Path("/proc/self/cgroup").read_text())
    if mounted is None or own is None:
        raise NotDelegated("this host has no cgroup version 2", remedy)
    if own == "/":
        raise NotDelegated("we are in the topmost control group, which nobody delegated", remedy)
    above = (mounted / own.lstrip("/")).parent
    for mark in MARKS:
        with contextlib.suppress(OSError):
            if os.getxattr(above, mark) == b"1":
                return above
    raise NotDelegated("the control group above ours is not delegated to us", remedy)


def _mounted(mountinfo: str) -> Path | None:
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


def _own(cgroups: str) -> str | None:
    return next((line.removeprefix("0::") for line in cgroups.splitlines() if line.startswith("0::")), None)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _clear(folder: Path) -> None:
    """Groups of workers that were killed. The kernel removes none that somebody is in."""
    for left in folder.glob("clusterx-*"):
        found = _OURS.fullmatch(left.name)
        if found and not Path("/proc", found[1]).exists():
            with contextlib.suppress(OSError):
                left.rmdir()
