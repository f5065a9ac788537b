"""Keeping the exact bars of a run, and counting what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from marketdata.bars import Bars
from marketdata.models import Instrument
from marketdata.store import BarStore
from marketdata.timeframes import TIMEFRAMES, Timeframe
from strategies.arrays import bars_hash, pack_bars, unpack_bars
from strategies.errors import NoBars
from strategies.models import Snapshot
from strategies.quality import facts

MOST_BARS: Final = 1_000_000
MOST_FINER: Final = 300_000
MOSTLY: Final = 0.9  # of the span: where a finer bar is missing, the whole bar decides as it would without


def take_snapshot(
    *, instrument: Instrument, timeframe: str, start: datetime, end: datetime, at: datetime
) -> tuple[Snapshot, Bars]:
    """The stored bars of a span, kept as they are now. Bars that were kept before are found by their hash.

    Raises NoBars where there are fewer than two, or more than a million.
    """
    first, last = int(start.timestamp()), int(end.timestamp())
    bars = BarStore().read(instrument.pk, timeframe, start=first, end=last, limit=MOST_BARS + 1)
    if not 2 <= len(bars) <= MOST_BARS:
        raise NoBars(
            _("%(instrument)s has %(found)s bars of %(timeframe)s from %(start)s to %(end)s; a run takes 2 to %(most)s.")
            % {
                "instrument": instrument.ref,
                "found": _counted(MOST_BARS) + "+" if len(bars) > MOST_BARS else _counted(len(bars)),
                "timeframe": timeframe,
                **_dates(start, end),
                "most": _counted(MOST_BARS),
            },
            field="start",
            found=len(bars),
        )
    return _kept(instrument, timeframe, bars, at), bars


def _counted(number: int) -> str:
    return str(number_format(number, force_grouping=True))


def _dates(start: datetime, end: datetime) -> dict[str, str]:
    """A span as people type it: whole days by their first and last, anything else by its moments."""
    if start.time() == end.time() == time.min:
        return {"start": f"{start:%Y-%m-%d}", "end": f"{end - timedelta(days=1):%Y-%m-%d}"}
    return {"start": f"{start:%Y-%m-%d %H:%M}", "end": f"{end:%Y-%m-%d %H:%M}"}


def _kept(instrument: Instrument, timeframe: str, bars: Bars, at: datetime) -> Snapshot:
    digest = bars_hash(bars)
    known = Snapshot.objects.filter(instrument=instrument, timeframe=timeframe, sha256=digest).defer("payload").first()
    if known is not None:
        return known
    snapshot, _created = Snapshot.objects.get_or_create(
        instrument=instrument,
        timeframe=timeframe,
        sha256=digest,
        defaults={
            "first_time": datetime.fromtimestamp(int(bars.time[0]), UTC),
            "last_time": datetime.fromtimestamp(int(bars.time[-1]), UTC),
            **facts(bars, Timeframe.of(timeframe).seconds, instrument.calendar),
            "payload": pack_bars(bars),
            "created_at": at,
        },
    )
    return snapshot


def take_finer(
    *, instrument: Instrument, timeframe: str, start: datetime, end: datetime, at: datetime
) -> tuple[Snapshot, Bars] | None:
    """The bars of ``finer_bars``, kept as they are now; None if there are none."""
    found = finer_bars(instrument=instrument, timeframe=timeframe, start=start, end=end)
    return (_kept(instrument, *found, at), found[1]) if found is not None else None


def finer_bars(*, instrument: Instrument, timeframe: str, start: datetime, end: datetime) -> tuple[str, Bars] | None:
    """The finest stored bars below ``timeframe`` that cover most of the span, with their timeframe; None if there are none."""
    whole, store = Timeframe.of(timeframe).seconds, BarStore()
    first, last = int(start.timestamp()), int(end.timestamp())
    coarse = len(store.read(instrument.pk, timeframe, start=first, end=last, limit=MOST_FINER))
    for finer in sorted(one for one in TIMEFRAMES.values() if one.seconds < whole):
        wanted = coarse * whole // finer.seconds
        if wanted > MOST_FINER:
            continue
        bars = store.read(instrument.pk, finer.name, start=first, end=last, limit=MOST_FINER)
        if len(bars) >= max(2, wanted * MOSTLY):
            return finer.name, bars
    return None


def bars_of(snapshot: Snapshot) -> Bars:
    """The bars that were kept.

    Raises ValueError if they are not those that the hash names: what cannot be trusted is not shown as a result.
    """
    bars = unpack_bars(snapshot.payload)
    if bars_hash(bars) != snapshot.sha256:
        raise ValueError(f"snapshot {snapshot.public_id} does not hold the bars of its hash")
    return bars
