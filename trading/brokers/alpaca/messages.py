"""What Alpaca writes, as values of the protocol. Pure: a message that cannot be read raises ``Unreadable``.

The shapes are those of Alpaca's reference (orders, positions, account activities, trade_updates); numbers come as strings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from trading.brokers.protocol import (
    FlowKind,
    OrderRequest,
    Side,
    State,
    TimeInForce,
    Type,
    VenueFill,
    VenueFlow,
    VenueOrder,
    VenuePosition,
)

T = TypeVar("T")
Message = Mapping[str, Any]
Named = Callable[[str], str]
"""Alpaca spells a coin pair BTC/USD with orders and BTCUSD with positions; this gives the first for either."""

STATES: Final[Mapping[str, State]] = {
    "new": State.ACCEPTED,
    "pending_new": State.ACCEPTED,
    "accepted": State.ACCEPTED,
    "accepted_for_bidding": State.ACCEPTED,
    "pending_review": State.ACCEPTED,
    "held": State.ACCEPTED,  # waits for another order of its group
    "stopped": State.ACCEPTED,  # a fill is promised and has not come
    "suspended": State.ACCEPTED,  # it may trade again
    "done_for_day": State.ACCEPTED,  # it goes on with the next session
    "calculated": State.ACCEPTED,  # over for the day, and perhaps filled: see ``_state``
    "pending_cancel": State.ACCEPTED,  # it may still be filled
    "pending_replace": State.ACCEPTED,
    "partially_filled": State.PARTLY_FILLED,
    "filled": State.FILLED,
    "canceled": State.CANCELLED,
    "replaced": State.CANCELLED,  # another order has taken its place
    "expired": State.EXPIRED,
    "rejected": State.REJECTED,
}

TYPES: Final[Mapping[str, Type]] = {
    "market": Type.MARKET,
    "limit": Type.LIMIT,
    "stop": Type.STOP,
    "stop_limit": Type.STOP_LIMIT,
    "trailing_stop": Type.STOP,  # a person's: Alpaca moves its stop price
}

TYPE_NAMES: Final[Mapping[Type, str]] = {
    Type.MARKET: "market",
    Type.LIMIT: "limit",
    Type.STOP: "stop",
    Type.STOP_LIMIT: "stop_limit",
}

TIMES_IN_FORCE: Final[Mapping[TimeInForce, str]] = {
    TimeInForce.GTC: "gtc",
    TimeInForce.DAY: "day",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
}

FLOW_KINDS: Final[Mapping[str, FlowKind]] = {
    "CSD": FlowKind.DEPOSIT,
    "CSW": FlowKind.WITHDRAWAL,
    "INT": FlowKind.INTEREST,
    "INTNRA": FlowKind.INTEREST,
    "INTTW": FlowKind.INTEREST,
    "FEE": FlowKind.FEE,
    "CFEE": FlowKind.FEE,
    "PTC": FlowKind.FEE,  # pass-through charge
    "PTR": FlowKind.FEE,  # and its rebate
}

NEW_YORK: Final = ZoneInfo("America/New_York")


class Unreadable(ValueError):
    """Alpaca wrote what its reference does not know."""


def number(value: object) -> Decimal:
    """From the digits that came; a float would have lost some, so there is none (``rest`` and ``stream`` read JSON so)."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unreadable("not a number")
    try:
        result = Decimal(value)
    except InvalidOperation:
        raise Unreadable("not a number") from None
    if not result.is_finite():
        raise Unreadable("not a finite number")
    return result


def _maybe(value: object) -> Decimal | None:
    return None if value is None or value == "" else number(value)


def moment(value: object) -> datetime:
    """RFC 3339 with up to nanoseconds, of which microseconds are kept; a zone is always there."""
    if not isinstance(value, str):
        raise Unreadable("not a time")
    try:
        result = datetime.fromisoformat(value)
    except ValueError:
        raise Unreadable("not a time") from None
    if result.tzinfo is None:
        raise Unreadable("a time without its zone")
    return result.astimezone(UTC)


def text(message: Message, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"no {name}")
    return value


def mapping(value: object) -> Message:
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    return value


def rows(value: object) -> list[Message]:
    if not isinstance(value, list):
        raise Unreadable("not a list")
    return [mapping(one) for one in value]


def _among(table: Mapping[str, T], value: object, name: str) -> T:
    found = table.get(value) if isinstance(value, str) else None
    if found is None:
        raise Unreadable(f"an unknown {name}")
    return found


_SIDES: Final[Mapping[str, Side]] = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}


def _state(message: Message, quantity: Decimal, filled: Decimal) -> State:
    state = _among(STATES, message.get("status"), "order status")
    if state is State.ACCEPTED and filled > 0:
        return State.FILLED if message.get("status") == "calculated" and filled >= quantity else State.PARTLY_FILLED
    return state


def order(message: Message, named: Named) -> VenueOrder:
    """One order. That of an amount of money (a person's) has no quantity: it counts what is filled."""
    filled = _maybe(message.get("filled_qty")) or Decimal(0)
    quantity = _maybe(message.get("qty")) or filled
    return VenueOrder(
        client_order_id=text(message, "client_order_id"),
        venue_order_id=text(message, "id"),
        symbol=named(text(message, "symbol")),
        side=_among(_SIDES, message.get("side"), "side"),
        type=_among(TYPES, message.get("type") or message.get("order_type"), "order type"),
        quantity=quantity,
        filled=filled,
        state=_state(message, quantity, filled),
        updated_at=moment(message.get("updated_at") or message.get("submitted_at") or message.get("created_at")),
        limit_price=_maybe(message.get("limit_price")),
        stop_price=_maybe(message.get("stop_price")),
        reason="replaced" if message.get("status") == "replaced" else "",
    )


