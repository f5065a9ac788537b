"""The streams of a run, a version and a study: how far it is, to the person whose it is."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from clusterx.live.publish import publish
from strategies import selectors
from strategies.api import serializers
from strategies.api.studies import StudyProgress
from strategies.models import Run, Study, Version

TOLD: Final = (
    "public_id", "status", "stage", "progress", "bars", "timings", "started_at", "finished_at", "reason", "message", "line",
    "headline", "orders_hash",
)  # fmt: skip


def run_channel(run: Run) -> str:
    """The name of the run's private channel."""
    return f"runs/{run.public_id}"


def publish_run(run_id: int) -> None:
    """Send how far a run is; the newest wins, and REST knows the rest."""
    # Between two stages of a run that takes a quarter of a second: what is not sent is not read.
    run = Run.objects.only(*TOLD).get(pk=run_id)
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


# -- versions -----------------------------------------------------------------------------------------------------


def version_channel(version: Version) -> str:
    """The name of the version's private channel."""
    return f"versions/{version.public_id}"


def publish_version(version_id: int, progress: Mapping[str, Any] | None = None) -> None:
    """Send what is known of a version, and how far its proof is; the newest wins, and the page knows the rest."""
    version = selectors.versions().defer("source", "rules").get(pk=version_id)
    publish(version_channel(version), known(version, progress), keep=False)


def known(version: Version, progress: Mapping[str, Any] | None = None) -> dict[str, Any]:
    inspection = version.inspection
    failures = (inspection.proof or {}).get("failures") or [{}]
    told = {
        "status": inspection.status, "proved": inspection.proved, "failed": failures[0].get("check", ""),
        "final": inspection.is_final, "progress": progress,
    }  # fmt: skip
    return {"version": told}


def authorise_version(channel: str, user: Any) -> bool:
    """Whether this person may listen: to versions of their own, and no others."""
    return _version_of(channel, user) is not None


def version_snapshot(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    """What is known of the version now."""
    version = _version_of(channel, user)
    return (known(version), None) if version is not None else ({}, None)


def _version_of(channel: str, user: Any) -> Version | None:
    _, _, public_id = channel.partition("/")
    if not user.is_authenticated:
        return None
    try:
        return selectors.version_of(user, uuid.UUID(public_id))
    except (ValueError, Version.DoesNotExist):
        return None


# -- studies ------------------------------------------------------------------------------------------------------


def study_channel(study: Study) -> str:
    """The name of the study's private channel."""
    return f"studies/{study.public_id}"


def publish_study(study_id: int) -> None:
    """Send how far a study is; the newest wins, and REST knows the rest."""
    study = Study.objects.defer("state", "report", "curve").get(pk=study_id)
    publish(study_channel(study), {"study": dict(StudyProgress(study).data)}, keep=False)


def authorise_study(channel: str, user: Any) -> bool:
    """Whether this person may listen: to studies of their own, and no others."""
    return _study_of(channel, user) is not None


def study_snapshot(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    """How far the study is now."""
    study = _study_of(channel, user)
    return ({"study": dict(StudyProgress(study).data)}, None) if study is not None else ({}, None)


def _study_of(channel: str, user: Any) -> Study | None:
    _, _, public_id = channel.partition("/")
    if not user.is_authenticated:
        return None
    try:
        return selectors.studies_of(user).get(public_id=uuid.UUID(public_id))
    except (ValueError, Study.DoesNotExist):
        return None
