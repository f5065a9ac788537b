"""Alpaca's account stream: it begins with Listening, tells the same ids as questions do, and ends when the connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.alpaca import AlpacaVenue
from tests.venues.faults import StreamFault
from trading.brokers.alpaca import AlpacaBroker
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


@pytest.fixture
def venue() -> Iterator[AlpacaVenue]:
    with AlpacaVenue() as one:
        yield one


@pytest.fixture
def broker(venue: AlpacaVenue) -> AlpacaBroker:
    return venue.broker()


def market(**changes: Any) -> OrderRequest:
    return replace(OrderRequest(str(uuid.uuid4()), "AAPL", Side.BUY, Type.MARKET, Decimal(3)), **changes)


async def next_of(stream: AsyncIterator[Update]) -> Update:
    async with asyncio.timeout(5):
        return await anext(stream)


async def several(stream: AsyncIterator[Update], count: int) -> list[Update]:
    return [await next_of(stream) for _ in range(count)]


def states(updates: list[Update]) -> list[State]:
    return [one.state for one in updates if isinstance(one, VenueOrder)]


async def test_it_begins_with_listening_and_tells_what_comes_then(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    before = venue.exchange.clock()
    await asyncio.to_thread(broker.submit, market())
    async with aclosing(broker.updates()) as stream:
        first = await next_of(stream)
        assert isinstance(first, Listening)
        assert before <= first.at <= venue.exchange.clock()

        order = await asyncio.to_thread(broker.submit, market())
        new, fill, filled = await several(stream, 3)
        assert isinstance(new, VenueOrder)
        assert (new.state, new.client_order_id) == (State.ACCEPTED, order.client_order_id)
        assert isinstance(fill, VenueFill)
        assert (fill.client_order_id, fill.quantity, fill.price) == (order.client_order_id, Decimal(3), Decimal(200))
        assert filled == order


async def test_a_fill_has_the_same_id_whether_it_is_told_or_asked_for(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    venue.exchange.liquidity["AAPL"] = Decimal(1)
    async with aclosing(broker.updates()) as stream:
        await next_of(stream)
        await asyncio.to_thread(broker.submit, market())
        for price in ("201", "202"):
            venue.exchange.move("AAPL", price)
        heard = await several(stream, 7)
    told = [one for one in heard if isinstance(one, VenueFill)]
    asked = await asyncio.to_thread(broker.fills_since, venue.exchange.clock() - timedelta(minutes=1), [])

    assert states(heard) == [State.ACCEPTED, State.PARTLY_FILLED, State.PARTLY_FILLED, State.FILLED]
    assert [replace(one, client_order_id="") for one in told] == asked
    assert len({one.venue_fill_id for one in asked}) == 3


async def test_a_cancel_and_a_replacement_are_told(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    async with aclosing(broker.updates()) as stream:
        await next_of(stream)
        limit = market(type=Type.LIMIT, limit_price=Decimal(190))
        first = await asyncio.to_thread(broker.submit, limit)
        change = replace(limit, client_order_id=str(uuid.uuid4()), limit_price=Decimal(191))
        named = OrderKey(first.client_order_id, "AAPL", first.venue_order_id)
        second = await asyncio.to_thread(broker.replace, named, change)
        await asyncio.to_thread(broker.cancel, OrderKey(second.client_order_id, "AAPL", second.venue_order_id))
        heard = [one for one in await several(stream, 4) if isinstance(one, VenueOrder)]

    assert [(one.client_order_id, one.state, one.reason) for one in heard] == [
        (limit.client_order_id, State.ACCEPTED, ""),
        (change.client_order_id, State.ACCEPTED, ""),
        (limit.client_order_id, State.CANCELLED, "replaced"),
        (change.client_order_id, State.CANCELLED, ""),
    ]


async def test_coins_have_the_name_that_orders_have(broker: AlpacaBroker) -> None:
    async with aclosing(broker.updates()) as stream:
        await next_of(stream)
        await asyncio.to_thread(broker.submit, market(symbol="BTC/USD", quantity=Decimal("0.5")))
        heard = await several(stream, 3)

    assert {one.symbol for one in heard if not isinstance(one, Listening)} == {"BTC/USD"}


async def test_what_comes_twice_late_or_never_is_told_as_it_comes(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    async with aclosing(broker.updates()) as stream:
        await next_of(stream)
        venue.faults.stream.extend([StreamFault.DUPLICATE, StreamFault.REORDER])
        await asyncio.to_thread(broker.submit, market())  # new, new again, and the fill is held back
        await asyncio.to_thread(broker.submit, market())  # its "new" comes before that fill
        heard = await several(stream, 7)
        assert states(heard) == [State.ACCEPTED, State.ACCEPTED, State.ACCEPTED, State.FILLED, State.FILLED]
        assert heard[0] == heard[1]

        venue.faults.stream.extend([StreamFault.DROP, StreamFault.DROP])
        await asyncio.to_thread(broker.submit, market())
        missed = await asyncio.to_thread(broker.submit, market())
        assert isinstance(one := await next_of(stream), VenueOrder)
        assert one.client_order_id == missed.client_order_id


async def test_a_disconnect_is_raised_and_a_new_stream_listens_again(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    stream = broker.updates()
    await next_of(stream)
    venue.faults.stream.append(StreamFault.DISCONNECT)
    await asyncio.to_thread(broker.submit, market())
    with pytest.raises(Unavailable):
        await next_of(stream)

    async with aclosing(broker.updates()) as again:
        assert isinstance(await next_of(again), Listening)
        order = await asyncio.to_thread(broker.submit, market())
        assert (await several(again, 3))[-1] == order


async def test_a_revoked_key_ends_the_stream(venue: AlpacaVenue, broker: AlpacaBroker) -> None:
    stream = broker.updates()
    await next_of(stream)
    venue.revoke()
    with pytest.raises(BadCredentials):
        await next_of(stream)

    with pytest.raises(BadCredentials):
        await next_of(broker.updates())


async def test_a_stream_that_nobody_answers_is_unavailable(venue: AlpacaVenue) -> None:
    """Something that takes connections and says nothing, and then nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        broker = AlpacaBroker(venue.credentials, replace(venue.endpoint, base_url=address, timeout=0.1))
        with pytest.raises(Unavailable):
            await next_of(broker.updates())

    with pytest.raises(Unavailable):
        await next_of(broker.updates())
    broker.close()


async def test_nothing_of_the_stream_is_logged(venue: AlpacaVenue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for credentials in (venue.credentials, Credentials({"key": "PKWRONGWRONG", "secret": "not-the-secret"})):
        broker = AlpacaBroker(credentials, venue.endpoint)
        async with aclosing(broker.updates()) as stream:
            with contextlib.suppress(BadCredentials):
                await next_of(stream)
        broker.close()
        for secret in credentials.fields.values():
            assert secret not in caplog.text
