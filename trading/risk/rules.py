"""The rules, in the order in which they are asked; the first that objects gives the reason.

What closes a position always passes the rules about size, money and loss: nobody may be held in a position by a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Final

from trading.risk.facts import AccountState, Limits, Market, Proposal


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why not: a stable code, and a sentence with the value and the limit."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    rejection: Rejection | None

    @property
    def accepted(self) -> bool:
        return self.rejection is None


Rule = Callable[[Proposal, AccountState, Limits, Market], Rejection | None]


def running(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Rejection | None:
    """Only a deployment that runs trades."""
    if market.running:
        return None
    return Rejection("not-running", "The deployment is not running.")


def fresh_price(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Rejection | None:
    """No order on a price that may no longer be true."""
    limit = f"{market.price_age_limit.total_seconds():g} s"
    if market.price_age is None:
        return Rejection("stale-price", f"There is no price yet; one of the last {limit} is needed.")
    if market.price_age > market.price_age_limit:
        age = f"{market.price_age.total_seconds():.0f} s"
        return Rejection("stale-price", f"The newest price is {age} old; the limit is {limit}.")
    return None


def short_allowed(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Rejection | None:
    """Nobody sells what they do not hold, except where the instrument is made for it."""
    if proposal.after >= 0 or market.short_allowed or not proposal.opening:
        return None
    return Rejection(
        "short-not-allowed",
        f"The order would leave {_plain(abs(proposal.after))} short; this instrument cannot be sold short.",
    )


def large_enough(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Rejection | None:
    """The venue's smallest order. What closes a position whole passes: a remainder must not hold anybody in."""
    if proposal.notional >= market.min_notional or (proposal.closing and proposal.after == 0):
        return None
    smallest = _money(market.min_notional, market)
    return Rejection("below-minimum", f"The order is worth {_money(proposal.notional, market)}; the smallest is {smallest}.")


def buying_power(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Rejection | None:
    """What opens must be paid for with money that nothing else ties up."""
    # Closing gives back what the closed part ties up now.
    freed = proposal.closing * proposal.mark
    if not proposal.opening or proposal.cost <= state.buying_power + freed:
        return None
    return Rejection(
        "buying-power",
        f"The order needs {_money(proposal.cost, market)}; {_money(state.buying_power + freed, market)} is free.",
    )


def maximum_position(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Rejection | None:
    """All that the account holds of one instrument, open orders included, stays under a share of its equity."""
    if not proposal.opening:
        return None
    value = state.gross_here + state.reserved_here + (proposal.opening - proposal.closing) * proposal.mark
    if value <= limits.max_position_share * state.equity:
        return None
    share = (
        f"{_percent(value / state.equity, ROUND_CEILING)} of equity"
        if state.equity > 0
        else f"{_money(value, market)} on no equity"
    )
    return Rejection("maximum-position", f"Position would be {share}; the limit is {_percent(limits.max_position_share)}.")


def daily_loss(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Rejection | None:
    """After losing a share of the day's first equity, nothing new is opened until the next day of the account's clock."""
    if not proposal.opening:
        return None
    loss = state.day_start_equity - state.equity
    if loss < limits.max_daily_loss_share * state.day_start_equity:
        return None
    share = _percent(loss / state.day_start_equity) if state.day_start_equity > 0 else "all"
    return Rejection(
        "daily-loss",
        f"The account lost {share} today ({_money(loss, market)}); the limit is {_percent(limits.max_daily_loss_share)}.",
    )


RULES: Final[tuple[Rule, ...]] = (
    running,
    fresh_price,
    short_allowed,
    large_enough,
    buying_power,
    maximum_position,
    daily_loss,
)


def judge(proposal: Proposal, state: AccountState, limits: Limits, market: Market) -> Verdict:
    """Ask every rule in order; the first objection is the verdict."""
    for rule in RULES:
        if rejection := rule(proposal, state, limits, market):
            return Verdict(rejection)
    return Verdict(None)


def _percent(share: Decimal, rounding: str = ROUND_HALF_UP) -> str:
    return f"{(share * 100).quantize(Decimal('0.1'), rounding=rounding)} %"


def _money(amount: Decimal, market: Market) -> str:
    return f"{amount.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP):,} {market.currency}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
