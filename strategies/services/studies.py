"""Searches and walk-forwards that workers do: asked for, done in chunks, paused, gone on with, ended.

A study is a row with its searches' state, and chunks: the trials that one worker does at once. A chunk, and that its trials
were asked for, are written in one transaction, and so are its results and what they change; whenever a worker dies, what is
left is a chunk without results, which is done again. Two workers never do the same chunk: each holds an advisory lock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from strategies import library, signals
from strategies.contract import Declared, Strategy
from strategies.errors import InvalidRunRequest, StudyOver, TooMany
from strategies.models import Study, StudyChunk, UserStrategy, Version
from strategies.services import runs
from strategies.services.subjects import FromDeclaration, Subject, rules_strategy

WAITING_LIMIT: Final = 5
MOST_TRIALS: Final = 10_000  # of all windows together: the state is one row
STATE: Final = 1
METHODS: Final = ("grid", "random", "bayesian")
CHUNK_SECONDS: Final = 1.0
FIRST_SECONDS: Final = 0.2
AHEAD: Final = 2  # chunks that wait for each worker, so that none waits for the next to be planned


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What somebody wants to search. ``strategy`` names a library strategy; else ``version``.

    ``space`` maps parameters to ranges as ``robustness.space.space_of`` takes them, ``constraints`` are rules between them;
    ``kind`` is grid, random, bayesian or walk-forward, which searches each window by ``method``. The rest is as of a run.
    """

    instrument: str
    timeframe: str
    kind: str
    space: Mapping[str, Mapping[str, Any]]
    constraints: tuple[str, ...] = ()
    strategy: str = ""
    version: Version | None = None
    method: str = "grid"
    plan: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "sharpe"
    budget: int = 1000
    stopping: Mapping[str, Any] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    cash: float = 10_000.0
    costs: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1


def request_study(*, owner: User, asked: StudyRequest, at: datetime) -> Study:
    """Queue a study. Workers take it after commit.

    Raises
    ------
    UnknownStrategy, InvalidConditions, InvalidRunRequest, InvalidSpace, InvalidPlan
        Where a value makes no sense; ``facts["field"]`` names the field, where one is to blame.
    TooMany
        If five studies of this person wait, run or are paused.
    """
    from strategies.robustness.search import Stopping
    from strategies.robustness.space import space_of
    from strategies.services.tuning import OBJECTIVES, search_of
    from strategies.services.walking import Plan

    wanted = runs.RunRequest(
        instruments=[asked.instrument], timeframe=asked.timeframe, strategy=asked.strategy, version=asked.version,
        start=asked.start, end=asked.end, cash=asked.cash, costs=asked.costs, rules=asked.rules, benchmark="none",
    )  # fmt: skip
    runs.subject_of(wanted)
    declared = declared_of(asked.strategy, asked.version, asked.timeframe)
    one_of("kind", asked.kind, tuple(Study.Kind.values))
    walks = asked.kind == Study.Kind.WALK_FORWARD
    method = asked.method if walks else asked.kind
    one_of("method", method, METHODS)
    one_of("objective", asked.objective, OBJECTIVES)
    subject = Subject(version=asked.version) if asked.version is not None else Subject(declared=declared)
    instruments = runs.instruments_of(wanted, subject)
    start, end = runs.span_of(wanted, at)
    plan = Plan(**known("plan", asked.plan, Plan)) if walks else None
    if asked.budget * (plan.windows if plan else 1) > MOST_TRIALS:
        raise InvalidRunRequest(
            _("A study makes at most %(most)s trials in all its windows.") % {"most": MOST_TRIALS}, field="budget"
        )
    stopping = Stopping(**known("stopping", asked.stopping, Stopping))
    space = space_of(declared, asked.space, asked.constraints)
    search_of(space, method, trials=asked.budget, seed=asked.seed, stopping=stopping)  # type: ignore[arg-type]
    study = Study(
        owner=owner,
        library=asked.strategy,
        version=asked.version,
        instrument=instruments[0],
        timeframe=asked.timeframe,
        start=start,
        end=end,
        conditions=runs.conditions_of(wanted, instruments),
        kind=asked.kind,
        method=method,
        space=space.to_json(),
        plan=plan.to_json() if plan else None,
        objective=asked.objective,
        budget=asked.budget,
        stopping=stopping.to_json(),
        seed=asked.seed,
        engine_version=runs.engine_version(),
        code_hash=subject.code_hash,
        created_at=at,
    )
    with transaction.atomic():
        # The person's row is the lock: two requests at once must not both be the fifth.
        User.objects.select_for_update().get(pk=owner.pk)
        if Study.objects.filter(owner=owner).exclude(status__in=Study.FINAL).count() >= WAITING_LIMIT:
            raise TooMany(
                _("%(limit)s of your studies are waiting, running or paused; wait for one of them or cancel it.")
                % {"limit": WAITING_LIMIT},
                limit=WAITING_LIMIT,
            )
        study.save()
        queue(study.pk)
    return study


