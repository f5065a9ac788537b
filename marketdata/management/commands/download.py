"""``manage.py download binance:BTC-USDT --timeframe 1h --start 2024-01-01``"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketdata.bars import Bar
from marketdata.management.commands.load_bars import progress
from marketdata.models import Instrument
from marketdata.providers import ProviderError, VenueSilent
from marketdata.services.backfill import fetch
from marketdata.store import BarStore, write_candles
from marketdata.timeframes import TIMEFRAMES, Timeframe


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def silent(instrument: Instrument, error: VenueSilent) -> str:
    """What to do about a venue that does not answer. One with an address of its own is served on this machine."""
    if address := instrument.venue.base_url:
        return f"{instrument.venue} does not answer at {address}: it is there while `make run` runs. Start that first"
    return f"{instrument.venue} does not answer ({error}). Look at this machine's network, and try again later"


class Command(BaseCommand):
    help = "Downloads candles from an instrument's venue. Goes on where an interrupted download stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("instrument", help="as in binance:BTC-USDT")
        parser.add_argument("--timeframe", required=True, choices=list(TIMEFRAMES))
        parser.add_argument("--start", required=True, type=day, help="a date, UTC")
        parser.add_argument("--end", type=day, help="a date, UTC; default: now")

    def handle(self, *args: Any, **options: Any) -> None:
        instrument = Instrument.objects.filter(ref=options["instrument"]).select_related("venue").first()
        if instrument is None:
            raise CommandError(f"there is no instrument {options['instrument']}")
        if not instrument.venue.provider:
            raise CommandError(f"{instrument.venue} has nobody to ask; load a file with load_bars")
        timeframe = Timeframe.of(options["timeframe"])
        start = timeframe.floor(int(options["start"].timestamp()))
        end = timeframe.floor(int((options["end"] or timezone.now()).timestamp()))
        if end <= start:
            raise CommandError("--end must be after --start")
        total, changed = (end - start) // timeframe.seconds, 0
        known = BarStore().read(instrument.pk, timeframe.name, start=start, end=end)
        # Resume after the stretch that is there without a hole.
        done = next((i for i, opened in enumerate(known.time.tolist()) if opened != start + i * timeframe.seconds), len(known))
        at = start + done * timeframe.seconds

        def keep(page: list[Bar]) -> None:
            nonlocal changed, at
            changed += len(write_candles((instrument.pk, timeframe.name, bar) for bar in page))
            if page:
                at = page[-1].time + timeframe.seconds
                progress((at - start) // timeframe.seconds, total, "bars")

        if done:
            self.stdout.write(f"{done:,} of {total:,} bars are there already")
        try:
            fetch(instrument, timeframe, start=at, end=end, page_done=keep)
        except VenueSilent as error:
            raise CommandError(silent(instrument, error)) from None
        except ProviderError as error:
            stopped = datetime.fromtimestamp(at, UTC)
            raise CommandError(f"stopped at {stopped:%Y-%m-%d %H:%M}: {error}. Run it again to go on.") from None
        self.stdout.write(f"{changed:,} bars new or changed")
