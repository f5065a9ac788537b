"""People's strategies, runs and results: what lists, pages and the API show."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Max, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from clusterx.accounts.models import User
from strategies.arrays import unpack
from strategies.errors import NotDeployable, RunNotDone
from strategies.models import Appraisal, Inspection, Run, RunLeg, RunResult, Study, TrialBatch, UserStrategy, Version

Floats = npt.NDArray[np.float64]
MOST_POINTS: Final = 10_000
Tried = Run | UserStrategy | str  # whatever trials were made of


def strategies_of(user: User, *, archived: bool = False) -> QuerySet[UserStrategy]:
    """The user's strategies, newest first; annotated ``newest`` (number), ``runs_done`` and ``last_run_at``."""
    runs = Run.objects.filter(version__strategy=OuterRef("pk"), status=Run.Status.DONE).order_by()
    counted = runs.values("version__strategy").annotate(n=Count("pk"), last=Max("finished_at"))
    return (
        UserStrategy.objects.filter(owner=user, archived_at__isnull=not archived)
        .select_related("forked_from__strategy")
        .annotate(
            newest=Max("versions__number"),
            runs_done=Subquery(counted.values("n")),
            last_run_at=Subquery(counted.values("last")),
        )
    )


def strategy_of(user: User, public_id: uuid.UUID | str) -> UserStrategy:
    """One of the user's strategies, put away or not. Raises UserStrategy.DoesNotExist, for other people's too."""
    return UserStrategy.objects.select_related("forked_from__strategy").get(owner=user, public_id=public_id)


def versions() -> QuerySet[Version]:
    """Versions with their strategy and inspection."""
    return Version.objects.select_related("strategy", "inspection")


def versions_of(strategy: UserStrategy) -> QuerySet[Version]:
    """A strategy's versions, newest first, without what they hold."""
    return versions().filter(strategy=strategy).defer("source", "rules")


def version_of(user: User, public_id: uuid.UUID | str) -> Version:
    """A version of one of the user's strategies. Raises Version.DoesNotExist."""
    return versions().get(strategy__owner=user, public_id=public_id)


def deployable(version: Version) -> Version:
    """``version``, if it may trade and be listed. Raises NotDeployable with the reason: no runs, no proof, a failed one."""
    if version.obstacle:
        raise NotDeployable(version.obstacle, field="version")
    return version


def waiting_for_proof(moment: Any) -> list[int]:
    """Keys of versions saved before ``moment``, in the day before it, whose inspection is not over: a message was lost."""
    day = timedelta(days=1)
    unread = Q(status=Inspection.Status.WAITING) | Q(status=Inspection.Status.PASSED, proved__isnull=True)
    recent = Q(version__created_at__lt=moment, version__created_at__gte=moment - day)
    again = Q(again_at__lt=moment, again_at__gte=moment - day)
    return list(Inspection.objects.filter((unread & recent) | again).order_by("pk").values_list("pk", flat=True)[:100])


def runs() -> QuerySet[Run]:
    """Runs, newest first, as lists show them: what is long stays in the database."""
    legs = RunLeg.objects.select_related("instrument__venue").order_by("place")
    return (
        Run.objects.select_related("version__strategy", "rerun_of")
        .prefetch_related(Prefetch("legs", legs))
        .defer("metrics", "assumptions", "printed", "version__source", "version__rules")
    )


def runs_of(user: User) -> QuerySet[Run]:
    """The user's runs, as ``runs`` gives them."""
    return runs().filter(owner=user)


def whole_runs() -> QuerySet[Run]:
    """Runs with all of their numbers, and their legs with the snapshots' facts."""
    legs = RunLeg.objects.select_related("instrument__venue", "snapshot", "finer")
    legs = legs.defer("snapshot__payload", "finer__payload").order_by("place")
    return Run.objects.select_related("version__strategy", "rerun_of").prefetch_related(Prefetch("legs", legs))


def run_of(user: User, public_id: uuid.UUID | str) -> Run:
    """One of the user's runs, whole. Raises Run.DoesNotExist, for other people's too."""
    return whole_runs().get(owner=user, public_id=public_id)


