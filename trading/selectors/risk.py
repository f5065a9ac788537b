"""Where an account stands with its risk: whether it trades, its circuit breakers, what bound and what was refused lately."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import QuerySet

from clusterx.events.models import Event
from marketdata.models import Instrument
from trading import events, wording
from trading.models import Account, Breakers, Deployment, Evaluation, Panic, Platform
from trading.risk.breaker_records import from_json
from trading.risk.breakers import Breaker, BreakerState, Policy, Reading, Trip, policy_of, readings
from trading.risk.excess import Held
from trading.risk.findings import Finding
from trading.risk.states import TradingState, strictest
from trading.selectors.worth import Portfolio

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Gauge:
    """One circuit breaker: where it stands, what it does at its limit, and since when it is tripped, if it is."""

    breaker: Breaker
    reading: Reading
    policy: Policy
    trip: Trip | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an account trades, and everything that holds it back."""

    account: Account
    platform: Platform | None
    since: datetime | None
    trips: tuple[Trip, ...]
    panic: Panic | None

    @property
    def state(self) -> TradingState:
        platform = TradingState(self.platform.state) if self.platform else TradingState.ACTIVE
        tripped = TradingState.REDUCE_ONLY if self.trips else TradingState.ACTIVE
        return strictest(TradingState(self.account.state), platform, tripped)

    @property
    def is_platform_restricted(self) -> bool:
        return self.platform is not None and self.platform.state != TradingState.ACTIVE

    @property
    def is_account_restricted(self) -> bool:
        return self.account.state != TradingState.ACTIVE

    @property
    def is_clear(self) -> bool:
        return self.state is TradingState.ACTIVE and self.panic is None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proposal that was refused: when, what it was about, and the event's payload, which holds the finding."""

    at: datetime
    instrument: Instrument | None
    payload: dict[str, object]


def breakers_of(account: Account) -> BreakerState:
    record = Breakers.objects.filter(account=account).values_list("record", flat=True).first()
    return from_json(record) if record else BreakerState()


def gauges(account: Account, state: BreakerState) -> list[Gauge]:
    profile, tripped = account.risk_profile, state.tripped
    found = readings(state, profile)
    return [Gauge(breaker, found[breaker], policy_of(breaker, profile), tripped.get(breaker)) for breaker in Breaker]


def standing(account: Account) -> Standing:
    """Three queries, and one more where the account is restricted."""
    since = None
    if account.state != Account.State.ACTIVE:
        changes = Event.objects.filter(stream=_stream(account), type=events.STATE_CHANGED).order_by("-pk")
        since = changes.values_list("occurred_at", flat=True).first()
    return Standing(
        account=account,
        platform=Platform.objects.filter(pk=1).first(),
        since=since,
        trips=breakers_of(account).trips,
        panic=Panic.objects.filter(account=account, done_at=None).first(),
    )


def state_reason(deployment: Deployment) -> tuple[str, datetime] | None:
    """Why a deployment was last restricted, or let go on, and when; None where it never was."""
    changes = Event.objects.filter(
        stream=_stream(deployment.account),
        type=events.DEPLOYMENT_STATE_CHANGED,
        payload__deployment=str(deployment.public_id),
    )
    newest = changes.order_by("-pk").first()
    return None if newest is None else (newest.payload["reason"], newest.occurred_at)


def sized_lately(account: Account) -> QuerySet[Evaluation]:
    """What a deployment ordered, newest first, each with what decided its size."""
    ordered = Evaluation.objects.filter(deployment__account=account, outcome=Evaluation.Outcome.ORDERED)
    return ordered.exclude(bound_by="").select_related("deployment__instrument").order_by("-evaluated_at", "-pk")


def refused_lately(account: Account, *, limit: int) -> list[Refusal]:
    """The newest proposals that were refused. Two queries however many they are."""
    found = Event.objects.filter(stream=_stream(account), type=events.PROPOSAL_REJECTED).order_by("-pk")[:limit]
    refused = list(found)
    known = Instrument.objects.in_bulk({one.payload["instrument"] for one in refused}, field_name="ref") if refused else {}
    return [Refusal(one.occurred_at, known.get(one.payload["instrument"]), one.payload) for one in refused]


def explained(looks: Iterable[Evaluation]) -> list[tuple[Evaluation, str, Finding | None]]:
    """Each look with its reason in the language of the moment, and the numbers behind a refusal. One query.

    A refusal that repeats the one of the bar before is in no event: it keeps the sentence that it was recorded with.
    """
    looks = list(looks)
    refused = {one.correlation_id for one in looks if one.reason_code}
    found = Event.objects.filter(type=events.PROPOSAL_REJECTED, correlation_id__in=refused)
    payloads = dict(found.values_list("correlation_id", "payload")) if refused else {}
    return [
        (one, *(wording.rejection(payloads[one.correlation_id]) if one.correlation_id in payloads else (one.reason, None)))
        for one in looks
    ]


def panics_of(account: Account) -> QuerySet[Panic]:
    """Newest first."""
    return Panic.objects.filter(account=account)


def held_of(valued: Portfolio) -> tuple[Held, ...]:
    """Positions as the limits look at them."""
    found = []
    for one in valued.positions:
        stop = one.position.stop_price
        # Where the price is beyond the stop already, nothing more is lost at it.
        at_stop = None if stop is None else max((one.price - stop) * one.quantity, ZERO)
        whose = f" · {one.deployment.strategy_label}" if one.deployment else ""
        found.append(Held(f"{one.instrument.symbol}{whose}", one.instrument.ref, abs(one.value), at_stop))
    return tuple(found)


def _stream(account: Account) -> str:
    return f"account/{account.public_id}"
