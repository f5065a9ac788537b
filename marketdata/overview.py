"""How the pages of Markets show instruments: sparklines, and which of them a person watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection

from clusterx.accounts.models import User
from marketdata.models import Instrument, WatchlistItem
from marketdata.selectors import Summary, summaries
from marketdata.timeframes import TIMEFRAMES, Timeframe

WIDTH: Final = 100.0
HEIGHT: Final = 28.0
FILLED: Final = 200  # bars of a chart that does not look empty


@dataclass(frozen=True, slots=True)
class Row:
    """An instrument in a list, and the keys of those watchlists of whoever looks that hold it."""

    summary: Summary
    watched: frozenset[int]

    @property
    def points(self) -> str:
        return polyline(self.summary.spark)


def rows(chosen: Sequence[Instrument], *, user: User | None) -> list[Row]:
    """Four queries however many there are; ``user`` is None for whoever is not signed in."""
    watched = watched_by(user, chosen) if user else {}
    return [Row(summary, watched.get(summary.instrument.pk, frozenset())) for summary in summaries(chosen)]


def watched_by(user: User, chosen: Sequence[Instrument]) -> dict[int, frozenset[int]]:
    """For those of ``chosen`` that the user watches, the keys of the watchlists that hold them."""
    found: dict[int, set[int]] = {}
    items = WatchlistItem.objects.filter(watchlist__owner=user, instrument__in=chosen)
    for instrument, watchlist in items.values_list("instrument_id", "watchlist_id"):
        found.setdefault(instrument, set()).add(watchlist)
    return {instrument: frozenset(lists) for instrument, lists in found.items()}


def polyline(closes: Sequence[float]) -> str:
    """Points of an SVG polyline through ``closes`` in a box of 100 × 28, with a margin of 2; empty below two closes."""
    if len(closes) < 2:
        return ""
    low, high = min(closes), max(closes)
    scale = (HEIGHT - 4) / (high - low) if high > low else 0.0
    step = WIDTH / (len(closes) - 1)
    base = HEIGHT - 2 if scale else HEIGHT / 2
    return " ".join(f"{index * step:.1f},{base - (close - low) * scale:.1f}" for index, close in enumerate(closes))


def first_timeframe(instrument: Instrument) -> str:
    """What a chart opens on: the finest timeframe with bars enough to fill it, else the finest."""
    names = timeframes_for(instrument)
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.name from unnest(%s::text[]) with ordinality as t(name, place) where exists (select 1 from"
            " marketdata_candle where instrument_id = %s and timeframe = t.name order by time desc offset %s limit 1)"
            " order by t.place limit 1",
            [names, instrument.pk, FILLED - 1],
        )
        found = cursor.fetchone()
    return found[0] if found else names[0]


def timeframes_for(instrument: Instrument) -> list[str]:
    """The timeframes that there are bars of, shortest first."""
    shortest = Timeframe.of(instrument.base_timeframe)
    return [name for name, timeframe in TIMEFRAMES.items() if timeframe >= shortest]
