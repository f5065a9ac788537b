"""The protocol itself, as a bare client sees it: shapes, errors, subscriptions, and what REST answers for a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.bars import Bar, Bars, roll_up
from marketdata.timeframes import TIMEFRAMES
from marketdata.venue import SimulatedMarket, VenueServer
from tests.marketdata.venue.clients import START, Clock, Raw, raw_client, said


@pytest_asyncio.fixture
async def raw() -> AsyncIterator[Raw]:
    async with VenueServer([SimulatedMarket(speed=60.0)]) as server, raw_client(server, "simulated") as client:
        yield client


@pytest.mark.parametrize(
    ("call", "query", "code"),
    [
        ("klines", {"symbol": "NOPE", "interval": "1m"}, -1121),
        ("klines", {"interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "2m"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "x"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": "-5"}, -1130),
        ("depth", {"symbol": ""}, -1102),
        ("ticker/24hr", {"symbol": "btcusdt"}, -1121),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_the_exchanges_shape(raw: Raw, call: str, query: dict[str, str], code: int):
    status, body, headers = await raw.get(f"/api/v3/{call}", **query)
    assert (status, body["code"]) == (400, code)
    assert isinstance(body["msg"], str)
    assert int(headers["X-MBX-USED-WEIGHT-1M"]) >= 1


async def test_an_unknown_market_or_address_is_not_found(raw: Raw):
    for path in ("/api/v3/order", "/api/v3/userDataStream"):
        async with raw.session.get(raw.base + path) as answer:
            assert answer.status == 404
    async with raw.session.get(raw.base.replace("simulated", "nowhere") + "/api/v3/time") as answer:
        assert answer.status == 404


async def test_the_weight_of_a_minute_grows_with_each_request(raw: Raw):
    weights = []
    for _ in range(3):
        _, _, headers = await raw.get("/api/v3/time")
        weights.append(int(headers["X-MBX-USED-WEIGHT-1M"]))
    assert weights == sorted(weights)
    assert weights[-1] > weights[0] or weights[-1] == 1  # a minute of ours may have begun between them


async def test_a_venue_says_what_it_is(raw: Raw):
    _, info, _ = await raw.get("/clusterx/info")
    assert info["mode"] == "simulated"
    assert info["speed"] == 60.0
    assert "seed 7" in info["label"]
    assert "BTCUSDT" in info["symbols"]


async def test_one_symbol_answers_an_object_and_all_of_them_a_list(raw: Raw):
    one = await raw.ask("ticker/price", symbol="ETHUSDT")
    assert one["symbol"] == "ETHUSDT"
    assert {row["symbol"] for row in await raw.ask("ticker/price")} > {"ETHUSDT", "BTCUSDT"}
    (info,) = (await raw.ask("exchangeInfo", symbol="ETHUSDT"))["symbols"]
    assert info["symbol"] == "ETHUSDT"


async def test_numbers_are_text_with_the_instruments_decimals(raw: Raw):
    row = (await raw.ask("klines", symbol="BTCUSDT", interval="1h", limit=1))[0]
    assert [len(text.partition(".")[2]) for text in row[1:6]] == [2, 2, 2, 2, 5]
    assert row[6] == row[0] + 3_600_000 - 1
    assert len(row) == 12


async def test_a_raw_stream_is_bare_and_a_combined_one_is_wrapped(raw: Raw):
    async with (
        raw.socket("/ws/btcusdt@bookTicker") as bare,
        raw.socket("/stream?streams=btcusdt@depth@100ms/ethusdt@trade") as both,
    ):
        quote = await said(bare)
        assert quote["s"] == "BTCUSDT"
        assert float(quote["b"]) < float(quote["a"])
        seen = {}
        while len(seen) < 2:
            message = await said(both)
            seen[message["stream"]] = message["data"]
        assert seen["btcusdt@depth@100ms"]["e"] == "depthUpdate"
        assert seen["ethusdt@trade"]["s"] == "ETHUSDT"


async def test_subscriptions_are_listed_changed_and_answered_by_their_id(raw: Raw):
    async with raw.socket("/ws") as socket:
        await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "ethusdt@depth@100ms"], "id": "first"})
        assert await socket.receive_json() == {"result": None, "id": "first"}
        await socket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
        while (answer := await socket.receive_json()).get("id") != 2:
            pass
        assert answer == {"result": None, "id": 2}
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})
        while (answer := await socket.receive_json()).get("id") != 3:
            pass
        assert answer == {"result": ["ethusdt@depth@100ms"], "id": 3}


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"method":"EAT"}', '{"method":"SUBSCRIBE","params":[1]}', '{"method":"SUBSCRIBE","params":null}']
)
async def test_a_request_that_makes_no_sense_is_answered_and_the_connection_lives(raw: Raw, text: str):
    async with raw.socket("/ws") as socket:
        await socket.send_str(text)
        assert "error" in await socket.receive_json(timeout=5)
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        assert await socket.receive_json(timeout=5) == {"result": [], "id": 1}


async def test_aggregates_are_the_trades_and_equal_what_rest_says(raw: Raw):
    async with raw.socket("/stream?streams=btcusdt@trade/btcusdt@aggTrade") as socket:
        trades, aggregates = {}, {}
        while len(aggregates) < 5:
            data = (await said(socket))["data"]
            (aggregates if data["e"] == "aggTrade" else trades)[data.get("a", data.get("t"))] = data
    by_rest = {row["a"]: row for row in await raw.ask("aggTrades", symbol="BTCUSDT", limit=1000)}
    for number, said_ in aggregates.items():
        assert (said_["p"], said_["q"], said_["m"]) == tuple(trades[number][key] for key in ("p", "q", "m"))
        assert {key: said_[key] for key in by_rest[number]} == by_rest[number]
    first = min(aggregates)
    chosen = await raw.ask("aggTrades", symbol="BTCUSDT", fromId=first, limit=3)
    assert [row["a"] for row in chosen] == [first, first + 1, first + 2]


MARKET = SimulatedMarket(seed=2, now=Clock(START + 0.0))
PAST = MARKET.pairs["ETHUSDT"].history
MINUTES = PAST.append(Bar(int(MARKET.now()), *[float(PAST.close[-1])] * 4, 0.0))  # nobody has traded in the one that runs


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(TIMEFRAMES)),
    start=st.none() | st.integers(-5000, 70_000),
    end=st.none() | st.integers(-5000, 70_000),
    limit=st.integers(1, 1000),
)
def test_bars_for_any_times_are_those_that_open_between_them(name: str, start: int | None, end: int | None, limit: int):
    """``start`` and ``end`` are minutes after the first bar of the history."""
    symbol, timeframe, first = MARKET.symbols["ETHUSDT"], TIMEFRAMES[name], int(MINUTES.time[0])
    start_ms, end_ms = (None if at is None else (first + at * 60) * 1000 + 17 for at in (start, end))
    found = MARKET.klines(symbol, name, start_ms, end_ms, limit)
    every = roll_up(MINUTES, timeframe)
    wanted = np.ones(len(every), dtype=bool)
    if start_ms is not None:
        wanted &= every.time * 1000 >= max(start_ms, first * 1000)
    if end_ms is not None:
        wanted &= every.time * 1000 <= end_ms
    chosen = Bars(*(column[wanted] for column in every.columns))
    chosen = chosen.tail(limit) if start_ms is None else chosen[:limit]
    assert found.time.tolist() == chosen.time.tolist()
    whole = found.time >= first  # the very first bar may have begun before the history did
    for theirs, ours in zip(found.columns[1:], chosen.columns[1:], strict=True):
        assert theirs[whole].tolist() == ours[whole].tolist()
