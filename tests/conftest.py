"""What every test stands on: real PostgreSQL and Redis, started for the session and thrown away."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Runs before Django reads its settings. One pair of servers serves all pytest-xdist workers of a run.
_parent = Path(os.environ.get("CLUSTERX_DATA") or tempfile.gettempdir())
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")


def _start_servers() -> None:
    from clusterx.embedded.layout import Layout
    from clusterx.embedded.session import EmbeddedSession

    if "CLUSTERX_TEST_DATA" not in os.environ:  # the controller, or the only process
        _parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="tests-", dir=_parent))
        folder.chmod(0o755)
        os.environ["CLUSTERX_TEST_DATA"] = str(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = Path(os.environ["CLUSTERX_TEST_DATA"])
    os.environ["CLUSTERX_DATA"] = str(root)
    session = EmbeddedSession(Layout(root.resolve()), throwaway=True)
    session.open()
    atexit.register(session.close)
    number = int(_worker.removeprefix("gw")) + 1 if _worker else 0
    os.environ["REDIS_FIRST_DATABASE"] = str(number * 4)


os.environ.setdefault("NUMBA_CACHE_DIR", str(_parent / "numba"))
_start_servers()


def recorded_data() -> Path:
    """The folder of recorded data, from RECORDED_DATA or beside the repository."""
    return Path(os.environ.get("RECORDED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = not (recorded_data() / "MANIFEST.tsv").exists()
    for item in items:
        if absent and item.get_closest_marker("recorded"):
            item.add_marker(pytest.mark.skip(reason=f"no recorded data at {recorded_data()}; set RECORDED_DATA"))


@pytest.fixture(scope="session")
def recorded() -> Path:
    return recorded_data()


@pytest.fixture(autouse=True)
def _fresh_redis() -> None:
    """Each test starts with this worker's Redis databases empty."""
    import redis
    from django.conf import settings

    for database in range(4):
        with redis.Redis.from_url(settings.redis_url(database)) as client:
            client.flushdb()
