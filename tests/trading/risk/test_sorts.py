"""Who is exempt from what: opening, closing, protection and panic; and the laws that hold for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.risk.situations import AT, BUY, PROFILE, SITUATION, changed, lived
from trading.risk.breakers import ClosedTrade, Failure, FailureKind
from trading.risk.checks import judge
from trading.risk.profile import profile
from trading.risk.situation import AccountState, Exposure, MarketState, Proposal, Purpose, Situation, Sort
from trading.risk.states import TradingState, strictest

D = Decimal
CLOSE = replace(BUY, quantity=D(-40), held=D(40), stop=None)
RUINED = changed(
    account={
        "equity": D(-5), "gross": D(10**6), "broker_buying_power": D(0), "open_positions": 10**4, "orders_last_minute": 10**4
    },
    exposure={"waiting": D(10**6), "symbol": D(10**6), "sector": D(10**6), "cluster": D(10**6)},
    breakers=lived(
        10_000,
        1,
        closed=tuple(ClosedTrade(AT, str(n), D(-1)) for n in range(20)),
        failures=tuple(Failure(AT, str(n), FailureKind.ERROR) for n in range(20)),
    ),
    sentiment=D(0),
)  # fmt: skip


def code(proposal: Proposal, situation: Situation = SITUATION) -> str | None:
    rejection = judge(proposal, situation, PROFILE).rejection
    return None if rejection is None else rejection.code


def for_(purpose: Purpose, proposal: Proposal = CLOSE) -> Proposal:
    return replace(proposal, purpose=purpose)


@pytest.mark.parametrize(
    ("proposal", "sort"),
    [
        (BUY, Sort.OPENING),
        (CLOSE, Sort.CLOSING),
        (replace(CLOSE, quantity=D(-1)), Sort.CLOSING),
        (replace(CLOSE, quantity=D(-41)), Sort.OPENING),
        (for_(Purpose.PROTECT), Sort.PROTECTIVE),
        (for_(Purpose.PANIC), Sort.PANIC),
        (for_(Purpose.PROTECT, BUY), Sort.OPENING),  # nobody opens under another name
        (for_(Purpose.PANIC, replace(CLOSE, quantity=D(-41))), Sort.OPENING),
    ],
)
def test_what_opens_is_opening_whatever_it_is_for(proposal: Proposal, sort: Sort) -> None:
    assert proposal.sort == sort


def test_size_money_and_loss_hold_nobody_in_a_position() -> None:
    assert code(BUY, RUINED) == "buying-power"
    for proposal in (CLOSE, replace(CLOSE, quantity=D(-1)), for_(Purpose.PROTECT), for_(Purpose.PANIC)):
        assert code(proposal, RUINED) is None


@pytest.mark.parametrize(
    ("situation", "refuses"),
    [
        (changed(market={"is_connected": False}), "disconnected"),
        (changed(market={"price_age": timedelta(hours=1)}), "stale-price"),
        (changed(market={"price_age": None, "last": None}), "stale-price"),
        (changed(is_running=False), "not-running"),
        (changed(platform_state=TradingState.HALTED), "halted"),
        (changed(market={"is_open": False}), "market-closed"),
        (changed(account={"day_trades": 3}, market={"opened_today": D(40)}), "pattern-day-trader"),
    ],
)
def test_closing_needs_a_way_and_a_right_to_trade_and_protection_and_panic_do_not(situation: Situation, refuses: str) -> None:
    assert code(CLOSE, situation) == refuses
    assert code(for_(Purpose.PROTECT), situation) is None
    assert code(for_(Purpose.PANIC), situation) is None


def test_where_only_closing_is_allowed_closing_is() -> None:
    reducing = changed(deployment_state=TradingState.REDUCE_ONLY, account={"state": TradingState.REDUCE_ONLY})
    assert code(BUY, reducing) == "reduce-only"
    assert code(CLOSE, reducing) is None


def test_a_limit_that_closes_needs_no_fresh_price_but_no_mistyped_one_either() -> None:
    stale = changed(market={"price_age": timedelta(hours=1)})
    assert code(CLOSE, stale) == "stale-price"
    assert code(replace(CLOSE, limit_price=D(105)), stale) is None
    assert code(replace(CLOSE, limit_price=D("98.99"))) == "price-collar"
    assert code(replace(CLOSE, price=D(90))) is None  # at market, however thin it is
    assert code(replace(CLOSE, trigger_price=D(90), price=D(90)), stale) is None  # a stop order asks for no price of now


def test_not_even_panic_sends_what_no_venue_takes() -> None:
    dust = replace(CLOSE, held=D("40.00005"), quantity=D("-40.00005"))
    for purpose in Purpose:
        assert code(for_(purpose, dust)) == "not-sendable"


def test_a_remainder_below_the_minimum_is_closed_whole_but_not_in_part() -> None:
    small = replace(CLOSE, held=D("0.04"), quantity=D("-0.04"))
    assert code(small) is None
    assert code(replace(small, quantity=D("-0.03"))) == "below-minimum"
    assert code(for_(Purpose.PANIC, replace(small, quantity=D("-0.03")))) is None


def test_a_reversal_is_judged_by_the_part_that_opens() -> None:
    """From 40 long to as much short: half of equity is at work afterwards, not nine tenths."""
    held = changed(account={"gross": D(4_000)}, exposure={"symbol": D(4_000)}, market={"short_allowed": True})
    reversal = replace(BUY, held=D(40), quantity=D(-80), stop=D(101))
    assert code(reversal, held) is None
    assert code(replace(reversal, quantity=D("-90.0001")), held) == "maximum-position"
    assert code(reversal, changed(account={"gross": D(4_000)})) == "short-not-allowed"


def test_a_reversal_is_paid_with_what_it_closes() -> None:
    """All of 10,000 is tied up, 4,000 of it in the position: as much may be short afterwards, but for the fee."""
    full = changed(account={"gross": D(10_000)}, market={"short_allowed": True})
    reversal = replace(BUY, held=D(40), stop=None, fee_rate=D(0))
    assert code(replace(reversal, quantity=D(-80)), full) is None
    assert code(replace(reversal, quantity=D("-80.0001")), full) == "buying-power"
    assert code(replace(reversal, quantity=D(-80), fee_rate=D("0.001")), full) == "buying-power"


def test_the_closing_half_of_a_reversal_passes_where_the_whole_does_not() -> None:
    reversal = replace(BUY, held=D(40), quantity=D(-80), stop=D(101))
    assert code(reversal, RUINED) == "buying-power"
    half = reversal.closing_half()
    assert (half.quantity, half.after, half.sort) == (-40, 0, Sort.CLOSING)
    assert code(half, RUINED) is None
    assert CLOSE.closing_half() == CLOSE
    assert BUY.closing_half() == BUY


@pytest.mark.parametrize("one", TradingState)
@pytest.mark.parametrize("other", TradingState)
def test_the_strictest_state_holds_in_any_order(one: TradingState, other: TradingState) -> None:
    order = [TradingState.ACTIVE, TradingState.REDUCE_ONLY, TradingState.HALTED]
    assert strictest(one, other) == strictest(other, one) == order[max(order.index(one), order.index(other))]
    assert strictest(one) == strictest(one, TradingState.ACTIVE) == one


def test_where_nobody_says_anything_trading_is_on() -> None:
    assert strictest() == TradingState.ACTIVE


# -- laws -------------------------------------------------------------------------------------------------------------

amounts = st.decimals("-5000", "50000", places=2)
used = st.decimals("0", "50000", places=2)
sizes = st.decimals("-200", "200", places=2)
prices = st.decimals("0.01", "1000", places=2)
appetites = st.integers(1, 10).map(profile)
accounts = st.builds(
    AccountState, st.just("USD"), amounts, used, used, broker_buying_power=st.none() | amounts,
    open_positions=st.integers(0, 50), orders_last_minute=st.integers(0, 100), is_margin=st.booleans(),
)  # fmt: skip
exposures = st.builds(Exposure, used, used, st.none() | used, st.none() | used)
situations = st.builds(
    Situation,
    accounts,
    st.just(SITUATION.market),
    exposures,
    st.builds(lived, st.just(10_000), st.integers(0, 12_000)),
    sentiment=st.none() | st.decimals(0, 100, places=0),
)


@given(sizes.filter(bool), st.decimals("0", "1", places=2), prices, situations, appetites, st.sampled_from(Purpose))
def test_what_only_closes_is_never_stopped_by_money_size_or_loss(held, share, mark, situation, chosen, purpose) -> None:
    quantity = -(held * share).quantize(D("0.0001"))
    if not quantity:
        return
    proposal = Proposal(quantity, held, mark, mark, D("0.001"), purpose=purpose)
    situation = replace(situation, market=replace(situation.market, min_notional=D(0)))
    assert judge(proposal, situation, chosen).rejection is None


@given(
    sizes.filter(bool), sizes, prices, st.decimals("0", "0.05", places=3), st.none() | prices, amounts, used, exposures,
    appetites,
)  # fmt: skip
def test_what_is_accepted_ends_within_every_limit(
    quantity, held, mark, slip, stop, equity, others, exposure, chosen
):  # fmt: skip
    """The account holds ``held`` and ``others``; the accepted order fills at its price."""
    price = mark * (1 + slip if quantity > 0 else 1 - slip)
    proposal = Proposal(quantity, held, price, mark, D("0.001"), stop=stop)
    if proposal.sort != Sort.OPENING:
        return
    here = abs(held) * mark
    account = AccountState("USD", equity, gross=here + others, lending=D(3))
    market = MarketState(D("0.01"), D("0.01"), "USD", mark, timedelta(0), short_allowed=True)
    around = replace(exposure, waiting=D(0), symbol=here + exposure.symbol)
    if not judge(proposal, Situation(account, market, around), chosen).accepted:
        return
    after = abs(held + quantity) * mark
    assert after <= chosen.maximum_position * equity
    assert after + exposure.symbol <= chosen.exposure_symbol * equity
    assert after + others <= chosen.leverage * equity
    assert stop is None or abs(held + quantity) * abs(price - stop) <= chosen.risk_per_trade * equity
    lost = abs(quantity * (price - mark)) + abs(quantity) * price * D("0.001")
    assert after + others + lost <= 3 * equity


@given(situations, sizes.filter(bool), st.integers(1, 9), prices)
def test_what_a_careful_profile_accepts_a_bolder_one_does_too(situation, quantity, appetite, mark) -> None:
    proposal = Proposal(quantity, D(0), mark, mark, D("0.001"))
    situation = replace(situation, market=replace(situation.market, last=mark, short_allowed=True))
    if judge(proposal, situation, profile(appetite)).accepted:
        assert judge(proposal, situation, profile(appetite + 1)).accepted
