"""The paper broker: what a market order gets, from prices that really were there. Pure.

The rule, with a worked table, is in docs/trading.md: the first price known at or after the decision, at the far side
of the quote where there is one, moved against the trader by the slippage, rounded to the tick against the trader,
fee on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from trading.positions import Execution
from trading.prices import against, money, to_decimal
from trading.sizing import Terms

PRICE_AGE_LIMIT: Final = timedelta(seconds=60)
"""A price that was received longer ago is nobody's price any more (bar-only instruments: plus one bar)."""


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """The newest price of an instrument: ``time`` by the venue's clock, ``received_at`` by ours."""

    price: float
    bid: float | None
    ask: float | None
    time: datetime
    received_at: datetime

    def is_fresh(self, at: datetime, limit: timedelta) -> bool:
        return at - self.received_at <= limit


def expected_price(market: MarketPrice, *, buying: bool, terms: Terms) -> Decimal:
    """What a market order would get now: ask or bid where there is a quote, else the last price, and slippage."""
    quoted = market.ask if buying else market.bid
    base = to_decimal(market.price if quoted is None else quoted, terms.tick)
    return against(base, buying=buying, rate=terms.slippage_rate, tick=terms.tick)


def execute(market: MarketPrice, *, buying: bool, quantity: Decimal, terms: Terms) -> Execution:
    """The fill of a market order of ``quantity`` (positive) at ``market``."""
    price = expected_price(market, buying=buying, terms=terms)
    signed = quantity if buying else -quantity
    return Execution(quantity=signed, price=price, fee=money(quantity * price * terms.fee_rate))
