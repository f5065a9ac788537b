"""Run every benchmark, or those named, and print their figures beside their limits.

    python -m benchmarks [ingest] [stream] [rest] [websocket] [indicators] [venue] [metrics] [engine] [studies] [sandbox]
        [page] [risk]

Each runs in a process of its own, on embedded servers of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, machine, table
from clusterx.processes import KEEPING

MODULES = (
    "ingest", "stream", "rest", "websocket", "indicators", "venue", "metrics", "engine", "studies", "sandbox", "page", "risk",
)  # fmt: skip
COMPUTING = {"indicators", "metrics", "engine"}  # what workers do, in the environment of a worker; their peers have it too
CHILD = """
import dataclasses, importlib, json, sys
import django
from clusterx.embedded import embedded_services
with embedded_services():
    django.setup()
    from django.core.management import call_command
    call_command("migrate", verbosity=0, interactive=False)
    figures = importlib.import_module(f"benchmarks.{sys.argv[1]}").measure()
print("FIGURES " + json.dumps([dataclasses.asdict(figure) for figure in figures]))
"""


def main() -> int:
    chosen = sys.argv[1:] or list(MODULES)
    unknown = set(chosen) - set(MODULES)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
        return 2
    print(machine())
    figures: list[Figure] = []
    for module in chosen:
        with tempfile.TemporaryDirectory(prefix="clusterx-bench-") as folder:
            Path(folder).chmod(0o755)
            environment = os.environ | {
                "CLUSTERX_DATA": folder,
                "DJANGO_SETTINGS_MODULE": "clusterx.settings",
                "LOG_LEVEL": "WARNING",
            }
            environment |= KEEPING if module in COMPUTING else {}
            done = subprocess.run(
                [sys.executable, "-c", CHILD, module], env=environment, stdout=subprocess.PIPE, text=True, check=False
            )
        reported = [line for line in done.stdout.splitlines() if line.startswith("FIGURES ")]
        if done.returncode or not reported:
            print(f"{module} failed ({done.returncode}):\n{done.stdout[-2000:]}")
            return 1
        figures += [Figure(**fields) for fields in json.loads(reported[-1].removeprefix("FIGURES "))]
    print(table(figures))
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
