"""Who a WebSocket belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connections
from django.test import Client

from clusterx.accounts import services
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
