"""ccxt's own client, unchanged but for its addresses, against every market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import ccxt
import pytest
import pytest_asyncio

from marketdata.venue import RecordedMarket, ReplayMarket, SimulatedMarket, VenueServer
from tests.marketdata.venue.clients import START, Clock, ccxt_client


@pytest_asyncio.fixture
async def simulated() -> AsyncIterator[Any]:
    async with (
        VenueServer([SimulatedMarket(speed=60.0)], allow_faults=True) as server,
        ccxt_client(server, "simulated") as client,
    ):
        yield client


async def watched(coroutine: Any) -> Any:
    return await asyncio.wait_for(coroutine, 15)


async def test_markets_have_the_precision_and_the_limits_that_orders_need(simulated: Any):
    markets = await simulated.load_markets()
    assert set(markets) == {"BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT"}
    bitcoin, ripple = markets["BTC/USDT"], markets["XRP/USDT"]
    assert bitcoin["spot"]
    assert bitcoin["active"]
    assert bitcoin["precision"]["price"] == 0.01
    assert bitcoin["precision"]["amount"] == 0.00001
    assert bitcoin["limits"]["cost"]["min"] == 5
    assert ripple["precision"]["amount"] == 1
    assert simulated.amount_to_precision("XRP/USDT", 12.7) == "12"


async def test_bars_book_trades_and_tickers_come_by_rest(simulated: Any):
    await watched(simulated.watch_trades("BTC/USDT"))
    hours = await simulated.fetch_ohlcv("ETH/USDT", "1h", limit=48)
    assert len(hours) == 48
    assert [later[0] - earlier[0] for earlier, later in pairwise(hours)] == [3_600_000] * 47
    assert all(low <= min(open_, close) <= max(open_, close) <= high for _, open_, high, low, close, _ in hours)
    book = await simulated.fetch_order_book("BTC/USDT", 10)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert book["bids"] == sorted(book["bids"], reverse=True)
    recent = await simulated.fetch_trades("BTC/USDT")
    later = await simulated.fetch_trades("BTC/USDT", since=recent[-1]["timestamp"])
    assert later[0]["timestamp"] == recent[-1]["timestamp"]
    assert min(int(trade["id"]) for trade in later) > int(recent[0]["id"])
    tickers = await simulated.fetch_tickers()
    assert tickers["SOL/USDT"]["low"] <= tickers["SOL/USDT"]["last"] <= tickers["SOL/USDT"]["high"]
    quotes = await simulated.fetch_bids_asks(["BTC/USDT"])
    assert quotes["BTC/USDT"]["bid"] < quotes["BTC/USDT"]["ask"]


async def test_trades_books_quotes_bars_and_tickers_are_heard(simulated: Any):
    trades, book, quotes, bars, ticker = await asyncio.gather(
        watched(simulated.watch_trades("BTC/USDT")),
        watched(simulated.watch_order_book("BTC/USDT")),
        watched(simulated.watch_bids_asks(["BTC/USDT"])),
        watched(simulated.watch_ohlcv("BTC/USDT", "1m")),
        watched(simulated.watch_ticker("BTC/USDT")),
    )
    assert trades[-1]["side"] in {"buy", "sell"}
    assert book["bids"][0][0] < book["asks"][0][0]
    assert quotes["BTC/USDT"]["bid"] < quotes["BTC/USDT"]["ask"]
    near = trades[-1]["price"]
    assert bars[-1][4] == pytest.approx(near, rel=0.05)
    assert ticker["last"] == pytest.approx(near, rel=0.05)


async def test_the_library_keeps_a_book_that_stays_in_step(simulated: Any):
    for _ in range(30):  # ccxt raises when an update id is missing
        book = await watched(simulated.watch_order_book("ETH/USDT"))
        assert book["bids"][0][0] < book["asks"][0][0]


async def test_what_the_library_does_not_know_is_a_bad_symbol(simulated: Any):
    await simulated.load_markets()
    with pytest.raises(ccxt.BadSymbol):
        await simulated.publicGetKlines({"symbol": "NOPE", "interval": "1m"})
    with pytest.raises(ccxt.BadRequest):
        await simulated.publicGetKlines({"symbol": "BTCUSDT", "interval": "7m"})


@pytest.mark.recorded
async def test_the_library_hears_the_recorded_trades_and_book(recorded: Path):
    async with VenueServer([RecordedMarket(recorded)]) as server, ccxt_client(server, "recorded") as client:
        trades, book, quotes, bars = await asyncio.gather(
            watched(client.watch_trades("BTC/USDT")),
            watched(client.watch_order_book("BTC/USDT")),
            watched(client.watch_bids_asks(["BTC/USDT"])),
            watched(client.watch_ohlcv("BTC/USDT", "5m")),
        )
        assert 61_000 < trades[-1]["price"] < 62_500
        assert abs(trades[-1]["timestamp"] - client.milliseconds()) < 5_000
        assert book["bids"][0][0] < book["asks"][0][0]
        assert 61_000 < quotes["BTC/USDT"]["bid"] < 62_500
        assert bars[-1][0] % 300_000 == 0
        assert len(await client.fetch_ohlcv("BTC/USDT", "1d", limit=30)) == 30


@pytest.mark.recorded
async def test_the_library_hears_replayed_bars_and_finds_no_made_up_book(recorded: Path):
    clock = Clock(START + 0.0)
    async with VenueServer([ReplayMarket(recorded, now=clock)]) as server, ccxt_client(server, "replay") as client:
        bars = await watched(client.watch_ohlcv("DOGE/USDT", "1h"))
        assert bars[-1][0] % 3_600_000 == 0
        book = await client.fetch_order_book("DOGE/USDT")
        assert (book["bids"], book["asks"]) == ([], [])
        assert await client.fetch_trades("DOGE/USDT") == []
        with pytest.raises(ccxt.BadRequest):
            await client.fetch_ohlcv("DOGE/USDT", "1m")
