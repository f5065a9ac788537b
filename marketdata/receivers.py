"""What market data does when a bar has closed: queue, nothing else."""

from __future__ import annotations

from typing import Any

from clusterx.celery import app


def queue_detection(sender: Any, *, instrument_id: int, timeframe: str, time: int, **news: Any) -> None:
    # By name: the stream process, which sends the news, does without the numeric libraries.
    app.send_task("marketdata.detect_signals", args=[instrument_id, timeframe, time], queue="market", expires=300)
