"""From the exposure a strategy wants to a quantity. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.prices import against, quantity_down


@dataclass(frozen=True, slots=True)
class Terms:
    """What trading costs and how an instrument is cut: fee and slippage as shares, tick in price, lot in quantity."""

    fee_rate: Decimal
    slippage_rate: Decimal
    tick: Decimal
    lot: Decimal


def wanted_quantity(*, target: Decimal, allocation: Decimal, equity: Decimal, price: Decimal, terms: Terms) -> Decimal:
    """The signed quantity that puts ``target`` × ``allocation`` × ``equity`` to work.

    Sized at the price a market order is expected to get, fee included, so that full exposure of a full allocation
    can be paid for; rounded down to the lot.

    Parameters
    ----------
    target : Decimal
        Exposure in [-1, 1].
    allocation : Decimal
        Share of equity at full exposure, 0..1.
    equity, price : Decimal
        In the account's currency; equity below zero buys nothing.
    """
    budget = abs(target) * allocation * max(equity, Decimal(0))
    unit = against(price, buying=True, rate=terms.slippage_rate, tick=terms.tick) * (1 + terms.fee_rate)
    size = quantity_down(budget / unit, terms.lot)
    return size if target > 0 else -size
