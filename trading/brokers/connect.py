"""From an account to the broker that its orders go to."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from clusterx.sealing import CannotOpen, open_sealed, seal
from marketdata.models import Instrument
from trading.brokers.paper.broker import PaperBroker
from trading.brokers.protocol import BadCredentials, Broker, Credentials, Endpoint
from trading.brokers.registry import offer
from trading.models import Account, Connection


def connect(account: Account, clock: Callable[[], datetime]) -> Broker:
    """The account's broker, ready to be used by this thread; the caller closes it.

    Raises BadCredentials where there are none, or this process cannot open them: only the trading worker can.
    """
    if account.kind == Account.Kind.PAPER:
        return PaperBroker(account, clock)
    # What is in the row now: a key that was revoked since the account was read opens nothing.
    connection = Connection.objects.get(pk=account.pk)
    if connection.opened_at is None or not connection.may_trade:
        raise BadCredentials("The key did not pass its test yet.")
    return opened(connection)


def opened(connection: Connection) -> Broker:
    """Raises BadCredentials, or Refused where the venue has no test environment."""
    return offer(connection.broker).make(credentials_of(connection), endpoint_of(connection))


@sensitive_variables()
def credentials_of(connection: Connection) -> Credentials:
    """Raises BadCredentials."""
    if connection.sealed is None:
        raise BadCredentials("The key was revoked here.")
    try:
        return Credentials(json.loads(open_sealed(bytes(connection.sealed), connection.context)))
    except CannotOpen as error:
        reason = error.reason
    raise BadCredentials(f"The key cannot be opened here: {reason}.")


@sensitive_variables()
def sealed(connection: Connection, fields: dict[str, str]) -> bytes:
    """``fields`` as they are kept."""
    return seal(json.dumps(fields).encode(), connection.context)


def endpoint_of(connection: Connection) -> Endpoint:
    """Where it connects. Another address than the venue's own is the operator's to choose, never a person's."""
    base_url = settings.BROKER_URLS.get(connection.broker, "")
    return Endpoint(is_paper=connection.is_paper, market=connection.market, base_url=base_url)


def symbol_of(account: Account, instrument: Instrument) -> str:
    """What the account's broker calls ``instrument``."""
    return instrument.ref if account.kind == Account.Kind.PAPER else instrument.venue_symbol


def instrument_called(account: Account, symbol: str) -> Instrument | None:
    """The instrument that the account's broker calls ``symbol``."""
    instruments = Instrument.objects.select_related("venue")
    if account.kind == Account.Kind.PAPER:
        return instruments.filter(ref=symbol).first()
    connection = account.connection
    named = instruments.filter(venue=connection.venue, venue_symbol=symbol)
    # One venue calls a coin pair and the perpetual on it the same.
    is_perpetual = Q(kind=Instrument.Kind.PERPETUAL)
    return named.filter(is_perpetual if connection.market == "perpetual" else ~is_perpetual).first()
