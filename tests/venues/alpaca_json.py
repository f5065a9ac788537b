"""How Alpaca writes what is in an exchange: orders, positions, activities, the account. The shapes of its reference."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.venues.exchange import ZERO, Exchange, Execution, Listed, Resting

NEW_YORK = ZoneInfo("America/New_York")

KINDS = {
    "deposit": "CSD",
    "withdrawal": "CSW",
    "dividend": "DIV",
    "interest": "INT",
    "fee": "FEE",
    "funding": "OTHER",
}

Json = dict[str, Any]


def made(what: str, number: int) -> str:
    """The UUID that stands for a number of the exchange."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{what} {number}"))


def plain(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize() + ZERO, "f")


def moment(at: datetime, *, digits: str = "000") -> str:
    """With nanoseconds, which Alpaca has and ``datetime`` has not."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}{digits}Z"


def activity_id(at: datetime, identity: str) -> str:
    here = at.astimezone(NEW_YORK)
    return f"{here:%Y%m%d%H%M%S}{here.microsecond // 1000:03d}::{identity}"


def is_coin(symbol: str) -> bool:
    return "/" in symbol


def status(order: Resting, replaced: bool) -> str:
    if order.status == "open":
        return "partially_filled" if order.filled else "new"
    if order.status == "cancelled":
        return "replaced" if replaced else "canceled"
    if order.status == "expired" and order.time_in_force in {"ioc", "fok"}:
        return "canceled"
    return order.status


def order(one: Resting, *, replaced_by: int | None = None, replaces: int | None = None) -> Json:
    state = status(one, replaced_by is not None)
    ended = {name: moment(one.updated_at) if state == name else None for name in ("filled", "canceled", "expired", "replaced")}
    return {
        "id": made("order", one.id),
        "client_order_id": one.client_order_id,
        "created_at": moment(one.created_at),
        "updated_at": moment(one.updated_at, digits="731"),
        "submitted_at": moment(one.created_at),
        **{f"{name}_at": at for name, at in ended.items()},
        "failed_at": None,
        "replaced_by": None if replaced_by is None else made("order", replaced_by),
        "replaces": None if replaces is None else made("order", replaces),
        "asset_id": str(uuid.uuid5(uuid.NAMESPACE_OID, one.symbol)),
        "symbol": one.symbol,
        "asset_class": "crypto" if is_coin(one.symbol) else "us_equity",
        "notional": None,
        "qty": plain(one.quantity),
        "filled_qty": plain(one.filled),
        "filled_avg_price": plain(one.average_price),
        "order_class": "",
        "order_type": one.type.replace("-", "_"),
        "type": one.type.replace("-", "_"),
        "side": one.side,
        "time_in_force": one.time_in_force,
        "limit_price": plain(one.limit_price),
        "stop_price": plain(one.stop_price),
        "status": state,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
    }


def update(event: str, whole: Json, at: datetime, execution: Execution | None, held: Decimal) -> Json:
    """A message of trade_updates."""
    data: Json = {"event": event, "order": whole, "timestamp": moment(at, digits="569")}
    if execution is not None:
        data |= {
            "execution_id": made("execution", execution.id),
            "price": plain(execution.price),
            "qty": plain(execution.quantity),
            "position_qty": plain(held),
        }
    return {"stream": "trade_updates", "data": data}


def fill(one: Execution) -> Json:
    so_far = sum((each.quantity for each in one.order.executions if each.id <= one.id), ZERO)
    left = one.order.quantity - so_far
    return {
        "id": activity_id(one.at, made("execution", one.id)),
        "activity_type": "FILL",
        "transaction_time": moment(one.at, digits="569"),
        "type": "partial_fill" if left else "fill",
        "price": plain(one.price),
        "qty": plain(one.quantity),
        "side": one.order.side,
        "symbol": one.order.symbol,
        "leaves_qty": plain(left),
        "order_id": made("order", one.order.id),
        "cum_qty": plain(so_far),
        "order_status": "partially_filled" if left else "filled",
    }


def flow(one: tuple[int, str, str, Decimal, datetime], *, hours: bool) -> Json:
    """Money, or coins that were charged: those are named by their pair, and the money is nought."""
    number, kind, currency, amount, at = one
    coins = currency != "USD"
    return {
        "id": activity_id(at, made("flow", number)),
        "activity_type": "CFEE" if coins else KINDS.get(kind, kind),
        "date": f"{at.astimezone(NEW_YORK):%Y-%m-%d}",
        **({"created_at": moment(at)} if hours else {}),
        "net_amount": "0" if coins else plain(amount),
        "description": "Coin Pair Transaction Fee (Non USD)" if coins else "",
        "symbol": f"{currency}USD" if coins else "",
        "qty": plain(amount) if coins else "0",
        "status": "executed",
    }


def position(symbol: str, quantity: Decimal, average: Decimal, price: Decimal) -> Json:
    """A coin pair is spelled without its slash here, as Alpaca does."""
    return {
        "asset_id": str(uuid.uuid5(uuid.NAMESPACE_OID, symbol)),
        "symbol": symbol.replace("/", ""),
        "exchange": "CRYPTO" if is_coin(symbol) else "NASDAQ",
        "asset_class": "crypto" if is_coin(symbol) else "us_equity",
        "avg_entry_price": plain(average),
        "qty": plain(quantity),
        "qty_available": plain(quantity),
        "side": "long" if quantity > 0 else "short",
        "market_value": plain(quantity * price),
        "cost_basis": plain(quantity * average),
        "current_price": plain(price),
    }


def average_entry(exchange: Exchange, symbol: str) -> Decimal:
    """What the position cost a piece: bought more makes an average, sold in part leaves it, through nought begins anew."""
    held, average = ZERO, ZERO
    for one in exchange.fills:
        if one.order.symbol != symbol:
            continue
        signed = one.quantity if one.order.side == "buy" else -one.quantity
        after = held + signed
        if held * signed >= 0:
            average = (held * average + signed * one.price) / after
        elif held * after < 0:
            average = one.price
        held = after
    return average


def positions(exchange: Exchange) -> list[Json]:
    return [
        position(symbol, quantity, average_entry(exchange, symbol), exchange.prices[symbol])
        for symbol, quantity in exchange.positions.items()
        if quantity
    ]


def account(exchange: Exchange) -> Json:
    cash = exchange.balances["USD"]
    worth = sum((quantity * exchange.prices[symbol] for symbol, quantity in exchange.positions.items()), ZERO)
    return {
        "id": made("account", 1),
        "account_number": "PA3LOCAL0001",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": plain(cash),
        "buying_power": plain(cash - exchange.held("USD")),
        "non_marginable_buying_power": plain(cash),
        "equity": plain(cash + worth),
        "last_equity": plain(cash),
        "multiplier": "2",
        "shorting_enabled": True,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": "2024-01-02T15:00:00Z",
    }


def asset(one: Listed) -> Json:
    coin = is_coin(one.symbol)
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, one.symbol)),
        "class": "crypto" if coin else "us_equity",
        "exchange": "CRYPTO" if coin else "NASDAQ",
        "symbol": one.symbol,
        "name": one.symbol,
        "status": "active",
        "tradable": True,
        "marginable": not coin,
        "shortable": not coin,
        "easy_to_borrow": not coin,
        "fractionable": one.lot < 1,
        "min_trade_increment": plain(one.lot) if coin else None,
        "price_increment": plain(one.tick) if coin else None,
    }
