"""The stream at ``/ws/v1/stream/``, through the whole application and a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
import redis
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone

from clusterx.accounts.services import make_token
from clusterx.accounts.sockets import OVER
from clusterx.asgi import application
from clusterx.live import publish as sending
from clusterx.live import registry
from clusterx.live.hub import MOST_WAITING, Hub, Subscriber, hub
from clusterx.live.publish import encode, kept, publish
from clusterx.live.socket import LARGEST_FRAME, MOST_CHANNELS, MOST_COMMANDS, TOO_LARGE, TOO_MUCH
from marketdata.bars import Bar
from marketdata.models import Instrument
from marketdata.store import write_candles
from tests.factories import START, AccountFactory, InstrumentFactory, UserFactory
from trading.channels import account_channel

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = int(START.timestamp()) // 60
PATIENCE = 30  # the first indicator of a process loads the numeric libraries
Message = dict[str, Any]


class Visitor:
    """One connection, and all that it was sent."""

    def __init__(self, **headers: str) -> None:
        sent = [(b"host", b"testserver"), *((name.encode(), value.encode()) for name, value in headers.items())]
        self.socket = WebsocketCommunicator(application, "/ws/v1/stream/", headers=sent)
        self.messages: list[Message] = []
        self.looked = 0

    async def say(self, op: str, *channels: str, **more: Any) -> None:
        await self.socket.send_to(text_data=orjson.dumps({"op": op, "channels": channels} | more).decode())

    async def until(self, wanted: Callable[[Message], Any]) -> list[Message]:
        """What came since the last call, up to the first message that is wanted."""
        seen: list[Message] = []
        while True:
            while self.looked < len(self.messages):
                seen.append(self.messages[self.looked])
                self.looked += 1
                if wanted(seen[-1]):
                    return seen
            self.messages += orjson.loads(await self.socket.receive_from(timeout=PATIENCE))["m"]

    async def subscribe(self, *channels: str) -> list[Message]:
        """Subscribe, and take what comes up to the last snapshot."""
        await self.say("subscribe", *channels)
        return await self.until(lambda one: one["t"] == "snapshot" and one["ch"] == channels[-1])

    async def error(self) -> Message:
        return (await self.until(lambda one: one["t"] == "error"))[-1]

    async def leave(self) -> None:
        """Hang up, never waiting without a limit for the application to notice, as ``disconnect`` does after its timeout."""
        ending = self.socket.future
        if not ending.done():
            await self.socket.send_input({"type": "websocket.disconnect", "code": 1000})
            await asyncio.wait([ending], timeout=PATIENCE)
        for _ in range(3):
            if not ending.done():
                ending.cancel()
                await asyncio.wait([ending], timeout=PATIENCE)
        assert ending.done()
        if not ending.cancelled():
            ending.exception()  # after a failure, which is what should be seen

    async def closed_with(self) -> int:
        while (output := await self.socket.receive_output(timeout=PATIENCE))["type"] != "websocket.close":
            pass
        return output["code"]


Opener = Callable[..., Any]


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Connects visitors, and takes everything down after the test."""
    visitors: list[Visitor] = []

    async def connect(**headers: str) -> Visitor:
        visitor = Visitor(**headers)
        accepted, _ = await visitor.socket.connect(timeout=PATIENCE)
        assert accepted
        visitors.append(visitor)
        return visitor

    yield connect
    for visitor in visitors:
        await visitor.leave()
    await hub().close()
    await sync_to_async(connections.close_all)()


@pytest.fixture
def instrument() -> Instrument:
    return InstrumentFactory(base="BTC")


@pytest.fixture
def quotes(instrument: Instrument) -> str:
    return f"quotes/{instrument.ref}"


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> str:
    """A kind of channel for as many channels as a test wants: ``numbered/1`` and so on."""
    kind = registry.Kind("numbered", lambda channel, user: ({}, None), lambda channel, user: True)
    monkeypatch.setitem(registry._kinds, "numbered", kind)
    return "numbered"


def close_bar(instrument: Instrument, minute: int, close: float = 100.0) -> None:
    """As the stream process does: commit the candle, then tell."""
    bar = Bar(minute * 60, close, close, close, close, 1.0)
    write_candles([(instrument.pk, "1m", bar)])
    publish(f"candles/{instrument.ref}/1m", {"closed": bar.row, "revision": 0}, seq=minute)


def is_update(one: Message) -> bool:
    return one["t"] == "update"


# -- snapshots and updates --------------------------------------------------------------------------------------------


