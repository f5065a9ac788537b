"""A venue's connection, through ccxt's client and a venue server whose every word the test decides."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import orjson
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from clusterx.live import publish as live
from marketdata.bars import Bars
from marketdata.models import Instrument
from marketdata.orderbook import OrderBook
from marketdata.signals import bar_closed
from marketdata.stream import connection as connecting
from marketdata.stream.connection import Series, VenueConnection
from marketdata.stream.recorder import Recorder
from marketdata.timeframes import TIMEFRAMES, Timeframe
from marketdata.venue import VenueServer
from marketdata.venue.market import Emit, Market, Symbol
from tests.factories import InstrumentFactory, VenueFactory
from tests.marketdata.outside import Outside
from tests.marketdata.venue.clients import until

pytestmark = pytest.mark.django_db(transaction=True)
DAY = 1_790_035_200  # a midnight
START = DAY + 1800
HOUR_MS = 3_600_000


class Scripted(Market):
    """Trades when the test says so; minutes without a trade are flat. What REST answers of it is the truth."""

    name = "scripted"
    mode = "simulated"
    label = source = "a script"

    def __init__(self) -> None:
        self.symbols = {"BTCUSDT": Symbol("BTC", "USDT", 2, 5)}
        self.at = START + 30.0
        self.traded: list[tuple[int, float, float]] = []  # ms, price, size; the id is the position
        self.book = OrderBook()
        self.book.snapshot(100, [(99.0, 1.0)], [(101.0, 1.0)])

    def now(self) -> float:
        return self.at

    def begin(self, symbol: Symbol) -> int:
        return DAY - 3 * 86400

    def bars(self, symbol: Symbol, start: int, end: int, timeframe: Timeframe) -> Bars:
        first = max(start, self.begin(symbol))
        times = np.arange(first - first % 60, min(end, int(self.at) + 1), 60, dtype=np.int64)
        row = np.full(len(times), 100.0)
        open_, high, low, close, volume = row, row.copy(), row.copy(), row.copy(), row * 0
        last, rows = 100.0, {int(time): i for i, time in enumerate(times)}
        for ms, price, size in sorted(self.traded):
            if (i := rows.get(ms // 60000 * 60)) is None:
                last = price if ms < first * 1000 else last
                continue
            if not volume[i]:
                open_[i] = high[i] = low[i] = price
            high[i], low[i], close[i] = max(high[i], price), min(low[i], price), price
            volume[i] = round(volume[i] + size, 5)
        for i in range(len(times)):
            if volume[i]:
                last = close[i]
            else:
                open_[i] = high[i] = low[i] = close[i] = last
        return Bars(times, open_, high, low, close, volume)

    async def run(self, emit: Emit, wanted: Callable[[], set[str]]) -> None:
        self.emit = emit
        await asyncio.Event().wait()

    def depth(self, symbol: Symbol, limit: int) -> dict[str, Any]:
        bids, asks = self.book.top(limit)
        return {
            "lastUpdateId": self.book.update,
            "bids": [[str(price), str(size)] for price, size in bids],
            "asks": [[str(price), str(size)] for price, size in asks],
        }

    def message(self, number: int) -> dict[str, Any]:
        ms, price, size = self.traded[number]
        return {"e": "trade", "E": ms, "s": "BTCUSDT", "t": number, "p": f"{price:.2f}", "q": f"{size:.5f}", "T": ms, "m": True}

    def trade(self, second: float, price: float, size: float = 1.0, *, told: bool = True) -> int:
        """Somebody trades ``second`` seconds after the start; the clock is moved there. Returns the trade's id."""
        self.at = max(self.at, START + second)
        self.traded.append((int((START + second) * 1000), price, size))
        if told:
            self.tell(len(self.traded) - 1)
        return len(self.traded) - 1

    def tell(self, number: int) -> None:
        self.emit("btcusdt@trade", self.message(number))

    def change(self, price: float, size: float, *, told: bool = True) -> None:
        """Change a level of the book."""
        from marketdata.messages import BookDelta

        update = (self.book.update or 0) + 1
        bids, asks = ([(price, size)], []) if price <= 100 else ([], [(price, size)])
        self.book.apply(BookDelta("BTCUSDT", update, update, int(self.at * 1000), bids, asks))
        said = {"b": [[str(p), str(s)] for p, s in bids], "a": [[str(p), str(s)] for p, s in asks]}
        if told:
            self.emit(
                "btcusdt@depth",
                {"e": "depthUpdate", "E": int(self.at * 1000), "s": "BTCUSDT", "U": update, "u": update} | said,
            )


