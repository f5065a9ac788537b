"""Doing a run: bars, strategy, simulation, numbers, and what becomes of it whatever happens."""

from __future__ import annotations

import logging
import socket
import time
import zlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction

from clusterx.db.locks import alone, together
from clusterx.errors import DomainError
from marketdata.bars import Bars
from marketdata.models import Venue
from marketdata.timeframes import Timeframe
from strategies import signals, warming
from strategies.arrays import pack, unpack
from strategies.errors import Refused
from strategies.models import Run, RunLeg, RunResult, Snapshot
from strategies.quality import adjusted, sheet
from strategies.services.snapshots import bars_of, take_finer, take_snapshot
from strategies.services.subjects import subject_of

if TYPE_CHECKING:
    from strategies.backtest import Outcome

logger = logging.getLogger(__name__)

LOCKS: Final = 0x72756E73  # "runs" and "work": the first halves of the advisory locks' keys
AT_WORK: Final = 0x776F726B
MACHINE: Final = zlib.crc32(socket.gethostname().encode())
LONGEST_PRINT: Final = 64 * 1024
SENSITIVITY: Final = 1
# How far a run is when a stage begins: shares of a usual run's time.
PROGRESS: Final = {
    "preparing": 0.02,
    "loading": 0.05,
    "signals": 0.35,
    "simulating": 0.6,
    "sensitivity": 0.7,
    "measuring": 0.8,
    "storing": 0.9,
}


class Stopped(Exception):
    """The run was cancelled meanwhile."""


def execute_run(*, run_id: int, at: datetime) -> Run | None:
    """Do a run. A second call, at the same time or later, changes nothing; one after a crash begins anew.

    Whatever the strategy or the bars do, the run ends as done or failed with a reason. Only a database that is away is
    raised, so that the task is tried again. None: there is no such run, or another worker has it.
    """
    with together(AT_WORK, MACHINE), alone(LOCKS, run_id) as mine:
        run = _begun(run_id, at) if mine else None
        if run is None or run.is_final:
            return run
        began = time.perf_counter()

        def now() -> datetime:
            return at + timedelta(seconds=time.perf_counter() - began)

        try:
            _do(run, now)
        except Stopped:
            pass
        except (OperationalError, InterfaceError):
            raise
        except Refused as error:
            _fail(run, error.reason, error.message, now(), line=error.line, printed=error.printed)
        except DomainError as error:
            _fail(run, error.code, error.message, now())
        except SoftTimeLimitExceeded:
            _fail(run, "timeout", "the run took longer than a worker may take", now())
        except MemoryError:
            _fail(run, "memory", "the run needs more memory than a worker has", now())
        except Exception:
            logger.exception("run %s broke", run.public_id)
            _fail(run, "internal", "something broke on our side; it was written down, and nothing was counted", now())
        run.refresh_from_db()
        return run


def _do(run: Run, now: Any) -> None:
    # Whoever asked for what has no bars hears so before the engine is ready.
    began = time.perf_counter()
    legs = list(run.legs.select_related("instrument", "snapshot", "finer"))
    series = [_bars(run, leg, now()) for leg in legs]
    loading = time.perf_counter() - began
    warming.wait_while_compiled(lambda: _reached(run, "preparing"))

    from strategies.backtest import backtest, on_one_axis
    from strategies.conditions import Conditions

    subject = subject_of(run)
    decide = subject.decide(run.parameters, run.timeframe)
    conditions = Conditions.from_json(run.conditions)
    axis = on_one_axis([bars for _, bars in series])
    outcome = backtest(
        axis,
        decide,
        conditions,
        seconds=Timeframe.of(run.timeframe).seconds,
        seed=run.seed,
        told=lambda stage: _reached(run, stage),
        finer=lambda: _finer(run, legs[0], now()),
    )
    _reached(run, "storing")
    outcome.timings["loading"] = round(loading, 6)
    _store(run, outcome, [snapshot for snapshot, _ in series], subject.code_hash, now)


def _bars(run: Run, leg: RunLeg, at: datetime) -> tuple[Snapshot, Bars]:
    """The bars of one leg: those that were kept, or those that are stored now, which are kept from here on."""
    if leg.snapshot is not None:
        return leg.snapshot, bars_of(leg.snapshot)
    snapshot, bars = take_snapshot(instrument=leg.instrument, timeframe=run.timeframe, start=run.start, end=run.end, at=at)
    leg.snapshot = snapshot
    leg.save(update_fields=["snapshot"])
    return snapshot, bars


def _finer(run: Run, leg: RunLeg, at: datetime) -> Bars | None:
    """Finer bars of the leg: those that were kept; of a run that is no repetition those that are stored now."""
    if leg.finer is not None:
        return bars_of(leg.finer)
    if run.rerun_of_id is not None:
        return None
    found = take_finer(instrument=leg.instrument, timeframe=run.timeframe, start=run.start, end=run.end, at=at)
    if found is None:
        return None
    leg.finer, bars = found
    leg.save(update_fields=["finer"])
    return bars


# -- states ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def _begun(run_id: int, at: datetime) -> Run | None:
    run = (
        Run.objects.select_for_update(of=("self",))
        .select_related("version__strategy", "version__inspection")
        .filter(pk=run_id)
        .first()
    )
    if run is None or run.is_final:
        return run
    run.status, run.stage, run.progress, run.started_at = Run.Status.RUNNING, Run.Stage.LOADING, PROGRESS["loading"], at
    run.save(update_fields=["status", "stage", "progress", "started_at"])
    _announce(run)
    return run