async def test_a_channel_begins_with_what_is_and_goes_on_with_what_comes(
    opened: Opener, instrument: Instrument, quotes: str
) -> None:
    publish(quotes, {"time": 1, "bid": 99.0})
    visitor = await opened()
    answers = await visitor.subscribe(quotes)
    assert answers == [
        {"t": "subscribed", "id": None, "channels": [quotes]},
        {"t": "snapshot", "ch": quotes, "d": {"time": 1, "bid": 99.0}},
    ]
    publish(quotes, {"time": 2, "bid": 98.0})
    assert await visitor.until(is_update) == [{"t": "update", "ch": quotes, "d": {"time": 2, "bid": 98.0}}]


async def test_candles_begin_with_the_stored_bar_and_the_forming_one(opened: Opener, instrument: Instrument) -> None:
    channel = f"candles/{instrument.ref}/1m"
    await sync_to_async(close_bar)(instrument, MINUTE, 101.0)
    forming = [(MINUTE + 1) * 60, 102.0, 102.0, 102.0, 102.0, 3.0]
    publish(channel, {"forming": forming})
    visitor = await opened()
    *_, snapshot = await visitor.subscribe(channel)
    closed = [MINUTE * 60, 101.0, 101.0, 101.0, 101.0, 1.0]
    assert snapshot == {"t": "snapshot", "ch": channel, "seq": MINUTE, "d": {"forming": forming, "closed": closed}}


