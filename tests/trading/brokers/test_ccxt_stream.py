"""The ccxt adapter's account stream against the local Binance: ws-api for spot, a listen key for futures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.binance import BinanceVenue
from tests.venues.faults import StreamFault
from trading.brokers.ccxt import CcxtBroker
from trading.brokers.protocol import (
    BadCredentials,
    Credentials,
    Listening,
    OrderKey,
    OrderRequest,
    Side,
    State,
    Type,
    Unavailable,
    Update,
    VenueFill,
    VenueOrder,
)

D = Decimal
PATIENCE = 10


@pytest.fixture(params=["spot", "perpetual"])
def venue(request: pytest.FixtureRequest) -> Iterator[BinanceVenue]:
    with BinanceVenue(request.param) as made:
        yield made


def buy(venue: BinanceVenue, client_order_id: str, **changes: Any) -> None:
    said: dict[str, Any] = {"symbol": "BTCUSDT", "side": "buy", "type": "market", "quantity": D("0.01")}
    venue.exchange.submit(client_order_id=client_order_id, **said | changes)


@asynccontextmanager
async def listening(broker: CcxtBroker) -> AsyncIterator[AsyncIterator[Update]]:
    """The stream, once it said that it listens."""
    async with asyncio.timeout(PATIENCE), aclosing(broker.updates()) as updates:
        assert isinstance(await anext(updates), Listening)
        yield updates


async def until(updates: AsyncIterator[Update], enough: Callable[[list[Update]], bool]) -> list[Update]:
    seen: list[Update] = []
    while not enough(seen):
        seen.append(await anext(updates))
    return seen


def fills(seen: list[Update]) -> list[VenueFill]:
    return [one for one in seen if isinstance(one, VenueFill)]


def orders(seen: list[Update], client_order_id: str) -> list[VenueOrder]:
    return [one for one in seen if isinstance(one, VenueOrder) and one.client_order_id == client_order_id]


async def test_it_says_first_from_when_on_it_listens(venue: BinanceVenue) -> None:
    broker = venue.broker()
    began = venue.now()
    async with asyncio.timeout(PATIENCE), aclosing(broker.updates()) as updates:
        first = await anext(updates)
        assert isinstance(first, Listening)
        assert began <= first.at <= venue.now()
        assert venue.listeners == 1
        # Nothing that happens from here on may be missed.
        buy(venue, "after")
        seen = await until(updates, lambda seen: bool(fills(seen)))
    assert fills(seen)[0].client_order_id == "after"


async def test_orders_and_fills_are_told_as_they_are_when_asked(venue: BinanceVenue) -> None:
    broker = venue.broker()
    async with listening(broker) as updates:
        request = OrderRequest("o1", "BTCUSDT", Side.BUY, Type.LIMIT, D("0.03"), D(49000))
        placed = await asyncio.to_thread(broker.submit, request)
        venue.exchange.liquidity["BTCUSDT"] = D("0.02")
        venue.exchange.move("BTCUSDT", "48000")
        venue.exchange.move("BTCUSDT", "48000")
        seen = await until(updates, lambda seen: any(one.state is State.FILLED for one in orders(seen, "o1")))
    asked = await asyncio.to_thread(broker.fills_since, venue.now() - timedelta(hours=1), ["BTCUSDT"])
    told = fills(seen)
    assert [one.venue_fill_id for one in told] == [one.venue_fill_id for one in asked]
    for one, other in zip(told, asked, strict=True):
        assert (one.quantity, one.price, one.fee, one.fee_currency) == (
            other.quantity,
            other.price,
            other.fee,
            other.fee_currency,
        )
        assert (one.time, one.side, one.is_maker, one.venue_order_id) == (
            other.time,
            other.side,
            other.is_maker,
            placed.venue_order_id,
        )
        assert (one.client_order_id, one.symbol) == ("o1", "BTCUSDT")
    states = [(one.state, one.filled) for one in orders(seen, "o1")]
    assert states == [(State.ACCEPTED, D(0)), (State.PARTLY_FILLED, D("0.02")), (State.FILLED, D("0.03"))]
    last = orders(seen, "o1")[-1]
    found = await asyncio.to_thread(broker.order, OrderKey("o1", "BTCUSDT"))
    assert found == last


async def test_a_cancelled_order_is_told_under_our_id(venue: BinanceVenue) -> None:
    """Binance gives the cancelling an id of its own and puts it where the order's stood."""
    broker = venue.broker()
    async with listening(broker) as updates:
        buy(venue, "c1", type="limit", limit_price=D(40000))
        await asyncio.to_thread(broker.cancel, OrderKey("c1", "BTCUSDT"))
        seen = await until(
            updates, lambda seen: any(one.state is State.CANCELLED for one in seen if isinstance(one, VenueOrder))
        )
    assert [one.client_order_id for one in seen if isinstance(one, VenueOrder)] == ["c1", "c1"]


async def test_a_burst_is_told_to_its_end(venue: BinanceVenue) -> None:
    """ccxt's watch calls tell of what comes between them with the next message, which may never come."""
    async with listening(venue.broker()) as updates:
        for number in range(60):
            buy(venue, f"b{number}", quantity=D("0.001"))
        seen = await until(updates, lambda seen: len(fills(seen)) == 60)
    assert [one.client_order_id for one in fills(seen)] == [f"b{number}" for number in range(60)]
    assert [one.venue_fill_id for one in fills(seen)] == [str(one.id) for one in venue.exchange.fills]