def single_orders(message: Message) -> list[Message]:
    """The order itself, or the legs of one of several legs (a person's), which are orders of their own."""
    if message.get("order_class") != "mleg":
        return [message]
    common = {name: message[name] for name in ("type", "side") if message.get(name)}
    return [common | {name: value for name, value in leg.items() if value} for leg in rows(message.get("legs") or [])]


def payload(request: OrderRequest) -> dict[str, str]:
    """The body of POST /orders. Its own request classes hold quantities and prices as floats, so they are not used."""
    body = {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side.value,
        "type": TYPE_NAMES[request.type],
        "qty": format(request.quantity, "f"),
        "time_in_force": TIMES_IN_FORCE[request.time_in_force],
        **prices(request),
    }
    if request.reduce_only and "/" not in request.symbol:
        # Alpaca infers what an order intends from the position and refuses one that says otherwise. Coins cannot be sold short.
        body["position_intent"] = f"{request.side.value}_to_close"
    return body


def prices(request: OrderRequest) -> dict[str, str]:
    told = {"limit_price": request.limit_price, "stop_price": request.stop_price}
    return {name: format(price, "f") for name, price in told.items() if price is not None}


def fill_activity(message: Message, named: Named) -> VenueFill:
    """A FILL of /account/activities, whose id is ``<time in New York>::<id of the execution>``."""
    return _fill(
        message,
        execution=text(message, "id").rpartition("::")[2],
        order_id=text(message, "order_id"),
        client_order_id="",
        symbol=named(text(message, "symbol")),
        side=message.get("side"),
        at=message.get("transaction_time"),
    )


def fill_update(data: Message, named: Named) -> VenueFill | None:
    """The execution in a trade update. None where it tells no id: guessing one could count a fill twice; asking finds it."""
    whole = mapping(data.get("order"))
    if data.get("event") not in {"fill", "partial_fill"} or not data.get("execution_id") or whole.get("order_class") == "mleg":
        return None
    return _fill(
        data,
        execution=text(data, "execution_id"),
        order_id=text(whole, "id"),
        client_order_id=text(whole, "client_order_id"),
        symbol=named(text(whole, "symbol")),
        side=whole.get("side"),
        at=data.get("timestamp"),
    )


def _fill(
    message: Message, *, execution: str, order_id: str, client_order_id: str, symbol: str, side: object, at: object
) -> VenueFill:
    """Alpaca tells no fee with a fill: fees are activities of their own, posted later (``flow``)."""
    return VenueFill(
        venue_fill_id=execution,
        venue_order_id=order_id,
        client_order_id=client_order_id,
        symbol=symbol,
        side=_among(_SIDES, side, "side"),
        quantity=number(message.get("qty")),
        price=number(message.get("price")),
        fee=Decimal(0),
        fee_currency=quote_of(symbol),
        time=moment(at),
    )


def quote_of(symbol: str) -> str:
    return symbol.partition("/")[2] or "USD"


def position(message: Message, named: Named) -> VenuePosition:
    size = abs(number(message.get("qty")))
    sign = _among({"long": 1, "short": -1}, message.get("side"), "side of a position")
    return VenuePosition(named(text(message, "symbol")), sign * size, _maybe(message.get("avg_entry_price")))


def flow(message: Message, named: Named) -> VenueFlow | None:
    """An activity that is no trade: money, or coins taken as a fee. None where neither moved, or where it was cancelled."""
    if message.get("status") == "canceled":
        return None
    kind = text(message, "activity_type")
    amount, currency = _maybe(message.get("net_amount")) or Decimal(0), message.get("currency") or "USD"
    if not amount:
        # A fee for buying coins is taken from the coins: then the money is nought, and ``qty`` is what they were charged.
        amount = _maybe(message.get("qty")) or Decimal(0)
        pair = named(str(message.get("symbol") or ""))
        if not amount or "/" not in pair:
            return None
        currency = pair.partition("/")[0]
    return VenueFlow(text(message, "id"), _flow_kind(kind, amount), str(currency), amount, flow_time(message))


def _flow_kind(kind: str, amount: Decimal) -> FlowKind:
    if kind.startswith("DIV"):
        return FlowKind.DIVIDEND  # with what was withheld of it
    if kind in {"JNLC", "ACATC", "JNL"}:  # cash from or to another account
        return FlowKind.DEPOSIT if amount > 0 else FlowKind.WITHDRAWAL
    return FLOW_KINDS.get(kind, FlowKind.OTHER)


def flow_time(message: Message) -> datetime:
    """When it was posted, else the beginning of its day in New York."""
    if message.get("created_at"):
        return moment(message["created_at"])
    return datetime.combine(flow_day(message), time(), NEW_YORK).astimezone(UTC)


def flow_day(message: Message) -> date:
    try:
        return date.fromisoformat(text(message, "date")[:10])
    except ValueError:
        raise Unreadable("not a date") from None
