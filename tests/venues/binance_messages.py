"""Binance's JSON: orders, trades, wallets, instruments and stream events as its documentation shows them."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tests.venues.exchange import ZERO, Exchange, Execution, Listed, Resting

TYPES: Final = {"MARKET": "market", "LIMIT": "limit", "STOP_LOSS": "stop", "STOP_LOSS_LIMIT": "stop-limit"}
NAMES: Final = {ours: theirs for theirs, ours in TYPES.items()}
ENDED: Final = {"filled": "FILLED", "cancelled": "CANCELED", "expired": "EXPIRED"}
QUANTUM: Final = Decimal("1E-8")


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def digits(value: Decimal | None) -> str:
    return format((value or ZERO).quantize(QUANTUM), "f")


def status(order: Resting) -> str:
    return ENDED.get(order.status) or ("PARTIALLY_FILLED" if order.filled else "NEW")


def spent(order: Resting) -> Decimal:
    return sum((one.price * one.quantity for one in order.executions), ZERO)


def instrument(one: Listed, *, perpetual: bool) -> dict[str, Any]:
    filters = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": digits(one.tick),
            "maxPrice": "1000000.00000000",
            "tickSize": digits(one.tick),
        },
        {"filterType": "LOT_SIZE", "minQty": digits(one.lot), "maxQty": "9000.00000000", "stepSize": digits(one.lot)},
    ]
    shared: dict[str, Any] = {
        "symbol": one.symbol, "status": "TRADING", "baseAsset": one.base, "quoteAsset": one.quote,
        "baseAssetPrecision": 8, "quotePrecision": 8,
    }  # fmt: skip
    if perpetual:
        return shared | {
            "pair": one.symbol, "contractType": "PERPETUAL", "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
            "marginAsset": one.quote, "pricePrecision": 2, "quantityPrecision": 3, "underlyingType": "COIN",
            "filters": [*filters, {"filterType": "MIN_NOTIONAL", "notional": str(one.min_notional)}],
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        }  # fmt: skip
    return shared | {
        "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "icebergAllowed": True, "ocoAllowed": True, "cancelReplaceAllowed": True, "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False, "permissions": [], "permissionSets": [["SPOT"]],
        "filters": [
            *filters,
            {"filterType": "NOTIONAL", "minNotional": digits(one.min_notional), "applyMinToMarket": True, "avgPriceMins": 5},
        ],
    }  # fmt: skip


def spot_order(order: Resting) -> dict[str, Any]:
    """As GET order tells it."""
    return {
        "symbol": order.symbol, "orderId": order.id, "orderListId": -1, "clientOrderId": order.client_order_id,
        "price": digits(order.limit_price), "origQty": digits(order.quantity), "executedQty": digits(order.filled),
        "cummulativeQuoteQty": digits(spent(order)), "status": status(order), "timeInForce": order.time_in_force.upper(),
        "type": NAMES[order.type], "side": order.side.upper(), "stopPrice": digits(order.stop_price),
        "icebergQty": "0.00000000", "time": ms(order.created_at), "updateTime": ms(order.updated_at), "isWorking": True,
        "workingTime": ms(order.created_at), "origQuoteOrderQty": "0.00000000", "selfTradePreventionMode": "NONE",
    }  # fmt: skip


def spot_placed(order: Resting) -> dict[str, Any]:
    """As POST order answers (FULL)."""
    told = spot_order(order)
    for name in ("time", "updateTime", "isWorking", "icebergQty"):
        told.pop(name)
    if order.stop_price is None:
        told.pop("stopPrice")
    return told | {
        "transactTime": ms(order.updated_at),
        "fills": [
            {
                "price": digits(one.price), "qty": digits(one.quantity), "commission": digits(one.fee),
                "commissionAsset": one.fee_currency, "tradeId": one.id,
            }
            for one in order.executions
        ],
    }  # fmt: skip


def spot_cancelled(order: Resting) -> dict[str, Any]:
    """As DELETE order answers: the id that the cancelling itself has stands where the order's own stood."""
    told = spot_placed(order)
    told.pop("fills")
    return told | {"origClientOrderId": order.client_order_id, "clientOrderId": uuid.uuid4().hex[:22]}


