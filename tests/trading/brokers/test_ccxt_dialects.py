"""What the ccxt adapter sends to exchanges of which there is no local copy, and how it reads what they answer.

The answers are the examples of each exchange's documentation.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.trading.brokers.documented import CLIENT_ID, COINBASE, EXCHANGES, KRAKEN, KRAKEN_ORDER, KUCOIN, Told, form, posted
from tests.venues.scripted import ScriptedVenue
from trading.brokers.ccxt import CcxtBroker
from trading.brokers.ccxt.dialects import DIALECTS, OTHER
from trading.brokers.protocol import (
    BadCredentials,
    BrokerError,
    Credentials,
    Endpoint,
    OrderKey,
    OrderRequest,
    OutcomeUnknown,
    Refused,
    Side,
    State,
    TimeInForce,
    Type,
    Unavailable,
    VenueOrder,
)

D = Decimal
SECRET = base64.b64encode(os.urandom(64)).decode()  # Coinbase's is the seed and the public half of an Ed25519 key
SINCE = datetime(2026, 11, 20, tzinfo=UTC)


@contextmanager
def connected(exchange_id: str, **answers: Any) -> Iterator[tuple[ScriptedVenue, CcxtBroker]]:
    """``answers`` by what they answer: submit, cancel, ask, fills."""
    told = EXCHANGES[exchange_id]
    script = dict(told.start)
    for name, said in answers.items():
        method, path = getattr(told, name)
        script[f"{method} {path}"] = said
    with ScriptedVenue(script) as venue:
        credentials = Credentials({"api_key": "key", "secret": SECRET, "passphrase": "phrase"})
        broker = CcxtBroker(exchange_id, credentials, Endpoint(base_url=venue.base_url, timeout=5))
        broker._client.enableRateLimit = False  # Kraken's is seconds
        yield venue, broker
        broker.close()


def limit_order(told: Told, **changes: Any) -> OrderRequest:
    said: dict[str, Any] = {"type": Type.LIMIT, "quantity": D("0.10000003"), "limit_price": D("30000.1")}
    return OrderRequest(CLIENT_ID, told.symbol, Side.BUY, **said | changes)


@pytest.fixture(params=EXCHANGES)
def exchange_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_order_carries_our_id_and_the_very_digits(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=told.placed) as (venue, broker):
        placed = broker.submit(limit_order(told))
        (came,) = venue.of(*told.submit)
    assert told.id_in_submit(came) == CLIENT_ID
    assert {"0.10000003", "30000.1"} <= told.numbers_in_submit(came)
    assert (placed.client_order_id, placed.venue_order_id, placed.symbol) == (CLIENT_ID, "68e6a28f", told.symbol)
    assert (placed.quantity, placed.limit_price, placed.filled) == (D("0.10000003"), D("30000.1"), D(0))
    assert (placed.side, placed.type, placed.state) == (Side.BUY, Type.LIMIT, State.ACCEPTED)


def test_an_order_is_found_by_our_id(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, ask=told.found) as (_, broker):
        found = broker.order(OrderKey(CLIENT_ID, told.symbol))
    assert found is not None
    assert (found.client_order_id, found.venue_order_id, found.symbol) == (CLIENT_ID, "68e6a28f", told.symbol)
    assert (found.quantity, found.filled, found.limit_price) == (D("0.10000003"), D("0.02"), D("30000.1"))
    assert (found.side, found.type, found.state) == (Side.BUY, Type.LIMIT, State.PARTLY_FILLED)
    assert found.updated_at.date().isoformat() == "2026-11-21"


def test_an_order_that_is_not_there_is_none(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, ask=told.none_found) as (venue, broker):
        assert broker.order(OrderKey(CLIENT_ID, told.symbol)) is None
        assert venue.of(*told.ask)


def test_an_order_is_cancelled_by_our_id(exchange_id: str) -> None:
    """Coinbase cancels by its own id alone, which is looked up first."""
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, cancel=told.cancelled, ask=told.found) as (venue, broker):
        assert broker.cancel(OrderKey(CLIENT_ID, told.symbol)) is None
        (came,) = venue.of(*told.cancel)
    assert told.id_in_cancel(came) == CLIENT_ID


def test_a_cancel_that_comes_too_late_is_told(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, cancel=told.too_late, ask=told.found) as (_, broker), pytest.raises(Refused) as late:
        broker.cancel(OrderKey(CLIENT_ID, told.symbol))
    assert late.value.code == "not-open"


def test_a_refusal_has_our_code(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=told.no_money) as (_, broker), pytest.raises(Refused) as refused:
        broker.submit(limit_order(told))
    assert refused.value.code == "insufficient-funds"


@pytest.mark.parametrize("answer", [(500, {"error": "x"}), (503, "<html>"), (200, "nonsense"), (200, {"success": True})])
def test_what_proves_nothing_leaves_the_outcome_unknown(exchange_id: str, answer: tuple[int, Any]) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=answer) as (_, broker):
        try:
            placed: VenueOrder | None = broker.submit(limit_order(told))
            error: BrokerError | None = None
        except BrokerError as caught:
            placed, error = None, caught
    # An answer of success without an order is success at best: that it was refused must never be said.
    assert isinstance(error, OutcomeUnknown) or (answer[0] == 200 and placed is not None and placed.state is State.ACCEPTED)


def test_an_order_that_would_not_carry_our_id_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coinbase as it would be without its row: ccxt drops the unified clientOrderId and makes up another one."""
    with connected("coinbase", submit=COINBASE.placed) as (venue, broker):
        monkeypatch.setattr(broker, "_dialect", OTHER)
        with pytest.raises(Refused):
            broker.submit(limit_order(COINBASE))
        assert venue.of(*COINBASE.submit) == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_signed_request_is_not_sent_to_where_it_is_redirected(exchange_id: str, status: int) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=(status, {}, {"Location": "/elsewhere"})) as (venue, broker):
        with pytest.raises(OutcomeUnknown):
            broker.submit(limit_order(told))
        assert len(venue.of(*told.submit)) == 1
        assert [one.path for one in venue.came if one.path == "/elsewhere"] == []


