"""Looking at a version that was saved: what it declares, or what is wrong with it and where; whether it looks ahead."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from strategies.errors import Refused
from strategies.models import Inspection, UserStrategy, Version
from strategies.services import subjects

VERSION: Final = 1
BOUNDARY: Final = "boundary"


def inspect(*, version_id: int, at: datetime) -> Inspection:
    """Read what a version declares, a user's code inside the sandbox, and put it to the proof.

    What it declares is kept before the proof begins, so that an editor shows it. A second call goes on where the first one
    stopped, and changes nothing once all is known. Raises Refused where this host cannot make the sandbox: that is not the
    version's fault, and another worker may be able to.
    """
    version = Version.objects.select_related("strategy").get(pk=version_id)
    inspection, _created = Inspection.objects.get_or_create(version=version)
    if inspection.status == Inspection.Status.WAITING:
        _read(inspection, version, at)
    if inspection.status == Inspection.Status.PASSED and inspection.proved is None:
        _prove(inspection, version, at)
    return inspection


def _read(inspection: Inspection, version: Version, at: datetime) -> None:
    try:
        inspection.declaration = declared_by(version)
        inspection.status = Inspection.Status.PASSED
    except Refused as error:
        if error.reason == BOUNDARY:
            raise
        inspection.status, inspection.reason, inspection.message = Inspection.Status.FAILED, error.reason, error.message[:1000]
        inspection.line, inspection.column = error.line, error.facts.get("column")
    inspection.inspected_at = at
    inspection.save()


def _prove(inspection: Inspection, version: Version, at: datetime) -> None:
    from strategies.services import proofs

    assert inspection.declaration is not None
    proof = proofs.prove_version(version, inspection.declaration)
    inspection.proof, inspection.proved, inspection.warm_up = proof.to_json(), proof.passed, proof.warm_up
    inspection.inspected_at = at
    inspection.save(update_fields=["proof", "proved", "warm_up", "inspected_at"])


def declared_by(version: Version) -> dict[str, Any]:
    """What a version says of itself, in the form of ``Inspection.declaration``. Raises Refused."""
    if version.strategy.kind == UserStrategy.Kind.RULES:
        built = subjects.rules_strategy(version.rules)
        return {
            "version": VERSION, "name": built.name, "label": built.label, "summary": built.summary,
            "rationale": built.rationale, "style": "Strategy", "parameters": [asdict(one) for one in built.parameters],
        }  # fmt: skip
    return declared_in(version.source)


def declared_in(source: str) -> dict[str, Any]:
    """What a file declares; the lint of an editor that has not been saved. Raises Refused, with line and column."""
    found = subjects.pool().declaration(source)
    if not found.ok:
        refused = Refused(found.message, reason=str(found.reason), line=found.line, printed=found.printed)
        refused.facts["column"] = found.column
        raise refused
    return {
        "version": VERSION, "name": found.name, "label": found.label, "summary": found.summary,
        "rationale": found.rationale, "style": found.style, "parameters": [asdict(one) for one in found.parameters],
    }  # fmt: skip
