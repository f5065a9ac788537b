"""The rules, in the order in which they are asked, and the table of what each asks of whom.

What only closes passes every rule about size, money and loss: nobody may be held in a position by a limit. What protects a
position, and panic, pass everything but what no venue could be sent. A reversal is judged by the part that opens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from trading.risk import measures
from trading.risk.breakers import Breaker
from trading.risk.findings import Finding, Result, Status, Verdict
from trading.risk.measures import Case, Measure, Measured
from trading.risk.profile import RiskProfile
from trading.risk.situation import Proposal, Situation, Sort
from trading.risk.states import TradingState


class Scope(StrEnum):
    """Which orders of a sort a rule asks about; the value is how docs/risk.md says it."""

    ALL = "yes"
    NONE = "–"
    MARKET = "market orders"
    LIMIT = "limit orders"
    PART = "unless it closes the whole position"


@dataclass(frozen=True, slots=True)
class Rule:
    """``wordings`` are its sentences: the one named ``""``, or the one that the measure chose."""

    code: str
    label: str
    refuses: str
    measure: Measure
    scopes: Mapping[Sort, Scope]
    wordings: Mapping[str, str] = field(default_factory=dict)

    def asks_about(self, proposal: Proposal, sort: Sort) -> bool:
        match self.scopes[sort]:
            case Scope.ALL:
                return True
            case Scope.MARKET:
                return proposal.is_market
            case Scope.LIMIT:
                return proposal.limit_price is not None
            case Scope.PART:
                return bool(proposal.after)
            case _:
                return False

    def finding(self, measured: Measured) -> Finding:
        return Finding(self.code, self.wordings[measured.wording], measured.numbers)


def _scopes(opening: Scope, closing: Scope, protective: Scope, panic: Scope) -> dict[Sort, Scope]:
    return dict(zip(Sort, (opening, closing, protective, panic), strict=True))


ALWAYS: Final = _scopes(Scope.ALL, Scope.ALL, Scope.ALL, Scope.ALL)
ORDINARY: Final = _scopes(Scope.ALL, Scope.ALL, Scope.NONE, Scope.NONE)
OPENING: Final = _scopes(Scope.ALL, Scope.NONE, Scope.NONE, Scope.NONE)
AGED: Final = _scopes(Scope.ALL, Scope.MARKET, Scope.NONE, Scope.NONE)
PRICED: Final = _scopes(Scope.ALL, Scope.LIMIT, Scope.NONE, Scope.NONE)
SIZEABLE: Final = _scopes(Scope.ALL, Scope.PART, Scope.NONE, Scope.NONE)


def _one(sentence: str) -> dict[str, str]:
    return {"": sentence}


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "not-sendable", "Lot and tick", "what no venue could be sent: no quantity, off the lot, or a price off the tick",
        measures.sendable, ALWAYS,
        {
            "nothing": "The order has no quantity.",
            "lot": "The quantity %(value)s is not a multiple of the lot, %(limit)s.",
            "tick": "The price %(value)s is not a multiple of the tick, %(limit)s, above 0.",
        },
    ),
    Rule(
        "disconnected", "Connection", "sending while there is no connection to the broker",
        measures.connected, ORDINARY, _one("There is no connection to the broker."),
    ),
    Rule(
        "stale-price", "Price age", "trading on an old price, or on none",
        measures.fresh_price, AGED,
        {
            "": "The newest price is %(value)s old; the limit is %(limit)s.",
            "missing": "There is no price yet; one of the last %(limit)s is needed.",
        },
    ),
    Rule(
        "not-running", "Deployment", "orders of a deployment that is stopped",
        measures.running, ORDINARY, _one("The deployment is not running."),
    ),
    Rule(
        "reduce-only", "Reduce only", "opening while deployment, account or platform may only close",
        measures.in_state(TradingState.REDUCE_ONLY), OPENING,
        {
            "deployment": "The deployment may only close positions.",
            "account": "The account may only close positions.",
            "platform": "The platform only closes positions at the moment.",
        },
    ),
    Rule(
        "halted", "Halted", "everything but protection and panic while deployment, account or platform is halted",
        measures.in_state(TradingState.HALTED), ORDINARY,
        {
            "deployment": "The deployment is halted.",
            "account": "Trading is halted for this account.",
            "platform": "Trading is halted on the platform.",
        },
    ),
    Rule(
        "buying-power", "Buying power", "tying up more money than is free; open orders count",
        measures.buying_power, OPENING, _one("The order needs %(value)s; %(limit)s is free."),
    ),
    Rule(
        "breaker-daily-loss", "Daily loss", "opening after the day's loss, until the next day",
        measures.unbroken(Breaker.DAILY_LOSS), OPENING,
        {
            "": "The account lost %(value)s today (%(money)s); the limit is %(limit)s.",
            "tripped": "The account lost %(value)s earlier today; the limit was %(limit)s. "
            "Nothing is opened until its next day.",
        },
    ),
    Rule(
        "breaker-drawdown", "Drawdown", "opening after a fall from the highest equity, until somebody resets it",
        measures.unbroken(Breaker.DRAWDOWN), OPENING,
        {
            "": "The account is %(value)s below its highest equity (%(money)s); the limit is %(limit)s.",
            "tripped": "The account fell %(value)s below its highest equity; the limit was %(limit)s. "
            "Reset the breaker to go on.",
        },
    ),
    Rule(
        "breaker-losses", "Losses in a row", "opening after losing trades in a row, until somebody resets it",
        measures.unbroken(Breaker.LOSSES), OPENING,
        {
            "": "Losing trades in a row: %(value)s; the limit is %(limit)s.",
            "tripped": "Losing trades in a row came to %(value)s; the limit was %(limit)s. Reset the breaker to go on.",
        },
    ),
    Rule(
        "breaker-infrastructure", "Failures", "opening after too many failures in a window, until somebody resets it",
        measures.unbroken(Breaker.INFRASTRUCTURE), OPENING,
        {
            "": "Failures within %(window)s: %(value)s; the limit is %(limit)s.",
            "tripped": "Failures came to %(value)s; the limit was %(limit)s. Reset the breaker to go on.",
        },
    ),
    Rule(
        "pattern-day-trader", "Day trades",
        "the fourth day trade in five sessions: US stocks, a margin account, less than 25,000 USD",
        measures.day_trades, ORDINARY,
        _one("Day trades within five sessions would be %(value)s; a margin account below %(minimum)s may make %(limit)s."),
    ),
    Rule(
        "short-not-allowed", "Short sale", "selling more than is held where that is not possible",
        measures.short, OPENING, _one("The order would leave %(value)s short; this instrument cannot be sold short."),
    ),
    Rule(
        "maximum-position", "Position size", "one position worth more than its share of equity",
        measures.position, OPENING, _one("The position would be %(value)s of equity (%(money)s); the limit is %(limit)s."),
    ),
    Rule(
        "stop-wrong-side", "Stop", "a stop that would be reached at once",
        measures.stop_side, OPENING,
        {
            "long": "The stop %(value)s is not below the price, %(limit)s.",
            "short": "The stop %(value)s is not above the price, %(limit)s.",
        },
    ),
    Rule(
        "risk-per-trade", "Risk per trade", "losing more at the stop than a trade may",
        measures.risk, OPENING,
        _one("At its stop the position would lose %(value)s of equity (%(money)s); the limit is %(limit)s."),
    ),
    Rule(
        "too-many-positions", "Open positions", "one position more than there may be",
        measures.positions, OPENING, _one("Open positions would be %(value)s; the limit is %(limit)s."),
    ),
    Rule(
        "exposure-symbol", "Exposure to the symbol", "more of one symbol, over all deployments and open orders",
        measures.symbol, OPENING,
        _one("All positions in this symbol would be %(value)s of equity (%(money)s); the limit is %(limit)s."),
    ),
    Rule(
        "exposure-sector", "Exposure to the sector", "more of one sector",
        measures.sector, OPENING,
        _one("All positions in this sector would be %(value)s of equity (%(money)s); the limit is %(limit)s."),
    ),
    Rule(
        "exposure-cluster", "Exposure to the cluster", "more of what moves together",
        measures.cluster, OPENING,
        _one("All positions that move with this one would be %(value)s of equity (%(money)s); the limit is %(limit)s."),
    ),
    Rule(
        "leverage", "Leverage", "more at work than this multiple of equity",
        measures.leverage, OPENING, _one("All positions would be %(value)s equity (%(money)s); the limit is %(limit)s."),
    ),
    Rule(
        "price-collar", "Price collar", "a limit or an expected price that is much worse than the last price",
        measures.collar, PRICED,
        _one("The price %(price)s is %(value)s worse than %(last)s; the limit is %(limit)s."),
    ),
    Rule(
        "order-rate", "Order rate", "more orders within a minute than there may be",
        measures.rate, OPENING, _one("Orders within a minute would be %(value)s; the limit is %(limit)s."),
    ),
    Rule(
        "below-minimum", "Smallest order", "orders below the venue's smallest",
        measures.minimum, SIZEABLE, _one("The order is worth %(value)s; the smallest is %(limit)s."),
    ),
    Rule(
        "market-closed", "Market hours", "sending while the market is closed",
        measures.open_market, ORDINARY, _one("The market is closed."),
    ),
    Rule(
        "extreme-fear", "Extreme fear", "buying while the sentiment index is below the threshold",
        measures.fear, OPENING, _one("The sentiment index is %(value)s; nothing is bought below %(limit)s."),
    ),
)  # fmt: skip


def judge(proposal: Proposal, situation: Situation, profile: RiskProfile) -> Verdict:
    """Ask every rule in order; the first objection is the verdict."""
    not_checked: list[str] = []
    for rule, answer in _answers(Case(proposal, situation, profile)):
        if isinstance(answer, Measured):
            if answer.refused:
                return Verdict(rule.finding(answer), tuple(not_checked))
        elif answer == Status.NOT_CHECKED:
            not_checked.append(rule.code)
    return Verdict(None, tuple(not_checked))


def check_all(proposal: Proposal, situation: Situation, profile: RiskProfile) -> tuple[Result, ...]:
    """What every rule says, in order, with its numbers: for whoever wants to see the order judged before it is sent."""
    return tuple(_result(rule, answer) for rule, answer in _answers(Case(proposal, situation, profile)))


def _answers(case: Case) -> Iterator[tuple[Rule, measures.Answer]]:
    sort = case.proposal.sort
    for rule in RULES:
        asked = rule.asks_about(case.proposal, sort)
        yield rule, rule.measure(case) if asked else Status.DOES_NOT_APPLY


def _result(rule: Rule, answer: measures.Answer) -> Result:
    if not isinstance(answer, Measured):
        return Result(rule.code, answer)
    if answer.refused:
        return Result(rule.code, Status.REFUSED, answer.numbers, rule.finding(answer))
    return Result(rule.code, Status.PASSED, answer.numbers)
