"""Owns one zygote as the host sees it: started, looked at from outside, asked for children, ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from strategies.sandbox.cgroups import Group, NotDelegated, delegated, group
from strategies.sandbox.counters import ZYGOTES
from strategies.sandbox.image import Image
from strategies.sandbox.launch import Launcher, start
from strategies.sandbox.limits import NoBoundary

STARTING: Final = 60.0
_CREDENTIALS: Final = struct.Struct("3i")
_LIKELY_ADDRESS_SPACE: Final = 2 * 2**30


class Zygote:
    """A forking server inside a jail. Raises NoBoundary if the jail does not come to stand as it should."""

    def __init__(self, image: Image, launcher: Launcher) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._asking = threading.Lock()
        self.children = 0  # kept by the pool
        self.pidfd = -1
        self.group: Group | None = None
        self.process = self._started(image, launcher, theirs)
        try:
            self.pid = self._ready()
            self.pidfd = os.pidfd_open(self.pid)
            check_from_outside(self.pid)
            self.address_space = address_space(self.pid)
        except BaseException:
            self.close()
            raise
        ZYGOTES.inc()

    def _started(self, image: Image, launcher: Launcher, theirs: socket.socket) -> subprocess.Popen[bytes]:
        try:
            if (delegated := delegated_group()) is not None:
                self.group = group(delegated)
            return start(image, theirs, launcher, self.group)
        except BaseException as error:
            self.control.close()
            if self.group is not None:
                self.group.close()
            if isinstance(error, OSError):
                raise NoBoundary(f"the jail has no control group: {error}") from None
            raise
        finally:
            theirs.close()

    def _ready(self) -> int:
        """The zygote's process id on this side, told by the kernel."""
        self.control.settimeout(STARTING)
        try:
            message, extra, _, _ = self.control.recvmsg(4096, 256)
        except TimeoutError:
            message, extra = b"", []
        if not message:
            raise NoBoundary(f"the jail did not come to stand: {self._complaint()}")
        self.control.settimeout(None)
        for level, kind, data in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                return int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
        raise NoBoundary("the kernel does not say who the zygote is")

    def _complaint(self) -> str:
        """The last of what the launcher wrote; it is on its way out or hangs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        if self.process.poll() is None:
            self.process.kill()
        stderr = self.process.stderr
        ready = stderr is not None and select.select([stderr], [], [], 1)[0]
        text = os.read(stderr.fileno(), 65536).decode(errors="replace") if ready and stderr is not None else ""
        return text.strip().splitlines()[-1] if text.strip() else "it said nothing"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, kind: str, limits: Mapping[str, int | None], descriptors: Mapping[str, int]) -> None:
        """A child for one run. Raises OSError if the zygote has died."""
        if self.group is not None:
            self.group.allow(self.children, (limits["address_space"] or 0) - self.address_space)
        request: dict[str, Any] = {"kind": kind, "limits": dict(limits), "descriptors": list(descriptors)}
        with self._asking:
            socket.send_fds(self.control, [json.dumps(request).encode()], list(descriptors.values()))

    def close(self) -> None:
        """End it and with it every process in its jail."""
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            os.close(self.pidfd)
            self.pidfd = -1
        self.control.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        if self.group is not None:
            self.group.close()
            self.group = None

    def forget(self) -> None:
        """In a process that was forked from the one that owns it: let go of the descriptors, leave the zygote be."""
        for descriptor in (self.control.detach(), self.pidfd):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.pidfd = -1


@cache
def delegated_group() -> Path | None:
    """The control group below which jails get theirs, if this host gives one."""
    try:
        return delegated()
    except NotDelegated:
        return None


def check_from_outside(pid: int) -> None:
    """What the kernel says of the process, whatever it says itself. Raises NoBoundary."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError as error:
        raise NoBoundary(f"the zygote cannot be looked at: {error}") from None
    said = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    wanted = {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16, "CapPrm": "0" * 16, "CapBnd": "0" * 16, "CapInh": "0" * 16}
    for name, value in wanted.items():
        if said.get(name, "").strip() != value:
            raise NoBoundary(f"the zygote has {name} {said.get(name, 'unknown').strip()} where it must have {value}")
    if len(said.get("NSpid", "").split()) < 2:
        raise NoBoundary("the zygote is not in a process namespace of its own")
    for kind in ("user", "mnt", "pid", "net", "ipc", "uts"):
        with contextlib.suppress(PermissionError):  # an ordinary user may not look; the launcher would have failed
            if Path(f"/proc/{pid}/ns/{kind}").stat().st_ino == Path(f"/proc/self/ns/{kind}").stat().st_ino:
                raise NoBoundary(f"the zygote shares the {kind} namespace with its host")


def address_space(pid: int) -> int:
    """Bytes that the zygote has mapped, to which a run's memory is added."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _LIKELY_ADDRESS_SPACE
