"""What the stream process tells Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prometheus_client import Counter as Metric
from prometheus_client import Gauge

EVENTS = Metric(
    "clusterx_stream_events",
    "What was heard (trade, kline), refused (refused_…), repeated, late or missing, by venue; without one: what was stored.",
    ["venue", "kind"],
)
# A moment and not an age: a process that has died tells no more, and its last word must not look fresh.
HEARD = Gauge(
    "clusterx_stream_heard_timestamp_seconds",
    "When a venue was heard last, seconds since 1970.",
    ["venue"],
    multiprocess_mode="mostrecent",
)


def measure(news: Counter[str], heard: Mapping[str, float]) -> None:
    """Add what happened since the last time, named ``venue.kind`` or ``kind``, and when each venue was heard."""
    for name, count in news.items():
        venue, _, kind = name.rpartition(".")
        EVENTS.labels(venue, kind).inc(count)
    for venue, moment in heard.items():
        HEARD.labels(venue).set(moment)