def shared_run(token: str) -> Run:
    """The run behind a secret address. Raises Run.DoesNotExist."""
    return whole_runs().get(share_token=token, share_token__isnull=False)


def unfinished_before(moment: Any) -> list[int]:
    """Keys of runs that should have been taken by a worker before ``moment``."""
    waiting = Q(status=Run.Status.QUEUED, created_at__lt=moment) | Q(status=Run.Status.RUNNING, started_at__lt=moment)
    return list(Run.objects.filter(waiting).order_by("pk").values_list("pk", flat=True)[:100])


def unappraised_before(moment: Any) -> list[int]:
    """Keys of runs done before ``moment``, in the day before it, that were not put to the tests: a message was lost."""
    day = timedelta(days=1)
    done = Run.objects.filter(status=Run.Status.DONE, finished_at__lt=moment, finished_at__gte=moment - day)
    return list(done.filter(appraisal=None).order_by("pk").values_list("pk", flat=True)[:100])


def studies_of(user: User) -> QuerySet[Study]:
    """The user's studies, newest first, without what is long: state, report and curve."""
    return (
        Study.objects.filter(owner=user)
        .select_related("version__strategy", "instrument__venue")
        .defer("state", "report", "curve", "version__source", "version__rules")
    )


def study_of(user: User, public_id: uuid.UUID | str) -> Study:
    """One of the user's studies, whole but for its state. Raises Study.DoesNotExist, for other people's too."""
    found = Study.objects.select_related("version__strategy", "instrument__venue", "snapshot")
    return found.defer("state", "snapshot__payload").get(owner=user, public_id=public_id)


def study_curve(study: Study, most: int) -> dict[str, list[Any]]:
    """The equity of a study's best, by days, or out of sample: ``time``, ``equity``, and ``starts`` of windows (epoch seconds).

    Thinned to about ``most`` points. Raises RunNotDone where there is none yet.
    """
    if study.curve is None:
        raise RunNotDone(f"the study has no result: it is {study.status}", status=study.status)
    found = unpack(study.curve)
    at = kept(found["equity"], min(most, MOST_POINTS))
    starts = found["time"][found["starts"]].tolist() if "starts" in found else []
    return {"time": found["time"][at].tolist(), "equity": found["equity"][at].tolist(), "starts": starts}


def studies_unfinished_before(moment: Any) -> list[int]:
    """Keys of studies that should have been begun before ``moment``, or whose oldest chunk should have been done."""
    begun = Q(status=Study.Status.QUEUED, created_at__lt=moment)
    stuck = Q(status=Study.Status.RUNNING) & (~Q(chunks__done_at=None) | Q(chunks__done_at=None, chunks__asked_at__lt=moment))
    return list(Study.objects.filter(begun | stuck).order_by("pk").values_list("pk", flat=True).distinct()[:100])


# -- results --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Tables:
    """A result's arrays. ``position`` is (n, k); ``benchmark`` and ``regimes`` are None where there is none."""

    time: npt.NDArray[np.int64]
    equity: Floats
    position: Floats
    benchmark: Floats | None
    regimes: npt.NDArray[np.int8] | None


def series(run: Run) -> Tables:
    """The curves of a run. Raises RunNotDone where it has none."""
    found = unpack(_result(run, "series").series)
    return Tables(found["time"], found["equity"], found["position"], found.get("benchmark"), found.get("regimes"))


def regimes(run: Run) -> npt.NDArray[np.int8] | None:
    """(n,) the market regime of each bar; None for several instruments. Raises RunNotDone."""
    return series(run).regimes


def trades(run: Run) -> npt.NDArray[Any]:
    """The engine's structured array of trades. Raises RunNotDone."""
    return unpack(_result(run, "trades").trades)["rows"]


def orders(run: Run) -> npt.NDArray[Any]:
    """The engine's structured array of orders. Raises RunNotDone."""
    return unpack(_result(run, "orders").orders)["rows"]


def fills(run: Run) -> npt.NDArray[Any]:
    """The engine's structured array of fills. Raises RunNotDone."""
    return unpack(_result(run, "fills").fills)["rows"]


