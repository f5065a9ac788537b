"""What Coinbase, Kraken and KuCoin answer, from the examples of their documentation, and where our id stands in requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tests.venues.scripted import Came

CLIENT_ID = "0b5d7cd1-4ef9"


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
