"""How large a position may be: never more than asked, the smallest cap decides, and the rules accept it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.risk.checks import check_all
from trading.risk.findings import Status
from trading.risk.profile import profile
from trading.risk.situation import AccountState, Exposure, MarketState, Proposal, Situation
from trading.risk.sizing import Cap, Room, Wish, size, stop_price

D = Decimal
PROFILE = profile(5)
WISH = Wish(
    target=D(1), allocation=D("0.04"), price=D(100), mark=D(100), fee_rate=D(0), tick=D("0.01"), lot=D("0.01"), atr=D(2)
)
ROOM = Room(equity=D(10_000))


def sized(room: Room = ROOM, appetite: int = 5, **wish: object) -> tuple[Decimal, Cap]:
    answer = size(replace(WISH, **wish), room, profile(appetite))  # type: ignore[arg-type]
    return answer.quantity, answer.bound_by


def test_with_room_it_is_what_was_asked_for() -> None:
    assert sized() == (4, Cap.ALLOCATION)
    assert sized(target=D(-1)) == (-4, Cap.ALLOCATION)
    assert sized(target=D("0.5")) == (2, Cap.ALLOCATION)
    assert sized(target=D(0)) == (0, Cap.ALLOCATION)


def test_fee_and_slippage_are_part_of_what_it_costs() -> None:
    fine = {"fee_rate": D("0.001"), "lot": D("0.0001")}
    assert sized(price=D("100.05"), **fine) == (D("3.994"), Cap.ALLOCATION)  # a unit costs 100.15005
    assert sized(target=D(-1), price=D("99.95"), **fine) == (D("-3.994"), Cap.ALLOCATION)  # 100.14995
    assert sized(price=D("99.95"), **fine) == (D("3.996"), Cap.ALLOCATION)  # a better price is no money yet: 100.09995


def test_a_quotient_is_not_rounded_up_to_a_lot_that_cannot_be_paid_for() -> None:
    """Three units cost 1e-26 more than there is, which 28 digits of a quotient do not show."""
    unit, there = D("33.33333333333333333333"), D("99.99999999999999999998999999")
    assert there < 3 * unit
    assert there / unit == 3
    whole = replace(WISH, allocation=D(1), price=unit, mark=unit, lot=D(3), atr=None)
    wide = profile(5, {"maximum_position": 1, "exposure_symbol": 1})
    assert size(whole, Room(there), wide).quantity == 0
    assert size(whole, Room(3 * unit), wide).quantity == 3


@pytest.mark.parametrize(
    ("room", "quantity", "cap"),
    [
        (Room(D(10_000), Exposure(waiting=D(200))), 3, Cap.POSITION),
        (Room(D(10_000), Exposure(symbol=D(450))), 3, Cap.EXPOSURE_SYMBOL),
        (Room(D(10_000), Exposure(sector=D(1_700))), 3, Cap.EXPOSURE_SECTOR),
        (Room(D(10_000), Exposure(cluster=D(1_300))), 3, Cap.EXPOSURE_CLUSTER),
        (Room(D(10_000), gross=D(9_700)), 3, Cap.LEVERAGE),
        (Room(D(10_000), gross=D(99_999)), 0, Cap.LEVERAGE),
        (Room(D(0)), 0, Cap.ALLOCATION),
        (Room(D(-50)), 0, Cap.ALLOCATION),
    ],
)
def test_each_cap_leaves_its_room(room: Room, quantity: int, cap: Cap) -> None:
    assert sized(room)[0] == quantity
    assert room.equity <= 0 or sized(room)[1] == cap


def test_the_risk_at_the_stop_bounds_it() -> None:
    # 50 may be lost, 3.5 × 4 a unit.
    assert sized(atr=D(4)) == (D("3.57"), Cap.RISK)
    assert sized(atr=D(4), point_value=D("0.5"), allocation=D("0.03")) == (6, Cap.ALLOCATION)
    assert sized(atr=D(8), point_value=D("0.5")) == (D("3.57"), Cap.RISK)
    # The entry is worse than the mark, so more is lost at the stop.
    assert sized(atr=D(4), price=D("100.5")) == (D("3.44"), Cap.RISK)


@pytest.mark.parametrize(
    ("wish", "stop"),
    [
        ({}, "93"),
        ({"target": D(-1)}, "107"),
        ({"stop": D(95)}, "95"),  # nearer than the profile's
        ({"stop": D(90)}, "93"),  # further
        ({"stop": D(101)}, "93"),  # on the wrong side is none
        ({"target": D(-1), "stop": D(104)}, "104"),
        ({"target": D(-1), "stop": D(99)}, "107"),
        ({"atr": None, "stop": D(60)}, "60"),
        ({"atr": None}, None),
        ({"atr": D(0)}, None),
        ({"target": D(0)}, None),
        ({"atr": D("0.333"), "tick": D("0.01")}, "98.84"),  # 98.8345: towards the price
        ({"atr": D("0.333"), "tick": D("0.01"), "target": D(-1)}, "101.16"),
        ({"atr": D("0.0001")}, "99.99"),  # a tick away at least
        ({"atr": D("0.0001"), "target": D(-1)}, "100.01"),
        ({"atr": D("0.0001"), "price": D(99)}, "98.99"),  # from what the order gets, where that is better
        ({"atr": D("0.0001"), "price": D(101), "target": D(-1)}, "101.01"),
        ({"stop": D("99.5"), "price": D(99)}, "93"),
        ({"atr": D(50)}, "0.01"),  # no price is lower
    ],
)
def test_the_stop_is_the_nearer_one_and_on_the_tick(wish: dict[str, Decimal], stop: str | None) -> None:
    assert stop_price(replace(WISH, **wish), PROFILE) == (None if stop is None else D(stop))


def test_a_stop_that_cannot_be_below_one_tick_puts_everything_at_risk() -> None:
    quantity, cap = sized(atr=D(50))
    assert (quantity, cap) == (D("0.5"), Cap.RISK)


def test_a_bad_regime_leaves_a_part() -> None:
    assert sized(is_bad_regime=True) == (2, Cap.REGIME)
    assert sized(is_bad_regime=True, appetite=1) == (0, Cap.REGIME)
    assert sized(is_bad_regime=True, appetite=10) == (4, Cap.ALLOCATION)


@pytest.mark.parametrize(
    ("appetite", "target", "trades"),
    [(5, "0.4", True), (5, "0.39", False), (3, "0.52", True), (3, "0.51", False), (1, "0.8", True), (1, "0.79", False)],
)
def test_careful_profiles_trade_strong_signals_alone(appetite: int, target: str, trades: bool) -> None:
    for sign in (1, -1):
        quantity, cap = sized(appetite=appetite, target=sign * D(target), threshold=D("0.4"))
        assert bool(quantity) == trades
        assert (cap == Cap.SIGNAL) == (not trades)


def test_a_full_signal_is_strong_enough_for_everybody() -> None:
    assert sized(appetite=1, threshold=D("0.9"))[0] > 0


def test_every_cap_is_told_whether_or_not_it_binds() -> None:
    answer = size(replace(WISH, is_bad_regime=True), Room(D(10_000), Exposure(sector=D(0), cluster=D(0))), PROFILE)
    assert set(answer.caps) == set(Cap) - {Cap.SIGNAL}
    assert answer.caps[Cap.POSITION] == 5
    assert answer.caps[Cap.EXPOSURE_CLUSTER] == 16
    assert answer.stop == 93


used = st.just(D(0)) | st.decimals("0", "2000", places=2)
wishes = st.builds(
    Wish,
    target=st.decimals("-1", "1", places=2),
    allocation=st.decimals("0.01", "1", places=2),
    price=st.decimals("90", "110", places=2),
    mark=st.just(D(100)),
    fee_rate=st.decimals("0", "0.01", places=4),
    tick=st.sampled_from((D("0.01"), D("0.25"))),
    lot=st.sampled_from((D("0.001"), D("0.3"), D(1))),
    point_value=st.sampled_from((D(1), D("0.3"), D("7.1"))),
    threshold=st.decimals("0", "1", places=1),
    atr=st.none() | st.decimals("0.01", "60", places=2),
    stop=st.none() | st.decimals("1", "200", places=2),
    is_bad_regime=st.booleans(),
)
rooms = st.builds(
    Room, st.decimals("-100", "1000000", places=2), st.builds(Exposure, used, used, st.none() | used, st.none() | used), used
)


@given(wishes, rooms, st.integers(1, 10))
def test_it_is_never_more_than_was_asked_for_and_on_the_lot(wish: Wish, room: Room, appetite: int) -> None:
    answer = size(wish, room, profile(appetite))
    assert abs(answer.quantity) * wish.price * wish.point_value <= abs(wish.target) * wish.allocation * max(room.equity, 0) or (
        wish.target < 0
        and abs(answer.quantity) * wish.mark * wish.point_value <= abs(wish.target) * wish.allocation * max(room.equity, 0)
    )
    assert answer.quantity * wish.target >= 0
    assert answer.quantity % wish.lot == 0
    assert abs(answer.quantity) <= min(answer.caps.values()) < abs(answer.quantity) + wish.lot
    assert answer.caps[answer.bound_by] == min(answer.caps.values())


@given(wishes, rooms, st.integers(1, 10))
def test_what_is_sized_is_not_refused_for_its_size(wish: Wish, room: Room, appetite: int) -> None:
    chosen = profile(appetite)
    answer = size(wish, room, chosen)
    if not answer.quantity:
        return
    proposal = Proposal(answer.quantity, D(0), wish.price, wish.mark, wish.fee_rate, stop=answer.stop)
    account = AccountState("USD", room.equity, gross=room.gross, lending=D(10))
    market = MarketState(wish.tick, wish.lot, "USD", wish.mark, timedelta(0), point_value=wish.point_value, short_allowed=True)
    results = {one.code: one.status for one in check_all(proposal, Situation(account, market, room.exposure), chosen)}
    sizes = {
        "not-sendable", "maximum-position", "stop-wrong-side", "risk-per-trade", "exposure-symbol", "exposure-sector",
        "exposure-cluster", "leverage",
    }  # fmt: skip
    assert not {code for code in sizes if results[code] == Status.REFUSED}


@given(wishes, rooms, st.integers(1, 9))
def test_a_bolder_profile_never_gives_less(wish: Wish, room: Room, appetite: int) -> None:
    if wish.atr is not None and wish.atr < 20 * wish.tick:
        return  # a stop rounded to a coarse tick may move by more than from one column to the next
    careful, bold = size(wish, room, profile(appetite)), size(wish, room, profile(appetite + 1))
    assert abs(careful.quantity) <= abs(bold.quantity)
