"""Where an account as it stands would be beyond a profile's limits: what people see before they save another one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.risk.breakers import BreakerState, readings
from trading.risk.numbers import Number, Unit
from trading.risk.profile import RiskProfile

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Held:
    """A position: what it is worth without sign, and what is lost at its stop (None without one), in money."""

    name: str
    symbol: str
    value: Decimal
    at_stop: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Excess:
    """``rule`` (its code) would be broken by ``subject``; empty where all positions together do, or none."""

    rule: str
    subject: str
    value: Number
    limit: Number


def excesses(held: tuple[Held, ...], equity: Decimal, state: BreakerState, profile: RiskProfile) -> tuple[Excess, ...]:
    """In the order of the rules. What is exactly at a limit is within it, but for circuit breakers: those trip at theirs."""
    return tuple(_excesses(held, equity, state, profile))


def _excesses(held: tuple[Held, ...], equity: Decimal, state: BreakerState, profile: RiskProfile) -> Iterator[Excess]:
    for breaker, reading in readings(state, profile).items():
        if reading.is_reached and breaker not in state.tripped:
            yield Excess(f"breaker-{breaker.value}", "", reading.value, reading.limit)
    if equity > 0:
        for one in held:
            yield from _beyond("maximum-position", one.name, one.value / equity, profile.maximum_position)
        for one in held:
            if one.at_stop is not None:
                yield from _beyond("risk-per-trade", one.name, one.at_stop / equity, profile.risk_per_trade)
    if len(held) > profile.open_positions:
        counted, limit = (Number(Decimal(count), Unit.COUNT) for count in (len(held), profile.open_positions))
        yield Excess("too-many-positions", "", counted, limit)
    if equity > 0:
        symbols: dict[str, Decimal] = {}
        for one in held:
            symbols[one.symbol] = symbols.get(one.symbol, ZERO) + one.value
        for symbol, value in symbols.items():
            yield from _beyond("exposure-symbol", symbol, value / equity, profile.exposure_symbol)
        gross = sum(symbols.values(), ZERO)
        yield from _beyond("leverage", "", gross / equity, profile.leverage, Unit.TIMES)


def _beyond(rule: str, subject: str, value: Decimal, limit: Decimal, unit: Unit = Unit.SHARE) -> Iterator[Excess]:
    if value > limit:
        yield Excess(rule, subject, Number(value, unit), Number(limit, unit))