def sensitivity(run: Run) -> list[dict[str, Any]]:
    """What worse assumptions make of a run: name, numbers and hash of each. Raises RunNotDone."""
    variants: list[dict[str, Any]] = _result(run, "sensitivity").sensitivity["variants"]
    return variants


def evidence_of(run: Run) -> tuple[dict[str, Any] | None, int]:
    """What a run's daily returns show against luck, and how often its owner has tried the strategy. Raises RunNotDone.

    None where so few days, or days on which nothing happened, have no Sharpe ratio.
    """
    from strategies.appraisal import daily_returns
    from strategies.robustness.evidence import evidence
    from strategies.robustness.samples import InvalidSample

    tables, trials = series(run), max(1, count_trials(run.owner, run))
    try:
        shown = evidence(daily_returns(tables.time, tables.equity, float(run.conditions["cash"])), trials=trials)
    except InvalidSample:
        return None, trials
    return shown.to_json(), trials


def study_evidence(study: Study) -> dict[str, Any]:
    """What a study that is done shows against luck, by all trials that its owner has made of the strategy up to now."""
    from strategies.robustness.evidence import recounted

    told = study.evidence or {}
    subject: Tried = study.library or study.version.strategy  # type: ignore[union-attr]
    return recounted(told, max(int(told.get("trials", 0)), count_trials(study.owner, subject)))


def appraisal_of(run: Run) -> Appraisal | None:
    """The tests of robustness of a run, if they were made."""
    return Appraisal.objects.filter(run=run).first()


def _result(run: Run, column: str) -> RunResult:
    found = RunResult.objects.filter(run=run).only(column).first()
    if found is None:
        raise RunNotDone(f"the run has no result: it is {run.status}", status=run.status)
    return found


def kept(values: Floats, points: int) -> npt.NDArray[np.int64]:
    """Which of n points to draw: of each of ``points / 2`` equal spans the lowest and the highest, and both ends.

    No peak and no trough is lost, however far a curve is thinned.
    """
    n = len(values)
    if n <= points:
        return np.arange(n)
    edges = np.linspace(0, n, max(2, points // 2) + 1).astype(np.int64)
    low = [a + int(np.argmin(values[a:b])) for a, b in pairwise(edges)]
    high = [a + int(np.argmax(values[a:b])) for a, b in pairwise(edges)]
    return np.unique(np.r_[0, low, high, n - 1])


def points(run: Run, most: int) -> dict[str, list[Any]]:
    """A run's curves for a chart, at most about ``most`` points: columns by name. Raises RunNotDone."""
    from strategies.metrics.curve import below_peak

    tables = series(run)
    at = kept(tables.equity, min(most, MOST_POINTS))
    cash = float(run.conditions["cash"])
    return {
        "time": tables.time[at].tolist(),
        "equity": tables.equity[at].tolist(),
        "benchmark": tables.benchmark[at].tolist() if tables.benchmark is not None else [],
        "drawdown": below_peak(tables.equity, cash)[at].tolist(),
        "position": tables.position[at].tolist(),
        "regime": tables.regimes[at].tolist() if tables.regimes is not None else [],
    }


# -- trials -----------------------------------------------------------------------------------------------------------


def count_trials(owner: User, subject: Tried) -> int:
    """Runs that came to a result, repetitions left out, and all trials of searches, by this person on this strategy.

    ``subject`` is a run, a strategy of a user's (with those it was forked from) or the name of a library strategy.
    """
    library, family = tried(subject)
    runs = Run.objects.filter(owner=owner, status=Run.Status.DONE, rerun_of=None, library=library)
    if family is not None:
        runs = runs.filter(version__strategy__family=family)
    searched = TrialBatch.objects.filter(owner=owner, library=library, family=family).aggregate(total=Sum("count"))["total"]
    return runs.count() + (searched or 0)


def tried(subject: Tried) -> tuple[str, uuid.UUID | None]:
    """The name in the library, or the family of a user's strategy."""
    if isinstance(subject, str):
        return subject, None
    if isinstance(subject, UserStrategy):
        return "", subject.family
    return (subject.library, None) if subject.version is None else ("", subject.version.strategy.family)