async def test_what_is_told_twice_has_the_same_id(venue: BinanceVenue) -> None:
    async with listening(venue.broker()) as updates:
        buy(venue, "d1", type="limit", limit_price=D(40000))
        await until(updates, lambda seen: bool(orders(seen, "d1")))
        venue.faults.stream.append(StreamFault.DUPLICATE)
        venue.exchange.move("BTCUSDT", "39000")
        seen = await until(updates, lambda seen: len(fills(seen)) == 2)
    first, second = fills(seen)
    assert first == second


async def test_what_is_lost_is_found_by_asking(venue: BinanceVenue) -> None:
    broker = venue.broker()
    async with listening(broker) as updates:
        venue.faults.stream.extend([StreamFault.DROP, StreamFault.DROP])
        buy(venue, "lost")
        buy(venue, "next")
        seen = await until(updates, lambda seen: bool(fills(seen)))
    assert not orders(seen, "lost")
    found = await asyncio.to_thread(broker.order, OrderKey("lost", "BTCUSDT"))
    assert found is not None
    assert found.state is State.FILLED


async def test_what_comes_in_another_order_is_told_all_the_same(venue: BinanceVenue) -> None:
    async with listening(venue.broker()) as updates:
        venue.faults.stream.append(StreamFault.REORDER)
        buy(venue, "r1")
        seen = await until(updates, lambda seen: len(orders(seen, "r1")) == 2)
    # The fill overtook the news that the order was accepted; the order's own figures say which is newer.
    assert [one.filled for one in orders(seen, "r1")] == [D("0.01"), D(0)]
    assert len(fills(seen)) == 1


async def test_a_closed_stream_ends_and_a_new_one_begins(venue: BinanceVenue) -> None:
    broker = venue.broker()
    async with listening(broker) as updates:
        venue.faults.stream.append(StreamFault.DISCONNECT)
        buy(venue, "x1")
        with pytest.raises(Unavailable) as ended:
            await until(updates, lambda seen: False)
        assert ended.value.__context__ is None
    async with listening(broker) as updates:
        buy(venue, "x2")
        seen = await until(updates, lambda seen: bool(fills(seen)))
    assert fills(seen)[0].client_order_id == "x2"


async def test_what_came_before_a_stream_broke_is_told_before_that_is(venue: BinanceVenue) -> None:
    seen: list[Update] = []

    def keep(told: list[Update]) -> bool:
        seen[:] = told
        return False

    async with listening(venue.broker()) as updates:
        sockets = tuple(venue.streams)

        async def burst() -> None:
            venue.faults.stream.extend([StreamFault.DUPLICATE] * 6 + [StreamFault.DISCONNECT])
            for number in range(4):
                buy(venue, f"b{number}")
            while not all(one.closed for one in sockets):
                await asyncio.sleep(0)

        # This thread waits meanwhile, so that everything lies there at once when the client reads again.
        asyncio.run_coroutine_threadsafe(burst(), venue.loop).result(PATIENCE)
        with pytest.raises(Unavailable):
            await until(updates, keep)
    assert [one.client_order_id for one in fills(seen)] == ["b0", "b0", "b1", "b1", "b2", "b2"]


async def test_a_stream_that_the_venue_ends_is_not_taken_for_a_quiet_one(venue: BinanceVenue) -> None:
    """The connection stays open after the listen key expired, or the subscription was ended."""
    broker = venue.broker()
    async with listening(broker) as updates:
        venue.revoke()
        with pytest.raises(Unavailable):
            await until(updates, lambda seen: False)
    with pytest.raises(BadCredentials):
        async with listening(broker):
            pass


async def test_a_wrong_key_opens_no_stream_and_is_not_named(venue: BinanceVenue) -> None:
    wrong = Credentials({"api_key": "a-wrong-key", "secret": venue.credentials["secret"]})
    broker = CcxtBroker("binance", wrong, venue.endpoint)
    with pytest.raises(BadCredentials) as refused:
        async with listening(broker):
            pass
    broker.close()
    assert "a-wrong-key" not in repr(refused.value)
    assert refused.value.__context__ is None


async def test_a_wrong_clock_is_set_before_it_listens(venue: BinanceVenue) -> None:
    broker = venue.broker()
    venue.skew = timedelta(hours=-2)
    async with listening(broker) as updates:
        buy(venue, "t1")
        seen = await until(updates, lambda seen: bool(fills(seen)))
    assert abs(fills(seen)[0].time - venue.now()) < timedelta(seconds=5)


async def test_no_secret_is_logged_while_it_listens(venue: BinanceVenue, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with listening(venue.broker()) as updates:
            buy(venue, "n1")
            await until(updates, lambda seen: bool(fills(seen)))
            venue.faults.stream.append(StreamFault.DISCONNECT)
            buy(venue, "n2")
            with pytest.raises(Unavailable):
                await until(updates, lambda seen: False)
    assert caplog.records
    for secret in (*venue.credentials.fields.values(), *venue.listen_keys):
        assert secret not in caplog.text


async def test_where_nobody_listens_there_is_no_stream() -> None:
    with BinanceVenue() as gone:
        broker = gone.broker()
    with pytest.raises(Unavailable):
        async with listening(broker):
            pass


async def test_nothing_is_left_open_when_one_stops_to_listen(venue: BinanceVenue) -> None:
    async with listening(venue.broker()):
        assert venue.listeners == 1
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
