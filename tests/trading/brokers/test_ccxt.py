"""The ccxt adapter against a local server that speaks Binance's private protocol: what it says and what is true."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.venues.binance import BinanceVenue
from tests.venues.binance_answers import RETRY_AFTER
from tests.venues.faults import Fault
from trading.brokers.ccxt import CcxtBroker
from trading.brokers.ccxt.codes import Verdict
from trading.brokers.ccxt.dialects import dialect
from trading.brokers.ccxt.errors import judge
from trading.brokers.ccxt.wire import Answer, moved
from trading.brokers.protocol import (
    BadCredentials,
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
)

D = Decimal


@pytest.fixture
def spot() -> Iterator[BinanceVenue]:
    with BinanceVenue() as venue:
        yield venue


@pytest.fixture
def perpetual() -> Iterator[BinanceVenue]:
    with BinanceVenue("perpetual") as venue:
        yield venue


@pytest.fixture(params=["spot", "perpetual"])
def venue(request: pytest.FixtureRequest) -> Iterator[BinanceVenue]:
    with BinanceVenue(request.param) as made:
        yield made


def order(client_order_id: str, **changes: Any) -> OrderRequest:
    said: dict[str, Any] = {"symbol": "BTCUSDT", "side": Side.BUY, "type": Type.MARKET, "quantity": D("0.01")}
    return OrderRequest(client_order_id, **said | changes)


def limit(client_order_id: str, price: str = "40000", **changes: Any) -> OrderRequest:
    return order(client_order_id, type=Type.LIMIT, limit_price=D(price), **changes)


def key(client_order_id: str, venue_order_id: str = "") -> OrderKey:
    return OrderKey(client_order_id, "BTCUSDT", venue_order_id)


def lately() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


# -- connecting -------------------------------------------------------------------------------------------------------


def test_a_key_is_described(spot: BinanceVenue) -> None:
    told = spot.broker().permissions()
    assert (told.account, told.may_trade, told.may_withdraw, told.is_paper) == ("354937868", True, False, True)
    assert told.currencies == ("BTC", "USDT")


@pytest.mark.parametrize("market", ["spot", "perpetual"])
def test_a_key_that_may_withdraw_is_told(market: str) -> None:
    with BinanceVenue(market, may_withdraw=True) as venue:
        assert venue.broker().permissions().may_withdraw is True


def test_what_spot_and_perpetuals_can_do_differs(spot: BinanceVenue, perpetual: BinanceVenue) -> None:
    coins, margin = spot.broker().capabilities, perpetual.broker().capabilities
    assert coins.holds_coins
    assert coins.replaces
    assert Type.STOP in coins.order_types
    assert (coins.margin_wallet, coins.shorts) == (False, False)
    assert margin.margin_wallet
    assert margin.shorts
    assert margin.order_types == {Type.MARKET, Type.LIMIT}
    assert (margin.holds_coins, margin.replaces) == (False, False)


def test_the_venues_clock_is_read(spot: BinanceVenue) -> None:
    broker = spot.broker()
    spot.skew = timedelta(hours=3)
    assert abs(broker.server_time() - spot.now()) < timedelta(seconds=2)


def test_every_address_moves_to_the_base_url_with_its_path() -> None:
    urls = {"rest": "https://api.venue.example/v3", "ws": {"a": "wss://s.venue.example:9443/ws"}, "list": ["https://x.example"]}
    assert moved(urls, "http://127.0.0.1:81") == {
        "rest": "http://127.0.0.1:81/v3",
        "ws": {"a": "ws://127.0.0.1:81/ws"},
        "list": ["http://127.0.0.1:81"],
    }
    assert moved("wss://s.example/ws", "https://proxy.example/venue/") == "wss://proxy.example/venue/ws"


@pytest.mark.parametrize("market", ["spot", "perpetual"])
def test_play_money_never_goes_to_the_real_venue(market: str) -> None:
    broker = CcxtBroker("binance", Credentials({"api_key": "k", "secret": "s"}), Endpoint(is_paper=True, market=market))
    chosen, real = broker._client.urls["api"], ccxt.binance().urls["api"]
    assert not {chosen[name] for name in ("private", "fapiPrivate")} & set(real.values())
    broker.close()


@pytest.mark.parametrize("exchange_id", ["kraken", "kucoin"])
def test_without_a_test_environment_there_is_no_paper_account(exchange_id: str) -> None:
    with pytest.raises(Refused) as refused:
        CcxtBroker(exchange_id, Credentials({"api_key": "k", "secret": "s"}), Endpoint(is_paper=True))
    assert refused.value.code == "trading-disabled"


# -- orders -----------------------------------------------------------------------------------------------------------


def test_a_market_order_is_filled(venue: BinanceVenue) -> None:
    told = venue.broker().submit(order("m1"))
    assert (told.state, told.filled, told.type, told.side) == (State.FILLED, D("0.01"), Type.MARKET, Side.BUY)
    assert (told.client_order_id, told.symbol, told.limit_price) == ("m1", "BTCUSDT", None)
    truth = venue.exchange.by_client_id("m1")
    assert truth is not None
    assert truth.status == "filled"
    assert told.venue_order_id == str(truth.id)
    assert abs(told.updated_at - truth.updated_at) < timedelta(milliseconds=1)


def test_a_limit_order_rests_fills_in_parts_and_is_found(venue: BinanceVenue) -> None:
    broker = venue.broker()
    told = broker.submit(limit("l1", "49999.99", quantity=D("0.03")))
    assert (told.state, told.filled, told.limit_price) == (State.ACCEPTED, D(0), D("49999.99"))
    venue.exchange.liquidity["BTCUSDT"] = D("0.01")
    venue.exchange.move("BTCUSDT", "49000")
    part = broker.order(key("l1"))
    assert part is not None
    assert (part.state, part.filled, part.quantity) == (State.PARTLY_FILLED, D("0.01"), D("0.03"))
    venue.exchange.liquidity["BTCUSDT"] = None
    venue.exchange.move("BTCUSDT", "49000")
    whole = broker.order(key("l1", told.venue_order_id))
    assert whole is not None
    assert whole.state is State.FILLED


def test_stops_wait_for_their_price(spot: BinanceVenue) -> None:
    broker = spot.broker()
    stop = broker.submit(order("s1", side=Side.SELL, type=Type.STOP, stop_price=D("45000")))
    assert (stop.type, stop.state, stop.stop_price) == (Type.STOP, State.ACCEPTED, D("45000"))
    both = broker.submit(order("s2", type=Type.STOP_LIMIT, stop_price=D("55000"), limit_price=D("55010")))
    assert (both.type, both.stop_price, both.limit_price) == (Type.STOP_LIMIT, D("55000"), D("55010"))
    spot.exchange.move("BTCUSDT", "44000")
    sold, waiting = broker.order(key("s1")), broker.order(key("s2"))
    assert sold is not None
    assert waiting is not None
    assert (sold.state, sold.type) == (State.FILLED, Type.STOP)
    assert waiting.state is State.ACCEPTED


def test_what_can_not_be_filled_at_once_expires(venue: BinanceVenue) -> None:
    told = venue.broker().submit(limit("i1", time_in_force=TimeInForce.IOC))
    assert told.state is State.EXPIRED


def test_an_order_is_cancelled_once(venue: BinanceVenue) -> None:
    broker = venue.broker()
    broker.submit(limit("c1"))
    told = broker.cancel(key("c1"))
    assert told is not None
    assert (told.state, told.client_order_id) == (State.CANCELLED, "c1")
    truth = venue.exchange.by_client_id("c1")
    assert truth is not None
    assert truth.status == "cancelled"
    with pytest.raises(Refused) as late:
        broker.cancel(key("c1"))
    assert late.value.code == "not-open"
    found = broker.order(key("c1"))
    assert found is not None
    assert (found.state, found.client_order_id) == (State.CANCELLED, "c1")


def test_a_cancel_that_comes_after_the_fill_is_too_late(venue: BinanceVenue) -> None:
    broker = venue.broker()
    told = broker.submit(limit("c2"))
    venue.exchange.move("BTCUSDT", "39000")
    with pytest.raises(Refused) as late:
        broker.cancel(key("c2", told.venue_order_id))
    assert late.value.code == "not-open"


def test_an_order_is_replaced_as_one_act(spot: BinanceVenue) -> None:
    broker = spot.broker()
    broker.submit(limit("r1"))
    told = broker.replace(key("r1"), limit("r2", "41000", quantity=D("0.02")))
    assert (told.client_order_id, told.state, told.limit_price, told.quantity) == ("r2", State.ACCEPTED, D(41000), D("0.02"))
    assert [one.client_order_id for one in spot.exchange.open_orders()] == ["r2"]


def test_replacing_an_order_that_is_over_changes_nothing(spot: BinanceVenue) -> None:
    broker = spot.broker()
    told = broker.submit(order("r1"))
    with pytest.raises(Refused) as late:
        broker.replace(key("r1", told.venue_order_id), limit("r2"))
    assert late.value.code == "not-open"
    assert spot.exchange.by_client_id("r2") is None


def test_a_replacement_that_is_refused_leaves_the_old_order_cancelled_and_says_so(spot: BinanceVenue) -> None:
    broker = spot.broker()
    broker.submit(limit("r1"))
    told = broker.replace(key("r1"), limit("r2", quantity=D(1000)))
    assert (told.state, told.client_order_id, told.code) == (State.REJECTED, "r2", "insufficient-funds")
    assert spot.exchange.open_orders() == []
    assert spot.exchange.by_client_id("r2") is None


def test_the_same_client_order_id_is_taken_once(venue: BinanceVenue) -> None:
    broker = venue.broker()
    broker.submit(limit("d1"))
    with pytest.raises(Refused) as twice:
        broker.submit(limit("d1"))
    assert twice.value.code == "duplicate-id"
    assert venue.exchange.seen["d1"] == 1


def test_an_order_that_the_venue_does_not_have_is_none(venue: BinanceVenue) -> None:
    assert venue.broker().order(key("never")) is None
    assert venue.broker().order(key("never", "424242")) is None


def test_open_orders_are_everybodys(venue: BinanceVenue) -> None:
    broker = venue.broker()
    broker.submit(limit("mine"))
    venue.exchange.submit(
        client_order_id="web_1", symbol="ETHUSDT", side="buy", type="limit", quantity=D("0.1"), limit_price=D(1000)
    )
    broker.submit(order("done"))
    assert {(one.client_order_id, one.symbol) for one in broker.open_orders()} == {("mine", "BTCUSDT"), ("web_1", "ETHUSDT")}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (order("x", quantity=D(1000)), "insufficient-funds"),
        (order("x", quantity=D("0.00001")), "below-minimum"),
        (order("x", symbol="NOSUCH"), "unknown-symbol"),
        (order("x", quantity=D("0.010001")), "bad-quantity"),
        (order("x", quantity=D("0.000001")), "bad-quantity"),
        (limit("x", "40000.001"), "bad-price"),
        (limit("x", time_in_force=TimeInForce.DAY), "venue-refused"),
    ],
)
def test_a_refusal_has_our_code_and_nothing_happened(spot: BinanceVenue, request_: OrderRequest, code: str) -> None:
    broker = spot.broker()
    with pytest.raises(Refused) as refused:
        broker.submit(request_)
    assert refused.value.code == code
    assert not spot.exchange.orders


def test_what_is_off_the_grid_is_not_cut_to_another_order(spot: BinanceVenue) -> None:
    """ccxt would send 0.01 for 0.010009."""
    broker = spot.broker()
    with pytest.raises(Refused):
        broker.submit(order("x", quantity=D("0.010009")))
    assert [method for method, _, _ in spot.requests if method == "POST"] == []


def test_numbers_may_be_written_with_an_exponent(venue: BinanceVenue) -> None:
    told = venue.broker().submit(limit("e1", "4E+4", quantity=D("1E-2")))
    assert (told.quantity, told.limit_price) == (D("0.01"), D(40000))


def test_a_question_about_an_instrument_that_is_gone_is_not_refused(spot: BinanceVenue) -> None:
    broker = spot.broker()
    raised(lambda: broker.order(OrderKey("x", "GONEUSDT")), Unavailable)
    raised(lambda: broker.fills_since(lately(), ["GONEUSDT"]), Unavailable)


def test_the_list_of_instruments_is_fetched_once_for_all_accounts(venue: BinanceVenue) -> None:
    for _ in range(3):
        venue.broker().submit(order(""))
    assert len([path for _, path, _ in venue.requests if path.endswith("exchangeInfo")]) == 1


def test_a_short_of_a_perpetual_is_told_with_its_sign(perpetual: BinanceVenue) -> None:
    broker = perpetual.broker()
    broker.submit(order("p1", side=Side.SELL, quantity=D("0.5")))
    perpetual.exchange.move("BTCUSDT", "49000")
    (held,) = broker.positions()
    assert (held.symbol, held.quantity, held.average_price) == ("BTCUSDT", D("-0.5"), D(50000))
    (wallet,) = broker.balances()
    # 100,000 less the fee of 25; the open profit of 500 is not in it.
    assert (wallet.currency, wallet.total) == ("USDT", D(99975))
    broker.submit(order("p2", quantity=D("0.5"), reduce_only=True))
    assert broker.positions() == []
    assert [params.get("reduceOnly") for method, _, params in perpetual.requests if method == "POST"] == [None, "true"]


def test_balances_hold_what_open_orders_tie_up(spot: BinanceVenue) -> None:
    broker = spot.broker()
    broker.submit(limit("b1", quantity=D(1)))
    told = {one.currency: (one.total, one.free) for one in broker.balances()}
    assert told == {"BTC": (D(1), D(1)), "USDT": (D(100_000), D(60_000))}
    assert broker.positions() == []


# -- history ----------------------------------------------------------------------------------------------------------


def test_fills_are_told_with_their_fee_and_the_same_when_asked_again(venue: BinanceVenue) -> None:
    broker = venue.broker()
    told = broker.submit(order("f1"))
    first = broker.fills_since(lately(), ["BTCUSDT", "ETHUSDT"])
    assert broker.fills_since(lately(), ["BTCUSDT"]) == first
    (fill,) = first
    (truth,) = venue.exchange.fills
    assert (fill.venue_fill_id, fill.venue_order_id) == (str(truth.id), told.venue_order_id)
    assert (fill.quantity, fill.price, fill.side, fill.is_maker) == (D("0.01"), D(50000), Side.BUY, False)
    assert (fill.fee, fill.fee_currency) == (truth.fee, "USDT" if venue.perpetual else "BTC")


def test_a_fill_at_the_very_moment_that_is_asked_for_is_told(spot: BinanceVenue) -> None:
    broker = spot.broker()
    broker.submit(order("f1"))
    assert len(broker.fills_since(spot.exchange.fills[0].at, ["BTCUSDT"])) == 1


def test_more_fills_than_a_page_are_all_told(spot: BinanceVenue) -> None:
    broker = spot.broker()
    began = spot.now() - timedelta(days=1)
    for number in range(1020):
        spot.exchange.clock = lambda number=number: began + timedelta(seconds=number // 3)  # several at one moment
        spot.exchange.submit(client_order_id="", symbol="BTCUSDT", side="buy", type="market", quantity=D("0.0001"))
    told = broker.fills_since(began, ["BTCUSDT"])
    assert [one.venue_fill_id for one in told] == [str(one.id) for one in spot.exchange.fills]


def test_fills_of_more_than_a_week_ago_are_told_too(venue: BinanceVenue) -> None:
    """The futures answer for at most seven days at once."""
    broker = venue.broker()
    now = venue.now()
    for days in (25, 16, 3):
        venue.exchange.clock = lambda days=days: now - timedelta(days=days)
        venue.exchange.submit(client_order_id="", symbol="BTCUSDT", side="buy", type="market", quantity=D("0.01"))
    told = broker.fills_since(now - timedelta(days=20), ["BTCUSDT"])
    assert [one.venue_fill_id for one in told] == [str(one.id) for one in venue.exchange.fills[1:]]


def test_money_that_moves_without_a_trade_is_told_once(venue: BinanceVenue) -> None:
    broker = venue.broker()
    began = venue.now()
    broker.submit(order("f1"))
    venue.exchange.flow("deposit", "USDT", D(500))
    venue.exchange.flow("withdrawal", "USDT", D("-20.5"))
    expected = {(FlowKind.DEPOSIT, D(500)), (FlowKind.WITHDRAWAL, D("-20.5"))}
    if venue.perpetual:
        venue.exchange.flow("funding", "USDT", D("-0.375"))
        expected.add((FlowKind.FUNDING, D("-0.375")))
    told = broker.flows_since(began)
    assert {(one.kind, one.amount) for one in told} == expected
    assert len({one.venue_flow_id for one in told}) == len(told)
    assert {one.currency for one in told} == {"USDT"}
    assert broker.flows_since(began) == told


def test_a_deposit_of_months_ago_is_told(spot: BinanceVenue) -> None:
    """Ninety days are the most that one question may cover."""
    broker = spot.broker()
    now = spot.now()
    spot.exchange.clock = lambda: now - timedelta(days=200)
    spot.exchange.flow("deposit", "USDT", D(1))
    spot.exchange.clock = spot.now
    spot.exchange.flow("deposit", "USDT", D(2))
    assert [one.amount for one in broker.flows_since(now - timedelta(days=300))] == [D(1), D(2)]


# -- what goes wrong --------------------------------------------------------------------------------------------------

Outcome = tuple[type[BrokerError] | None, int]  # what is raised, and how many orders there are then

SUBMIT: dict[Fault, Outcome] = {
    Fault.LOST_REQUEST: (OutcomeUnknown, 0),
    Fault.LOST_ANSWER: (OutcomeUnknown, 1),
    Fault.SLOW: (OutcomeUnknown, 1),
    Fault.LATE: (OutcomeUnknown, 1),
    Fault.REJECT: (Refused, 0),
    Fault.RATE_LIMIT: (RateLimited, 0),
    Fault.BROKEN: (OutcomeUnknown, 0),
    Fault.BROKEN_AFTER: (OutcomeUnknown, 1),
    Fault.SKEWED: (None, 1),
    Fault.REVOKED: (BadCredentials, 0),
}


def happened(venue: BinanceVenue) -> threading.Event:
    """Set once the exchange tells anything from now on."""
    event = threading.Event()
    venue.exchange.listeners.append(lambda order, execution: event.set())
    return event


def raised(act: Callable[[], object], expected: type[BrokerError] | None) -> None:
    if expected is None:
        act()
        return
    with pytest.raises(expected) as caught:
        act()
    assert type(caught.value) is expected


@pytest.mark.parametrize("fault", SUBMIT)
def test_what_is_said_of_a_submitted_order_is_never_more_than_is_known(venue: BinanceVenue, fault: Fault) -> None:
    broker = venue.broker(timeout=0.3)
    venue.faults.seconds = 0.6
    told = happened(venue)
    venue.faults.next("submit", fault)
    error, orders = SUBMIT[fault]
    raised(lambda: broker.submit(limit("w1")), error)
    if orders:
        assert told.wait(5)
    assert venue.exchange.seen["w1"] == orders
    # Who asks afterwards learns the truth.
    assert (broker.order(key("w1")) is not None) is bool(orders)


def test_an_answer_that_comes_in_time_is_believed(spot: BinanceVenue) -> None:
    spot.faults.seconds = 0.1
    spot.faults.next("submit", Fault.SLOW)
    assert spot.broker().submit(limit("w1")).state is State.ACCEPTED


@pytest.mark.parametrize("fault", SUBMIT)
def test_what_is_said_of_a_cancel_is_never_more_than_is_known(venue: BinanceVenue, fault: Fault) -> None:
    broker = venue.broker(timeout=0.3)
    broker.submit(limit("w1"))
    venue.faults.seconds = 0.6
    told = happened(venue)
    venue.faults.next("cancel", fault)
    error, cancelled = SUBMIT[fault]
    raised(lambda: broker.cancel(key("w1")), error)
    if cancelled:
        assert told.wait(5)
    truth = venue.exchange.by_client_id("w1")
    assert truth is not None
    assert truth.status == ("cancelled" if cancelled else "open")


@pytest.mark.parametrize("fault", SUBMIT)
def test_what_is_said_of_a_replacement_is_never_more_than_is_known(spot: BinanceVenue, fault: Fault) -> None:
    broker = spot.broker(timeout=0.3)
    broker.submit(limit("w1"))
    spot.faults.seconds = 0.6
    replaced = threading.Event()
    spot.exchange.listeners.append(lambda order, execution: order.client_order_id == "w2" and replaced.set())
    spot.faults.next("replace", fault)
    error, orders = SUBMIT[fault]
    raised(lambda: broker.replace(key("w1"), limit("w2", "41000")), error)
    if orders:
        assert replaced.wait(5)
    assert [one.client_order_id for one in spot.exchange.open_orders()] == (["w2"] if orders else ["w1"])


ASK: dict[Fault, type[BrokerError] | None] = dict.fromkeys(Fault, Unavailable) | {
    Fault.RATE_LIMIT: RateLimited,
    Fault.SKEWED: None,
    Fault.REVOKED: BadCredentials,
}
QUESTIONS: dict[str, Callable[[CcxtBroker], object]] = {
    "order": lambda broker: broker.order(key("w1")),
    "open orders": lambda broker: broker.open_orders(),
    "balances": lambda broker: broker.balances(),
    "fills": lambda broker: broker.fills_since(lately(), ["BTCUSDT"]),
    "flows": lambda broker: broker.flows_since(lately()),
    "permissions": lambda broker: broker.permissions(),
}


@pytest.mark.parametrize("fault", ASK)
def test_a_question_that_fails_is_unavailable(spot: BinanceVenue, fault: Fault) -> None:
    broker = spot.broker(timeout=0.3)
    spot.faults.seconds = 0.6
    spot.faults.next("ask", fault)
    raised(lambda: broker.order(key("w1")), ASK[fault])
    # The next one is answered again.
    assert broker.order(key("w1")) is None


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_can_fail(spot: BinanceVenue, question: str) -> None:
    broker = spot.broker()
    spot.faults.always("ask", Fault.BROKEN)
    raised(lambda: QUESTIONS[question](broker), Unavailable)
    spot.faults.always("ask", None)
    QUESTIONS[question](broker)
    spot.revoke()
    raised(lambda: QUESTIONS[question](broker), BadCredentials)


def test_a_revoked_key_is_not_taken_for_a_ban(venue: BinanceVenue) -> None:
    """ccxt calls -2015 a ban once a key has worked."""
    broker = venue.broker()
    broker.submit(limit("k1"))
    venue.revoke()
    raised(lambda: broker.submit(limit("k2")), BadCredentials)
    raised(lambda: broker.cancel(key("k1")), BadCredentials)
    raised(broker.permissions, BadCredentials)
    assert venue.exchange.by_client_id("k2") is None


def test_the_time_to_wait_is_the_venues(venue: BinanceVenue) -> None:
    broker = venue.broker()
    for operation, act in (("submit", lambda: broker.submit(limit("t1"))), ("ask", lambda: broker.order(key("t1")))):
        venue.faults.next(operation, Fault.RATE_LIMIT)
        with pytest.raises(RateLimited) as limited:
            act()
        assert limited.value.retry_after == RETRY_AFTER


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_is_wrong_is_set_once_and_the_request_goes_on(venue: BinanceVenue, seconds: int) -> None:
    broker = venue.broker()
    venue.skew = timedelta(seconds=seconds)
    told = broker.submit(limit("z1"))
    assert venue.exchange.seen["z1"] == 1
    assert abs(told.updated_at - venue.now()) < timedelta(seconds=5)
    tries = [path for method, path, _ in venue.requests if method == "POST"]
    assert len(tries) == 2
    broker.cancel(key("z1"))  # with the clock as it is now
    assert len([path for method, path, _ in venue.requests if method == "DELETE"]) == 1


def test_a_clock_that_can_not_be_set_sends_nothing(spot: BinanceVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue says one time and judges by another."""
    broker = spot.broker()
    right = spot._check_time
    monkeypatch.setattr(
        spot, "_check_time", lambda params: right(params | {"timestamp": str(int(params["timestamp"]) - 60_000)})
    )
    raised(lambda: broker.submit(limit("z1")), NotSent)
    raised(lambda: broker.order(key("z1")), Unavailable)
    assert not spot.exchange.orders
    assert len([path for method, path, _ in spot.requests if method == "POST"]) == 2


