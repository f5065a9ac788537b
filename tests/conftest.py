"""Fixtures and rules for every test; the servers they need are started by ``tests/services.py``."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def recorded_data() -> Path:
    """The folder of recorded data, from RECORDED_DATA or beside the repository."""
    return Path(os.environ.get("RECORDED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = not (recorded_data() / "MANIFEST.tsv").exists()
    for item in items:
        if absent and item.get_closest_marker("recorded"):
            item.add_marker(pytest.mark.skip(reason=f"no recorded data at {recorded_data()}; set RECORDED_DATA"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Where nothing may be skipped (CI), a skip is a failure that says what was missing."""
    report = yield
    if report.skipped and os.environ.get("CLUSTERX_NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and CLUSTERX_NO_SKIPS is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def recorded() -> Path:
    return recorded_data()


@pytest.fixture(autouse=True)
def _fresh_redis() -> None:
    """Each test starts with this worker's Redis databases empty."""
    import redis
    from django.conf import settings

    for address in settings.REDIS_ADDRESSES:
        with redis.Redis.from_url(address) as client:
            client.flushdb()


@pytest.fixture(autouse=True, scope="session")
def _threads_that_ended_leave_no_connection(request: pytest.FixtureRequest) -> Iterator[None]:
    """A database is not dropped while somebody is connected to it; a connection in a cycle is closed when it is collected."""
    if any(item.get_closest_marker("django_db") or "db" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("django_db_setup")
    yield
    gc.collect()


@pytest.fixture(autouse=True, scope="session")
def _append_only_tables_can_be_emptied() -> None:
    """After a test that commits, the flush empties tables that only grow too; the database allows it in test databases alone.

    Nothing else is let through: the door is open for the length of the flush.
    """
    from django.db import connection
    from django.test import TransactionTestCase

    flush = TransactionTestCase._fixture_teardown

    def with_the_door_open(case: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set clusterx.append_only = 'off'")
        try:
            flush(case)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("reset clusterx.append_only")

    TransactionTestCase._fixture_teardown = with_the_door_open


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """Argon2 takes a tenth of a second on purpose, for each person that a test makes."""
    from django.test import override_settings

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True)
def root_logger_keeps_its_level() -> Iterator[None]:
    """A Celery worker within a test sets up the logs of the whole process; what tests after it look for would not be logged."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
