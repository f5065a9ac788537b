"""The one crossing from market data, which are floats, to money, which is Decimal; and the rounding of both.

Pure. Rounding never raises exposure above what was asked and never moves a price in the trader's favour.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

CENT_OF_MONEY: Final = Decimal("1e-10")
"""The smallest unit of money that is kept: what the database's columns hold."""


def to_decimal(price: float, tick: Decimal) -> Decimal:
    """A market-data price as the Decimal on its instrument's grid.

    Goes by ``repr``, the shortest digits that name this float and no other: 0.1 becomes 0.1, not 0.1000000000000000055.

    Raises ValueError if ``price`` is not a finite number above zero.
    """
    if not math.isfinite(price) or price <= 0:
        raise ValueError(f"price must be a finite number above 0, was {price!r}")
    return on_grid(Decimal(repr(float(price))), tick, ROUND_HALF_EVEN)


def on_grid(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    """``value`` rounded to a multiple of ``step``, which need not be a power of ten."""
    with localcontext() as context:
        context.prec = 60
        return ((value / step).to_integral_value(rounding=rounding) * step).normalize() + Decimal(0)


def quantity_down(quantity: Decimal, lot: Decimal) -> Decimal:
    """The size of ``quantity`` rounded to the lot, towards zero."""
    return on_grid(quantity, lot, ROUND_DOWN)


def against(price: Decimal, *, buying: bool, rate: Decimal, tick: Decimal) -> Decimal:
    """``price`` moved against the trader by ``rate`` and rounded to the tick, again against the trader.

    A sale never goes below one tick.
    """
    if buying:
        return on_grid(price * (1 + rate), tick, ROUND_CEILING)
    return max(on_grid(price * (1 - rate), tick, ROUND_FLOOR), tick)


def money(amount: Decimal) -> Decimal:
    """``amount`` in the units that money is kept in; ties go to the even unit."""
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(CENT_OF_MONEY, rounding=ROUND_HALF_EVEN)
