"""What the engine is told: the order that somebody would like to send, and all that matters to it. Frozen facts, no clock.

Money is in the account's currency. A price of 1 for a quantity of 1 is ``point_value`` of it: the size of a contract times the
rate between the currencies, and 1 where neither differs. None always means that nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from trading.risk.breakers import BreakerState
from trading.risk.states import TradingState

ZERO: Final = Decimal(0)


class Purpose(StrEnum):
    """Why somebody wants it: to trade, to protect what is held (a stop, a target), or to get out of everything at once."""

    TRADE = "trade"
    PROTECT = "protect"
    PANIC = "panic"


class Sort(StrEnum):
    """What an order is to the rules. Whatever opens is opening, whyever somebody wants it."""

    OPENING = "opening"
    CLOSING = "closing"
    PROTECTIVE = "protective"
    PANIC = "panic"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An order that somebody would like to send.

    ``quantity`` is signed, positive to buy; ``held`` is the signed position that it changes; ``price`` is what it is expected
    to get and ``mark`` what the market values a unit at (both 0 where there is no price); ``fee_rate`` is a share of the
    notional. Without ``limit_price`` and ``trigger_price`` (of a stop order) it is a market order. ``stop`` is the price at
    which the position would be given up.
    """

    quantity: Decimal
    held: Decimal
    price: Decimal
    mark: Decimal
    fee_rate: Decimal
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    stop: Decimal | None = None
    purpose: Purpose = Purpose.TRADE

    @property
    def opening(self) -> Decimal:
        """The size, without sign, by which it opens: all of it, what is left beyond zero, or nothing."""
        if self.held * self.quantity >= 0:
            return abs(self.quantity)
        return max(abs(self.quantity) - abs(self.held), ZERO)

    @property
    def closing(self) -> Decimal:
        """The size, without sign, by which it closes what is held."""
        return abs(self.quantity) - self.opening

    @property
    def after(self) -> Decimal:
        return self.held + self.quantity

    @property
    def is_market(self) -> bool:
        return self.limit_price is None and self.trigger_price is None

    @property
    def is_reversal(self) -> bool:
        return bool(self.opening and self.closing)

    @property
    def sort(self) -> Sort:
        if self.opening:
            return Sort.OPENING
        match self.purpose:
            case Purpose.PROTECT:
                return Sort.PROTECTIVE
            case Purpose.PANIC:
                return Sort.PANIC
            case _:
                return Sort.CLOSING

    def closing_half(self) -> Self:
        """Of a reversal what takes the account out of its position, and nothing beyond; any other proposal as it is."""
        return replace(self, quantity=-self.held, stop=None) if self.is_reversal else self


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at one moment.

    ``gross`` is the value of all positions without sign, ``reserved`` what open orders will add to it, fees included.
    ``lending`` is how much the broker lets it hold for each unit of equity; ``broker_buying_power`` is what the broker itself
    says is free, after its open orders. ``open_positions`` counts those that open orders will open as well.
    ``day_trades`` counts those of the last five sessions, today's included.
    """

    currency: str
    equity: Decimal
    gross: Decimal = ZERO
    reserved: Decimal = ZERO
    lending: Decimal = Decimal(1)
    broker_buying_power: Decimal | None = None
    open_positions: int = 0
    orders_last_minute: int = 0
    is_margin: bool = False
    day_trades: int | None = None
    state: TradingState = TradingState.ACTIVE

    @property
    def buying_power(self) -> Decimal:
        """Money that new exposure may tie up; a short ties up as much as a long."""
        own = self.equity * self.lending - self.gross - self.reserved
        return own if self.broker_buying_power is None else min(own, self.broker_buying_power)


@dataclass(frozen=True, slots=True)
class MarketState:
    """The instrument and its venue. ``min_notional`` is in its ``quote`` currency.

    ``price_interval`` is the bar's length where prices come by the bar, else nothing. ``opened_today`` is the signed quantity
    of the instrument that the account opened in this session.
    """

    tick: Decimal
    lot: Decimal
    quote: str
    last: Decimal | None
    price_age: timedelta | None
    price_interval: timedelta = timedelta(0)
    min_notional: Decimal = ZERO
    point_value: Decimal = Decimal(1)
    is_connected: bool = True
    is_open: bool | None = None
    short_allowed: bool = False
    is_us_stock: bool = False
    opened_today: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the account has at work already, in money without sign: positions and what open orders will add, without this order.

    ``waiting`` is what open orders will add to the very position that the order changes. Sector and cluster are None where
    nobody knows to which the instrument belongs.
    """

    waiting: Decimal = ZERO
    symbol: Decimal = ZERO
    sector: Decimal | None = None
    cluster: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a proposal is judged by, beside the risk profile.

    ``is_running`` is of the deployment that proposes, and None for an order by hand. ``sentiment`` is the index from 0, extreme
    fear, to 100.
    """

    account: AccountState
    market: MarketState
    exposure: Exposure = field(default_factory=Exposure)
    breakers: BreakerState = field(default_factory=BreakerState)
    is_running: bool | None = None
    deployment_state: TradingState = TradingState.ACTIVE
    platform_state: TradingState = TradingState.ACTIVE
    sentiment: Decimal | None = None
