"""What the two embedded servers share: an error, a way to end a process, a user to run as."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


class EmbeddedServerError(RuntimeError):
    """A server of ours could not be started or stopped; the message says what to do."""


def process(pid: int, *, name: str) -> psutil.Process | None:
    """The live process ``pid`` if it is a ``name``: after a crash the number may belong to another program."""
    try:
        found = psutil.Process(pid)
        if name in found.name() and found.status() != psutil.STATUS_ZOMBIE:
            return found
    except psutil.Error:
        pass
    return None


def launch(command: list[str], *, log: Path, **options: Any) -> None:
    """Start a server that outlives this process, in a session of its own so that Ctrl-C does not reach it."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/", **options
        )
    child.returncode = 0  # nobody waits for it here, and Popen would complain about that


def end(found: psutil.Process, *, first: signal.Signals, patience: float) -> None:
    """Ask a process to stop and kill it after ``patience`` seconds."""
    try:
        found.send_signal(first)
        found.wait(patience)
    except psutil.TimeoutExpired:
        found.kill()
        found.wait(5)
    except psutil.NoSuchProcess:
        pass


def wait_until(ready: Callable[[], object], *, seconds: float, what: str, log: Path) -> None:
    """Poll ``ready`` until it holds.

    Raises EmbeddedServerError, with the end of ``log``, when it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
            raise EmbeddedServerError(f"{what} did not come up within {seconds:.0f} s. The end of {log}:\n{tail}")
        time.sleep(0.02)


@dataclass(frozen=True)
class RunAs:
    """Whom PostgreSQL runs as. It refuses root, so root runs it as ``nobody``."""

    uid: int | None
    gid: int | None
    wrapper: tuple[str, ...] = ()

    @classmethod
    def for_files(cls, *paths: Path) -> RunAs:
        """The caller, or for root an unprivileged user who can reach ``paths``.

        Where a folder above (``/root``, say) is closed to others, only the capability to pass it is kept,
        rather than opening somebody's folder.
        """
        if os.geteuid() != 0:
            return cls(None, None)
        nobody = pwd.getpwnam("nobody")
        closed = [p for path in paths for p in path.resolve().parents if not p.stat().st_mode & 0o001]
        if not closed:
            return cls(nobody.pw_uid, nobody.pw_gid)
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise EmbeddedServerError(
                f"PostgreSQL does not run as root, and user nobody cannot enter {closed[0]}. "
                "Run as an ordinary user, or move the project to a folder that others may enter."
            )
        capability = "+dac_override,+dac_read_search"
        wrapper = (
            setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups",
            f"--inh-caps={capability}", f"--ambient-caps={capability}", "--",
        )  # fmt: skip
        return cls(nobody.pw_uid, nobody.pw_gid, wrapper)

    def own(self, folder: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)

    def command(self, *words: str) -> tuple[list[str], dict[str, Any]]:
        """The command line and the ``subprocess`` arguments that run ``words`` as this user."""
        if self.uid is None:
            return list(words), {}
        if self.wrapper:
            return [*self.wrapper, *words], {}
        return list(words), {"user": self.uid, "group": self.gid, "extra_groups": []}
