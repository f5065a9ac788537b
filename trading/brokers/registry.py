"""Which brokers there are, what opens an account there, and who speaks with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trading.brokers.protocol import Broker, Credentials, Endpoint


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a person enters, sealed at once; those that are not ``is_secret`` stay in the form after an error.

    ``name`` is what the adapter calls it, ``is_long`` a text of several lines.
    """

    name: str
    label: str | Promise
    is_secret: bool = True
    is_required: bool = True
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A broker that people can connect. ``markets`` are those it keeps apart, ``venue`` whose prices it trades by."""

    name: str
    label: str
    venue: str
    fields: tuple[Field, ...]
    make: Callable[[Credentials, Endpoint], Broker]
    markets: tuple[str, ...] = ("spot",)
    has_paper: bool = True
    has_currencies: bool = True  # whether an account there may hold several kinds of money


KEY: Final = Field("key", _("API key"))
SECRET: Final = Field("secret", _("API secret"))
PASSPHRASE: Final = Field("password", _("Passphrase"))


def _crypto(exchange_id: str) -> Callable[[Credentials, Endpoint], Broker]:
    def make(credentials: Credentials, endpoint: Endpoint) -> Broker:
        from trading.brokers.ccxt.broker import CcxtBroker

        # In the adapter's words, which are ccxt's.
        fields = {
            "api_key": credentials["key"],
            "secret": credentials["secret"],
            "passphrase": credentials.get("password"),
        }
        return CcxtBroker(exchange_id, Credentials(fields), endpoint)

    return make


def _alpaca(credentials: Credentials, endpoint: Endpoint) -> Broker:
    from trading.brokers.alpaca.broker import AlpacaBroker

    return AlpacaBroker(credentials, endpoint)


def _topstepx(credentials: Credentials, endpoint: Endpoint) -> Broker:
    from trading.brokers.topstepx.broker import TopstepXBroker

    return TopstepXBroker(credentials, endpoint)


BOTH: Final = ("spot", "perpetual")

BROKERS: Final[dict[str, Offer]] = {
    one.name: one
    for one in (
        Offer("binance", "Binance", "binance", (KEY, SECRET), _crypto("binance"), BOTH),
        Offer(
            "coinbase",
            "Coinbase",
            "coinbase",
            (Field("key", _("API key name")), Field("secret", _("Private key"), is_long=True)),
            _crypto("coinbase"),
            has_paper=False,
        ),
        Offer(
            "kraken",
            "Kraken",
            "kraken",
            (KEY, Field("secret", _("Private key"))),
            _crypto("kraken"),
            has_paper=False,
        ),
        Offer("kucoin", "KuCoin", "kucoin", (KEY, SECRET, PASSPHRASE), _crypto("kucoin"), has_paper=False),
        Offer("alpaca", "Alpaca", "alpaca", (KEY, SECRET), _alpaca, has_currencies=False),
        Offer(
            "topstepx",
            "TopstepX",
            "topstepx",
            (
                Field("username", _("User name"), is_secret=False),
                KEY,
                Field("account", _("Account"), is_secret=False, is_required=False),
            ),
            _topstepx,
            markets=("future",),
            has_currencies=False,
        ),
    )
}

OTHERS: Final = (KEY, SECRET, Field("password", _("Passphrase"), is_required=False))


def offer(name: str) -> Offer:
    """Raises KeyError. ``ccxt:<id>`` is any other exchange that ccxt can trade on."""
    if name in BROKERS:
        return BROKERS[name]
    kind, _colon, exchange_id = name.partition(":")
    if kind != "ccxt":
        raise KeyError(name)
    import ccxt

    from marketdata.providers.one_exchange import found

    if exchange_id not in ccxt.exchanges or exchange_id in BROKERS:
        raise KeyError(name)
    label = found(ccxt, exchange_id)().name
    return Offer(name, label, exchange_id, OTHERS, _crypto(exchange_id), BOTH)
