"""What each rule looks at: one function each, from the case to its numbers. None of them asks whether the order is exempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Final

from trading.prices import on_grid
from trading.risk.breakers import Breaker, Reading, readings
from trading.risk.findings import Status
from trading.risk.numbers import Number, Unit
from trading.risk.profile import RiskProfile
from trading.risk.situation import Proposal, Situation
from trading.risk.states import TradingState, strictest

ZERO: Final = Decimal(0)
DAY_TRADES: Final = 3
DAY_TRADER_EQUITY: Final = Decimal(25_000)
"""FINRA rule 4210: four day trades within five sessions make a margin account a pattern day trader's, which needs this much."""


@dataclass(frozen=True)
class Case:
    """A proposal with all it is judged by; what several rules need is computed once."""

    proposal: Proposal
    situation: Situation
    profile: RiskProfile

    @cached_property
    def opening(self) -> Decimal:
        return self.proposal.opening

    @cached_property
    def closing(self) -> Decimal:
        return self.proposal.closing

    @cached_property
    def unit_value(self) -> Decimal:
        """What one of the instrument is worth now; 0 where there is no price."""
        return self.proposal.mark * self.situation.market.point_value

    @cached_property
    def change(self) -> Decimal:
        """By how much the order raises what the account has at work; below zero where it closes more than it opens."""
        return (self.opening - self.closing) * self.unit_value

    @cached_property
    def readings(self) -> dict[Breaker, Reading]:
        return readings(self.situation.breakers, self.profile)

    def money(self, amount: Decimal) -> Number:
        return Number(amount, Unit.MONEY, self.situation.account.currency)


@dataclass(frozen=True, slots=True)
class Measured:
    """``wording`` chooses among the rule's sentences, where it has several."""

    refused: bool
    numbers: Mapping[str, Number] = field(default_factory=dict)
    wording: str = ""


Answer = Measured | Status
Measure = Callable[[Case], Answer]

PASSED: Final = Measured(False)


def sendable(case: Case) -> Answer:
    proposal, market = case.proposal, case.situation.market
    quantity = proposal.quantity
    if not quantity:
        return Measured(True, wording="nothing")
    if on_grid(quantity, market.lot, "ROUND_DOWN") != quantity:
        return Measured(True, _pair(abs(quantity), market.lot, Unit.QUANTITY), "lot")
    for price in (proposal.limit_price, proposal.trigger_price):
        if price is not None and (price <= 0 or on_grid(price, market.tick, "ROUND_DOWN") != price):
            return Measured(True, _pair(price, market.tick, Unit.PRICE), "tick")
    return PASSED


def connected(case: Case) -> Answer:
    return Measured(not case.situation.market.is_connected)


def fresh_price(case: Case) -> Answer:
    market = case.situation.market
    patience = case.profile.price_age + Decimal(repr(market.price_interval.total_seconds()))
    limit = Number(patience, Unit.SECONDS)
    if market.price_age is None or market.last is None:
        return Measured(True, {"limit": limit}, "missing")
    age = Decimal(repr(market.price_age.total_seconds()))
    return Measured(age > patience, {"value": Number(age, Unit.SECONDS), "limit": limit})


def running(case: Case) -> Answer:
    if case.situation.is_running is None:
        return Status.DOES_NOT_APPLY
    return Measured(not case.situation.is_running)


def in_state(refused: TradingState) -> Measure:
    def measure(case: Case) -> Answer:
        situation = case.situation
        states = {
            "platform": situation.platform_state,
            "account": situation.account.state,
            "deployment": situation.deployment_state,
        }
        if strictest(*states.values()) != refused:
            return PASSED
        return Measured(True, wording=next(name for name, state in states.items() if state == refused))

    return measure


def buying_power(case: Case) -> Answer:
    proposal, fee_rate = case.proposal, case.proposal.fee_rate
    quantity, point_value = abs(proposal.quantity), case.situation.market.point_value
    # All of the order loses its fee at once, and what its price is worse than the market's.
    worse = proposal.price - proposal.mark if proposal.quantity > 0 else proposal.mark - proposal.price
    lost = quantity * (max(worse, ZERO) + proposal.price * fee_rate) * point_value
    needed = case.opening * case.unit_value + lost
    # Closing gives back what the closed part ties up now.
    free = case.situation.account.buying_power + case.closing * case.unit_value
    return Measured(needed > free, {"value": case.money(needed), "limit": case.money(free)})


def unbroken(breaker: Breaker) -> Measure:
    def measure(case: Case) -> Answer:
        state = case.situation.breakers
        if state.at is None:
            return Status.NOT_CHECKED
        reading = case.readings[breaker]
        numbers = {"value": reading.value, "limit": reading.limit}
        if reading.money is not None:
            numbers["money"] = case.money(reading.money)
        elif breaker == Breaker.INFRASTRUCTURE:
            numbers["window"] = Number(Decimal(case.profile.infrastructure_window), Unit.SECONDS)
        if reading.is_reached:
            return Measured(True, numbers)
        for trip in state.trips:
            if trip.breaker == breaker:  # it stays tripped, though the account may have recovered
                unit = reading.value.unit
                return Measured(True, {"value": Number(trip.value, unit), "limit": Number(trip.limit, unit)}, "tripped")
        return Measured(False, numbers)

    return measure


