"""The one place where the stream process writes and publishes.

Connections hand in what they heard. Ticks go out to Redis twenty times a second. Ten times a second a batch goes to the
database, in one thread with one connection, and a closed bar is published only after it is committed: one that the stream
missed and the venue was asked for, too, where it is one of a few of its series, and otherwise by a resync. While the database
is away candles are kept and everything else is bounded; while Redis is away nothing waits for it. A row that the database
refuses is left out and counted, so that it holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection as django_connection

from clusterx.live.publish import Message, publish_many_async
from marketdata.bars import Bar
from marketdata.messages import Trade
from marketdata.signals import bar_closed
from marketdata.store import write_candles
from marketdata.timeframes import TIMEFRAMES

logger = logging.getLogger(__name__)
PUBLISH_SECONDS = 0.05
STORE_SECONDS = 0.1
MOST_TRADES = 200_000  # kept while the database is away
LONGEST_PAUSE = 10.0
MOST_NEWS = 10_000  # batches of closed bars that wait while Redis is away
LAST_NEWS_SECONDS = 5.0
MOST_TOLD = 20  # bars of the past, of a series and batch, that are sent one by one
REFUSED = (psycopg.DataError, psycopg.IntegrityError, ArithmeticError, ValueError, OSError, struct.error)  # by a row's content


@dataclass
class Quoted:
    """The newest quote of an instrument."""

    time_ms: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


@dataclass
class Batch:
    """What one flush writes."""

    candles: list[tuple[int, str, Bar]] = field(default_factory=list)
    history: list[tuple[int, str, Bar]] = field(default_factory=list)  # for who draws them: nobody acts on the past
    trades: list[tuple[int, Trade]] = field(default_factory=list)
    quotes: list[tuple[int, Quoted]] = field(default_factory=list)
    books: list[tuple[int, int, int, Any, Any]] = field(default_factory=list)
    latest: dict[int, tuple[float, float | None, float | None, int, float]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.candles or self.history or self.trades or self.quotes or self.books or self.latest)

    def rows(self) -> list[tuple[str, Any]]:
        """Everything in the order in which it is written, each row behind the name of its field."""
        lists = [(name, row) for name in ("history", "candles", "trades", "quotes", "books") for row in getattr(self, name)]
        return lists + [("latest", item) for item in self.latest.items()]

    @classmethod
    def of(cls, rows: list[tuple[str, Any]]) -> Batch:
        made = cls()
        for name, row in rows:
            if name == "latest":
                made.latest[row[0]] = row[1]
            else:
                getattr(made, name).append(row)
        return made


class Recorder:
    def __init__(self) -> None:
        self.batch = Batch()
        self.outgoing: dict[str, Message] = {}  # conflated messages by channel
        self.trades_out: dict[str, deque[list[float]]] = {}
        self.refs: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        self.before_flush: list[Callable[[], None]] = []
        self.ending = asyncio.Event()
        self._news: asyncio.Queue[tuple[list[Message], list[dict[str, Any]]]] = asyncio.Queue(MOST_NEWS)
        self._pause = 0.0
        self._retry_at = 0.0

    # -- what connections hand in ----------------------------------------------------------------------------

    def candle(self, instrument_id: int, timeframe: str, bar: Bar, *, history: bool = False) -> None:
        (self.batch.history if history else self.batch.candles).append((instrument_id, timeframe, bar))

    def trade(self, instrument_id: int, trade: Trade) -> None:
        if len(self.batch.trades) < MOST_TRADES:
            self.batch.trades.append((instrument_id, trade))
        else:
            self.counts["trades_not_stored"] += 1
        ref = self.refs[instrument_id]
        waiting = self.trades_out.get(ref)
        if waiting is None:
            waiting = self.trades_out[ref] = deque(maxlen=50)
        waiting.append([trade.time_ms, trade.price, float(trade.quantity), trade.side, trade.id])

    def say(self, channel: str, data: dict[str, Any]) -> None:
        """Publish with the next flush, unless a newer message for the channel comes first."""
        self.outgoing[channel] = (channel, data, None, True)

    # -- the loop ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Publish ticks, store what gathers and tell of what was stored, each at its own pace.

        So a slow database delays no tick, and a slow Redis no candle.
        """
        telling = asyncio.create_task(self._tell_all())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._every(PUBLISH_SECONDS, self._tick))
                tasks.create_task(self._every(STORE_SECONDS, self._store))
            await self._publish()
            self._retry_at = 0.0  # there is no later
            await self._store()
            if self.batch:
                logger.error("ended while the database is away: %d candles are not stored", len(self.batch.candles))
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_NEWS_SECONDS):
                    await self._news.join()
        finally:
            telling.cancel()

    def end(self) -> None:
        """Let ``run`` come to its end: the step it is in, and then what has gathered."""
        self.ending.set()

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        """Take ``step`` again and again, ``seconds`` from one start to the next where it takes less."""
        loop = asyncio.get_running_loop()
        while not self.ending.is_set():
            started = loop.time()
            await step()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), max(0.01, seconds - (loop.time() - started)))

    async def flush(self) -> None:
        """All of it once, for a caller that has no loop: publish ticks, write what has gathered, tell of what was written."""
        await self._publish()
        await self._store()
        while not self._news.empty():
            await self._tell(*self._news.get_nowait())

    async def _tick(self) -> None:
        for hook in self.before_flush:
            hook()
        await self._publish()

    async def _publish(self) -> None:
        messages = list(self.outgoing.values())
        self.outgoing = {}
        for ref, waiting in self.trades_out.items():
            messages.append((f"trades/{ref}", {"trades": list(waiting)}, None, True))
        self.trades_out = {}
        await publish_many_async(messages)

    async def _store(self) -> None:
        if not self.batch or time.monotonic() < self._retry_at:
            return
        batch, self.batch = self.batch, Batch()
        try:
            changed, refused = await asyncio.to_thread(write_what_can_be, batch)
        except psycopg.Error as error:
            self._keep(batch, error)
            return
        if self._pause:
            logger.warning("the database is back")
        self._pause = 0.0
        self.counts["candles"] += len(changed)
        self.counts["trades"] += len(batch.trades)
        self.counts["rows_refused"] += refused
        self._announce(batch, changed)

    def _keep(self, batch: Batch, error: Exception) -> None:
        """Put a batch that was not written before what came meanwhile, and wait longer each time."""
        if not self._pause:
            logger.warning("the database is away, keeping what comes: %s", str(error).splitlines()[0] if str(error) else error)
        self._pause = min(max(0.25, self._pause * 2), LONGEST_PAUSE)
        self._retry_at = time.monotonic() + self._pause
        newer = self.batch
        trades = batch.trades + newer.trades
        self.counts["trades_not_stored"] += max(0, len(trades) - MOST_TRADES)
        self.batch = Batch(
            batch.candles + newer.candles, batch.history + newer.history, trades[:MOST_TRADES], newer.quotes, newer.books,
            batch.latest | newer.latest,
        )  # fmt: skip

    def _announce(self, batch: Batch, changed: list[tuple[Any, ...]]) -> None:
        live = {(instrument_id, timeframe, bar.time): bar for instrument_id, timeframe, bar in batch.candles}
        past = {(instrument_id, timeframe, bar.time): bar for instrument_id, timeframe, bar in batch.history}
        missed: dict[str, list[Message]] = {}
        messages: list[Message] = []
        news = []
        for instrument_id, timeframe, opened, inserted, revision in sorted(changed, key=lambda row: (row[2], row[1])):
            key = (instrument_id, timeframe, opened)
            bar = live.get(key) or past.get(key)
            ref = self.refs.get(instrument_id)
            if bar is None or ref is None:
                continue
            channel, number = f"candles/{ref}/{timeframe}", opened // TIMEFRAMES[timeframe].seconds
            data = {"closed": bar.row, "revision": 0 if inserted else revision}
            if key not in live:
                missed.setdefault(channel, []).append((channel, data, number, False))
                continue
            messages.append((channel, data, number, True))
            if inserted:
                news.append({"instrument_id": instrument_id, "timeframe": timeframe, "time": opened, "close": bar.close})
        for channel, told in missed.items():
            messages[:0] = told if len(told) <= MOST_TOLD else [(channel, None, None, False)]
        try:
            self._news.put_nowait((messages, news))
        except asyncio.QueueFull:
            self.counts["bars_not_told"] += len(messages)

    async def _tell_all(self) -> None:
        while True:
            messages, news = await self._news.get()
            await self._tell(messages, news)
            self._news.task_done()

    async def _tell(self, messages: list[Message], news: list[dict[str, Any]]) -> None:
        """Publish closed bars that were committed and send their signal."""
        await publish_many_async(messages)
        if news:
            await asyncio.to_thread(tell, news)


