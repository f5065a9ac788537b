"""Runs a module of these tests as an ordinary user, from root: ``python ordinary.py FOLDER MODULE ARGUMENTS…``.

The interpreter may lie where only root can go (/root/.pyenv), so in a mount namespace of its own the closed folders on
the way are replaced by open ones that hold the needed folders alone. Then the process becomes nobody for good.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from strategies.sandbox.inside import launcher as system

PROJECT = Path(__file__).resolve().parents[3]
NOBODY = 65534
KEPT = ("CLUSTERX_SANDBOX_LAUNCHER", "CLUSTERX_SANDBOX_IMAGES", "CLUSTERX_CANARY")


def open_the_way(paths: list[Path]) -> None:
    """Let every user reach ``paths``, in this process's mount namespace alone."""
    closed: dict[Path, dict[Path, int]] = {}
    for path in paths:
        for folder in reversed(path.parents):
            if not folder.stat().st_mode & 0o001:
                closed.setdefault(folder, {})[path] = os.open(path, os.O_PATH)
                break
    for folder, held in closed.items():
        system.mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
        for path, descriptor in held.items():
            path.mkdir(0o755, parents=True, exist_ok=True)
            system.mount(f"/proc/self/fd/{descriptor}", str(path), "", system.MS_BIND | system.MS_REC)


def main() -> None:
    folder, *arguments = sys.argv[1:]
    system.unshare(system.NEW_MOUNTS, "mounts")
    system.mount("none", "/", "", system.MS_REC | system.MS_PRIVATE)
    images = Path(os.environ["CLUSTERX_SANDBOX_IMAGES"])
    open_the_way([Path(sys.base_prefix).resolve(), Path(sys.prefix).absolute(), PROJECT, Path(folder), images])
    os.chown(folder, NOBODY, NOBODY)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    os.chdir(PROJECT)
    environment = {"PATH": os.environ["PATH"], "HOME": folder, "CLUSTERX_DATA": folder, "NUMBA_CACHE_DIR": f"{folder}/numba"}
    environment |= {name: value for name, value in os.environ.items() if name in KEPT}
    os.execve(sys.executable, [sys.executable, "-B", "-m", *arguments], environment)


if __name__ == "__main__":
    main()
