"""What exchanges do differently, as far as ccxt's unified calls do not even it out: one row each, and a careful default.

Where an exchange's documentation leaves a question open the row takes the answer that is safe to be wrong about: ids that
are unique among open orders only, a longer time in which a lost request may still be accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from trading.brokers.ccxt.codes import (
    BINANCE,
    BINANCE_PHRASES,
    COINBASE_PHRASES,
    KRAKEN_PHRASES,
    KUCOIN_CODES,
    KUCOIN_PHRASES,
    Verdict,
)
from trading.brokers.protocol import TimeInForce, Type

PLAIN: Final = frozenset({Type.MARKET, Type.LIMIT})
STOPS: Final = frozenset({Type.STOP, Type.STOP_LIMIT})
LASTING: Final = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})


class Lookup(StrEnum):
    """How an order is asked for by its client order id."""

    ONE = "one"  # a question of its own
    LISTS = "lists"  # the lists of open and closed orders take the id as a filter
    SEARCH = "search"  # the lists do not: everything open and everything recent is looked through


@dataclass(frozen=True, slots=True)
class Dialect:
    """One exchange.

    Parameters
    ----------
    submit_id, ask_id : str
        Under which name ``params`` of ccxt's calls take the client order id.
    receive_window : timedelta
        How long after its timestamp the exchange takes a request; sent along where it can be chosen.
    valid_for : timedelta
        The receive window, the clock's error and what a proxy may hold back.
    fill_window : timedelta or None
        The longest period that one question for fills may cover.
    newest_first : bool
        Pages of fills go backward in time.
    base_sized_market : bool
        ccxt sends what market buys cost; the size in the base currency is put in its place.
    ends_stream : frozenset of str
        Events that say that nothing more will come although the connection stays open.
    shares_instruments : bool
        Loading them finds out nothing that belongs to the account.
    market_types : mapping
        By our name of a market, which kinds of instruments are loaded: an exchange has thousands of others.
    order_client_id : str
        Where in the exchange's own words of an order our id stands, if ccxt's unified field may hold something else.
    streams : bool
        The account stream was proved to tell orders and fills as they are, and ``authenticate`` returns when it holds. It is
        off by default: ccxt reads Kraken's without our id and without what was filled, and whatever the stream would tell is
        found by asking too.
    """

    order_types: frozenset[Type] = PLAIN
    perpetual_types: frozenset[Type] = PLAIN
    time_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.GTC})
    submit_id: str = "clientOrderId"
    ask_id: str = "clientOrderId"
    lookup: Lookup = Lookup.SEARCH
    cancels_by_client_id: bool = False
    longest_client_id: int = 32
    unique_ids: str = "open"
    receive_window: timedelta | None = None
    valid_for: timedelta = timedelta(seconds=150)
    deadline: timedelta | None = None
    replaces_spot: bool = False
    fills_need_symbol: bool = False
    fill_page: int | None = None
    fill_window: timedelta | None = None
    newest_first: bool = False
    base_sized_market: bool = False
    demo_perpetual: bool = False
    loads_currencies: bool = True
    shares_instruments: bool = False
    market_types: Mapping[str, list[str]] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    codes: Mapping[str, Verdict] = field(default_factory=dict)
    phrases: tuple[tuple[str, Verdict], ...] = ()
    ends_stream: frozenset[str] = frozenset()
    streams: bool = False
    order_client_id: str = ""
    fill_client_id: str = ""


DIALECTS: Final[Mapping[str, Dialect]] = {
    # Spot: newClientOrderId is unique among open orders. Perpetuals: conditional orders are "algo orders" with ids of their
    # own that turn into other orders when they trigger, so stops are not offered there; a modified order keeps its client
    # order id, so it is not what we call replacing.
    "binance": Dialect(
        order_types=PLAIN | STOPS,
        time_in_force=LASTING,
        submit_id="newClientOrderId",
        ask_id="origClientOrderId",
        lookup=Lookup.ONE,
        cancels_by_client_id=True,
        longest_client_id=36,
        receive_window=timedelta(seconds=5),
        valid_for=timedelta(seconds=10),
        replaces_spot=True,
        fills_need_symbol=True,
        fill_page=1000,
        demo_perpetual=True,
        loads_currencies=False,
        shares_instruments=True,
        market_types={"spot": ["spot"], "perpetual": ["linear"]},
        options={"fetchMargins": False, "fetchOpenOrders": {"warnWithoutSymbol": False}},
        codes=BINANCE,
        phrases=BINANCE_PHRASES,
        ends_stream=frozenset({"listenKeyExpired", "eventStreamTerminated"}),
        streams=True,
        fill_client_id="c",
    ),
    # ccxt drops the unified clientOrderId when it submits; the exchange's own name goes through. A client order id that was
    # seen before creates nothing. Its tokens are good for two minutes.
    "coinbase": Dialect(
        order_types=PLAIN | {Type.STOP_LIMIT},
        time_in_force=LASTING,
        submit_id="client_order_id",
        longest_client_id=36,
        unique_ids="ever",
        valid_for=timedelta(seconds=130),
        fill_page=100,
        newest_first=True,
        base_sized_market=True,
        phrases=COINBASE_PHRASES,
        loads_currencies=False,
    ),
    # Free text of up to 18 characters, or a UUID. There is no receive window, but an order takes a deadline of its own.
    "kraken": Dialect(
        order_types=PLAIN | STOPS,
        time_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC}),
        lookup=Lookup.LISTS,
        cancels_by_client_id=True,
        longest_client_id=18,
        deadline=timedelta(seconds=10),
        valid_for=timedelta(seconds=20),
        newest_first=True,
        shares_instruments=True,
        order_client_id="cl_ord_id",
        phrases=KRAKEN_PHRASES,
    ),
    # Stop orders live apart, with questions of their own.
    "kucoin": Dialect(
        time_in_force=LASTING,
        submit_id="clientOid",
        ask_id="clientOid",
        lookup=Lookup.ONE,
        cancels_by_client_id=True,
        longest_client_id=40,
        receive_window=timedelta(seconds=5),
        valid_for=timedelta(seconds=10),
        fills_need_symbol=True,
        fill_page=100,
        fill_window=timedelta(days=7),
        newest_first=True,
        loads_currencies=False,
        market_types={"spot": ["spot"], "perpetual": ["swap"]},
        codes=KUCOIN_CODES,
        phrases=KUCOIN_PHRASES,
    ),
}

OTHER: Final = Dialect()


def dialect(exchange_id: str) -> Dialect:
    return DIALECTS.get(exchange_id, OTHER)
