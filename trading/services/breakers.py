"""Circuit breakers of accounts: fed with every valuation, closed trade and failure; what trips is done at once.

Their memory is a row of the database, written in the transaction of what it follows from, so no restart forgets it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Sum

from clusterx.accounts.models import User
from trading import events
from trading.lifecycle import OPEN
from trading.models import Account, Breakers, CashFlow, Deployment, Order
from trading.risk import breakers as rules
from trading.risk.breaker_records import from_json, to_json
from trading.risk.breakers import Breaker, BreakerState, ClosedTrade, Facts, Failure, FailureKind, Trip
from trading.selectors.worth import Portfolio
from trading.services.journal import record
from trading.services.locks import lock_account
from trading.services.orders import Why, give_up

EXTERNAL: Final = (CashFlow.Kind.DEPOSIT, CashFlow.Kind.WITHDRAWAL)


def watch(account: Account, valued: Portfolio, *, at: datetime, closed: tuple[ClosedTrade, ...] = ()) -> tuple[Trip, ...]:
    """Let the breakers see what the account is worth, and do what follows from those that trip. The caller holds its lock."""
    return _observe(account, Facts(at, valued.day, valued.equity, _flows(account), closed=closed), at)


@transaction.atomic
def failed(*, account_id: int, kind: FailureKind, key: str, at: datetime) -> None:
    """Something of the way to the venue failed; ``key`` names this failure, so that it counts once."""
    account = lock_account(account_id)
    state = _state(account)
    if state.at is None or state.day is None:
        return  # an account that was never valued has nothing to lose yet
    facts = Facts(state.at, state.day, state.equity, state.flows, failures=(Failure(at, key, kind),))
    _observe(account, facts, at)


@transaction.atomic
def reset(*, account_id: int, breaker: Breaker, reason: str, at: datetime, actor: User | None) -> bool:
    """Let the account trade again after ``breaker`` tripped; whether it had. Raises ReasonNeeded."""
    account = lock_account(account_id)
    state, done = rules.reset(_state(account), breaker, at=at, reason=reason)
    if done is None:
        return False
    _store(account, state, at)
    record(
        account=account,
        type=events.BREAKER_RESET,
        payload=events.BreakerNews(breaker.value, str(done.trip.value), str(done.trip.limit), done.trip.policy.value, reason),
        at=at,
        actor=actor,
    )
    return True


def _observe(account: Account, facts: Facts, at: datetime) -> tuple[Trip, ...]:
    before = _state(account)
    state, trips = rules.observe(before, facts, account.risk_profile)
    if state != before:
        _store(account, state, at)
    over = {trip.breaker for trip in before.trips} - {trip.breaker for trip in state.trips}
    for breaker in sorted(over):  # a new day
        trip = before.tripped[breaker]
        payload = events.BreakerNews(breaker.value, str(trip.value), str(trip.limit), trip.policy.value, "A new day began.")
        record(account=account, type=events.BREAKER_RESET, payload=payload, at=at)
    for trip in trips:
        _act(account, trip, at)
    return trips


def _act(account: Account, trip: Trip, at: datetime) -> None:
    payload = events.BreakerNews(trip.breaker.value, str(trip.value), str(trip.limit), trip.policy.value, "")
    record(account=account, type=events.BREAKER_TRIPPED, payload=payload, at=at)
    why = Why(f"breaker-{trip.breaker.value}", "A circuit breaker tripped.")
    if trip.policy.cancels_openings:
        purposes = [Order.Purpose.SIGNAL, Order.Purpose.MANUAL]
        opening = Order.objects.filter(account=account, status__in=OPEN, purpose__in=purposes)
        for order in opening.select_for_update(of=("self",)).select_related("deployment", "instrument").order_by("pk"):
            order.account = account
            give_up(order, why, at=at)
    if trip.policy.closes_positions:
        holding = Deployment.objects.filter(account=account, flatten_asked_at=None).exclude(position=None)
        holding.exclude(position__quantity=0).update(flatten_asked_at=at)


def _state(account: Account) -> BreakerState:
    row = Breakers.objects.select_for_update().filter(account=account).first()
    return from_json(row.record) if row else BreakerState()


def _store(account: Account, state: BreakerState, at: datetime) -> None:
    Breakers.objects.update_or_create(account=account, defaults={"record": to_json(state), "updated_at": at})


def _flows(account: Account):  # type: ignore[no-untyped-def]
    moved = CashFlow.objects.filter(account=account, kind__in=EXTERNAL).aggregate(total=Sum("amount"))["total"]
    return account.starting_balance + (moved or 0)
