"""From raw exchange messages to committed candles, and bars in bulk."""

from __future__ import annotations

import asyncio
import statistics
import time

import numpy as np

from benchmarks.figures import Figure
from marketdata.bars import Bars
from marketdata.messages import Trade
from marketdata.models import Candle, Instrument, Venue
from marketdata.providers.binance import BinanceProvider
from marketdata.services.markets import set_up_markets
from marketdata.store import write_bars
from marketdata.stream.connection import VenueConnection
from marketdata.stream.recorder import Recorder

TRADES = 200_000
CHUNK = 5_000  # messages between two flushes, as at 50,000 a second
BARS = 200_000


def raw_trades(symbol: str, count: int, begin_ms: int) -> list[dict]:
    """Messages as the exchange writes them, over ten minutes of its time."""
    return [
        {
            "e": "trade", "E": (at := begin_ms + i * 600_000 // count), "s": symbol, "t": i + 1,
            "p": f"{60_000 + i % 997 / 10:.2f}", "q": f"{(i % 89 + 1) / 1000:.5f}", "T": at, "m": i % 2 == 0, "M": True,
        }
        for i in range(count)
    ]  # fmt: skip


async def trades_per_second(venue: Venue, instruments: list[Instrument]) -> float:
    """normalise → aggregate → COPY trades and candles into PostgreSQL, and publish, as the stream process does it."""
    rates = []
    for turn in range(3):
        recorder = Recorder()
        connection = VenueConnection(venue, instruments, recorder)
        connection._ask = connection._apply = lambda *_: asyncio.sleep(0)  # type: ignore[assignment]  no venue to ask
        provider = BinanceProvider(base_url="http://127.0.0.1:1")
        begin = (int(time.time()) // 60 * 60 - 86_400 * (turn + 1)) * 1000
        provider.now_ms = lambda begin=begin: begin + 300_000.0
        for series in connection.series.values():
            series.aggregator.connected(0)
        messages = raw_trades(instruments[0].venue_symbol, TRADES, begin)
        started = time.perf_counter()
        for at in range(0, TRADES, CHUNK):
            for message in messages[at : at + CHUNK]:
                said = provider.normalise(message)
                assert isinstance(said, Trade)
                connection.heard(message, said)
            connection.flush()
            await recorder.flush()
        rates.append(TRADES / (time.perf_counter() - started))
        assert recorder.counts["trades"] == TRADES
        await provider.close()
    return statistics.median(rates)


def bars_per_second() -> float:
    instrument = Instrument.objects.get(ref="binance:BTC-USDT")
    rates = []
    for turn in range(3):
        begin = 1_500_000_000 // 60 * 60 + turn * BARS * 60
        time_ = begin + 60 * np.arange(BARS)
        bars = Bars(time_, *(np.full(BARS, value) for value in (100.0, 101.0, 99.0, 100.5, 5.0)))
        started = time.perf_counter()
        for at in range(0, BARS, 50_000):
            write_bars(instrument.pk, "1m", bars[at : at + 50_000], source=Candle.Source.FILE)
        rates.append(BARS / (time.perf_counter() - started))
    assert Candle.objects.filter(instrument=instrument).count() == 3 * BARS
    return statistics.median(rates)


def measure() -> list[Figure]:
    set_up_markets(feed="off")
    venue = Venue.objects.get(code="recorded")
    instruments = list(venue.instruments.select_related("venue"))
    return [
        Figure("normalise + aggregate + store", asyncio.run(trades_per_second(venue, instruments)), "/s", 50_000, "higher"),
        Figure("bulk candle upsert", bars_per_second(), "/s", 200_000, "higher"),
    ]
