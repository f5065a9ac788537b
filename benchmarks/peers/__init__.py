"""The libraries that ClusterX is measured against, in an environment of their own.

``run(case, **arrays)`` runs ``benchmarks/peers/<case>.py`` there: arrays go in as .npy files, JSON comes back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).parent
ENVIRONMENT = HERE / ".environment"


class PeersUnavailable(Exception):
    """The peers' environment cannot be made here, as without a package registry."""


def python() -> Path:
    """The interpreter of the peers' environment, made when it is not there yet."""
    found = ENVIRONMENT / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text()
    made_of = ENVIRONMENT / "made-of.txt"
    if not made_of.exists() or made_of.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        install = [found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt"]
        if subprocess.run(install, check=False).returncode:
            raise PeersUnavailable("the peers could not be installed")
        made_of.write_text(wanted)
    return found


def run(case: str, **arrays: npt.NDArray[Any]) -> dict[str, Any]:
    """What a case prints as JSON on its last line."""
    with tempfile.TemporaryDirectory(prefix="clusterx-peer-") as folder:
        for name, values in arrays.items():
            np.save(Path(folder) / f"{name}.npy", values)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "DJANGO"))}
        environment |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLCONFIGDIR": folder}
        done = subprocess.run(
            [python(), HERE / f"{case}.py", folder], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
