"""What pages and the API read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import AccountFactory, InstrumentFactory
from tests.trading.conftest import RISING, Market, at, deployed
from trading import selectors
from trading.forms import DeploymentForm
from trading.models import EquitySnapshot

D = Decimal


def record(account: object, second: float, equity: int) -> None:
    moment = at(second)
    EquitySnapshot.objects.create(
        account=account,
        at=moment,
        cash=equity,
        positions_value=0,
        equity=equity,
        day=selectors.day_of(moment),
        day_start_equity=1,
    )


def test_a_long_curve_is_thinned_and_keeps_its_newest_value(db: None) -> None:
    account = AccountFactory()
    for n in range(100):
        record(account, n * 15, 10_000 + n)
    assert len(selectors.equity_curve(account, limit=500)) == 100
    curve = selectors.equity_curve(account, limit=10)
    assert len(curve) == 10
    assert curve[-1] == (int(at(99 * 15).timestamp()), D(10_099))
    assert [moment for moment, _ in curve] == sorted(moment for moment, _ in curve)
    assert curve[0][1] < 10_020
    assert len(selectors.equity_curve(account, since=at(90 * 15))) == 10
    assert selectors.equity_curve(AccountFactory()) == []


def test_a_position_without_a_price_is_worth_what_it_cost(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()
    deployment = deployed(account, market)
    market.trade(deployment, 104.0)
    market.instrument.latest.delete()
    (held,) = selectors.portfolio(account, at=market.now).positions
    assert (held.value, held.unrealised_pnl, held.price_time) == (D("19.2") * D("104.06"), 0, None)


def test_timeframes_are_those_there_are_bars_of(db: None) -> None:
    assert selectors.timeframes_for(InstrumentFactory.build(base_timeframe="15m")) == ["15m", "1h", "4h", "1d"]


def test_the_sweep_s_reads_do_not_grow_with_deployments(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()

    def sweep() -> int:
        with CaptureQueriesContext(connection) as queries:
            selectors.overdue_evaluations()
            selectors.deployments_with_holes()
            selectors.portfolios(selectors.accounts_holding(), at=market.now)
        return len(queries)

    market.trade(deployed(account, market), 104.0)
    one = sweep()
    for close in (105.0, 106.0, 107.0):
        market.trade(deployed(AccountFactory(), market), close)
    assert sweep() == one


def test_activity_pages_back_from_what_was_seen(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()
    market.trade(deployed(account, market), 104.0)
    newest, *older = selectors.activity(account)
    assert selectors.activity(account, limit=1) == [newest]
    assert selectors.activity(account, before=newest.id) == older


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, None),
        ({"p-fast": "1"}, "p-fast"),
        ({"p-fast": "30", "p-slow": "20"}, "p-fast"),
        ({"timeframe": "1m"}, "timeframe"),
        ({"instrument": "recorded:NOTHING"}, "instrument"),
        ({"allocation": "101"}, "allocation"),
    ],
)
def test_the_form_says_at_which_field_it_fails(db: None, change: dict, field: str | None) -> None:
    instrument = InstrumentFactory(base_timeframe="5m")
    filled = {
        "instrument": instrument.ref,
        "timeframe": "5m",
        "allocation": "25",
        "p-fast": "5",
        "p-slow": "20",
        "p-direction": "long",
    }
    form = DeploymentForm(filled | change, account=AccountFactory(), strategy="sma-cross")
    assert form.is_valid() == (field is None)
    assert list(form.errors) == ([field] if field else [])
    if field is None:
        keywords = form.cleaned()
        assert keywords["values"] == {"fast": 5, "slow": 20, "direction": "long"}
        assert keywords["allocation"] == D("0.25")
