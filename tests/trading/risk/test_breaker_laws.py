"""Laws of the circuit breakers, for any history."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading.risk.breaker_records import from_json, to_json
from trading.risk.breakers import Breaker, BreakerState, ClosedTrade, Facts, Failure, FailureKind, Trip, observe, reset
from trading.risk.profile import RiskProfile, profile

D = Decimal
AT = datetime(2026, 5, 4, tzinfo=UTC)
ZERO = D(0)
History = list[Facts]

moves = st.decimals("-0.04", "0.04", places=3)
flows = st.decimals("-5000", "5000", places=2)
profiles = st.integers(1, 10).map(profile)
closed = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from((-1, -1, 0, 1))), max_size=3)
failed = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(FailureKind)), max_size=3)
steps = st.tuples(moves, st.just(ZERO) | flows, st.booleans(), closed, failed)


@st.composite
def histories(draw: st.DrawFn, one_day: bool = False) -> History:
    """Equity that moves by shares, money in and out, trades and failures (in any order), and days that pass."""
    equity, paid, day, history = D(10_000), ZERO, AT.date(), []
    for n, (share, flow, is_new_day, trades, failures) in enumerate(draw(st.lists(steps, min_size=1, max_size=12))):
        equity *= 1 + share
        flow = max(flow, -equity / 2)
        equity, paid = equity + flow, paid + flow
        day += timedelta(days=is_new_day and not one_day)
        history.append(
            Facts(
                AT + timedelta(minutes=5 * n),
                day,
                equity,
                paid,
                tuple(ClosedTrade(AT + timedelta(seconds=at), f"{n}-{i}", D(won)) for i, (at, won) in enumerate(trades)),
                tuple(Failure(AT + timedelta(seconds=at), f"{n}-{i}", kind) for i, (at, kind) in enumerate(failures)),
            )
        )
    return history


def run(history: History, chosen: RiskProfile, state: BreakerState | None = None) -> tuple[BreakerState, list[Trip]]:
    state, tripped = state or BreakerState(), []
    for facts in history:
        state, trips = observe(state, facts, chosen)
        tripped += trips
    return state, tripped


@given(histories(), profiles)
def test_nothing_untrips_without_a_reset_but_the_daily_loss_on_a_new_day(history: History, chosen: RiskProfile) -> None:
    state = BreakerState()
    for facts in history:
        before, day = state.tripped, state.day
        state, trips = observe(state, facts, chosen)
        gone = set(before) - set(state.tripped)
        assert gone <= ({Breaker.DAILY_LOSS} if facts.day != day else set())
        # What is told is what is new, and what stays is the trip of then.
        assert set(state.tripped) >= {trip.breaker for trip in trips}
        again = {trip.breaker for trip in trips}
        assert all(state.tripped[one] == trip for one, trip in before.items() if one not in gone | again)


@given(histories(), profiles)
def test_a_breaker_is_tripped_wherever_its_limit_is_reached(history: History, chosen: RiskProfile) -> None:
    state = BreakerState()
    for facts in history:
        state, _ = observe(state, facts, chosen)
        assert (Breaker.DAILY_LOSS in state.tripped) >= (state.daily_loss >= chosen.daily_loss)
        assert (Breaker.DRAWDOWN in state.tripped) >= (state.drawdown >= chosen.drawdown)
        assert (Breaker.LOSSES in state.tripped) >= (state.losses_in_a_row >= chosen.consecutive_losses)
        assert (Breaker.INFRASTRUCTURE in state.tripped) >= (len(state.failures) >= chosen.infrastructure_failures)


@given(
    st.lists(moves, min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.decimals("0.01", "50", places=2)), max_size=5),
    profiles,
)
def test_deposits_and_withdrawals_change_nothing(
    shares: list[Decimal], paid: list[tuple[int, Decimal]], chosen: RiskProfile
) -> None:
    """The same results in shares, once with the money left alone and once with it multiplied between them."""
    alone, with_flows = BreakerState(), BreakerState()
    small = large = D(10_000)
    flow = ZERO
    for n, share in enumerate([ZERO, *shares]):
        small, large = small * (1 + share), large * (1 + share)
        at = AT + timedelta(minutes=n)
        alone, expected = observe(alone, Facts(at, AT.date(), small), chosen)
        with_flows, told = observe(with_flows, Facts(at, AT.date(), large, flow), chosen)
        assert [(one.breaker, one.value) for one in told] == [(one.breaker, one.value) for one in expected]
        for when, factor in paid:
            if when == n:
                larger = (large * factor).quantize(D("0.01"))
                flow, large = flow + larger - large, larger
                with_flows, told = observe(with_flows, Facts(at, AT.date(), large, flow), chosen)
                assert told == ()
    assert (with_flows.daily_loss, with_flows.drawdown) == (alone.daily_loss, alone.drawdown)


@given(histories(), profiles, st.randoms())
def test_the_order_of_what_is_told_at_once_is_irrelevant(history: History, chosen: RiskProfile, random) -> None:
    shuffled = [
        replace(
            facts,
            closed=tuple(random.sample(facts.closed, len(facts.closed))),
            failures=tuple(random.sample(facts.failures, len(facts.failures))),
        )
        for facts in history
    ]
    assert run(shuffled, chosen) == run(history, chosen)


@given(histories(), profiles, st.lists(st.integers(1, 3), min_size=12, max_size=12))
def test_what_is_told_again_changes_nothing(history: History, chosen: RiskProfile, times: list[int]) -> None:
    repeated = [facts for facts, count in zip(history, times, strict=False) for _ in range(count)]
    assert run(repeated, chosen) == run(history, chosen)


@given(histories(), profiles, st.integers(0, 12))
def test_a_restart_at_any_point_is_no_restart(history: History, chosen: RiskProfile, point: int) -> None:
    through, tripped = run(history, chosen)
    before, first = run(history[:point], chosen)
    stored = json.loads(json.dumps(to_json(before)))
    assert from_json(stored) == before
    assert run(history[point:], chosen, from_json(stored)) == (through, tripped[len(first) :])


@given(histories(one_day=True), profiles, st.integers(1, 12), st.sampled_from(Breaker))
def test_after_a_reset_the_same_facts_do_not_trip_again(
    history: History, chosen: RiskProfile, point: int, breaker: Breaker
) -> None:
    told = history[:point]
    # Nothing is dated after the reset.
    last = told[-1].at
    told = [
        replace(
            one, closed=tuple(t for t in one.closed if t.at <= last), failures=tuple(f for f in one.failures if f.at <= last)
        )
        for one in told
    ]
    state, _ = run(told, chosen)
    opened, done = reset(state, breaker, at=last, reason="Looked at.")
    again, trips = observe(opened, told[-1], chosen)
    assert (done is not None) == (breaker in state.tripped)
    assert breaker not in {trip.breaker for trip in trips}
    assert breaker not in again.tripped