def test_fills_are_read(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, fills=told.filled) as (_, broker):
        (fill,) = broker.fills_since(SINCE, [told.symbol])
    assert (fill.venue_order_id, fill.symbol, fill.side, fill.is_maker) == ("68e6a28f", told.symbol, Side.BUY, True)
    assert (fill.quantity, fill.price, fill.fee, fill.fee_currency) == (D("0.02"), D("30000.1"), D("1.25"), "USD")
    assert fill.time.isoformat(timespec="milliseconds").startswith("2026-11-21T10:00:05.123")


def test_coinbase_buys_at_market_by_size_and_not_by_cost() -> None:
    with connected("coinbase", submit=COINBASE.placed) as (venue, broker):
        broker.submit(limit_order(COINBASE, type=Type.MARKET, limit_price=None))
        (came,) = venue.of(*COINBASE.submit)
    assert posted(came)["order_configuration"] == {"market_market_ioc": {"base_size": "0.10000003"}}


@pytest.mark.parametrize(("side", "direction"), [(Side.SELL, "STOP_DIRECTION_STOP_DOWN"), (Side.BUY, "STOP_DIRECTION_STOP_UP")])
def test_coinbases_stop_looks_to_the_side_where_it_hurts(side: Side, direction: str) -> None:
    request = OrderRequest(CLIENT_ID, "BTC-USD", side, Type.STOP_LIMIT, D("0.1"), D(30000), D(30010))
    with connected("coinbase", submit=COINBASE.placed) as (venue, broker):
        broker.submit(request)
        (came,) = venue.of(*COINBASE.submit)
    (said,) = posted(came)["order_configuration"].values()
    assert said == {"base_size": "0.1", "limit_price": "30000", "stop_price": "30010", "stop_direction": direction}


