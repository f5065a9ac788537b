"""The account's websocket: trade_updates.

alpaca-py's own stream connects again by itself and says nothing of what was missed meanwhile. This one ends where the
connection does, so that the one who listens asks for what it did not hear.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from trading.brokers.alpaca import messages
from trading.brokers.alpaca.messages import Message, Unreadable
from trading.brokers.protocol import BadCredentials, Listening, NotSent, Unavailable, Update

_SILENT: Final = logging.Logger("alpaca-stream", level=logging.CRITICAL + 1)
"""websockets logs every frame at DEBUG, and the first one holds the secret: no configuration reaches this logger."""

STREAM: Final = "trade_updates"


async def updates(url: str, key: str, secret: str, *, patience: float, named: Callable[[str], str]) -> AsyncIterator[Update]:
    """Listening, then what the account's orders do, until the connection ends: then Unavailable or BadCredentials.

    ``patience`` is seconds for the connection and for each answer on the way to Listening.
    """
    try:
        async with connect(url, open_timeout=patience, close_timeout=patience, logger=_SILENT, max_queue=None) as socket:
            async with asyncio.timeout(patience):
                await _open(socket, key, secret)
            yield Listening(datetime.now(UTC))
            while True:
                for one in await _read(await socket.recv(), named):
                    yield one
    except InvalidStatus as error:
        if error.response.status_code in {401, 403}:
            raise BadCredentials("Alpaca does not accept the key.") from None
        raise Unavailable(f"Alpaca's stream answered with HTTP {error.response.status_code}.") from None
    except TimeoutError:
        raise Unavailable("Alpaca's stream did not answer in time.") from None
    except Unreadable as error:
        raise Unavailable(f"A message of Alpaca's stream cannot be read: {error}.") from None
    except ConnectionClosed:
        raise Unavailable("Alpaca's stream was closed.") from None
    except NotSent as error:  # a question about a name was turned away
        raise Unavailable(error.message) from None
    except (WebSocketException, OSError):
        raise Unavailable("Alpaca's stream could not be reached.") from None


async def _open(socket: ClientConnection, key: str, secret: str) -> None:
    await socket.send(json.dumps({"action": "auth", "key": key, "secret": secret}))
    await _until(socket, "authorization")
    await socket.send(json.dumps({"action": "listen", "data": {"streams": [STREAM]}}))
    if STREAM not in ((await _until(socket, "listening")).get("streams") or []):
        raise Unavailable("Alpaca's stream tells nothing about orders.")


async def _until(socket: ClientConnection, stream: str) -> Message:
    while True:
        message = _decode(await socket.recv())
        if message.get("stream") == stream:
            return messages.mapping(message.get("data"))


async def _read(frame: str | bytes, named: Callable[[str], str]) -> list[Update]:
    message = _decode(frame)
    if message.get("stream") != STREAM:
        return []
    # ``named`` may ask Alpaca how a coin pair is spelled; the loop goes on meanwhile.
    return await asyncio.to_thread(_told, messages.mapping(message.get("data")), named)


def _told(data: Message, named: Callable[[str], str]) -> list[Update]:
    """The execution, if it is one, and the order as it is after it. Corrections of executions are found by asking."""
    orders = [messages.order(one, named) for one in messages.single_orders(messages.mapping(data.get("order")))]
    fill = messages.fill_update(data, named)
    return [fill, *orders] if fill is not None else [*orders]


def _decode(frame: str | bytes) -> dict[str, Any]:
    """A message; Alpaca sends JSON in binary frames. Raises where it is a refusal or an error."""
    try:
        message = json.loads(frame, parse_float=Decimal)
    except ValueError:
        raise Unreadable("not JSON") from None
    if not isinstance(message, dict):
        raise Unreadable("not an object")
    if message.get("action") == "error" or message.get("stream") == "error":
        raise Unavailable("Alpaca's stream ended with an error of its own.")
    data = message.get("data")
    if message.get("stream") == "authorization" and (not isinstance(data, dict) or data.get("status") != "authorized"):
        raise BadCredentials("Alpaca does not accept the key.")
    return message
