"""What the ccxt adapter sends to exchanges of which there is no local copy, and how it reads what they answer.

The answers are the examples of each exchange's documentation.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import ccxt
import pytest

from tests.venues.scripted import Came, ScriptedVenue
from trading.brokers.ccxt import CcxtBroker
from trading.brokers.ccxt.dialects import DIALECTS, OTHER
from trading.brokers.protocol import (
    BadCredentials,
    BrokerError,
    Credentials,
    Endpoint,
    OrderKey,
    OrderRequest,
    OutcomeUnknown,
    Refused,
    Side,
    State,
    TimeInForce,
    Type,
    Unavailable,
    VenueOrder,
)

D = Decimal
CLIENT_ID = "0b5d7cd1-4ef9"
SECRET = base64.b64encode(os.urandom(64)).decode()  # Coinbase's is the seed and the public half of an Ed25519 key
SINCE = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """One exchange: its instrument, its answers and where in a request our client order id stands."""

    symbol: str
    start: dict[str, Any]
    submit: tuple[str, str]
    placed: dict[str, Any]
    id_in_submit: Callable[[Came], str]
    numbers_in_submit: Callable[[Came], set[Any]]
    cancel: tuple[str, str]
    cancelled: dict[str, Any]
    id_in_cancel: Callable[[Came], str]
    ask: tuple[str, str]
    found: dict[str, Any]
    none_found: dict[str, Any]
    no_money: dict[str, Any]
    too_late: dict[str, Any]
    fills: tuple[str, str]
    filled: Any
    venue_id: str = "68e6a28f"
    before_cancel: dict[str, Any] = field(default_factory=dict)


def form(came: Came) -> dict[str, str]:
    return dict(parse_qsl(came.body))


def posted(came: Came) -> Any:
    return json.loads(came.body)


COINBASE_ORDER = {
    "order_id": "68e6a28f", "product_id": "BTC-USD", "user_id": "u", "side": "BUY", "client_order_id": CLIENT_ID,
    "order_configuration": {"limit_limit_gtc": {"base_size": "0.10000003", "limit_price": "30000.1", "post_only": False}},
    "status": "OPEN", "time_in_force": "GOOD_UNTIL_CANCELLED", "created_time": "2026-11-21T10:00:00Z",
    "completion_percentage": "20", "filled_size": "0.02", "average_filled_price": "30000.1", "fee": "",
    "number_of_fills": "1", "filled_value": "600.002", "pending_cancel": False, "size_in_quote": False, "total_fees": "1.2",
    "order_type": "LIMIT", "last_fill_time": "2026-11-21T10:00:05Z",
}  # fmt: skip

COINBASE = Told(
    symbol="BTC-USD",
    start={
        "GET /api/v3/brokerage/market/products": {
            "products": [
                {
                    "product_id": "BTC-USD", "base_currency_id": "BTC", "quote_currency_id": "USD", "product_type": "SPOT",
                    "base_increment": "0.00000001", "quote_increment": "0.01", "price_increment": "0.01",
                    "base_min_size": "0.00000001", "base_max_size": "3400", "quote_min_size": "1",
                    "quote_max_size": "150000000", "trading_disabled": False, "status": "online",
                }
            ],
            "num_products": 1,
        },
        "GET /api/v3/brokerage/transaction_summary": {"fee_tier": {"taker_fee_rate": "0.012", "maker_fee_rate": "0.006"}},
    },
    submit=("POST", "/api/v3/brokerage/orders"),
    placed={
        "success": True,
        "success_response": {
            "order_id": "68e6a28f", "product_id": "BTC-USD", "side": "BUY", "client_order_id": CLIENT_ID,
        },
        "order_configuration": COINBASE_ORDER["order_configuration"],
    },
    id_in_submit=lambda came: posted(came)["client_order_id"],
    numbers_in_submit=lambda came: set(posted(came)["order_configuration"]["limit_limit_gtc"].values()),
    cancel=("POST", "/api/v3/brokerage/orders/batch_cancel"),
    cancelled={"results": [{"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "68e6a28f"}]},
    id_in_cancel=lambda came: {"68e6a28f": CLIENT_ID}[posted(came)["order_ids"][0]],
    ask=("GET", "/api/v3/brokerage/orders/historical/batch"),
    found={"orders": [COINBASE_ORDER], "sequence": "0", "has_next": False, "cursor": ""},
    none_found={"orders": [], "sequence": "0", "has_next": False, "cursor": ""},
    no_money={
        "success": False,
        "error_response": {
            "error": "INSUFFICIENT_FUND", "message": "Insufficient balance in source account", "error_details": "",
        },
    },
    too_late={"results": [{"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "68e6a28f"}]},
    fills=("GET", "/api/v3/brokerage/orders/historical/fills"),
    filled={
        "fills": [
            {
                "entry_id": "22222-2222222-22222222", "trade_id": "1111-11111-111111", "order_id": "68e6a28f",
                "trade_time": "2026-11-21T10:00:05.123Z", "trade_type": "FILL", "price": "30000.1", "size": "0.02",
                "commission": "1.25", "product_id": "BTC-USD", "sequence_timestamp": "2026-11-21T10:00:05.123Z",
                "liquidity_indicator": "MAKER", "size_in_quote": False, "user_id": "u", "side": "BUY",
            }
        ],
        "cursor": "",
    },
)  # fmt: skip

KRAKEN_ORDER = {
    "refid": None, "userref": 0, "cl_ord_id": CLIENT_ID, "status": "open", "opentm": 1795255200.1234, "starttm": 0,
    "expiretm": 0,
    "descr": {
        "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "30000.1", "price2": "0", "leverage": "none",
        "order": "buy 0.10000003 XBTUSD @ limit 30000.1", "close": "",
    },
    "vol": "0.10000003", "vol_exec": "0.02000000", "cost": "600.00200", "fee": "1.20000", "price": "30000.1",
    "stopprice": "0.00000", "limitprice": "0.00000", "misc": "", "oflags": "fciq", "trades": ["TRWCIF"],
}  # fmt: skip

KRAKEN = Told(
    symbol="XXBTZUSD",
    start={
        "GET /0/public/Assets": {
            "error": [],
            "result": {
                "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled"},
                "ZUSD": {"aclass": "currency", "altname": "USD", "decimals": 4, "display_decimals": 2, "status": "enabled"},
            },
        },
        "GET /0/public/AssetPairs": {
            "error": [],
            "result": {
                "XXBTZUSD": {
                    "altname": "XBTUSD", "wsname": "XBT/USD", "aclass_base": "currency", "base": "XXBT",
                    "aclass_quote": "currency", "quote": "ZUSD", "lot": "unit", "cost_decimals": 5, "pair_decimals": 1,
                    "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [2, 3], "leverage_sell": [2, 3],
                    "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "ordermin": "0.00005", "costmin": "0.5",
                    "tick_size": "0.1", "status": "online",
                }
            },
        },
        "POST /0/private/ClosedOrders": {"error": [], "result": {"closed": {}, "count": 0}},
    },
    submit=("POST", "/0/private/AddOrder"),
    placed={"error": [], "result": {"txid": ["68e6a28f"], "descr": {"order": "buy 0.10000003 XBTUSD @ limit 30000.1"}}},
    id_in_submit=lambda came: form(came)["cl_ord_id"],
    numbers_in_submit=lambda came: {form(came)["volume"], form(came)["price"]},
    cancel=("POST", "/0/private/CancelOrder"),
    cancelled={"error": [], "result": {"count": 1}},
    id_in_cancel=lambda came: form(came)["cl_ord_id"],
    ask=("POST", "/0/private/OpenOrders"),
    found={"error": [], "result": {"open": {"68e6a28f": KRAKEN_ORDER}}},
    none_found={"error": [], "result": {"open": {}}},
    no_money={"error": ["EOrder:Insufficient funds"]},
    too_late={"error": ["EOrder:Unknown order"]},
    fills=("POST", "/0/private/TradesHistory"),
    filled={
        "error": [],
        "result": {
            "count": 1,
            "trades": {
                "TRWCIF": {
                    "ordertxid": "68e6a28f", "postxid": "TKH2SE", "pair": "XXBTZUSD", "time": 1795255205.123,
                    "type": "buy", "ordertype": "limit", "price": "30000.1", "cost": "600.002", "fee": "1.25",
                    "vol": "0.02", "margin": "0.0", "misc": "", "trade_id": 4032, "maker": True,
                }
            },
        },
    },
)  # fmt: skip

KUCOIN_ORDER = {
    "id": "68e6a28f", "clientOid": CLIENT_ID, "symbol": "BTC-USDT", "opType": "DEAL", "type": "limit", "side": "buy",
    "price": "30000.1", "size": "0.10000003", "funds": "3000.010900003", "dealSize": "0.02", "dealFunds": "600.002",
    "remainSize": "0.08000003", "remainFunds": "2400", "cancelledSize": "0", "cancelledFunds": "0", "fee": "0.6",
    "feeCurrency": "USDT", "stp": None, "timeInForce": "GTC", "postOnly": False, "hidden": False, "iceberg": False,
    "visibleSize": "0", "cancelAfter": 0, "channel": "API", "remark": None, "tags": None, "cancelExist": False,
    "tradeType": "TRADE", "inOrderBook": True, "active": True, "tax": "0", "createdAt": 1795255200123,
    "lastUpdatedAt": 1795255205123,
}  # fmt: skip

KUCOIN = Told(
    symbol="BTC-USDT",
    start={
        "GET /api/v2/symbols": {
            "code": "200000",
            "data": [
                {
                    "symbol": "BTC-USDT", "name": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT",
                    "feeCurrency": "USDT", "market": "USDS", "baseMinSize": "0.00001", "quoteMinSize": "0.1",
                    "baseMaxSize": "10000000000", "quoteMaxSize": "99999999", "baseIncrement": "0.00000001",
                    "quoteIncrement": "0.000001", "priceIncrement": "0.1", "priceLimitRate": "0.1", "minFunds": "0.1",
                    "isMarginEnabled": True, "enableTrading": True,
                }
            ],
        },
        "GET /api/v3/margin/symbols": {"code": "200000", "data": {"timestamp": 1, "items": []}},
        "GET /api/v1/isolated/symbols": {"code": "200000", "data": []},
        "GET /api/v1/hf/accounts/opened": {"code": "200000", "data": True},
        "GET /api/ua/v1/account/mode": {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}},
    },
    submit=("POST", "/api/v1/hf/orders"),
    placed={"code": "200000", "data": {"orderId": "68e6a28f", "clientOid": CLIENT_ID}},
    id_in_submit=lambda came: posted(came)["clientOid"],
    numbers_in_submit=lambda came: {posted(came)["size"], posted(came)["price"]},
    cancel=("DELETE", f"/api/v1/hf/orders/client-order/{CLIENT_ID}"),
    cancelled={"code": "200000", "data": {"clientOid": CLIENT_ID}},
    id_in_cancel=lambda came: came.path.rpartition("/")[2],
    ask=("GET", f"/api/v1/hf/orders/client-order/{CLIENT_ID}"),
    found={"code": "200000", "data": KUCOIN_ORDER},
    none_found={"code": "200000", "data": None},
    no_money={"code": "200004", "msg": "Balance insufficient!"},
    too_late={"code": "400100", "msg": "order_not_exist_or_not_allow_to_cancel"},
    fills=("GET", "/api/v1/hf/fills"),
    filled={
        "code": "200000",
        "data": {
            "items": [
                {
                    "id": 19814995255305, "orderId": "68e6a28f", "counterOrderId": "x", "tradeId": 11029373945659392,
                    "symbol": "BTC-USDT", "side": "buy", "liquidity": "maker", "type": "limit", "forceTaker": False,
                    "price": "30000.1", "size": "0.02", "funds": "600.002", "fee": "1.25", "feeRate": "0.001",
                    "feeCurrency": "USD", "stop": "", "tradeType": "TRADE", "taxRate": "0", "tax": "0",
                    "createdAt": 1795255205123,
                }
            ],
            "lastId": 19814995255305,
        },
    },
)  # fmt: skip

EXCHANGES = {"coinbase": COINBASE, "kraken": KRAKEN, "kucoin": KUCOIN}


@contextmanager
def connected(exchange_id: str, **answers: Any) -> Iterator[tuple[ScriptedVenue, CcxtBroker]]:
    """``answers`` by what they answer: submit, cancel, ask, fills."""
    told = EXCHANGES[exchange_id]
    script = dict(told.start)
    for name, said in answers.items():
        method, path = getattr(told, name)
        script[f"{method} {path}"] = said
    with ScriptedVenue(script) as venue:
        credentials = Credentials({"api_key": "key", "secret": SECRET, "passphrase": "phrase"})
        broker = CcxtBroker(exchange_id, credentials, Endpoint(base_url=venue.base_url, timeout=5))
        broker._client.enableRateLimit = False  # Kraken's is seconds
        yield venue, broker
        broker.close()


def limit_order(told: Told, **changes: Any) -> OrderRequest:
    said: dict[str, Any] = {"type": Type.LIMIT, "quantity": D("0.10000003"), "limit_price": D("30000.1")}
    return OrderRequest(CLIENT_ID, told.symbol, Side.BUY, **said | changes)


@pytest.fixture(params=EXCHANGES)
def exchange_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_order_carries_our_id_and_the_very_digits(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=told.placed) as (venue, broker):
        placed = broker.submit(limit_order(told))
        (came,) = venue.of(*told.submit)
    assert told.id_in_submit(came) == CLIENT_ID
    assert {"0.10000003", "30000.1"} <= told.numbers_in_submit(came)
    assert (placed.client_order_id, placed.venue_order_id, placed.symbol) == (CLIENT_ID, "68e6a28f", told.symbol)
    assert (placed.quantity, placed.limit_price, placed.filled) == (D("0.10000003"), D("30000.1"), D(0))
    assert (placed.side, placed.type, placed.state) == (Side.BUY, Type.LIMIT, State.ACCEPTED)


def test_an_order_is_found_by_our_id(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, ask=told.found) as (_, broker):
        found = broker.order(OrderKey(CLIENT_ID, told.symbol))
    assert found is not None
    assert (found.client_order_id, found.venue_order_id, found.symbol) == (CLIENT_ID, "68e6a28f", told.symbol)
    assert (found.quantity, found.filled, found.limit_price) == (D("0.10000003"), D("0.02"), D("30000.1"))
    assert (found.side, found.type, found.state) == (Side.BUY, Type.LIMIT, State.PARTLY_FILLED)
    assert found.updated_at.date().isoformat() == "2026-11-21"


def test_an_order_that_is_not_there_is_none(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, ask=told.none_found) as (venue, broker):
        assert broker.order(OrderKey(CLIENT_ID, told.symbol)) is None
        assert venue.of(*told.ask)


def test_an_order_is_cancelled_by_our_id(exchange_id: str) -> None:
    """Coinbase cancels by its own id alone, which is looked up first."""
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, cancel=told.cancelled, ask=told.found) as (venue, broker):
        assert broker.cancel(OrderKey(CLIENT_ID, told.symbol)) is None
        (came,) = venue.of(*told.cancel)
    assert told.id_in_cancel(came) == CLIENT_ID


def test_a_cancel_that_comes_too_late_is_told(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, cancel=told.too_late, ask=told.found) as (_, broker), pytest.raises(Refused) as late:
        broker.cancel(OrderKey(CLIENT_ID, told.symbol))
    assert late.value.code == "not-open"


def test_a_refusal_has_our_code(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=told.no_money) as (_, broker), pytest.raises(Refused) as refused:
        broker.submit(limit_order(told))
    assert refused.value.code == "insufficient-funds"


@pytest.mark.parametrize("answer", [(500, {"error": "x"}), (503, "<html>"), (200, "nonsense"), (200, {"success": True})])
def test_what_proves_nothing_leaves_the_outcome_unknown(exchange_id: str, answer: tuple[int, Any]) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=answer) as (_, broker):
        try:
            placed: VenueOrder | None = broker.submit(limit_order(told))
            error: BrokerError | None = None
        except BrokerError as caught:
            placed, error = None, caught
    # An answer of success without an order is success at best: that it was refused must never be said.
    assert isinstance(error, OutcomeUnknown) or (answer[0] == 200 and placed is not None and placed.state is State.ACCEPTED)


def test_an_order_that_would_not_carry_our_id_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coinbase as it would be without its row: ccxt drops the unified clientOrderId and makes up another one."""
    with connected("coinbase", submit=COINBASE.placed) as (venue, broker):
        monkeypatch.setattr(broker, "_dialect", OTHER)
        with pytest.raises(Refused):
            broker.submit(limit_order(COINBASE))
        assert venue.of(*COINBASE.submit) == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_signed_request_is_not_sent_to_where_it_is_redirected(exchange_id: str, status: int) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=(status, {}, {"Location": "/elsewhere"})) as (venue, broker):
        with pytest.raises(OutcomeUnknown):
            broker.submit(limit_order(told))
        assert len(venue.of(*told.submit)) == 1
        assert [one.path for one in venue.came if one.path == "/elsewhere"] == []


