"""The demo account: made once, and moved when another venue is connected."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pytest
from django.test import Client

from clusterx.events.models import Event
from marketdata.bars import Bar, Bars
from marketdata.models import Instrument, Venue
from marketdata.timeframes import TIMEFRAMES
from marketdata.venue import SimulatedMarket
from marketdata.venue.flow import PAIRS, Pair, draw_history
from strategies import contract, library
from tests.factories import START, InstrumentFactory, UserFactory, VenueFactory
from tests.marketdata.venue.clients import Clock
from tests.trading.conftest import FALLING, RISING, Market, at
from trading import selectors
from trading.models import Account, Deployment, Fill, Order, Position
from trading.services.demo import DEPLOYMENTS, ensure_demo
from trading.services.deployments import deploy, stop

pytestmark = pytest.mark.django_db

Bools = npt.NDArray[np.bool_]


def connected() -> list[Instrument]:
    return list(Instrument.objects.filter(venue__is_enabled=True).order_by("pk"))


def prepare(market: Market, account: Account | None = None) -> Account:
    user = account.owner if account else UserFactory()
    return ensure_demo(user=user, instruments=connected(), at=market.now)


def switch(market: Market) -> Instrument:
    """FEED names another venue from now on, which has the same coin by the quarter of an hour."""
    Venue.objects.update(is_enabled=False)
    InstrumentFactory(venue=VenueFactory(code="other"), base="AAA")
    return InstrumentFactory(venue__code="other", base=market.instrument.base, base_timeframe="15m")


@pytest.fixture
def trading(market: Market) -> Account:
    """A demo account that holds something."""
    market.close(*[100.0, 99.0] * 240, *FALLING * 3)
    account = prepare(market)
    for close in (*RISING, *range(104, 124)):
        bar = market.close(close)
        for deployment in account.deployments.all():
            market.evaluate(deployment, bar)
        market.work()
    return account


def test_it_is_made_once_and_trades_within_a_few_bars(market: Market, trading: Account) -> None:
    assert list(trading.deployments.values_list("strategy", flat=True)) == ["macd", "sma-cross"]
    prepare(market, trading)
    assert trading.deployments.count() == 2
    assert {order.deployment.strategy for order in Order.objects.filter(status="filled")} == {"macd", "sma-cross"}


def test_a_day_of_costs_stays_below_the_daily_limit() -> None:
    """On prices that lead nowhere, 1440 minutes of them, as a day of the simulation has."""
    share = float(Account().risk_profile.daily_loss)
    cost = sum(float(Account._meta.get_field(name).default) for name in ("fee_rate", "slippage_rate"))
    for seed in range(20):
        close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.0004, 1440)))
        bars = Bars.of([Bar(minute * 60, price, price, price, price, 1.0) for minute, price in enumerate(close)])
        equity = np.zeros(1439)
        for strategy, values, allocation, _ in DEPLOYMENTS:
            target = np.asarray(library.get(strategy).signals(bars, contract.validate(library.get(strategy), values)))
            earned = target[:-1] * np.diff(close) / close[:-1] - np.abs(np.diff(target, prepend=0))[:-1] * cost
            equity += np.cumsum(earned) * float(allocation)
        assert equity.min() > -share, f"{equity.min():.2%} with seed {seed}"


BARS = 15
"""Of a minute, in two minutes of ours at ten times the clock: twenty, less five for the start and for filling an order."""


def flat(pairs: list[Pair]) -> Bools:
    """Where none of the demo's deployments wants anything after the bar."""
    still = np.ones(len(pairs[0].history), bool)
    for strategy, values, _, place in DEPLOYMENTS:
        one = library.get(strategy)
        target = one.signals(pairs[place].history, contract.validate(one, values))
        still &= contract.as_signals(target, len(still)).exposure == 0
    return still


def test_two_minutes_of_the_simulation_pass_without_a_trade_less_than_once_in_a_thousand_starts() -> None:
    """Whoever holds nothing buys on the first bar on which it wants to: no trade means that all were flat throughout."""
    starts = quiet = 0
    for seed in range(40):
        pairs = [Pair(*one) for one in PAIRS]
        draw_history(pairs, seed, int(START.timestamp()), 3000)
        known = flat(pairs)[500:]
        runs = np.convolve(known, np.ones(BARS), "valid")
        starts, quiet = starts + len(runs), quiet + int((runs == BARS).sum())
    assert starts > 90_000
    assert quiet / starts < 0.001, f"{quiet} of {starts}"


