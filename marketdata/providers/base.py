"""What every provider offers. Adapters know a venue's protocol and nothing of the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from marketdata.bars import Bar
from marketdata.messages import Message


class ProviderError(Exception):
    """The venue could not be reached or refused; trying again later may help."""


class VenueSilent(ProviderError):
    """The venue did not answer the first question that it was asked."""


@dataclass(frozen=True)
class Subscription:
    """What to hear of one instrument: ``symbol`` as the venue writes it, ticks or only bars of ``timeframe``."""

    symbol: str
    timeframe: str
    ticks: bool


class Provider(Protocol):
    """One connection to one venue."""

    async def server_time(self) -> float:
        """The venue's clock, epoch seconds."""

    async def bars(self, symbol: str, timeframe: str, *, start: int, end: int) -> list[Bar]:
        """Closed bars with ``start <= time < end`` (epoch seconds), oldest first, as many pages as it takes."""

    async def book(self, symbol: str) -> tuple[int, list[tuple[float, float]], list[tuple[float, float]]]:
        """The book's update id, bids and asks."""

    async def listen(self, subscriptions: Sequence[Subscription], heard: Callable[[Any, Message | Exception], None]) -> None:
        """Hear messages until the connection is lost.

        ``heard`` gets the raw message and what it says, or the ``Malformed`` that it is. Raises ProviderError when the
        connection ends.
        """

    async def close(self) -> None: ...


def provider_for(name: str, base_url: str) -> Provider:
    """A new connection by the adapter called ``name``; ``base_url`` names another server that speaks its protocol.

    Raises LookupError for an adapter that there is not.
    """
    if name == "binance":
        from marketdata.providers.binance import BinanceProvider

        return BinanceProvider(base_url=base_url)
    raise LookupError(f"no provider is called {name!r}; there is binance")
