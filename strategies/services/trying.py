"""Doing a study: its bars, its chunks, what many trials show, and what becomes of it whatever happens."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import fmean, pvariance
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction

from clusterx.db.locks import alone
from clusterx.errors import DomainError
from marketdata.bars import Bars
from strategies import contract, warming
from strategies.arrays import pack, unpack
from strategies.errors import Refused
from strategies.models import Snapshot, Study, StudyChunk, TrialBatch, UserStrategy
from strategies.selectors import count_trials
from strategies.services import studies
from strategies.services.snapshots import bars_of, take_snapshot
from strategies.services.subjects import sandboxed
from strategies.services.trials import record_trials

if TYPE_CHECKING:
    from strategies.backtest import Decide
    from strategies.robustness.search import Search
    from strategies.services.tuning import Ground, Scores, Trials

logger = logging.getLogger(__name__)
_grounds: dict[int, Ground] = {}

CHUNKS: Final = 0x63686E6B  # "chnk" and "stdy": the first halves of the advisory locks' keys
STUDIES: Final = 0x73746479
CHANGING: Final = ("state", "trials_done", "trials_total", "best", "reason", "message", "line", "counted")
GROUNDS: Final = 2  # studies whose bars a process keeps at hand; what was asked of a study never changes
HOPELESS: Final = 20  # a study of which so many trials failed and none did not is over


def begin_study(*, study_id: int, at: datetime) -> Study | None:
    """Begin a study, or go on with one: hand out what is to be done, and finish it where all is. Safe to call at any time.

    Only a database that is away is raised. None: there is no such study.
    """
    clock = _clock(at)
    with _guarded(study_id, clock):
        with transaction.atomic():
            study = _locked(study_id)
            if study is None:
                return None
            if study.status == Study.Status.QUEUED:
                _prepare(study, at)
            if study.status != Study.Status.RUNNING:
                return study
            for chunk in study.chunks.filter(done_at=None).only("pk"):
                studies.announce_chunk(chunk)
            searches: dict[int, Search] = {}
            over = _hand_out(study, clock(), searches)
            _keep(study, searches)
            study.save(update_fields=CHANGING)
        if over:
            _finish(study_id, clock)
    return Study.objects.get(pk=study_id)


def do_chunk(*, chunk_id: int, at: datetime) -> bool:
    """Do the trials of a chunk, unless they are done, another worker has them, or the study does not run. Whether it did."""
    clock = _clock(at)
    with alone(CHUNKS, chunk_id) as mine:
        chunk = (
            StudyChunk.objects.select_related("study__version__strategy", "study__version__inspection")
            .filter(pk=chunk_id, done_at=None, study__status=Study.Status.RUNNING)
            .first()
        )
        if not mine or chunk is None:
            return False
        with _guarded(chunk.study_id, clock):
            found, seconds = _tried(chunk)
            with transaction.atomic():
                study = _locked(chunk.study_id)
                if study is None or study.is_final:
                    return False
                study.version = chunk.study.version
                searches = {chunk.window: _note(study, chunk, found, seconds, clock())}
                over = study.status == Study.Status.RUNNING and _hand_out(study, clock(), searches)
                if not study.is_final:
                    _keep(study, searches)
                    study.save(update_fields=CHANGING)
                    studies.announce(study.pk)
            if over:
                _finish(chunk.study_id, clock)
            return True
    return False


# -- its parts ------------------------------------------------------------------------------------------------------


def _prepare(study: Study, at: datetime) -> None:
    from strategies.robustness.search import Stopping
    from strategies.services.tuning import search_of
    from strategies.services.walking import Plan

    snapshot, bars = take_snapshot(
        instrument=study.instrument, timeframe=study.timeframe, start=study.start, end=study.end, at=at
    )
    study.snapshot = snapshot
    _ground(study, bars)  # says what is wrong with the bars
    search = search_of(
        _space(study), study.method, trials=study.budget, seed=study.seed, stopping=Stopping(**study.stopping)  # type: ignore[arg-type]
    )  # fmt: skip
    windows = [one.to_json() for one in Plan.from_json(study.plan).over(len(bars))] if study.plan else [None]
    stored = search.to_json()
    study.state = {
        "version": studies.STATE,
        "seconds_each": (0.0003 + 1e-8 * len(bars)) * (5 if _is_code(study) else 1),
        "searches": [{"window": window, "done": False, "search": stored} for window in windows],
    }
    study.trials_total = search.total * len(windows)
    study.status, study.started_at = Study.Status.RUNNING, at
    study.save(update_fields=["snapshot", "state", "trials_total", "status", "started_at"])
    studies.announce(study.pk)


def _hand_out(study: Study, at: datetime, searches: dict[int, Search]) -> bool:
    """Give the workers chunks. True if nothing is left to do but to finish.

    ``searches`` are those, by window, that were read already; it adds those that it reads. Nothing of them is kept.
    """
    from strategies.robustness.search import chunk_size

    assert study.state is not None
    left = study.chunks.filter(done_at=None).count()
    # The first chunks, of a guessed size, are one for each worker: a slow strategy is ten times slower than the guess.
    room = (studies.AHEAD if study.trials_done else 1) * studies.workers() - left
    total = study.trials_total or 1
    wanted = studies.CHUNK_SECONDS if study.trials_done else min(studies.FIRST_SECONDS, studies.CHUNK_SECONDS)
    size = chunk_size(total, studies.workers(), study.state["seconds_each"], wanted)
    declared = None
    for place, one in enumerate(study.state["searches"]):
        if one["done"] or room <= 0:
            continue
        if place not in searches:
            declared = declared or studies.declared_of(study.library, study.version, study.timeframe)
            searches[place] = _search(one["search"], declared)
        search = searches[place]
        while room > 0 and (asked := search.ask(size)):
            numbers = [trial.number for trial in asked]
            studies.announce_chunk(study.chunks.create(window=place, numbers=numbers, asked_at=at))
            room, left = room - 1, left + 1
        one["done"] = search.done
    return left == 0 and all(one["done"] for one in study.state["searches"])


def _keep(study: Study, searches: Mapping[int, Search]) -> None:
    """Write searches into the study's state, and how many trials there will be. The study is not saved."""
    assert study.state is not None
    for place, search in searches.items():
        study.state["searches"][place] |= {"search": search.to_json(), "done": search.done}
    study.trials_total = max(study.trials_done, sum(_most(one["search"], study) for one in study.state["searches"]))


