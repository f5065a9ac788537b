"""Recording what accounts are worth."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import OuterRef, Subquery

from trading import selectors, signals
from trading.models import Account, EquitySnapshot

UNCHANGED_FOR: Final = timedelta(minutes=10)
"""An equity that does not move is recorded this often all the same, so that a curve shows that it was looked at."""


def snapshot(*, account: Account, at: datetime) -> selectors.Portfolio:
    """Record the account's equity at ``at``; the last of several in one moment counts. Announced after commit."""
    valued = selectors.portfolio(account, at=at)
    _store(valued)
    return valued


def _store(valued: selectors.Portfolio) -> None:
    EquitySnapshot.objects.update_or_create(
        account=valued.account,
        at=valued.at,
        defaults={"cash": valued.cash, "positions_value": valued.positions_value, "equity": valued.equity},
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
            _store(valued)
            moved += 1
    return moved


def announce_equity(*, at: datetime) -> None:
    """Tell whoever watches what the accounts that hold something are worth now."""
    for valued in selectors.portfolios(selectors.accounts_holding(), at=at):
        announce(valued)


def announce(valued: selectors.Portfolio) -> None:
    transaction.on_commit(partial(signals.equity_marked.send_robust, sender=Account, portfolio=valued), robust=True)
