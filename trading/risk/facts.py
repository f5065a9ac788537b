"""What the rules look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A market order that a deployment would like to send.

    ``quantity`` is signed, positive to buy; ``held`` is the deployment's signed position; ``price`` is what the
    order is expected to get, ``mark`` what the market values a unit at; ``fee_rate`` is a share of the notional.
    """

    quantity: Decimal
    held: Decimal
    price: Decimal
    mark: Decimal
    fee_rate: Decimal

    @property
    def opening(self) -> Decimal:
        """The size, without sign, by which the order opens: all of it, what is left beyond zero, or nothing."""
        if self.held * self.quantity >= 0:
            return abs(self.quantity)
        return max(abs(self.quantity) - abs(self.held), ZERO)

    @property
    def closing(self) -> Decimal:
        """The size, without sign, by which the order closes what is held."""
        return abs(self.quantity) - self.opening

    @property
    def after(self) -> Decimal:
        return self.held + self.quantity

    @property
    def notional(self) -> Decimal:
        return abs(self.quantity) * self.price

    @property
    def cost(self) -> Decimal:
        """Money that the opening part ties up, and what the whole order loses at once to its fee and its price."""
        worse = self.price - self.mark if self.quantity > 0 else self.mark - self.price
        return self.opening * self.mark + abs(self.quantity) * max(worse, ZERO) + self.notional * self.fee_rate


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at one moment, in its currency.

    ``gross`` is the value of all positions without sign, ``gross_here`` of those in the proposal's instrument;
    ``reserved`` and ``reserved_here`` what open orders will add to them, fees included; ``day_start_equity`` was the
    equity when the account's day began.
    """

    equity: Decimal
    gross: Decimal
    gross_here: Decimal
    reserved: Decimal
    reserved_here: Decimal
    day_start_equity: Decimal

    @property
    def buying_power(self) -> Decimal:
        """Money that new exposure may tie up: nothing is borrowed, and a short ties up as much as a long."""
        return self.equity - self.gross - self.reserved


@dataclass(frozen=True, slots=True)
class Limits:
    """What the owner allows; both are shares of equity."""

    max_position_share: Decimal
    max_daily_loss_share: Decimal


@dataclass(frozen=True, slots=True)
class Market:
    """What is known of the instrument: how it may be traded and how old its price is (None: there is none)."""

    running: bool
    short_allowed: bool
    min_notional: Decimal
    price_age: timedelta | None
    price_age_limit: timedelta
    currency: str
