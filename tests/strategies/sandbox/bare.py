"""The same zygote, child and protocol with the boundary taken away, in namespaces that are thrown away. For tests alone.

It shows that the corpus can fail: ``python -m tests.strategies.sandbox.bare OUT`` writes which attempts got through to OUT.
Nothing of this can be reached from the platform: the launcher below is put in the place of the real one from here.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from strategies.sandbox import image as images
from strategies.sandbox import zygotes
from strategies.sandbox.image import Image
from strategies.sandbox.launch import zygote_command
from strategies.sandbox.pool import Pool
from tests.strategies.sandbox.attempt import LIMITS, run
from tests.strategies.sandbox.corpus import CORPUS

INSIDE = "strategies/sandbox/inside"
CHANGES = {
    "seccomp.py": "\ndef install(program):\n    pass\n",
    "child.py": "\ndef limit(limits):\n    pass\n",
}
THROWAWAY = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
BIND = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 1; shift 2; done; shift; exec "$@"'


def start(image: Image, control: socket.socket, launcher: str, group: None) -> subprocess.Popen[bytes]:
    """No root of its own, no other user, capabilities as they come; the namespaces are to protect this machine.

    The filter and the limits are taken out of the copies by files that are bound over them.
    """
    binds, code = [], str(image.folder / "code")
    for name, change in CHANGES.items():
        changed = Path(sys.argv[1] + "-" + name)
        changed.write_text(Path(code, INSIDE, name).read_text() + change)
        binds += [str(changed), f"{code}/{INSIDE}/{name}"]
    argv = zygote_command(replace(image, code=code), control.fileno())
    site = str(Path(images._package("numpy")).parent)
    zygote = [images._python(), *argv[1:-2], site, code]
    command = [*THROWAWAY, "--mount-proc", "/bin/sh", "-c", BIND, "sh", *binds, "--", *zygote]
    environment = image.environment | {"PATH": "/usr/bin:/bin", "NUMBA_CACHE_DIR": str(image.folder / "numba")}
    return subprocess.Popen(command, stderr=subprocess.PIPE, pass_fds=(control.fileno(),), env=environment, cwd="/")


def main() -> int:
    with (
        patch.object(zygotes, "start", start),
        patch.object(zygotes, "delegated_group", lambda: None),
        patch.object(zygotes, "check_from_outside", lambda pid: None),
        Pool(1, LIMITS) as pool,
    ):
        wrong = run(pool, [attempt for attempt in CORPUS if attempt.needs_boundary])
    Path(sys.argv[1]).write_text(json.dumps(wrong))
    return 0


if __name__ == "__main__":
    sys.exit(main())