class Stage:
    """A venue, a connection to it and the recorder behind it."""

    def __init__(self, server: VenueServer, market: Scripted, made: VenueConnection, outside: Outside) -> None:
        self.server, self.market, self.connection, self.outside = server, market, made, outside
        self.recorder = made.recorder

    @property
    def series(self) -> Series:
        return self.connection.series["BTCUSDT"]

    def listening(self) -> bool:
        return self.connection.connected and any("btcusdt@trade" in client.streams for client in self.server.clients)

    async def wait(self, until_second: float) -> None:
        """The venue's clock passes ``until_second``, and nothing else happens."""
        self.market.at = max(self.market.at, START + until_second)
        await until(lambda: abs(self.connection.clock.now() - self.market.at) < 1)

    async def hears(self, number: int) -> None:
        """The connection has taken the trade."""
        await until(lambda: any(number in minute.ids for minute in self.series.aggregator.minutes.values()))

    def say(self, text: bytes) -> None:
        for client in self.server.clients:
            client.put(text)

    def stored(self, timeframe: str = "1m") -> list[tuple[Any, ...]]:
        return self.outside.rows(
            "select extract(epoch from time)::bigint, open, high, low, close, volume from marketdata_candle"
            f" where timeframe = '{timeframe}' order by time"
        )

    def truth(self, timeframe: str = "1m") -> list[tuple[Any, ...]]:
        """The closed bars that REST tells, from the first stored one on."""
        length = TIMEFRAMES[timeframe].seconds
        stored = self.stored(timeframe)
        if not stored:
            return [("nothing is stored",)]
        symbol, ends = self.market.symbols["BTCUSDT"], int(self.market.at)
        bars = self.market.klines(symbol, timeframe, stored[0][0] * 1000, ends * 1000, 1000)
        return [row for row in bars.rows() if row[0] + length <= ends]

    async def agrees(self, *timeframes: str) -> None:
        """Every closed bar is stored as the venue tells it, without a hole."""
        for timeframe in timeframes or ("1m", "5m"):
            try:
                await until(lambda timeframe=timeframe: self.stored(timeframe) == self.truth(timeframe), seconds=15)
            except TimeoutError:
                assert self.stored(timeframe) == self.truth(timeframe)


@pytest.fixture
def instrument(transactional_db: None) -> Instrument:
    return InstrumentFactory(venue=VenueFactory(code="scripted"), base="BTC", venue_symbol="BTCUSDT")


