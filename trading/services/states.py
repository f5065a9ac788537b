"""Whether an account trades: active, reducing only, or halted. Changed here and nowhere else, always with a reason."""

from __future__ import annotations

from datetime import datetime

from clusterx.accounts.models import User
from trading import events
from trading.models import Account
from trading.services.journal import record

ORDER = (Account.State.ACTIVE, Account.State.REDUCE_ONLY, Account.State.HALTED)


def restrict(account: Account, state: str, *, code: str, reason: str, at: datetime) -> bool:
    """Make the account at least as strict as ``state``; whether it became stricter. The caller holds its lock."""
    if ORDER.index(Account.State(state)) <= ORDER.index(Account.State(account.state)):
        return False
    change(account, state, code=code, reason=reason, at=at)
    return True


def change(account: Account, state: str, *, code: str, reason: str, at: datetime, actor: User | None = None) -> None:
    """The caller holds the account's lock, and knows why."""
    before, account.state, account.state_reason = account.state, state, "" if state == ORDER[0] else reason[:300]
    account.save(update_fields=["state", "state_reason"])
    record(
        account=account,
        type=events.STATE_CHANGED,
        payload=events.StateNews(state=state, before=before, code=code, reason=reason),
        at=at,
        actor=actor,
    )
