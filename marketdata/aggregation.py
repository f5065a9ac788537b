"""Bars of every timeframe from one instrument's trades, or from the venue's own short bars. Pure: time comes with the data.

Rules
-----
* A bar closes when a trade of a later bar comes, or when the venue's clock has passed its end by ``GRACE`` seconds.
* A trade for a closed bar amends it while the bar is no more than ``AMENDABLE`` bars back: its revision grows. Older ones are
  dropped and counted ``late``; a trade whose id was seen is dropped and counted ``duplicate``.
* A minute without a trade is a flat bar at the last price with volume 0, as long as we were listening all through it.
* A bar that we did not see whole (we connected in it, or trade ids are missing) closes as ``incomplete``: it is not stored from
  here, the caller asks the venue for it. Trades that are missing between two bars may be of either.
* A longer bar closes with the last short bar in it, and is incomplete when one of those is missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from marketdata.bars import Bar
from marketdata.messages import Trade
from marketdata.timeframes import Timeframe

GRACE = 2
AMENDABLE = 2
MOST_ABSENT = 10_000  # missing ids that are looked out for
TRADES, ROLLUP = 2, 3  # Candle.Source


class Closed(NamedTuple):
    """A bar that closed, or was amended. ``complete`` says whether every trade of it was seen here."""

    timeframe: str
    bar: Bar
    complete: bool


@dataclass(slots=True)
class Minute:
    """The short bar being built from trades."""

    time: int
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    volume: Decimal = Decimal(0)
    first_id: int = 0
    last_id: int = -1
    ids: set[int] = field(default_factory=set)
    whole: bool = True
    revision: int = 0

    def add(self, trade: Trade) -> None:
        if not self.ids:  # what a silent minute was filled with is forgotten
            self.high = self.low = trade.price
        if not self.ids or trade.id < self.first_id:
            self.open, self.first_id = trade.price, trade.id
        if not self.ids or trade.id > self.last_id:
            self.close, self.last_id = trade.price, trade.id
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.volume += trade.quantity
        self.ids.add(trade.id)

    def bar(self) -> Bar:
        return Bar(
            self.time, self.open, self.high, self.low, self.close,
            float(self.volume), len(self.ids), TRADES, self.revision,
        )  # fmt: skip


class Longer:
    """One longer timeframe, fed with closed and forming short bars."""

    def __init__(self, timeframe: Timeframe, base: Timeframe) -> None:
        self.timeframe = timeframe
        self.expected = timeframe.seconds // base.seconds
        self.parts: dict[int, dict[int, Bar]] = {}  # window → short bars in it by time

    def put(self, bar: Bar) -> int:
        window = self.timeframe.floor(bar.time)
        self.parts.setdefault(window, {})[bar.time] = bar
        for old in [time for time in self.parts if time < window - self.timeframe.seconds]:
            del self.parts[old]
        return window

    def bar(self, window: int, forming: Bar | None = None) -> tuple[Bar | None, bool]:
        """The window's bar so far, and whether all its parts are there."""
        parts = self.parts.get(window, {})
        bars = [parts[time] for time in sorted(parts)]
        if forming is not None and self.timeframe.floor(forming.time) == window and forming.time not in parts:
            bars.append(forming)
        if not bars:
            return None, False
        return merged(window, bars), len(parts) == self.expected


def merged(time: int, bars: Sequence[Bar]) -> Bar:
    """One bar from the shorter ones in it, oldest first."""
    trades = None if any(bar.trades is None for bar in bars) else sum(bar.trades or 0 for bar in bars)
    return Bar(
        time, bars[0].open, max(bar.high for bar in bars), min(bar.low for bar in bars), bars[-1].close,
        math.fsum(bar.volume for bar in bars), trades, ROLLUP, max(bar.revision for bar in bars),
    )  # fmt: skip


