"""The user hub: orders and trades as they happen, over SignalR's JSON protocol on a WebSocket.

The messages are pysignalr's. Its client is not used: it turns numbers into floats, connects again behind our back, cannot be
closed, and writes the address, which holds the token, into its log. The gateway documents no other place for the token than
the address, and no negotiation (``skipNegotiation``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Iterable
from decimal import Decimal
from typing import Any, Final

import aiohttp
from pysignalr.messages import (
    CloseMessage,
    CompletionMessage,
    HandshakeMessage,
    InvocationMessage,
    Message,
    PingMessage,
)
from pysignalr.protocol.json import JSONProtocol

from trading.brokers.protocol import BadCredentials, Unavailable

HEARTBEAT: Final = 15.0
"""Seconds between the WebSocket's own pings; a connection that does not answer one is broken."""
KEEPALIVE: Final = 15.0
"""Seconds between SignalR's pings, without which its servers end the connection after 30."""

SUBSCRIPTIONS: Final = ("SubscribeOrders", "SubscribeTrades")
CONFIRMED: Final = InvocationMessage(None, "", [])

_BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError)


class _Exact(JSONProtocol):
    """Numbers are Decimal, from the digits that were sent."""

    def decode(self, raw_message: str | bytes) -> list[Message]:
        text = raw_message.decode() if isinstance(raw_message, bytes) else raw_message
        rows = (json.loads(one, parse_float=Decimal) for one in text.split(self.record_separator) if one)
        return [self.parse_message(row) for row in rows if row]


class Hub:
    """One connection to the user hub."""

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url, self._timeout = url, timeout
        self._protocol = _Exact()

    async def listen(self, token: str, account: int) -> AsyncGenerator[InvocationMessage, None]:
        """What the hub calls; first our own handshake's ``CONFIRMED``, once it has confirmed all subscriptions.

        Raises BadCredentials where the token is not accepted, and Unavailable once the connection breaks.
        """
        async with aiohttp.ClientSession() as session:
            socket = await self._connect(session, token)
            pinging = None
            try:
                early = await self._subscribe(socket, account)
                pinging = asyncio.create_task(self._keep_alive(socket))
                yield CONFIRMED
                for message in early:
                    yield message
                while True:
                    for message in self._calls(await self._receive(socket)):
                        yield message
            finally:
                if pinging is not None:
                    pinging.cancel()
                    with contextlib.suppress(asyncio.CancelledError, *_BROKEN):
                        await pinging
                await socket.close()

    async def _connect(self, session: aiohttp.ClientSession, token: str) -> aiohttp.ClientWebSocketResponse:
        refused = False
        try:
            async with asyncio.timeout(self._timeout):
                return await session.ws_connect(self._url, params={"access_token": token}, heartbeat=HEARTBEAT)
        except aiohttp.WSServerHandshakeError as error:
            refused = error.status in {401, 403}
        except _BROKEN:
            pass
        # Raised out here: the errors above hold the address, and with it the token.
        if refused:
            raise BadCredentials("The stream of TopstepX does not accept this session.")
        raise Unavailable("The stream of TopstepX could not be reached.")

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse, account: int) -> list[InvocationMessage]:
        """The handshake and all subscriptions; gives what came in the meantime."""
        early: list[InvocationMessage] = []
        try:
            async with asyncio.timeout(self._timeout):
                early += await self._shake_hands(socket)
                waiting = {str(number): name for number, name in enumerate(SUBSCRIPTIONS, start=1)}
                for number, name in waiting.items():
                    await self._send(socket, InvocationMessage(number, name, [account]))
                while waiting:
                    for message in await self._receive(socket):
                        if isinstance(message, CompletionMessage) and message.error is None:
                            waiting.pop(message.invocation_id, None)
                        elif isinstance(message, CompletionMessage):
                            raise Unavailable("The stream of TopstepX refused a subscription.")
                        else:
                            early += self._calls([message])
        except TimeoutError:
            raise Unavailable("The stream of TopstepX did not begin in time.") from None
        return early

    async def _shake_hands(self, socket: aiohttp.ClientWebSocketResponse) -> list[InvocationMessage]:
        await self._send(socket, self._protocol.handshake_message())
        text = await self._text(socket)
        found = None
        with contextlib.suppress(LookupError, TypeError, ValueError, NotImplementedError):
            found = self._protocol.decode_handshake(text)
        if found is None or found[0].error:
            raise Unavailable("The stream of TopstepX did not agree on a protocol.")
        return self._calls(found[1])

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> list[Message]:
        text = await self._text(socket)
        with contextlib.suppress(LookupError, TypeError, ValueError, NotImplementedError):
            return self._protocol.decode(text)
        raise Unavailable("The stream of TopstepX sent something that could not be read.")

    async def _text(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        """The next message. An unanswered heartbeat ends the connection as well."""
        received = await socket.receive()
        if received.type is not aiohttp.WSMsgType.TEXT:
            raise Unavailable("The stream of TopstepX ended.")
        return str(received.data)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, message: Message | HandshakeMessage) -> None:
        with contextlib.suppress(*_BROKEN):  # what is broken is found by receiving
            await socket.send_str(self._protocol.encode(message))

    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE)
            await self._send(socket, PingMessage())

    @staticmethod
    def _calls(messages: Iterable[Message]) -> list[InvocationMessage]:
        found = []
        for message in messages:
            if isinstance(message, CloseMessage):
                raise Unavailable("TopstepX closed the stream.")
            if isinstance(message, InvocationMessage):
                found.append(message)
        return found


def rows(call: InvocationMessage) -> list[dict[str, Any]]:
    """What a call is about. Documented is the row itself; seen in the field is {action, data} around it, or a list."""
    found: list[Any] = []
    for argument in call.arguments if isinstance(call.arguments, list) else []:
        found += argument if isinstance(argument, list) else [argument]
    whole = [one for one in found if isinstance(one, dict)]
    return [one["data"] if isinstance(one.get("data"), dict) else one for one in whole]
