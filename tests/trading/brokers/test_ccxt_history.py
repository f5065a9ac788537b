"""Pages of history, whichever way an exchange turns them: everything is told, and nothing twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trading.brokers.ccxt.history import pages

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
DAY = 86_400_000


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30 * DAY), max_size=60),
    st.integers(2, 7),
    st.booleans(),
    st.sampled_from([None, timedelta(days=1), timedelta(days=7), timedelta(days=90)]),
)
def test_every_entry_is_told_once_and_in_order(
    moments: list[int], size: int, newest_first: bool, window: timedelta | None
) -> None:
    began = int(BEGAN.timestamp() * 1000)
    entries = [
        {"id": str(number), "symbol": "BTC/USDT", "timestamp": began + moment} for number, moment in enumerate(sorted(moments))
    ]
    # A page that holds one moment alone, and not all of it, can not be turned by time.
    assume(max(Counter(moments).values(), default=0) < size)

    def ask(first: int, params: dict[str, Any]) -> list[dict[str, Any]]:
        until = params.get("until", 1 << 62)
        if window is not None:
            assert until - first <= window.total_seconds() * 1000
        found = [one for one in entries if first <= one["timestamp"] <= until]
        return found[::-1][:size] if newest_first else found[:size]

    told = pages(ask, BEGAN, BEGAN + timedelta(days=31), window=window, newest_first=newest_first)
    assert Counter(one["id"] for one in told) == Counter(one["id"] for one in entries)
    assert [one["timestamp"] for one in told] == sorted(one["timestamp"] for one in entries)


def test_an_exchange_whose_pages_never_end_is_left_in_the_end() -> None:
    asked = 0

    def ask(first: int, params: dict[str, Any]) -> list[dict[str, Any]]:
        nonlocal asked
        asked += 1
        return [{"id": str(asked), "symbol": "BTC/USDT", "timestamp": first + 1}]

    assert len(pages(ask, BEGAN, BEGAN + timedelta(days=1), window=None, newest_first=False)) == asked < 1000