def test_krakens_stop_and_deadline() -> None:
    request = OrderRequest(CLIENT_ID, "XXBTZUSD", Side.SELL, Type.STOP, D("0.1"), stop_price=D("29000.5"))
    with connected("kraken", submit=KRAKEN.placed) as (venue, broker):
        before = datetime.now(UTC)
        broker.submit(request)
        said = form(venue.of(*KRAKEN.submit)[0])
        assert broker.capabilities.valid_for.total_seconds() > 10
    assert (said["ordertype"], said["price"], said["type"]) == ("stop-loss", "29000.5", "sell")
    deadline = datetime.fromisoformat(said["deadline"])
    assert 8 <= (deadline - before).total_seconds() <= 11


def test_an_order_that_a_person_placed_at_kraken_has_no_id_of_ours() -> None:
    """ccxt gives its userref as a client order id, which is 0 for orders that have none."""
    by_hand = {name: value for name, value in KRAKEN_ORDER.items() if name != "cl_ord_id"}
    said = {"error": [], "result": {"open": {"68e6a28f": KRAKEN_ORDER, "O2": by_hand}}}
    with connected("kraken", ask=said) as (_, broker):
        told = {one.venue_order_id: one.client_order_id for one in broker.open_orders()}
    assert told == {"68e6a28f": CLIENT_ID, "O2": ""}


async def test_a_stream_that_was_not_proved_is_not_used(exchange_id: str) -> None:
    with connected(exchange_id) as (_, broker):
        assert not broker.capabilities.streams
        with pytest.raises(Unavailable):
            await anext(broker.updates())


def test_time_in_force_is_said_only_where_it_is_asked_for() -> None:
    with connected("kucoin", submit=KUCOIN.placed) as (venue, broker):
        broker.submit(limit_order(KUCOIN, time_in_force=TimeInForce.IOC))
        broker.submit(limit_order(KUCOIN))
        first, second = (posted(came) for came in venue.of(*KUCOIN.submit))
    assert first["timeInForce"] == "IOC"
    assert second.get("timeInForce") in {None, "GTC"}


def test_a_secret_that_is_no_key_is_a_wrong_key(exchange_id: str) -> None:
    told = EXCHANGES[exchange_id]
    with connected(exchange_id, submit=told.placed) as (venue, broker):
        broker._calls.load()
        broker._client.secret = "not base64 and no key ="
        if exchange_id == "kucoin":  # signs with whatever it is given
            assert broker.submit(limit_order(told)).client_order_id == CLIENT_ID
            return
        with pytest.raises(BadCredentials):
            broker.submit(limit_order(told))
        assert venue.of(*told.submit) == []


def test_every_row_is_of_an_exchange_that_there_is() -> None:
    assert set(DIALECTS) <= set(ccxt.exchanges)
    for row in (*DIALECTS.values(), OTHER):
        assert row.valid_for > (row.receive_window or row.deadline or row.valid_for / 2)
        assert row.unique_ids in {"open", "ever"}


def test_an_exchange_without_a_row_gets_the_careful_one() -> None:
    broker = CcxtBroker("bitstamp", Credentials({"api_key": "k", "secret": "s"}), Endpoint(base_url="http://127.0.0.1:9"))
    told = broker.capabilities
    broker.close()
    assert not told.asks_by_client_id
    assert not told.replaces
    assert told.unique_ids == "open"
    assert told.order_types == {Type.MARKET, Type.LIMIT}


def test_an_exchange_is_there_where_market_data_had_imported_another_alone() -> None:
    """A worker may have loaded Binance's market data first, which imports ccxt for that exchange alone."""
    script = (
        "import marketdata.providers.binance\n"
        "import ccxt\n"
        "from marketdata.providers.one_exchange import found\n"
        "import ccxt.pro\n"
        "for name in ('kraken', 'kucoin', 'coinbase', 'binance', 'binanceusdm'):\n"
        "    for package in (ccxt, ccxt.pro):\n"
        "        assert found(package, name)().id == name, name\n"
        "        assert getattr(package, name) is found(package, name)\n"
        "assert isinstance(found(ccxt, 'binanceusdm')(), ccxt.binance)\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "clusterx.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
