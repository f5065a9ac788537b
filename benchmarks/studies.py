"""A search through the queue, beside the same search in one process: a real worker, a real database, progress and all."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time

from django.utils import timezone

from benchmarks.engine import PAIRS, SWEPT, walk
from benchmarks.figures import Figure
from clusterx import processes
from clusterx.accounts.models import User
from clusterx.embedded.layout import PROJECT
from marketdata.bars import Bar
from marketdata.models import Instrument, Venue
from marketdata.services.markets import set_up_markets
from marketdata.store import write_candles
from strategies.backtest import library_decision
from strategies.conditions import Conditions
from strategies.contract import validate
from strategies.library import find
from strategies.models import Study
from strategies.robustness.space import Space
from strategies.services import studies
from strategies.services.tuning import Ground, every, search_of

TURNS = 3
PATIENCE = 120.0
SPACE = {
    "fast": {"minimum": 5, "maximum": 53, "step": 2},
    "slow": {"minimum": 60, "maximum": 294, "step": 6},
}


def measure() -> list[Figure]:
    instrument, owner = market()
    worker = processes.worker("research", concurrency=1, name="research")
    child = subprocess.Popen(worker.command, cwd=PROJECT, env=os.environ | worker.environment)
    try:
        through(instrument, owner)  # the worker loads the engine
        direct, asked, shared = [], [], []
        for _ in range(TURNS):
            study, whole = through(instrument, owner)
            asked.append(whole)
            shared.append(study.trials_done / working(study))
            direct.append(alone(study))
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()
    rate, queued = statistics.median(direct), statistics.median(shared)
    return [
        Figure("1,000 trials × 100,000 bars of the library's SMA cross, in process", rate, "/s"),
        Figure("  through Celery on one worker, progress shown", queued, "/s"),
        Figure("  share of the rate in process", queued / rate, "×", 0.8, "higher"),
        Figure("  from the request to its last page", statistics.median(asked), "s"),
    ]


def market() -> tuple[Instrument, User]:
    """An instrument with the bars of the sweep, and somebody who asks."""
    set_up_markets(feed="off")
    Venue.objects.update(is_enabled=True)
    instrument = Instrument.objects.earliest("pk")
    bars = walk(SWEPT)
    columns = zip(*(column.tolist() for column in bars.columns), strict=True)
    write_candles((instrument.pk, "1m", Bar(*row)) for row in columns)
    return instrument, User.objects.create_user(email="search@example.com", password=None)


def through(instrument: Instrument, owner: User) -> tuple[Study, float]:
    began = time.perf_counter()
    study = studies.request_study(
        owner=owner,
        asked=studies.StudyRequest(instrument=instrument.ref, timeframe="1m", kind="grid", space=SPACE, strategy="sma-cross"),
        at=timezone.now(),
    )
    while not study.is_final:
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError(f"the study is {study.status} after {PATIENCE:.0f} s")
        time.sleep(0.05)
        study.refresh_from_db(fields=["status"])
    study.refresh_from_db()
    if study.status != Study.Status.DONE or study.trials_done != len(PAIRS):
        raise RuntimeError(f"the study is {study.status} with {study.trials_done} trials: {study.message}")
    return study, time.perf_counter() - began


def working(study: Study) -> float:
    """Seconds from when its first trials were handed out to the end of the last."""
    first, last = study.chunks.earliest("asked_at").asked_at, study.chunks.latest("done_at").done_at
    assert last is not None
    return (last - first).total_seconds()


def alone(study: Study) -> float:
    """Trials a second of the same search, in this process."""
    declared = find(study.library)
    bars, conditions = walk(SWEPT), Conditions.from_json(study.conditions)
    ground = Ground(bars, conditions, lambda point: library_decision(declared, validate(declared, point)), study.objective)
    search = search_of(Space.from_json(study.space, declared), "grid", trials=study.budget, seed=study.seed)
    began = time.perf_counter()
    trials, _ = every(ground, search)
    return len(trials.points) / (time.perf_counter() - began)
