"""One venue's connection: hears it, builds bars, and mends what it missed.

On every connection the hole since the last stored bar is filled by REST, while live messages are heard already; the
database takes a bar twice without harm. Bars count as seen whole from the first message on, not from the request for it.
A bar that was not seen whole is asked of the venue when it closes, and again on the next connection if that failed; so are
bars that closed after the last message of a connection that died without a word.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from marketdata.aggregation import Aggregator, Closed
from marketdata.bars import Bar
from marketdata.messages import BookDelta, Kline, Malformed, Message, Quote, Trade
from marketdata.models import Instrument, Venue
from marketdata.orderbook import BookOutOfStep, OrderBook
from marketdata.providers import Provider, ProviderError, provider_for
from marketdata.providers.base import Subscription
from marketdata.store import BarStore
from marketdata.stream.recorder import Quoted, Recorder
from marketdata.timeframes import TIMEFRAMES, Timeframe

logger = logging.getLogger(__name__)
FIRST_HISTORY = 1500  # bars of each timeframe that a new instrument begins with
PAGE = 500  # bars asked for at a time, and waiting to be written at most
BOOK_DEPTH = 20
CLOCK_EVERY = 20.0
LONGEST_PAUSE = 30.0


class Clock:
    """The venue's clock, estimated between two looks at it.

    A replay runs at ``rate`` until it has caught up with us, and then at ours: the rate is that of the last two looks, so
    that a clock taken to be ahead does not close bars before their trades have come.
    """

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = self.fastest = rate
        self._now = now
        self.base, self.seen = time.time(), now()

    def set(self, seconds: float) -> None:
        now = self._now()
        passed = now - self.seen
        if self.fastest > 1 and passed > 1:
            measured = (seconds - self.base) / passed
            self.rate = min(measured, self.fastest) if measured > 0.5 else self.fastest
        self.base, self.seen = seconds, now

    def now(self) -> float:
        return self.base + (self._now() - self.seen) * self.rate


class Series:
    """One instrument as it is heard."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.ref = instrument.ref
        self.base = Timeframe.of(instrument.base_timeframe)
        self.timeframes = [tf for tf in TIMEFRAMES.values() if tf >= self.base]
        self.aggregator = Aggregator(self.base, self.timeframes)
        self.book = OrderBook()
        self.quote: Quote | None = None
        self.price: float | None = None
        self.time_ms = 0
        self.heard_at = 0.0
        self.dirty = self.dirty_quote = self.dirty_book = self.dirty_latest = False
        self.resync: asyncio.Task[None] | None = None

    @property
    def subscription(self) -> Subscription:
        return Subscription(self.instrument.venue_symbol, self.base.name, self.instrument.has_ticks)


