"""Pages of one's own strategies: the list, one with its versions, what changed between two of them."""

from __future__ import annotations

import difflib
import json
import uuid
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusterx.errors import DomainError
from strategies import selectors
from strategies.forms import StrategyForm
from strategies.models import Inspection, UserStrategy, Version
from strategies.proving.series import KINDS
from strategies.services import inspections
from strategies.services import strategies as services
from strategies.views import listing, proofs
from strategies.views.people import my_strategy, my_version, person, wants
from strategies.views.studies_asking import can_be_searched

RECENT: Final = 5
CONTEXT: Final = 3


@login_required
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """What I wrote, newest first; what was put away is behind a filter."""
    away = request.GET.get("away") == "true"
    found = list(selectors.strategies_of(person(request), archived=away))
    context = {"strategies": found, "away": away, "tab": "mine"}
    if not away:
        context["put_away"] = selectors.strategies_of(person(request), archived=True).count()
    return render(request, "strategies/mine.html", context)


@login_required
@require_safe
def mine_one(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One of my strategies: the newest version and whether it holds, all versions, the latest runs."""
    one = my_strategy(request, public_id)
    versions = list(selectors.versions_of(one))
    runs = selectors.runs_of(person(request)).filter(version__strategy=one)[:RECENT]
    context = {
        "strategy": one,
        "newest": versions[0] if versions else None,
        "searchable": bool(versions) and can_be_searched(versions[0], ""),
        "inspection": inspection_of(versions[0]) if versions else None,
        "versions": [{"version": version, "inspection": inspection_of(version)} for version in versions],
        "rows": [listing.row(run) for run in runs],
        "fork_name": _("%(name)s, copy") % {"name": one.name},
        "form": StrategyForm(initial={"name": one.name}),
    }
    return render(request, "strategies/mine_one.html", context)


@login_required
@require_safe
def version(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One version as it was saved, and its proof; a script asks for the part ``state`` when more is known."""
    one = my_version(request, public_id)
    inspection = inspection_of(one)
    context = proofs.context(one, text_of(one).splitlines()) | {"version": one, "strategy": one.strategy}
    if wants(request, "state"):
        return render(request, "strategies/_version_state.html", context)
    live = {
        "id": str(one.public_id),
        "final": inspection is not None and inspection.is_final,
        "markets": {kind: proofs.market(kind) for kind in KINDS},
    }
    return render(request, "strategies/version.html", context | {"live": live})


@login_required
@require_POST
def prove_again(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Another proof, on the candles that are stored by now."""
    one = my_version(request, public_id)
    try:
        inspections.inspect_again(version_id=one.pk, at=timezone.now())
    except DomainError as refused:
        messages.error(request, refused.message)
    return redirect("strategies:version", one.public_id)


@login_required
@require_safe
def diff(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What changed from one version to another; the newest and the one before unless the address names two numbers."""
    one = my_strategy(request, public_id)
    versions = list(selectors.versions_of(one))
    numbers = [version.number for version in versions]
    if len(numbers) < 2:
        raise Http404("there is one version only")
    after = _number(request, "to", numbers, numbers[0])
    before = _number(request, "from", numbers, next((number for number in numbers if number < after), numbers[-1]))
    old, new = (selectors.versions().get(strategy=one, number=number) for number in (before, after))
    rows = changes(text_of(old), text_of(new))
    context = {
        "strategy": one,
        "versions": versions,
        "old": old,
        "new": new,
        "rows": rows,
        "added": sum(row["kind"] == "added" for row in rows),
        "removed": sum(row["kind"] == "removed" for row in rows),
    }
    return render(request, "strategies/diff.html", context)


def _number(request: HttpRequest, name: str, numbers: list[int], otherwise: int) -> int:
    wanted = request.GET.get(name, "")
    if not wanted:
        return otherwise
    found = next((number for number in numbers if str(number) == wanted), None)
    if found is None:
        raise Http404(f"there is no version {wanted[:12]}")
    return found


@login_required
@require_POST
def fork(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A strategy of its own that begins with what a version holds."""
    source = my_version(request, public_id)
    try:
        made = services.fork(version_id=source.pk, owner=person(request), name=request.POST.get("name", ""), at=timezone.now())
    except DomainError as refused:
        messages.error(request, refused.message)
        return redirect("strategies:mine_one", source.strategy.public_id)
    messages.success(request, _("%(name)s is there. It goes its own way from here.") % {"name": made.strategy.name})
    return redirect("strategies:mine_one", made.strategy.public_id)


@login_required
@require_http_methods(["POST"])
def rename(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = my_strategy(request, public_id)
    try:
        services.rename(strategy_id=one.pk, name=request.POST.get("name", ""))
    except DomainError as refused:
        messages.error(request, refused.message)
    return redirect("strategies:mine_one", one.public_id)


@login_required
@require_POST
def archive(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = my_strategy(request, public_id)
    services.archive(strategy_id=one.pk, at=timezone.now())
    messages.success(request, _("%(name)s is put away. Its versions and runs stay.") % {"name": one.name})
    return redirect("strategies:mine")


@login_required
@require_POST
def restore(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    one = my_strategy(request, public_id)
    try:
        services.restore(strategy_id=one.pk)
    except DomainError as refused:
        messages.error(request, refused.message)
        return redirect("strategies:mine")
    return redirect("strategies:mine_one", one.public_id)


# -- what is in a version -----------------------------------------------------------------------------------------------


def inspection_of(one: Version) -> Inspection | None:
    return getattr(one, "inspection", None)


def text_of(one: Version) -> str:
    """Its source; rules as JSON."""
    if one.strategy.kind == UserStrategy.Kind.RULES:
        return json.dumps(one.rules, indent=2, ensure_ascii=False, sort_keys=True)
    return one.source


def changes(before: str, after: str) -> list[dict[str, Any]]:
    """Lines of both with what became of them; runs of lines that stayed are cut to three beside a change."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[dict[str, Any]] = []
    for group in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_grouped_opcodes(CONTEXT):
        if rows or group[0][1] or group[0][3]:
            rows.append({"kind": "gap", "old": "", "new": "", "text": "…"})
        for kind, a, b, c, d in group:
            if kind == "equal":
                rows += [
                    {"kind": "same", "old": a + i + 1, "new": c + i + 1, "text": old[a + i]} for i in range(b - a)
                ]  # fmt: skip
                continue
            rows += [{"kind": "removed", "old": i + 1, "new": "", "text": old[i]} for i in range(a, b)]
            rows += [{"kind": "added", "old": "", "new": i + 1, "text": new[i]} for i in range(c, d)]
    return rows