def _most(search: Mapping[str, Any], study: Study) -> int:
    from strategies.robustness.search import Columns

    assert study.state is not None
    return len(Columns.stored(search)) if search["exhausted"] else study.trials_total // len(study.state["searches"])


def _tried(chunk: StudyChunk) -> tuple[Scores, float]:
    from strategies.robustness.search import Columns
    from strategies.services.tuning import tried

    study = chunk.study
    assert study.state is not None
    one = study.state["searches"][chunk.window]
    stored = Columns.stored(one["search"])
    points = [stored.point(number) for number in chunk.numbers]
    ground = _ground(study)
    warming.wait_while_compiled()
    began = time.perf_counter()
    window = one["window"]
    found = tried(ground, points, *((window["train_start"], window["train_stop"]) if window else ()))
    return found, time.perf_counter() - began


def _note(study: Study, chunk: StudyChunk, found: Scores, seconds: float, at: datetime) -> Search:
    """Write down what a chunk came to, in its row, in the search, and in how often this person tried the strategy.

    The search is not kept and the study not saved, unless it is over.
    """
    from strategies.robustness.search import Columns

    assert study.state is not None
    declared = studies.declared_of(study.library, study.version, study.timeframe)
    one = study.state["searches"][chunk.window]
    search = _search(one["search"], declared)
    for number, score in zip(chunk.numbers, found.score.tolist(), strict=True):
        search.tell(number, score)
    one["done"] = search.done
    study.state["seconds_each"] = seconds / len(chunk.numbers)
    chunk.results, chunk.done_at = pack(found.tables()), at
    chunk.save(update_fields=["results", "done_at"])
    study.trials_done += len(chunk.numbers)
    best = search.best
    if study.plan is None and best is not None and best.number in chunk.numbers:
        row = chunk.numbers.index(best.number)
        final, fall = float(found.final[row]), float(found.drawdown[row])
        study.best = {"version": 1, "values": best.values, "score": best.score, "final_equity": final, "max_drawdown": fall}
    if found.failure is not None and not study.reason:
        study.reason, study.message = found.failure.reason[:40], _clean(found.failure.message)
        study.line = found.failure.line
    subject: Any = study.library or study.version.strategy  # type: ignore[union-attr]
    if study.counted_id is None:
        count = len(chunk.numbers)
        study.counted = record_trials(owner=study.owner, subject=subject, what=study.kind, sharpes=[], count=count, at=at)
    else:
        TrialBatch.objects.filter(study=study).update(count=study.trials_done)
    nothing = best is None and study.trials_done >= HOPELESS
    if nothing and not any(Columns.stored(one["search"]).scored for one in study.state["searches"]):
        _keep(study, {chunk.window: search})
        study.save(update_fields=CHANGING)
        _fail(study.pk, study.reason, study.message, at, line=study.line)
        study.status = Study.Status.FAILED
    return search


