"""The market as trading sees it: what may be traded, at which bars, and at what price now.

Ages are told by when a price was received, never by the venue's time.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext

from marketdata.models import Candle, Gap, Instrument
from marketdata.timeframes import TIMEFRAMES, Timeframe
from trading.brokers.paper.pricing import PRICE_AGE_LIMIT
from trading.brokers.paper.venue import SHORTABLE, market_price, price_age_limit
from trading.models import Account


def deployable_instruments(account: Account) -> QuerySet[Instrument]:
    """Instruments that the account can trade: active, at a connected venue, quoted in its currency."""
    return Instrument.objects.filter(is_active=True, venue__is_enabled=True, quote=account.currency).select_related("venue")


def why_not_deployable(account: Account, ref: str) -> str:
    """One sentence for people: why the account cannot trade the instrument called ``ref``. Empty: it can."""
    one = Instrument.objects.filter(ref=ref).select_related("venue").first()
    if one is None:
        return gettext("There is no instrument %(ref)s.") % {"ref": ref[:60]}
    if not one.is_active or not one.venue.is_enabled:
        return gettext("%(instrument)s has no live prices here.") % {"instrument": one.ref}
    if one.quote != account.currency:
        return gettext("%(instrument)s is quoted in %(quote)s; the account is kept in %(currency)s.") % {
            "instrument": one.ref, "quote": one.quote, "currency": account.currency,
        }  # fmt: skip
    return ""


def timeframes_for(instrument: Instrument) -> list[str]:
    """The timeframes that there are bars of, shortest first."""
    shortest = Timeframe.of(instrument.base_timeframe)
    return [name for name, timeframe in TIMEFRAMES.items() if timeframe >= shortest]


def short_allowed(instrument: Instrument) -> bool:
    """Whether one may sell what one does not hold."""
    return instrument.kind in SHORTABLE


def newest_bar_time(instrument_id: int, timeframe: str) -> datetime | None:
    """Opening time of the newest closed bar that is stored."""
    return (
        Candle.objects.filter(instrument_id=instrument_id, timeframe=timeframe)
        .order_by("-time")
        .values_list("time", flat=True)
        .first()
    )


def last_open_gap(instrument_id: int, timeframe: str, start: datetime, end: datetime) -> datetime | None:
    """Where the newest run of bars ends that are missing between ``start`` and ``end`` and still being asked for."""
    return (
        Gap.objects.filter(
            instrument_id=instrument_id, timeframe=timeframe, status=Gap.Status.OPEN, start__lt=end, end__gt=start
        )
        .order_by("-end")
        .values_list("end", flat=True)
        .first()
    )


__all__ = [
    "PRICE_AGE_LIMIT",
    "deployable_instruments",
    "last_open_gap",
    "market_price",
    "newest_bar_time",
    "price_age_limit",
    "short_allowed",
    "timeframes_for",
    "why_not_deployable",
]