class VenueConnection:
    def __init__(
        self,
        venue: Venue,
        instruments: list[Instrument],
        recorder: Recorder,
        *,
        provider: Callable[[str, str], Provider] = provider_for,
    ) -> None:
        self.venue = venue
        self.recorder = recorder
        self.make_provider = provider
        self.clock = Clock(venue.clock_rate)
        self.series = {instrument.venue_symbol: Series(instrument) for instrument in instruments}
        self.connected = self.listening = False
        self.heard_at = 0.0
        self.heard_until: float | None = None  # by the venue's clock
        self.owed: set[tuple[str, Timeframe, int]] = set()  # bars that were asked for and have not come
        self.counts: Counter[str] = Counter()
        self.error = ""
        self._said: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._quoted = self._booked = 0.0
        for series in self.series.values():
            recorder.refs[series.instrument.pk] = series.ref

    # -- connecting -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Stay connected until cancelled; pauses grow, with jitter, while the venue does not answer."""
        pause = 0.5
        while True:
            provider = self.make_provider(self.venue.provider, self.venue.base_url)
            provider.now_ms = lambda: self.clock.now() * 1000  # type: ignore[attr-defined]
            began = time.monotonic()
            try:
                await self._session(provider)
            except ProviderError as error:
                self.error = str(error)[:300]
                if time.monotonic() - began > 60:
                    pause = 0.5
                logger.warning("%s: %s; again in %.1f s", self.venue.code, self.error, pause)
            finally:
                self.connected = False
                for task in list(self._tasks):
                    task.cancel()
                await provider.close()
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311  jitter
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _session(self, provider: Provider) -> None:
        self.clock.set(await provider.server_time())
        self.listening = False
        listening = int(self.clock.now())
        for series in self.series.values():
            series.aggregator.begin(listening)
            series.book.reset()
            await sync_to_async(self._seed)(series, listening)
        self.provider = provider
        self._start(self._keep_clock(provider))
        heard_until, self.heard_until = self.heard_until, None
        self._start(self._backfill(await sync_to_async(self._holes)(listening, heard_until)))
        for series in self.series.values():
            if series.instrument.has_ticks:
                self._resync_book(series)
        self.connected, self.error = True, ""
        logger.info("%s: connected, %d instruments", self.venue.code, len(self.series))
        await provider.listen([series.subscription for series in self.series.values()], self.heard)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("%s: %s", self.venue.code, error)

    def _seed(self, series: Series, now: int) -> None:
        """Give the aggregator today's short bars, so that today's longer ones can be completed."""
        longest = max(series.timeframes)
        bars = BarStore().read(series.instrument.pk, series.base.name, start=longest.floor(now), end=now)
        series.aggregator.seed(Bar(*row) for row in bars.rows())

    async def _keep_clock(self, provider: Provider) -> None:
        while True:
            await asyncio.sleep(CLOCK_EVERY / max(1.0, self.clock.rate / 10))
            try:
                self.clock.set(await provider.server_time())
            except ProviderError as error:
                logger.warning("%s: no time: %s", self.venue.code, error)

    def _holes(self, now: int, heard_until: float | None) -> list[tuple[Series, Timeframe, int]]:
        """What is missing since the last stored bar of each series, looked up before live bars come and hide it.

        The shortest bars of all instruments come first: strategies and charts wait for them.
        """
        holes = []
        for series in self.series.values():
            for timeframe in series.timeframes:
                newest = BarStore().last_time(series.instrument.pk, timeframe.name)
                oldest = timeframe.floor(now) - FIRST_HISTORY * timeframe.seconds
                doubtful = [at for symbol, tf, at in self.owed if self.series[symbol] is series and tf == timeframe]
                if heard_until is not None:
                    doubtful.append(timeframe.floor(int(heard_until)))
                start = oldest if newest is None else max(min([newest + timeframe.seconds, *doubtful]), oldest)
                if start < timeframe.floor(now):
                    holes.append((series, timeframe, start))
        return sorted(holes, key=lambda hole: hole[1])

    async def _backfill(self, holes: list[tuple[Series, Timeframe, int]]) -> None:
        for series, timeframe, start in holes:
            end = int(self.clock.now())
            for at in range(start, end, PAGE * timeframe.seconds):
                await self._fetch(series, timeframe, at, min(end, at + PAGE * timeframe.seconds), history=True)
                while len(self.recorder.batch.history) > PAGE:  # memory stays flat however long the past is
                    await asyncio.sleep(0.05)

    async def _fetch(self, series: Series, timeframe: Timeframe, start: int, end: int, *, history: bool = False) -> list[Bar]:
        symbol = series.instrument.venue_symbol
        for attempt in range(5):
            try:
                bars = await self.provider.bars(symbol, timeframe.name, start=start, end=end)
            except ProviderError as error:
                logger.warning("%s %s: %s", series.ref, timeframe, error)
                await asyncio.sleep(2**attempt)
                continue
            for bar in bars:
                self.recorder.candle(series.instrument.pk, timeframe.name, bar, history=history)
                self.owed.discard((symbol, timeframe, bar.time))
            return bars
        return []

    # -- hearing ----------------------------------------------------------------------------------------------

    def heard(self, raw: Any, said: Message | Exception) -> None:
        self.heard_at = time.time()
        self.heard_until = self.clock.now()
        if isinstance(said, Exception):
            self._refuse(raw, said)
            return
        series = self.series.get(said.symbol)
        if series is None:
            self._refuse(raw, Malformed("symbol", f"nobody asked for {said.symbol}"))
            return
        if not self.listening:
            self._listens(said)
        series.heard_at = self.heard_at
        match said:
            case Trade():
                self.counts["trade"] += 1
                repeated = series.aggregator.counts["duplicate"]
                self._take(series, series.aggregator.add(said))
                if series.aggregator.counts["duplicate"] > repeated:
                    return
                self.recorder.trade(series.instrument.pk, said)
                if said.time_ms >= series.time_ms:
                    series.price, series.time_ms = said.price, said.time_ms
                series.dirty = series.dirty_latest = True
            case Quote():
                if series.quote is None or said.update >= series.quote.update or said.update < series.quote.update - 10**6:
                    series.quote = said
                    series.dirty_quote = series.dirty_latest = True
            case BookDelta():
                self._apply(series, said)
            case Kline():
                self.counts["kline"] += 1
                if said.timeframe == series.base.name:
                    self._take(series, series.aggregator.take(said.bar, closed=said.closed))
                    series.price = said.bar.close
                    series.time_ms = int(min(self.clock.now(), said.bar.time + series.base.seconds) * 1000)
                    series.dirty = series.dirty_latest = True

    def _listens(self, said: Message) -> None:
        """The first message proves that the subscription holds, for all series: what was traded before it went unheard."""
        self.listening = True
        at = int(max(self.clock.now(), getattr(said, "time_ms", 0) / 1000)) + 1
        for series in self.series.values():
            series.aggregator.connected(at)

    def _refuse(self, raw: Any, error: Exception) -> None:
        reason = error.reason if isinstance(error, Malformed) else "unknown"
        self.counts[f"refused_{reason}"] += 1
        if reason not in self._said:  # one of a kind is logged whole, the rest is counted
            self._said.add(reason)
            logger.warning("%s: refused (%s) %s: %.500r", self.venue.code, reason, error, raw)

    def _take(self, series: Series, closed: list[Closed]) -> None:
        for timeframe, bar, complete in closed:
            if complete:
                self.recorder.candle(series.instrument.pk, timeframe, bar)
            else:
                self.owed.add((series.instrument.venue_symbol, Timeframe.of(timeframe), bar.time))
                self._start(self._ask(series, Timeframe.of(timeframe), bar.time))

    async def _ask(self, series: Series, timeframe: Timeframe, opened: int) -> None:
        """A bar that was not seen whole: ask the venue for it."""
        await asyncio.sleep(max(0.05, 1.0 / self.clock.rate))
        bars = await self._fetch(series, timeframe, opened, opened + timeframe.seconds)
        if bars and timeframe == series.base:
            self._take(series, [c for c in series.aggregator.replace(bars[0]) if c.timeframe != timeframe.name])

    # -- the book ---------------------------------------------------------------------------------------------

    def _apply(self, series: Series, delta: BookDelta) -> None:
        try:
            if series.book.apply(delta):
                series.dirty_book = True
        except BookOutOfStep:
            self.counts["book_resync"] += 1
            self._resync_book(series)

    def _resync_book(self, series: Series) -> None:
        if series.resync is None or series.resync.done():
            series.resync = asyncio.create_task(self._snapshot(series))
            self._tasks.add(series.resync)
            series.resync.add_done_callback(self._ended)

    async def _snapshot(self, series: Series) -> None:
        for attempt in range(8):
            await asyncio.sleep(0.3 * 2**attempt * random.uniform(0.8, 1.2))  # noqa: S311  changes must have begun to come
            try:
                series.book.snapshot(*await self.provider.book(series.instrument.venue_symbol))
                return
            except (ProviderError, BookOutOfStep) as error:
                logger.info("%s: book: %s", series.ref, error)

    # -- ten times a second -----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hand what changed to the recorder."""
        now = time.time()
        sample_quotes = now - self._quoted >= 1
        sample_books = now - self._booked >= 10
        for series in self.series.values():
            pk, ref = series.instrument.pk, series.ref
            if self.connected and series.instrument.has_ticks:
                self._take(series, series.aggregator.tick(self.clock.now()))
            if series.dirty:
                for timeframe, bar in series.aggregator.forming().items():
                    self.recorder.say(f"candles/{ref}/{timeframe}", {"forming": bar.row})
                series.dirty = False
            at = series.time_ms or int(self.clock.now() * 1000)
            quote = series.quote
            if quote is not None and series.dirty_quote:
                data = {"time": at, "bid": quote.bid, "bid_size": quote.bid_size, "ask": quote.ask, "ask_size": quote.ask_size}
                self.recorder.say(f"quotes/{ref}", data | {"price": series.price})
                series.dirty_quote = False
                if sample_quotes:
                    self.recorder.batch.quotes.append((pk, Quoted(at, *quote[2:])))
            elif quote is None and series.dirty_latest and series.price is not None:
                self.recorder.say(f"quotes/{ref}", {"time": at, "bid": None, "ask": None, "price": series.price})
            if series.dirty_book:
                bids, asks = series.book.top(BOOK_DEPTH)
                book = {"time": series.book.time_ms, "sequence": series.book.update, "bids": bids, "asks": asks}
                self.recorder.say(f"book/{ref}", book)
                series.dirty_book = False
                if sample_books:
                    self.recorder.batch.books.append((pk, series.book.time_ms, series.book.update or 0, bids, asks))
            if series.dirty_latest and sample_quotes and series.price is not None:
                bid, ask = (quote.bid, quote.ask) if quote else (None, None)
                self.recorder.batch.latest[pk] = (series.price, bid, ask, at, series.heard_at)
                series.dirty_latest = False
        if sample_quotes:
            self._quoted = now
        if sample_books:
            self._booked = now

    def status(self) -> dict[str, Any]:
        """As the ``venues`` channel tells it."""
        age = int((time.time() - self.heard_at) * 1000) if self.heard_at else None
        return {
            "code": self.venue.code, "name": self.venue.name, "mode": self.venue.mode, "connected": self.connected,
            "age_ms": age, "clock_rate": self.venue.clock_rate, "time": int(self.clock.now() * 1000), "error": self.error,
        }  # fmt: skip
