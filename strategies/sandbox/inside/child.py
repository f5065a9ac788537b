"""The life of one run: shed what the zygote had, take on the limits and the filter, then run the user's code once.

Everything before ``armed`` is ours and runs before a line of the user's file is read. If any of it fails the process
ends with status 111 and the host reports that there was no boundary.
"""

import contextlib
import faulthandler
import fcntl
import gc
import io
import json
import mmap
import os
import resource
import signal
import sys
from typing import Any, Final

import numpy as np

from marketdata.bars import Bars
from strategies.contract import Panel
from strategies.sandbox.inside import seccomp, wire
from strategies.sandbox.inside.runner import MODULE, Job, answer

STANDARD: Final = {"printed": 1, "trace": 3, "result": 4, "task": 5, "bars": 6, "input": 7, "status": 8}
ALSO_STANDARD_ERROR: Final = 2
MAP_POPULATE: Final = 0x8000


REHEARSAL: Final = """
from clusterx_api import Strategy, np
class Rehearsal(Strategy):
    name = label = summary = "rehearsal"
    def history(self, p): return 1
    def signals(self, bars, p): return np.zeros(len(bars))
"""


def get_ready() -> bytes:
    """Before there is a request: go the way of a run once, so that the pages it writes to are this process's own by then.

    Returns the filter that ``run`` installs.
    """
    answer(Job("signals", {"code": REHEARSAL, "parameters": {}}, Bars.empty(), -1, -1))
    sys.modules.pop(MODULE, None)
    return seccomp.compile_filter(seccomp.child_rules(os.getpid()), seccomp.machine())


def run(request: dict[str, Any], descriptors: dict[str, int], program: bytes) -> int:
    """Returns only if the host did not kill the process at its answer."""
    settle(descriptors)
    limit(request["limits"])
    task = json.loads(mapped(STANDARD["task"])[:])
    bars = read_bars(STANDARD["bars"], task["legs"]) if "bars" in descriptors else None
    raw = io.FileIO(STANDARD["printed"], "wb", closefd=False)
    sys.stdout = sys.stderr = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
    sys.stdin = None  # type: ignore[assignment]
    faulthandler.enable(file=STANDARD["trace"], all_threads=False)
    faulthandler.register(signal.SIGSYS, file=STANDARD["trace"], all_threads=False, chain=True)
    # The host asks with this one where the code is before it kills.
    faulthandler.register(signal.SIGXCPU, file=STANDARD["trace"], all_threads=False)
    os.system = no_shell
    seccomp.install(program)
    os.write(STANDARD["status"], b"A")
    os.close(STANDARD["status"])
    # armed: what follows may be anybody's code
    job = Job(kind=request["kind"], task=task, bars=bars, input=STANDARD["input"], result=STANDARD["result"])
    wire.write(STANDARD["result"], answer(job))
    return 0


def settle(descriptors: dict[str, int]) -> None:
    """Only the descriptors of this run, at the numbers of ``STANDARD``."""
    high = {name: fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for name, descriptor in descriptors.items()}
    for name, descriptor in high.items():
        os.dup2(descriptor, STANDARD[name], inheritable=False)
    os.dup2(high["printed"], ALSO_STANDARD_ERROR, inheritable=False)
    for number in (0, *(number for name, number in STANDARD.items() if name not in descriptors)):
        with contextlib.suppress(OSError):
            os.close(number)
    os.closerange(max(STANDARD.values()) + 1, 1 << 20)


def limit(limits: dict[str, int | None]) -> None:
    """``address_space`` bytes in all, ``cpu`` seconds or None; nothing can be written, no process made, no core left."""
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_AS, limits["address_space"]),
        (resource.RLIMIT_CPU, limits["cpu"]),
    ):
        if value is not None:
            # One second between the signal that says where it was and the one that ends it.
            resource.setrlimit(what, (value, value + 1 if what == resource.RLIMIT_CPU else value))
    gc.enable()


def no_shell(command: object) -> int:
    """In place of ``os.system``, which only returns a number where the filter lets no shell start: an author is to hear it."""
    raise PermissionError("os.system would start a process")


def mapped(descriptor: int) -> mmap.mmap:
    return mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE | MAP_POPULATE, prot=mmap.PROT_READ)


def read_bars(descriptor: int, legs: int) -> Bars | Panel:
    """Read-only views of the sealed memory: six columns of one length for each instrument; 0 legs are one alone."""
    size = os.fstat(descriptor).st_size
    numbers = np.frombuffer(mapped(descriptor) if size else b"", np.int64)
    tables = numbers.reshape(max(1, legs), 6, size // 48 // max(1, legs))
    bars = tuple(Bars(table[0], *(column.view(np.float64) for column in table[1:])) for table in tables)
    return Panel(bars) if legs else bars[0]
