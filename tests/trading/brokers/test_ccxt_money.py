"""What the ccxt adapter tells of fills, balances and money that moves, against the local Binance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.trading.brokers.binance_orders import D, lately, order
from tests.venues.binance import BinanceVenue
from trading.brokers.protocol import (
    FlowKind,
    Side,
)


@pytest.fixture
def spot() -> Iterator[BinanceVenue]:
    with BinanceVenue() as venue:
        yield venue


@pytest.fixture(params=["spot", "perpetual"])
def venue(request: pytest.FixtureRequest) -> Iterator[BinanceVenue]:
    with BinanceVenue(request.param) as made:
        yield made


def test_fills_are_told_with_their_fee_and_the_same_when_asked_again(venue: BinanceVenue) -> None:
    broker = venue.broker()
    told = broker.submit(order("f1"))
    first = broker.fills_since(lately(), ["BTCUSDT", "ETHUSDT"])
    assert broker.fills_since(lately(), ["BTCUSDT"]) == first
    (fill,) = first
    (truth,) = venue.exchange.fills
    assert (fill.venue_fill_id, fill.venue_order_id) == (str(truth.id), told.venue_order_id)
    assert (fill.quantity, fill.price, fill.side, fill.is_maker) == (D("0.01"), D(50000), Side.BUY, False)
    assert (fill.fee, fill.fee_currency) == (truth.fee, "USDT" if venue.perpetual else "BTC")


def test_a_fill_at_the_very_moment_that_is_asked_for_is_told(spot: BinanceVenue) -> None:
    broker = spot.broker()
    broker.submit(order("f1"))
    assert len(broker.fills_since(spot.exchange.fills[0].at, ["BTCUSDT"])) == 1


def test_more_fills_than_a_page_are_all_told(spot: BinanceVenue) -> None:
    broker = spot.broker()
    began = spot.now() - timedelta(days=1)
    for number in range(1020):
        spot.exchange.clock = lambda number=number: began + timedelta(seconds=number // 3)  # several at one moment
        spot.exchange.submit(client_order_id="", symbol="BTCUSDT", side="buy", type="market", quantity=D("0.0001"))
    told = broker.fills_since(began, ["BTCUSDT"])
    assert [one.venue_fill_id for one in told] == [str(one.id) for one in spot.exchange.fills]


def test_fills_of_more_than_a_week_ago_are_told_too(venue: BinanceVenue) -> None:
    """The futures answer for at most seven days at once."""
    broker = venue.broker()
    now = venue.now()
    for days in (25, 16, 3):
        venue.exchange.clock = lambda days=days: now - timedelta(days=days)
        venue.exchange.submit(client_order_id="", symbol="BTCUSDT", side="buy", type="market", quantity=D("0.01"))
    told = broker.fills_since(now - timedelta(days=20), ["BTCUSDT"])
    assert [one.venue_fill_id for one in told] == [str(one.id) for one in venue.exchange.fills[1:]]


def test_money_that_moves_without_a_trade_is_told_once(venue: BinanceVenue) -> None:
    broker = venue.broker()
    began = venue.now()
    broker.submit(order("f1"))
    venue.exchange.flow("deposit", "USDT", D(500))
    venue.exchange.flow("withdrawal", "USDT", D("-20.5"))
    expected = {(FlowKind.DEPOSIT, D(500)), (FlowKind.WITHDRAWAL, D("-20.5"))}
    if venue.perpetual:
        venue.exchange.flow("funding", "USDT", D("-0.375"))
        expected.add((FlowKind.FUNDING, D("-0.375")))
    told = broker.flows_since(began)
    assert {(one.kind, one.amount) for one in told} == expected
    assert len({one.venue_flow_id for one in told}) == len(told)
    assert {one.currency for one in told} == {"USDT"}
    assert broker.flows_since(began) == told


def test_what_a_withdrawal_costs_is_told_beside_what_arrived(spot: BinanceVenue) -> None:
    broker = spot.broker()
    began = spot.now()
    spot.answers.withdrawal_fee = D("0.5")
    spot.exchange.flow("withdrawal", "USDT", D(-20))
    told = broker.flows_since(began)
    assert {(one.kind, one.amount) for one in told} == {(FlowKind.WITHDRAWAL, D("-19.5")), (FlowKind.FEE, D("-0.5"))}
    assert len({one.venue_flow_id for one in told}) == 2


def test_a_deposit_of_months_ago_is_told(spot: BinanceVenue) -> None:
    """Ninety days are the most that one question may cover."""
    broker = spot.broker()
    now = spot.now()
    spot.exchange.clock = lambda: now - timedelta(days=200)
    spot.exchange.flow("deposit", "USDT", D(1))
    spot.exchange.clock = spot.now
    spot.exchange.flow("deposit", "USDT", D(2))
    assert [one.amount for one in broker.flows_since(now - timedelta(days=300))] == [D(1), D(2)]


def test_a_test_environment_tells_less_and_that_is_no_failure(spot: BinanceVenue) -> None:
    """Binance's has neither the wallet nor the restrictions of a key."""
    broker = spot.broker()
    spot.exchange.flow("deposit", "USDT", D(1))
    for name in ("sapi", "sapiV2", "sapiV3", "sapiV4"):
        del broker._client.urls["api"][name]
    assert broker.flows_since(lately()) == []
    told = broker.permissions()
    assert (told.may_trade, told.may_withdraw) == (True, None)
