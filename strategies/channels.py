"""The stream of a run: how far it is, to the person whose it is."""

from __future__ import annotations

import uuid
from typing import Any

from clusterx.live.publish import publish
from strategies import selectors
from strategies.api import serializers
from strategies.models import Run


def run_channel(run: Run) -> str:
    """The name of the run's private channel."""
    return f"runs/{run.public_id}"


def publish_run(run_id: int) -> None:
    """Send how far a run is; the newest wins, and REST knows the rest."""
    run = selectors.runs().get(pk=run_id)
    publish(run_channel(run), progress(run), keep=False)


def progress(run: Run) -> dict[str, Any]:
    return {"run": dict(serializers.ProgressOutput(run).data)}


# -- subscribers --------------------------------------------------------------------------------------------------


def authorise(channel: str, user: Any) -> bool:
    """Whether this person may listen: to runs of their own, and no others."""
    return _run_of(channel, user) is not None


def snapshot(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    """How far the run is now."""
    run = _run_of(channel, user)
    return (progress(run), None) if run is not None else ({}, None)


def _run_of(channel: str, user: Any) -> Run | None:
    _, _, public_id = channel.partition("/")
    if not user.is_authenticated:
        return None
    try:
        return selectors.runs_of(user).get(public_id=uuid.UUID(public_id))
    except (ValueError, Run.DoesNotExist):
        return None
