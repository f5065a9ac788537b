"""What every local venue offers to tests: a server that speaks one real venue's private protocol over ``Exchange``.

One scenario runs over all of them, so a venue says here what differs: how its instrument is called and what its books hold.
"""

from __future__ import annotations

from typing import Protocol, Self

from tests.venues.exchange import Exchange
from tests.venues.faults import Faults
from trading.brokers.protocol import Broker, Credentials, Endpoint


class LocalVenue(Protocol):
    """A context manager: inside it, the server listens on a free port of this machine.

    The server works in a thread of its own. Tests may call ``exchange`` from theirs: it takes its own lock.
    """

    @property
    def exchange(self) -> Exchange:
        """The truth: what the account has, and what became of each order."""
        ...

    @property
    def faults(self) -> Faults:
        """What goes wrong next, for the operations submit, cancel, replace and ask, and on the account stream."""
        ...

    @property
    def credentials(self) -> Credentials:
        """Those that the server accepts, until ``revoke``."""
        ...

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def symbol(self) -> str:
        """An instrument that is listed and has a price, as ``exchange.listed`` and ``OrderRequest.symbol`` name it."""
        ...

    def broker(self, *, timeout: float | None = None) -> Broker:
        """A new adapter with ``credentials``, connected to ``endpoint`` (with another ``timeout`` where one is given).

        Closed by the venue when its context ends, if nobody did before.
        """
        ...

    def revoke(self) -> None:
        """From now on the credentials are not accepted, neither for requests nor by an open stream."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...
