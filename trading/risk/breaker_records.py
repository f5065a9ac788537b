"""What circuit breakers remember, as it is stored: JSON with a version, and back without losing a digit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from trading.risk.breakers import Breaker, BreakerState, ClosedTrade, Failure, FailureKind, Policy, Trip

VERSION: Final = 1
_AMOUNTS: Final = ("equity", "flows", "index", "day_index", "high_index", "day_result")


def to_json(state: BreakerState) -> dict[str, Any]:
    def moment(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "version": VERSION,
        "at": moment(state.at),
        "day": None if state.day is None else state.day.isoformat(),
        **{name: str(getattr(state, name)) for name in _AMOUNTS},
        "trades": [[one.at.isoformat(), one.key, str(one.profit)] for one in state.trades],
        "trades_after": moment(state.trades_after),
        "failures": [[one.at.isoformat(), one.key, one.kind.value] for one in state.failures],
        "failures_after": moment(state.failures_after),
        "trips": [
            [one.breaker.value, one.at.isoformat(), str(one.value), str(one.limit), one.policy.value] for one in state.trips
        ],
    }


def from_json(stored: Mapping[str, Any]) -> BreakerState:
    """What ``to_json`` told. Raises ValueError for another version."""
    if stored["version"] != VERSION:
        raise ValueError(f"version must be {VERSION}, was {stored['version']!r}")

    def moment(told: str | None) -> datetime | None:
        return None if told is None else datetime.fromisoformat(told)

    return BreakerState(
        at=moment(stored["at"]),
        day=None if stored["day"] is None else date.fromisoformat(stored["day"]),
        trades=tuple(ClosedTrade(datetime.fromisoformat(at), key, Decimal(profit)) for at, key, profit in stored["trades"]),
        trades_after=moment(stored["trades_after"]),
        failures=tuple(Failure(datetime.fromisoformat(at), key, FailureKind(kind)) for at, key, kind in stored["failures"]),
        failures_after=moment(stored["failures_after"]),
        trips=tuple(
            Trip(Breaker(breaker), datetime.fromisoformat(at), Decimal(value), Decimal(limit), Policy(policy))
            for breaker, at, value, limit, policy in stored["trips"]
        ),
        **{name: Decimal(stored[name]) for name in _AMOUNTS},
    )