def _finish(study_id: int, now: Any) -> None:
    """What the trials show together. Done once; computed without a lock on the row."""
    with alone(STUDIES, study_id) as mine:
        study = Study.objects.select_related("version__strategy", "version__inspection", "owner").get(pk=study_id)
        if not mine or study.status != Study.Status.RUNNING:
            return
        made = _conclusion(study)
        with transaction.atomic():
            locked = Study.objects.select_for_update().get(pk=study_id)
            if locked.status != Study.Status.RUNNING:
                return
            for name, value in made.items():
                setattr(locked, name, value)
            locked.status, locked.finished_at = Study.Status.DONE, now()
            locked.save(update_fields=[*made, "status", "finished_at"])
            studies.announce(study_id)


def _conclusion(study: Study) -> dict[str, Any]:
    from strategies.engine.sweep import day_ends
    from strategies.robustness.walkforward import Window
    from strategies.services.tuning import shown, surroundings
    from strategies.services.walking import Chosen, walked

    assert study.state is not None
    ground = _ground(study)
    subject: Any = study.library or study.version.strategy  # type: ignore[union-attr]
    tries, space, cash = count_trials(study.owner, subject), _space(study), ground.conditions.cash
    all_trials = [trials_of(study, place) for place in range(len(study.state["searches"]))]
    if not all(len(trials.points) for trials in all_trials):
        raise Refused(study.message or "no trial came to a result", reason=study.reason or "no-result", line=study.line)
    sharpes = [value for trials in all_trials for value in trials.sharpes()]
    TrialBatch.objects.filter(study=study).update(sharpe_mean=fmean(sharpes), sharpe_variance=pvariance(sharpes))
    if study.plan is None:
        trials = all_trials[0]
        best = trials.best
        time_, worth = ground.bars.time, cash * np.cumprod(1 + trials.returns[best].astype(np.float64))
        return {
            "best": {"version": 1, **trials.described(best)},
            "evidence": shown(trials.returns[best], tries, trials.returns),
            "report": {"version": 1, **surroundings(space, trials)},
            "curve": pack({"time": time_[day_ends(time_)], "equity": worth}),
        }
    windows = [Window(**one["window"]) for one in study.state["searches"]]
    chosen = [
        Chosen(trials.points[at], float(trials.score[at]), float(trials.final[at]) / cash)
        for trials in all_trials
        for at in [trials.best]
    ]
    walk = walked(ground, space, windows, chosen)
    stitched = walk.stitched
    told = {"windows": walk.windows, "efficiency": walk.efficiency, "drift": walk.drift}
    told["final_equity"] = float(stitched.equity[-1])
    curve = {"time": ground.bars.time[stitched.bar], "equity": stitched.equity, "starts": stitched.starts}
    newest = all_trials[-1]
    return {
        "best": {"version": 1, **newest.described(newest.best)},
        "evidence": shown(walk.returns, tries),
        "report": {"version": 1, **told},
        "curve": pack(curve),
    }