class Aggregator:
    """Bars of one instrument.

    Parameters
    ----------
    base : Timeframe
        The shortest bars, built from trades or given by the venue.
    timeframes : sequence of Timeframe
        All that are kept; those longer than ``base`` are rolled up from it.
    """

    def __init__(self, base: Timeframe, timeframes: Iterable[Timeframe]) -> None:
        self.base = base
        self.longer = [Longer(tf, base) for tf in sorted(timeframes) if tf.seconds > base.seconds]
        self.minutes: dict[int, Minute] = {}
        self.current: int | None = None  # opening time of the forming short bar
        self.forming_bar: Bar | None = None
        self.last_close: float | None = None
        self.last_id: int | None = None
        self.listening_since: int | None = None
        self.whole_from = 0  # trades before are missing, these ids:
        self.absent: set[int] = set()
        self.counts: Counter[str] = Counter()

    def begin(self, at: int) -> None:
        """Bars that end before ``at`` (epoch seconds of the venue's clock) are the caller's to fill; nothing is heard yet."""
        self.connected(at)
        self.listening_since = None
        if self.current is None or self.current < self.base.floor(at):
            self._begin(self.base.floor(at))

    def connected(self, at: int) -> None:
        """We listen from ``at`` (epoch seconds of the venue's clock) on: a bar that began before is not seen whole."""
        self.listening_since = at
        self.last_id, self.whole_from = None, 0
        self.absent.clear()
        for minute in self.minutes.values():
            minute.whole = False

    def seed(self, bars: Iterable[Bar]) -> None:
        """Closed short bars known already, so that longer bars that hold them can be completed."""
        for bar in bars:
            self.last_close = bar.close
            for longer in self.longer:
                longer.put(bar)

    # -- from trades ------------------------------------------------------------------------------------------

    def add(self, trade: Trade) -> list[Closed]:
        """Take one trade; return the bars that it closed or amended."""
        time = self.base.floor(trade.time_ms // 1000)
        minute = self.minutes.get(time)
        if minute is not None and trade.id in minute.ids:
            self.counts["duplicate"] += 1
            return []
        if trade.id in self.absent:
            self._found(trade.id)
        if self.current is not None and time < self.current:
            return self._amend(time, trade)
        closed = self._doubt(trade) if self.last_id is not None and trade.id > self.last_id + 1 else []
        if self.current is not None and time > self.current:
            closed += self._close_until(time)
        minute = self.minutes.get(time) or self._begin(time)
        self.last_id = trade.id if self.last_id is None else max(trade.id, self.last_id)
        minute.add(trade)
        self.forming_bar = None
        return closed

    def _doubt(self, trade: Trade) -> list[Closed]:
        """Trades before this one are missing: no bar since the last one heard was seen whole, whether it closed or not."""
        assert self.last_id is not None
        self.counts["missing"] += trade.id - self.last_id - 1
        second = trade.time_ms // 1000
        if second > self.whole_from + (AMENDABLE + 1) * self.base.seconds:
            self.absent.clear()  # those will not come any more
        few = trade.id - self.last_id <= MOST_ABSENT
        self.absent.update(range(self.last_id + 1, trade.id) if few else {-1})  # an id that never comes
        self.whole_from = second + 1
        closed: list[Closed] = []
        for minute in reversed(self.minutes.values()):
            doubted, minute.whole = minute.whole, False
            if doubted and self.current is not None and minute.time < self.current:
                closed += self._closed(minute.bar(), False)
            if minute.ids:
                break
        return closed

    def _found(self, trade_id: int) -> None:
        """A missing trade came late; with the last of them nothing is in doubt any more."""
        self.absent.discard(trade_id)
        if not self.absent:
            self.whole_from = 0
            for minute in self.minutes.values():
                minute.whole = self._heard_from(minute.time)

    def _heard_from(self, time: int) -> bool:
        return self.listening_since is not None and time >= max(self.listening_since, self.whole_from)

    def tick(self, now: float) -> list[Closed]:
        """The venue's clock says ``now`` (epoch seconds): close what has ended."""
        if self.current is None or self.listening_since is None:
            return []
        due = self.base.floor(int(now - GRACE))
        return self._close_until(due) if due > self.current else []

    def _begin(self, time: int) -> Minute:
        self.current = time
        minute = self.minutes[time] = Minute(time, whole=self._heard_from(time))
        return minute

    def _close_until(self, time: int) -> list[Closed]:
        closed: list[Closed] = []
        while self.current is not None and self.current < time:
            minute = self.minutes[self.current]
            if not minute.ids:  # nobody traded
                if self.last_close is None:
                    minute.whole = False
                    minute.open = minute.high = minute.low = minute.close = 0.0
                else:
                    minute.open = minute.high = minute.low = minute.close = self.last_close
            bar = minute.bar()
            if bar.close > 0:
                self.last_close = bar.close
                closed += self._closed(bar, minute.whole)
            else:
                closed.append(Closed(self.base.name, bar, False))
            self._begin(self.current + self.base.seconds)
            if len(closed) > 10_000:  # a clock that jumped by days: begin anew there
                self._begin(time)
        for old in [
            key for key in self.minutes if self.current is not None and key < self.current - AMENDABLE * self.base.seconds
        ]:
            del self.minutes[old]
        return closed

    def _amend(self, time: int, trade: Trade) -> list[Closed]:
        minute = self.minutes.get(time)
        if minute is None:
            self.counts["late"] += 1
            return []
        self.counts["amended"] += 1
        minute.add(trade)
        minute.revision += 1
        return self._closed(minute.bar(), minute.whole)

    # -- from the venue's short bars --------------------------------------------------------------------------

    def take(self, bar: Bar, *, closed: bool) -> list[Closed]:
        """Take the venue's own short bar, forming or closed."""
        if closed:
            if self.forming_bar is not None and self.forming_bar.time <= bar.time:
                self.forming_bar = None
            self.last_close = bar.close
            return self._closed(bar, True)
        if self.forming_bar is None or bar.time >= self.forming_bar.time:
            self.forming_bar = bar
        return []

    def replace(self, bar: Bar) -> list[Closed]:
        """The venue's answer for a short bar that was not seen whole: longer bars are rolled up with it."""
        if self.last_close is None:
            self.last_close = bar.close
        return self._closed(bar, True)

    # -- both ------------------------------------------------------------------------------------------------

    def _closed(self, bar: Bar, whole: bool) -> list[Closed]:
        closed = [Closed(self.base.name, bar, whole)]
        for longer in self.longer:
            window = self.longer_window(longer, bar, whole)
            ends = window + longer.timeframe.seconds
            if bar.time + self.base.seconds == ends or (self.current is not None and self.current >= ends):
                rolled, complete = longer.bar(window)
                if rolled is None:
                    rolled = merged(window, [bar])
                closed.append(Closed(longer.timeframe.name, rolled, complete))
        return closed

    @staticmethod
    def longer_window(longer: Longer, bar: Bar, whole: bool) -> int:
        return longer.put(bar) if whole else longer.timeframe.floor(bar.time)

    def forming(self) -> dict[str, Bar]:
        """The unfinished bar of every timeframe."""
        short = self.forming_bar
        if short is None and self.current is not None:
            minute = self.minutes.get(self.current)
            if minute is not None and minute.ids:
                short = minute.bar()
        if short is None:
            return {}
        bars = {self.base.name: short}
        for longer in self.longer:
            bar, _ = longer.bar(longer.timeframe.floor(short.time), short)
            if bar is not None:
                bars[longer.timeframe.name] = bar
        return bars
