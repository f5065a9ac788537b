"""Recording what accounts are worth, and letting go of what no curve shows any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import connection, transaction
from django.db.models import OuterRef, Subquery

from trading import selectors, signals
from trading.models import Account, EquitySnapshot
from trading.risk.breakers import ClosedTrade
from trading.services.breakers import watch
from trading.services.locks import lock_account

UNCHANGED_FOR: Final = timedelta(minutes=10)
"""An equity that does not move is recorded this often all the same, so that a curve shows that it was looked at."""

THINNED: Final = (
    (timedelta(hours=1), timedelta(minutes=1)),
    (timedelta(days=1), timedelta(minutes=5)),
    (timedelta(days=30), timedelta(hours=1)),
)
"""Beyond each age one equity stays for each span. Every span divides the next and the day."""

LOOKED_BACK: Final = timedelta(days=60)
"""Older values have been thinned; looking at all of them each hour would cost more with every year."""


def snapshot(*, account: Account, at: datetime, closed: tuple[ClosedTrade, ...] = ()) -> selectors.Portfolio:
    """Record the account's equity at ``at``; the last of several in one moment counts. Announced after commit.

    The circuit breakers see it, and the trades that were ``closed``. The caller holds the account's lock.
    """
    valued = selectors.portfolio(account, at=at)
    _store(valued)
    watch(account, valued, at=at, closed=closed)
    return valued


def _store(valued: selectors.Portfolio) -> None:
    EquitySnapshot.objects.update_or_create(
        account=valued.account,
        at=valued.at,
        defaults={
            "cash": valued.cash,
            "positions_value": valued.positions_value,
            "equity": valued.equity,
            "day": valued.day,
            "day_start_equity": valued.day_start_equity,
        },
    )
    announce(valued)


def mark_equity(*, at: datetime) -> int:
    """Record the equity of every account whose worth can change; how many moved."""
    accounts = selectors.accounts_to_mark()
    last = {
        one.account_id: one
        for one in EquitySnapshot.objects.filter(
            pk__in=accounts.annotate(
                newest=Subquery(EquitySnapshot.objects.filter(account=OuterRef("pk")).order_by("-at").values("pk")[:1])
            ).values("newest")
        )
    }
    moved = 0
    for valued in selectors.portfolios(accounts, at=at):
        before = last.get(valued.account.pk)
        if before is None or (at > before.at and (valued.equity != before.equity or at - before.at >= UNCHANGED_FOR)):
            _mark(valued.account.pk, at)
            moved += 1
    return moved


@transaction.atomic
def _mark(account_id: int, at: datetime) -> None:
    snapshot(account=lock_account(account_id), at=at)


@transaction.atomic
def thin_equity(*, at: datetime) -> int:
    """Delete recorded equities that are closer together than their age deserves; how many. A second call deletes none.

    The last of each span stays, and a span ends with its last moment: what was recorded at the stroke of midnight is what the
    day began with.
    """
    deleted = 0
    for place, (age, span) in enumerate(THINNED):
        until = THINNED[place + 1][0] if place + 1 < len(THINNED) else LOOKED_BACK
        with connection.cursor() as cursor:
            cursor.execute(
                "delete from trading_equitysnapshot s where s.at > %(oldest)s and s.at <= %(newest)s and exists ("
                " select from trading_equitysnapshot later where later.account_id = s.account_id and later.at > s.at"
                " and later.at <= date_bin(%(span)s::interval, s.at - interval '1 microsecond', timestamptz 'epoch')"
                "  + %(span)s::interval)",
                {"oldest": at - until, "newest": at - age, "span": f"{span.total_seconds()} s"},
            )
            deleted += cursor.rowcount
    return deleted


def announce_equity(*, at: datetime) -> None:
    """Tell whoever watches what the accounts that hold something are worth now."""
    for valued in selectors.portfolios(selectors.accounts_holding(), at=at):
        announce(valued)


def announce(valued: selectors.Portfolio) -> None:
    transaction.on_commit(partial(signals.equity_marked.send_robust, sender=Account, portfolio=valued), robust=True)
