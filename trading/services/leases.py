"""Who may act for an account at its venue: one worker at a time, told by the database's clock.

A lease is taken for a piece of work and given back after it. A worker that dies keeps its lease until it runs out; the next one
has a higher token, and so knows every request that was under way with a lower one for an orphan.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection

LENGTH: Final = timedelta(seconds=15)
"""Longer than any one request to a venue takes until it times out; it is prolonged before each."""


class LeaseLost(Exception):
    """Another worker acts for the account now; whoever had the lease stops."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that this worker has. Each writing that follows from it asks ``check`` in its own transaction."""

    account_id: int
    holder: str
    token: int

    def check(self) -> None:
        """Lock the lease for this transaction. Raises LeaseLost if it is no longer ours."""
        with connection.cursor() as cursor:
            cursor.execute(
                "select 1 from trading_lease where account_id = %s and token = %s and holder = %s"
                " and expires_at > clock_timestamp() for share",
                [self.account_id, self.token, self.holder],
            )
            if cursor.fetchone() is None:
                raise LeaseLost(f"lease {self.token} of account {self.account_id}")

    def prolong(self) -> None:
        """Raises LeaseLost."""
        with connection.cursor() as cursor:
            cursor.execute(
                "update trading_lease set expires_at = clock_timestamp() + %s * interval '1 second'"
                " where account_id = %s and token = %s and holder = %s and expires_at > clock_timestamp()",
                [LENGTH.total_seconds(), self.account_id, self.token, self.holder],
            )
            if not cursor.rowcount:
                raise LeaseLost(f"lease {self.token} of account {self.account_id}")


@contextmanager
def lease(account_id: int) -> Iterator[Held | None]:
    """Act for the account; None while somebody else does."""
    held = take(account_id)
    try:
        yield held
    finally:
        if held is not None:
            give_back(held)


def take(account_id: int) -> Held | None:
    """The lease, if nobody has it or it ran out."""
    holder = uuid.uuid4().hex
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into trading_lease as l (account_id, holder, token, expires_at)"
            " values (%(account)s, %(holder)s, 1, clock_timestamp() + %(length)s * interval '1 second')"
            " on conflict (account_id) do update"
            " set holder = excluded.holder, token = l.token + 1, expires_at = excluded.expires_at"
            " where l.holder = '' or l.expires_at <= clock_timestamp() returning token",
            {"account": account_id, "holder": holder, "length": LENGTH.total_seconds()},
        )
        row = cursor.fetchone()
    return None if row is None else Held(account_id, holder, row[0])


def give_back(held: Held) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update trading_lease set holder = '' where account_id = %s and token = %s and holder = %s",
            [held.account_id, held.token, held.holder],
        )
