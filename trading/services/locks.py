"""The lock that every change of an account's money takes first."""

from __future__ import annotations

from trading.models import Account


def lock_account(account_id: int) -> Account:
    """The account, locked for this transaction."""
    return Account.objects.select_for_update().get(pk=account_id)
