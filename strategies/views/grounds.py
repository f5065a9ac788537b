"""Which markets of this installation have bars, over which span, and which of them suit a strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import numpy as np
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from marketdata import selectors as market_selectors
from marketdata.bars import Bars
from marketdata.models import Instrument
from marketdata.overview import timeframes_for
from marketdata.store import BarStore
from marketdata.timeframes import TIMEFRAMES, Timeframe
from strategies.contract import Declared, PortfolioStrategy

BARS: Final = 1_500
LEAST: Final = 150  # fewer show nothing of most strategies
DAY: Final = 86_400
# The form that asks for a run begins with the hour.
PREFERRED: Final = ("1h", "4h", "1d", "15m", "5m", "1m")
# What begins anew with each day has nothing to say of bars that are one.
WITHIN_DAYS: Final = frozenset({"vwap"})


@dataclass(frozen=True, slots=True)
class Ground:
    """Instruments of one venue, one for each leg, with a timeframe that there are bars enough of."""

    instruments: tuple[Instrument, ...]
    timeframe: str
    bars: float  # about so many of that timeframe, of the leg that has the fewest

    @property
    def lead(self) -> Instrument:
        return self.instruments[0]

    @property
    def label(self) -> str:
        return f"{' + '.join(one.symbol for one in self.instruments)} · {self.timeframe}"


@dataclass(frozen=True, slots=True)
class Span:
    """Bars of each leg from ``start`` to before ``end``; ``whole`` where both are midnights, as forms have them."""

    series: tuple[Bars, ...]
    start: datetime
    end: datetime
    whole: bool


def grounds_for(strategy: Declared) -> list[Ground]:
    """The markets that fit, in the order in which the form that asks for a run lists them."""
    instruments, days = markets_with_bars()
    legs = strategy.legs if isinstance(strategy, PortfolioStrategy) else 1
    return fitting(strategy.name, legs, instruments, days)


def fitting(name: str, legs: int, instruments: QuerySet[Instrument], days: Mapping[str, Mapping[str, float]]) -> list[Ground]:
    """The same for a strategy by its name in the library and its legs, of instruments with the days of bars of them."""
    names = {one.ref: timeframe for one in instruments if (timeframe := _timeframe(name, days[one.ref]))}
    bars = {ref: days[ref][timeframe] * DAY / Timeframe.of(timeframe).seconds for ref, timeframe in names.items()}
    found = []
    for one in instruments:
        if one.ref not in names:
            continue
        partners = [
            other
            for other in instruments
            if (other.venue_id, other.quote) == (one.venue_id, one.quote)
            and other.base != one.base
            and names.get(other.ref) == names[one.ref]
        ]
        if len(partners) >= legs - 1:
            together = (one, *partners[: legs - 1])
            found.append(Ground(together, names[one.ref], min(bars[leg.ref] for leg in together)))
    return found


def span_on(ground: Ground) -> Span | None:
    """The newest bars there are, cut to whole days where enough of them are left; None where there are too few after all.

    Whole days, because those that ask for the same run do so by dates, and are to find the same numbers.
    """
    store, seconds = BarStore(), Timeframe.of(ground.timeframe).seconds
    lead = store.read(ground.lead.pk, ground.timeframe, limit=BARS)
    if len(lead) < LEAST:
        return None
    start, end = int(lead.time[0]), int(lead.time[-1]) + seconds
    first, last = -(-start // DAY) * DAY, end // DAY * DAY
    begin, stop = (int(place) for place in np.searchsorted(lead.time, [first, last]))
    whole = stop - begin >= LEAST
    if whole:
        start, end, lead = first, last, lead[begin:stop]
    others = (store.read(one.pk, ground.timeframe, start=start, end=end) for one in ground.instruments[1:])
    series = (lead, *others)
    if any(len(one) < LEAST for one in series):
        return None
    return Span(series, datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), whole)


def query_of(strategy: Declared, ground: Ground, span: Span) -> str:
    """What the form that asks for a run is told to begin with the same."""
    told: list[tuple[str, str]] = [("strategy", strategy.name)]
    told += [("instrument", one.ref) for one in ground.instruments]
    last = datetime.fromtimestamp(span.end.timestamp() - 1, UTC)
    told += [("timeframe", ground.timeframe), ("start", f"{span.start:%Y-%m-%d}"), ("end", f"{last:%Y-%m-%d}")]
    return urlencode(told)


def chosen(grounds: Sequence[Ground], ref: str) -> Ground:
    """The ground that begins with the instrument ``ref``, else the first."""
    return next((one for one in grounds if one.lead.ref == ref), grounds[0])


def _timeframe(strategy: str, days: Mapping[str, float]) -> str:
    for name in PREFERRED:
        seconds = Timeframe.of(name).seconds
        if seconds >= DAY and strategy in WITHIN_DAYS:
            continue
        if days.get(name, 0.0) * DAY / seconds >= LEAST:
            return name
    return ""


# -- which markets have bars, and over which span ------------------------------------------------------------------------


def span_of_bars(instruments: Sequence[Instrument], timeframe: str) -> tuple[datetime, datetime]:
    """From the first bar there is of any of them to the close of the last; the last year where there is none."""
    spans = bars_of(timeframe)
    known = [spans[one.pk] for one in instruments if one.pk in spans]
    if not known:
        now = timezone.now()
        return now.replace(year=now.year - 1, day=1), now
    seconds = Timeframe.of(timeframe).seconds
    first, last = min(low for low, _ in known), max(high for _, high in known)
    return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last + seconds, UTC)


def bars_of(timeframe: str) -> dict[int, tuple[int, int]]:
    """First and last bar of each instrument that has some, by its key, in epoch seconds."""
    with connection.cursor() as cursor:
        # Two ends of one index for each instrument, however long its history is.
        cursor.execute(
            "select i.id, extract(epoch from a.time)::bigint, extract(epoch from b.time)::bigint from marketdata_instrument i"
            " cross join lateral (select time from marketdata_candle where instrument_id = i.id and timeframe = %s"
            " order by time limit 1) a cross join lateral (select time from marketdata_candle where instrument_id = i.id"
            " and timeframe = %s order by time desc limit 1) b where i.is_active",
            [timeframe, timeframe],
        )
        return {pk: (low, high) for pk, low, high in cursor.fetchall()}


def markets_with_bars() -> tuple[QuerySet[Instrument], dict[str, dict[str, float]]]:
    """Active instruments that a run could be made on, those of connected venues first; and for each of them, by its reference,
    days from its first to its last bar by timeframe."""
    spans = {name: bars_of(name) for name in TIMEFRAMES}
    instruments = market_selectors.instruments().filter(pk__in={pk for found in spans.values() for pk in found})
    days = {
        one.ref: {
            name: round((spans[name][one.pk][1] - spans[name][one.pk][0]) / DAY + Timeframe.of(name).seconds / DAY, 3)
            for name in timeframes_for(one)
            if one.pk in spans[name]
        }
        for one in instruments
    }
    return instruments, days
