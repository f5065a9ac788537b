"""Recorded equity: what stays of it and what goes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import AccountFactory
from tests.trading.conftest import at
from trading import selectors
from trading.models import Account, EquitySnapshot
from trading.services.valuation import THINNED, thin_equity

pytestmark = pytest.mark.django_db
NOW = at(45 * 86400 + 12 * 3600)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def recorded(account: Account, *moments: datetime) -> None:
    EquitySnapshot.objects.bulk_create(
        EquitySnapshot(
            account=account, at=moment, cash=n, positions_value=0, equity=n, day=selectors.day_of(moment), day_start_equity=7
        )
        for n, moment in enumerate(moments)
    )


def kept(account: Account) -> list[datetime]:
    return list(EquitySnapshot.objects.filter(account=account).order_by("at").values_list("at", flat=True))


@pytest.mark.parametrize(
    ("age", "stays"),
    [(timedelta(0), 480), (2 * HOUR, 120), (3 * DAY, 24), (40 * DAY, 2)],
)
def test_the_older_the_fewer_stay(age: timedelta, stays: int) -> None:
    account = AccountFactory()
    # Two hours of a value each 15 s, that end `age` ago; the last hour of all keeps everything, the one before a minute.
    recorded(account, *(NOW - age - n * 15 * SECOND for n in range(480)))
    expected = 240 + 60 if not age else stays
    thin_equity(at=NOW)
    assert abs(len(kept(account)) - expected) <= 1


def test_what_was_recorded_at_midnight_stays() -> None:
    account = AccountFactory()
    midnight = NOW - 12 * HOUR
    recorded(account, midnight - MINUTE, midnight, midnight + SECOND, midnight + 30 * SECOND)
    assert thin_equity(at=NOW) == 1
    assert kept(account) == [midnight - MINUTE, midnight, midnight + 30 * SECOND]


ages = st.lists(st.integers(0, 50 * 86400), min_size=1, max_size=40, unique=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ages=ages)
def test_the_last_of_every_span_stays_and_a_second_call_deletes_nothing(ages: list[int]) -> None:
    account, other = AccountFactory(), AccountFactory()
    moments = sorted(NOW - timedelta(seconds=age) for age in ages)
    recorded(account, *moments)
    recorded(other, *moments)
    deleted = thin_equity(at=NOW)
    left = kept(account)
    assert left == kept(other)
    assert deleted == 2 * (len(moments) - len(left))
    assert left[-1] == moments[-1]
    assert set(left) >= {moment for moment in moments if NOW - moment < THINNED[0][0]}
    for moment in set(moments) - set(left):
        span = max((span for age, span in THINNED if NOW - moment >= age), default=timedelta(0))
        assert any(moment < later < moment + span for later in left)
    assert thin_equity(at=NOW) == 0
