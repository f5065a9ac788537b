"""Market data's work in the background: thin, and safe to run twice."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.db import connection
from django.utils import timezone

from marketdata.models import BookSnapshot, Candle, Instrument, Quote, Signal, Trade
from marketdata.services import backfill
from marketdata.timeframes import TIMEFRAMES

TICKS_KEPT = timedelta(days=7)
ONE_AT_A_TIME = 0x6D6B7400


def alone(number: int) -> bool:
    """Whether this is the only one at it: a slow run is not joined by the next."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [ONE_AT_A_TIME + number])
        return bool(cursor.fetchone()[0])


def release(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock(%s)", [ONE_AT_A_TIME + number])


@shared_task(name="marketdata.find_gaps")
def find_gaps() -> None:
    """Note new holes, then ask the venues for the open ones."""
    if not alone(1):
        return
    try:
        backfill.find_gaps(at=timezone.now())
        backfill.fill_gaps(at=timezone.now())
    finally:
        release(1)


@shared_task(name="marketdata.roll_up_candles")
def roll_up_candles() -> None:
    """Longer bars that are missing although the shorter ones are there, over the last days."""
    start = timezone.now() - timedelta(days=40)
    for instrument in Instrument.objects.filter(is_active=True, venue__is_enabled=True):
        base = TIMEFRAMES[instrument.base_timeframe]
        for timeframe in TIMEFRAMES.values():
            if timeframe > base:
                backfill.roll_up_candles(instrument_id=instrument.pk, base=base, timeframe=timeframe, start=start)


@shared_task(name="marketdata.prune")
def prune() -> None:
    """Old ticks; on TimescaleDB under its own licence the retention policies have done it already."""
    before = timezone.now() - TICKS_KEPT
    for model in (Trade, Quote, BookSnapshot):
        # Not the collector: these tables have composite keys, no relations to them, and millions of rows.
        model.objects.filter(time__lt=before)._raw_delete(using="default")


@shared_task(name="marketdata.detect_signals", ignore_result=True)
def detect_signals(instrument_id: int, timeframe: str, time: int) -> None:
    """On a closed bar."""
    from marketdata.services.indicators import detect_signals as detect

    detect(instrument_id=instrument_id, timeframe=timeframe, time=time)


@shared_task(name="marketdata.detect_missed_signals")
def detect_missed_signals() -> None:
    """On the newest bar of each series, for those that nobody told of while the queue was away."""
    from marketdata.services.indicators import detect_signals as detect

    for instrument in Instrument.objects.filter(is_active=True, venue__is_enabled=True):
        for timeframe in TIMEFRAMES.values():
            newest = (
                Candle.objects.filter(instrument=instrument, timeframe=timeframe.name)
                .order_by("-time")
                .values_list("time", flat=True)
            ).first()
            if (
                newest is not None
                and not Signal.objects.filter(instrument=instrument, timeframe=timeframe.name, time=newest).exists()
            ):
                detect(instrument_id=instrument.pk, timeframe=timeframe.name, time=int(newest.timestamp()))