def day_trades(case: Case) -> Answer:
    account, market = case.situation.account, case.situation.market
    if not (market.is_us_stock and account.is_margin):
        return Status.DOES_NOT_APPLY
    if account.day_trades is None or account.currency != "USD":
        return Status.NOT_CHECKED
    # Bought and sold in one session, or sold short and bought back; what was held overnight may go.
    is_one = bool(case.closing) and market.opened_today * case.proposal.held > 0
    count = account.day_trades + is_one
    numbers = _pair(Decimal(count), Decimal(DAY_TRADES), Unit.COUNT)
    refused = is_one and count > DAY_TRADES and account.equity < DAY_TRADER_EQUITY
    return Measured(refused, {**numbers, "minimum": case.money(DAY_TRADER_EQUITY)})


def short(case: Case) -> Answer:
    after = case.proposal.after
    if after >= 0:
        return Status.DOES_NOT_APPLY
    return Measured(not case.situation.market.short_allowed, {"value": Number(-after, Unit.QUANTITY)})


def position(case: Case) -> Answer:
    if not case.unit_value:
        return Status.NOT_CHECKED
    value = abs(case.proposal.after) * case.unit_value + case.situation.exposure.waiting
    return _of_equity(case, value, case.profile.maximum_position)


def stop_side(case: Case) -> Answer:
    proposal = case.proposal
    if proposal.stop is None:
        return Status.DOES_NOT_APPLY
    if not proposal.price:
        return Status.NOT_CHECKED
    wrong = proposal.stop >= proposal.price if proposal.after > 0 else proposal.stop <= proposal.price
    return Measured(wrong, _pair(proposal.stop, proposal.price, Unit.PRICE), "long" if proposal.after > 0 else "short")


def risk(case: Case) -> Answer:
    proposal = case.proposal
    if proposal.stop is None or not proposal.price:
        return Status.NOT_CHECKED
    # All of the position is at stake, not what is added to it: small additions would pass one by one.
    loss = abs(proposal.price - proposal.stop) * abs(proposal.after) * case.situation.market.point_value
    return _of_equity(case, loss, case.profile.risk_per_trade)


def positions(case: Case) -> Answer:
    # An addition or a reversal: there are no more of them afterwards. What waits to open this very one is counted already.
    if case.proposal.held or case.situation.exposure.waiting:
        return Status.DOES_NOT_APPLY
    count = Decimal(case.situation.account.open_positions + 1)
    limit = Decimal(case.profile.open_positions)
    return Measured(count > limit, _pair(count, limit, Unit.COUNT))


def symbol(case: Case) -> Answer:
    return _exposed(case, case.situation.exposure.symbol, case.profile.exposure_symbol)


def sector(case: Case) -> Answer:
    return _exposed(case, case.situation.exposure.sector, case.profile.exposure_sector)


def cluster(case: Case) -> Answer:
    return _exposed(case, case.situation.exposure.cluster, case.profile.exposure_cluster)


def leverage(case: Case) -> Answer:
    account = case.situation.account
    return _exposed(case, account.gross + account.reserved, case.profile.leverage, Unit.TIMES)


def collar(case: Case) -> Answer:
    proposal = case.proposal
    # A stop order is sent when the price is at its trigger, wherever the price is now.
    last = case.situation.market.last if proposal.trigger_price is None else proposal.trigger_price
    price = proposal.price if proposal.limit_price is None else proposal.limit_price
    if not last or not price:
        return Status.NOT_CHECKED
    # A price that is better than the last waits or fills well: only the other side costs anybody anything.
    worse = max(price - last if proposal.quantity > 0 else last - price, ZERO)
    numbers = {
        **_pair(worse / last, case.profile.price_collar, Unit.SHARE),
        "price": Number(price, Unit.PRICE),
        "last": Number(last, Unit.PRICE),
    }
    return Measured(worse > case.profile.price_collar * last, numbers)


def rate(case: Case) -> Answer:
    count = Decimal(case.situation.account.orders_last_minute + 1)
    limit = Decimal(case.profile.orders_per_minute)
    return Measured(count > limit, _pair(count, limit, Unit.COUNT))


def minimum(case: Case) -> Answer:
    proposal, market = case.proposal, case.situation.market
    if not proposal.price:
        return Status.NOT_CHECKED
    value = abs(proposal.quantity) * proposal.price
    numbers = {
        name: Number(amount, Unit.MONEY, market.quote) for name, amount in (("value", value), ("limit", market.min_notional))
    }
    return Measured(value < market.min_notional, numbers)


def open_market(case: Case) -> Answer:
    is_open = case.situation.market.is_open
    return Status.NOT_CHECKED if is_open is None else Measured(not is_open)


def fear(case: Case) -> Answer:
    if case.proposal.quantity < 0:
        return Status.DOES_NOT_APPLY
    sentiment, threshold = case.situation.sentiment, case.profile.extreme_fear
    if sentiment is None:
        return Status.NOT_CHECKED
    return Measured(sentiment < threshold, _pair(sentiment, threshold, Unit.POINTS))


def _exposed(case: Case, before: Decimal | None, limit: Decimal, unit: Unit = Unit.SHARE) -> Answer:
    if before is None or not case.unit_value:
        return Status.NOT_CHECKED
    return _of_equity(case, before + case.change, limit, unit)


def _of_equity(case: Case, amount: Decimal, limit: Decimal, unit: Unit = Unit.SHARE) -> Measured:
    """``amount`` against a share or a multiple of equity. It is the money that is compared: the share is rounded."""
    equity = case.situation.account.equity
    share = amount / equity if equity > 0 else Decimal("Infinity")
    return Measured(amount > limit * equity, {**_pair(share, limit, unit), "money": case.money(amount)})


def _pair(value: Decimal, limit: Decimal, unit: Unit) -> dict[str, Number]:
    return {"value": Number(value, unit), "limit": Number(limit, unit)}
