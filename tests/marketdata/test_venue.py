"""The local venue, seen through the real client library."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import ccxt.async_support
import numpy as np
import pytest
import pytest_asyncio

from marketdata.aggregation import Aggregator
from marketdata.bars import roll_up
from marketdata.messages import BookDelta, Kline, Malformed, Quote, Trade
from marketdata.orderbook import OrderBook
from marketdata.providers import ProviderError
from marketdata.providers.base import Subscription
from marketdata.providers.binance import BinanceProvider
from marketdata.timeframes import TIMEFRAMES, Timeframe
from marketdata.venue import RecordedMarket, ReplayMarket, SimulatedMarket, VenueServer
from marketdata.venue.matching import Matching
from marketdata.venue.recorded import LOOP

START = 1_790_000_400  # any moment: a multiple of the loop keeps the phases easy to read


class Clock:
    """A wall clock that the test moves."""

    def __init__(self, at: float = START) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


async def until(condition: Callable[[], Any], *, seconds: float = 10) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.01)
    return found


class Listener:
    """What a provider hears, in order."""

    def __init__(self, provider: BinanceProvider, *subscriptions: Subscription) -> None:
        self.provider = provider
        self.said: list[Any] = []
        self.ended: BaseException | None = None
        self.task = asyncio.create_task(self._listen(subscriptions))

    async def _listen(self, subscriptions: tuple[Subscription, ...]) -> None:
        try:
            await self.provider.listen(subscriptions, lambda raw, said: self.said.append(said))
        except ProviderError as error:
            self.ended = error

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.said if isinstance(one, kind)]

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.provider.close()


@pytest_asyncio.fixture
async def simulated() -> AsyncIterator[VenueServer]:
    async with VenueServer([SimulatedMarket(speed=30.0)], allow_faults=True) as server:
        yield server


@pytest.mark.recorded
async def test_the_capture_played_through_the_client_gives_the_exchanges_own_bar(recorded: Path):
    expected = json.loads((recorded / "expected" / "tick_to_bar_BTCUSDT.json").read_text())
    clock = Clock(START // LOOP * LOOP + 0.5)
    market = RecordedMarket(recorded, now=clock)
    async with VenueServer([market]) as server:
        provider = BinanceProvider(base_url=server.base_url("recorded"))
        provider.now_ms = lambda: clock.at * 1000
        listener = Listener(provider, Subscription("BTCUSDT", "1m", True))
        await until(lambda: server.clients and any(client.streams for client in server.clients))
        last = market.began + LOOP - 0.001
        while clock.at < last:  # in steps that the server's queue holds
            clock.at = min(clock.at + 10, last)
            await until(lambda: market.capture.at[market._position - 1] >= (clock.at - market.began) * 1000 - 500)
            await until(lambda: all(client.queue.empty() for client in server.clients))
        await until(lambda: listener.of(Trade)[-1].id == len(market.capture.trades))
        made = Aggregator(Timeframe.of("1m"), TIMEFRAMES.values())
        made.connected(0)
        closed = [item for trade in listener.of(Trade) for item in made.add(trade)]
        closed += made.tick(clock.at + 5)
        wanted = market.began + 300  # the capture's 00:00:00
        (bar,) = [item.bar for item in closed if item.timeframe == "5m" and item.bar.time == wanted]
        assert bar[1:6] == tuple(expected["bar"][name] for name in ("open", "high", "low", "close", "volume"))
        clock.at += 10
        (by_rest,) = await provider.bars("BTCUSDT", "5m", start=wanted, end=wanted + 300)
        await listener.close()
    assert by_rest[1:6] == bar[1:6]
    assert listener.of(Malformed) == []


@pytest.mark.recorded
async def test_the_book_is_never_crossed_and_survives_the_seam_of_the_loop(recorded: Path):
    clock = Clock(START // LOOP * LOOP + LOOP - 3)
    async with VenueServer([RecordedMarket(recorded, now=clock)]) as server:
        provider = BinanceProvider(base_url=server.base_url("recorded"))
        provider.now_ms = lambda: clock.at * 1000
        listener = Listener(provider, Subscription("BTCUSDT", "1m", True))
        await until(lambda: any(client.streams for client in server.clients))
        book, missing = OrderBook(), 0
        clock.at += 0.5
        await until(lambda: listener.of(BookDelta))
        book.snapshot(*await provider.book("BTCUSDT"))
        clock.at += 5  # over the seam
        await until(lambda: len({delta.first for delta in listener.of(BookDelta)}) > 30)
        for delta in listener.of(BookDelta):
            try:
                book.apply(delta)
            except Exception:
                missing += 1
                break
        assert missing == 1
        book.reset()
        book.snapshot(*await provider.book("BTCUSDT"))
        bids, asks = book.top(1)
        assert bids[0][0] < asks[0][0]
        await listener.close()


@pytest.mark.recorded
async def test_replayed_bars_arrive_closed_and_equal_what_rest_answers(recorded: Path, tmp_path: Path):
    clock = Clock()
    market = ReplayMarket(recorded, now=clock, state=tmp_path)
    async with VenueServer([market]) as server:
        provider = BinanceProvider(base_url=server.base_url("replay"))
        provider.now_ms = lambda: market.now() * 1000
        listener = Listener(provider, Subscription("ETHUSDT", "5m", False))
        await until(lambda: any(client.streams for client in server.clients))
        first = int(market.now()) // 300 * 300
        for _ in range(4):
            clock.at += 5.0
            count = len(listener.of(Kline))
            await until(lambda count=count: len(listener.of(Kline)) > count)
        closed = {said.bar.time: said.bar for said in listener.of(Kline) if said.closed}
        theirs = await provider.bars("ETHUSDT", "5m", start=first, end=int(market.now()))
        assert len(theirs) >= 3
        assert [bar[:6] for bar in theirs] == [closed[bar.time][:6] for bar in theirs]
        forming = [said.bar for said in listener.of(Kline) if not said.closed]
        assert all(bar.low <= bar.close <= bar.high for bar in forming)
        await listener.close()
    assert market.now() < clock.at  # never ahead of our clock
    again = ReplayMarket(recorded, now=clock, state=tmp_path)
    assert again.origin == market.origin  # a restart changes no history
    assert abs(again.now() - market.now()) <= 60 * 2


@pytest.mark.recorded
def test_the_replays_longer_bars_are_its_short_ones_rolled_up(recorded: Path):
    market = ReplayMarket(recorded, now=Clock())
    symbol = market.symbols["SOLUSDT"]
    short = market.klines(symbol, "5m", (START - 35 * 86400) * 1000, None, 1000)
    for name in ("1h", "4h"):
        timeframe = Timeframe.of(name)
        whole = list(roll_up(short, timeframe).rows())[1:-1]
        theirs = {row[0]: row for row in market.klines(symbol, name, int(short.time[0]) * 1000, None, 1000).rows()}
        assert all(theirs[row[0]] == pytest.approx(row) for row in whole)
    monday = market.klines(symbol, "1d", (START - 60 * 86400) * 1000, None, 1)
    assert (int(monday.time[0]) - market.origin) % 86400 == 0


def test_the_simulation_is_the_same_for_the_same_seed_and_clock():
    def flow(seed: int) -> list[Any]:
        market = SimulatedMarket(seed=seed, now=Clock())
        return [(pair.symbol.name, done) for _ in range(200) for pair, done in market.step()]

    assert flow(3) == flow(3)
    assert flow(3) != flow(4)
    assert len(flow(3)) > 50


def test_simulated_returns_have_fat_tails_and_clustered_volatility():
    market = SimulatedMarket(seed=5, now=Clock())
    close = market.pairs["BTCUSDT"].history.close
    returns = np.diff(np.log(close))
    kurtosis = float(((returns - returns.mean()) ** 4).mean() / returns.var() ** 2)
    size = np.abs(returns)
    assert kurtosis > 4
    assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.05
    others = [np.diff(np.log(market.pairs[name].history.close)) for name in ("ETHUSDT", "SOLUSDT")]
    assert all(np.corrcoef(returns, other)[0, 1] > 0.4 for other in others)


def test_orders_match_by_price_and_then_by_time():
    engine = Matching(decimals=3)
    engine.limit("sell", 101, 1.0)
    engine.limit("sell", 100, 1.0)
    engine.limit("sell", 100, 2.0)
    assert [(done.price, done.size) for done in engine.limit("buy", 101, 3.5)] == [(100, 1.0), (100, 2.0), (101, 0.5)]
    assert engine.best_ask() == 101
    assert engine.size_at("a", 101) == 0.5
    assert engine.limit("buy", 99, 1.0) == []
    assert engine.best_bid() == 99


async def test_the_simulation_publishes_trades_quotes_and_a_book_in_step(simulated: VenueServer):
    market = simulated.markets["simulated"]
    provider = BinanceProvider(base_url=simulated.base_url("simulated"))
    provider.now_ms = lambda: market.now() * 1000
    listener = Listener(provider, Subscription("BTCUSDT", "1m", True))
    await until(lambda: len(listener.of(Trade)) > 20 and listener.of(Quote) and len(listener.of(BookDelta)) > 5, seconds=20)
    trades = listener.of(Trade)
    assert [trade.id for trade in trades] == list(range(trades[0].id, trades[0].id + len(trades)))
    deltas = listener.of(BookDelta)
    assert all(after.first == before.last + 1 for before, after in pairwise(deltas))
    assert listener.of(Malformed) == []
    await listener.close()


async def test_broken_messages_are_refused_and_the_stream_goes_on(simulated: VenueServer):
    market = simulated.markets["simulated"]
    provider = BinanceProvider(base_url=simulated.base_url("simulated"))
    provider.now_ms = lambda: market.now() * 1000
    listener = Listener(provider, Subscription("BTCUSDT", "1m", True))
    await until(lambda: listener.of(Trade))
    simulated.faults.malformed = 12
    await until(lambda: len(listener.of(Malformed)) >= 10)
    count = len(listener.of(Trade))
    await until(lambda: len(listener.of(Trade)) > count)
    assert {error.reason for error in listener.of(Malformed)} >= {"type", "unknown"}
    await listener.close()


async def test_a_lost_connection_and_a_refusal_are_provider_errors(simulated: VenueServer):
    provider = BinanceProvider(base_url=simulated.base_url("simulated"))
    listener = Listener(provider, Subscription("BTCUSDT", "1m", True))
    await until(lambda: simulated.clients)
    await simulated.disconnect()
    await until(lambda: listener.ended)
    simulated.faults.statuses.extend([429, 500])
    for _ in range(2):
        with pytest.raises(ProviderError):
            await provider.server_time()
    assert await provider.server_time() > 0
    with pytest.raises(ProviderError, match="Invalid symbol"):
        await provider.bars("NOPE", "1m", start=0, end=60)
    await listener.close()


async def test_ccxts_own_unified_calls_understand_the_venue(simulated: VenueServer):
    client = ccxt.async_support.binance(
        {"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}}
    )
    base = simulated.base_url("simulated") + "/api/v3"
    client.urls["api"] |= {"public": base, "private": base}
    try:
        markets = await client.load_markets()
        candles = await client.fetch_ohlcv("BTC/USDT", "1h", limit=5)
        ticker = await client.fetch_ticker("ETH/USDT")
    finally:
        await client.close()
    assert "BTC/USDT" in markets
    assert markets["BTC/USDT"]["precision"]["price"] == 0.01
    assert len(candles) == 5
    assert ticker["last"] > 0
