"""Gathers from the database what the risk rules look at. Reads only; call it with the account's lock held."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from marketdata.models import Instrument
from trading import selectors
from trading.brokers.paper.pricing import MarketPrice, expected_price
from trading.lifecycle import OPEN
from trading.models import Account, Deployment, Order, Position
from trading.prices import to_decimal
from trading.risk import AccountState, Limits, Market, Proposal
from trading.sizing import Terms

ZERO = Decimal(0)


def terms_of(account: Account, instrument: Instrument) -> Terms:
    return Terms(account.fee_rate, account.slippage_rate, instrument.tick_size, instrument.lot_size)


def limits_of(account: Account) -> Limits:
    return Limits(account.max_position_share, account.max_daily_loss_share)


def market_of(deployment: Deployment, market: MarketPrice | None, *, at: datetime) -> Market:
    instrument = deployment.instrument
    return Market(
        running=deployment.is_running,
        short_allowed=selectors.short_allowed(instrument),
        min_notional=instrument.min_notional,
        price_age=None if market is None else at - market.received_at,
        price_age_limit=selectors.price_age_limit(instrument),
        currency=instrument.quote,
    )


def proposal_of(*, quantity: Decimal, held: Decimal, market: MarketPrice, terms: Terms) -> Proposal:
    """A market order for the signed ``quantity`` at what it is expected to get."""
    return Proposal(
        quantity=quantity,
        held=held,
        price=expected_price(market, buying=quantity > 0, terms=terms),
        mark=to_decimal(market.price, terms.tick),
        fee_rate=terms.fee_rate,
    )


def state_of(account: Account, instrument: Instrument, *, at: datetime, except_order: int | None = None) -> AccountState:
    """The account's money and exposure, with what its open orders will add, ``except_order`` left out."""
    valued = selectors.portfolio(account, at=at)
    reserved = reserved_here = ZERO
    waiting = Order.objects.filter(account=account, status__in=OPEN)
    if except_order is not None:
        waiting = waiting.exclude(pk=except_order)
    held: dict[int | None, Decimal] = dict(Position.objects.filter(account=account).values_list("deployment_id", "quantity"))
    for order in waiting.select_related("instrument__latest"):
        latest = getattr(order.instrument, "latest", None)
        if latest is None:
            continue  # it was decided on a price, so there is one; without it the order cannot fill
        market = MarketPrice(latest.price, latest.bid, latest.ask, latest.time, latest.received_at)
        proposal = proposal_of(
            quantity=order.signed_remaining,
            held=held.get(order.deployment_id, ZERO),
            market=market,
            terms=terms_of(account, order.instrument),
        )
        if proposal.opening:
            reserved += proposal.cost
            reserved_here += proposal.cost if order.instrument_id == instrument.pk else ZERO
    return AccountState(
        equity=valued.equity,
        gross=sum((abs(one.value) for one in valued.positions), ZERO),
        gross_here=sum((abs(one.value) for one in valued.positions if one.instrument.pk == instrument.pk), ZERO),
        reserved=reserved,
        reserved_here=reserved_here,
        day_start_equity=valued.day_start_equity,
    )
