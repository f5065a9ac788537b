"""The TopstepX broker against a local server that speaks the gateway's REST. The truth is the exchange behind it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.venues.faults import Fault
from tests.venues.topstepx import SYMBOL, TopstepXVenue
from trading.brokers.protocol import (
    BadCredentials,
    Balance,
    BrokerError,
    Credentials,
    Endpoint,
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
    VenuePosition,
)
from trading.brokers.topstepx import TopstepXBroker
from trading.brokers.topstepx.gateway import encode
from trading.brokers.topstepx.messages import read, rows_of, to_fill, to_order
from trading.brokers.topstepx.refusals import reason


@pytest.fixture
def venue() -> Iterator[TopstepXVenue]:
    with TopstepXVenue() as running:
        yield running


def buy(name: str, quantity: int = 1, **terms: object) -> OrderRequest:
    limit = terms.get("limit_price")
    kind = terms.pop("type", Type.LIMIT if limit is not None else Type.MARKET)
    return OrderRequest(name, SYMBOL, Side.BUY, kind, Decimal(quantity), **terms)  # type: ignore[arg-type]


def sell(name: str, quantity: int = 1, **terms: object) -> OrderRequest:
    one = buy(name, quantity, **terms)
    return OrderRequest(
        name, SYMBOL, Side.SELL, one.type, one.quantity, one.limit_price, one.stop_price, reduce_only=one.reduce_only
    )


def key(name: str, number: str = "") -> OrderKey:
    return OrderKey(name, SYMBOL, number)


def far(price: str = "20000") -> dict[str, object]:
    return {"limit_price": Decimal(price)}


# -- the account ------------------------------------------------------------------------------------------------------


def test_the_credentials_tell_what_they_allow(venue: TopstepXVenue) -> None:
    found = venue.broker().permissions()
    assert (found.account, found.may_trade, found.may_withdraw, found.is_paper) == ("50KTC-V2-465", True, False, True)
    venue.can_trade = venue.simulated = False
    assert not venue.broker(account="465").permissions().may_trade
    assert not venue.broker(account="465").permissions().is_paper


def test_the_account_is_the_named_one_or_the_first_that_may_trade_for_this_money(venue: TopstepXVenue) -> None:
    common = {"balance": Decimal(1), "isVisible": True}
    venue.accounts = [
        {"id": 1, "name": "LIVE", "canTrade": True, "simulated": False, **common},
        {"id": 2, "name": "BROKEN", "canTrade": False, "simulated": True, **common},
    ]
    assert venue.broker().permissions().account == "50KTC-V2-465"
    real = TopstepXBroker(venue.credentials, Endpoint(is_paper=False, base_url=venue.endpoint.base_url))
    assert real.permissions().account == "LIVE"
    real.close()
    assert venue.broker(account="2").permissions().account == "BROKEN"
    assert venue.broker(account="BROKEN").permissions().account == "BROKEN"
    with pytest.raises(BadCredentials):
        venue.broker(account="3").permissions()


def test_a_wrong_key_and_a_revoked_one_are_bad_credentials(venue: TopstepXVenue) -> None:
    with pytest.raises(BadCredentials):
        venue.broker(key="another").permissions()
    broker = venue.broker()
    broker.permissions()
    venue.revoke()
    with pytest.raises(BadCredentials):
        broker.balances()
    with pytest.raises(BadCredentials):
        broker.submit(buy("revoked"))
    assert not venue.exchange.orders


@pytest.mark.parametrize(("code", "error"), [(1, BadCredentials), (7, BadCredentials), (10, BadCredentials), (8, Unavailable)])
def test_a_login_that_fails_says_whose_fault_it_is(venue: TopstepXVenue, code: int, error: type[BrokerError]) -> None:
    venue.login_error = code
    with pytest.raises(error):
        venue.broker().permissions()
    with pytest.raises(NotSent if error is Unavailable else error):
        venue.broker().submit(buy("never"))


def test_an_expired_token_is_renewed_and_the_order_is_sent_once(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.submit(buy("before"))
    venue.expire()
    broker.submit(buy("after"))
    assert len(venue.tokens) == 2
    assert [one.client_order_id for one in venue.exchange.orders.values()] == ["before", "after"]
    assert venue.requests.count("/api/Order/place") == 3  # the second was turned away once


def test_the_clock_is_the_venues(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    assert abs(broker.server_time() - datetime.now(UTC)) < timedelta(seconds=5)
    venue.faults.seconds = 3600
    venue.faults.next("ask", Fault.SKEWED)
    assert broker.server_time() - datetime.now(UTC) > timedelta(minutes=59)


def test_money_and_positions(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    assert broker.balances() == [Balance("USD", Decimal(50_000), Decimal(50_000))]
    assert broker.positions() == []
    broker.submit(sell("short", 3))
    assert broker.positions() == [VenuePosition(SYMBOL, Decimal(-3), Decimal("21000.25"))]
    venue.exchange.move(SYMBOL, "20990.25")
    broker.submit(buy("cover", 3))
    assert broker.positions() == []
    (money,) = broker.balances()
    fees = sum(one.fee for one in broker.fills_since(venue.exchange.fills[0].at, [SYMBOL]))
    assert money.total == venue.exchange.balances["USD"] == 50_000 + 3 * 10 * 2 - fees


def test_a_contract_tells_what_a_point_is_worth(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    found = broker.contract(SYMBOL)
    assert (found.symbol, found.tick_size, found.tick_value, found.multiplier) == (SYMBOL, Decimal("0.25"), Decimal("0.5"), 2)
    with pytest.raises(Unavailable):
        broker.contract("CON.F.US.NONE.Z25")


# -- orders -----------------------------------------------------------------------------------------------------------


def test_market_limit_and_stop_orders(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    taken = broker.submit(buy("market", 2))
    assert (taken.state, taken.client_order_id) == (State.ACCEPTED, "market")
    found = broker.order(key("market"))
    assert venue.requests.count("/api/Order/search") == 1  # a recent order costs one question
    assert found is not None
    assert (found.state, found.filled, found.venue_order_id) == (State.FILLED, 2, taken.venue_order_id)

    broker.submit(buy("limit", 1, limit_price=Decimal("20950.75")))
    broker.submit(sell("stop", 2, type=Type.STOP, stop_price=Decimal("20900.25")))
    resting = {one.client_order_id: one for one in broker.open_orders()}
    assert {name: (one.type, one.limit_price, one.stop_price, one.side) for name, one in resting.items()} == {
        "limit": (Type.LIMIT, Decimal("20950.75"), None, Side.BUY),
        "stop": (Type.STOP, None, Decimal("20900.25"), Side.SELL),
    }
    venue.exchange.move(SYMBOL, "20900")
    assert broker.open_orders() == []
    assert {one.venue_order_id for one in broker.fills_since(datetime.now(UTC) - timedelta(hours=1), [])} == {
        str(one.id) for one in venue.exchange.orders.values()
    }


def test_what_the_gateway_has_no_word_for_is_not_sent(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    wrong = [
        buy("a", type=Type.STOP_LIMIT, limit_price=Decimal(1), stop_price=Decimal(1)),
        buy("b", time_in_force=TimeInForce.IOC),
        OrderRequest("c", SYMBOL, Side.BUY, Type.MARKET, Decimal("1.5")),
    ]
    for request in wrong:
        with pytest.raises(Refused):
            broker.submit(request)
    assert "/api/Order/place" not in venue.requests
    assert broker.capabilities.order_types == {Type.MARKET, Type.LIMIT, Type.STOP}


def test_a_partial_fill_and_the_cancelling_of_the_rest(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    venue.exchange.liquidity[SYMBOL] = Decimal(2)
    taken = broker.submit(buy("part", 5, limit_price=Decimal("21000.25")))
    found = broker.order(key("part"))
    assert found is not None
    assert (found.state, found.filled, found.quantity) == (State.PARTLY_FILLED, 2, 5)
    broker.cancel(key("part", taken.venue_order_id))
    over = broker.order(key("part"))
    assert over is not None
    assert (over.state, over.filled) == (State.CANCELLED, 2)
    assert venue.exchange.positions[SYMBOL] == 2


def test_cancelling_by_the_client_id_alone(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.submit(buy("resting", **far()))
    broker.cancel(key("resting"))
    assert venue.exchange.by_client_id("resting").status == "cancelled"  # type: ignore[union-attr]


def test_cancelling_too_late_or_nothing_at_all(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    taken = broker.submit(buy("filled"))
    for one in (key("filled"), key("filled", taken.venue_order_id), key("none"), key("none", "999"), key("none", "x")):
        with pytest.raises(Refused) as refused:
            broker.cancel(one)
        assert refused.value.code == "not-open"


def test_an_order_that_the_venue_will_not_cancel_is_not_called_over(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    taken = broker.submit(buy("resting", **far()))
    venue.faults.next("cancel", Fault.REJECT)
    with pytest.raises(Refused) as refused:
        broker.cancel(key("resting", taken.venue_order_id))
    assert refused.value.code == "venue-refused"
    venue.simulated = False
    with pytest.raises(Refused) as refused:
        broker.cancel(key("resting", taken.venue_order_id))
    assert refused.value.code == "trading-disabled"


def test_modifying_keeps_the_order_and_its_name(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    taken = broker.submit(buy("first", 1, **far()))
    new = broker.replace(key("first"), buy("second", 3, **far("20500.5")))
    assert (new.venue_order_id, new.client_order_id) == (taken.venue_order_id, "first")
    truth = venue.exchange.by_client_id("first")
    assert truth is not None
    assert (truth.quantity, truth.limit_price) == (3, Decimal("20500.5"))
    found = broker.order(key("first"))
    assert found is not None
    assert (found.quantity, found.limit_price) == (new.quantity, new.limit_price)
    assert broker.order(key("second")) is None


def test_what_cannot_be_modified(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.submit(buy("resting", **far()))
    broker.submit(buy("done"))

    def code(name: str, request: OrderRequest) -> str:
        with pytest.raises(Refused) as refused:
            broker.replace(key(name), request)
        return refused.value.code

    assert code("resting", sell("x", **far())) == "venue-refused"
    assert code("resting", buy("x", **far("20000.1"))) == "bad-price"
    assert code("done", buy("x")) == "not-open"
    assert code("none", buy("x")) == "not-open"
    assert venue.exchange.by_client_id("resting").limit_price == 20000  # type: ignore[union-attr]


def test_a_tag_is_taken_for_ever_even_by_a_rejected_order(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.submit(buy("once"))
    with pytest.raises(Refused) as refused:
        broker.submit(buy("once"))
    assert refused.value.code == "duplicate-id"
    with pytest.raises(Refused) as refused:
        broker.submit(buy("odd", limit_price=Decimal("20000.1")))
    assert refused.value.code == "bad-price"
    with pytest.raises(Refused) as refused:
        broker.submit(buy("odd", **far()))
    assert refused.value.code == "duplicate-id"
    found = broker.order(key("odd"))
    assert found is not None
    assert found.state is State.REJECTED
    assert len(venue.exchange.orders) == 1


def test_refusals_have_our_codes(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    with pytest.raises(Refused) as refused:
        broker.submit(OrderRequest("a", "CON.F.US.NONE.Z25", Side.BUY, Type.MARKET, Decimal(1)))
    assert refused.value.code == "unknown-symbol"
    venue.exchange.prices.clear()
    with pytest.raises(Refused) as refused:
        broker.submit(buy("b"))
    assert refused.value.code == "market-closed"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Specified custom tag is already in use", "duplicate-id"),
        ("The percentage is not in use", "venue-refused"),
        ("Invalid stop price. Price is not aligned to tick size.", "bad-price"),
        ("Trading is currently unavailable. The instrument is not in an active trading status.", "market-closed"),
        ("Maximum position exceeded", "bad-quantity"),
        ("Not enough margin.", "insufficient-funds"),
        ("Invalid symbol", "unknown-symbol"),
        ("Brackets cannot be used with this contract", "venue-refused"),
        ("", "venue-refused"),
    ],
)
def test_a_rejection_in_words_has_our_code_and_our_words(words: str, code: str) -> None:
    assert reason(words).code == code
    assert words not in reason(words).message or not words


def test_reduce_only_is_kept_though_the_gateway_has_none(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    for request in (sell("no", 1, reduce_only=True), buy("no", 1, reduce_only=True)):
        with pytest.raises(Refused) as refused:
            broker.submit(request)
        assert refused.value.code == "reduce-only"
    broker.submit(buy("long", 2))
    with pytest.raises(Refused):
        broker.submit(sell("too-much", 3, reduce_only=True))
    broker.submit(sell("flat", 2, reduce_only=True))
    assert venue.exchange.positions[SYMBOL] == 0
    venue.faults.next("ask", Fault.BROKEN)
    with pytest.raises(NotSent):
        broker.submit(sell("unasked", 1, reduce_only=True))


# -- looking for orders -----------------------------------------------------------------------------------------------


def test_an_order_is_found_by_its_client_id_however_old(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.submit(buy("old", **far()))
    broker.submit(buy("ancient"))
    for one in venue.exchange.orders.values():
        one.created_at -= timedelta(days=400)
    assert [broker.order(key(name)) is not None for name in ("old", "ancient", "none")] == [True, True, False]
    venue.tagless = True
    assert [one.client_order_id for one in broker.open_orders()] == ["old"]
    found = broker.order(key("old"))
    assert found is not None
    assert found.state is State.ACCEPTED


def test_a_persons_order_has_no_client_id(venue: TopstepXVenue) -> None:
    venue.exchange.submit(
        client_order_id="", symbol=SYMBOL, side="sell", type="limit", quantity=Decimal(1), limit_price=Decimal(22000)
    )
    broker = venue.broker()
    (found,) = broker.open_orders()
    assert (found.client_order_id, found.side) == ("", Side.SELL)
    assert broker.order(OrderKey("", SYMBOL)) is None


def test_fills_are_told_from_a_time_on_without_what_was_voided(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    for name in ("a", "b", "c"):
        broker.submit(buy(name))
    first, second, third = venue.exchange.fills
    venue.voided.add(second.id)
    fills = broker.fills_since(first.at, [SYMBOL])
    assert [one.venue_fill_id for one in fills] == [str(first.id), str(third.id)]
    assert [one.venue_fill_id for one in broker.fills_since(third.at, [])] == [str(third.id)]
    assert (fills[0].fee, fills[0].fee_currency, fills[0].price) == (first.fee, "USD", Decimal("21000.25"))
    assert broker.flows_since(first.at) == []


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "happens"),
    [
        (Fault.LOST_REQUEST, OutcomeUnknown, False),
        (Fault.LOST_ANSWER, OutcomeUnknown, True),
        (Fault.SLOW, OutcomeUnknown, True),
        (Fault.LATE, OutcomeUnknown, True),
        (Fault.REJECT, Refused, False),
        (Fault.RATE_LIMIT, RateLimited, False),
        (Fault.BROKEN, OutcomeUnknown, False),
        (Fault.BROKEN_AFTER, OutcomeUnknown, True),
        (Fault.REVOKED, BadCredentials, False),
    ],
)
def test_submitting_never_guesses(venue: TopstepXVenue, fault: Fault, error: type[BrokerError], happens: bool) -> None:
    arrived = threading.Event()
    venue.exchange.listeners.append(lambda order, execution: arrived.set())
    venue.faults.seconds = 2.0 if fault is Fault.SLOW else 0.2
    broker = venue.broker(timeout=0.7 if fault is Fault.SLOW else None)
    broker.permissions()
    venue.faults.next("submit", fault)
    with pytest.raises(error) as raised:
        broker.submit(buy("once", **far()))
    assert type(raised.value) is error
    if happens:
        assert arrived.wait(5)
    assert (venue.exchange.by_client_id("once") is not None) is happens
    if error is not BadCredentials:
        assert (broker.order(key("once")) is not None) is happens
    assert venue.exchange.seen["once"] == int(happens)


@pytest.mark.parametrize(
    ("fault", "error", "happens"),
    [(Fault.LOST_ANSWER, OutcomeUnknown, True), (Fault.BROKEN, OutcomeUnknown, False), (Fault.RATE_LIMIT, RateLimited, False)],
)
def test_cancelling_and_modifying_never_guess(
    venue: TopstepXVenue, fault: Fault, error: type[BrokerError], happens: bool
) -> None:
    broker = venue.broker()
    number = broker.submit(buy("resting", **far())).venue_order_id
    truth = venue.exchange.orders[int(number)]
    venue.faults.next("replace", fault)
    with pytest.raises(error):
        broker.replace(key("resting", number), buy("x", 2, **far()))
    assert truth.quantity == (2 if happens else 1)
    venue.faults.next("cancel", fault)
    with pytest.raises(error):
        broker.cancel(key("resting", number))
    assert truth.status == ("cancelled" if happens else "open")


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.BROKEN, Fault.BROKEN_AFTER, Fault.REJECT])
def test_a_question_without_an_answer_is_unavailable(venue: TopstepXVenue, fault: Fault) -> None:
    broker = venue.broker()
    broker.submit(buy("one", **far()))
    venue.faults.always("ask", fault)
    for ask in (broker.balances, broker.positions, broker.open_orders, lambda: broker.order(key("one"))):
        with pytest.raises(Unavailable):
            ask()
    with pytest.raises(NotSent):  # what it is about could not be found out
        broker.cancel(key("one"))
    venue.faults.always("ask", None)
    assert len(broker.open_orders()) == 1


def test_too_many_questions_say_when_to_come_back(venue: TopstepXVenue) -> None:
    venue.faults.next("ask", Fault.RATE_LIMIT)
    with pytest.raises(RateLimited) as limited:
        venue.broker().balances()
    assert limited.value.retry_after == 7


def test_without_a_connection_nothing_was_sent(venue: TopstepXVenue) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    broker = TopstepXBroker(venue.credentials, Endpoint(base_url=url))
    with pytest.raises(NotSent) as unsent:
        broker.submit(buy("never"))
    assert type(unsent.value) is NotSent
    for ask in (broker.permissions, broker.server_time):
        with pytest.raises(Unavailable):
            ask()
    broker.close()


def test_a_venue_that_went_away_was_sent_nothing() -> None:
    with TopstepXVenue() as venue:
        broker = TopstepXBroker(venue.credentials, venue.endpoint)
        broker.permissions()
    with pytest.raises(NotSent) as unsent:
        broker.submit(buy("never"))
    assert type(unsent.value) is NotSent
    broker.close()


def test_half_an_answer_is_none() -> None:
    for data in ({}, {"orders": None}, {"orders": ["x"]}):
        with pytest.raises(Unavailable):
            rows_of(data, "orders")
    for row in ({}, {"id": 1, "status": 1, "size": 1, "contractId": SYMBOL, "side": 9, "type": 1}):
        with pytest.raises(Unavailable):
            read(to_order, [row])
    with pytest.raises(Unavailable):
        read(to_fill, [{"id": 1}])


def test_numbers_are_sent_with_their_own_digits() -> None:
    assert encode({"a": Decimal("0.10"), "b": None, "c": 'x"', "d": Decimal("1E+2"), "e": 3}) == (
        '{"a":0.10,"b":null,"c":"x\\"","d":100,"e":3}'
    )


def test_no_secret_is_in_errors_or_logs(venue: TopstepXVenue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    broker = venue.broker()
    broker.submit(buy("one", **far()))
    errors: list[BrokerError] = []
    faults = [one for one in Fault if one not in {Fault.SKEWED, Fault.SLOW, Fault.LATE, Fault.REVOKED}]
    for fault in [*faults, Fault.REVOKED]:
        for operation, act in (("ask", broker.balances), ("submit", lambda: broker.submit(buy("two")))):
            venue.faults.next(operation, fault)
            with pytest.raises(BrokerError) as raised:
                act()
            errors.append(raised.value)
    secrets = [venue.credentials["key"], *venue.tokens]
    told = caplog.text + repr(venue.credentials) + repr(broker)
    for error in errors:
        assert error.__cause__ is None
        told += f"{error!r} {error} {error.__context__!r} {vars(error)}"
    assert len(venue.tokens) == 1
    assert not [one for one in secrets if one in told]


def test_credentials_without_a_key_do_not_break_anything(venue: TopstepXVenue) -> None:
    with pytest.raises(BadCredentials):
        TopstepXBroker(Credentials({}), venue.endpoint).permissions()


def test_an_order_that_was_taken_goes_before_a_rejected_one_of_its_tag(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.submit(buy("same", **far()))
    (truth,) = venue.exchange.orders.values()
    venue.rejected.append(replace(truth, id=truth.id - 500, status="rejected"))
    found = broker.order(key("same"))
    assert found is not None
    assert found.venue_order_id == str(truth.id)
