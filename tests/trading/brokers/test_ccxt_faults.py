"""What the ccxt adapter says when things go wrong, and what is true then, against the local Binance."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta

import ccxt
import pytest

from tests.trading.brokers.binance_orders import key, lately, limit, raised
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
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    State,
    Unavailable,
)


@pytest.fixture
def spot() -> Iterator[BinanceVenue]:
    with BinanceVenue() as venue:
        yield venue


@pytest.fixture(params=["spot", "perpetual"])
def venue(request: pytest.FixtureRequest) -> Iterator[BinanceVenue]:
    with BinanceVenue(request.param) as made:
        yield made


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
