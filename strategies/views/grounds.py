"""Which bars of this installation show how a library strategy trades: the markets that fit, and the span of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import numpy as np

from marketdata.bars import Bars
from marketdata.models import Instrument
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe
from strategies.contract import Declared, PortfolioStrategy
from strategies.views.asking import instruments_with_bars, offered

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
    """The markets that fit, in the order in which the form that asks for a run offers them."""
    legs = strategy.legs if isinstance(strategy, PortfolioStrategy) else 1
    instruments = list(instruments_with_bars())
    days = offered(instruments)
    names = {one.ref: timeframe for one in instruments if (timeframe := _timeframe(strategy, days[one.ref]))}
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
            found.append(Ground((one, *partners[: legs - 1]), names[one.ref]))
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


def _timeframe(strategy: Declared, days: dict[str, float]) -> str:
    for name in PREFERRED:
        seconds = Timeframe.of(name).seconds
        if seconds >= DAY and strategy.name in WITHIN_DAYS:
            continue
        if days.get(name, 0.0) * DAY / seconds >= LEAST:
            return name
    return ""
