"""What the accounts process tells Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

UPDATES = Counter("clusterx_account_updates", "What account streams told, by broker: orders and fills.", ["broker", "kind"])
CONNECTED = Gauge(
    "clusterx_account_streams", "Account streams that are connected, by broker.", ["broker"], multiprocess_mode="livesum"
)
MATCHED = Counter("clusterx_paper_matches", "Accounts at the paper venue for which an order was triggered, filled or ended.")
