"""Which day it is for an account.

A replay or a simulation runs faster than our clock; a day's loss, counted by ours, would be that of weeks at such a
venue. So an account counts days by the clock of the venue that it trades at. Where there are several, by the slowest one,
whose days are the longest and whose limit so is the strictest; a venue at our own pace is counted by our own clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db.models import Q

from trading.models import Deployment


def day_of(moment: datetime) -> date:
    """The UTC day that ``moment`` lies in. Its first moment is the last of the day before: what is recorded then is what the
    new day began with."""
    return (moment.astimezone(UTC) - timedelta(microseconds=1)).date()


def days_of(accounts: Iterable[int], *, at: datetime) -> dict[int, date]:
    """By account, the day that its clock shows at ``at``. One query."""
    accounts = list(accounts)
    clocks: dict[int, list[tuple[float, datetime | None]]] = defaultdict(list)
    holds = Q(position__quantity__gt=0) | Q(position__quantity__lt=0)
    traded = Deployment.objects.filter(Q(deleted_at=None) | holds, account__in=accounts).order_by()
    for account, rate, time in traded.values_list(
        "account_id", "instrument__venue__clock_rate", "instrument__latest__time"
    ).distinct():
        clocks[account].append((rate, time))
    return {account: day_of(_clock(clocks[account], at)) for account in accounts}


def _clock(clocks: list[tuple[float, datetime | None]], at: datetime) -> datetime:
    slowest = min((rate for rate, _ in clocks), default=1.0)
    if slowest <= 1:
        return at
    return max((time for rate, time in clocks if rate == slowest and time is not None), default=at)