def test_fills_are_read(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, fills=told.filled) as (_, broker):
        (fill,) = broker.fills_since(SINCE, [told.symbol])
    assert (fill.venue_order_id, fill.symbol, fill.side, fill.is_maker) == ("68e6a28f", told.symbol, Side.BUY, True)
    assert (fill.quantity, fill.price, fill.fee, fill.fee_currency) == (D("0.02"), D("30000.1"), D("1.25"), "USD")
    assert fill.time.isoformat(timespec="milliseconds").startswith("2026-11-21T10:00:05.123")


def test_coinbase_buys_at_market_by_size_and_not_by_cost() -> None:
    with connected("coinbase", submit=COINBASE.placed) as (venue, broker):
        broker.submit(limit_order(COINBASE, type=Type.MARKET, limit_price=None))
        (came,) = venue.of(*COINBASE.submit)
    assert posted(came)["order_configuration"] == {"market_market_ioc": {"base_size": "0.10000003"}}


@pytest.mark.parametrize(("side", "direction"), [(Side.SELL, "STOP_DIRECTION_STOP_DOWN"), (Side.BUY, "STOP_DIRECTION_STOP_UP")])
def test_coinbases_stop_looks_to_the_side_where_it_hurts(side: Side, direction: str) -> None:
    request = OrderRequest(CLIENT_ID, "BTC-USD", side, Type.STOP_LIMIT, D("0.1"), D(30000), D(30010))
    with connected("coinbase", submit=COINBASE.placed) as (venue, broker):
        broker.submit(request)
        (came,) = venue.of(*COINBASE.submit)
    (said,) = posted(came)["order_configuration"].values()
    assert said == {"base_size": "0.1", "limit_price": "30000", "stop_price": "30010", "stop_direction": direction}


