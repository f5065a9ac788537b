"""News that this app hears of: bars that closed, and its own. Each receiver queues or publishes, and decides
nothing."""

from __future__ import annotations

from typing import Any

from trading import channels, tasks
from trading.services.dispatch import is_sent_here
from trading.watched import watched


def queue_evaluations(*, instrument_id: int, timeframe: str, time: int, revision: int, **_: Any) -> None:
    """A revision amends a bar that was acted upon; what was done on it stays done."""
    if revision == 0 and watched.has(instrument_id, timeframe):
        tasks.evaluate_bar.delay(instrument_id, timeframe, time)


def queue_dispatch(*, account_id: int, **_: Any) -> None:
    if not is_sent_here(account_id):
        tasks.dispatch.delay(account_id)


def queue_test(*, account_id: int, **_: Any) -> None:
    tasks.check_connection.delay(account_id)


def publish_news(*, account_id: int, event_id: int, changed: tuple[tuple[str, int], ...], **_: Any) -> None:
    channels.publish_news(account_id, event_id, changed)


def publish_look(*, account_id: int, evaluation_id: int, **_: Any) -> None:
    channels.publish_look(account_id, evaluation_id)


def publish_equity(*, portfolio: Any, **_: Any) -> None:
    channels.publish_equity(portfolio)
