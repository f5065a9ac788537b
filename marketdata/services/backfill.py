"""Candles that are missing: finding the holes, asking the venue for them, rolling longer bars up from shorter ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import connection, transaction

from marketdata.bars import Bar
from marketdata.models import Candle, Gap, Instrument
from marketdata.providers import ProviderError, provider_for
from marketdata.store import write_candles
from marketdata.timeframes import TIMEFRAMES, Timeframe

logger = logging.getLogger(__name__)
LOOK_BACK_BARS = 3000
MOST_ATTEMPTS = 5
PAGE = 1000


def find_gaps(*, at: datetime) -> int:
    """Note the holes in the stored candles of instruments that trade round the clock; return how many are new.

    Only holes between two stored bars: what lies before the first is history that nobody asked for yet, and the newest are
    the stream's own work.
    """
    found = 0
    for instrument in Instrument.objects.filter(is_active=True, venue__is_enabled=True, calendar="24/7"):
        for timeframe in TIMEFRAMES.values():
            if timeframe.seconds < TIMEFRAMES[instrument.base_timeframe].seconds:
                continue
            with connection.cursor() as cursor:
                cursor.execute(
                    "select time + %s * interval '1 second', next from (select time, lead(time) over (order by time) as next"
                    " from (select time from marketdata_candle where instrument_id = %s and timeframe = %s"
                    " order by time desc limit %s) newest) pairs where next - time > %s * interval '1 second'",
                    [timeframe.seconds, instrument.pk, timeframe.name, LOOK_BACK_BARS, timeframe.seconds],
                )
                holes = cursor.fetchall()
            made = Gap.objects.bulk_create(
                [
                    Gap(instrument=instrument, timeframe=timeframe.name, start=start, end=end, found_at=at)
                    for start, end in holes
                ],
                ignore_conflicts=True,
            )
            found += len(made)
    return found


def fill_gaps(*, at: datetime, most: int = 20) -> int:
    """Ask the venues for open holes, newest first; return how many were closed."""
    closed = 0
    for gap in Gap.objects.filter(status=Gap.Status.OPEN).select_related("instrument__venue").order_by("-found_at")[:most]:
        closed += fill_gap(gap_id=gap.pk, at=at)
    return closed


def fill_gap(*, gap_id: int, at: datetime) -> bool:
    """Ask the venue for one hole. After MOST_ATTEMPTS answers without its bars it counts as empty there."""
    gap = Gap.objects.select_related("instrument__venue").get(pk=gap_id)
    timeframe = Timeframe.of(gap.timeframe)
    start, end = int(gap.start.timestamp()), int(gap.end.timestamp())
    try:
        bars = fetch(gap.instrument, timeframe, start=start, end=end)
    except ProviderError as error:
        logger.warning("%s %s: %s", gap.instrument.ref, gap.timeframe, error)
        return False
    with transaction.atomic():
        gap = Gap.objects.select_for_update().get(pk=gap_id)
        if gap.status != Gap.Status.OPEN:
            return False
        write_candles((gap.instrument_id, timeframe.name, bar) for bar in bars)
        gap.attempts += 1
        missing = (end - start) // timeframe.seconds - len(bars)
        if missing <= 0:
            gap.status, gap.closed_at = Gap.Status.FILLED, at
        elif gap.attempts >= MOST_ATTEMPTS:
            gap.status, gap.closed_at = Gap.Status.EMPTY, at
        gap.save(update_fields=["attempts", "status", "closed_at"])
        return gap.status != Gap.Status.OPEN


def fetch(
    instrument: Instrument,
    timeframe: Timeframe,
    *,
    start: int,
    end: int,
    page_done: Callable[[list[Bar]], None] | None = None,
) -> list[Bar]:
    """Closed bars from the instrument's venue, by pages; ``page_done`` gets each as it comes.

    Raises ProviderError.
    """

    async def ask() -> list[Bar]:
        provider = provider_for(instrument.venue.provider, instrument.venue.base_url)
        found: list[Bar] = []
        try:
            for at in range(start, end, PAGE * timeframe.seconds):
                upto = min(end, at + PAGE * timeframe.seconds)
                page = await provider.bars(instrument.venue_symbol, timeframe.name, start=at, end=upto)
                if page_done is not None:
                    page_done(page)
                found += page
        finally:
            await provider.close()
        return found

    return asyncio.run(ask())


def roll_up_candles(*, instrument_id: int, base: Timeframe, timeframe: Timeframe, start: datetime) -> int:
    """Store the bars of ``timeframe`` that are missing although all the shorter ones in them are there; return how many."""
    parts = timeframe.seconds // base.seconds
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into marketdata_candle"
            " (instrument_id, timeframe, time, open, high, low, close, volume, trades, source, revision)"
            " select instrument_id, %(long)s, date_bin(%(seconds)s * interval '1 second', time, timestamptz 'epoch') as opened,"
            " (array_agg(open order by time))[1], max(high), min(low), (array_agg(close order by time desc))[1], sum(volume),"
            " case when count(trades) = count(*) then sum(trades)::int end, %(source)s, 0 from marketdata_candle"
            " where instrument_id = %(instrument)s and timeframe = %(short)s and time >= %(start)s"
            " group by instrument_id, opened having count(*) = %(parts)s on conflict do nothing",
            {
                "long": timeframe.name, "seconds": timeframe.seconds, "source": Candle.Source.ROLLUP,
                "instrument": instrument_id, "short": base.name, "parts": parts,
                "start": datetime.fromtimestamp(timeframe.floor(int(start.timestamp())), UTC),
            },
        )  # fmt: skip
        return int(cursor.rowcount)
