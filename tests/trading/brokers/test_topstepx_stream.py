"""The TopstepX broker's account stream against a local user hub, and that hub against pysignalr's own client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pysignalr.client import SignalRClient

from tests.venues.faults import StreamFault
from tests.venues.topstepx import ACCOUNT, SYMBOL, TopstepXVenue
from trading.brokers.protocol import (
    BadCredentials,
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
from trading.brokers.topstepx import hub

SECONDS = 10


@pytest.fixture(params=[True, False], ids=["wrapped", "plain"])
def venue(request: pytest.FixtureRequest) -> Iterator[TopstepXVenue]:
    # The fee has more digits than a float can hold.
    with TopstepXVenue(wrapped=request.param, fee_rate=Decimal("0.00001234567890123456789")) as running:
        yield running


def buy(name: str, quantity: int = 1, price: str | None = None) -> OrderRequest:
    limit = None if price is None else Decimal(price)
    return OrderRequest(name, SYMBOL, Side.BUY, Type.MARKET if limit is None else Type.LIMIT, Decimal(quantity), limit)


async def until(stream: AsyncIterator[Update], enough: Callable[[list[Update]], bool]) -> list[Update]:
    seen: list[Update] = []
    async with asyncio.timeout(SECONDS):
        while not enough(seen):
            seen.append(await anext(stream))
    return seen


def is_over(name: str) -> Callable[[list[Update]], bool]:
    def check(seen: list[Update]) -> bool:
        return any(isinstance(one, VenueOrder) and one.client_order_id == name and not one.state.is_open for one in seen)

    return check


def orders(seen: list[Update]) -> list[tuple[str, State, int]]:
    return [(one.client_order_id, one.state, int(one.filled)) for one in seen if isinstance(one, VenueOrder)]


def fills(seen: list[Update]) -> list[VenueFill]:
    return [one for one in seen if isinstance(one, VenueFill)]


async def test_the_stream_tells_orders_and_fills_as_questions_do(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    async with aclosing(broker.updates()) as stream:
        (first,) = await until(stream, lambda seen: len(seen) == 1)
        assert isinstance(first, Listening)
        assert abs(first.at - datetime.now(UTC)) < timedelta(seconds=SECONDS)

        venue.exchange.liquidity[SYMBOL] = Decimal(2)
        broker.submit(buy("order", 3, "21000.25"))
        venue.exchange.move(SYMBOL, "20999.75")
        seen = await until(stream, is_over("order"))
    assert orders(seen) == [
        ("order", State.ACCEPTED, 0),
        ("order", State.PARTLY_FILLED, 2),
        ("order", State.FILLED, 3),
    ]
    asked = broker.fills_since(first.at, [SYMBOL])
    assert fills(seen) == asked
    assert [one.fee for one in asked] == [one.fee for one in venue.exchange.fills]
    assert [one.venue_fill_id for one in asked] == [str(one.id) for one in venue.exchange.fills]
    assert seen[-1] == broker.order(OrderKey("order", SYMBOL))


async def test_listening_comes_before_what_happened_while_it_began(venue: TopstepXVenue) -> None:
    taken: list[str] = []

    def trade(target: str) -> None:
        if not taken:
            taken.append(target)
            venue.exchange.submit(client_order_id="early", symbol=SYMBOL, side="buy", type="market", quantity=Decimal(1))

    venue.hub.subscribing = trade
    async with aclosing(venue.broker().updates()) as stream:
        seen = await until(stream, is_over("early"))
    assert isinstance(seen[0], Listening)
    assert taken == ["SubscribeOrders"]
    assert orders(seen) == [("early", State.ACCEPTED, 0), ("early", State.FILLED, 1)]


async def test_what_comes_twice_or_late_or_never_is_told_as_it_came(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    async with aclosing(broker.updates()) as stream:
        await until(stream, lambda seen: len(seen) == 1)
        # Of each order: accepted, its fill, filled.
        venue.faults.stream.extend([StreamFault.DUPLICATE, StreamFault.DUPLICATE, StreamFault.DUPLICATE])
        broker.submit(buy("twice"))
        venue.exchange.submit(client_order_id="mark", symbol=SYMBOL, side="buy", type="market", quantity=Decimal(1))
        seen = await until(stream, is_over("mark"))
        assert orders(seen)[:4] == [("twice", State.ACCEPTED, 0)] * 2 + [("twice", State.FILLED, 1)] * 2
        assert len({one.venue_fill_id for one in fills(seen)[:2]}) == 1

        venue.faults.stream.extend([StreamFault.REORDER])
        broker.submit(buy("late"))
        seen = await until(stream, is_over("late"))
        assert [type(one) for one in seen] == [VenueFill, VenueOrder, VenueOrder]

        venue.faults.stream.extend([StreamFault.DROP, StreamFault.DROP])
        broker.submit(buy("dropped"))
        seen = await until(stream, is_over("dropped"))
        assert orders(seen) == [("dropped", State.FILLED, 1)]
        assert not fills(seen)


async def test_a_stream_that_breaks_is_unavailable_and_can_be_opened_again(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    async with aclosing(broker.updates()) as stream:
        await until(stream, lambda seen: len(seen) == 1)
        venue.faults.stream.append(StreamFault.DISCONNECT)
        broker.submit(buy("unheard"))
        with pytest.raises(Unavailable):
            await until(stream, is_over("unheard"))
    async with aclosing(broker.updates()) as stream:
        (first,) = await until(stream, lambda seen: len(seen) == 1)
        assert isinstance(first, Listening)
        venue.say_close()
        with pytest.raises(Unavailable):
            await until(stream, bool)
    assert broker.order(OrderKey("unheard", SYMBOL)) is not None


async def test_an_expired_token_is_renewed_for_the_stream(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.permissions()
    async with aclosing(broker.updates()) as stream:
        await until(stream, lambda seen: len(seen) == 1)
    venue.expire()
    async with aclosing(broker.updates()) as stream:
        (first,) = await until(stream, lambda seen: len(seen) == 1)
    assert isinstance(first, Listening)
    assert len(venue.tokens) == 2


async def test_other_accounts_are_not_told_and_nonsense_ends_the_stream(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.submit(buy("mine"))
    (fill,) = venue.exchange.fills
    row = venue.trade_row(fill)
    async with aclosing(broker.updates()) as stream:
        await until(stream, lambda seen: len(seen) == 1)
        venue.tell("GatewayUserTrade", {**row, "accountId": ACCOUNT + 1})
        venue.tell("GatewayUserTrade", {**row, "voided": True})
        venue.tell("GatewayUserTrade", {**row, "commissions": Decimal("0.45")})
        (told,) = await until(stream, lambda seen: len(seen) == 1)
        assert isinstance(told, VenueFill)
        assert (told.venue_fill_id, told.fee) == (str(fill.id), fill.fee + Decimal("0.45"))
        venue.tell("GatewayUserTrade", {**row, "side": 9})
        with pytest.raises(Unavailable):
            await until(stream, bool)


async def test_a_revoked_key_ends_the_stream_and_opens_no_other(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    async with aclosing(broker.updates()) as stream:
        await until(stream, lambda seen: len(seen) == 1)
        venue.revoke()
        with pytest.raises(Unavailable):
            await until(stream, lambda seen: False)
    async with aclosing(broker.updates()) as stream:
        with pytest.raises(BadCredentials):
            await until(stream, lambda seen: bool(seen))


async def test_a_hub_that_cannot_be_reached_or_subscribed_is_unavailable(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.permissions()
    (token,) = venue.tokens
    url = venue.endpoint.base_url
    for one, account in (("http://127.0.0.1:1/hubs/user", ACCOUNT), (url + "/none", ACCOUNT), (url + "/hubs/user", 7)):
        async with aclosing(hub.Hub(one, timeout=SECONDS).listen(token, account)) as calls:
            with pytest.raises(Unavailable):
                await anext(calls)


async def test_the_stream_pings_so_that_the_hub_does_not_end_it(venue: TopstepXVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "KEEPALIVE", 0.01)
    async with aclosing(venue.broker().updates()) as stream:
        await until(stream, lambda seen: len(seen) == 1)
        async with asyncio.timeout(SECONDS):
            while venue.hub.pings < 2:
                await asyncio.sleep(0.01)


async def test_no_secret_of_the_stream_is_in_errors_or_logs(venue: TopstepXVenue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    broker = venue.broker()
    told: list[str] = []
    async with aclosing(broker.updates()) as stream:
        await until(stream, lambda seen: len(seen) == 1)
        venue.faults.stream.append(StreamFault.DISCONNECT)
        broker.submit(buy("unheard"))
        with pytest.raises(Unavailable) as broken:
            await until(stream, is_over("unheard"))
        told.append(whole(broken.value))
    token = venue.tokens[0]
    venue.expire()
    for url in (broker._gateway.hub, broker._gateway.hub + "/none", "http://127.0.0.1:1/hubs/user"):
        async with aclosing(hub.Hub(url, timeout=SECONDS).listen(token, ACCOUNT)) as calls:
            with pytest.raises((BadCredentials, Unavailable)) as refused:
                await anext(calls)
            told.append(whole(refused.value))
    told.append(caplog.text)
    assert token
    assert not [one for one in (venue.credentials["key"], *venue.tokens) if one in "".join(told)]


def whole(error: BaseException) -> str:
    """An exception and all that hangs on it."""
    text = f"{error!r} {error} {vars(error)}"
    for other in (error.__cause__, error.__context__):
        if other is not None:
            text += whole(other)
    return text


async def test_the_hub_is_understood_by_pysignalrs_own_client(venue: TopstepXVenue) -> None:
    broker = venue.broker()
    broker.permissions()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    ready = asyncio.Event()
    client = SignalRClient(f"{venue.endpoint.base_url}/hubs/user?access_token={venue.tokens[0]}")

    async def hear(arguments: list[Any]) -> None:
        await heard.put(arguments)

    async def opened() -> None:
        await client.send("SubscribeTrades", [ACCOUNT], confirmed)  # type: ignore[list-item]

    async def confirmed(message: Any) -> None:
        ready.set()

    client.on("GatewayUserTrade", hear)
    client.on_open(opened)
    running = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(SECONDS):
            await ready.wait()
            broker.submit(buy("heard"))
            (argument,) = await heard.get()
    finally:
        if client._transport._ws is not None:  # it has no way of its own to close
            await client._transport._ws.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    row = argument.get("data", argument)
    assert (row["accountId"], row["orderId"]) == (ACCOUNT, next(iter(venue.exchange.orders)))
