"""The Alpaca adapter against a server that speaks Alpaca's protocol: what is told, and what is known when something fails."""

from __future__ import annotations

import logging
import socket
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.venues import alpaca as local
from tests.venues.alpaca import AlpacaVenue
from tests.venues.faults import Fault
from trading.brokers.alpaca import AlpacaBroker, stream
from trading.brokers.alpaca import broker as adapter
from trading.brokers.protocol import (
    BadCredentials,
    Balance,
    BrokerError,
    Credentials,
    Endpoint,
    FlowKind,
    NotSent,
    OrderKey,
    OrderRequest,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Side,
    State,
    TimeInForce,
    Type,
    Unavailable,
    VenueOrder,
    VenuePosition,
)

EARLIER = timedelta(minutes=5)


@pytest.fixture
def venue() -> Iterator[AlpacaVenue]:
    with AlpacaVenue() as one:
        yield one


@pytest.fixture
def broker(venue: AlpacaVenue) -> AlpacaBroker:
    return venue.broker()


def asked(**changes: Any) -> OrderRequest:
    request = OrderRequest(str(uuid.uuid4()), "AAPL", Side.BUY, Type.MARKET, Decimal(3))
    return replace(request, **changes)


def resting(**changes: Any) -> OrderRequest:
    """A limit order that waits below the market."""
    return asked(type=Type.LIMIT, limit_price=Decimal("190.50"), **changes)


def key(order: VenueOrder) -> OrderKey:
    return OrderKey(order.client_order_id, order.symbol, order.venue_order_id)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def posts(venue: AlpacaVenue) -> int:
    return venue.requests.count(("POST", "/v2/orders"))


# -- the account ------------------------------------------------------------------------------------------------------


def test_the_account_tells_its_number_and_that_it_may_trade(broker: AlpacaBroker) -> None:
    told = broker.permissions()

    assert (told.account, told.may_trade, told.is_paper, told.currencies) == ("PA3LOCAL0001", True, True, ("USD",))
    assert told.may_withdraw is None


@pytest.mark.parametrize("field", ["trading_blocked", "account_blocked", "trade_suspended_by_user"])
def test_a_blocked_account_may_not_trade(venue: AlpacaVenue, broker: AlpacaBroker, field: str) -> None:
    venue.answers.account[field] = True

    assert not broker.permissions().may_trade