@transaction.atomic
def pause_study(*, study_id: int) -> Study:
    """Let no more chunks begin; those that run are counted. A second call changes nothing. Raises StudyOver."""
    study = Study.objects.select_for_update().get(pk=study_id)
    _open(study)
    if study.status != Study.Status.PAUSED:
        study.status = Study.Status.PAUSED
        study.save(update_fields=["status"])
        announce(study.pk)
    return study


@transaction.atomic
def resume_study(*, study_id: int) -> Study:
    """Go on with a study that is paused. Of one that is not, what nobody does is done again. Raises StudyOver."""
    study = Study.objects.select_for_update().get(pk=study_id)
    _open(study)
    if study.status == Study.Status.PAUSED:
        study.status = Study.Status.QUEUED if study.state is None else Study.Status.RUNNING
        study.save(update_fields=["status"])
        announce(study.pk)
    queue(study.pk)
    return study


@transaction.atomic
def cancel_study(*, study_id: int, at: datetime) -> Study:
    """End a study; what it tried still counts as tried. A second call changes nothing."""
    study = Study.objects.select_for_update().get(pk=study_id)
    if not study.is_final:
        study.status, study.finished_at = Study.Status.CANCELLED, at
        study.save(update_fields=["status", "finished_at"])
        announce(study.pk)
    return study


def queue(study_id: int) -> None:
    """Have a worker begin it, or do what is left of it, after commit."""
    transaction.on_commit(partial(signals.study_queued.send_robust, sender=Study, study_id=study_id), robust=True)


def announce(study_id: int) -> None:
    """Tell who listens, after commit."""
    transaction.on_commit(partial(signals.study_changed.send_robust, sender=Study, study_id=study_id), robust=True)


def announce_chunk(chunk: StudyChunk) -> None:
    """Have a worker do it, after commit."""
    transaction.on_commit(partial(signals.chunk_queued.send_robust, sender=Study, chunk_id=chunk.pk), robust=True)


def _open(study: Study) -> None:
    if study.is_final:
        raise StudyOver(_("The study is over."), status=study.status)


# -- what was asked -------------------------------------------------------------------------------------------------


def declared_of(name: str, version: Version | None, timeframe: str) -> Declared:
    """What the subject declares. Raises InvalidSpace where it cannot be searched, InvalidRunRequest where it is unknown."""
    from strategies.services.tuning import searchable

    if version is None:
        found = library.find(name)
        searchable(found)
        return found
    if version.strategy.kind == UserStrategy.Kind.RULES:
        built = rules_strategy(version.rules, timeframe)
        assert isinstance(built, Strategy)
        return built
    inspection = getattr(version, "inspection", None)
    if inspection is None or inspection.declaration is None:
        raise InvalidRunRequest(_("It is not known yet what this version declares; try again in a moment."), field="version")
    declared = FromDeclaration(inspection.declaration)
    searchable(declared, inspection.declaration["style"])
    return declared


def one_of(name: str, value: str, offered: tuple[str, ...]) -> None:
    if value not in offered:
        raise InvalidRunRequest(
            _("%(name)s must be one of %(offered)s, was %(found)s.")
            % {"name": name, "offered": ", ".join(offered), "found": str(value)[:20]},
            field=name,
        )


def known(name: str, given: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """``given``, of which each is a field of ``kind`` and of its type. Raises InvalidRunRequest."""
    types = {one.name: str(one.type) for one in fields(kind)}
    for key, value in given.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        wanted = types.get(key, "")
        fits = (
            (value is None and "None" in wanted)
            or (number and "float" in wanted)
            or (number and isinstance(value, int) and "int" in wanted)
            or (isinstance(value, str) and "Mode" in wanted)
        )
        if not fits:
            raise InvalidRunRequest(
                _("%(name)s takes %(offered)s.") % {"name": name, "offered": ", ".join(f"{k} ({t})" for k, t in types.items())},
                field=f"{name}.{str(key)[:40]}",
            )
    return dict(given)


def workers() -> int:
    """How many chunks are likely done at once."""
    return max(1, os.cpu_count() or 1)