def trials_of(study: Study, window: int = 0) -> Trials:
    """The complete trials of one search of a study, in their order."""
    from strategies.robustness.search import Columns
    from strategies.services.tuning import Scores, Trials

    assert study.state is not None
    stored = Columns.stored(study.state["searches"][window]["search"])
    chunks = list(study.chunks.filter(window=window, done_at__isnull=False))
    chunks.sort(key=lambda chunk: chunk.numbers[0])
    points = [stored.point(number) for chunk in chunks for number in chunk.numbers]
    return Trials.of(points, [Scores.of(unpack(chunk.results)) for chunk in chunks if chunk.results is not None])


# -- what it is made of ---------------------------------------------------------------------------------------------


def _is_code(study: Study) -> bool:
    return study.version is not None and study.version.strategy.kind != UserStrategy.Kind.RULES


def _space(study: Study) -> Any:
    from strategies.robustness.space import Space

    return Space.from_json(study.space, studies.declared_of(study.library, study.version, study.timeframe))


def _search(stored: Mapping[str, Any], declared: contract.Declared) -> Search:
    from strategies.robustness.search import Search

    return Search.from_json(stored, declared)


def _ground(study: Study, bars: Bars | None = None) -> Ground:
    """What its trials share. Raises InvalidBars or NoBars where ``bars`` are none to search on."""
    found = _grounds.get(study.pk) if bars is None else None
    if found is None:
        assert study.snapshot_id is not None
        found = _grounds[study.pk] = _made(study, _bars(study.snapshot_id) if bars is None else bars)
        while len(_grounds) > GROUNDS:
            _grounds.pop(next(iter(_grounds)))
    return found


def _made(study: Study, bars: Bars) -> Ground:
    from strategies.backtest import library_decision
    from strategies.conditions import Conditions
    from strategies.services.tuning import Ground

    declared = studies.declared_of(study.library, study.version, study.timeframe)
    source = study.version.source if study.version is not None and _is_code(study) else None

    def decide(point: Mapping[str, Any]) -> Decide:
        accepted = contract.validate(declared, point)
        if source is not None:
            return sandboxed(source, dict(accepted), style="Strategy")
        return library_decision(declared, accepted)

    return Ground(bars, Conditions.from_json(study.conditions), decide, study.objective)


@lru_cache(maxsize=GROUNDS)
def _bars(snapshot_id: int) -> Bars:
    """Each process unpacks a study's bars once, not for each chunk. A snapshot never changes."""
    return bars_of(Snapshot.objects.get(pk=snapshot_id))


# -- states ---------------------------------------------------------------------------------------------------------


def _locked(study_id: int) -> Study | None:
    return Study.objects.select_for_update().filter(pk=study_id).first()


def _clock(at: datetime) -> Any:
    began = time.perf_counter()
    return lambda: at + timedelta(seconds=time.perf_counter() - began)


@contextmanager
def _guarded(study_id: int, now: Any) -> Iterator[None]:
    """Whatever breaks ends the study with a reason; only a database that is away is raised."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except Refused as error:
        _fail(study_id, error.reason, error.message, now(), line=error.line)
    except DomainError as error:
        _fail(study_id, error.code, error.message, now())
    except SoftTimeLimitExceeded:
        _fail(study_id, "timeout", "a part of the study took longer than a worker may take", now())
    except MemoryError:
        _fail(study_id, "memory", "the study needs more memory than a worker has", now())
    except Exception:
        logger.exception("study %s broke", study_id)
        _fail(study_id, "internal", "something broke on our side; it was written down", now())


@transaction.atomic
def _fail(study_id: int, reason: str, message: str, at: datetime, *, line: int | None = None) -> None:
    locked = Study.objects.select_for_update().get(pk=study_id)
    if locked.is_final:
        return
    locked.status, locked.finished_at = Study.Status.FAILED, at
    locked.reason, locked.message, locked.line = reason[:40] or "no-result", _clean(message), line
    locked.save(update_fields=["status", "finished_at", "reason", "message", "line"])
    studies.announce(study_id)


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd")[:1000]
