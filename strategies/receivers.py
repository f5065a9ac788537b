"""News that this app hears of, its own. Each receiver queues or publishes, and decides nothing."""

from __future__ import annotations

from typing import Any

from strategies import channels, tasks


def queue_inspection(*, version_id: int, **_: Any) -> None:
    tasks.inspect_version.delay(version_id)


def queue_run(*, run_id: int, **_: Any) -> None:
    tasks.run_backtest.delay(run_id)


def publish_run(*, run_id: int, **_: Any) -> None:
    channels.publish_run(run_id)
