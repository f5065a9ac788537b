"""The risk rules: a table of what each lets through, and the laws that hold for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.risk import AccountState, Limits, Market, Proposal, judge

D = Decimal

LIMITS = Limits(max_position_share=D("0.5"), max_daily_loss_share=D("0.02"))
MARKET = Market(
    running=True,
    short_allowed=False,
    min_notional=D(5),
    price_age=timedelta(seconds=2),
    price_age_limit=timedelta(seconds=60),
    currency="USDT",
)
STATE = AccountState(
    equity=D(10_000), gross=D(0), gross_here=D(0), reserved=D(0), reserved_here=D(0), day_start_equity=D(10_000)
)
BUY = Proposal(quantity=D(40), held=D(0), price=D(100), mark=D(100), fee_rate=D("0.001"))


def test_an_ordinary_order_is_accepted() -> None:
    assert judge(BUY, STATE, LIMITS, MARKET).accepted


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"market": {"running": False}}, "not-running", "The deployment is not running."),
        (
            {"market": {"price_age": timedelta(seconds=61)}},
            "stale-price",
            "The newest price is 61 s old; the limit is 60 s.",
        ),
        ({"market": {"price_age": None}}, "stale-price", "There is no price yet; one of the last 60 s is needed."),
        (
            {"proposal": {"quantity": D(-1)}},
            "short-not-allowed",
            "The order would leave 1 short; this instrument cannot be sold short.",
        ),
        (
            {"proposal": {"quantity": D("0.0499")}},
            "below-minimum",
            "The order is worth 4.99 USDT; the smallest is 5.00 USDT.",
        ),
        (
            {"state": {"gross": D(6_000)}},
            "buying-power",
            "The order needs 4,004.00 USDT; 4,000.00 USDT is free.",
        ),
        (
            {"state": {"reserved": D(5_997)}},
            "buying-power",
            "The order needs 4,004.00 USDT; 4,003.00 USDT is free.",
        ),
        (
            {"proposal": {"quantity": D("62.1")}},
            "maximum-position",
            "Position would be 62.1 % of equity; the limit is 50.0 %.",
        ),
        (
            {"state": {"gross": D(1_001), "gross_here": D(1_001)}},
            "maximum-position",
            "Position would be 50.1 % of equity; the limit is 50.0 %.",
        ),
        (
            {"state": {"reserved": D(1_001), "reserved_here": D(1_001)}},
            "maximum-position",
            "Position would be 50.1 % of equity; the limit is 50.0 %.",
        ),
        (
            {"state": {"equity": D(9_800)}},
            "daily-loss",
            "The account lost 2.0 % today (200.00 USDT); the limit is 2.0 %.",
        ),
    ],
)
def test_each_rule_rejects_with_its_numbers(change: dict, code: str, reason: str) -> None:
    rejection = judge(
        replace(BUY, **change.get("proposal", {})),
        replace(STATE, **change.get("state", {})),
        LIMITS,
        replace(MARKET, **change.get("market", {})),
    ).rejection
    assert rejection is not None
    assert (rejection.code, rejection.reason) == (code, reason)


def test_the_limits_themselves_are_allowed() -> None:
    at_position_limit = replace(BUY, quantity=D(50))
    assert judge(at_position_limit, STATE, LIMITS, MARKET).accepted
    assert judge(BUY, replace(STATE, gross=D(5_996)), LIMITS, MARKET).accepted
    assert judge(BUY, replace(STATE, equity=D("9800.01")), LIMITS, MARKET).accepted


def test_a_short_is_allowed_where_the_instrument_is_made_for_it() -> None:
    assert judge(replace(BUY, quantity=D(-40)), STATE, LIMITS, replace(MARKET, short_allowed=True)).accepted


def test_a_remainder_below_the_minimum_can_be_closed_whole_but_not_in_part() -> None:
    held = replace(BUY, held=D("0.04"), quantity=D("-0.04"))
    assert judge(held, STATE, LIMITS, MARKET).accepted
    part = judge(replace(held, quantity=D("-0.03")), STATE, LIMITS, MARKET).rejection
    assert part is not None
    assert part.code == "below-minimum"


positive = st.decimals("0.01", "1000", places=2)
amounts = st.decimals("0", "20000", places=2)
states = st.builds(AccountState, amounts, amounts, amounts, amounts, amounts, amounts)
limits = st.builds(Limits, st.decimals("0.01", "1", places=4), st.decimals("0.01", "1", places=4))


@given(st.decimals("-50", "50", places=3).filter(bool), st.decimals("0", "1", places=4), positive, states, limits)
def test_what_only_closes_is_never_stopped_by_money_size_or_loss(
    held: Decimal, share: Decimal, mark: Decimal, state: AccountState, limits: Limits
) -> None:
    closing = -held * share
    proposal = Proposal(quantity=closing, held=held, price=mark, mark=mark, fee_rate=D("0.001"))
    rejection = judge(proposal, state, limits, replace(MARKET, min_notional=D(0))).rejection
    assert rejection is None


@given(
    st.decimals("-200", "200", places=2).filter(bool),
    st.decimals("-50", "50", places=2),
    positive,
    st.decimals("0", "0.05", places=3),
    amounts,
    limits,
)
def test_what_is_accepted_ends_within_every_limit(
    quantity: Decimal, held: Decimal, mark: Decimal, slip: Decimal, equity: Decimal, limits: Limits
) -> None:
    """The account holds ``held`` and nothing else; the accepted order fills at its price."""
    price = mark * (1 + slip if quantity > 0 else 1 - slip)
    proposal = Proposal(quantity=quantity, held=held, price=price, mark=mark, fee_rate=D("0.001"))
    gross = abs(held) * mark
    state = AccountState(equity, gross, gross, D(0), D(0), equity)
    market = replace(MARKET, short_allowed=True, min_notional=D(0))
    if not judge(proposal, state, limits, market).accepted or not proposal.opening:
        return
    after = held + quantity
    worth = equity - quantity * (price - mark) - proposal.notional * proposal.fee_rate
    assert abs(after) * mark <= limits.max_position_share * equity
    assert worth - abs(after) * mark >= 0


@given(states, limits, positive)
def test_nothing_opens_after_the_day_s_loss(state: AccountState, limits: Limits, quantity: Decimal) -> None:
    loss = state.day_start_equity - state.equity
    if loss < limits.max_daily_loss_share * state.day_start_equity:
        return
    assert not judge(replace(BUY, quantity=quantity), state, limits, MARKET).accepted
