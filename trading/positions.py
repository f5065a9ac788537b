"""What fills do to a position. Pure, Decimal, and exact to the last unit of money.

A position carries the money that its open quantity cost, not its average price: an average is a quotient and loses
digits, a cost can be split so that every part is counted once. So, for any order of any fills,

    cash   = start − Σ cost of buys + Σ proceeds of sales − fees
    equity = cash + Σ value of positions = start + realised + unrealised − fees

hold with equality. Tests assert both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

from trading.prices import money

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill as position-keeping sees it: ``quantity`` is signed, positive for a purchase; ``fee`` is not negative."""

    quantity: Decimal
    price: Decimal
    fee: Decimal = ZERO

    @property
    def value(self) -> Decimal:
        """Money the bought quantity cost; negative is what a sale brought."""
        return money(self.quantity * self.price)

    @property
    def cash(self) -> Decimal:
        """What the fill does to cash, fee included."""
        return -self.value - self.fee


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: signed quantity, the signed money its open quantity cost, and what was realised so far before
    fees."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def average_price(self) -> Decimal:
        """Price at which the open quantity was taken; 0 when flat."""
        return self.cost / self.quantity if self.quantity else ZERO

    def value(self, price: Decimal) -> Decimal:
        """What the open quantity is worth at ``price``; negative for a short."""
        return money(self.quantity * price)

    def unrealised(self, price: Decimal) -> Decimal:
        """What closing at ``price`` would realise, before fees."""
        return self.value(price) - self.cost

    def after(self, execution: Execution) -> tuple[Self, Decimal]:
        """The holding after ``execution``, and the profit that it realised before fees."""
        charged = replace(self, fees=self.fees + execution.fee)
        bought, value = execution.quantity, execution.value
        if self.quantity * bought >= 0:
            return replace(charged, quantity=self.quantity + bought, cost=self.cost + value), ZERO
        if abs(bought) < abs(self.quantity):
            released = money(self.cost * (-bought) / self.quantity)
            realised = -value - released
            rest, cost = self.quantity + bought, self.cost - released
        else:
            # All of it is closed; what is left of the fill opens the other way at the fill's price. The opening part's
            # cost is the rounded one and the closing part takes the rest, so that the two add up to the fill.
            rest = self.quantity + bought
            cost = money(rest * execution.price)
            realised = -(value - cost) - self.cost
        return replace(charged, quantity=rest, cost=cost, realised=self.realised + realised), realised
