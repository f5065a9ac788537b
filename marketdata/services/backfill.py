"""Candles that are missing: finding the holes, asking the venue for them, rolling longer bars up from shorter ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter

from django.db import connection, transaction

from marketdata.aggregation import merged
from marketdata.bars import Bar
from marketdata.models import Candle, Gap, Instrument
from marketdata.providers import Provider, ProviderError, VenueSilent, provider_for
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
                holes = dict(cursor.fetchall())
            series = Gap.objects.filter(instrument=instrument, timeframe=timeframe.name)
            known = set(series.filter(start__in=holes).values_list("start", flat=True))
            made = [
                Gap(instrument=instrument, timeframe=timeframe.name, start=start, end=end, found_at=at)
                for start, end in holes.items()
                if start not in known
            ]
            Gap.objects.bulk_create(made, ignore_conflicts=True)  # another search may have come first
            found += len(made)
    return found


def fill_gaps(*, at: datetime, most: int = 20) -> int:
    """Ask the connected venues for open holes, newest first; return how many were closed.

    An instrument whose venue does not answer is left for the next time, so that it does not keep the others waiting.
    """
    waiting = Gap.objects.filter(
        status=Gap.Status.OPEN, instrument__is_active=True, instrument__venue__is_enabled=True
    ).exclude(instrument__venue__provider="")
    closed, silent = 0, set()
    for pk, instrument_id in waiting.order_by("-found_at", "-pk").values_list("pk", "instrument_id")[:most]:
        if instrument_id in silent:
            continue
        try:
            closed += fill_gap(gap_id=pk, at=at)
        except (ProviderError, LookupError) as error:
            logger.warning("%s", error)
            silent.add(instrument_id)
    return closed


def fill_gap(*, gap_id: int, at: datetime) -> bool:
    """Ask the venue for one hole; return whether it is closed now. A second call changes nothing.

    After MOST_ATTEMPTS answers without its bars it counts as empty there. Raises ProviderError when the venue does not
    answer, which is no attempt, and LookupError when the venue has no adapter.
    """
    gap = Gap.objects.select_related("instrument__venue").get(pk=gap_id)
    timeframe = Timeframe.of(gap.timeframe)
    start, end = int(gap.start.timestamp()), int(gap.end.timestamp())
    bars = fetch(gap.instrument, timeframe, start=start, end=end)
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

    Closed by the venue's own clock: a replay's or a simulation's may be hours behind ours, and its unfinished bar would pass
    for a closed one. Raises ProviderError, naming the instrument (VenueSilent where the venue was not reached at all), and
    LookupError when the venue has no adapter.
    """

    provider, found = None, []
    with asyncio.Runner() as runner:
        # The loop runs for each question and not around all of them: whoever gets a page may use the database.
        try:
            provider, now = runner.run(_connect(instrument))
            provider.now_ms = lambda: now * 1000  # type: ignore[attr-defined]
            for at in range(start, end, PAGE * timeframe.seconds):
                upto = min(end, at + PAGE * timeframe.seconds)
                page = runner.run(provider.bars(instrument.venue_symbol, timeframe.name, start=at, end=upto))
                if page_done is not None:
                    page_done(page)
                found += page
        except ProviderError as error:
            raise type(error)(f"{instrument.ref} {timeframe}: {error}") from error
        finally:
            if provider is not None:
                runner.run(provider.close())
    return found


async def _connect(instrument: Instrument) -> tuple[Provider, float]:
    """The instrument's venue, and its clock (epoch seconds)."""
    provider = provider_for(instrument.venue.provider, instrument.venue.base_url)
    try:
        return provider, await provider.server_time()
    except ProviderError as error:
        await provider.close()
        raise VenueSilent(str(error)) from error


def roll_up_candles(*, instrument_id: int, base: Timeframe, timeframe: Timeframe, start: datetime) -> int:
    """Store the bars of ``timeframe`` that are missing although all the shorter ones in them are there; return how many.

    They are merged as the stream merges them, so that a bar which both make is one bar and no amendment.
    """
    wanted: dict[str, int | str | datetime] = {
        "long": timeframe.name, "short": base.name, "instrument": instrument_id, "seconds": timeframe.seconds,
        "parts": timeframe.seconds // base.seconds,
        "start": datetime.fromtimestamp(timeframe.floor(int(start.timestamp())), UTC),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "with windows as (select date_bin(%(seconds)s * interval '1 second', time, timestamptz 'epoch') as opened"
            " from marketdata_candle where instrument_id = %(instrument)s and timeframe = %(short)s and time >= %(start)s"
            " group by opened having count(*) = %(parts)s), missing as (select opened from windows where not exists"
            " (select 1 from marketdata_candle where instrument_id = %(instrument)s and timeframe = %(long)s"
            " and time = windows.opened))"
            " select extract(epoch from opened)::bigint, extract(epoch from time)::bigint, open, high, low, close, volume,"
            " trades from missing join marketdata_candle on time >= opened"
            " and time < opened + %(seconds)s * interval '1 second' and instrument_id = %(instrument)s"
            " and timeframe = %(short)s order by opened, time",
            wanted,
        )
        bars = [
            merged(opened, [Bar(*row[1:]) for row in rows]) for opened, rows in groupby(cursor.fetchall(), key=itemgetter(0))
        ]
        if not bars:
            return 0
        # The venue's own bar may have come meanwhile: it stays.
        cursor.executemany(
            "insert into marketdata_candle"
            " (instrument_id, timeframe, time, open, high, low, close, volume, trades, source, revision)"
            " values (%s, %s, to_timestamp(%s), %s, %s, %s, %s, %s, %s, %s, 0) on conflict do nothing",
            [(instrument_id, timeframe.name, *bar[:7], Candle.Source.ROLLUP) for bar in bars],
        )
        return int(cursor.rowcount)
