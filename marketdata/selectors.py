"""Reads of market data that more than one place needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from clusterx.live.publish import kept
from marketdata.models import Candle, Instrument, LatestPrice, Signal, Venue
from marketdata.timeframes import TIMEFRAMES

SPARK_POINTS = 24
ALWAYS = "24/7"  # Instrument.calendar of what never closes
DAY = timedelta(days=1)
LONGEST_CLOSED = timedelta(days=15)  # a session before that is no "previous" one: bars are missing
RESOLUTION = timedelta(microseconds=1)


@dataclass(frozen=True)
class Summary:
    """An instrument as lists show it.

    ``change`` is a share of ``reference``: the price 24 hours before ``time``, or where a venue closes at night the close of
    the session before. Without a last price ``price`` is the newest close and ``time`` the opening time of its bar.
    """

    instrument: Instrument
    price: float | None
    reference: float | None
    time: datetime | None
    received_at: datetime | None
    spark: tuple[float, ...]

    @property
    def change(self) -> float | None:
        return self.price / self.reference - 1 if self.price is not None and self.reference else None

    @property
    def has_sessions(self) -> bool:
        return self.instrument.calendar != ALWAYS

    @property
    def change_since(self) -> str:
        """What the change is told against: ``24h`` or ``previous-session``."""
        return "previous-session" if self.has_sessions else "24h"


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


def with_something_to_see(found: QuerySet[Instrument]) -> QuerySet[Instrument]:
    """Those of ``found`` whose venue is connected, or that have prices or bars from before."""
    kept = (Exists(rows.objects.filter(instrument=OuterRef("pk"))) for rows in (LatestPrice, Candle))
    return found.filter(Q(venue__is_enabled=True) | next(kept) | next(kept))


def venues() -> QuerySet[Venue]:
    return Venue.objects.filter(instruments__is_active=True).distinct().order_by("-is_enabled", "code")


def summaries(chosen: Iterable[Instrument]) -> list[Summary]:
    """Price, change and a day's hourly closes of each, in three queries however many there are."""
    listed = list(chosen)
    ids = [instrument.pk for instrument in listed]
    latest = {row.pk: row for row in LatestPrice.objects.filter(pk__in=ids)}
    bars: dict[int, tuple[tuple[float, ...], datetime | None]] = {}
    if ids:
        with connection.cursor() as cursor:
            # One index range for each instrument, however long its history is; stocks have days instead of hours.
            cursor.execute(
                "select i.id, array_agg(c.close order by c.time), max(c.time) from marketdata_instrument i"
                " left join lateral (select close, time from marketdata_candle where instrument_id = i.id"
                " and timeframe = case when i.base_timeframe = '1d' then '1d' else '1h' end"
                " order by time desc limit %s) c on true where i.id = any(%s) group by i.id",
                [SPARK_POINTS, ids],
            )
            bars = {pk: (tuple(close for close in closes if close is not None), newest) for pk, closes, newest in cursor}
    moments: dict[int, datetime] = {}
    for instrument in listed:
        newest = bars.get(instrument.pk, ((), None))[1]
        if row := latest.get(instrument.pk):
            moments[instrument.pk] = row.time
        elif newest is not None:
            hour_or_day = DAY if instrument.base_timeframe == "1d" else timedelta(hours=1)
            moments[instrument.pk] = newest if instrument.calendar != ALWAYS else newest + hour_or_day
    references = _references(listed, moments)
    return [_summary(one, latest.get(one.pk), *bars.get(one.pk, ((), None)), references.get(one.pk)) for one in listed]


def _references(listed: Iterable[Instrument], moments: Mapping[int, datetime]) -> dict[int, float]:
    """The price that each instrument's price at its moment is told against, in one query.

    24 hours before it: the close nearest to that, of the finest bars that have one within half their length. Days are too rough
    for this unless they are all there is. Where a venue closes: the last daily bar of a day before the moment's.
    """
    wanted: list[tuple[int, str, datetime, datetime]] = []  # instrument, timeframe, earliest and latest opening time
    for instrument in listed:
        moment = moments.get(instrument.pk)
        if moment is None:
            continue
        if instrument.calendar != ALWAYS:
            today = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            wanted.append((instrument.pk, "1d", today - LONGEST_CLOSED, today - RESOLUTION))
            continue
        for timeframe in TIMEFRAMES.values():
            length = timedelta(seconds=timeframe.seconds)
            if timeframe.name != "1d" or instrument.base_timeframe == "1d":
                wanted.append((instrument.pk, timeframe.name, moment - DAY - length * 1.5, moment - DAY - length / 2))
    if not wanted:
        return {}
    found: dict[int, float] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select w.id, c.close from unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[])"
            " with ordinality as w(id, timeframe, earliest, latest, place) cross join lateral (select close from"
            " marketdata_candle where instrument_id = w.id and timeframe = w.timeframe and time > w.earliest"
            " and time <= w.latest order by time desc limit 1) c order by w.place",
            [list(column) for column in zip(*wanted, strict=True)],
        )
        for pk, close in cursor:
            found.setdefault(pk, close)
    return found


def _summary(
    instrument: Instrument,
    latest: LatestPrice | None,
    closes: tuple[float, ...],
    newest: datetime | None,
    reference: float | None,
) -> Summary:
    if latest is None:
        return Summary(instrument, closes[-1] if closes else None, reference, newest, None, closes)
    spark = (*closes, latest.price) if closes else closes
    return Summary(instrument, latest.price, reference, latest.time, latest.received_at, spark)


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
        "has_ticks": instrument.has_ticks, "price": summary.price, "change_24h": summary.change,
        "change_since": summary.change_since, "reference": summary.reference, "time": summary.time,
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
