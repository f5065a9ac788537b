"""Who a WebSocket belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusterx.accounts import doorkeeper, services
from clusterx.accounts.models import User
from clusterx.accounts.sockets import SocketAuthentication
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2024, 8, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def _no_connection_stays_open() -> AsyncIterator[None]:
    """The thread in which Channels asks the database has a connection of its own."""
    yield
    await sync_to_async(connections.close_all)()


async def who_am_i(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": str(scope["user"].pk)})


async def opened(**headers: str) -> str | None:
    """The key of the socket's person as text, or None when it was refused."""
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    socket = WebsocketCommunicator(SocketAuthentication(who_am_i), "/ws/v1/stream/", headers=[(b"host", b"testserver"), *sent])
    accepted, _ = await socket.connect()
    said = await socket.receive_from() if accepted else None
    await socket.disconnect()
    return said


async def cookie_of(user: Any) -> str:
    client = Client()
    await sync_to_async(client.force_login)(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def test_a_browser_on_our_pages_is_its_person() -> None:
    user = await sync_to_async(UserFactory)()
    cookie = await cookie_of(user)
    assert await opened(cookie=cookie, origin="http://testserver") == str(user.pk)
    assert await opened(origin="http://testserver") == "None"


async def test_another_sites_page_opens_nothing() -> None:
    cookie = await cookie_of(await sync_to_async(UserFactory)())
    assert await opened(cookie=cookie, origin="https://evil.example") is None
    assert await opened(cookie=cookie, origin="null") is None


async def test_a_program_is_whose_token_it_shows() -> None:
    user = await sync_to_async(UserFactory)()
    token, raw = await sync_to_async(services.make_token)(user=user, name="bot", scope="read", at=NOW)
    assert await opened(authorization=f"Token {raw}") == str(user.pk)
    assert await opened(authorization="Token cx_unknown") is None
    await sync_to_async(services.revoke_token)(user=user, public_id=token.public_id, at=NOW)
    assert await opened(authorization=f"Token {raw}") is None


async def test_a_program_without_a_token_is_nobody_whatever_its_cookies() -> None:
    cookie = await cookie_of(await sync_to_async(UserFactory)())
    assert await opened(cookie=cookie) == "None"


# -- when what let it in ends ---------------------------------------------------------------------------------------------


class Open:
    """A socket that stays open."""

    def __init__(self, application: Any, **headers: str) -> None:
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.socket = WebsocketCommunicator(application, "/ws/v1/stream/", headers=[(b"host", b"testserver"), *sent])

    async def __aenter__(self) -> Open:
        accepted, _ = await self.socket.connect()
        assert accepted
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.socket.disconnect()

    async def closed_with(self) -> int:
        output = await self.socket.receive_output(timeout=10)
        assert output["type"] == "websocket.close"
        return output["code"]

    async def says(self, word: str) -> str:
        await self.socket.send_to(text_data=word)
        return await self.socket.receive_from(timeout=10)


left: list[int] = []


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})
    finally:
        left.append(scope["user"].pk)


@pytest.fixture
async def quickly(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The doorkeeper looks all the time; the event is set each time it has looked."""
    looked = asyncio.Event()
    look = doorkeeper.ended

    def ended(*args: Any, **more: Any) -> Any:
        found = look(*args, **more)
        loop.call_soon_threadsafe(looked.set)
        return found

    loop = asyncio.get_running_loop()
    left.clear()
    monkeypatch.setattr(doorkeeper, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(doorkeeper, "ended", ended)
    return looked


def sign_out(user: User, cookie: str) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = cookie.split("=")[1]
    client.logout()


def change_password(user: User, cookie: str) -> None:
    user.set_password("another long password")
    user.save()


def deactivate(user: User, cookie: str) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def expire(user: User, cookie: str) -> None:
    Session.objects.filter(pk=cookie.split("=")[1]).update(expire_date=NOW)


@pytest.mark.parametrize("how", [sign_out, change_password, deactivate, expire])
async def test_a_browser_s_socket_closes_with_its_session(quickly: asyncio.Event, how: Any) -> None:
    ending, staying = await sync_to_async(UserFactory)(), await sync_to_async(UserFactory)()
    cookies = {user: await cookie_of(user) for user in (ending, staying)}
    application = SocketAuthentication(echo)
    async with (
        Open(application, cookie=cookies[ending], origin="http://testserver") as one,
        Open(application, cookie=cookies[staying], origin="http://testserver") as other,
    ):
        await quickly.wait()
        assert await one.says("still here") == "still here"
        await sync_to_async(how)(ending, cookies[ending])
        assert await one.closed_with() == 4401
        assert left == [ending.pk]  # and what it held was given back
        assert await other.says("here") == "here"


async def test_a_program_s_socket_closes_with_its_token(quickly: asyncio.Event) -> None:
    user = await sync_to_async(UserFactory)()
    token, raw = await sync_to_async(services.make_token)(user=user, name="bot", scope="read", at=NOW)
    async with Open(SocketAuthentication(echo), authorization=f"Token {raw}") as one:
        await quickly.wait()
        assert await one.says("still here") == "still here"
        await sync_to_async(services.revoke_token)(user=user, public_id=token.public_id, at=NOW)
        assert await one.closed_with() == 4401


async def test_while_the_database_is_away_sockets_stay(
    quickly: asyncio.Event, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    user = await sync_to_async(UserFactory)()
    cookie = await cookie_of(user)

    def away(passes: Any, at: Any) -> Any:
        loop.call_soon_threadsafe(asked.set)
        raise OperationalError("the server closed the connection")

    asked, loop, there = asyncio.Event(), asyncio.get_running_loop(), doorkeeper.ended
    monkeypatch.setattr(doorkeeper, "ended", away)
    async with Open(SocketAuthentication(echo), cookie=cookie, origin="http://testserver") as one:
        await asked.wait()
        assert await one.says("still here") == "still here"
        monkeypatch.setattr(doorkeeper, "ended", there)
        await sync_to_async(deactivate)(user, cookie)
        assert await one.closed_with() == 4401
    assert "could not be looked at" in caplog.text


async def test_looking_costs_as_much_for_four_as_for_one() -> None:
    def asked(many: int) -> int:
        passes = []
        for _ in range(many):
            user, client = UserFactory(), Client()
            client.force_login(user)
            passes.append(doorkeeper.Pass(user.pk, print, session=client.session.session_key))
        with CaptureQueriesContext(connection) as queries:
            assert doorkeeper.ended(passes, at=timezone.now()) == []
        return len(queries)

    assert await sync_to_async(asked)(1) == await sync_to_async(asked)(4)
