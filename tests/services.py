"""A pytest plugin (``-p tests.services``): real PostgreSQL and Redis, started for the run and thrown away.

A plugin and not a conftest, because pytest-django reads the settings before any conftest is imported, and the settings
follow from where the servers are. One pair of servers serves all pytest-xdist workers of a run.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from clusterx.embedded.layout import Layout
from clusterx.embedded.session import EmbeddedSession
from clusterx.keypair import PRIVATE_SETTING, PUBLIC_SETTING, development_private_key, development_public_key


def start() -> None:
    parent = Path(os.environ.get("CLUSTERX_DATA") or tempfile.gettempdir())
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if "CLUSTERX_TEST_DATA" not in os.environ:  # the controller, or the only process
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="tests-", dir=parent))
        folder.chmod(0o755)  # PostgreSQL may run as another user than we do
        os.environ["CLUSTERX_TEST_DATA"] = str(folder)
        os.environ.setdefault("NUMBA_CACHE_DIR", str(parent / "numba"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = Path(os.environ["CLUSTERX_TEST_DATA"])
    os.environ["CLUSTERX_DATA"] = str(root)
    layout = Layout(root.resolve())
    session = EmbeddedSession(layout, throwaway=True)
    session.open()
    atexit.register(session.close)
    # Tests are the web process and the trading worker at once. What they start inherits the public key alone.
    os.environ[PUBLIC_SETTING] = development_public_key(layout)
    os.environ[PRIVATE_SETTING] = development_private_key(layout)
    number = int(worker.removeprefix("gw")) + 1 if worker else 0
    os.environ["REDIS_FIRST_DATABASE"] = str(number * 4)


start()