@pytest.fixture
async def stage(instrument: Instrument, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(bar_closed, "receivers", [])
    monkeypatch.setattr(live, "_async_client", None)
    monkeypatch.setattr(connecting, "FIRST_HISTORY", 10)
    monkeypatch.setattr(connecting, "CLOCK_EVERY", 0.05)
    market, recorder = Scripted(), Recorder()
    with Outside() as outside:
        async with VenueServer([market], allow_faults=True) as server:
            instrument.venue.base_url = server.base_url("scripted")
            made = VenueConnection(instrument.venue, [instrument], recorder)
            recorder.before_flush.append(made.flush)
            tasks = [asyncio.create_task(recorder.run()), asyncio.create_task(made.run())]
            yield Stage(server, market, made, outside)
            tasks[1].cancel()
            recorder.end()
            await asyncio.gather(*tasks, return_exceptions=True)
            failed = tasks[0].exception()
        if live._async_client is not None:
            await live._async_client.aclose()
        await sync_to_async(connections.close_all)()
    assert failed is None


async def test_live_bars_follow_the_backfilled_ones_and_both_are_the_venues_own(stage: Stage) -> None:
    await until(stage.listening)
    for second, price in [(31, 100.0), (62, 103.0), (70, 99.0), (119, 101.0), (125, 102.0), (299, 104.0), (301, 105.0)]:
        stage.market.trade(second, price)
    await stage.wait(400)
    await stage.agrees()
    assert len(stage.stored("5m")) == 10 + 1


async def test_a_venue_that_is_silent_after_we_connected_leaves_no_hole(stage: Stage) -> None:
    await until(stage.listening)
    await stage.wait(200)
    stage.market.trade(201, 107.0)
    await stage.wait(305)
    await stage.agrees()


async def test_after_a_lost_connection_the_hole_is_filled_and_live_bars_go_on(stage: Stage) -> None:
    await until(stage.listening)
    first = stage.market.trade(65, 101.0)
    await stage.hears(first)
    await stage.server.disconnect()
    for second in range(90, 270, 20):
        stage.market.trade(second, 100 + second / 10)
    await until(lambda: stage.connection.error)
    stage.server.faults.statuses.extend([500, 503])  # and it is not well yet
    await until(stage.listening)
    await stage.agrees()
    assert stage.connection.error == ""
    for second in range(275, 700, 25):
        stage.market.trade(second, 200 - second / 10)
    await stage.wait(705)
    await stage.agrees()


async def test_what_a_connection_missed_that_died_without_a_word_is_mended(stage: Stage) -> None:
    await until(stage.listening)
    await stage.hears(stage.market.trade(65, 101.0))
    for client in stage.server.clients:
        client.streams.clear()
    for second in range(70, 250, 30):
        stage.market.trade(second, 100 + second / 10)
    await stage.wait(255)
    await until(lambda: stage.stored() and stage.stored()[-1][0] == START + 180)  # flat, as far as we knew
    assert stage.stored() != stage.truth()
    await until(lambda: not stage.connection.owed)  # bars that we know to be incomplete are another story
    await stage.server.disconnect()
    await until(stage.listening)
    await stage.agrees()


async def test_trades_between_looking_at_the_clock_and_listening_are_not_missed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(stage.listening)
    seed = VenueConnection._seed

    def slow(self: VenueConnection, series: Series, now: int) -> None:
        seed(self, series, now)
        stage.market.trade(125, 120.0, told=False)  # as long as the database takes, the venue goes on

    monkeypatch.setattr(VenueConnection, "_seed", slow)
    await stage.server.disconnect()
    await until(lambda: stage.market.traded)
    await until(stage.listening)
    heard = stage.market.trade(150, 110.0)
    await stage.hears(heard)
    await stage.wait(185)
    await stage.agrees("1m")


async def test_a_trade_lost_at_the_end_of_a_minute_is_asked_for(stage: Stage) -> None:
    await until(stage.listening)
    stage.market.trade(61, 101.0)
    stage.market.trade(119, 130.0, told=False)
    stage.market.trade(121, 102.0)
    stage.market.trade(185, 103.0)
    await stage.wait(250)
    await stage.agrees("1m")


async def test_a_trade_lost_before_a_minute_that_the_clock_closed_is_asked_for(stage: Stage) -> None:
    await until(stage.listening)
    await stage.hears(stage.market.trade(61, 101.0))
    stage.market.trade(119, 130.0, told=False)
    await stage.wait(130)
    await until(lambda: stage.stored() and stage.stored()[-1][0] == START + 60)
    stage.market.trade(131, 102.0)
    await stage.wait(190)
    await stage.agrees("1m")


async def test_trades_told_twice_and_out_of_order_change_nothing(stage: Stage) -> None:
    await until(stage.listening)
    numbers = [stage.market.trade(40 + 7 * i, 100.0 + i % 5, told=False) for i in range(30)]
    for i in range(0, 30, 3):
        for number in (numbers[i + 2], numbers[i], numbers[i], numbers[i + 1], numbers[i + 2]):
            stage.market.tell(number)
    await stage.hears(numbers[-1])
    await stage.wait(305)
    for number in numbers:
        stage.market.tell(number)
    await stage.agrees("1m")
    await until(lambda: stage.outside.rows("select count(*) from marketdata_trade") == [(30,)])
    assert stage.series.price == stage.market.traded[-1][1]


def changed(**values: Any) -> bytes:
    """A trade that would be good but for ``values``."""
    good = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 900, "p": "5555", "q": "1", "T": int((START + 31) * 1000), "m": True}
    return json.dumps(good | values).encode()


