"""Owns what Prometheus is told of the sandbox."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

RUNS = Counter("clusterx_sandbox_runs", "Runs of user code, by kind and by how they ended.", ["kind", "reason"])
SECONDS = Histogram(
    "clusterx_sandbox_run_seconds",
    "Request to result, by kind.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
ZYGOTES = Counter("clusterx_sandbox_zygotes", "Zygotes started; more than a few an hour means that they die.")
