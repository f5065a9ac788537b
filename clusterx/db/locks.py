"""Locks that the database keeps: a worker that dies lets go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def alone(kind: int, key: int) -> Iterator[bool]:
    """Whether this is the only worker with ``key`` of its ``kind`` (31 bits), for as long as it has it."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", [kind, key % 2**31])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, %s)", [kind, key % 2**31])


@contextmanager
def together(kind: int, key: int) -> Iterator[None]:
    """One of any number of workers with ``key`` of that ``kind``."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock_shared(%s, %s)", [kind, key % 2**31])
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock_shared(%s, %s)", [kind, key % 2**31])


def anybody(kind: int, key: int) -> bool:
    """Whether any worker has ``key`` of that ``kind``, ``alone`` or ``together``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_locks where locktype = 'advisory' and objsubid = 2 and granted"
            " and database = (select oid from pg_database where datname = current_database()) and classid = %s and objid = %s)",
            [kind, key % 2**31],
        )
        return bool(cursor.fetchone()[0])
