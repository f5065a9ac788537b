"""From ccxt's unified structures to ours. Numbers are strings in them, with the venue's digits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from trading.brokers.protocol import OrderRequest, Side, State, Type, VenueFill, VenueOrder

ZERO: Final = Decimal(0)
ENDED: Final[Mapping[str, State]] = {
    "canceled": State.CANCELLED,
    "expired": State.EXPIRED,
    "rejected": State.REJECTED,
}


def decimal(value: Any) -> Decimal | None:
    """Exact for strings and Decimals. ccxt makes floats of nothing that we take."""
    if value is None or value == "":
        return None
    if isinstance(value, float):
        raise TypeError("a float came where digits were expected")
    return Decimal(value)


def moment(milliseconds: Any) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def order_of(
    told: Mapping[str, Any], *, symbol: str, seen_at: datetime, request: OrderRequest | None = None, client_order_id: str = ""
) -> VenueOrder:
    """``told`` by the venue; what its answer leaves out is what was asked for (``request``)."""
    stop = _price(told.get("triggerPrice") or told.get("stopPrice")) or (request.stop_price if request else None)
    name = str(told.get("type") or "")
    if name:
        is_limit = "limit" in name.lower()
        kind = (Type.STOP_LIMIT if is_limit else Type.STOP) if stop else (Type.LIMIT if is_limit else Type.MARKET)
    else:
        kind = request.type if request else Type.LIMIT
    quantity = decimal(told.get("amount")) or (request.quantity if request else ZERO)
    filled = decimal(told.get("filled")) or ZERO
    if told.get("status") == "closed" and told.get("filled") is None:
        raise ValueError("an order that is over, and not a word of what was filled")
    limit = _price(told.get("price")) or (request.limit_price if request else None)
    side = told.get("side") or (request.side if request else None)
    updated = told.get("lastUpdateTimestamp") or told.get("lastTradeTimestamp") or told.get("timestamp")
    return VenueOrder(
        client_order_id=client_order_id or str(told.get("clientOrderId") or "") or (request.client_order_id if request else ""),
        venue_order_id=str(told.get("id") or ""),
        symbol=symbol,
        side=Side(str(side).lower()),
        type=kind,
        quantity=quantity,
        filled=filled,
        state=_state(told.get("status"), quantity, filled),
        updated_at=moment(updated) or seen_at,
        limit_price=limit if kind in {Type.LIMIT, Type.STOP_LIMIT} else None,
        stop_price=stop,
    )


def _price(value: Any) -> Decimal | None:
    found = decimal(value)
    return found if found else None


def _state(status: str | None, quantity: Decimal, filled: Decimal) -> State:
    if (ended := ENDED.get(status or "")) is not None:
        return ended
    if status == "closed":
        # Some exchanges call everything closed that is no longer on the book.
        return State.FILLED if filled >= quantity else State.CANCELLED
    return State.PARTLY_FILLED if filled else State.ACCEPTED


def fill_of(told: Mapping[str, Any], *, symbol: str, client_id_field: str = "") -> VenueFill | None:
    """None where it has no id: it could not be told from another one, and is found by asking."""
    quantity, price, time = decimal(told.get("amount")), decimal(told.get("price")), moment(told.get("timestamp"))
    if not told.get("id") or quantity is None or price is None or time is None:
        return None
    fee = told.get("fee") or next(iter(told.get("fees") or ()), None) or {}
    info = told.get("info")
    client_order_id = info.get(client_id_field) if client_id_field and isinstance(info, Mapping) else ""
    return VenueFill(
        venue_fill_id=str(told["id"]),
        venue_order_id=str(told.get("order") or ""),
        client_order_id=str(client_order_id or ""),
        symbol=symbol,
        side=Side(str(told["side"]).lower()),
        quantity=quantity,
        price=price,
        fee=decimal(fee.get("cost")) or ZERO,
        fee_currency=str(fee.get("currency") or ""),
        time=time,
        is_maker={"maker": True, "taker": False}.get(str(told.get("takerOrMaker"))),
    )
