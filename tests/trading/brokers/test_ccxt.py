"""The ccxt adapter against a local server that speaks Binance's private protocol: connecting and orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import ccxt
import pytest

from tests.trading.brokers.binance_orders import D, key, lately, limit, order, raised
from tests.venues.binance import BinanceVenue
from trading.brokers.ccxt import CcxtBroker
from trading.brokers.ccxt.wire import moved
from trading.brokers.protocol import (
    Credentials,
    Endpoint,
    OrderKey,
    OrderRequest,
    Refused,
    Side,
    State,
    TimeInForce,
    Type,
    Unavailable,
)


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
