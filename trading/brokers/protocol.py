"""What every broker can do, whatever its venue is called: the one door between ClusterX and the places where orders are. Pure.

An adapter translates: to the venue's own requests and back into these values. It keeps no books, decides nothing and retries
nothing that could act twice. The rules that make trading safe stand on four promises of every adapter:

1. What it sends carries our ``client_order_id``; the venue can be asked by it (``order``).
2. It never guesses an outcome. Of a request that changes something it says one of: what the venue answered, ``Refused`` (the
   venue said no: nothing happened), ``NotSent`` (it never left: nothing happened), or ``OutcomeUnknown`` (everything else).
3. Numbers are Decimal from the venue's digits, times are aware UTC of the venue's clock. No float in between.
4. ``symbol`` is the venue's own name of an instrument, as ``Instrument.venue_symbol`` holds it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Type(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"  # a market order once the price trades through ``stop_price``
    STOP_LIMIT = "stop-limit"  # a limit order once it does


class TimeInForce(StrEnum):
    GTC = "gtc"
    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


class State(StrEnum):
    """What an order is at the venue. It has no state for "we do not know": that is ours, not the venue's."""

    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly-filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_open(self) -> bool:
        return self in {State.ACCEPTED, State.PARTLY_FILLED}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter can do for one account.

    Parameters
    ----------
    valid_for : timedelta
        After this long since it was sent, a request can no longer be accepted by the venue (its receive window plus what a
        proxy may hold back). Until then "no such order" proves nothing.
    asks_by_client_id : bool
        ``order`` may be asked with the client order id alone. Where not, it looks through open and recent orders.
    margin_wallet : bool
        Cash is a margin wallet (perpetuals, futures): a position's notional is never paid for, the wallet moves by realised
        profit, fees and funding alone. Otherwise a purchase costs its price.
    holds_coins : bool
        A position is a balance of the base currency (spot): positions are told by ``balances``, and ``positions`` is empty.
    unique_ids : "ever" or "open"
        Whether the venue refuses a client order id that it has seen at all, or only that of an order that is open.
    """

    order_types: frozenset[Type]
    time_in_force: frozenset[TimeInForce]
    valid_for: timedelta
    replaces: bool = False
    asks_by_client_id: bool = True
    unique_ids: str = "ever"
    streams: bool = True
    shorts: bool = False
    margin_wallet: bool = False
    holds_coins: bool = False
    leverage: Decimal = Decimal(1)
    longest_client_id: int = 36


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to send. ``quantity`` and prices are on the instrument's grid already; an adapter never rounds."""

    client_order_id: str
    symbol: str
    side: Side
    type: Type
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    # For the paper venue, whose market may be a replay: the venue's time of what the order rests upon, before which no price
    # fills it, and the time from which it has no reason any more.
    decided_at: datetime | None = None
    good_till: datetime | None = None
    blind: bool = False  # fill at the last price there was, however old: panic waits for no feed


@dataclass(frozen=True, slots=True)
class OrderKey:
    """Names one order, by the venue's number where it told one, else by ours. Either may be empty, never both."""

    client_order_id: str
    symbol: str
    venue_order_id: str = ""


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue has it now. ``client_order_id`` is empty for one that the venue made or a person placed there."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    type: Type
    quantity: Decimal
    filled: Decimal
    state: State
    updated_at: datetime
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    reason: str = ""
    code: str = ""  # of a rejection, as Refused has it


@dataclass(frozen=True, slots=True)
class VenueFill:
    """An execution. ``venue_fill_id`` is unique for the account and symbol, and the same on every way that it is told.

    ``fee`` is not negative for a charge, negative for a rebate, in ``fee_currency``.
    """

    venue_fill_id: str
    venue_order_id: str
    client_order_id: str  # empty where the venue does not tell it with fills
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    time: datetime
    is_maker: bool | None = None


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """What is held, signed: negative is short."""

    symbol: str
    quantity: Decimal
    average_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Money or coins of one currency; ``total`` includes what open orders hold. A margin wallet is without open profit."""

    currency: str
    total: Decimal
    free: Decimal


class FlowKind(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FUNDING = "funding"
    INTEREST = "interest"
    DIVIDEND = "dividend"
    FEE = "fee"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class VenueFlow:
    """Money that came or went without a trade; ``amount`` is signed. ``venue_flow_id`` is unique for the account."""

    venue_flow_id: str
    kind: FlowKind
    currency: str
    amount: Decimal
    time: datetime


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the credentials allow. None: the venue does not tell.

    ``account`` names the account at the venue as the venue does; ``is_paper`` is whether its money is not real.
    """

    account: str
    may_trade: bool
    may_withdraw: bool | None
    is_paper: bool
    currencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listening:
    """The account stream is connected, from ``at`` on: what happened before it must be asked for."""

    at: datetime


