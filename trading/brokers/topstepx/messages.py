"""What the gateway's rows mean, by REST and by the hub alike. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from trading.brokers.protocol import Side, State, Type, Unavailable, VenueFill, VenueOrder, VenuePosition

T = TypeVar("T")
Row = Mapping[str, Any]

CURRENCY: Final = "USD"

SIDES: Final = {0: Side.BUY, 1: Side.SELL}
SIDE_NUMBERS: Final = {side: number for number, side in SIDES.items()}

TYPE_NUMBERS: Final = {Type.LIMIT: 1, Type.MARKET: 2, Type.STOP: 4}
TYPES: Final = {
    1: Type.LIMIT,
    2: Type.MARKET,
    3: Type.STOP_LIMIT,
    4: Type.STOP,
    5: Type.STOP,  # a trailing stop, which a person placed
    6: Type.LIMIT,  # joins the bid
    7: Type.LIMIT,  # joins the ask
}

OVER: Final = {2: State.FILLED, 3: State.CANCELLED, 4: State.EXPIRED, 5: State.REJECTED}
"""Open are 1 (open), 6 (pending), 7 (waiting to be cancelled) and 8 (suspended: the leg of a bracket whose entry is open).
What is not known to be over counts as open: to think so of a dead order costs a question, the reverse a position."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A future as the gateway lists it. ``tick_value`` is what one tick of one contract is worth, in US dollars."""

    symbol: str
    name: str
    description: str
    tick_size: Decimal
    tick_value: Decimal
    is_active: bool

    @property
    def multiplier(self) -> Decimal:
        """US dollars for a move of one point of one contract."""
        return self.tick_value / self.tick_size


def read(parse: Callable[[Row], T], rows: Iterable[Row]) -> list[T]:
    """All rows. Raises Unavailable for one that is not as documented: half an answer is none."""
    try:
        return [parse(row) for row in rows]
    except (LookupError, TypeError, ValueError, ArithmeticError):
        pass
    raise Unavailable("TopstepX answered with something that could not be read.")


def rows_of(data: Row, name: str) -> list[Row]:
    """A list of the answer. One that is missing or null is no proof of an empty one."""
    found = data.get(name)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unavailable("TopstepX answered without the list that was asked for.")
    return found


def to_time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def to_order(row: Row) -> VenueOrder:
    status, size = row["status"], Decimal(row["size"])
    told = row.get("fillVolume")
    filled = Decimal(told) if told is not None else size if status == 2 else Decimal(0)
    state = OVER.get(status, State.PARTLY_FILLED if filled else State.ACCEPTED)
    return VenueOrder(
        client_order_id=row.get("customTag") or "",
        venue_order_id=str(row["id"]),
        symbol=row["contractId"],
        side=SIDES[row["side"]],
        type=TYPES.get(row["type"]) or _type_by_prices(row),
        quantity=size,
        filled=filled,
        state=state,
        updated_at=to_time(row.get("updateTimestamp") or row["creationTimestamp"]),
        limit_price=_price(row.get("limitPrice")),
        stop_price=_price(row.get("stopPrice")),
    )


def to_fill(row: Row) -> VenueFill:
    """A trade of the gateway is one execution (half of a turn). Its tag is told with the order alone.

    Assumption: ``commissions``, where it is told, comes on top of ``fees``; both are charges.
    """
    return VenueFill(
        venue_fill_id=str(row["id"]),
        venue_order_id=str(row["orderId"]),
        client_order_id="",
        symbol=row["contractId"],
        side=SIDES[row["side"]],
        quantity=Decimal(row["size"]),
        price=Decimal(row["price"]),
        fee=Decimal(row["fees"]) + Decimal(row.get("commissions") or 0),
        fee_currency=CURRENCY,
        time=to_time(row["creationTimestamp"]),
    )


def to_position(row: Row) -> VenuePosition:
    """The type says the direction (1 long, 2 short), whatever the sign of the size."""
    sign = {1: 1, 2: -1}[row["type"]]
    return VenuePosition(row["contractId"], sign * abs(Decimal(row["size"])), Decimal(row["averagePrice"]))


def to_contract(row: Row) -> Contract:
    return Contract(
        symbol=row["id"],
        name=row["name"],
        description=row["description"],
        tick_size=Decimal(row["tickSize"]),
        tick_value=Decimal(row["tickValue"]),
        is_active=bool(row["activeContract"]),
    )


def _type_by_prices(row: Row) -> Type:
    """Of a type that is not documented: an order that a person placed must not hide all others."""
    limited, stopped = row.get("limitPrice") is not None, row.get("stopPrice") is not None
    if limited:
        return Type.STOP_LIMIT if stopped else Type.LIMIT
    return Type.STOP if stopped else Type.MARKET


def _price(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
