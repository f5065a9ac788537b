"""From an account to the broker that its orders go to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from marketdata.models import Instrument
from trading.brokers.paper.broker import PaperBroker
from trading.brokers.protocol import Broker
from trading.models import Account


def connect(account: Account, clock: Callable[[], datetime]) -> Broker:
    """The account's broker, ready to be used by this thread; the caller closes it."""
    return PaperBroker(account, clock)


def symbol_of(account: Account, instrument: Instrument) -> str:
    """What the account's broker calls ``instrument``."""
    return instrument.ref if account.kind == Account.Kind.PAPER else instrument.venue_symbol


def instrument_called(account: Account, symbol: str) -> Instrument | None:
    """The instrument that the account's broker calls ``symbol``."""
    return Instrument.objects.select_related("venue").filter(ref=symbol).first()