def futures_order(order: Resting) -> dict[str, Any]:
    return {
        "orderId": order.id, "symbol": order.symbol, "status": status(order), "clientOrderId": order.client_order_id,
        "price": digits(order.limit_price), "avgPrice": digits(order.average_price), "origQty": digits(order.quantity),
        "executedQty": digits(order.filled), "cumQty": digits(order.filled), "cumQuote": digits(spent(order)),
        "timeInForce": order.time_in_force.upper(), "type": NAMES[order.type], "reduceOnly": order.reduce_only,
        "closePosition": False, "side": order.side.upper(), "positionSide": "BOTH", "stopPrice": digits(order.stop_price),
        "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": NAMES[order.type], "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE", "goodTillDate": 0, "time": ms(order.created_at), "updateTime": ms(order.updated_at),
    }  # fmt: skip


def spot_trade(one: Execution) -> dict[str, Any]:
    return {
        "symbol": one.order.symbol, "id": one.id, "orderId": one.order.id, "orderListId": -1, "price": digits(one.price),
        "qty": digits(one.quantity), "quoteQty": digits(one.price * one.quantity), "commission": digits(one.fee),
        "commissionAsset": one.fee_currency, "time": ms(one.at), "isBuyer": one.order.side == "buy", "isMaker": one.maker,
        "isBestMatch": True,
    }  # fmt: skip


def futures_trade(one: Execution) -> dict[str, Any]:
    return {
        "buyer": one.order.side == "buy", "commission": digits(one.fee), "commissionAsset": one.fee_currency, "id": one.id,
        "maker": one.maker, "orderId": one.order.id, "price": digits(one.price), "qty": digits(one.quantity),
        "quoteQty": digits(one.price * one.quantity), "realizedPnl": "0", "side": one.order.side.upper(),
        "positionSide": "BOTH", "symbol": one.order.symbol, "time": ms(one.at),
    }  # fmt: skip


def spot_account(exchange: Exchange, *, omit_zero: bool) -> dict[str, Any]:
    balances = []
    for currency, total in exchange.balances.items():
        held = exchange.held(currency)
        if total or not omit_zero:
            balances.append({"asset": currency, "free": digits(total - held), "locked": digits(held)})
    return {
        "makerCommission": 10, "takerCommission": 10, "canTrade": True, "canWithdraw": True, "canDeposit": True,
        "updateTime": ms(exchange.clock()), "accountType": "SPOT", "balances": balances, "permissions": ["SPOT"],
        "uid": 354937868,
    }  # fmt: skip


def open_profit(exchange: Exchange, symbol: str) -> Decimal:
    size = exchange.positions[symbol]
    return size * exchange.prices[symbol] * exchange.listed[symbol].multiplier - exchange.entry_cost[symbol] if size else ZERO


def futures_account(exchange: Exchange) -> dict[str, Any]:
    assets = []
    for currency, wallet in exchange.balances.items():
        profit = sum((open_profit(exchange, one.symbol) for one in exchange.listed.values() if one.quote == currency), ZERO)
        assets.append(
            {
                "asset": currency, "walletBalance": digits(wallet), "unrealizedProfit": digits(profit),
                "marginBalance": digits(wallet + profit), "maintMargin": "0.00000000", "initialMargin": "0.00000000",
                "positionInitialMargin": "0.00000000", "openOrderInitialMargin": "0.00000000",
                "crossWalletBalance": digits(wallet), "crossUnPnl": digits(profit),
                "availableBalance": digits(wallet + profit), "maxWithdrawAmount": digits(wallet),
                "updateTime": ms(exchange.clock()),
            }
        )  # fmt: skip
    return {"totalWalletBalance": assets[0]["walletBalance"] if assets else "0", "assets": assets, "positions": []}


def futures_position(exchange: Exchange, symbol: str) -> dict[str, Any]:
    size, price = exchange.positions[symbol], exchange.prices[symbol]
    entry = exchange.entry_cost[symbol] / size / exchange.listed[symbol].multiplier
    margin = abs(size) * price / 10
    return {
        "symbol": symbol, "positionSide": "BOTH", "positionAmt": digits(size), "entryPrice": digits(entry),
        "breakEvenPrice": digits(entry), "markPrice": digits(price), "unRealizedProfit": digits(open_profit(exchange, symbol)),
        "liquidationPrice": "0", "isolatedMargin": "0", "notional": digits(size * price), "marginAsset": "USDT",
        "isolatedWallet": "0", "initialMargin": digits(margin), "maintMargin": digits(margin / 10),
        "positionInitialMargin": digits(margin), "openOrderInitialMargin": "0", "adl": 2, "bidNotional": "0",
        "askNotional": "0", "updateTime": ms(exchange.clock()),
    }  # fmt: skip