BROKEN: dict[str, list[bytes]] = {
    "type": [
        b"no json", b"", b'{"e":', b"[]", b"null", b"12", b'"trade"', b"[" * 20_000,
        changed(p=None), changed(p=True), changed(p=[1]), changed(p=10**400), changed(q={}),
        changed(t="900"), changed(t=1.5), changed(t=2**70), changed(T="now"),
        changed(s=7), changed(s=["BTCUSDT"]), changed(s="X" * 99),
        b'{"e":"trade","s":"BTCUSDT"}', b'{"e":"kline","s":"BTCUSDT","k":7}', b'{"e":"kline","s":"BTCUSDT","k":{"i":[]}}',
        b'{"e":"depthUpdate","s":"BTCUSDT","U":101,"u":101,"E":%d,"b":[["1"]],"a":7}' % (START * 1000),
        b'{"stream":"x","data":[]}',
    ],
    "price": [changed(p="0"), changed(p="-1"), changed(p="1e15"), changed(p=0), changed(p=-0.0)],
    "number": [changed(p="NaN"), changed(p="Infinity"), changed(p="1e999"), changed(p="x"), changed(t=-1), changed(q="x")],
    "quantity": [changed(q="0"), changed(q="-3"), changed(q="1e30"), changed(q="NaN"), changed(q="Infinity")],
    "clock": [changed(T=0), changed(T=int(START * 1000) - 3 * HOUR_MS), changed(T=int(START * 1000) + 3 * HOUR_MS),
              changed(T=2**62),
              b'{"e":"depthUpdate","s":"BTCUSDT","U":101,"u":101,"E":%d,"b":[],"a":[["101.5","1"]]}' % 2**62],
    "symbol": [changed(s="DOGEUSDT")],
    "unknown": [changed(e="surprise"), changed(e=None, u=1), changed(e=["trade"])],
}  # fmt: skip


@pytest.mark.parametrize("reason", BROKEN)
async def test_what_cannot_be_true_is_counted_and_logged_once_and_the_stream_goes_on(
    stage: Stage, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await until(stage.listening)
    await until(lambda: stage.series.book.ready)
    stage.market.trade(31, 101.0)
    for text in BROKEN[reason]:
        stage.say(text)
    last = stage.market.trade(70, 102.0)
    await stage.hears(last)
    counts = {name: count for name, count in stage.connection.counts.items() if name.startswith("refused_")}
    assert counts == {f"refused_{reason}": len(BROKEN[reason])}
    logged = [record for record in caplog.records if f"refused ({reason})" in record.getMessage()]
    assert len(logged) == 1
    await stage.wait(130)
    await stage.agrees("1m")
    assert stage.outside.rows("select price from marketdata_trade order by price") == [(101.0,), (102.0,)]
    assert not any("connected" in record.getMessage() for record in caplog.records[caplog.records.index(logged[0]) :])


async def test_a_frame_of_bytes_does_not_end_the_stream(stage: Stage) -> None:
    await until(stage.listening)
    for client in stage.server.clients:
        await client.socket.send_bytes(b"\xff\xfe\x00 no text")
    last = stage.market.trade(31, 102.0)
    await stage.hears(last)
    assert stage.connection.counts["refused_type"] == 1


async def test_a_book_that_is_out_of_step_begins_again_and_is_the_venues(stage: Stage) -> None:
    await until(stage.listening)
    await until(lambda: stage.series.book.ready)
    stage.market.change(99.5, 2.0)
    await until(lambda: stage.series.book.update == stage.market.book.update)
    stage.market.change(99.6, 3.0, told=False)
    stage.market.change(100.5, 4.0)
    await until(lambda: stage.connection.counts["book_resync"] == 1)
    stage.market.change(98.0, 5.0)
    await until(lambda: stage.series.book.update == stage.market.book.update)
    assert stage.series.book.top(9) == stage.market.book.top(9)
    assert orjson.dumps(stage.connection.status())
