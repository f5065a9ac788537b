"""What providers say, in one form: trades, quotes, order-book changes and bars, checked before anybody uses them.

Pure. A message that cannot be true raises ``Malformed`` with a stable reason; the stream counts it, logs one of a kind and
goes on.
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from marketdata.bars import Bar, problem

LARGEST_PRICE = 1e15
LARGEST_QUANTITY = 1e18
CLOCK_TOLERANCE_MS = 3_600_000


class Malformed(ValueError):
    """A message that is not stored. ``reason`` is counted: type, price, quantity, clock, number, bar or unknown."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Trade(NamedTuple):
    """One public trade. ``side`` is the aggressor's: +1 bought, -1 sold. ``quantity`` is exact."""

    symbol: str
    id: int
    time_ms: int
    price: float
    quantity: Decimal
    side: int


class Quote(NamedTuple):
    symbol: str
    update: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class BookDelta(NamedTuple):
    """Changed levels: ``(price, size)``, size 0 removes. Applies to updates ``first``..``last``."""

    symbol: str
    first: int
    last: int
    time_ms: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class Kline(NamedTuple):
    """A bar as the venue itself computes it, finished or not."""

    symbol: str
    timeframe: str
    bar: Bar
    closed: bool


Message = Trade | Quote | BookDelta | Kline


def price_of(value: Any) -> float:
    number = _number(value, "price")
    if not 0 < number < LARGEST_PRICE:
        raise Malformed("price", f"a price must be above 0 and below {LARGEST_PRICE:g}, was {value!r}")
    return number


def size_of(value: Any) -> float:
    number = _number(value, "quantity")
    if not 0 <= number < LARGEST_QUANTITY:
        raise Malformed("quantity", f"a quantity must be from 0 to {LARGEST_QUANTITY:g}, was {value!r}")
    return number


def exact_size(value: Any) -> Decimal:
    """A traded quantity: exact, so that a bar's volume is the sum that the venue publishes."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Malformed("type", f"a quantity must be a number, was {value!r}")
    try:
        number = Decimal(value if isinstance(value, str) else repr(value))
    except InvalidOperation:
        raise Malformed("number", f"a quantity must be a number, was {value!r}") from None
    if not number.is_finite() or not 0 < number < LARGEST_QUANTITY:
        raise Malformed("quantity", f"a traded quantity must be above 0, was {value!r}")
    return number


def whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed("type", f"{what} must be a whole number, was {value!r}")
    if not 0 <= value < 2**63:
        raise Malformed("number", f"{what} is out of range: {value!r}")
    return value


def near(time_ms: int, now_ms: float) -> int:
    """``time_ms``, if it is within an hour of the venue's clock."""
    if abs(time_ms - now_ms) > CLOCK_TOLERANCE_MS:
        raise Malformed("clock", f"dated {(time_ms - now_ms) / 3_600_000:+.1f} h from the venue's clock")
    return time_ms


def checked(bar: Bar) -> Bar:
    if reason := problem(bar):
        raise Malformed("bar", f"{reason}: {bar.row}")
    return bar


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Malformed("type", f"a {what} must be a number, was {value!r}")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise Malformed("number", f"a {what} must be a number, was {value!r}") from None
    if not math.isfinite(number):
        raise Malformed("number", f"a {what} must be finite, was {value!r}")
    return number
