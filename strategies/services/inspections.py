"""Looking at a version that was saved: what it declares, or what is wrong with it and where; whether it looks ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from strategies import signals
from strategies.contract import validate
from strategies.errors import Refused, TooEarly
from strategies.models import Inspection, UserStrategy, Version
from strategies.services import subjects

if TYPE_CHECKING:
    from strategies.services.proofs import Progress

VERSION: Final = 1
BOUNDARY: Final = "boundary"
REST: Final = timedelta(minutes=1)
# What may come out otherwise when a file is read once more: the host was busy, not the file wrong.
PASSING: Final = frozenset({"timeout", "memory"})


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
    if inspection.status == Inspection.Status.PASSED and (inspection.proved is None or inspection.again_at is not None):
        _prove(inspection, version, at)
    return inspection


@transaction.atomic
def inspect_again(*, version_id: int, at: datetime) -> Inspection:
    """Have a version proved once more, on the candles that are stored by now; until then the proof before holds.

    One that is being proved stays as it is. Raises TooEarly within a minute of the last one.
    """
    inspection = Inspection.objects.select_for_update().get(version_id=version_id)
    if not may_ask_again(inspection):
        return inspection
    if inspection.inspected_at is not None and at - inspection.inspected_at < REST:
        raise TooEarly(_("It was proved less than a minute ago. Wait a moment."))
    if inspection.status == Inspection.Status.FAILED:
        inspection.status, inspection.reason, inspection.message = Inspection.Status.WAITING, "", ""
        inspection.line = inspection.column = None
    else:
        inspection.again_at = at
    inspection.save()
    told = partial(signals.version_saved.send_robust, sender=Version, version_id=version_id)
    transaction.on_commit(told, robust=True)
    announce(version_id)
    return inspection


def may_ask_again(inspection: Inspection) -> bool:
    """Whether another proof could come out otherwise, and none is under way."""
    if not inspection.is_final:
        return False
    return inspection.status == Inspection.Status.PASSED or inspection.reason in PASSING


def announce(version_id: int, progress: Mapping[str, Any] | None = None) -> None:
    """Tell who watches, after commit."""
    told = partial(signals.version_changed.send_robust, sender=Version, version_id=version_id, progress=progress)
    transaction.on_commit(told, robust=True)


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
    announce(version.pk)


def _prove(inspection: Inspection, version: Version, at: datetime) -> None:
    from strategies.services import proofs

    assert inspection.declaration is not None

    def heard(progress: Progress) -> None:
        announce(version.pk, told_of(progress))

    proof = proofs.prove_version(version, inspection.declaration, heard=heard)
    inspection.proof, inspection.proved, inspection.warm_up = proof.to_json(), proof.passed, proof.warm_up
    inspection.inspected_at, inspection.again_at = at, None
    inspection.save(update_fields=["proof", "proved", "warm_up", "inspected_at", "again_at"])
    announce(version.pk)


def told_of(progress: Progress) -> dict[str, Any]:
    """Plain values, for whoever watches."""
    return {
        "share": round(progress.share, 3), "on": progress.on, "place": progress.place + 1, "places": progress.places,
        "values": dict(progress.values), "checks": {check.name: check.passed for check in progress.checks},
    }  # fmt: skip


def declared_by(version: Version) -> dict[str, Any]:
    """What a version says of itself, in the form of ``Inspection.declaration``. Raises Refused."""
    if version.strategy.kind == UserStrategy.Kind.RULES:
        built = subjects.rules_strategy(version.rules)
        return {
            "version": VERSION, "name": built.name, "label": built.label, "summary": built.summary,
            "rationale": built.rationale, "style": "Strategy", "parameters": [asdict(one) for one in built.parameters],
            "history": built.history(validate(built, {})), "legs": 1,
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
        "history": found.history, "legs": found.legs,
    }  # fmt: skip
