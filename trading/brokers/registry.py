"""Which brokers there are, what opens an account there, and who speaks with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trading.brokers.protocol import Broker, Credentials, Endpoint


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a person enters; ``is_secret`` ones are never shown again."""

    name: str
    label: str
    is_secret: bool = True
    is_required: bool = True


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


KEY: Final = Field("key", "API key", is_secret=False)
SECRET: Final = Field("secret", "API secret")
PASSPHRASE: Final = Field("password", "Passphrase")


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
        Offer("coinbase", "Coinbase", "coinbase", (KEY, SECRET), _crypto("coinbase"), has_paper=False),
        Offer("kraken", "Kraken", "kraken", (KEY, SECRET), _crypto("kraken"), has_paper=False),
        Offer("kucoin", "KuCoin", "kucoin", (KEY, SECRET, PASSPHRASE), _crypto("kucoin"), has_paper=False),
        Offer("alpaca", "Alpaca", "alpaca", (KEY, SECRET), _alpaca),
        Offer(
            "topstepx",
            "TopstepX",
            "topstepx",
            (
                Field("username", "User name", is_secret=False),
                Field("key", "API key"),
                Field("account", "Account", is_secret=False, is_required=False),
            ),
            _topstepx,
            markets=("future",),
        ),
    )
}


def offer(name: str) -> Offer:
    """Raises KeyError. ``ccxt:<id>`` is any other exchange that ccxt can trade on."""
    if name in BROKERS:
        return BROKERS[name]
    kind, _, exchange_id = name.partition(":")
    if kind != "ccxt":
        raise KeyError(name)
    import ccxt

    if exchange_id not in ccxt.exchanges:
        raise KeyError(name)
    label = getattr(ccxt, exchange_id)().name
    return Offer(name, label, exchange_id, (KEY, SECRET, PASSPHRASE), _crypto(exchange_id), BOTH)
