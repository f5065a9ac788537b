"""Each rule below, at and above its limit, with the sentence and the numbers of its refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.risk.situations import AT, BUY, PROFILE, SITUATION, changed, lived
from trading.risk.breakers import BreakerState, ClosedTrade, Failure, FailureKind
from trading.risk.checks import RULES, check_all, judge
from trading.risk.findings import Status
from trading.risk.numbers import Unit
from trading.risk.profile import profile
from trading.risk.situation import AccountState, MarketState, Proposal, Situation
from trading.risk.states import TradingState

D = Decimal
CODES = [rule.code for rule in RULES]
Given = tuple[Proposal, Situation]


def buy(**fields: Any) -> Proposal:
    return replace(BUY, **fields)


def sell_today(quantity: str = "-40", held: str = "40") -> Proposal:
    return buy(quantity=D(quantity), held=D(held))


def losses(count: int) -> tuple[ClosedTrade, ...]:
    return tuple(ClosedTrade(AT + timedelta(seconds=n), f"trade {n}", D(-1)) for n in range(count))


def failures(count: int) -> tuple[Failure, ...]:
    return tuple(Failure(AT, f"failure {n}", FailureKind.ERROR) for n in range(count))


OPENED_TODAY = {"opened_today": D(40)}

# Code, the situation that a value makes, values that pass, values that do not, and the sentence of the first of these.
LIMITS: list[tuple[str, Callable[[Any], Given], list[Any], list[Any], str]] = [
    (
        "not-sendable",
        lambda quantity: (buy(quantity=D(quantity)), SITUATION),
        ["40", "40.0001", "39.9999"],
        ["40.00005", "39.99995"],
        "The quantity 40.00005 is not a multiple of the lot, 0.0001.",
    ),
    (
        "not-sendable",
        lambda limit: (buy(limit_price=D(limit)), SITUATION),
        ["100", "100.01", "0.01"],
        ["100.005", "0", "-1"],
        "The price 100.005 is not a multiple of the tick, 0.01, above 0.",
    ),
    (
        "not-sendable",
        lambda trigger: (buy(trigger_price=D(trigger)), SITUATION),
        ["100", "100.01"],
        ["100.011"],
        "The price 100.011 is not a multiple of the tick, 0.01, above 0.",
    ),
    ("not-sendable", lambda size: (buy(quantity=D(size)), SITUATION), ["1"], ["0"], "The order has no quantity."),
    (
        "disconnected",
        lambda connected: (BUY, changed(market={"is_connected": connected})),
        [True],
        [False],
        "There is no connection to the broker.",
    ),
    (
        "stale-price",
        lambda age: (BUY, changed(market={"price_age": timedelta(seconds=age)})),
        [59.9, 60],
        [60.1, 61],
        "The newest price is 60.1 s old; the limit is 60 s.",
    ),
    (
        "stale-price",
        lambda age: (BUY, changed(market={"price_age": timedelta(seconds=age), "price_interval": timedelta(minutes=5)})),
        [360],
        [361],
        "The newest price is 361 s old; the limit is 360 s.",
    ),
    (
        "stale-price",
        lambda age: (BUY, changed(market={"price_age": age})),
        [timedelta(0)],
        [None],
        "There is no price yet; one of the last 60 s is needed.",
    ),
    ("not-running", lambda on: (BUY, changed(is_running=on)), [True, None], [False], "The deployment is not running."),
    (
        "reduce-only",
        lambda state: (BUY, changed(account={"state": state})),
        [TradingState.ACTIVE],
        [TradingState.REDUCE_ONLY],
        "The account may only close positions.",
    ),
    (
        "reduce-only",
        lambda state: (BUY, changed(deployment_state=state)),
        [TradingState.ACTIVE],
        [TradingState.REDUCE_ONLY],
        "The deployment may only close positions.",
    ),
    (
        "halted",
        lambda state: (BUY, changed(platform_state=state, account={"state": TradingState.ACTIVE})),
        [TradingState.ACTIVE],
        [TradingState.HALTED],
        "Trading is halted on the platform.",
    ),
    (
        "halted",  # the strictest of the three
        lambda state: (BUY, changed(account={"state": state}, deployment_state=TradingState.ACTIVE)),
        [TradingState.ACTIVE],
        [TradingState.HALTED],
        "Trading is halted for this account.",
    ),
    (
        "buying-power",  # 4,000 and 4 for the fee
        lambda gross: (BUY, changed(account={"gross": D(gross), "reserved": D(1_000)})),
        ["4995.99", "4996"],
        ["4996.01", "6000"],
        "The order needs 4,004.00 USD; 4,003.99 USD is free.",
    ),
    (
        "buying-power",  # what the broker says, where it is less than what we count
        lambda free: (BUY, changed(account={"broker_buying_power": D(free)})),
        ["4004", "20000"],
        ["4003.99"],
        "The order needs 4,004.00 USD; 4,003.99 USD is free.",
    ),
    (
        "buying-power",  # a worse price is lost at once
        lambda price: (buy(price=D(price), fee_rate=D(0), stop=None), changed(account={"gross": D(5_980)})),
        ["100.5"],
        ["100.51"],
        "The order needs 4,020.40 USD; 4,020.00 USD is free.",
    ),
    (
        "breaker-daily-loss",
        lambda equity: (BUY, changed(breakers=lived(10_000, equity))),
        ["9800.01", "10100"],
        ["9800", "9799.99"],
        "The account lost 2.0 % today (200.00 USD); the limit is 2.0 %.",
    ),
    (
        "breaker-daily-loss",  # it stays tripped when the money comes back
        lambda low: (BUY, changed(breakers=lived(10_000, low, 10_000))),
        ["9800.01"],
        ["9800", "9700"],
        "The account lost 2.0 % earlier today; the limit was 2.0 %. Nothing is opened until its next day.",
    ),
    (
        "breaker-losses",
        lambda count: (BUY, changed(breakers=lived(10_000, closed=losses(count)))),
        [0, 2],
        [3, 4],
        "Losing trades in a row: 3; the limit is 3.",
    ),
    (
        "breaker-infrastructure",
        lambda count: (BUY, changed(breakers=lived(10_000, failures=failures(count)))),
        [0, 4],
        [5, 6],
        "Failures within 600 s: 5; the limit is 5.",
    ),
    (
        "pattern-day-trader",
        lambda count: (sell_today(), changed(account={"day_trades": count}, market=OPENED_TODAY)),
        [0, 2],
        [3, 4],
        "Day trades within five sessions would be 4; a margin account below 25,000.00 USD may make 3.",
    ),
    (
        "pattern-day-trader",
        lambda equity: (sell_today(), changed(account={"day_trades": 3, "equity": D(equity)}, market=OPENED_TODAY)),
        ["25000.01", "25000"],
        ["24999.99"],
        "Day trades within five sessions would be 4; a margin account below 25,000.00 USD may make 3.",
    ),
    (
        "pattern-day-trader",  # what was held overnight may go; a short that was opened today may not be bought back
        lambda opened: (sell_today("40", "-40"), changed(account={"day_trades": 3}, market={"opened_today": D(opened)})),
        ["0", "5"],
        ["-1"],
        "Day trades within five sessions would be 4; a margin account below 25,000.00 USD may make 3.",
    ),
    (
        "short-not-allowed",
        lambda quantity: (buy(quantity=D(quantity), held=D(2), stop=None), SITUATION),
        ["-1.9", "-2"],
        ["-2.1"],
        "The order would leave 0.1 short; this instrument cannot be sold short.",
    ),
    (
        "maximum-position",
        lambda quantity: (buy(quantity=D(quantity), stop=None), SITUATION),
        ["49.9", "50"],
        ["50.0001", "62.1"],
        "The position would be 50.0001 % of equity (5,000.01 USD); the limit is 50.0 %.",
    ),
    (
        "maximum-position",
        lambda waiting: (BUY, changed(exposure={"waiting": D(waiting)})),
        ["999", "1000"],
        ["1001"],
        "The position would be 50.01 % of equity (5,001.00 USD); the limit is 50.0 %.",
    ),
    (
        "stop-wrong-side",
        lambda stop: (buy(stop=D(stop)), SITUATION),
        ["99.99"],
        ["100", "101"],
        "The stop 100 is not below the price, 100.",
    ),
    (
        "stop-wrong-side",
        lambda stop: (buy(quantity=D(-40), stop=D(stop)), changed(market={"short_allowed": True})),
        ["100.01"],
        ["100", "99"],
        "The stop 100 is not above the price, 100.",
    ),
    (
        "risk-per-trade",  # 40 × 1.25 is half a percent of 10,000
        lambda stop: (buy(stop=D(stop)), SITUATION),
        ["98.76", "98.75"],
        ["98.74", "50"],
        "At its stop the position would lose 0.504 % of equity (50.40 USD); the limit is 0.5 %.",
    ),
    (
        "risk-per-trade",  # all of the position counts, not what is added to it
        lambda held: (buy(quantity=D(1), held=D(held), stop=D("98.75")), SITUATION),
        ["38", "39"],
        ["39.1"],
        "At its stop the position would lose 0.501 % of equity (50.13 USD); the limit is 0.5 %.",
    ),
    (
        "too-many-positions",
        lambda count: (BUY, changed(account={"open_positions": count})),
        [0, 5],
        [6, 7],
        "Open positions would be 7; the limit is 6.",
    ),
    (
        "exposure-symbol",
        lambda held: (BUY, changed(exposure={"symbol": D(held)})),
        ["1999", "2000"],
        ["2001"],
        "All positions in this symbol would be 60.01 % of equity (6,001.00 USD); the limit is 60.0 %.",
    ),
    (
        "exposure-sector",
        lambda held: (BUY, changed(exposure={"sector": D(held)})),
        ["2999", "3000"],
        ["3001"],
        "All positions in this sector would be 70.01 % of equity (7,001.00 USD); the limit is 70.0 %.",
    ),
    (
        "exposure-cluster",
        lambda held: (BUY, changed(exposure={"cluster": D(held)})),
        ["3999", "4000"],
        ["4001"],
        "All positions that move with this one would be 80.01 % of equity (8,001.00 USD); the limit is 80.0 %.",
    ),
    (
        "leverage",
        lambda gross: (BUY, changed(account={"gross": D(gross), "reserved": D(500), "lending": D(2)})),
        ["5499", "5500"],
        ["5501"],
        "All positions would be 1.0001× equity (10,001.00 USD); the limit is 1×.",
    ),
    (
        "price-collar",
        lambda limit: (buy(limit_price=D(limit)), SITUATION),
        ["50", "100.99", "101"],
        ["101.01", "150"],
        "The price 101.01 is 1.01 % worse than 100; the limit is 1.0 %.",
    ),
    (
        "price-collar",
        lambda limit: (buy(quantity=D(-40), stop=None, limit_price=D(limit)), changed(market={"short_allowed": True})),
        ["150", "99.01", "99"],
        ["98.99", "50"],
        "The price 98.99 is 1.01 % worse than 100; the limit is 1.0 %.",
    ),
    (
        "price-collar",  # what a market order is expected to get
        lambda price: (buy(price=D(price), quantity=D(10)), SITUATION),
        ["101"],
        ["101.01"],
        "The price 101.01 is 1.01 % worse than 100; the limit is 1.0 %.",
    ),
    (
        "price-collar",  # a stop order is sent when the price is at its trigger
        lambda limit: (buy(quantity=D(10), price=D(110), trigger_price=D(110), limit_price=D(limit), stop=None), SITUATION),
        ["110", "111.1"],
        ["111.11"],
        "The price 111.11 is 1.01 % worse than 110; the limit is 1.0 %.",
    ),
    (
        "order-rate",
        lambda count: (BUY, changed(account={"orders_last_minute": count})),
        [0, 9],
        [10, 11],
        "Orders within a minute would be 11; the limit is 10.",
    ),
    (
        "below-minimum",
        lambda quantity: (buy(quantity=D(quantity)), SITUATION),
        ["0.0501", "0.05"],
        ["0.0499"],
        "The order is worth 4.99 USD; the smallest is 5.00 USD.",
    ),
    ("market-closed", lambda on: (BUY, changed(market={"is_open": on})), [True, None], [False], "The market is closed."),
    (
        "extreme-fear",
        lambda index: (BUY, changed(sentiment=index)),
        [D(21), D(20), None],
        [D("19.9"), D(0)],
        "The sentiment index is 19.9; nothing is bought below 20.",
    ),
]


def test_an_ordinary_order_is_accepted_and_everything_is_checked() -> None:
    verdict = judge(BUY, SITUATION, PROFILE)
    assert verdict.accepted
    assert verdict.not_checked == ()


@pytest.mark.parametrize(
    ("code", "given", "passing", "refused", "sentence"),
    LIMITS,
    ids=[f"{code}, {passing[-1]}" for code, _, passing, *_ in LIMITS],
)
def test_each_rule_at_its_limit(
    code: str, given: Callable[[Any], Given], passing: list[Any], refused: list[Any], sentence: str
) -> None:
    for value in passing:
        verdict = judge(*given(value), PROFILE)
        assert verdict.accepted, (value, verdict.rejection and verdict.rejection.sentence)
    rejections = [judge(*given(value), PROFILE).rejection for value in refused]
    assert [rejection and rejection.code for rejection in rejections] == [code] * len(refused)
    assert rejections[0] is not None
    assert rejections[0].sentence == sentence


def test_the_drawdown_trips_at_its_limit() -> None:
    patient = profile(5, {"daily_loss": 1, "maximum_position": "0.5", "exposure_symbol": "0.5"} | WIDE)
    for equity in ("9500.01", "9800"):
        assert judge(BUY, changed(breakers=lived(10_000, equity, chosen=patient)), patient).accepted
    for equity in ("9500", "9499.99"):
        rejection = judge(BUY, changed(breakers=lived(10_000, equity, chosen=patient)), patient).rejection
        assert rejection is not None
        assert rejection.code == "breaker-drawdown"


WIDE = {"exposure_sector": "1", "exposure_cluster": "1"}


def test_every_rule_is_tried_at_its_limit() -> None:
    assert {code for code, *_ in LIMITS} | {"breaker-drawdown"} == set(CODES)


def test_the_rules_are_asked_in_this_order() -> None:
    assert CODES == [
        "not-sendable", "disconnected", "stale-price", "not-running", "reduce-only", "halted", "buying-power",
        "breaker-daily-loss", "breaker-drawdown", "breaker-losses", "breaker-infrastructure", "pattern-day-trader",
        "short-not-allowed", "maximum-position", "stop-wrong-side", "risk-per-trade", "too-many-positions",
        "exposure-symbol", "exposure-sector", "exposure-cluster", "leverage", "price-collar", "order-rate", "below-minimum",
        "market-closed", "extreme-fear",
    ]  # fmt: skip


def test_the_first_objection_is_the_verdict() -> None:
    several = changed(
        market={"is_connected": False, "price_age": None}, account={"equity": D(0), "open_positions": 50}, sentiment=D(0)
    )
    objecting = [result.code for result in check_all(BUY, several, PROFILE) if result.status == Status.REFUSED]
    assert objecting[0] == "disconnected"
    assert {"stale-price", "buying-power", "maximum-position", "too-many-positions", "extreme-fear"} <= set(objecting)
    rejection = judge(BUY, several, PROFILE).rejection
    assert rejection is not None
    assert rejection.code == "disconnected"


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        (TradingState.REDUCE_ONLY, TradingState.HALTED, "halted"),
        (TradingState.ACTIVE, TradingState.REDUCE_ONLY, "reduce-only"),
        (TradingState.HALTED, TradingState.REDUCE_ONLY, "halted"),
    ],
)
def test_the_strictest_of_deployment_account_and_platform_holds(one: TradingState, other: TradingState, code: str) -> None:
    for situation in (
        changed(deployment_state=one, platform_state=other),
        changed(deployment_state=one, account={"state": other}),
        changed(platform_state=one, account={"state": other}),
    ):
        rejection = judge(BUY, situation, PROFILE).rejection
        assert rejection is not None
        assert rejection.code == code


def test_what_nobody_knows_passes_and_is_listed() -> None:
    unknown = changed(
        sentiment=None, exposure={"sector": None, "cluster": None}, market={"is_open": None}, breakers=BreakerState()
    )
    verdict = judge(buy(stop=None), unknown, PROFILE)
    assert verdict.accepted
    assert verdict.not_checked == (
        "breaker-daily-loss", "breaker-drawdown", "breaker-losses", "breaker-infrastructure", "risk-per-trade",
        "exposure-sector", "exposure-cluster", "market-closed", "extreme-fear",
    )  # fmt: skip


def test_day_trades_matter_to_margin_accounts_in_us_stocks_alone() -> None:
    fourth = changed(account={"day_trades": 3}, market=OPENED_TODAY)
    for free in (
        replace(fourth, market=replace(fourth.market, is_us_stock=False)),
        replace(fourth, account=replace(fourth.account, is_margin=False)),
    ):
        assert judge(sell_today(), free, PROFILE).accepted
    unknown = judge(sell_today(), replace(fourth, account=replace(fourth.account, day_trades=None)), PROFILE)
    assert unknown.not_checked == ("pattern-day-trader",)


def test_a_second_position_is_not_counted_twice() -> None:
    full = changed(account={"open_positions": 6})
    assert judge(buy(quantity=D(1), held=D(1)), full, PROFILE).accepted  # an addition
    waiting = replace(full, exposure=replace(full.exposure, waiting=D(100)))  # it is one of the six already
    assert judge(buy(quantity=D(1)), waiting, PROFILE).accepted


def test_extreme_fear_holds_back_purchases_alone() -> None:
    afraid = changed(sentiment=D(0), market={"short_allowed": True})
    assert judge(buy(quantity=D(-40), stop=None), afraid, PROFILE).accepted


def test_without_equity_nothing_opens_and_the_numbers_can_be_said() -> None:
    for equity in (D(0), D(-100)):
        ruined = changed(account={"equity": equity, "lending": D(1), "broker_buying_power": None})
        refused = [one for one in check_all(BUY, ruined, PROFILE) if one.status == Status.REFUSED]
        assert [one.code for one in refused][:2] == ["buying-power", "maximum-position"]
        assert "∞ % of equity (4,000.00 USD)" in (refused[1].finding.sentence if refused[1].finding else "")


def test_a_contract_s_size_and_the_currency_s_rate_count() -> None:
    """Half of the money of 40 × 100: as if 20 were bought."""
    half = changed(market={"point_value": D("0.5")}, exposure={"symbol": D(4_000)})
    values = {one.code: one.numbers.get("money") for one in check_all(BUY, half, PROFILE)}
    assert values["maximum-position"].amount == 2_000  # type: ignore[union-attr]
    assert values["risk-per-trade"].amount == 20  # type: ignore[union-attr]
    assert values["exposure-symbol"].amount == 6_000  # type: ignore[union-attr]
    power = next(one for one in check_all(BUY, half, PROFILE) if one.code == "buying-power")
    assert power.value is not None
    assert power.value.amount == 2_002


def test_every_result_has_its_numbers_whether_or_not_it_objects() -> None:
    results = {one.code: one for one in check_all(BUY, SITUATION, PROFILE)}
    assert list(results) == CODES
    assert {one.status for one in results.values()} == {Status.PASSED, Status.DOES_NOT_APPLY}
    position = results["maximum-position"]
    assert position.value is not None
    assert position.limit is not None
    assert (position.value.amount, position.value.unit, position.limit.amount) == (D("0.4"), Unit.SHARE, D("0.5"))
    assert results["leverage"].value is not None
    assert (results["leverage"].value.amount, results["leverage"].value.unit) == (D("0.4"), Unit.TIMES)
    gauges = {code for code, one in results.items() if one.value is not None and one.limit is not None}
    assert gauges >= {"stale-price", "buying-power", "breaker-daily-loss", "breaker-losses", "exposure-sector", "extreme-fear"}


def test_an_order_without_any_price_is_judged_without_dividing_by_it() -> None:
    blind = Proposal(D(1), D(0), D(0), D(0), D("0.001"))
    market = MarketState(D("0.01"), D("0.001"), "USD", None, None)
    results = {one.code: one.status for one in check_all(blind, Situation(AccountState("USD", D(100)), market), PROFILE)}
    assert results["stale-price"] == Status.REFUSED
    assert results["maximum-position"] == results["price-collar"] == results["below-minimum"] == Status.NOT_CHECKED