def test_where_nobody_listens_nothing_was_sent() -> None:
    with BinanceVenue() as venue:
        broker = venue.broker()
        endpoint = venue.endpoint
    raised(lambda: broker.submit(limit("n1")), NotSent)
    raised(lambda: broker.cancel(key("n1")), NotSent)
    raised(lambda: broker.order(key("n1")), Unavailable)
    fresh = CcxtBroker("binance", venue.credentials, endpoint)
    raised(lambda: fresh.submit(limit("n1")), NotSent)
    raised(fresh.permissions, Unavailable)
    fresh.close()


def test_a_host_that_accepts_and_says_nothing_leaves_the_outcome_unknown(spot: BinanceVenue) -> None:
    broker = spot.broker(timeout=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker._client.urls["api"] = moved(broker._client.urls["api"], f"http://127.0.0.1:{silent.getsockname()[1]}")
        raised(lambda: broker.submit(limit("n1")), OutcomeUnknown)
        raised(lambda: broker.order(key("n1")), Unavailable)


def binance_answer(status: int, code: int, message: str = "") -> Answer:
    return Answer(status, {}, f'{{"code":{code},"msg":"{message}"}}')


@pytest.mark.parametrize(
    ("error", "answer", "may_have_changed", "verdict"),
    [
        (ccxt.ExchangeError(), binance_answer(400, -1007, "Timeout waiting for response."), True, Verdict.UNKNOWN),
        (ccxt.ExchangeNotAvailable(), binance_answer(503, -1008, "Server is currently overloaded."), True, Verdict.TURNED_AWAY),
        (ccxt.ExchangeNotAvailable(), Answer(503, {}, "<html>"), True, Verdict.UNKNOWN),
        (ccxt.InvalidOrder(), Answer(500, {}, "LOT_SIZE"), True, Verdict.UNKNOWN),
        (ccxt.RequestTimeout(), Answer(408, {}, ""), True, Verdict.UNKNOWN),
        (ccxt.DDoSProtection(), Answer(418, {}, ""), True, Verdict.RATE),
        (ccxt.ExchangeNotAvailable(), Answer(403, {}, "<html>"), True, Verdict.TURNED_AWAY),
        (ccxt.ExchangeNotAvailable(), Answer(404, {}, "<html>"), True, Verdict.REFUSED),
        (ccxt.ExchangeError(), binance_answer(400, -4116), True, Verdict.DUPLICATE_ID),
        (ccxt.ExchangeError(), binance_answer(400, -9999), True, Verdict.REFUSED),
        (ccxt.ExchangeError(), binance_answer(200, -9999), True, Verdict.UNKNOWN),
        (ccxt.InvalidOrder(), None, False, Verdict.REFUSED),  # ccxt itself refused to send it
        (ccxt.InvalidOrder(), None, True, Verdict.UNKNOWN),
        (ccxt.NetworkError(), None, True, Verdict.UNKNOWN),
        (ccxt.NetworkError(), None, False, Verdict.TURNED_AWAY),
        (KeyError("symbol"), Answer(200, {}, "{}"), True, Verdict.UNKNOWN),
        (KeyError("symbol"), None, False, Verdict.UNKNOWN),
    ],
)
def test_a_refusal_is_believed_only_where_the_venue_said_no(
    error: Exception, answer: Answer | None, may_have_changed: bool, verdict: Verdict
) -> None:
    assert judge(error, answer, may_have_changed, dialect("binance")) is verdict


def test_an_answer_that_can_not_be_read_leaves_the_outcome_unknown(spot: BinanceVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = spot.broker()
    monkeypatch.setattr(broker._client, "parse_order", lambda *said: 1 / 0)
    raised(lambda: broker.submit(limit("u1")), OutcomeUnknown)
    raised(lambda: broker.order(key("u1")), Unavailable)
    assert spot.exchange.seen["u1"] == 1


def test_no_secret_leaves_in_an_error_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []
    chained: list[BaseException | None] = []
    caplog.set_level(logging.DEBUG, logger="ccxt.base.exchange")  # ccxt's own words, with keys and signatures in them
    with BinanceVenue() as venue, caplog.at_level(logging.DEBUG):
        broker = venue.broker(timeout=0.3)
        venue.faults.seconds = 0.6
        operations = {
            "submit": lambda: broker.submit(limit("q1")),
            "cancel": lambda: broker.cancel(key("q1")),
            "replace": lambda: broker.replace(key("q1"), limit("q2")),
            "ask": lambda: broker.order(key("q1")),
        }
        for operation, act in operations.items():
            for fault in Fault:
                venue.faults.next(operation, fault)
                try:
                    act()
                except BrokerError as error:
                    said += [repr(error), error.message, *traceback.format_exception(error)]
                    chained += [error.__cause__, error.__context__]
        signatures = [params["signature"] for _, _, params in venue.requests if "signature" in params]
    said += [record.getMessage() for record in caplog.records] + [
        caplog.text,
        repr(broker._credentials),
        repr(venue.credentials),
    ]
    assert len(said) > 30
    assert chained
    assert not any(chained)
    assert any("HTTP/1.1" in one for one in said), "urllib3 logged nothing, so this proves nothing"
    for secret in (*venue.credentials.fields.values(), *signatures):
        assert not [one for one in said if secret in one]
