"""Circuit breakers: what an account lived through, and whether that is enough to stop. A pure state machine.

``observe`` takes facts and says what tripped. A breaker trips exactly at its limit and stays tripped until ``reset``; only the
daily loss resets by itself, when the account's next day begins.

Losses are measured on an index, as a fund's unit price is: it moves by what the account earns and loses, never by money that
was paid in or out. So a deposit cannot hide a loss and a withdrawal cannot look like one; in money the marks move along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from typing import Final, TypeVar

from clusterx.errors import DomainError
from trading.risk.numbers import Number, Unit
from trading.risk.profile import RiskProfile
from trading.risk.states import TradingState

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
KEPT: Final = 64
"""Closed trades and failures that are remembered: more than any limit may be (50)."""

_DIGITS: Final = 50
# An index is a product of quotients. Its last digits are rounding, which must not decide whether a limit is reached.
_SHARE: Final = Decimal("1e-18")


class ReasonNeeded(DomainError):
    """Whoever lets trading go on after a breaker says why."""

    code = "reason-needed"


class Breaker(StrEnum):
    DAILY_LOSS = "daily-loss"
    DRAWDOWN = "drawdown"
    LOSSES = "losses"
    INFRASTRUCTURE = "infrastructure"


class Policy(StrEnum):
    """What is done at a trip, beside opening nothing: nothing, cancel what would open, or close every position as well."""

    BLOCK = "block"
    REDUCE_ONLY = "reduce-only"
    LIQUIDATE = "liquidate"

    @property
    def cancels_openings(self) -> bool:
        return self is not Policy.BLOCK

    @property
    def closes_positions(self) -> bool:
        return self is Policy.LIQUIDATE


class FailureKind(StrEnum):
    ERROR = "error"
    STALE_FEED = "stale-feed"
    LOST_CONNECTION = "lost-connection"


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """A position that was closed; ``profit`` is after fees, and below zero makes it a loss. ``key`` names it once for ever."""

    at: datetime
    key: str
    profit: Decimal


@dataclass(frozen=True, slots=True)
class Failure:
    at: datetime
    key: str
    kind: FailureKind


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at ``at`` (our clock), on the account's ``day``.

    ``flows`` is all that was ever paid in minus all that was paid out; fees, funding, interest and dividends are not flows but
    part of the result. Trades and failures may come twice and in any order.
    """

    at: datetime
    day: date
    equity: Decimal
    flows: Decimal = ZERO
    closed: tuple[ClosedTrade, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a breaker is from its limit. ``money`` is what a share of equity came to, where it is one."""

    value: Number
    limit: Number
    money: Decimal | None = None

    @property
    def is_reached(self) -> bool:
        return self.value.amount >= self.limit.amount


@dataclass(frozen=True, slots=True)
class Trip:
    breaker: Breaker
    at: datetime
    value: Decimal
    limit: Decimal
    policy: Policy


@dataclass(frozen=True, slots=True)
class Reset:
    """That somebody let trading go on: after which trip, when and why."""

    trip: Trip
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What is remembered from one observation to the next. ``BreakerState()`` is an account of which nothing is known yet."""

    at: datetime | None = None
    day: date | None = None
    equity: Decimal = ZERO
    flows: Decimal = ZERO
    index: Decimal = ONE
    day_index: Decimal = ONE
    high_index: Decimal = ONE
    day_result: Decimal = ZERO
    trades: tuple[ClosedTrade, ...] = ()
    trades_after: datetime | None = None
    failures: tuple[Failure, ...] = ()
    failures_after: datetime | None = None
    trips: tuple[Trip, ...] = ()

    @property
    def tripped(self) -> Mapping[Breaker, Trip]:
        return {trip.breaker: trip for trip in self.trips}

    @property
    def trading_state(self) -> TradingState:
        return TradingState.REDUCE_ONLY if self.trips else TradingState.ACTIVE

    @property
    def daily_loss(self) -> Decimal:
        """The share of the day's first equity that is lost; below zero is a gain."""
        return _fallen(self.index, self.day_index)

    @property
    def day_profit(self) -> Decimal:
        """What the day brought in money, without what was paid in and out."""
        return self.equity - self.flows - self.day_result

    @property
    def drawdown(self) -> Decimal:
        return _fallen(self.index, self.high_index)

    @property
    def high_water_mark(self) -> Decimal:
        """The equity at which the account would be as high as it ever was, with the money that is in it now."""
        with localcontext() as context:
            context.prec = _DIGITS
            return self.equity * self.high_index / self.index if self.index > 0 else self.equity

    @property
    def losses_in_a_row(self) -> int:
        count = 0
        for trade in reversed(self.trades):
            if trade.profit >= 0:
                break
            count += 1
        return count


def observe(state: BreakerState, facts: Facts, profile: RiskProfile) -> tuple[BreakerState, tuple[Trip, ...]]:
    """What is remembered after ``facts``, and what tripped by them. Told a second time, the same facts change nothing."""
    if state.at is None or facts.at >= state.at:
        state = _valued(state, facts)
    at = state.at or facts.at
    trades = _merged(state.trades, facts.closed, state.trades_after)
    since = at - timedelta(seconds=profile.infrastructure_window)
    failures = tuple(one for one in _merged(state.failures, facts.failures, state.failures_after) if one.at >= since)
    state = replace(state, trades=trades, failures=failures)
    tripped = state.tripped
    news = tuple(
        Trip(breaker, at, reading.value.amount, reading.limit.amount, policy_of(breaker, profile))
        for breaker, reading in readings(state, profile).items()
        if reading.is_reached and breaker not in tripped
    )
    return (replace(state, trips=state.trips + news) if news else state), news


def readings(state: BreakerState, profile: RiskProfile) -> dict[Breaker, Reading]:
    """Where each breaker stands, tripped or not."""
    fallen = state.high_water_mark - state.equity
    return {
        Breaker.DAILY_LOSS: Reading(_share(state.daily_loss), _share(profile.daily_loss), -state.day_profit),
        Breaker.DRAWDOWN: Reading(_share(state.drawdown), _share(profile.drawdown), fallen),
        Breaker.LOSSES: Reading(_count(state.losses_in_a_row), _count(profile.consecutive_losses)),
        Breaker.INFRASTRUCTURE: Reading(_count(len(state.failures)), _count(profile.infrastructure_failures)),
    }


def reset(state: BreakerState, breaker: Breaker, *, at: datetime, reason: str) -> tuple[BreakerState, Reset | None]:
    """Let trading go on after ``breaker`` tripped; what tripped it no longer counts. Nothing changes where it did not trip.

    A daily loss counts anew from here, and a drawdown from a new high-water mark: the equity of now.

    Raises ReasonNeeded for an empty reason.
    """
    if not reason.strip():
        raise ReasonNeeded("Say why trading may go on.", breaker=breaker.value)
    trip = state.tripped.get(breaker)
    if trip is None:
        return state, None
    state = replace(state, trips=tuple(one for one in state.trips if one.breaker != breaker))
    match breaker:
        case Breaker.DAILY_LOSS:
            state = replace(state, day_index=state.index, day_result=state.equity - state.flows)
        case Breaker.DRAWDOWN if state.index > 0:
            state = replace(state, high_index=state.index)
        case Breaker.DRAWDOWN:  # all was lost, and an index of nothing cannot rise again
            state = replace(state, index=ONE, high_index=ONE, day_index=ONE)
        case Breaker.LOSSES:
            state = replace(state, trades=(), trades_after=at)
        case Breaker.INFRASTRUCTURE:
            state = replace(state, failures=(), failures_after=at)
    return state, Reset(trip, at, reason.strip())


def policy_of(breaker: Breaker, profile: RiskProfile) -> Policy:
    match breaker:
        case Breaker.DAILY_LOSS:
            return Policy(profile.daily_loss_policy)
        case Breaker.DRAWDOWN:
            return Policy(profile.drawdown_policy)
        case Breaker.LOSSES:
            return Policy(profile.losses_policy)
        case Breaker.INFRASTRUCTURE:
            return Policy(profile.infrastructure_policy)


def _valued(state: BreakerState, facts: Facts) -> BreakerState:
    """The index and its marks after the equity of ``facts``, and a new day where one began."""
    if state.at is None:
        result = facts.equity - facts.flows
        return replace(state, at=facts.at, day=facts.day, equity=facts.equity, flows=facts.flows, day_result=result)
    if facts.day != state.day:
        # The day begins with the last equity of the one before: what moved in between belongs to the new day.
        state = replace(
            state,
            day=facts.day,
            day_index=state.index,
            day_result=state.equity - state.flows,
            trips=tuple(trip for trip in state.trips if trip.breaker != Breaker.DAILY_LOSS),
        )
    flow = facts.flows - state.flows
    # When the money moved between the two equities is not known. A deposit counts from the first and a withdrawal until the
    # last: the result then refers to the most money that was in the account, and is never made larger by the flow.
    before, after = state.equity + max(flow, ZERO), facts.equity + max(-flow, ZERO)
    index = state.index
    if before > 0 and after != before:
        with localcontext() as context:
            context.prec = _DIGITS
            index = max(state.index * after / before, ZERO)
    return replace(
        state,
        at=facts.at,
        equity=facts.equity,
        flows=facts.flows,
        index=index,
        high_index=max(state.high_index, index),
    )


def _fallen(index: Decimal, mark: Decimal) -> Decimal:
    if mark <= 0:
        return ZERO
    with localcontext() as context:
        context.prec = _DIGITS
        return (1 - index / mark).quantize(_SHARE, rounding=ROUND_HALF_EVEN)


Told = TypeVar("Told", bound=ClosedTrade | Failure)


def _merged(known: tuple[Told, ...], told: tuple[Told, ...], after: datetime | None) -> tuple[Told, ...]:
    """The newest of both in their order, each once, without what a reset has settled."""
    if not told:
        return known
    by_key = {one.key: one for one in (*told, *known) if after is None or one.at > after}
    return tuple(sorted(by_key.values(), key=lambda one: (one.at, one.key))[-KEPT:])


def _share(amount: Decimal) -> Number:
    return Number(amount, Unit.SHARE)


def _count(amount: int) -> Number:
    return Number(Decimal(amount), Unit.COUNT)
