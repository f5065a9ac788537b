"""Risk: one proposal judged by every rule, an account's circuit breakers told of a new equity, and a position sized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from benchmarks.figures import Figure
from benchmarks.indicators import milliseconds
from trading.risk.breakers import ClosedTrade, Facts, Failure, FailureKind, observe
from trading.risk.checks import check_all, judge
from trading.risk.examples import AT, PROFILE, PROPOSAL, SITUATION
from trading.risk.situation import Exposure
from trading.risk.sizing import Room, Wish, size

CALLS = 1_000
TRADES = 60
ACCEPTED = replace(
    SITUATION,
    breakers=observe(
        SITUATION.breakers,
        # An account with a past: its index is a quotient of many digits, and trades and failures are remembered.
        Facts(
            AT + timedelta(seconds=1),
            AT.date(),
            Decimal("9987.65"),
            Decimal("123.45"),
            tuple(ClosedTrade(AT + timedelta(seconds=n), str(n), Decimal(n % 3)) for n in range(TRADES)),
            tuple(Failure(AT, str(n), FailureKind.ERROR) for n in range(4)),
        ),
        PROFILE,
    )[0],
)
WISH = Wish(
    target=Decimal("0.73"),
    allocation=Decimal("0.2"),
    price=Decimal("100.05"),
    mark=Decimal(100),
    fee_rate=Decimal("0.001"),
    tick=Decimal("0.01"),
    lot=Decimal("0.001"),
    atr=Decimal("2.31"),
)
ROOM = Room(Decimal("9987.65"), Exposure(sector=Decimal(120), cluster=Decimal(240)), Decimal(360))


def microseconds(call: Callable[[], object]) -> float:
    """Of one call, the median of seven thousands."""

    def often() -> None:
        for _ in range(CALLS):
            call()

    return milliseconds(often) * 1000 / CALLS


def measure() -> list[Figure]:
    """Figures of the risk engine beside their limits. The order is accepted, so that no rule is spared."""
    assert judge(PROPOSAL, ACCEPTED, PROFILE).accepted
    facts = Facts(AT + timedelta(seconds=2), AT.date(), Decimal("9990.01"), Decimal("123.45"))
    return [
        Figure("a proposal judged by every rule", microseconds(lambda: judge(PROPOSAL, ACCEPTED, PROFILE)), "µs", 200),
        Figure("a proposal with what each rule says", microseconds(lambda: check_all(PROPOSAL, ACCEPTED, PROFILE)), "µs", 400),
        Figure(
            "circuit breakers told of a new equity", microseconds(lambda: observe(ACCEPTED.breakers, facts, PROFILE)), "µs", 200
        ),
        Figure("a position sized", microseconds(lambda: size(WISH, ROOM, PROFILE)), "µs", 200),
    ]
