"""Gathers from the database what the risk engine looks at. Reads only; call it with the account's lock held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Final

from marketdata.models import Instrument
from trading import selectors
from trading.brokers.paper.pricing import MarketPrice, expected_price
from trading.lifecycle import OPEN
from trading.models import Account, Breakers, Deployment, Order, Platform, Position
from trading.prices import to_decimal
from trading.risk.breaker_records import from_json
from trading.risk.breakers import BreakerState
from trading.risk.situation import AccountState, Exposure, MarketState, Proposal, Purpose, Situation
from trading.risk.sizing import Room
from trading.risk.states import TradingState
from trading.selectors.worth import Portfolio
from trading.sizing import Terms

ZERO: Final = Decimal(0)


def terms_of(account: Account, instrument: Instrument) -> Terms:
    return Terms(account.fee_rate, account.slippage_rate, instrument.tick_size, instrument.lot_size)


def proposal_of(
    *,
    quantity: Decimal,
    held: Decimal,
    market: MarketPrice | None,
    terms: Terms,
    purpose: Purpose = Purpose.TRADE,
    limit_price: Decimal | None = None,
    trigger_price: Decimal | None = None,
    stop: Decimal | None = None,
) -> Proposal:
    """An order for the signed ``quantity`` at what it is expected to get; without a price where there is none."""
    price = mark = ZERO
    if market is not None:
        price = expected_price(market, buying=quantity > 0, terms=terms)
        mark = to_decimal(market.price, terms.tick)
    return Proposal(
        quantity=quantity,
        held=held,
        price=limit_price or trigger_price or price,
        mark=mark,
        fee_rate=terms.fee_rate,
        limit_price=limit_price,
        trigger_price=trigger_price,
        stop=stop,
        purpose=purpose,
    )


def platform_state() -> TradingState:
    state = Platform.objects.filter(pk=1).values_list("state", flat=True).first()
    return TradingState(state or TradingState.ACTIVE)


def breakers_of(account: Account) -> BreakerState:
    record = Breakers.objects.filter(account=account).values_list("record", flat=True).first()
    return from_json(record) if record else BreakerState()


@dataclass
class Standing:
    """Where an account stands at one moment: its worth, its open orders, and what they add up to."""

    account: Account
    at: datetime

    @cached_property
    def valued(self) -> Portfolio:
        return selectors.portfolio(self.account, at=self.at)

    @cached_property
    def open_orders(self) -> list[Order]:
        working = Order.objects.filter(account=self.account, status__in=OPEN)
        return list(working.select_related("instrument__latest").order_by("pk"))

    @cached_property
    def held(self) -> dict[tuple[int | None, int], Decimal]:
        """By deployment (or none) and instrument."""
        rows = Position.objects.filter(account=self.account).values_list("deployment_id", "instrument_id", "quantity")
        return {(deployment, instrument): quantity for deployment, instrument, quantity in rows}

    @cached_property
    def opening(self) -> list[tuple[Order, Decimal]]:
        """Open orders with the money that what they open will tie up, fees included."""
        found = []
        for order in self.open_orders:
            latest = getattr(order.instrument, "latest", None)
            if latest is None:
                continue  # it was decided on a price, so there is one; without it the order cannot fill
            proposal = proposal_of(
                quantity=order.signed_remaining,
                held=self.held.get((order.deployment_id, order.instrument_id), ZERO),
                market=MarketPrice(latest.price, latest.bid, latest.ask, latest.time, latest.received_at),
                terms=terms_of(self.account, order.instrument),
                limit_price=order.limit_price,
                trigger_price=order.stop_price,
            )
            if proposal.opening:
                fee = abs(proposal.quantity) * proposal.price * proposal.fee_rate
                found.append((order, proposal.opening * max(proposal.price, proposal.mark) + fee))
        return found

    @property
    def gross(self) -> Decimal:
        return sum((abs(one.value) for one in self.valued.positions), ZERO)

    def exposure(self, deployment: Deployment | None, instrument: Instrument) -> Exposure:
        here = sum((abs(one.value) for one in self.valued.positions if one.instrument.pk == instrument.pk), ZERO)
        coming = sum((money for order, money in self.opening if order.instrument_id == instrument.pk), ZERO)
        pk = deployment.pk if deployment else None
        own = [money for order, money in self.opening if (order.deployment_id, order.instrument_id) == (pk, instrument.pk)]
        return Exposure(waiting=sum(own, ZERO), symbol=here + coming)

    def room(self, deployment: Deployment, instrument: Instrument) -> Room:
        """What is at work beside the deployment's own position, which is sized."""
        own = next((abs(one.value) for one in self.valued.positions if one.deployment == deployment), ZERO)
        exposure = self.exposure(deployment, instrument)
        others = Exposure(waiting=ZERO, symbol=exposure.symbol - own - exposure.waiting)
        reserved = sum((money for _, money in self.opening), ZERO)
        return Room(equity=self.valued.equity, exposure=others, gross=self.gross + reserved - own - exposure.waiting)

    def situation(
        self, deployment: Deployment | None, instrument: Instrument, market: MarketPrice | None, *, is_connected: bool = True
    ) -> Situation:
        minute = self.at - timedelta(minutes=1)
        sent = Order.objects.filter(account=self.account, created_at__gt=minute).exclude(purpose=Order.Purpose.STOP)
        positions = {(one.position.deployment_id, one.instrument.pk) for one in self.valued.positions}
        positions |= {(order.deployment_id, order.instrument_id) for order, _ in self.opening}
        limit = selectors.price_age_limit(instrument) - selectors.PRICE_AGE_LIMIT
        return Situation(
            account=AccountState(
                currency=self.account.currency,
                equity=self.valued.equity,
                gross=self.gross,
                reserved=sum((money for _, money in self.opening), ZERO),
                open_positions=len(positions),
                orders_last_minute=sent.count(),
                state=TradingState(self.account.state),
            ),
            market=MarketState(
                tick=instrument.tick_size,
                lot=instrument.lot_size,
                quote=instrument.quote,
                last=None if market is None else to_decimal(market.price, instrument.tick_size),
                price_age=None if market is None else self.at - market.received_at,
                price_interval=limit,
                min_notional=instrument.min_notional,
                is_connected=is_connected,
                short_allowed=selectors.short_allowed(instrument),
            ),
            exposure=self.exposure(deployment, instrument),
            breakers=breakers_of(self.account),
            is_running=None if deployment is None else deployment.is_running,
            deployment_state=TradingState.ACTIVE if deployment is None else TradingState(deployment.state),
            platform_state=platform_state(),
        )
