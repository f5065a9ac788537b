"""What the event log keeps of trading: one frozen payload for each kind of thing that happens to an account.

Numbers are decimal strings, times ISO 8601, references public ids: a payload is read for as long as the log exists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clusterx.events.log import register_payload

if TYPE_CHECKING:
    from trading.models import Deployment

ACCOUNT_CREATED = "account.created"
DEPLOYMENT_CREATED = "deployment.created"
DEPLOYMENT_STARTED = "deployment.started"
DEPLOYMENT_STOPPED = "deployment.stopped"
DEPLOYMENT_DELETED = "deployment.deleted"
DEPLOYMENT_FAILED = "deployment.failed"
DEPLOYMENT_MOVED = "deployment.moved"
BARS_SKIPPED = "bars.skipped"
PROPOSAL_REJECTED = "proposal.rejected"
ORDER_PLACED = "order.placed"
ORDER_FILLED = "order.filled"
ORDER_CANCELLED = "order.cancelled"
ORDER_REJECTED = "order.rejected"
ORDER_EXPIRED = "order.expired"
ORDER_ACCEPTED = "order.accepted"
ORDER_UNKNOWN = "order.unknown"
ORDER_SETTLED = "order.settled"
ORDER_ADOPTED = "order.adopted"
STATE_CHANGED = "account.state-changed"
DIFFERENCE_FOUND = "account.difference-found"
DIFFERENCE_GONE = "account.difference-gone"
MONEY_MOVED = "account.money-moved"
TERMS_CHANGED = "account.terms-changed"
CONNECTION_CHANGED = "connection.changed"
BREAKER_TRIPPED = "breaker.tripped"
BREAKER_RESET = "breaker.reset"
PROTECTION_MISSING = "protection.missing"
PANIC_STARTED = "panic.started"
PANIC_DONE = "panic.done"
RISK_CHANGED = "account.risk-changed"
DEPLOYMENT_STATE_CHANGED = "deployment.state-changed"
PLATFORM_CHANGED = "platform.state-changed"

ENDED = {"cancelled": ORDER_CANCELLED, "rejected": ORDER_REJECTED, "expired": ORDER_EXPIRED}


def text(number: Decimal) -> str:
    """A number as payloads and the API hold it: plain digits, no trailing zeros."""
    return f"{number.normalize() + 0:f}"


def optional(number: Decimal | None) -> str:
    """``text``, and nothing for no number."""
    return "" if number is None else text(number)


def whose(deployment: Deployment | None) -> dict[str, str]:
    """Which deployment an order or a fill belongs to; empty for one that belongs to none."""
    if deployment is None:
        return {"deployment": "", "strategy": ""}
    return {"deployment": str(deployment.public_id), "strategy": deployment.strategy}


@register_payload(ACCOUNT_CREATED)
@dataclass(frozen=True, slots=True)
class AccountNews:
    name: str
    currency: str
    starting_balance: str


@register_payload(DEPLOYMENT_CREATED)
@register_payload(DEPLOYMENT_STARTED)
@register_payload(DEPLOYMENT_STOPPED)
@register_payload(DEPLOYMENT_DELETED)
@register_payload(DEPLOYMENT_FAILED)
@dataclass(frozen=True, slots=True)
class DeploymentNews:
    deployment: str
    strategy: str
    instrument: str
    timeframe: str
    reason: str = ""


@register_payload(DEPLOYMENT_MOVED)
@dataclass(frozen=True, slots=True)
class MoveNews:
    """``deployment`` does on ``instrument`` what one that was deleted did on ``origin``."""

    deployment: str
    strategy: str
    instrument: str
    timeframe: str
    origin: str


@register_payload(BARS_SKIPPED)
@dataclass(frozen=True, slots=True)
class SkippedNews:
    deployment: str
    strategy: str
    instrument: str
    timeframe: str
    bars: int
    first: str
    last: str


@register_payload(PROPOSAL_REJECTED)
@dataclass(frozen=True, slots=True)
class RejectionNews:
    deployment: str
    strategy: str
    instrument: str
    timeframe: str
    bar_time: str
    side: str
    quantity: str
    code: str
    reason: str
    finding: dict[str, Any] = field(default_factory=dict)


@register_payload(ORDER_PLACED)
@register_payload(ORDER_CANCELLED)
@register_payload(ORDER_REJECTED)
@register_payload(ORDER_EXPIRED)
@register_payload(ORDER_ACCEPTED)
@register_payload(ORDER_UNKNOWN)
@register_payload(ORDER_SETTLED)
@register_payload(ORDER_ADOPTED)
@dataclass(frozen=True, slots=True)
class OrderNews:
    order: str
    deployment: str
    strategy: str
    instrument: str
    side: str
    quantity: str
    code: str = ""
    reason: str = ""
    purpose: str = "signal"
    order_type: str = "market"
    limit_price: str = ""
    stop_price: str = ""


@register_payload(ORDER_FILLED)
@dataclass(frozen=True, slots=True)
class FillNews:
    order: str
    fill: str
    deployment: str
    strategy: str
    instrument: str
    side: str
    quantity: str
    price: str
    fee: str
    realised_pnl: str
    closed: bool
    currency: str


@register_payload(STATE_CHANGED)
@dataclass(frozen=True, slots=True)
class StateNews:
    state: str
    before: str
    code: str
    reason: str


@register_payload(DIFFERENCE_FOUND)
@register_payload(DIFFERENCE_GONE)
@dataclass(frozen=True, slots=True)
class DifferenceNews:
    """``subject`` is a symbol or a currency as the venue names it."""

    subject: str
    ours: str
    venues: str


@register_payload(TERMS_CHANGED)
@dataclass(frozen=True, slots=True)
class TermsNews:
    """``changed`` maps the paper venue's terms that changed to what they were and are."""

    changed: dict[str, list[str]]


@register_payload(MONEY_MOVED)
@dataclass(frozen=True, slots=True)
class MoneyNews:
    kind: str
    amount: str
    currency: str
    venue_flow_id: str


@register_payload(CONNECTION_CHANGED)
@dataclass(frozen=True, slots=True)
class ConnectionNews:
    status: str
    reason: str


@register_payload(BREAKER_TRIPPED)
@register_payload(BREAKER_RESET)
@dataclass(frozen=True, slots=True)
class BreakerNews:
    """``value`` and ``limit`` are shares, or counts; ``policy`` is what was done, ``reason`` why it was reset."""

    breaker: str
    value: str
    limit: str
    policy: str
    reason: str


@register_payload(PROTECTION_MISSING)
@dataclass(frozen=True, slots=True)
class ProtectionNews:
    deployment: str
    strategy: str
    instrument: str
    quantity: str
    stop_price: str
    reason: str


@register_payload(PANIC_STARTED)
@register_payload(PANIC_DONE)
@dataclass(frozen=True, slots=True)
class PanicNews:
    panic: str
    reason: str


@register_payload(RISK_CHANGED)
@dataclass(frozen=True, slots=True)
class RiskNews:
    """``changed`` maps the parameters that changed to what they were and are."""

    appetite: int
    before: int
    changed: dict[str, list[str]]


@register_payload(DEPLOYMENT_STATE_CHANGED)
@dataclass(frozen=True, slots=True)
class DeploymentStateNews:
    deployment: str
    strategy: str
    instrument: str
    timeframe: str
    state: str
    before: str
    reason: str


@register_payload(PLATFORM_CHANGED)
@dataclass(frozen=True, slots=True)
class PlatformNews:
    """The stream is the platform's own."""

    state: str
    before: str
    reason: str
