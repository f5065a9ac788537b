"""``manage.py load_bars FILE --instrument binance:BTC-USDT --timeframe 5m``"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata.bars import Bars
from marketdata.files import FILE_SOURCE, UnreadableFile, load
from marketdata.models import Instrument
from marketdata.store import write_bars
from marketdata.timeframes import TIMEFRAMES, Timeframe

CHUNK = 10_000


def progress(done: int, total: int, what: str) -> None:
    """One line that is drawn over, where somebody watches."""
    if sys.stderr.isatty() and total:
        filled = 30 * done // total
        sys.stderr.write(f"\r{'█' * filled}{'░' * (30 - filled)} {done:,} of {total:,} {what}")
        if done >= total:
            sys.stderr.write("\n")
        sys.stderr.flush()


class Command(BaseCommand):
    help = "Loads bars from a CSV, Parquet, Feather or JSON file. Loading a file twice changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--instrument", required=True, help="as in binance:BTC-USDT")
        parser.add_argument("--timeframe", required=True, choices=list(TIMEFRAMES))

    def handle(self, *args: Any, **options: Any) -> None:
        instrument = Instrument.objects.filter(ref=options["instrument"]).first()
        if instrument is None:
            raise CommandError(
                f"there is no instrument {options['instrument']}; manage.py set_up_markets makes those that ship"
            )
        timeframe = Timeframe.of(options["timeframe"])
        try:
            loaded = load(options["file"], timeframe)
        except UnreadableFile as error:
            raise CommandError(str(error)) from None
        changed = 0
        for at in range(0, len(loaded.bars), CHUNK):
            part = loaded.bars[at : at + CHUNK]
            changed += write_bars(instrument.pk, timeframe.name, Bars.of(part), source=FILE_SOURCE)
            progress(min(at + CHUNK, len(loaded.bars)), len(loaded.bars), "bars")
        self.stdout.write(f"{len(loaded.bars):,} bars read, {changed:,} new or changed")
        if loaded.bars:
            first, last = (datetime.fromtimestamp(loaded.bars[i].time, UTC) for i in (0, -1))
            self.stdout.write(f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC")
        if loaded.gaps:
            missing = sum((end - start) // timeframe.seconds for start, end in loaded.gaps)
            self.stdout.write(f"{len(loaded.gaps):,} gaps, {missing:,} bars missing")
        for reason, count in loaded.refused.most_common():
            named = [str(row) for row, why in loaded.examples if why == reason]
            more = f" and {count - len(named):,} more" if count > len(named) else ""
            self.stdout.write(f"refused {count:,}: {reason} (rows {', '.join(named)}{more})")
        if loaded.refused and not loaded.bars:
            raise CommandError("no row could be used")