def test_krakens_stop_and_deadline() -> None:
    request = OrderRequest(CLIENT_ID, "XXBTZUSD", Side.SELL, Type.STOP, D("0.1"), stop_price=D("29000.5"))
    with connected("kraken", submit=KRAKEN.placed) as (venue, broker):
        before = datetime.now(UTC)
        broker.submit(request)
        said = form(venue.of(*KRAKEN.submit)[0])
        assert broker.capabilities.valid_for.total_seconds() > 10
    assert (said["ordertype"], said["price"], said["type"]) == ("stop-loss", "29000.5", "sell")
    deadline = datetime.fromisoformat(said["deadline"])
    assert 8 <= (deadline - before).total_seconds() <= 11


def test_an_order_that_a_person_placed_at_kraken_has_no_id_of_ours() -> None:
    """ccxt gives its userref as a client order id, which is 0 for orders that have none."""
    by_hand = {name: value for name, value in KRAKEN_ORDER.items() if name != "cl_ord_id"}
    said = {"error": [], "result": {"open": {"68e6a28f": KRAKEN_ORDER, "O2": by_hand}}}
    with connected("kraken", ask=said) as (_, broker):
        told = {one.venue_order_id: one.client_order_id for one in broker.open_orders()}
    assert told == {"68e6a28f": CLIENT_ID, "O2": ""}


