"""Circuit breakers: when they trip, what resets them, and what money paid in or out does to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from trading.risk.breaker_records import from_json, to_json
from trading.risk.breakers import (
    KEPT,
    Breaker,
    BreakerState,
    ClosedTrade,
    Facts,
    Failure,
    FailureKind,
    Policy,
    ReasonNeeded,
    Trip,
    observe,
    readings,
    reset,
)
from trading.risk.profile import profile
from trading.risk.states import TradingState

D = Decimal
AT = datetime(2026, 5, 4, 14, 30, tzinfo=UTC)
DAY = AT.date()
PROFILE = profile(5)  # 2 % a day, 5 % drawdown, 3 losses, 5 failures in 600 s
PATIENT = profile(5, {"daily_loss": 1})


def later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def at(seconds: float, equity: str | int, flows: str | int = 0, *, day: int = 0, **more: object) -> Facts:
    return Facts(later(seconds), DAY + timedelta(days=day), D(equity), D(flows), **more)  # type: ignore[arg-type]


def through(*facts: Facts, chosen=PROFILE) -> tuple[BreakerState, list[Trip]]:
    state, tripped = BreakerState(), []
    for one in facts:
        state, trips = observe(state, one, chosen)
        tripped += trips
    return state, tripped


def trade(seconds: float, profit: str | int, key: str = "") -> ClosedTrade:
    return ClosedTrade(later(seconds), key or f"trade {seconds}", D(profit))


def failure(seconds: float, key: str = "", kind: FailureKind = FailureKind.ERROR) -> Failure:
    return Failure(later(seconds), key or f"failure {seconds}", kind)


def test_an_account_of_which_nothing_is_known_is_active() -> None:
    state = BreakerState()
    assert state.trading_state == TradingState.ACTIVE
    assert not any(reading.is_reached for reading in readings(state, PROFILE).values())


@pytest.mark.parametrize(("equity", "trips"), [("9800.0000000001", []), ("9800", ["daily-loss"]), ("9799.99", ["daily-loss"])])
def test_the_daily_loss_trips_exactly_at_its_limit(equity: str, trips: list[str]) -> None:
    state, tripped = through(at(0, 10_000), at(1, equity))
    assert [one.breaker.value for one in tripped] == trips
    assert state.trading_state == (TradingState.REDUCE_ONLY if trips else TradingState.ACTIVE)


@pytest.mark.parametrize(("equity", "trips"), [("9975.01", []), ("9975", ["drawdown"])])
def test_the_drawdown_is_measured_from_the_highest_equity(equity: str, trips: list[str]) -> None:
    """5 % below 10,500, though less than 1 % below the start."""
    _, tripped = through(at(0, 10_000), at(1, 10_500), at(2, equity), chosen=PATIENT)
    assert [one.breaker.value for one in tripped] == trips


def test_a_trip_says_when_at_what_and_what_to_do() -> None:
    _, tripped = through(at(0, 10_000), at(7, 9_700))
    assert tripped == [Trip(Breaker.DAILY_LOSS, later(7), D("0.03"), D("0.02"), Policy.REDUCE_ONLY)]
    careful = profile(1)
    _, tripped = through(at(0, 10_000), at(7, 9_900), chosen=careful)
    assert {one.breaker: one.policy for one in tripped} == {
        Breaker.DAILY_LOSS: Policy.REDUCE_ONLY,
        Breaker.DRAWDOWN: Policy.LIQUIDATE,
    }


@pytest.mark.parametrize(
    ("policy", "cancels", "closes"), [("block", False, False), ("reduce-only", True, False), ("liquidate", True, True)]
)
def test_each_policy_does_what_the_page_says(policy: str, cancels: bool, closes: bool) -> None:
    assert (Policy(policy).cancels_openings, Policy(policy).closes_positions) == (cancels, closes)


def test_a_breaker_stays_tripped_when_the_money_comes_back_and_trips_once() -> None:
    state, tripped = through(at(0, 10_000), at(1, 9_790), at(2, 10_000), at(3, 9_700))
    assert [one.breaker for one in tripped] == [Breaker.DAILY_LOSS]
    assert state.tripped[Breaker.DAILY_LOSS].value == D("0.021")


def test_raising_the_limit_does_not_untrip_and_lowering_it_trips() -> None:
    state, _ = through(at(0, 10_000), at(1, 9_790))
    assert observe(state, at(2, 9_790), PATIENT)[0].tripped
    state, _ = through(at(0, 10_000), at(1, 9_900))
    _, trips = observe(state, at(2, 9_900), profile(5, {"daily_loss": "0.01"}))
    assert [one.breaker for one in trips] == [Breaker.DAILY_LOSS]


def test_the_daily_loss_resets_when_the_next_day_begins_and_the_drawdown_does_not() -> None:
    state, _ = through(at(0, 10_000), at(1, 9_400))
    assert set(state.tripped) == {Breaker.DAILY_LOSS, Breaker.DRAWDOWN}
    state, trips = observe(state, at(2, 9_400, day=1), PROFILE)
    assert trips == ()
    assert set(state.tripped) == {Breaker.DRAWDOWN}


def test_a_day_begins_with_the_last_equity_of_the_one_before() -> None:
    """What is lost while nobody looks belongs to the day on which it is found."""
    state, tripped = through(at(0, 10_000), at(1, 9_900), at(2, "9702.01", day=1))
    assert tripped == []
    assert readings(state, PROFILE)[Breaker.DAILY_LOSS].money == D("197.99")
    _, tripped = through(at(0, 10_000), at(1, 9_900), at(2, 9_702, day=1))
    assert [one.breaker for one in tripped] == [Breaker.DAILY_LOSS]


@pytest.mark.parametrize(("before", "after"), [(0, 10_000), (0, -9_000), (500, -500), (0, 1_000_000)])
def test_money_paid_in_or_out_neither_trips_nor_hides(before: int, after: int) -> None:
    flow = after - before
    calm, tripped = through(at(0, 10_000, before), at(1, 10_000 + flow, after))
    assert not tripped
    assert (calm.daily_loss, calm.drawdown, calm.day_profit) == (0, 0, 0)
    worse, tripped = through(at(0, 10_000, before), at(1, 9_850, before), at(2, 9_850 + flow, after))
    assert not tripped
    assert (worse.daily_loss, worse.day_profit) == (D("0.015"), -150)
    assert worse.high_water_mark == pytest.approx((9_850 + flow) / D("0.985"))
    # Another half percent of what is there now, and the limit of 2 % is reached: 0.985 × 0.99492… = 0.98.
    low = (9_850 + flow) * D("0.98") / D("0.985")
    assert not through(at(0, 10_000, before), at(1, 9_850, before), at(2, 9_850 + flow, after), at(3, low + 1, after))[1]
    assert through(at(0, 10_000, before), at(1, 9_850, before), at(2, 9_850 + flow, after), at(3, low, after))[1]


def test_a_flow_and_a_result_between_two_looks_refer_to_the_most_money_that_was_there() -> None:
    deposit, _ = through(at(0, 1), at(1, 9_901, 10_000))
    assert deposit.daily_loss == (D(100) / 10_001).quantize(D("1e-18"))
    withdrawal, _ = through(at(0, 10_000), at(1, 1, -9_899))
    assert withdrawal.daily_loss == D("0.01")


def test_an_account_emptied_and_filled_again_keeps_what_it_lost() -> None:
    state, tripped = through(at(0, 10_000), at(1, 9_850), at(2, 0, -9_850), at(3, 5_000, -4_850))
    assert tripped == []
    assert state.daily_loss == D("0.015")
    _, trips = observe(state, at(4, 4_900, -4_850), PROFILE)
    assert [one.breaker for one in trips] == [Breaker.DAILY_LOSS]


@pytest.mark.parametrize("nothing", [0, -7])
def test_an_account_that_began_with_nothing_has_nothing_to_lose(nothing: int) -> None:
    state, tripped = through(at(0, nothing), at(1, nothing - 1), at(2, 10), at(3, 10_000, 9_990))
    assert tripped == []
    assert (state.daily_loss, state.drawdown) == (0, 0)
    assert [one.breaker for one in observe(state, at(4, 9_800, 9_990), PROFILE)[1]] == [Breaker.DAILY_LOSS]


def test_an_account_that_lost_everything_trades_again_only_after_a_reset() -> None:
    state, _ = through(at(0, 10_000), at(1, -50), at(2, 20_000, 20_050), at(3, 20_000, 20_050, day=1))
    assert state.drawdown == 1
    assert set(state.tripped) == {Breaker.DRAWDOWN}
    state, done = reset(state, Breaker.DRAWDOWN, at=later(4), reason="New money.")
    assert done is not None
    state, trips = observe(state, at(5, 19_900, 20_050, day=1), PROFILE)
    assert not trips
    assert state.high_water_mark == 20_000
    assert (state.drawdown, state.daily_loss) == (D("0.005"), D("0.005"))


def test_losses_in_a_row_trip_at_the_third_and_a_trade_without_loss_ends_the_row() -> None:
    state, tripped = through(at(0, 10_000, closed=(trade(1, -1), trade(2, -1))))
    assert not tripped
    _, trips = observe(state, at(3, 10_000, closed=(trade(3, "-0.01"),)), PROFILE)
    assert [(one.breaker, one.value, one.limit) for one in trips] == [(Breaker.LOSSES, 3, 3)]
    even, trips = observe(state, at(3, 10_000, closed=(trade(3, 0), trade(4, -1), trade(5, -1))), PROFILE)
    assert not trips
    assert even.losses_in_a_row == 2


def test_a_trade_that_is_told_twice_counts_once_and_one_told_late_stands_where_it_belongs() -> None:
    state, tripped = through(*(at(n, 10_000, closed=(trade(1, -1), trade(2, -1))) for n in range(5)))
    assert (state.losses_in_a_row, tripped) == (2, [])
    late, _ = observe(state, at(6, 10_000, closed=(trade(1.5, 5),)), PROFILE)
    assert late.losses_in_a_row == 1


def test_more_trades_than_are_kept_are_no_memory_without_end() -> None:
    state = BreakerState()
    for n in range(3 * KEPT):
        state, _ = observe(state, at(n, 10_000, closed=(trade(n, 1),)), PROFILE)
    assert len(state.trades) == KEPT
    again, _ = observe(state, at(3 * KEPT, 10_000, closed=(trade(0, -1), trade(1, -1), trade(2, -1))), PROFILE)
    assert again.trades == state.trades


def test_failures_count_within_their_window() -> None:
    first = tuple(failure(n, kind=kind) for n, kind in enumerate((*FailureKind, FailureKind.ERROR)))
    state, tripped = through(at(3, 10_000, failures=first))
    assert not tripped
    _, trips = observe(state, at(600, 10_000, failures=(failure(600),)), PROFILE)
    assert [one.breaker for one in trips] == [Breaker.INFRASTRUCTURE]
    # A second later the first of them is older than the window.
    _, trips = observe(state, at(601, 10_000, failures=(failure(601),)), PROFILE)
    assert not trips


def test_a_tripped_infrastructure_breaker_outlives_its_window() -> None:
    state, _ = through(at(0, 10_000, failures=tuple(failure(0, str(n)) for n in range(5))))
    state, _ = observe(state, at(10_000, 10_000), PROFILE)
    assert state.failures == ()
    assert set(state.tripped) == {Breaker.INFRASTRUCTURE}


@pytest.mark.parametrize("breaker", Breaker)
def test_a_reset_needs_a_reason_is_kept_and_does_not_trip_again_at_once(breaker: Breaker) -> None:
    told = at(
        1,
        9_400,
        closed=tuple(trade(n, -1) for n in (0.1, 0.2, 0.3)),
        failures=tuple(failure(n) for n in (0.1, 0.2, 0.3, 0.4, 0.5)),
    )
    state, tripped = through(at(0, 10_000), told)
    assert len(tripped) == len(Breaker)
    for empty in ("", "  "):
        with pytest.raises(ReasonNeeded):
            reset(state, breaker, at=later(2), reason=empty)
    open_again, done = reset(state, breaker, at=later(2), reason=" I looked at it. ")
    assert done is not None
    assert (done.trip, done.at, done.reason) == (state.tripped[breaker], later(2), "I looked at it.")
    assert set(open_again.tripped) == set(Breaker) - {breaker}
    after, trips = observe(open_again, replace(told, at=later(3)), PROFILE)  # the same facts, delivered again
    assert trips == ()
    assert set(after.tripped) == set(Breaker) - {breaker}


def test_a_reset_of_what_did_not_trip_changes_nothing() -> None:
    state, _ = through(at(0, 10_000), at(1, 9_900))
    for breaker in Breaker:
        assert reset(state, breaker, at=later(2), reason="Just so.") == (state, None)


def test_a_reset_drawdown_counts_from_the_equity_of_then() -> None:
    state, _ = through(at(0, 10_000), at(1, 9_500), chosen=PATIENT)
    state, _ = reset(state, Breaker.DRAWDOWN, at=later(2), reason="Go on.")
    assert state.high_water_mark == 9_500
    assert observe(state, at(3, "9025.01"), PATIENT)[1] == ()
    assert [one.breaker for one in observe(state, at(3, 9_025), PATIENT)[1]] == [Breaker.DRAWDOWN]


def test_a_reset_daily_loss_counts_from_the_equity_of_then() -> None:
    state, _ = through(at(0, 10_000), at(1, 9_800))
    state, _ = reset(state, Breaker.DAILY_LOSS, at=later(2), reason="Go on.")
    assert (state.daily_loss, state.day_profit) == (0, 0)
    assert observe(state, at(3, "9604.01"), PROFILE)[1] == ()
    assert [one.breaker for one in observe(state, at(3, 9_604), PROFILE)[1]] == [Breaker.DAILY_LOSS]


def test_old_news_of_the_equity_moves_no_mark() -> None:
    state, _ = through(at(0, 10_000), at(10, 9_900))
    late, trips = observe(state, at(5, 20_000, 3, day=-1), PROFILE)
    assert (late, trips) == (state, ())


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version must be 1, was 9"):
        from_json(to_json(BreakerState()) | {"version": 9})


def test_the_day_is_a_date_of_the_account_s_clock() -> None:
    """A replay that begins anew shows an earlier date: that is a new day too."""
    state, _ = through(at(0, 10_000), at(1, 9_700))
    state, _ = observe(state, Facts(later(2), date(2020, 1, 1), D(9_700)), PROFILE)
    assert Breaker.DAILY_LOSS not in state.tripped
