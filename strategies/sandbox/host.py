"""Owns what is said of this host: which layers of the boundary it offers, and what to do where one is missing."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strategies.sandbox.cgroups import NotDelegated, delegated
from strategies.sandbox.image import parent
from strategies.sandbox.inside.launcher import ALL, NEW_USER
from strategies.sandbox.inside.seccomp import ARCHITECTURES
from strategies.sandbox.launch import chosen
from strategies.sandbox.limits import Limits, NoBoundary
from strategies.sandbox.pool import Pool

PROBE: Final = """
from clusterx_api import Strategy, np
class Probe(Strategy):
    name = label = summary = "probe"
    def history(self, p): return 1
    def signals(self, bars, p): return np.zeros(len(bars))
"""
DOCKER: Final = (
    "in Docker: --security-opt seccomp=deploy/seccomp-worker.json (Docker's own forbids unshare, mount and pivot_root)"
    " and, where the host uses AppArmor,"
    " --security-opt apparmor=unconfined"
)


@dataclass(frozen=True)
class Layer:
    """One line of the report. ``needed``: without it no user code runs here."""

    name: str
    there: bool
    said: str
    remedy: str = ""
    needed: bool = True


def layers() -> Iterator[Layer]:
    """Each layer by itself, cheapest first, and at last the whole."""
    yield _platform()
    yield _namespaces()
    yield _bubblewrap()
    yield _seccomp()
    yield _pidfd()
    yield _limits()
    yield _cgroups()
    yield _images()
    yield _whole()


def _platform() -> Layer:
    machine, release = platform.machine(), platform.release()
    version = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    there = sys.platform == "linux" and machine in ARCHITECTURES and version >= (5, 12)
    said = f"{platform.system()} {release}, {machine}"
    return Layer("platform", there, said, "Linux 5.12 or newer on x86-64 or aarch64")


def _namespaces() -> Layer:
    """In a process of its own: what is unshared cannot be taken back."""
    flags = ALL if os.geteuid() == 0 else ALL | NEW_USER
    code = f"import ctypes; l = ctypes.CDLL(None, use_errno=True); print(0 if l.unshare({flags}) == 0 else ctypes.get_errno())"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    error = int(done.stdout.strip() or 1)
    if not error:
        return Layer("namespaces", True, f"mount, PID, network, IPC, UTS, cgroup and user, as {_user()}", needed=False)
    remedies = [DOCKER]
    for name, wanted in (
        ("kernel/unprivileged_userns_clone", "1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "0"),
    ):
        setting = Path("/proc/sys") / name
        if setting.exists() and setting.read_text().strip() != wanted:
            remedies.insert(0, f"sysctl -w {name.replace('/', '.')}={wanted}")
    most = Path("/proc/sys/user/max_user_namespaces")
    if most.exists() and most.read_text().strip() == "0":
        remedies.insert(0, "sysctl -w user.max_user_namespaces=15000")
    said = f"the kernel refuses them to {_user()}: {os.strerror(error)}"
    return Layer("namespaces", False, said, "; ".join(remedies), needed=False)


def _bubblewrap() -> Layer:
    found = shutil.which("bwrap")
    try:
        used = chosen() == "bubblewrap"
    except NoBoundary as error:
        return Layer("launcher", False, str(error), "unset CLUSTERX_SANDBOX_LAUNCHER")
    said = f"bubblewrap at {found}" if found else "bubblewrap is not installed"
    there = bool(found) or not used
    return Layer("launcher", there, f"{said}; {'it' if used else 'our own launcher'} is used", "apt-get install bubblewrap")


def _seccomp() -> Layer:
    # PR_GET_SECCOMP is known where filters are; EINVAL says that the kernel was built without.
    there = ctypes.CDLL(None).prctl(21, 0, 0, 0, 0) >= 0
    return Layer(
        "seccomp", there, "filters can be installed" if there else "the kernel has no filters", "CONFIG_SECCOMP_FILTER"
    )


def _pidfd() -> Layer:
    try:
        descriptor = os.pidfd_open(os.getpid())
        signal.pidfd_send_signal(descriptor, 0)  # type: ignore[arg-type]  # 0 asks whether one could
        os.close(descriptor)
    except OSError as error:
        return Layer("pidfd", False, str(error), "Linux 5.3 or newer; in Docker a profile that knows pidfd_open")
    return Layer("pidfd", True, "processes are ended by descriptor, never by number")


def _limits() -> Layer:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    need = Limits().memory + 2 * 2**30
    there = most == resource.RLIM_INFINITY or most >= need
    said = "address space, CPU time, files, processes" if there else f"the address space is limited to {most:,} bytes"
    return Layer("rlimits", there, said, "ulimit -v unlimited")


def _cgroups() -> Layer:
    """Beside the rlimits: a run is one process that can share no memory, so those hold it already."""
    try:
        folder = delegated()
    except NotDelegated as error:
        used = "rlimits alone hold each run: address space, CPU seconds, one process, nothing written"
        return Layer("cgroups", False, f"{error}; {used}", error.remedy, needed=False)
    return Layer("cgroups", True, f"each jail has a group below {folder}: memory, processes, CPU", needed=False)


def _images() -> Layer:
    folder = parent()
    there = folder.exists() or os.access(next(p for p in folder.parents if p.exists()), os.W_OK)
    return Layer(
        "image", there, f"in {folder}", "a folder to write to, in CLUSTERX_SANDBOX_IMAGES; or manage.py sandbox prepare"
    )


def _whole() -> Layer:
    """A strategy that is honest and one that is not."""
    from strategies.sandbox.tasks import Task

    with Pool(1, Limits(seconds=20)) as pool:
        try:
            pool.warm()
        except NoBoundary as error:
            return Layer("boundary", False, str(error), "what is marked above; until then no user code runs here")
        honest, hostile = (
            pool._once(Task("declaration", code, {}), None) for code in (PROBE, "import socket\nsocket.socket()")
        )
    if not honest.ok:
        return Layer("boundary", False, f"an honest strategy ended with {honest.reason}: {honest.message}", "see the log")
    if hostile.reason != "forbidden":
        return Layer("boundary", False, f"a socket ended with {hostile.reason or 'success'}", "report this: it must not be")
    return Layer("boundary", True, "stands: an honest strategy ran, a hostile one was stopped")


def _user() -> str:
    return "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
