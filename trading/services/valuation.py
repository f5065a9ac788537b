"""Recording what accounts are worth."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction

from trading import selectors, signals
from trading.models import Account, EquitySnapshot

UNCHANGED_FOR: Final = timedelta(minutes=10)
"""An equity that does not move is recorded this often all the same, so that a curve shows that it was looked at."""


def snapshot(*, account: Account, at: datetime) -> selectors.Portfolio:
    """Record the account's equity at ``at``; the last of several in one moment counts. Announced after commit."""
    valued = selectors.portfolio(account, at=at)
    EquitySnapshot.objects.update_or_create(
        account=account,
        at=at,
        defaults={"cash": valued.cash, "positions_value": valued.positions_value, "equity": valued.equity},
    )
    announce(valued)
    return valued


def mark_equity(*, at: datetime) -> int:
    """Record the equity of every account whose worth can change; how many moved."""
    moved = 0
    for account in selectors.accounts_to_mark():
        last = EquitySnapshot.objects.filter(account=account).order_by("-at").first()
        if last is not None and last.at >= at:
            continue
        worth = selectors.portfolio(account, at=at).equity
        if last is None or last.equity != worth or at - last.at >= UNCHANGED_FOR:
            with transaction.atomic():
                snapshot(account=account, at=at)
            moved += 1
    return moved


def announce_equity(*, at: datetime) -> None:
    """Tell whoever watches what the accounts that hold something are worth now."""
    for account in selectors.accounts_holding():
        announce(selectors.portfolio(account, at=at))


def announce(valued: selectors.Portfolio) -> None:
    transaction.on_commit(partial(signals.equity_marked.send_robust, sender=Account, portfolio=valued), robust=True)
