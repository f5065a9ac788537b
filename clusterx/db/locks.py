"""Locks that the database keeps: a worker that dies lets go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


def _asked(question: str, kind: int, key: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question, [kind, key % 2**31])
        return cursor.fetchone()[0]


@contextmanager
def alone(kind: int, key: int) -> Iterator[bool]:
    """Whether this is the only worker with ``key`` of its ``kind`` (31 bits), for as long as it has it."""
    mine = bool(_asked("select pg_try_advisory_lock(%s, %s)", kind, key))
    try:
        yield mine
    finally:
        if mine and connection.is_usable():
            _asked("select pg_advisory_unlock(%s, %s)", kind, key)


@contextmanager
def together(kind: int, key: int) -> Iterator[None]:
    """One of any number of workers with ``key`` of that ``kind``."""
    _asked("select pg_advisory_lock_shared(%s, %s)", kind, key)
    try:
        yield
    finally:
        if connection.is_usable():
            _asked("select pg_advisory_unlock_shared(%s, %s)", kind, key)


def anybody(kind: int, key: int) -> bool:
    """Whether any worker has ``key`` of that ``kind``, ``alone`` or ``together``."""
    return bool(
        _asked(
            "select exists (select from pg_locks where locktype = 'advisory' and objsubid = 2 and granted"
            " and database = (select oid from pg_database where datname = current_database()) and classid = %s and objid = %s)",
            kind, key,
        )
    )  # fmt: skip