Update = VenueOrder | VenueFill | Listening


# -- what can go wrong ------------------------------------------------------------------------------------------------


class BrokerError(Exception):
    """Something between us and the venue. ``message`` is for people and holds no secret and no answer of the venue unread."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(BrokerError):
    """The venue said no, and nothing happened. ``code`` is ours where one fits, else ``venue-refused``.

    Ours: ``insufficient-funds``, ``bad-price``, ``bad-quantity``, ``below-minimum``, ``unknown-symbol``, ``market-closed``,
    ``duplicate-id`` (it has an order of this client order id: ask for it), ``not-open`` (a cancel came too late),
    ``would-cross``, ``reduce-only``, ``short-not-allowed``, ``trading-disabled``, ``too-many-orders``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NotSent(BrokerError):
    """The request never reached the venue's books: no connection, or it was turned away unread. It may be sent again."""


class RateLimited(NotSent):
    """Turned away because there were too many requests; not before ``retry_after`` (seconds)."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(BrokerError):
    """It was sent, and nobody knows what came of it: a timeout, a broken connection, an error of the venue's own (5xx)."""


class BadCredentials(BrokerError):
    """The venue does not accept the key: wrong, revoked, expired, or not allowed from here."""


class Unavailable(BrokerError):
    """A question (which changes nothing) could not be answered now."""


# -- the protocol -----------------------------------------------------------------------------------------------------


class Broker(Protocol):
    """One account at one venue. Made by ``trading.brokers.connect``; used by one thread at a time.

    Questions raise Unavailable, RateLimited or BadCredentials; what changes something raises Refused, NotSent, RateLimited,
    OutcomeUnknown or BadCredentials. Nothing else leaves an adapter.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def permissions(self) -> Permissions:
        """What the credentials allow: the test of a connection."""
        ...

    def server_time(self) -> datetime: ...

    def submit(self, request: OrderRequest) -> VenueOrder: ...

    def cancel(self, key: OrderKey) -> VenueOrder | None:
        """Ask to cancel. Returns the order where the venue answers with it. Raises Refused("not-open") where it is over."""
        ...

    def replace(self, key: OrderKey, request: OrderRequest) -> VenueOrder:
        """Put ``request`` in the place of an open order, as one act of the venue. Only where ``capabilities.replaces``."""
        ...

    def order(self, key: OrderKey) -> VenueOrder | None:
        """The order, open or over; None if the venue says that it has none."""
        ...

    def open_orders(self) -> list[VenueOrder]:
        """All of the account's, whoever placed them."""
        ...

    def fills_since(self, since: datetime, symbols: Sequence[str]) -> list[VenueFill]:
        """Executions at or after ``since``, oldest first: of ``symbols`` where the venue is asked by symbol, else of all."""
        ...

    def positions(self) -> list[VenuePosition]: ...

    def balances(self) -> list[Balance]: ...

    def flows_since(self, since: datetime) -> list[VenueFlow]:
        """Deposits, withdrawals, funding and the like at or after ``since``, oldest first; empty where the venue tells none."""
        ...

    def updates(self) -> AsyncIterator[Update]:
        """The account stream, until it breaks: then it raises Unavailable or BadCredentials. Begins with Listening.

        Whatever it tells may come twice, late, or in another order; what it does not tell is found by asking.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens an account at a venue. Never logged: its repr names the fields alone."""

    fields: dict[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    def get(self, name: str, default: str = "") -> str:
        return self.fields.get(name, default)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an adapter connects: ``base_url`` empty is the venue's own, ``is_paper`` chooses its test environment.

    ``market`` is "spot" or "perpetual" where one venue keeps them apart; ``timeout`` is seconds for one request.
    """

    is_paper: bool = True
    market: str = "spot"
    base_url: str = ""
    timeout: float = 10.0
