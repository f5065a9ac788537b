"""Accounts and deployments: opening, starting, stopping, deleting, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from clusterx.errors import DomainError
from clusterx.events.models import Event
from tests.factories import AccountFactory, InstrumentFactory, UserFactory, VenueFactory
from tests.trading.conftest import RISING, Market, at, deployed
from trading import selectors
from trading.models import Account, Deployment, EquitySnapshot, Order, Position
from trading.services.accounts import create_account
from trading.services.deployments import delete, deploy, start, stop

D = Decimal


def holding(market: Market, **account: object) -> Deployment:
    """A running deployment that bought."""
    market.close(*RISING)
    deployment = deployed(AccountFactory(**account), market)
    market.trade(deployment, 104.0)
    assert Position.objects.get(deployment=deployment).quantity > 0
    return deployment


def test_an_account_starts_with_its_balance_and_a_first_equity(db: None) -> None:
    account = create_account(owner=UserFactory(), name="Paper", starting_balance=D("10000.50"), at=at(0))
    assert account.cash == D("10000.50")
    assert EquitySnapshot.objects.get(account=account).equity == D("10000.50")
    assert Event.objects.get().stream == f"account/{account.public_id}"


@pytest.mark.parametrize("balance", ["99.99", "100000000.01", "NaN", "Infinity", "1000.001"])
def test_a_balance_out_of_range_is_refused(db: None, balance: str) -> None:
    with pytest.raises(DomainError) as refused:
        create_account(owner=UserFactory(), name="Paper", starting_balance=D(balance), at=at(0))
    assert refused.value.code == "invalid-starting-balance"
    assert not Account.objects.exists()


def test_the_limits_of_a_balance_are_allowed(db: None) -> None:
    owner = UserFactory()
    for name, balance in (("least", D(100)), ("most", D(100_000_000))):
        assert create_account(owner=owner, name=name, starting_balance=balance, at=at(0)).cash == balance


def test_a_name_is_taken_for_its_owner_alone(db: None) -> None:
    first = create_account(owner=UserFactory(), name="Paper", starting_balance=D(100), at=at(0))
    with pytest.raises(DomainError) as refused:
        create_account(owner=first.owner, name="Paper", starting_balance=D(100), at=at(1))
    assert refused.value.code == "name-taken"
    create_account(owner=UserFactory(), name="Paper", starting_balance=D(100), at=at(1))


def test_a_person_has_twenty_accounts_at_most(db: None) -> None:
    owner = UserFactory()
    AccountFactory.create_batch(20, owner=owner)
    with pytest.raises(DomainError) as refused:
        create_account(owner=owner, name="One more", starting_balance=D(100), at=at(0))
    assert refused.value.code == "too-many"


def test_a_deployment_keeps_checked_parameters_and_its_starting_point(market: Market) -> None:
    newest = market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    assert deployment.parameters == {"version": 1, "values": {"fast": 2, "slow": 3, "direction": "long"}}
    assert deployment.parameter_values["fast"] == 2
    assert deployment.starts_after == newest
    assert deployment.is_running


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"strategy": "martingale"}, "unknown-strategy", "strategy"),
        ({"values": {"fast": 1}}, "invalid-parameter", "parameters.fast"),
        ({"values": {"fast": 50, "slow": 20}}, "invalid-parameter", "parameters.fast"),
        ({"values": {"leverage": 3}}, "invalid-parameter", "parameters.leverage"),
        ({"timeframe": "1m"}, "not-deployable", "timeframe"),
        ({"timeframe": "2m"}, "not-deployable", "timeframe"),
        ({"allocation": D(0)}, "not-deployable", "allocation"),
        ({"allocation": D("1.0001")}, "not-deployable", "allocation"),
        ({"allocation": D("0.00001")}, "not-deployable", "allocation"),
    ],
)
def test_what_does_not_fit_is_not_deployed(db: None, change: dict, code: str, field: str) -> None:
    instrument = InstrumentFactory(base_timeframe="5m")
    asked = {
        "account_id": AccountFactory().pk,
        "strategy": "sma-cross",
        "values": {},
        "instrument_id": instrument.pk,
        "timeframe": "5m",
        "allocation": D("0.2"),
        "at": at(0),
    }
    with pytest.raises(DomainError) as refused:
        deploy(**asked | change)
    assert refused.value.code == code
    assert refused.value.facts["field"] == field
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    "instrument",
    [{"quote": "EUR"}, {"is_active": False}, {"venue": {"code": "sample", "is_enabled": False}}],
    ids=["another currency", "inactive", "not connected"],
)
def test_an_instrument_that_cannot_be_traded_is_refused(db: None, instrument: dict) -> None:
    if "venue" in instrument:
        instrument = {"venue": VenueFactory(**instrument["venue"])}
    market = Market(InstrumentFactory(**instrument))
    account = AccountFactory()
    assert market.instrument not in selectors.deployable_instruments(account)
    with pytest.raises(DomainError) as refused:
        deployed(account, market)
    assert refused.value.code == "not-deployable"


def test_an_account_runs_fifty_deployments_at_most(market: Market) -> None:
    account = AccountFactory()
    for _ in range(50):
        last = deployed(account, market)
    with pytest.raises(DomainError) as refused:
        deployed(account, market)
    assert refused.value.code == "too-many"
    stop(deployment_id=last.pk, at=market.now)
    deployed(account, market)
    with pytest.raises(DomainError):
        start(deployment_id=last.pk, at=market.now)


def test_stopping_keeps_the_position_and_twice_is_once(market: Market) -> None:
    deployment = holding(market)
    for _ in range(2):
        stop(deployment_id=deployment.pk, at=market.now)
    deployment.refresh_from_db()
    assert deployment.status == Deployment.Status.STOPPED
    assert Position.objects.get().quantity > 0
    assert Event.objects.filter(type="deployment.stopped").count() == 1


def test_stopping_cancels_what_waits(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    market.evaluate(deployment, market.close(104.0))
    stop(deployment_id=deployment.pk, at=market.now)
    order = Order.objects.get()
    assert (order.status, order.reason_code) == (Order.Status.CANCELLED, "stopped")
    assert market.work() == []


def test_stopping_can_close_the_position_and_twice_is_once(market: Market) -> None:
    deployment = holding(market)
    for _ in range(2):
        stop(deployment_id=deployment.pk, at=market.now, close_position=True)
    (order,) = market.work()
    assert (order.side, order.status, order.evaluation) == ("sell", "filled", None)
    assert Position.objects.get().quantity == 0
    stop(deployment_id=deployment.pk, at=market.now, close_position=True)
    assert market.work() == []


def test_a_position_can_be_closed_after_the_stop(market: Market) -> None:
    deployment = holding(market)
    stop(deployment_id=deployment.pk, at=market.now)
    stop(deployment_id=deployment.pk, at=market.now, close_position=True)
    market.work()
    assert Position.objects.get().quantity == 0


def test_closing_waits_for_a_fresh_price_however_long(market: Market) -> None:
    deployment = holding(market)
    market.now = at(86_400)
    stop(deployment_id=deployment.pk, at=market.now, close_position=True)
    assert [order.status for order in market.work()] == ["accepted"]
    market.price(90.0)
    assert [order.status for order in market.work()] == ["filled"]


def test_starting_again_cancels_a_closing_order_that_waits(market: Market) -> None:
    deployment = holding(market)
    stop(deployment_id=deployment.pk, at=market.now, close_position=True)
    for _ in range(2):
        start(deployment_id=deployment.pk, at=market.now)
    market.work()
    assert Position.objects.get().quantity > 0
    assert Event.objects.filter(type="deployment.started").count() == 1


def test_deleting_is_refused_while_a_position_is_held(market: Market) -> None:
    deployment = holding(market)
    with pytest.raises(DomainError) as refused:
        delete(deployment_id=deployment.pk, at=market.now)
    assert refused.value.code == "deployment-holds-position"
    deployment.refresh_from_db()
    assert deployment.is_running


def test_deleting_closes_hides_and_keeps_the_record(market: Market) -> None:
    deployment = holding(market)
    for _ in range(2):
        delete(deployment_id=deployment.pk, at=market.now, close_position=True)
    assert not selectors.deployments_of(deployment.account.owner).exists()
    market.work()
    assert Position.objects.get().quantity == 0
    assert Order.objects.filter(deployment=deployment).count() == 2
    assert Event.objects.filter(type="deployment.deleted").count() == 1
    for command in (start, stop):
        with pytest.raises(DomainError) as refused:
            command(deployment_id=deployment.pk, at=market.now)
        assert refused.value.code == "deployment-deleted"
