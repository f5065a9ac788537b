"""Asking for runs, ending them, doing them again, showing them to others."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from marketdata.models import Instrument
from marketdata.timeframes import TIMEFRAMES
from strategies import library, signals
from strategies.contract import UnknownStrategy
from strategies.errors import InvalidRunRequest, RunNotDone, TooMany
from strategies.models import Run, RunLeg, Version
from strategies.services.subjects import Subject

WAITING_LIMIT: Final = 20
MOST_SEED: Final = 2**31 - 1
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
ALWAYS: Final = "24/7"


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What somebody wants to run. ``strategy`` names a library strategy; else ``version``.

    ``costs`` and ``rules`` are names and plain values of the engine's Costs and Rules; ``fee`` sets maker and taker at once,
    and ``slippage`` may be a share of price. ``start`` and ``end`` left out: all bars there are. With ``detail`` finer bars say
    what came first within a bar that holds both a stop and a target, where there are such bars.
    """

    instruments: Sequence[str]
    timeframe: str
    strategy: str = ""
    version: Version | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    cash: float = 10_000.0
    costs: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    benchmark: str = "buy-and-hold"
    detail: bool = True
    seed: int = 1


def request_run(*, owner: User, asked: RunRequest, at: datetime) -> Run:
    """Queue a run. A worker takes it after commit.

    Raises
    ------
    UnknownStrategy, InvalidParameter, InvalidConditions, InvalidRunRequest
        Where a value makes no sense; ``facts["field"]`` names the field as ``RunRequest`` does, a nested one by its path.
    TooMany
        If 20 runs of this person wait or run.
    """
    subject = subject_of(asked)
    parameters = subject.accept(asked.parameters)
    instruments = instruments_of(asked, subject)
    start, end = span_of(asked, at)
    conditions = conditions_of(asked, instruments)
    if isinstance(asked.seed, bool) or not isinstance(asked.seed, int) or not 0 <= asked.seed <= MOST_SEED:
        raise InvalidRunRequest(
            _("The seed must be 0..%(most)s, was %(found)s.") % {"most": MOST_SEED, "found": asked.seed}, field="seed"
        )
    return _queue(
        Run(
            owner=owner,
            library=asked.strategy,
            version=asked.version,
            parameters=parameters,
            timeframe=asked.timeframe,
            start=start,
            end=end,
            conditions=conditions,
            seed=asked.seed,
            engine_version=engine_version(),
            code_hash=subject.code_hash,
            created_at=at,
        ),
        [RunLeg(place=place, instrument=instrument) for place, instrument in enumerate(instruments)],
    )


def rerun(*, run_id: int, owner: User, at: datetime) -> Run:
    """Do a run again with everything that it had: the same bars, parameters, conditions and seed.

    When it is over, ``reproduced`` says whether the same hash came out, and ``difference`` what did not. Raises TooMany, and
    RunNotDone where there is no result to compare with.
    """
    run = Run.objects.prefetch_related("legs").get(pk=run_id)
    if run.status != Run.Status.DONE:
        raise RunNotDone(_("Only a run that is done can be repeated."))
    again = Run(
        owner=owner,
        library=run.library,
        version=run.version,
        parameters=run.parameters,
        timeframe=run.timeframe,
        start=run.start,
        end=run.end,
        conditions=run.conditions,
        seed=run.seed,
        engine_version=engine_version(),
        code_hash=run.code_hash,
        rerun_of=run,
        created_at=at,
    )
    legs = [
        RunLeg(place=leg.place, instrument_id=leg.instrument_id, snapshot_id=leg.snapshot_id, finer_id=leg.finer_id)
        for leg in run.legs.all()
    ]
    return _queue(again, legs)


@transaction.atomic
def cancel_run(*, run_id: int, at: datetime) -> Run:
    """End a run that waits or runs; the worker stops at the next stage. A second call changes nothing."""
    run = Run.objects.select_for_update().get(pk=run_id)
    if not run.is_final:
        run.status, run.stage, run.finished_at = Run.Status.CANCELLED, Run.Stage.OVER, at
        run.save(update_fields=["status", "stage", "finished_at"])
        announce(run.pk)
    return run


@transaction.atomic
def share_run(*, run_id: int, at: datetime) -> Run:
    """Give a run a secret address that anybody may open. A second call keeps the address.

    Raises RunNotDone where there is nothing to show.
    """
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.status != Run.Status.DONE:
        raise RunNotDone(_("Only a run that is done can be shared."))
    if run.share_token is None:
        run.share_token, run.shared_at = secrets.token_urlsafe(24), at
        run.save(update_fields=["share_token", "shared_at"])
    return run


