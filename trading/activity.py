"""From events of an account to the sentences that people read: on pages, over the API and in messages of the moment."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clusterx.events.models import Event
from clusterx.templatetags import figures
from marketdata.models import Instrument
from strategies.library import LIBRARY
from strategies.wording import said
from trading import events, wording
from trading.models import Account, CashFlow, Connection, Order
from trading.risk.breakers import Breaker
from trading.risk.parameters import BY_NAME
from trading.risk.wording import BREAKERS

NUMBERS: Final = frozenset(
    {"quantity", "price", "stop_price", "limit_price", "fee", "realised_pnl", "starting_balance", "amount"}
)


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that happened. ``tone`` is "good", "bad", "warn" or "info"."""

    id: int
    public_id: uuid.UUID
    at: datetime
    type: str
    text: str
    tone: str
    deployment_id: str | None
    instrument: str | None


def described(events: Iterable[Event]) -> list[Activity]:
    """``events`` as sentences in the active language, in the order given. One query however many they are."""
    events = list(events)
    refs = {event.payload["instrument"] for event in events if "instrument" in event.payload}
    instruments = Instrument.objects.in_bulk(refs, field_name="ref") if refs else {}
    return [_described(event, instruments.get(event.payload.get("instrument"))) for event in events]


def _described(event: Event, instrument: Instrument | None) -> Activity:
    facts: dict[str, Any] = event.payload
    text, tone = _sentence(event.type, facts, _words(facts, instrument))
    return Activity(
        id=event.pk,
        public_id=event.public_id,
        at=event.occurred_at,
        type=event.type,
        text=text,
        tone=tone,
        deployment_id=facts.get("deployment"),
        instrument=facts.get("instrument"),
    )


def _words(facts: dict[str, Any], instrument: Instrument | None) -> dict[str, Any]:
    """``facts`` as people read them: numbers as every page writes them, a strategy by its label.

    A price of an instrument that is no longer known keeps the digits it was recorded with.
    """
    words = dict(facts)
    if name := facts.get("strategy"):
        words["strategy"] = said(LIBRARY[name].label) if name in LIBRARY else name
    if facts.get("breaker"):
        counts = facts["breaker"] in {"losses", "infrastructure"}
        words["breaker"] = wording.said(BREAKERS[Breaker(facts["breaker"])])
        if facts["reason"] == "A new day began.":
            words["reason"] = _("A new day began.")
        for name in ("value", "limit"):
            words[name] = facts[name] if counts else figures.share(Decimal(facts[name]))
    if facts.get("finding"):
        words["reason"], _finding = wording.rejection(facts)
    if facts.get("order_type"):
        words["kind"] = Order.Type(facts["order_type"]).label
    currency = facts.get("currency", "")
    for name in facts.keys() & NUMBERS:
        if facts[name]:  # an order has no price of the kind that its type does not know
            words[name] = _number(name, Decimal(facts[name]), currency, instrument)
    return words


def _changes(changed: dict[str, list[str]]) -> str:
    """Limits with what they were and are; what a later version of the table no longer knows keeps its name."""
    told = []
    for name, (before, now) in changed.items():
        known = BY_NAME.get(name)
        if known is None:
            told.append(f"{name} {before} → {now}")
            continue
        was, becomes = (wording.value(known, one if known.choices else Decimal(one)) for one in (before, now))
        told.append(f"{wording.said(known.label)} {was} → {becomes}")
    return ", ".join(told) or _("the same values")


def _number(name: str, number: Decimal, currency: str, instrument: Instrument | None) -> str:
    match name:
        case "price" | "stop_price" | "limit_price" if instrument is not None:
            return figures.price(number, instrument)
        case "quantity" if instrument is not None:
            return f"{figures.quantity(number, instrument)}\u00a0{instrument.base}"
        case "quantity" | "price" | "stop_price" | "limit_price":
            return figures.quantity(number)
        case "realised_pnl" | "amount":
            return figures.signed_money(number, currency)
        case _money:
            return figures.money(number, currency)


