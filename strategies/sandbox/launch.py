"""Owns how a zygote is started in its jail: by our own launcher or by bubblewrap, the same jail either way.

Root uses our launcher, which gives root up for good (bubblewrap would keep its user id on the outside). An ordinary
user goes through bubblewrap where it is installed, because some distributions let it alone make user namespaces, and
through our launcher otherwise. ``CLUSTERX_SANDBOX_LAUNCHER`` (``own`` or ``bubblewrap``) decides otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Literal

from strategies.sandbox.cgroups import Group
from strategies.sandbox.image import SITE, Image
from strategies.sandbox.limits import NoBoundary

Launcher = Literal["own", "bubblewrap"]

_LAUNCHER_FILE = Path(__file__).parent / "inside" / "launcher.py"


def chosen() -> Launcher:
    """Which launcher this process uses. Raises NoBoundary if the setting names none."""
    wanted = os.environ.get("CLUSTERX_SANDBOX_LAUNCHER")
    if wanted in ("own", "bubblewrap"):
        return wanted  # type: ignore[return-value]
    if wanted:
        raise NoBoundary(f"CLUSTERX_SANDBOX_LAUNCHER must be own or bubblewrap, was {wanted!r}")
    return "bubblewrap" if os.geteuid() != 0 and shutil.which("bwrap") else "own"


def start(image: Image, control: socket.socket, launcher: Launcher, group: Group | None = None) -> subprocess.Popen[bytes]:
    """A process that becomes (or watches over) a zygote whose end of the conversation is ``control``, in ``group``.

    Its standard error is a pipe with what went wrong, if anything did. Raises NoBoundary if it cannot start at all.
    """
    argv = zygote_command(image, control.fileno())
    command = own(image, argv) if launcher == "own" else bubblewrap(image, argv)
    if group is not None:
        command = ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', group.entrance, *command]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(control.fileno(),),
            env={},
            cwd="/",
            start_new_session=True,  # an interrupt at the terminal is for the worker, which then closes its pool
        )
    except OSError as error:
        raise NoBoundary(f"{command[0]} does not start: {error}") from None


def zygote_command(image: Image, control: int) -> list[str]:
    zygote = f"{image.code}/strategies/sandbox/inside/zygote.py"
    return [image.executable, "-s", "-S", "-P", "-B", zygote, str(control), SITE, image.code]


def own(image: Image, argv: list[str]) -> list[str]:
    plan = {"root": image.root, "binds": image.binds, "masks": image.masks, "argv": argv, "env": image.environment}
    python = str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())
    return [python, "-I", "-S", "-B", str(_LAUNCHER_FILE), json.dumps(plan)]


def bubblewrap(image: Image, argv: list[str]) -> list[str]:
    command = ["bwrap", "--unshare-all", "--unshare-user", "--as-pid-1", "--new-session", "--clearenv", "--hostname", "jail"]
    command += ["--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    for name, value in image.environment.items():
        command += ["--setenv", name, value]
    for source, target in image.binds:
        command += ["--ro-bind", source, target]
    stdlib = next(source for source, target in image.binds if target.startswith("/python/") and Path(source).is_dir())
    for mask in image.masks:
        if (Path(stdlib) / Path(mask).name).is_dir():
            command += ["--tmpfs", mask, "--remount-ro", mask]
    return [shutil.which("bwrap") or "bwrap", *command[1:], "--remount-ro", "/", "--chdir", "/", "--", *argv]