@transaction.atomic
def unshare_run(*, run_id: int) -> Run:
    """Let the secret address end; sharing again makes another one."""
    run = Run.objects.select_for_update().get(pk=run_id)
    run.share_token = run.shared_at = None
    run.save(update_fields=["share_token", "shared_at"])
    return run


def engine_version() -> int:
    from strategies.engine.model import ENGINE_VERSION

    return ENGINE_VERSION


def announce(run_id: int) -> None:
    """Tell who listens, after commit."""
    transaction.on_commit(partial(signals.run_changed.send_robust, sender=Run, run_id=run_id), robust=True)


@transaction.atomic
def _queue(run: Run, legs: list[RunLeg]) -> Run:
    # The person's row is the lock: two requests at once must not both be the twentieth.
    User.objects.select_for_update().get(pk=run.owner_id)
    waiting = Run.objects.filter(owner_id=run.owner_id, status__in=(Run.Status.QUEUED, Run.Status.RUNNING)).count()
    if waiting >= WAITING_LIMIT:
        raise TooMany(
            _("%(limit)s of your runs are waiting or running; wait for one of them or cancel it.") % {"limit": WAITING_LIMIT},
            limit=WAITING_LIMIT,
        )
    run.save()
    for leg in legs:
        leg.run = run
    RunLeg.objects.bulk_create(legs)
    transaction.on_commit(partial(signals.run_queued.send_robust, sender=Run, run_id=run.pk), robust=True)
    return run


# -- what was asked -------------------------------------------------------------------------------------------------


def subject_of(asked: RunRequest) -> Subject:
    if bool(asked.strategy) == (asked.version is not None):
        raise InvalidRunRequest(_("Choose a strategy of the library or a version of your own."), field="strategy")
    if asked.version is not None:
        return Subject(version=asked.version)
    try:
        return Subject(declared=library.find(asked.strategy))
    except UnknownStrategy as error:
        raise UnknownStrategy(error.message, field="strategy") from None


def instruments_of(asked: RunRequest, subject: Subject) -> list[Instrument]:
    if asked.timeframe not in TIMEFRAMES:
        raise InvalidRunRequest(
            _("The timeframe must be one of %(offered)s, was %(found)s.")
            % {"offered": ", ".join(TIMEFRAMES), "found": str(asked.timeframe)[:20]},
            field="timeframe",
        )
    least, most = subject.legs
    wanted = list(asked.instruments)
    if not least <= len(wanted) <= most or len(set(wanted)) != len(wanted):
        expected = str(least) if least == most else f"{least}..{most}"
        raise InvalidRunRequest(
            _("The strategy needs %(expected)s different instruments, was given %(found)s.")
            % {"expected": expected, "found": len(wanted)},
            field="instruments",
        )
    known = {one.ref: one for one in Instrument.objects.filter(ref__in=wanted).select_related("venue")}
    for ref in wanted:
        if ref not in known:
            raise InvalidRunRequest(_("There is no instrument %(ref)s.") % {"ref": str(ref)[:60]}, field="instruments")
    found = [known[ref] for ref in wanted]
    if len({one.quote for one in found}) > 1:
        raise InvalidRunRequest(
            _("The instruments of one account must be quoted in one currency; these are in %(found)s.")
            % {"found": ", ".join(sorted({one.quote for one in found}))},
            field="instruments",
        )
    return found


def span_of(asked: RunRequest, at: datetime) -> tuple[datetime, datetime]:
    start, end = asked.start or EARLIEST, asked.end or at
    for name, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None or moment < EARLIEST:
            raise InvalidRunRequest(_("The span must lie after 1970 and name its time zone."), field=name)
    if start >= end:
        raise InvalidRunRequest(
            _("The span must end after it starts; it starts %(start)s and ends %(end)s.")
            % {"start": f"{start:%Y-%m-%d %H:%M}", "end": f"{end:%Y-%m-%d %H:%M}"},
            field="end",
        )
    return start, end


def conditions_of(asked: RunRequest, instruments: Sequence[Instrument]) -> dict[str, Any]:
    # The engine is loaded by the first run that is asked for, and not by every process that knows the models.
    from strategies.conditions import Conditions, read_costs, read_rules
    from strategies.engine.model import Market

    markets = tuple(
        Market(tick=float(one.tick_size), lot=float(one.lot_size), minimum_notional=float(one.min_notional))
        for one in instruments
    )
    return Conditions(
        cash=asked.cash,
        costs=read_costs(asked.costs),
        rules=read_rules(asked.rules),
        markets=markets,
        benchmark=asked.benchmark,  # type: ignore[arg-type]
        calendar="crypto" if all(one.calendar == ALWAYS for one in instruments) else "exchange",
        detail=asked.detail,
    ).to_json()
