"""The gateway's user hub: SignalR's JSON protocol on a WebSocket, by Microsoft's description of it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any, Final

from aiohttp import WSMsgType, web

from tests.venues.faults import Faults, StreamFault
from tests.venues.topstepx_json import write

SEPARATOR: Final = "\x1e"
INVOCATION, COMPLETION, PING, CLOSE = 1, 3, 6, 7
EVENTS: Final = {
    "SubscribeAccounts": "GatewayUserAccount",
    "SubscribeOrders": "GatewayUserOrder",
    "SubscribePositions": "GatewayUserPosition",
    "SubscribeTrades": "GatewayUserTrade",
}


class _Client:
    """One connection; what is queued is sent in order, and None ends it."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def send_all(self, socket: web.WebSocketResponse) -> None:
        while (text := await self.queue.get()) is not None:
            await socket.send_str(text)
        await socket.close()


class UserHub:
    """Used in the server's thread alone.

    Parameters
    ----------
    valid : set
        The tokens that are accepted now.
    wrapped : bool
        Puts {action, data} around a row, as it is seen to be done in the field; documented is the row alone.

    ``subscribing`` is called with each subscription that was made, before it is confirmed.
    """

    def __init__(self, valid: set[str], faults: Faults, *, account: int, wrapped: bool) -> None:
        self._valid, self._faults, self._account, self._wrapped = valid, faults, account, wrapped
        self._clients: list[_Client] = []
        self._held: list[tuple[str, str]] = []  # sent after the next message
        self.pings = 0
        self.subscribing: Callable[[str], object] = lambda target: None

    async def negotiate(self, request: web.Request) -> web.Response:
        if request.query.get("access_token") not in self._valid:
            return web.Response(status=401)
        number = secrets.token_hex(8)
        return web.json_response({"connectionId": number, "connectionToken": number, "negotiateVersion": 1})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("access_token") not in self._valid:
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        first = json.loads((await socket.receive_str()).removesuffix(SEPARATOR))
        if first != {"protocol": "json", "version": 1}:
            await socket.send_str(json.dumps({"error": "The protocol is not supported."}) + SEPARATOR)
            return socket
        client = _Client()
        self._clients.append(client)
        await socket.send_str("{}" + SEPARATOR)
        sending = asyncio.ensure_future(client.send_all(socket))
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    for text in frame.data.split(SEPARATOR)[:-1]:
                        self._hear(client, json.loads(text))
        finally:
            sending.cancel()
            self._clients.remove(client)
        return socket

    def publish(self, event: str, row: dict[str, Any]) -> None:
        if not any(event in client.topics for client in self._clients):
            return
        argument = {"action": 1, "data": row} if self._wrapped else row
        text = write({"type": INVOCATION, "target": event, "arguments": [argument]}) + SEPARATOR
        fault = self._faults.take_stream()
        if fault is StreamFault.DISCONNECT:
            self.hang_up()
        elif fault is StreamFault.REORDER:
            self._held.append((event, text))
        elif fault is not StreamFault.DROP:
            self._send(event, text)
            if fault is StreamFault.DUPLICATE:
                self._send(event, text)
            while self._held:
                self._send(*self._held.pop(0))

    def hang_up(self) -> None:
        for client in self._clients:
            client.queue.put_nowait(None)

    def say_close(self) -> None:
        """SignalR's own word for the end; the connection is left to the client."""
        for client in self._clients:
            client.queue.put_nowait(json.dumps({"type": CLOSE, "error": "Connection closed with an error."}) + SEPARATOR)

    def _send(self, event: str, text: str) -> None:
        for client in self._clients:
            if event in client.topics:
                client.queue.put_nowait(text)

    def _hear(self, client: _Client, message: dict[str, Any]) -> None:
        if message["type"] == PING:
            self.pings += 1
        if message["type"] != INVOCATION:
            return
        target, number = message["target"], message.get("invocationId")
        completion: dict[str, Any] = {"type": COMPLETION, "invocationId": number}
        if target in EVENTS and message["arguments"] == ([] if target == "SubscribeAccounts" else [self._account]):
            client.topics.add(EVENTS[target])
            self.subscribing(target)
        else:
            completion["error"] = "Failed to invoke the method."
        if number is not None:
            # Through the loop, behind whatever the exchange was just made to say; with a ping, which means nothing.
            texts = json.dumps(completion) + SEPARATOR + json.dumps({"type": PING}) + SEPARATOR
            asyncio.get_running_loop().call_soon(client.queue.put_nowait, texts)