async def test_what_is_said_while_the_snapshot_is_taken_follows_it(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first listener of a process finds no connection to Redis yet, the next one finds it open."""

    def snapshot(channel: str, user: Any) -> tuple[Message, int]:
        publish(channel, {"closed": 2}, seq=2)
        publish(channel, {"forming": 3})
        return {"closed": 1}, 1

    monkeypatch.setitem(registry._kinds, "busy", registry.Kind("busy", snapshot, lambda channel, user: True))
    visitor = await opened()
    for channel in ("busy/first", "busy/second"):
        await visitor.say("subscribe", channel)
        came = await visitor.until(lambda one: one.get("d") == {"forming": 3})
        assert [one["t"] for one in came] == ["subscribed", "snapshot", "update", "update"]
        assert [one.get("seq") for one in came[1:]] == [1, 2, None]


async def test_no_bar_is_missing_between_the_snapshot_and_the_updates(opened: Opener, instrument: Instrument) -> None:
    channel, last = f"candles/{instrument.ref}/1m", MINUTE + 60
    await sync_to_async(close_bar)(instrument, MINUTE)

    def close_all() -> None:
        for minute in range(MINUTE + 1, last + 1):
            close_bar(instrument, minute)
        connections.close_all()

    closing = asyncio.get_running_loop().run_in_executor(None, close_all)
    visitors = []
    for _ in range(5):  # at different moments of the same hour
        visitor = await opened()
        await visitor.say("subscribe", channel)
        visitors.append(visitor)
    await closing
    for visitor in visitors:
        _, snapshot, *updates = await visitor.until(lambda one: one.get("seq") == last)
        # A bar that was committed before the snapshot and told after it comes twice; none may be missing.
        numbers = [one["seq"] for one in updates]
        assert set(range(snapshot["seq"] + 1, last + 1)) <= set(numbers)
        assert numbers == sorted(numbers)


async def test_closed_bars_all_come_and_of_quotes_the_newest(opened: Opener, instrument: Instrument, quotes: str) -> None:
    channel = f"candles/{instrument.ref}/1m"
    visitor = await opened()
    await visitor.subscribe(channel, quotes)
    for number in range(1, 301):  # faster than frames go out
        publish(quotes, {"time": number})
        publish(channel, {"closed": [number]}, seq=number)
    came = await visitor.until(lambda one: one.get("d") == {"time": 300})
    assert [one["seq"] for one in came if one["ch"] == channel] == list(range(1, 301))
    times = [one["d"]["time"] for one in came if one["ch"] == quotes]
    assert len(times) < 100
    assert times == sorted(times)


async def test_a_bar_that_closed_is_not_followed_by_its_forming_self(opened: Opener, instrument: Instrument) -> None:
    channel = f"candles/{instrument.ref}/1m"
    visitor = await opened()
    await visitor.subscribe(channel)
    publish(channel, {"forming": [60, 1.0]})
    publish(channel, {"closed": [60, 2.0]}, seq=1)
    await visitor.until(lambda one: one.get("seq") == 1)
    await visitor.say("ping")
    assert [one["t"] for one in await visitor.until(lambda one: one["t"] == "pong")] == ["pong"]


async def test_who_is_too_slow_is_told_to_ask_again_whatever_comes_after() -> None:
    subscriber = Subscriber(lambda text: None)
    for number in range(MOST_WAITING + 1):
        subscriber.put("account/x", b"!", encode("account/x", {"fill": number}, number))
    subscriber.put("account/x", b"~", encode("account/x", {"equity": 1}, None))
    came = [orjson.loads(text) for text in subscriber.take()]
    assert len([one for one in came if one["t"] == "update" and "seq" in one]) == MOST_WAITING
    assert {"t": "resync", "ch": "account/x"} in came
    assert {"t": "update", "ch": "account/x", "d": {"equity": 1}} in came
    assert subscriber.take() == []


async def test_unsubscribing_stops_a_channel_for_who_did_it(opened: Opener, quotes: str) -> None:
    leaving, staying = await opened(), await opened()
    for visitor in (leaving, staying):
        await visitor.subscribe(quotes)
    await leaving.say("unsubscribe", quotes, id=7)
    assert (await leaving.until(lambda one: one["t"] == "unsubscribed"))[-1]["id"] == 7
    publish(quotes, {"time": 5})
    await staying.until(is_update)
    await leaving.say("ping", id="p")
    (pong,) = await leaving.until(lambda one: one["t"] == "pong")
    assert pong["id"] == "p"
    *_, snapshot = await leaving.subscribe(quotes)
    assert snapshot["d"] == {"time": 5}


async def test_who_comes_back_to_a_channel_that_everybody_left_hears_it_again(opened: Opener, quotes: str) -> None:
    visitor = await opened()
    for number in range(5):
        await visitor.subscribe(quotes)
        publish(quotes, {"time": number})
        assert (await visitor.until(is_update))[-1]["d"] == {"time": number}
        await visitor.say("unsubscribe", quotes)


# -- what may not be said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (" ", "not-json"),
        ("{", "not-json"),
        ("[1]", "not-json"),
        ("NaN", "not-json"),
        ("[" * 3000, "not-json"),
        ('{"op": "dance"}', "unknown-op"),
        ('{"id": 1}', "unknown-op"),
        ('{"op": "subscribe"}', "invalid-channels"),
        ('{"op": "subscribe", "channels": "venues"}', "invalid-channels"),
        ('{"op": "subscribe", "channels": [1]}', "invalid-channels"),
        ('{"op": "ping", "id": {"a": 1}}', "invalid-id"),
        ('{"op": "ping", "id": "%s"}' % ("x" * 65), "invalid-id"),
        ('{"op": "ping", "id": 1e400}', "not-json"),
    ],
)
async def test_what_makes_no_sense_is_answered_and_the_connection_stays(opened: Opener, said: str, code: str) -> None:
    visitor = await opened()
    await visitor.socket.send_to(text_data=said)
    error = await visitor.error()
    assert error["code"] == code
    assert error["detail"]
    await visitor.say("ping", id=1)
    assert (await visitor.until(lambda one: one["t"] == "pong"))[-1]["id"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "candels/test:BTC-USDT/1m", "quotes", "quotes/", "quotes/test:NONE", "quotes/{ref}/more", "candles/{ref}",
        "candles/{ref}/7m", "candles/{ref}/1m/more", "signals/{ref}", "signals/{ref}/7m", "venues/all", "book/\x00",
        "quotes/\u202e",
        "indicators/{ref}/1m", "indicators/{ref}/1m/nonsense", "indicators/{ref}/1m/ema(0)", "account/1", "account/",
        "quotes/" + "x" * 300,
    ],
)  # fmt: skip
async def test_channels_that_do_not_exist_are_named_and_the_others_are_heard(
    opened: Opener, instrument: Instrument, quotes: str, name: str
) -> None:
    channel = name.replace("{ref}", instrument.ref)
    visitor = await opened()
    answers = await visitor.subscribe(channel, quotes)
    assert [(one["code"], one["channel"]) for one in answers if one["t"] == "error"] == [("unknown-channel", channel)]
    assert [one["ch"] for one in answers if one["t"] == "snapshot"] == [quotes]


async def test_a_connection_has_so_many_channels(opened: Opener, numbered: str) -> None:
    visitor = await opened()
    await visitor.subscribe(*[f"numbered/{n}" for n in range(MOST_CHANNELS)])
    await visitor.say("subscribe", "numbered/0", "numbered/more", id=2)
    error = await visitor.error()
    assert (error["id"], error["code"], error["channel"]) == (2, "too-many-channels", "numbered/more")
    await visitor.say("unsubscribe", "numbered/0")
    await visitor.subscribe("numbered/more")


async def test_one_command_makes_no_thousand_look_ups(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(channel: str, user: Any) -> bool:
        asked.append(channel)
        return False

    monkeypatch.setitem(registry._kinds, "costly", registry.Kind("costly", lambda channel, user: ({}, None), refuse))
    visitor = await opened()
    await visitor.say("subscribe", *[f"costly/{n}" for n in range(3000)])
    await visitor.until(lambda one: one.get("code") == "too-many-channels")
    assert len(asked) == MOST_CHANNELS


async def test_commands_come_so_often_and_then_the_connection_ends(opened: Opener) -> None:
    visitor = await opened()
    for number in range(MOST_COMMANDS + 1):
        await visitor.say("ping", id=number)
    answers = await visitor.until(lambda one: one["t"] == "error")
    assert [one["t"] for one in answers] == ["pong"] * MOST_COMMANDS + ["error"]
    assert (answers[-1]["code"], answers[-1]["id"]) == ("too-many-commands", MOST_COMMANDS)
    for number in range(MOST_COMMANDS):
        await visitor.say("ping", id=number)
    assert await visitor.closed_with() == 4429


async def test_a_frame_is_so_large(opened: Opener) -> None:
    visitor = await opened()
    await visitor.socket.send_to(text_data='{"op": "ping", "pad": "' + "x" * LARGEST_FRAME + '"}')
    assert await visitor.closed_with() == 4009


@pytest.mark.parametrize("code", [TOO_LARGE, TOO_MUCH, OVER])
def test_the_web_server_lets_an_application_close_with_our_codes(code: int) -> None:
    """Daphne's protocol, connected to nothing. Of 1009 it says "invalid close code", and the client gets 1011."""
    protocol = WebSocketProtocol()
    protocol.state = protocol.STATE_OPEN
    sent: list[dict[str, Any]] = []
    protocol.sendCloseFrame = lambda **frame: sent.append(frame)
    protocol.serverClose(code=code)
    assert [frame["code"] for frame in sent] == [code]


async def test_the_hub_closes_although_a_loop_has_let_a_cancellation_pass() -> None:
    started = asyncio.Event()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            started.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    one = Hub()
    one.tasks = [asyncio.create_task(stubborn())]
    await started.wait()
    async with asyncio.timeout(PATIENCE):
        await one.close()
    assert one.tasks == []


async def test_a_person_has_so_many_connections_and_one_that_ends_makes_room(opened: Opener, settings: Any) -> None:
    settings.LIVE_CONNECTIONS_EACH = 2
    one, _ = await opened(), await opened()
    third = await opened()
    assert await third.closed_with() == 4429
    await one.socket.disconnect(timeout=PATIENCE)
    again = await opened()
    await again.say("ping", id=1)
    await again.until(lambda message: message["t"] == "pong")
    # Somebody else is not in their way.
    _, raw = await sync_to_async(make_token)(
        user=await sync_to_async(UserFactory)(), name="bot", scope="read", at=timezone.now()
    )
    other = await opened(authorization=f"Token {raw}")
    await other.say("ping", id=1)
    await other.until(lambda message: message["t"] == "pong")


# -- whose channels ---------------------------------------------------------------------------------------------------


async def test_an_account_is_heard_by_its_owner_and_nobody_else(opened: Opener) -> None:
    account = await sync_to_async(AccountFactory)()
    stranger = await sync_to_async(UserFactory)(is_staff=True)
    channel = account_channel(account)

    async def token(user: Any) -> str:
        _, raw = await sync_to_async(make_token)(user=user, name="bot", scope="read", at=timezone.now())
        return f"Token {raw}"

    owner = await opened(authorization=await token(account.owner))
    other, nobody = await opened(authorization=await token(stranger)), await opened()
    for visitor in (other, nobody):
        await visitor.say("subscribe", channel)
        assert (await visitor.error())["code"] == "unknown-channel"
    *_, snapshot = await owner.subscribe(channel)
    assert (snapshot["d"]["cash"], snapshot["d"]["positions"]) == ("10000", [])
    publish(channel, {"event": {"sequence": 5}}, seq=5, keep=False)
    assert (await owner.until(is_update))[-1]["seq"] == 5
    for visitor in (other, nobody):
        await visitor.say("ping")
        assert [one["t"] for one in await visitor.until(lambda one: one["t"] == "pong")][-1:] == ["pong"]
        assert not [one for one in visitor.messages if one.get("ch") == channel]


async def test_a_resync_of_bars_reaches_clients_and_the_indicators_that_are_computed_here(
    opened: Opener, instrument: Instrument
) -> None:
    candles, average = f"candles/{instrument.ref}/1m", f"indicators/{instrument.ref}/1m/sma(2)"
    for minute in (MINUTE, MINUTE + 1):
        await sync_to_async(close_bar)(instrument, minute)
    visitor = await opened()
    await visitor.subscribe(candles, average)
    await sync_to_async(close_bar)(instrument, MINUTE + 2)
    await visitor.until(lambda one: one["ch"] == average and one["d"]["time"] == (MINUTE + 2) * 60)
    late = Bar((MINUTE + 1) * 60, 200.0, 200.0, 200.0, 200.0, 1.0)
    await sync_to_async(write_candles)([(instrument.pk, "1m", late)])
    with redis.Redis.from_url(django_settings.LIVE_REDIS_URL) as client:
        client.publish(sending.topic(candles), b"!" + sending.resync(candles))  # as the stream process says it
    came = await visitor.until(lambda one: one["ch"] == average)
    assert {"t": "resync", "ch": candles} in came
    assert came[-1]["d"]["values"] == {"value": 150.0}


# -- without Redis ----------------------------------------------------------------------------------------------------


def cut_the_line() -> int:
    """Kill the hub's connection to Redis; how many were killed."""
    number = redis.connection.parse_url(django_settings.LIVE_REDIS_URL)["db"]
    with redis.Redis.from_url(django_settings.LIVE_REDIS_URL) as client:
        listening = [one for one in client.client_list(_type="pubsub") if one["db"] == str(number)]
        return sum(client.client_kill_filter(_id=one["id"]) for one in listening)


async def test_a_broken_line_is_told_and_mended(opened: Opener, quotes: str, numbered: str) -> None:
    visitor = await opened()
    await visitor.subscribe("numbered/1", quotes)
    assert cut_the_line() == 1
    publish("numbered/1", {"lost": True}, seq=1)
    resyncs: set[str] = set()
    while len(resyncs) < 2:
        resyncs.add((await visitor.until(lambda one: one["t"] == "resync"))[-1]["ch"])
    assert resyncs == {"numbered/1", quotes}
    publish("numbered/1", {"heard": True}, seq=2)  # whoever was told to ask again hears what comes from then on
    assert (await visitor.until(is_update))[-1]["seq"] == 2


async def test_without_redis_people_connect_and_are_told_when_it_is_back(
    opened: Opener, instrument: Instrument, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = f"candles/{instrument.ref}/1m"
    await sync_to_async(close_bar)(instrument, MINUTE)
    there = settings.LIVE_REDIS_URL
    settings.LIVE_REDIS_URL = "unix:///nowhere/redis.sock?db=3"
    monkeypatch.setattr(sending, "_client", None)
    visitor = await opened()
    *_, snapshot = await visitor.subscribe(channel)
    assert (snapshot["seq"], snapshot["d"]["forming"]) == (MINUTE, None)
    settings.LIVE_REDIS_URL = there
    sending._client = None
    await visitor.until(lambda one: one["t"] == "resync" and one["ch"] == channel)
    await sync_to_async(close_bar)(instrument, MINUTE + 1)
    assert (await visitor.until(is_update))[-1]["seq"] == MINUTE + 1


async def test_telling_never_fails_and_the_loss_is_logged_once(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there = settings.LIVE_REDIS_URL
    settings.LIVE_REDIS_URL = "unix:///nowhere/redis.sock?db=3"
    monkeypatch.setattr(sending, "_client", None)
    monkeypatch.setattr(sending, "_async_client", None)
    for number in range(3):
        publish("quotes/x", {"time": number})
        await sending.publish_async("quotes/x", {"time": number})
    assert kept("quotes/x") == {}
    assert [record.message[:38] for record in caplog.records] == ["live messages are not being sent: Erro"]
    settings.LIVE_REDIS_URL = there
    sending._client = None
    publish("quotes/x", {"time": 9})
    assert kept("quotes/x") == {"time": 9}
    assert caplog.records[-1].message == "live messages are being sent again"


async def test_a_listener_inside_that_breaks_does_not_deafen_the_others(opened: Opener, quotes: str) -> None:
    visitor = await opened()
    await visitor.subscribe(quotes)

    def broken(data: Message) -> None:
        raise LookupError("a field that is not there")

    hub().listen(quotes, broken)
    for number in (1, 2):
        publish(quotes, {"time": number})
        assert (await visitor.until(is_update))[-1]["d"] == {"time": number}