def _sentence(type: str, facts: dict[str, Any], words: dict[str, Any]) -> tuple[str, str]:
    match type:
        case events.ACCOUNT_CREATED:
            return _("Account %(name)s opened with %(starting_balance)s.") % words, "info"
        case events.DEPLOYMENT_CREATED:
            return _("%(strategy)s deployed on %(instrument)s, %(timeframe)s.") % words, "info"
        case events.DEPLOYMENT_STARTED:
            return _("%(strategy)s on %(instrument)s started.") % words, "info"
        case events.DEPLOYMENT_STOPPED:
            return _("%(strategy)s on %(instrument)s stopped.") % words, "info"
        case events.DEPLOYMENT_DELETED:
            return _("%(strategy)s on %(instrument)s deleted.") % words, "info"
        case events.DEPLOYMENT_FAILED:
            return _("%(strategy)s on %(instrument)s failed and was stopped: %(reason)s") % words, "bad"
        case events.DEPLOYMENT_MOVED:
            text = _("%(strategy)s moved from %(origin)s, which is no longer connected, to %(instrument)s, %(timeframe)s.")
            return text % words, "info"
        case events.BARS_SKIPPED:
            text = ngettext(
                "%(strategy)s on %(instrument)s: %(bars)s bar passed unseen and was not acted upon.",
                "%(strategy)s on %(instrument)s: %(bars)s bars passed unseen and were not acted upon.",
                facts["bars"],
            )
            return text % words, "warn"
        case events.PROPOSAL_REJECTED if facts["side"] == "buy":
            return _("Not bought: %(quantity)s on %(instrument)s. %(reason)s") % words, "warn"
        case events.PROPOSAL_REJECTED:
            return _("Not sold: %(quantity)s on %(instrument)s. %(reason)s") % words, "warn"
        case events.ORDER_PLACED if facts.get("purpose") == Order.Purpose.STOP:
            return _("%(strategy)s protects %(quantity)s on %(instrument)s by a stop at %(stop_price)s.") % words, "info"
        case events.ORDER_CANCELLED if facts.get("purpose") == Order.Purpose.STOP:
            return _("Stop for %(quantity)s on %(instrument)s taken away: %(reason)s") % words, "info"
        case events.ORDER_PLACED if facts["side"] == "buy":
            return _("%(strategy)s buys %(quantity)s on %(instrument)s at market.") % words, "info"
        case events.ORDER_PLACED:
            return _("%(strategy)s sells %(quantity)s on %(instrument)s at market.") % words, "info"
        case events.ORDER_FILLED if facts["closed"]:
            text = (
                _("Bought %(quantity)s on %(instrument)s at %(price)s: realised %(realised_pnl)s, fee %(fee)s.")
                if facts["side"] == "buy"
                else _("Sold %(quantity)s on %(instrument)s at %(price)s: realised %(realised_pnl)s, fee %(fee)s.")
            )
            return text % words, "bad" if facts["realised_pnl"].startswith("-") else "good"
        case events.ORDER_FILLED if facts["side"] == "buy":
            return _("Bought %(quantity)s on %(instrument)s at %(price)s, fee %(fee)s.") % words, "info"
        case events.ORDER_FILLED:
            return _("Sold %(quantity)s on %(instrument)s at %(price)s, fee %(fee)s.") % words, "info"
        case events.ORDER_CANCELLED:
            return _("Order for %(quantity)s on %(instrument)s cancelled: %(reason)s") % words, "warn"
        case events.ORDER_REJECTED:
            return _("Order for %(quantity)s on %(instrument)s rejected: %(reason)s") % words, "warn"
        case events.ORDER_EXPIRED:
            return _("Order for %(quantity)s on %(instrument)s expired: %(reason)s") % words, "warn"
        case events.ORDER_ACCEPTED if facts["side"] == "buy":
            return _("Works at the venue: buy %(quantity)s on %(instrument)s, %(kind)s.") % words, "info"
        case events.ORDER_ACCEPTED:
            return _("Works at the venue: sell %(quantity)s on %(instrument)s, %(kind)s.") % words, "info"
        case events.ORDER_UNKNOWN:
            text = _("No answer to the order for %(quantity)s on %(instrument)s: the venue is being asked what became of it.")
            return text % words, "warn"
        case events.ORDER_SETTLED:
            return _("Settled: the venue never received the order for %(quantity)s on %(instrument)s.") % words, "warn"
        case events.ORDER_ADOPTED:
            text = _("Found at the venue, placed by nobody here: an order for %(quantity)s on %(instrument)s.")
            return text % words, "warn"
        case events.STATE_CHANGED if facts["state"] == Account.State.ACTIVE:
            return _("The account trades again.") % words, "info"
        case events.STATE_CHANGED if facts["state"] == Account.State.REDUCE_ONLY:
            return _("The account only reduces positions: %(reason)s") % words, "warn"
        case events.STATE_CHANGED:
            return _("The account is halted: %(reason)s") % words, "bad"
        case events.DIFFERENCE_FOUND:
            return _("%(subject)s does not agree: %(ours)s here, %(venues)s at the venue.") % words, "bad"
        case events.DIFFERENCE_GONE:
            return _("%(subject)s agrees again: %(ours)s.") % words, "good"
        case events.MONEY_MOVED:
            words["kind"] = CashFlow.Kind(facts["kind"]).label
            return _("%(kind)s: %(amount)s.") % words, "info"
        case events.TERMS_CHANGED:
            return _("The paper venue's terms were changed: orders from now on are executed by the new ones."), "info"
        case events.CONNECTION_CHANGED if facts["reason"]:
            words["status"] = Connection.Status(facts["status"]).label
            return _("Connection: %(status)s. %(reason)s") % words, "warn"
        case events.CONNECTION_CHANGED:
            words["status"] = Connection.Status(facts["status"]).label
            return _("Connection: %(status)s.") % words, "info"
        case events.BREAKER_TRIPPED:
            return _("Circuit breaker “%(breaker)s” tripped: %(value)s, the limit is %(limit)s.") % words, "bad"
        case events.BREAKER_RESET:
            return _("Circuit breaker “%(breaker)s” was reset: %(reason)s") % words, "info"
        case events.PROTECTION_MISSING:
            return _("No protection: the stop for %(quantity)s on %(instrument)s was refused. %(reason)s") % words, "bad"
        case events.PANIC_STARTED:
            return _("Panic: everything is cancelled and closed. %(reason)s") % words, "bad"
        case events.PANIC_DONE:
            return _("Panic is over: nothing is held and nothing is open."), "warn"
        case events.RISK_CHANGED if facts["appetite"] != facts["before"]:
            return _("Risk appetite %(appetite)s, was %(before)s.") % words, "info"
        case events.RISK_CHANGED:
            return _("Risk limits set by hand: %(changes)s.") % {"changes": _changes(facts["changed"])}, "info"
        case events.DEPLOYMENT_STATE_CHANGED if facts["state"] == Account.State.ACTIVE:
            return _("%(strategy)s on %(instrument)s trades again: %(reason)s") % words, "info"
        case events.DEPLOYMENT_STATE_CHANGED if facts["state"] == Account.State.REDUCE_ONLY:
            return _("%(strategy)s on %(instrument)s only closes: %(reason)s") % words, "warn"
        case events.DEPLOYMENT_STATE_CHANGED:
            return _("%(strategy)s on %(instrument)s is halted: %(reason)s") % words, "bad"
        case _unknown:
            return type, "info"