def test_the_facts_of_the_account_are_told_where_alpaca_tells_them(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.answers.account |= {"daytrade_count": 3, "pattern_day_trader": True, "equity": "24999.12", "multiplier": "4"}
    assert broker.account_facts() == adapter.AlpacaAccount(Decimal("24999.12"), Decimal(4), 3, True)

    venue.answers.account |= {"daytrade_count": None, "pattern_day_trader": None}
    facts = broker.account_facts()
    assert (facts.daytrade_count, facts.pattern_day_trader) == (None, None)


def test_cash_and_buying_power_are_the_balance(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.answers.account |= {"cash": "-4321.0000000000000000001", "buying_power": "262113.632"}

    assert broker.balances() == [Balance("USD", Decimal("-4321.0000000000000000001"), Decimal("262113.632"))]


def test_a_number_without_quotes_keeps_its_digits(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.answers.account |= {"equity": 24999.12, "multiplier": 2}

    assert broker.account_facts().equity == Decimal("24999.12")


def test_the_time_is_that_of_alpacas_clock(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.exchange.clock = lambda: datetime(2026, 7, 1, 15, 30, 1, 250000, tzinfo=UTC)

    assert broker.server_time() == datetime(2026, 7, 1, 15, 30, 1, 250000, tzinfo=UTC)


def test_a_short_position_is_negative(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    broker.submit(asked(side=Side.SELL, quantity=Decimal(5)))
    venue.exchange.move("AAPL", "210")
    broker.submit(asked(side=Side.SELL, quantity=Decimal(5)))

    assert broker.positions() == [VenuePosition("AAPL", Decimal(-10), Decimal(205))]


def test_a_coin_pair_has_one_name_everywhere(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    broker.submit(asked(symbol="BTC/USD", quantity=Decimal("0.123456789")))

    assert broker.positions() == [VenuePosition("BTC/USD", Decimal("0.123456789"), Decimal(60000))]
    assert [one.symbol for one in broker.fills_since(venue.exchange.clock() - EARLIER, [])] == ["BTC/USD"]


@pytest.mark.parametrize(
    ("is_paper", "asked_at", "listened_at"),
    [
        (True, "https://paper-api.alpaca.markets/v2/account", "wss://paper-api.alpaca.markets/stream"),
        (False, "https://api.alpaca.markets/v2/account", "wss://api.alpaca.markets/stream"),
    ],
)
async def test_paper_money_and_real_money_have_addresses_of_their_own(
    monkeypatch: pytest.MonkeyPatch, is_paper: bool, asked_at: str, listened_at: str
) -> None:
    asked_for: list[str] = []

    def unreachable(*parts: str, **_: object) -> None:
        asked_for.append(parts[-1])
        raise requests.ConnectionError

    def deaf(url: str, **_: object) -> None:
        asked_for.append(url)
        raise OSError

    monkeypatch.setattr(requests.Session, "request", lambda session, method, url, **_: unreachable(method, url))
    monkeypatch.setattr(stream, "connect", deaf)
    broker = AlpacaBroker(Credentials({"key": "k", "secret": "s"}), Endpoint(is_paper=is_paper))
    with pytest.raises(Unavailable):
        broker.permissions()
    with pytest.raises(Unavailable):
        await anext(broker.updates())

    assert asked_for == [asked_at, listened_at]


# -- orders -----------------------------------------------------------------------------------------------------------


def test_a_market_order_is_filled(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    request = asked(time_in_force=TimeInForce.DAY)
    order = broker.submit(request)

    assert (order.client_order_id, order.symbol, order.side, order.type) == (
        request.client_order_id,
        "AAPL",
        Side.BUY,
        Type.MARKET,
    )
    assert (order.state, order.filled, order.quantity) == (State.FILLED, Decimal(3), Decimal(3))
    truth = venue.exchange.by_client_id(request.client_order_id)
    assert truth is not None
    assert order.updated_at == truth.updated_at
    assert venue.exchange.positions["AAPL"] == 3


def test_a_limit_order_waits_and_is_told_as_it_stands(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    order = broker.submit(resting())

    assert (order.state, order.limit_price, order.stop_price) == (State.ACCEPTED, Decimal("190.50"), None)
    assert broker.open_orders() == [order]
    venue.exchange.move("AAPL", "190")
    assert broker.open_orders() == []
    after = broker.order(key(order))
    assert after is not None
    assert after.state is State.FILLED


@pytest.mark.parametrize(("type", "limit"), [(Type.STOP, None), (Type.STOP_LIMIT, Decimal("211.25"))])
def test_a_stop_order_acts_when_its_price_trades(
    venue: AlpacaVenue, broker: AlpacaBroker, type: Type, limit: Decimal | None
) -> None:
    order = broker.submit(asked(type=type, stop_price=Decimal("210.00"), limit_price=limit))
    assert (order.state, order.type, order.stop_price, order.limit_price) == (State.ACCEPTED, type, Decimal(210), limit)

    venue.exchange.move("AAPL", "211")
    after = broker.order(key(order))
    assert after is not None
    assert after.state is State.FILLED


def test_an_order_filled_in_part_says_how_much(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.exchange.liquidity["AAPL"] = Decimal(1)
    order = broker.submit(asked())

    assert (order.state, order.filled) == (State.PARTLY_FILLED, Decimal(1))
    venue.exchange.move("AAPL", "201")
    venue.exchange.move("AAPL", "202")
    fills = broker.fills_since(venue.exchange.clock() - EARLIER, [])
    assert [(one.quantity, one.price) for one in fills] == [(1, 200), (1, 201), (1, 202)]
    assert {one.venue_order_id for one in fills} == {order.venue_order_id}
    assert len({one.venue_fill_id for one in fills}) == 3
    assert {(one.fee, one.fee_currency) for one in fills} == {(Decimal(0), "USD")}


def test_a_cancelled_order_is_over(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    order = broker.submit(resting())
    assert broker.cancel(key(order)) is None

    after = broker.order(key(order))
    assert after is not None
    assert after.state is State.CANCELLED


def test_an_order_is_cancelled_by_our_id_alone(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    request = resting()
    broker.submit(request)
    broker.cancel(OrderKey(request.client_order_id, "AAPL"))

    assert venue.exchange.open_orders() == []


@pytest.mark.parametrize("end", ["filled", "cancelled"])
def test_a_cancel_that_comes_too_late_is_refused(venue: AlpacaVenue, broker: AlpacaBroker, end: str) -> None:
    order = broker.submit(resting())
    if end == "filled":
        venue.exchange.move("AAPL", "190")
    else:
        broker.cancel(key(order))

    with pytest.raises(Refused) as refused:
        broker.cancel(key(order))
    assert refused.value.code == "not-open"


def test_an_order_that_is_not_there_cannot_be_cancelled(broker: AlpacaBroker) -> None:
    for absent in (OrderKey("nothing", "AAPL"), OrderKey("nothing", "AAPL", str(uuid.uuid4()))):
        with pytest.raises(Refused) as refused:
            broker.cancel(absent)
        assert refused.value.code == "not-open"


def test_an_order_takes_the_place_of_another(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    old = broker.submit(resting())
    request = resting(quantity=Decimal(7))
    new = broker.replace(key(old), replace(request, limit_price=Decimal("191.00")))

    assert (new.client_order_id, new.quantity, new.limit_price) == (request.client_order_id, Decimal(7), Decimal(191))
    assert new.venue_order_id != old.venue_order_id
    assert broker.open_orders() == [new]
    before = broker.order(key(old))
    assert before is not None
    assert (before.state, before.reason) == (State.CANCELLED, "replaced")


def test_what_cannot_be_replaced_is_not_sent(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.exchange.liquidity["AAPL"] = Decimal(1)
    partly, old = broker.submit(asked()), broker.submit(resting())

    for standing, request in ((old, resting(side=Side.SELL)), (old, asked()), (partly, asked(quantity=Decimal(2)))):
        with pytest.raises(Refused):
            broker.replace(key(standing), request)
    assert "PATCH" not in {method for method, _ in venue.requests}


def test_an_order_that_is_over_is_not_replaced(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    old = broker.submit(resting())
    broker.cancel(key(old))

    with pytest.raises(Refused) as refused:
        broker.replace(key(old), resting())
    assert refused.value.code == "not-open"


def test_the_old_order_stands_where_the_new_one_is_refused(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    old = broker.submit(resting())
    with pytest.raises(Refused) as refused:
        broker.replace(key(old), resting(client_order_id=old.client_order_id))

    assert refused.value.code == "duplicate-id"
    assert broker.open_orders() == [old]


def test_an_order_is_found_by_our_id_or_said_to_be_absent(broker: AlpacaBroker) -> None:
    order = broker.submit(resting())

    assert broker.order(OrderKey(order.client_order_id, "AAPL")) == order
    assert broker.order(OrderKey(order.client_order_id, "AAPL", "not one of Alpaca's")) == order
    assert broker.order(OrderKey("nothing", "AAPL")) is None
    assert broker.order(OrderKey("", "AAPL", str(uuid.uuid4()))) is None


def test_all_open_orders_are_told_however_many(venue: AlpacaVenue, broker: AlpacaBroker, monkeypatch) -> None:
    monkeypatch.setattr(adapter, "ORDERS_A_PAGE", 3)  # pairs are of one instant: a page ends between them
    start = venue.exchange.clock()
    venue.exchange.clock = lambda: start + timedelta(microseconds=250) * (len(venue.exchange.orders) // 2)
    sent = [broker.submit(resting()).client_order_id for _ in range(11)]

    assert [one.client_order_id for one in broker.open_orders()] == sent


# -- refusals ---------------------------------------------------------------------------------------------------------

REFUSED = [
    ("insufficient-funds", {"quantity": Decimal(1000)}),
    ("unknown-symbol", {"symbol": "NOPE"}),
    ("bad-price", {"type": Type.LIMIT, "limit_price": Decimal("190.123")}),
    ("bad-quantity", {"symbol": "SPY", "quantity": Decimal("0.5"), "time_in_force": TimeInForce.GTC}),
    ("below-minimum", {"symbol": "SPY", "quantity": Decimal("0.001"), "time_in_force": TimeInForce.DAY}),
    ("insufficient-funds", {"symbol": "BTC/USD", "side": Side.SELL, "quantity": Decimal(1)}),
    ("short-not-allowed", {"symbol": "SPY", "side": Side.SELL, "quantity": Decimal("0.5"), "time_in_force": TimeInForce.DAY}),
    ("reduce-only", {"side": Side.SELL, "reduce_only": True}),
]


@pytest.mark.parametrize(("code", "changes"), REFUSED, ids=[f"{code}-{n}" for n, (code, _) in enumerate(REFUSED)])
def test_a_refusal_has_our_code_and_nothing_happened(
    venue: AlpacaVenue, broker: AlpacaBroker, code: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        broker.submit(asked(**changes))

    assert refused.value.code == code
    assert venue.exchange.orders == {}


def test_a_part_of_a_share_is_traded_for_the_day(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    broker.submit(asked(symbol="SPY", quantity=Decimal("0.000000025") + 1, time_in_force=TimeInForce.DAY))

    assert venue.exchange.positions["SPY"] == Decimal("1.000000025")


def test_an_order_that_only_reduces_closes_a_position(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    broker.submit(asked())
    broker.submit(asked(side=Side.SELL, reduce_only=True))

    assert venue.exchange.positions["AAPL"] == 0


def test_an_id_that_was_used_is_refused_for_ever(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    request = resting()
    broker.cancel(key(broker.submit(request)))
    with pytest.raises(Refused) as refused:
        broker.submit(request)

    assert refused.value.code == "duplicate-id"
    assert venue.exchange.seen[request.client_order_id] == 1


# -- what goes wrong --------------------------------------------------------------------------------------------------


def hasty(venue: AlpacaVenue, fault: Fault) -> AlpacaBroker:
    """One that waits less than a slow answer takes; patient where nothing is slow but this machine."""
    if fault is not Fault.SLOW:
        return venue.broker()
    venue.faults.seconds = 1.2
    return venue.broker(timeout=0.6)


FAULTS: list[tuple[Fault, type[BrokerError] | None, int]] = [
    (Fault.LOST_REQUEST, OutcomeUnknown, 0),
    (Fault.LOST_ANSWER, OutcomeUnknown, 1),
    (Fault.SLOW, OutcomeUnknown, 1),
    (Fault.LATE, OutcomeUnknown, 1),
    (Fault.REJECT, Refused, 0),
    (Fault.RATE_LIMIT, RateLimited, 0),
    (Fault.BROKEN, OutcomeUnknown, 0),
    (Fault.BROKEN_AFTER, OutcomeUnknown, 1),
    (Fault.SKEWED, None, 1),  # nothing is signed with a time
    (Fault.REVOKED, BadCredentials, 0),
]


@pytest.mark.parametrize(("fault", "error", "accepted"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_of_an_order_that_went_wrong_it_says_what_it_knows(
    venue: AlpacaVenue, fault: Fault, error: type[BrokerError] | None, accepted: int
) -> None:
    broker, request = hasty(venue, fault), resting()
    venue.faults.next("submit", fault)
    if error is None:
        broker.submit(request)
    else:
        with pytest.raises(BrokerError) as raised:
            broker.submit(request)
        assert type(raised.value) is error

    until(lambda: venue.exchange.seen[request.client_order_id] == accepted)
    assert posts(venue) == 1
    found = venue.broker().order(OrderKey(request.client_order_id, "AAPL"))
    assert (found is not None) == bool(accepted)


@pytest.mark.parametrize("operation", ["cancel", "replace"])
@pytest.mark.parametrize(("fault", "error", "done"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_of_a_change_that_went_wrong_it_says_what_it_knows(
    venue: AlpacaVenue, operation: str, fault: Fault, error: type[BrokerError] | None, done: int
) -> None:
    broker, order, request = hasty(venue, fault), venue.broker().submit(resting()), resting(quantity=Decimal(4))
    change = {"cancel": lambda: broker.cancel(key(order)), "replace": lambda: broker.replace(key(order), request)}[operation]
    venue.faults.next(operation, fault)
    if error is None:
        change()
    else:
        with pytest.raises(BrokerError) as raised:
            change()
        assert type(raised.value) is error

    def over() -> bool:
        found = venue.exchange.by_client_id(order.client_order_id)
        return found is not None and found.status == "cancelled"

    until(lambda: over() == bool(done))
    assert len([one for one in venue.requests if one[0] in {"DELETE", "PATCH"}]) == 1


QUESTIONS: list[Callable[[AlpacaBroker], object]] = [
    lambda broker: broker.permissions(),
    lambda broker: broker.account_facts(),
    lambda broker: broker.balances(),
    lambda broker: broker.positions(),
    lambda broker: broker.server_time(),
    lambda broker: broker.open_orders(),
    lambda broker: broker.order(OrderKey("nothing", "AAPL")),
    lambda broker: broker.fills_since(datetime.now(UTC) - EARLIER, []),
    lambda broker: broker.flows_since(datetime.now(UTC) - EARLIER),
]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.LOST_REQUEST, Unavailable),
        (Fault.LOST_ANSWER, Unavailable),
        (Fault.SLOW, Unavailable),
        (Fault.REJECT, Unavailable),
        (Fault.BROKEN, Unavailable),
        (Fault.BROKEN_AFTER, Unavailable),
        (Fault.RATE_LIMIT, RateLimited),
        (Fault.REVOKED, BadCredentials),
    ],
)
def test_a_question_that_went_wrong_is_not_answered(venue: AlpacaVenue, fault: Fault, error: type[BrokerError]) -> None:
    broker = venue.broker(timeout=0.15 if fault is Fault.SLOW else None)
    for question in QUESTIONS:
        venue.faults.next("ask", fault)
        with pytest.raises(BrokerError) as raised:
            question(broker)
        assert type(raised.value) is error
    assert len(venue.requests) == len(QUESTIONS)


@pytest.mark.parametrize("change", ["cancel", "replace"])
def test_where_the_question_before_a_change_fails_nothing_is_sent(
    venue: AlpacaVenue, broker: AlpacaBroker, change: str
) -> None:
    request = resting()
    broker.submit(request)
    venue.faults.next("ask", Fault.BROKEN)
    named = OrderKey(request.client_order_id, "AAPL")
    attempt = {"cancel": lambda: broker.cancel(named), "replace": lambda: broker.replace(named, resting())}[change]
    with pytest.raises(NotSent):
        attempt()

    assert len(venue.exchange.open_orders()) == 1


def test_a_gateway_that_gave_up_sees_the_order_once(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    """alpaca-py by itself sends again after 504 and 429."""
    for fault in (Fault.BROKEN_AFTER, Fault.RATE_LIMIT):
        request = resting()
        venue.requests.clear()
        venue.faults.next("submit", fault)
        with pytest.raises((OutcomeUnknown, RateLimited)):
            broker.submit(request)
        assert posts(venue) == 1


def test_too_many_requests_say_how_long_to_wait(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.faults.next("submit", Fault.RATE_LIMIT)
    with pytest.raises(RateLimited) as limited:
        broker.submit(resting())

    assert limited.value.retry_after == 7


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"X-RateLimit-Reset": "{soon}"}, 20, 30),
        ({"X-RateLimit-Reset": "0"}, 0, 0),
        ({"Retry-After": "86400"}, 60, 60),
        ({"Retry-After": "soon"}, 60, 60),
        ({}, 60, 60),
    ],
)
def test_without_a_word_the_wait_is_a_window(
    venue: AlpacaVenue, broker: AlpacaBroker, headers: dict[str, str], least: float, most: float
) -> None:
    venue.rate_limit = {name: value.format(soon=int(time.time()) + 30) for name, value in headers.items()}
    venue.faults.next("ask", Fault.RATE_LIMIT)
    with pytest.raises(RateLimited) as limited:
        broker.permissions()

    assert least <= limited.value.retry_after <= most


def test_where_nobody_listens_nothing_was_sent(venue: AlpacaVenue) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and not listening: a connection is refused
        endpoint = replace(venue.endpoint, base_url=f"http://127.0.0.1:{unused.getsockname()[1]}")
        broker = AlpacaBroker(venue.credentials, endpoint)
        with pytest.raises(NotSent):
            broker.submit(asked())
        with pytest.raises(Unavailable):
            broker.permissions()
        broker.close()


def test_a_path_that_alpaca_does_not_have_is_no_answer(venue: AlpacaVenue) -> None:
    broker = AlpacaBroker(venue.credentials, replace(venue.endpoint, base_url=f"{venue.endpoint.base_url}/elsewhere"))
    with pytest.raises(Unavailable):
        broker.permissions()
    with pytest.raises(BrokerError):
        broker.submit(asked())
    broker.close()


def test_a_revoked_key_is_refused_everywhere(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    order = broker.submit(resting())
    venue.revoke()

    for attempt in (
        lambda: broker.submit(asked()),
        lambda: broker.cancel(key(order)),
        lambda: broker.replace(key(order), resting()),
        broker.permissions,
    ):
        with pytest.raises(BadCredentials):
            attempt()
    assert [one.id for one in venue.exchange.open_orders()] == [1001]


@pytest.mark.parametrize("fields", [{}, {"key": "PK1"}, {"key": "PK1", "secret": ""}])
def test_without_a_key_and_a_secret_there_is_no_broker(venue: AlpacaVenue, fields: dict[str, str]) -> None:
    with pytest.raises(BadCredentials):
        AlpacaBroker(Credentials(fields), venue.endpoint)


# -- what happened ----------------------------------------------------------------------------------------------------


def test_fills_are_told_from_a_time_on_and_page_by_page(venue: AlpacaVenue, broker: AlpacaBroker, monkeypatch) -> None:
    monkeypatch.setattr(adapter, "ACTIVITIES_A_PAGE", 3)
    for _ in range(8):
        broker.submit(asked())
    truth = venue.exchange.fills

    assert [one.time for one in broker.fills_since(truth[0].at, [])] == [one.at for one in truth]
    assert [one.time for one in broker.fills_since(truth[5].at, [])] == [one.at for one in truth[5:]]
    assert broker.fills_since(truth[-1].at + timedelta(microseconds=1), []) == []


def test_money_that_came_and_went_is_told_with_fees_in_what_they_took(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    start = venue.exchange.clock()
    for kind, currency, amount in (
        ("CSD", "USD", "5000"),
        ("CSW", "USD", "-120.55"),
        ("DIVNRA", "USD", "-1.5"),
        ("INT", "USD", "-0.02"),
        ("FEE", "USD", "-0.01"),
        ("CFEE", "BTC", "-0.000195"),
        ("JNLC", "USD", "-30"),
        ("NEWKIND", "USD", "4"),
    ):
        venue.exchange.flow(kind, currency, Decimal(amount))
    broker.submit(asked())

    flows = broker.flows_since(start)
    assert [(one.kind, one.currency, one.amount) for one in flows] == [
        (FlowKind.DEPOSIT, "USD", Decimal(5000)),
        (FlowKind.WITHDRAWAL, "USD", Decimal("-120.55")),
        (FlowKind.DIVIDEND, "USD", Decimal("-1.5")),
        (FlowKind.INTEREST, "USD", Decimal("-0.02")),
        (FlowKind.FEE, "USD", Decimal("-0.01")),
        (FlowKind.FEE, "BTC", Decimal("-0.000195")),
        (FlowKind.WITHDRAWAL, "USD", Decimal(-30)),
        (FlowKind.OTHER, "USD", Decimal(4)),
    ]
    assert len({one.venue_flow_id for one in flows}) == 8
    assert broker.flows_since(flows[-1].time + timedelta(microseconds=1)) == []


def test_where_a_day_alone_is_told_that_day_is_told_again(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    """A fee is posted at the end of the day: who asked at noon must hear of it afterwards."""
    noon = datetime(2026, 7, 1, 16, tzinfo=UTC)
    venue.exchange.clock = lambda: noon + timedelta(hours=9)  # in New York still the first of July, elsewhere the second
    venue.answers.tells_hours = False
    venue.exchange.flow("CFEE", "BTC", Decimal("-0.001"))

    for since in (noon, noon + timedelta(hours=10)):
        assert [one.time for one in broker.flows_since(since)] == [datetime(2026, 7, 1, 4, tzinfo=UTC)]
    assert broker.flows_since(noon + timedelta(hours=12)) == []


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_no_error_and_no_log_tells_the_key(venue: AlpacaVenue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    good, secrets = venue.credentials, [venue.credentials["key"], venue.credentials["secret"]]
    odd = "wrong\u20ac" + "A" * 12
    broken = "wrong\n" + "B" * 12
    secrets += [odd, broken]
    for credentials in (good, Credentials({"key": odd, "secret": good["secret"]}), Credentials({"key": broken, "secret": "s"})):
        broker = AlpacaBroker(credentials, replace(venue.endpoint, timeout=0.15))
        told += [repr(credentials), repr(broker)]
        for fault in Fault:
            for operation in ("submit", "ask"):
                venue.faults.next(operation, fault)
                try:
                    broker.submit(asked()) if operation == "submit" else broker.permissions()
                except BrokerError as error:
                    told += [error.message, repr(error), *traceback.format_exception(error)]
            venue.faults.waiting.clear()
        broker.close()
    told += [record.getMessage() for record in caplog.records] + [caplog.text]

    assert len(told) > 100
    for secret in secrets:
        assert not [one for one in told if secret in one or repr(secret)[1:-1] in one]


def test_a_refusal_that_repeats_the_secret_is_told_without_it(venue: AlpacaVenue, broker: AlpacaBroker, monkeypatch) -> None:
    secret = venue.credentials["secret"]
    monkeypatch.setitem(local.REJECTIONS, "submit", (422, 42210000, f"invalid limit_price {secret}\x07"))
    venue.faults.next("submit", Fault.REJECT)
    with pytest.raises(Refused) as refused:
        broker.submit(asked())

    assert (refused.value.code, refused.value.message) == ("bad-price", "Alpaca refused it: invalid limit_price ***")