def execution_report(order: Resting, execution: Execution | None, at: datetime) -> dict[str, Any]:
    """Spot's order event, as it is at this moment."""
    state = status(order)
    kind = "TRADE" if execution else state
    return {
        "e": "executionReport", "E": ms(at), "s": order.symbol,
        "c": uuid.uuid4().hex[:22] if kind == "CANCELED" else order.client_order_id, "S": order.side.upper(),
        "o": NAMES[order.type], "f": order.time_in_force.upper(), "q": digits(order.quantity), "p": digits(order.limit_price),
        "P": digits(order.stop_price), "F": "0.00000000", "g": -1, "C": order.client_order_id if kind == "CANCELED" else "",
        "x": kind, "X": state, "r": "NONE", "i": order.id, "l": digits(execution.quantity if execution else None),
        "z": digits(order.filled), "L": digits(execution.price if execution else None),
        "n": digits(execution.fee) if execution else "0", "N": execution.fee_currency if execution else None,
        "T": ms(order.updated_at), "t": execution.id if execution else -1, "v": 3, "I": order.id * 2,
        "w": order.status == "open", "m": bool(execution and execution.maker), "M": bool(execution),
        "O": ms(order.created_at), "Z": digits(spent(order)),
        "Y": digits(execution.price * execution.quantity if execution else None), "Q": "0.00000000",
        "W": ms(order.created_at), "V": "NONE",
    }  # fmt: skip


def order_trade_update(order: Resting, execution: Execution | None, at: datetime) -> dict[str, Any]:
    """The futures' order event."""
    state = status(order)
    told = {
        "s": order.symbol, "c": order.client_order_id, "S": order.side.upper(), "o": NAMES[order.type],
        "f": order.time_in_force.upper(), "q": digits(order.quantity), "p": digits(order.limit_price),
        "ap": digits(order.average_price), "sp": digits(order.stop_price), "x": "TRADE" if execution else state, "X": state,
        "i": order.id, "l": digits(execution.quantity if execution else None), "z": digits(order.filled),
        "L": digits(execution.price if execution else None), "T": ms(order.updated_at), "t": execution.id if execution else 0,
        "b": "0", "a": "0", "m": bool(execution and execution.maker), "R": order.reduce_only, "wt": "CONTRACT_PRICE",
        "ot": NAMES[order.type], "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "NONE",
        "pm": "NONE", "gtd": 0,
    }  # fmt: skip
    if execution:
        told |= {"n": digits(execution.fee), "N": execution.fee_currency}
    return {"e": "ORDER_TRADE_UPDATE", "E": ms(at), "T": ms(order.updated_at), "o": told}


def account_position(exchange: Exchange, symbol: str, at: datetime) -> dict[str, Any]:
    one = exchange.listed[symbol]
    return {
        "e": "outboundAccountPosition", "E": ms(at), "u": ms(at),
        "B": [
            {"a": name, "f": digits(exchange.balances[name] - exchange.held(name)), "l": digits(exchange.held(name))}
            for name in (one.base, one.quote)
        ],
    }  # fmt: skip


def account_update(exchange: Exchange, symbol: str, at: datetime) -> dict[str, Any]:
    quote, size = exchange.listed[symbol].quote, exchange.positions[symbol]
    entry = exchange.entry_cost[symbol] / size if size else ZERO
    return {
        "e": "ACCOUNT_UPDATE", "E": ms(at), "T": ms(at),
        "a": {
            "m": "ORDER",
            "B": [{"a": quote, "wb": digits(exchange.balances[quote]), "cw": digits(exchange.balances[quote]), "bc": "0"}],
            "P": [
                {
                    "s": symbol, "pa": digits(size), "ep": digits(entry), "bep": digits(entry), "cr": "0",
                    "up": digits(open_profit(exchange, symbol)), "mt": "cross", "iw": "0", "ps": "BOTH",
                }
            ],
        },
    }  # fmt: skip