def _reached(run: Run, stage: str) -> None:
    """Raises Stopped if the run was cancelled."""
    here = Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING).update(stage=stage, progress=PROGRESS[stage])
    if not here:
        raise Stopped
    _announce(run)


@transaction.atomic
def _fail(run: Run, reason: str, message: str, at: datetime, *, line: int | None = None, printed: str = "") -> None:
    locked = Run.objects.select_for_update().get(pk=run.pk)
    if locked.is_final:
        return
    locked.status, locked.stage, locked.finished_at = Run.Status.FAILED, Run.Stage.OVER, at
    locked.reason, locked.message, locked.line = reason[:40], _clean(message, 1000), line
    locked.printed = _clean(printed, LONGEST_PRINT)
    locked.save(update_fields=["status", "stage", "finished_at", "reason", "message", "line", "printed"])
    _announce(locked)


@transaction.atomic
def _store(run: Run, outcome: Outcome, snapshots: list[Snapshot], code_hash: str, now: Any) -> None:
    began = time.perf_counter()
    locked = Run.objects.select_for_update().get(pk=run.pk)
    if locked.is_final:
        raise Stopped
    result = outcome.result
    tables = {
        "orders": pack({"rows": result.orders}),
        "fills": pack({"rows": result.fills}),
        "trades": pack({"rows": result.trades}),
    }
    series: dict[str, Any] = {"time": result.time, "equity": result.equity, "position": result.position}
    if outcome.benchmark is not None:
        series["benchmark"] = outcome.benchmark
    if outcome.regimes is not None:
        series["regimes"] = outcome.regimes
    variants = [{"name": one.name, "numbers": one.numbers, "orders_hash": one.orders_hash} for one in outcome.sensitivity]
    RunResult.objects.update_or_create(
        run=locked,
        defaults=tables
        | {"series": pack(series), "sensitivity": {"version": SENSITIVITY, "variants": variants}, "created_at": now()},
    )
    locked.status, locked.stage, locked.progress = Run.Status.DONE, Run.Stage.OVER, 1.0
    locked.bars, locked.headline, locked.metrics = len(result), outcome.headline, outcome.metrics.to_json()
    locked.assumptions = sheet(outcome.assumptions, [_described(one) for one in snapshots], result.position) | {
        "seed": locked.seed,
        "code_hash": code_hash,
    }
    locked.engine_version, locked.code_hash = result.assumptions.engine_version, code_hash
    locked.orders_hash, locked.printed = result.orders_hash, _clean(outcome.printed, LONGEST_PRINT)
    if locked.rerun_of is not None:
        locked.difference = difference(locked.rerun_of, locked, tables)
        locked.reproduced = locked.rerun_of.orders_hash == locked.orders_hash
    locked.timings = outcome.timings | {"storing": round(time.perf_counter() - began, 6)}
    locked.finished_at = now()
    locked.save()
    _announce(locked)
    transaction.on_commit(lambda: signals.run_done.send_robust(sender=Run, run_id=run.pk), robust=True)


def difference(before: Run, after: Run, tables: dict[str, bytes]) -> str:
    """Why a repetition came out otherwise, in words; empty where it did not."""
    if before.orders_hash == after.orders_hash:
        return ""
    why = []
    if before.engine_version != after.engine_version:
        why.append(f"the engine was of version {before.engine_version} and is of {after.engine_version}")
    if before.code_hash != after.code_hash:
        why.append(f"the strategy's code was {before.code_hash[:12]} and is {after.code_hash[:12]}")
    stored = RunResult.objects.filter(run=before).first()
    if stored is not None:
        why.append(first_difference(unpack(stored.fills)["rows"], unpack(tables["fills"])["rows"]))
    return "; ".join(filter(None, why))[:500]


def first_difference(before: Any, after: Any) -> str:
    """The first fill that is another one."""
    shared = min(len(before), len(after))
    for field in ("bar", "side", "quantity", "price", "fee"):
        if field not in before.dtype.names or field not in after.dtype.names:
            return "fills are written down otherwise"
    same = np.ones(shared, np.bool_)
    for field in ("bar", "side", "quantity", "price", "fee"):
        same &= np.isclose(before[field][:shared], after[field][:shared], rtol=1e-11, atol=0, equal_nan=True)
    if not same.all():
        at = int(np.argmin(same))
        was, now = before[at], after[at]
        return (
            f"fill {at + 1} was {was['quantity']:g} at {was['price']:g} in bar {was['bar']}"
            f" and is {now['quantity']:g} at {now['price']:g} in bar {now['bar']}"
        )
    return f"there were {len(before)} fills and there are {len(after)}" if len(before) != len(after) else "the orders differ"


def _described(snapshot: Snapshot) -> dict[str, Any]:
    """A line of the assumption sheet: which bars, and what is wrong with them."""
    return {
        "instrument": snapshot.instrument.ref, "kind": snapshot.instrument.kind, "timeframe": snapshot.timeframe,
        "first": snapshot.first_time.isoformat(), "last": snapshot.last_time.isoformat(), "time_zone": "UTC",
        "recorded": snapshot.instrument.venue.mode == Venue.Mode.RECORDED,
        "adjusted": adjusted(snapshot.instrument.kind), "bars": snapshot.bars, "holes": snapshot.holes,
        "frozen": snapshot.frozen, "silent": snapshot.silent, "snapshot": str(snapshot.public_id), "sha256": snapshot.sha256,
    }  # fmt: skip


def _clean(text: str, longest: int) -> str:
    """As PostgreSQL takes it."""
    return text.replace("\0", "\ufffd")[:longest]


def _announce(run: Run) -> None:
    transaction.on_commit(lambda: signals.run_changed.send_robust(sender=Run, run_id=run.pk), robust=True)