def test_it_trades_in_minutes_that_the_engine_matched() -> None:
    """Bars of real order flow, not of the drawn past: some more noise, which wakes the fast ones."""
    for seed in range(3):
        clock = Clock()
        market = SimulatedMarket(seed=seed, now=clock)
        for _ in range(12):  # a longer pause is one in which nobody trades
            clock.at += 10
            market.advance(market.clock.now(), lambda *_: None)
        pairs = list(market.pairs.values())
        for pair in pairs:
            pair.history = market.bars(pair.symbol, int(market.at) - 500 * 60, int(market.at) // 60 * 60, TIMEFRAMES["1m"])
        assert np.ptp(pairs[0].history.close[-BARS:]) > 0
        assert not flat(pairs)[-BARS:].all(), seed


def test_each_goes_on_an_instrument_of_one_venue(market: Market) -> None:
    others = [InstrumentFactory(venue=market.instrument.venue, base=base) for base in ("ETH", "SOL", "XRP")]
    InstrumentFactory(venue=VenueFactory(code="other"))
    account = prepare(market)
    on = [one.instrument for one in account.deployments.order_by("pk")]
    assert on == [market.instrument, market.instrument, others[0], others[2]]


def test_a_venue_that_is_off_is_not_traded_at(market: Market) -> None:
    Venue.objects.update(is_enabled=False)
    account = prepare(market)
    assert not account.deployments.exists()
    Venue.objects.update(is_enabled=True)
    prepare(market, account)
    assert account.deployments.filter(instrument=market.instrument).count() == 2


def test_another_feed_takes_the_demo_along_and_leaves_nothing_held(market: Market, trading: Account) -> None:
    to = switch(market)
    market.now += 3 * (market.now - at(0))  # the last price is old by now
    for _ in range(2):
        prepare(market, trading)
    running = selectors.deployments_of(trading.owner)
    assert {(one.strategy, one.instrument, one.timeframe, one.status) for one in running} == {
        ("sma-cross", to, "15m", "running"),
        ("macd", to, "15m", "running"),
    }
    assert not Position.objects.exclude(quantity=0).exists()
    assert not Order.objects.filter(status=Order.Status.NEW).exists()
    moved = [one for one in selectors.activity(trading) if one.type == "deployment.moved"]
    assert len(moved) == 2
    assert moved[0].text.endswith(f"moved from {market.instrument.ref}, which is no longer connected, to {to.ref}, 15m.")
    valued = selectors.portfolio(trading, at=market.now)
    assert valued.equity == valued.cash == trading.starting_balance + valued.realised_pnl - valued.fees


def test_the_closing_fill_says_of_when_its_price_is(market: Market, trading: Account) -> None:
    last = market.now
    switch(market)
    market.now += 3 * (market.now - at(0))
    prepare(market, trading)
    closing = Fill.objects.first()
    assert closing is not None
    assert (closing.market_time, closing.filled_at, closing.side) == (last, market.now, "sell")


def test_and_back_again(market: Market, trading: Account) -> None:
    switch(market)
    prepare(market, trading)
    Venue.objects.filter(code="other").update(is_enabled=False)
    Venue.objects.filter(pk=market.instrument.venue_id).update(is_enabled=True)
    prepare(market, trading)
    running = selectors.deployments_of(trading.owner)
    assert [(one.instrument, one.timeframe) for one in running] == [(market.instrument, "1m")] * 2


def test_what_its_owner_stopped_stays_where_it_is(market: Market, trading: Account) -> None:
    for one in trading.deployments.all():
        stop(deployment_id=one.pk, at=market.now)
    switch(market)
    prepare(market, trading)
    assert set(Deployment.objects.values_list("instrument", "status", "deleted_at")) == {
        (market.instrument.pk, "stopped", None)
    }


def test_without_any_venue_nothing_moves(market: Market, trading: Account) -> None:
    Venue.objects.update(is_enabled=False)
    prepare(market, trading)
    assert not Event.objects.filter(type="deployment.moved").exists()
    assert trading.deployments.filter(status="running").count() == 2


def test_a_strategy_that_left_the_library_stays_where_it_is(market: Market, trading: Account) -> None:
    trading.deployments.filter(strategy="macd").update(strategy="left")
    switch(market)
    prepare(market, trading)
    assert {one.text.split(" ")[0] for one in selectors.activity(trading) if one.type == "deployment.moved"} == {"SMA"}
    assert trading.deployments.get(strategy="left").is_running


def test_only_the_demo_account_moves(market: Market, trading: Account) -> None:
    mine = Account.objects.create(
        owner=trading.owner, name="Mine", starting_balance=100, cash=100, created_at=trading.created_at
    )
    deployment = deploy(
        account_id=mine.pk, strategy="sma-cross", values={}, instrument_id=market.instrument.pk, timeframe="1m",
        allocation=Decimal("0.2"), at=market.now,
    )  # fmt: skip
    switch(market)
    prepare(market, trading)
    deployment.refresh_from_db()
    assert deployment.is_running
    assert deployment.instrument == market.instrument


def test_orders_of_a_deployment_that_is_gone_lead_nowhere(market: Market, trading: Account) -> None:
    gone = trading.deployments.get(strategy="macd")
    switch(market)
    prepare(market, trading)
    client = Client()
    client.force_login(trading.owner)
    page = client.get("/trade/orders/").content.decode()
    assert "MACD" in page
    assert str(gone.public_id) not in page
