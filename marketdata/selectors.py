"""Reads of market data that more than one place needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from clusterx.live.publish import kept
from marketdata.models import Instrument, LatestPrice, Signal, Venue

SPARK_POINTS = 24


@dataclass(frozen=True)
class Summary:
    """An instrument as lists show it. ``change`` is a share of the price a day of the venue's time ago."""

    instrument: Instrument
    price: float | None
    change: float | None
    time: datetime | None
    received_at: datetime | None
    spark: tuple[float, ...]


def instruments(*, q: str = "", venue: str = "", kind: str = "", include_off: bool = True) -> QuerySet[Instrument]:
    """Active instruments; those of connected venues first. ``q`` is looked for in symbol, name and ref."""
    found = Instrument.objects.filter(is_active=True).select_related("venue")
    if q:
        found = found.filter(Q(symbol__icontains=q) | Q(name__icontains=q) | Q(ref__icontains=q))
    if venue:
        found = found.filter(venue__code=venue)
    if kind:
        found = found.filter(kind=kind)
    if not include_off:
        found = found.filter(venue__is_enabled=True)
    return found.order_by("-venue__is_enabled", "venue__code", "id")


def venues() -> QuerySet[Venue]:
    return Venue.objects.filter(instruments__is_active=True).distinct().order_by("-is_enabled", "code")


def summaries(chosen: Iterable[Instrument]) -> list[Summary]:
    """Price, day's change and a day's hourly closes of each, in two queries however many there are."""
    listed = list(chosen)
    ids = [instrument.pk for instrument in listed]
    latest = {row.pk: row for row in LatestPrice.objects.filter(pk__in=ids)}
    closes: dict[int, tuple[float, ...]] = {}
    if ids:
        with connection.cursor() as cursor:
            # One index range for each instrument, however long its history is; stocks have days instead of hours.
            cursor.execute(
                "select i.id, (select array_agg(c.close order by c.time) from (select close, time from marketdata_candle"
                " where instrument_id = i.id and timeframe = case when i.base_timeframe = '1d' then '1d' else '1h' end"
                " order by time desc limit %s) c) from marketdata_instrument i where i.id = any(%s)",
                [SPARK_POINTS, ids],
            )
            closes = {pk: tuple(values or ()) for pk, values in cursor.fetchall()}
    return [_summary(instrument, latest.get(instrument.pk), closes.get(instrument.pk, ())) for instrument in listed]


def _summary(instrument: Instrument, latest: LatestPrice | None, closes: tuple[float, ...]) -> Summary:
    price = latest.price if latest else closes[-1] if closes else None
    before = closes[0] if len(closes) == SPARK_POINTS else None
    change = price / before - 1 if price is not None and before else None
    spark = (*closes, latest.price) if latest and closes else closes
    return Summary(instrument, price, change, latest.time if latest else None, latest.received_at if latest else None, spark)


def decimals_of(instrument: Instrument) -> int:
    """How many decimals the instrument's prices are written with."""
    return max(0, -int(instrument.tick_size.normalize().as_tuple().exponent))


def plain(number: Decimal) -> str:
    """Without the zeros that the column's scale adds, and never with an exponent: ``0.00001``, ``100``."""
    return f"{number.normalize():f}"


def described(summary: Summary) -> dict[str, Any]:
    """A summary as the API and the pages' scripts have it."""
    instrument = summary.instrument
    venue = instrument.venue
    return {
        "id": str(instrument.public_id), "ref": instrument.ref, "symbol": instrument.symbol, "name": instrument.name,
        "kind": instrument.kind, "base": instrument.base, "quote": instrument.quote,
        "venue": {
            "code": venue.code, "name": venue.name, "mode": venue.mode, "connected": venue.is_enabled,
            "clock_rate": venue.clock_rate,
        },
        "tick_size": plain(instrument.tick_size), "lot_size": plain(instrument.lot_size),
        "min_notional": plain(instrument.min_notional),
        "price_decimals": decimals_of(instrument), "base_timeframe": instrument.base_timeframe,
        "has_ticks": instrument.has_ticks, "price": summary.price, "change_24h": summary.change, "time": summary.time,
        "received_at": summary.received_at, "spark": summary.spark,
    }  # fmt: skip


def signals_of(instrument: Instrument, timeframe: str, *, start: datetime, end: datetime, limit: int) -> QuerySet[Signal]:
    return Signal.objects.filter(instrument=instrument, timeframe=timeframe, time__gte=start, time__lt=end).order_by(
        "-time", "-id"
    )[:limit]


def forming(channel: str, last_closed: float) -> list[float] | None:
    """The unfinished bar of a candle channel, unless it has closed since."""
    row = kept(channel).get("forming")
    return row if row is not None and row[0] > last_closed else None


def recent_trades(instrument: Instrument, limit: int) -> list[list[float]]:
    """The newest public trades as ``[ms, price, quantity, side, id]``, newest last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select (extract(epoch from time) * 1000)::bigint, price, quantity, side, trade_id from marketdata_trade"
            " where instrument_id = %s order by time desc, trade_id desc limit %s",
            [instrument.pk, limit],
        )
        return [list(row) for row in reversed(cursor.fetchall())]
