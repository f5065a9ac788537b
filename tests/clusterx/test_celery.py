"""What every task of a worker begins with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connection

from clusterx.celery import app, look_at_connections
from clusterx.db.locks import alone

pytestmark = pytest.mark.django_db(transaction=True)
LOCKS = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"


def begin(*, eager: bool = False) -> None:
    look_at_connections(task=SimpleNamespace(request=SimpleNamespace(is_eager=eager)))


def asked(question: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def test_tasks_share_a_connection():
    connection.ensure_connection()
    shared = connection.connection
    begin()
    assert connection.connection is shared
    assert app.conf.get("CELERY_DB_REUSE_MAX") > 1  # as Celery asks


def test_a_task_after_the_database_was_away_has_a_new_connection():
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None, "context": None}) as other:
        other.execute("select pg_terminate_backend(%s)", [asked("select pg_backend_pid()")])
    begin()
    assert asked("select 1") == 1


def test_a_lock_that_a_task_left_is_gone_with_the_next():
    with alone(1, 2):
        assert asked(LOCKS) == 1
        begin(eager=True)  # a part of the same work
        assert asked(LOCKS) == 1
        begin()
        assert asked(LOCKS) == 0
