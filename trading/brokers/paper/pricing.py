"""What an order gets at the paper venue, from prices that really were there. Pure.

The rules, with worked tables, are in docs/trading.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from marketdata.bars import Bar
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


@dataclass(frozen=True, slots=True)
class Working:
    """An order as the rules see it: what is left of it, its prices, whether its stop was triggered and it was there before."""

    buying: bool
    type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    triggered: bool
    resting: bool


@dataclass(frozen=True, slots=True)
class Bid:
    """What an order may be filled at; ``triggered`` alone where only its stop was reached."""

    price: Decimal | None
    triggered: bool = False
    is_maker: bool = False


NOTHING: Final = Bid(None)


def at_price(order: Working, market: MarketPrice, terms: Terms) -> Bid:
    """What the newest price does to ``order``.

    A market order gets the far side of the quote, moved against it by the slippage. A stop is triggered by the last price, at
    the stop or beyond, and is a market order from then on. A limit order that arrives at a better price gets that price, never
    one beyond its limit; one that rests is filled at its limit when the last price goes *through* it: touching is not filling.
    """
    last = to_decimal(market.price, terms.tick)
    triggered = order.triggered
    if order.stop_price is not None and not triggered:
        triggered = last >= order.stop_price if order.buying else last <= order.stop_price
        if not triggered:
            return NOTHING
    if order.limit_price is None:
        return Bid(expected_price(market, buying=order.buying, terms=terms), triggered)
    if not order.resting or triggered != order.triggered:
        quoted = market.ask if order.buying else market.bid
        near = last if quoted is None else to_decimal(quoted, terms.tick)
        if (near <= order.limit_price) if order.buying else (near >= order.limit_price):
            return Bid(near, triggered)
    through = last < order.limit_price if order.buying else last > order.limit_price
    return Bid(order.limit_price if through else None, triggered, is_maker=through)


def in_bar(order: Working, bar: Bar, terms: Terms) -> Bid:
    """What a closed bar did to an order that rested all through it, for what happened between two looks at the price.

    By the engine's rules: a stop fills at its price, or at the open where the bar begins beyond it, moved by the slippage; a
    limit at its price, or at a better open. A stop limit waits for the next price.
    """
    low, high, opened = (to_decimal(price, terms.tick) for price in (bar.low, bar.high, bar.open))
    triggered = order.triggered
    if order.stop_price is not None and not triggered:
        if not (high >= order.stop_price if order.buying else low <= order.stop_price):
            return NOTHING
        if order.limit_price is not None:
            return Bid(None, triggered=True)
        worse = max if order.buying else min
        return Bid(
            against(worse(order.stop_price, opened), buying=order.buying, rate=terms.slippage_rate, tick=terms.tick), True
        )
    if order.limit_price is None:
        return NOTHING
    if not (low < order.limit_price if order.buying else high > order.limit_price):
        return Bid(None, triggered)
    better = min if order.buying else max
    return Bid(better(order.limit_price, opened), triggered, is_maker=True)


def fee_of(quantity: Decimal, price: Decimal, terms: Terms) -> Decimal:
    return money(quantity * price * terms.fee_rate)
