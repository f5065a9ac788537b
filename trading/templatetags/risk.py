"""Risk in templates: what holds an account back, numbers of the engine, and a value drawn beside its limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from django import template

from trading import wording
from trading.models import Account
from trading.risk.breakers import Breaker
from trading.risk.checks import RULES
from trading.risk.numbers import Number, Unit
from trading.risk.parameters import POLICIES
from trading.risk.wording import BREAKERS, CAPS, STATES
from trading.selectors import risk as selectors

register = template.Library()

LABELS: Final = {rule.code: rule.label for rule in RULES}
CAP_LABELS: Final = {cap.value: label for cap, label in CAPS.items()}
POLICY_LABELS: Final = dict(POLICIES)
STATE_LABELS: Final = {state.value: label for state, label in STATES.items()}
# A quantity beside its lot, a stop beside the price: how far one is from the other says nothing.
NOT_DRAWN: Final = frozenset({"not-sendable", "stop-wrong-side"})


@register.inclusion_tag("trading/_standing.html")
def standing(account: Account) -> dict[str, Any]:
    """Why the account does not trade, or nothing; kept fresh by the page's script."""
    return {"account": account, "standing": selectors.standing(account)}


@register.filter
def risk_number(one: Number | None) -> str:
    return "–" if one is None else wording.number(one)


@register.filter
def rule_label(code: str) -> str:
    """The rule's name; its code where there is no such rule."""
    return wording.said(LABELS[code]) if code in LABELS else code


@register.filter
def breaker_label(breaker: Breaker | str) -> str:
    return wording.said(BREAKERS[Breaker(breaker)])


@register.filter
def state_label(state: str) -> str:
    return wording.said(STATE_LABELS.get(state, state))


@register.filter
def state_kind(state: str) -> str:
    """How a trading state's badge looks."""
    return {"active": "good", "reduce-only": "warn"}.get(state, "bad")


@register.filter
def policy_label(policy: str) -> str:
    """What a breaker does at its limit."""
    return wording.said(POLICY_LABELS.get(policy, policy))


@register.filter
def risk_gain(one: Number) -> str:
    """A loss as a breaker counts it; what was gained is no loss."""
    return wording.number(replace(one, amount=max(one.amount, Decimal(0))))


@register.filter
def trip_value(one: selectors.Gauge) -> str:
    """What the breaker stood at when it tripped."""
    return "" if one.trip is None else wording.number(replace(one.reading.value, amount=one.trip.value))


@register.filter
def cap_label(cap: str) -> str:
    return wording.said(CAP_LABELS.get(cap, cap))


@register.inclusion_tag("components/gauge.html")
def gauge(value: Number | None, limit: Number | None, code: str = "") -> dict[str, Any]:
    """``value`` beside ``limit`` on one scale; nothing where they do not compare."""
    if value is None or limit is None or value.unit != limit.unit or code in NOT_DRAWN or value.unit == Unit.PRICE:
        return {}
    shown, allowed = max(value.amount, Decimal(0)), max(limit.amount, Decimal(0))
    if not (shown.is_finite() and allowed.is_finite()) or not (scale := max(shown, allowed)):
        return {}
    fill, mark = (f"{one / scale * 100:.1f}" for one in (min(shown, allowed), allowed))
    near = shown >= allowed * Decimal("0.75")
    tone = "bad" if shown >= allowed else "warn" if near else "good"
    return {
        "fill": fill,
        "mark": mark,
        "over": f"{max(shown - allowed, Decimal(0)) / scale * 100:.1f}",
        "tone": tone,
        "value": wording.number(value),
        "limit": wording.number(limit),
    }