def tell(news: list[dict[str, Any]]) -> None:
    """Send ``bar_closed``. Whoever was not reached finds the candle in the database by a sweep."""
    for item in news:
        for receiver, answer in bar_closed.send_robust(sender=None, revision=0, **item):
            if isinstance(answer, Exception):
                logger.warning("%s did not hear of a closed bar: %s", getattr(receiver, "__name__", receiver), answer)


_raw: psycopg.Connection | None = None


def raw_connection() -> psycopg.Connection:
    """The writer's own connection. Only the writer's thread uses it, one batch at a time."""
    global _raw
    if _raw is None or _raw.closed or _raw.broken:
        parameters = django_connection.get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        _raw = psycopg.connect(**parameters, autocommit=True, connect_timeout=5)
    return _raw


def write_what_can_be(batch: Batch) -> tuple[list[tuple[Any, ...]], int]:
    """Write a batch, halved again and again around the rows that are refused.

    Returns the candles that changed and how many rows were refused.
    """
    try:
        return write(batch), 0
    except REFUSED as error:
        rows = batch.rows()
        if len(rows) == 1:
            logger.warning("the database refused a row, which is left out: %.200s: %.300r", error, rows[0])
            return [], 1
    first, missing = write_what_can_be(Batch.of(rows[: len(rows) // 2]))
    second, more = write_what_can_be(Batch.of(rows[len(rows) // 2 :]))
    return first + second, missing + more


def write(batch: Batch) -> list[tuple[Any, ...]]:
    """Write a batch in one transaction. A second delivery changes nothing. Returns the candles that changed."""
    raw = raw_connection()
    with raw.transaction(), raw.cursor() as cursor:
        changed = write_candles([*batch.history, *batch.candles], raw=raw)
        if batch.trades:
            cursor.execute("create temp table if not exists trade_staging (like marketdata_trade) on commit delete rows")
            with cursor.copy(
                "copy trade_staging (instrument_id, time, trade_id, price, quantity, side) from stdin (format binary)"
            ) as copy:
                copy.set_types(("int8", "timestamptz", "int8", "float8", "float8", "int2"))
                for instrument_id, t in batch.trades:
                    copy.write_row((instrument_id, moment(t.time_ms), t.id, t.price, float(t.quantity), t.side))
            cursor.execute("insert into marketdata_trade select * from trade_staging on conflict do nothing")
        if batch.quotes:
            cursor.executemany(
                "insert into marketdata_quote (instrument_id, time, bid, bid_size, ask, ask_size)"
                " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
                [(i, moment(q.time_ms), q.bid, q.bid_size, q.ask, q.ask_size) for i, q in batch.quotes],
            )
        if batch.books:
            cursor.executemany(
                "insert into marketdata_booksnapshot"
                " (instrument_id, time, sequence, bid_prices, bid_sizes, ask_prices, ask_sizes)"
                " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                [
                    (i, moment(at), sequence, *map(list, zip(*bids, strict=True)), *map(list, zip(*asks, strict=True)))
                    for i, at, sequence, bids, asks in batch.books
                    if bids and asks
                ],
            )
        if batch.latest:
            cursor.executemany(
                "insert into marketdata_latestprice (instrument_id, price, bid, ask, time, received_at)"
                " values (%s, %s, %s, %s, %s, %s) on conflict (instrument_id) do update set price = excluded.price,"
                " bid = excluded.bid, ask = excluded.ask, time = excluded.time, received_at = excluded.received_at"
                " where marketdata_latestprice.time <= excluded.time",
                [
                    (i, price, bid, ask, moment(at), datetime.fromtimestamp(received, UTC))
                    for i, (price, bid, ask, at, received) in sorted(batch.latest.items())
                ],
            )
    return changed


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