async def test_a_stream_that_was_not_proved_is_not_used(exchange_id: str) -> None:
    with connected(exchange_id) as (_, broker):
        assert not broker.capabilities.streams
        with pytest.raises(Unavailable):
            await anext(broker.updates())


def test_time_in_force_is_said_only_where_it_is_asked_for() -> None:
    with connected("kucoin", submit=KUCOIN.placed) as (venue, broker):
        broker.submit(limit_order(KUCOIN, time_in_force=TimeInForce.IOC))
        broker.submit(limit_order(KUCOIN))
        first, second = (posted(came) for came in venue.of(*KUCOIN.submit))
    assert first["timeInForce"] == "IOC"
    assert second.get("timeInForce") in {None, "GTC"}


def test_a_secret_that_is_no_key_is_a_wrong_key(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=told.placed) as (venue, broker):
        broker._calls.load()
        broker._client.secret = "not base64 and no key ="
        if exchange_id == "kucoin":  # signs with whatever it is given
            assert broker.submit(limit_order(told)).client_order_id == CLIENT_ID
            return
        with pytest.raises(BadCredentials):
            broker.submit(limit_order(told))
        assert venue.of(*told.submit) == []


def test_every_row_is_of_an_exchange_that_there_is() -> None:
    assert set(DIALECTS) <= set(ccxt.exchanges)
    for row in (*DIALECTS.values(), OTHER):
        assert row.valid_for > (row.receive_window or row.deadline or row.valid_for / 2)
        assert row.unique_ids in {"open", "ever"}


def test_an_exchange_without_a_row_gets_the_careful_one() -> None:
    broker = CcxtBroker("bitstamp", Credentials({"api_key": "k", "secret": "s"}), Endpoint(base_url="http://127.0.0.1:9"))
    told = broker.capabilities
    broker.close()
    assert not told.asks_by_client_id
    assert not told.replaces
    assert told.unique_ids == "open"
    assert told.order_types == {Type.MARKET, Type.LIMIT}
