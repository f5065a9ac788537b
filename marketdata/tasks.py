"""Market data's work in the background: thin, and safe to run twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from celery import shared_task
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from clusterx.db.locks import alone
from marketdata.models import BookSnapshot, Candle, Instrument, Quote, Trade
from marketdata.services import backfill
from marketdata.timeframes import TIMEFRAMES

# PostgreSQL comes back; what was not committed is done again.
RETRY = {
    "autoretry_for": (OperationalError, InterfaceError),
    "retry_backoff": 1,
    "retry_backoff_max": 10,
    "retry_jitter": False,
    "max_retries": 8,
}
TICKS_KEPT = timedelta(days=7)
LOCKS = 0x6D6B7464  # "mktd": the first half of the advisory locks' keys


# Sweeps expire: after an hour without workers there is one to do, not sixty.
@shared_task(name="marketdata.find_gaps", expires=55)
def find_gaps() -> None:
    """Note new holes, then ask the venues for the open ones."""
    with alone(LOCKS, 1) as only_one:
        if only_one:  # a slow search is not joined by the next
            backfill.find_gaps(at=timezone.now())
            backfill.fill_gaps(at=timezone.now())


@shared_task(name="marketdata.roll_up_candles", expires=290, **RETRY)
def roll_up_candles() -> None:
    """Longer bars that are missing although the shorter ones are there, over the last days."""
    start = timezone.now() - timedelta(days=40)
    for instrument in Instrument.objects.filter(is_active=True, venue__is_enabled=True):
        base = TIMEFRAMES[instrument.base_timeframe]
        for timeframe in TIMEFRAMES.values():
            if timeframe > base:
                backfill.roll_up_candles(instrument_id=instrument.pk, base=base, timeframe=timeframe, start=start)


@shared_task(name="marketdata.prune", expires=3000, **RETRY)
def prune() -> None:
    """Old ticks; on TimescaleDB under its own licence the retention policies have done it already."""
    before = timezone.now() - TICKS_KEPT
    for model in (Trade, Quote, BookSnapshot):
        # Not the collector: these tables have composite keys, no relations to them, and millions of rows.
        model.objects.filter(time__lt=before)._raw_delete(using="default")


@shared_task(name="marketdata.detect_signals", **RETRY)
def detect_signals(instrument_id: int, timeframe: str, time: int) -> None:
    """On the closed bar that opened at ``time`` (seconds)."""
    _look_at(instrument_id, timeframe, time)


@shared_task(name="marketdata.detect_missed_signals", expires=25, **RETRY)
def detect_missed_signals() -> None:
    """On the newest bar of each series, for those that nobody told of while the queue was away.

    Most bars have no signal: which ones were looked at is remembered, and looked at again where that memory was lost.
    """
    for instrument in Instrument.objects.filter(is_active=True, venue__is_enabled=True):
        for timeframe in TIMEFRAMES:
            newest: datetime | None = (
                Candle.objects.filter(instrument=instrument, timeframe=timeframe)
                .order_by("-time")
                .values_list("time", flat=True)
            ).first()
            if newest is None:
                continue
            time = int(newest.timestamp())
            if cache.get(_looked_at(instrument.pk, timeframe), 0) < time:
                _look_at(instrument.pk, timeframe, time)


def _look_at(instrument_id: int, timeframe: str, time: int) -> None:
    # The numeric libraries are loaded by the first bar, and not by every process that knows the tasks.
    from marketdata.services import indicators

    indicators.detect_signals(instrument_id=instrument_id, timeframe=timeframe, time=time)
    cache.set(_looked_at(instrument_id, timeframe), time, None)


def _looked_at(instrument_id: int, timeframe: str) -> str:
    """The cache key of the newest bar that was looked at."""
    return f"signals-looked-at:{instrument_id}:{timeframe}"
