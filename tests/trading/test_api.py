"""The REST API of trading and strategies: what it gives, to whom, and at what cost."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.factories import AccountFactory, UserFactory
from tests.trading.conftest import RISING, Market, deployed
from trading import selectors
from trading.models import Account, Deployment, Position

D = Decimal
API = "/api/v1"


class Person:
    """Somebody signed in, speaking JSON."""

    def __init__(self) -> None:
        self.user = UserFactory()
        self.client = Client()
        self.client.force_login(self.user)

    def get(self, path: str, **query: object) -> Any:
        return self.client.get(API + path, query)

    def post(self, path: str, body: object = None) -> Any:
        return self.client.post(API + path, body or {}, content_type="application/json")

    def delete(self, path: str) -> Any:
        return self.client.delete(API + path)


@pytest.fixture
def person(db: None) -> Person:
    return Person()


@pytest.fixture
def traded(market: Market, person: Person) -> Deployment:
    """A deployment of the person's that bought at 104.06 and sees 106 now."""
    market.close(*RISING)
    deployment = deployed(AccountFactory(owner=person.user), market)
    market.trade(deployment, 104.0, 106.0)
    return deployment


def test_the_library_is_described_to_everybody(db: None) -> None:
    answer = Client().get(f"{API}/strategies/")
    sma, macd, *_ = answer.json()["results"]
    assert (sma["name"], macd["name"]) == ("sma-cross", "macd")
    assert sma["parameters"][0] == {
        "name": "fast",
        "label": "Fast average",
        "kind": "int",
        "default": 20,
        "minimum": 2.0,
        "maximum": 200.0,
        "step": 1.0,
        "choices": [],
        "help": "Bars.",
    }


def test_an_account_is_opened_and_shown(person: Person) -> None:
    made = person.post("/accounts/", {"name": "Paper", "starting_balance": "10000.00"})
    assert made.status_code == 201
    shown = person.get(f"/accounts/{made.json()['id']}/").json()
    assert shown == made.json()
    assert (shown["cash"], shown["equity"], shown["day_pnl"], shown["positions"]) == ("10000", "10000", "0", [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Paper", "starting_balance": "99"}, "starting_balance"),
        ({"name": "Paper", "starting_balance": "a lot"}, "starting_balance"),
        ({"name": "", "starting_balance": "1000"}, "name"),
        ({"name": "Paper", "starting_balance": "1000", "currency": "XAU"}, "currency"),
    ],
)
def test_an_account_that_cannot_be_says_why(person: Person, body: dict, field: str) -> None:
    answer = person.post("/accounts/", body)
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_an_account_with_a_position_is_valued(person: Person, traded: Deployment) -> None:
    (shown,) = person.get("/accounts/").json()["results"]
    # 19.2 bought at 104.06, fee 0.1 %.
    assert shown["cash"] == "8000.050048"
    assert shown["positions_value"] == "2035.2"
    assert shown["equity"] == "10035.250048"
    assert shown["unrealised_pnl"] == "37.248"
    assert shown["fees"] == "1.997952"
    (position,) = shown["positions"]
    assert (position["side"], position["quantity"], position["price"]) == ("long", "19.2", "106")
    assert position["deployment"] == str(traded.public_id)


def test_a_strategy_is_deployed_stopped_started_and_deleted(market: Market, person: Person) -> None:
    account = AccountFactory(owner=person.user)
    made = person.post(
        "/deployments/",
        {
            "account": str(account.public_id),
            "strategy": "sma-cross",
            "parameters": {"fast": 5, "slow": 10},
            "instrument": market.instrument.ref,
            "timeframe": "5m",
            "allocation": "0.25",
        },
    )
    assert made.status_code == 201
    shown = made.json()
    assert shown["parameters"] == {"fast": 5, "slow": 10, "direction": "long"}
    assert (shown["status"], shown["allocation"], shown["last_evaluation"]) == ("running", "0.25", None)
    address = f"/deployments/{shown['id']}/"
    assert person.post(address + "stop/").json()["status"] == "stopped"
    assert person.post(address + "start/").json()["status"] == "running"
    assert person.delete(address).status_code == 204
    assert person.get(address).status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"strategy": "martingale"}, "unknown-strategy"),
        ({"parameters": {"fast": 1}}, "invalid-parameter"),
        ({"timeframe": "3m"}, "not-deployable"),
        ({"allocation": "1.5"}, "not-deployable"),
        ({"alocation": "0.01"}, "invalid"),
    ],
)
def test_a_deployment_that_cannot_be_says_why(market: Market, person: Person, change: dict, code: str) -> None:
    body = {
        "account": str(AccountFactory(owner=person.user).public_id),
        "strategy": "sma-cross",
        "instrument": market.instrument.ref,
        "timeframe": "1m",
    }
    answer = person.post("/deployments/", body | change)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    field = next(iter(change)) + (".fast" if code == "invalid-parameter" else "")
    assert code == "unknown-strategy" or field in {one["field"] for one in answer.json()["errors"]}
    assert not Deployment.objects.exists()


def test_deleting_with_a_position_asks_first(person: Person, traded: Deployment, market: Market) -> None:
    address = f"/deployments/{traded.public_id}/"
    refused = person.delete(address)
    assert (refused.status_code, refused.json()["code"]) == (409, "deployment-holds-position")
    assert person.delete(address + "?close_position=true").status_code == 204
    market.work()
    assert Position.objects.get().quantity == 0


def test_stopping_can_close_the_position(person: Person, traded: Deployment, market: Market) -> None:
    answer = person.post(f"/deployments/{traded.public_id}/stop/", {"close_position": True})
    assert answer.json()["status"] == "stopped"
    market.work()
    assert person.get(f"/deployments/{traded.public_id}/").json()["quantity"] == "0"


def test_orders_fills_and_positions_are_listed_and_narrowed(person: Person, traded: Deployment) -> None:
    (order,) = person.get("/orders/").json()["results"]
    (fill,) = person.get("/fills/").json()["results"]
    (position,) = person.get("/positions/").json()["results"]
    assert (order["type"], order["status"], order["fill_price"]) == ("market", "filled", "104.06")
    assert (fill["order"], fill["price"], fill["fee"]) == (order["id"], "104.06", "1.997952")
    assert position["unrealised_pnl"] == "37.248"
    for path in ("/orders/", "/fills/", "/positions/"):
        for name, value in (
            ("account", traded.account.public_id),
            ("deployment", traded.public_id),
            ("instrument", traded.instrument.ref),
        ):
            assert len(person.get(path, **{name: value}).json()["results"]) == 1
            other = "nowhere:NOTHING" if name == "instrument" else uuid.uuid4()
            assert person.get(path, **{name: other}).json()["results"] == []


def test_activity_tells_what_happened_newest_first(person: Person, traded: Deployment) -> None:
    told = person.get(f"/accounts/{traded.account.public_id}/activity/").json()["results"]
    assert [one["type"] for one in told] == ["order.filled", "order.placed", "deployment.created"]
    assert told[0]["text"] == f"Bought 19.2\u00a0BTC on {traded.instrument.ref} at 104.06, fee 2.00\u00a0USDT."
    assert told[0]["deployment"] == str(traded.public_id)
    assert told[0]["sequence"] > told[1]["sequence"]


def test_equity_is_a_curve_oldest_first(person: Person, traded: Deployment) -> None:
    address = f"/accounts/{traded.account.public_id}/equity/"
    points = person.get(address).json()["points"]
    assert points[-1][1] == "9996.850048"
    assert points == sorted(points)
    assert len(person.get(address, limit=1).json()["points"]) == 1
    for limit in ("0", "5001", "-1", "many", "9" * 5000, "1" + "0" * 30):
        answer = person.get(address, limit=limit)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("size", ["000001" + "9" * 5000, "000001999", "0", "201", "9" * 5000])
def test_a_page_is_never_larger_than_allowed(person: Person, size: str) -> None:
    answer = person.get("/orders/", page_size=size)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "page_size"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"parameters": {"": 1}}, "parameters"),
        ({"parameters": {"fast": 10**15}}, "parameters.fast"),
        ({"instrument": "\0"}, "instrument"),
        ({"account": "\0"}, "account"),
        ({"instrument": {"a": ["\0"]}}, "instrument"),
        ({"strategy": "\0"}, "strategy"),
        ({"timeframe": "\0"}, "timeframe"),
    ],
)
def test_what_cannot_be_read_in_a_deployment_is_told_at_its_field(
    market: Market, person: Person, change: dict, field: str
) -> None:
    body = {
        "account": str(AccountFactory(owner=person.user).public_id),
        "strategy": "sma-cross",
        "instrument": market.instrument.ref,
        "timeframe": "1m",
    }
    answer = person.post("/deployments/", body | change)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


ADDRESSES: list[tuple[str, Callable[[Deployment], str]]] = [
    ("get", lambda d: f"/accounts/{d.account.public_id}/"),
    ("get", lambda d: f"/accounts/{d.account.public_id}/equity/"),
    ("get", lambda d: f"/accounts/{d.account.public_id}/activity/"),
    ("get", lambda d: f"/deployments/{d.public_id}/"),
    ("delete", lambda d: f"/deployments/{d.public_id}/"),
    ("post", lambda d: f"/deployments/{d.public_id}/start/"),
    ("post", lambda d: f"/deployments/{d.public_id}/stop/"),
]


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_what_belongs_to_others_does_not_exist(traded: Deployment, method: str, address: Callable[[Deployment], str]) -> None:
    stranger = Person()
    assert getattr(stranger, method)(address(traded)).status_code == 404
    traded.refresh_from_db()
    assert traded.is_running


def test_lists_hold_nothing_of_others_and_nobody_deploys_into_their_account(traded: Deployment) -> None:
    stranger = Person()
    for path in ("/accounts/", "/deployments/", "/orders/", "/fills/", "/positions/"):
        assert stranger.get(path).json()["results"] == []
    body = {
        "account": str(traded.account.public_id),
        "strategy": "macd",
        "instrument": traded.instrument.ref,
        "timeframe": "1m",
    }
    answer = stranger.post("/deployments/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "account"


@pytest.mark.parametrize("path", ["/accounts/", "/deployments/", "/orders/", "/fills/", "/positions/"])
def test_who_is_not_signed_in_sees_nothing(db: None, path: str) -> None:
    assert Client().get(API + path).status_code in {401, 403}


@pytest.mark.parametrize("path", ["/accounts/", "/deployments/", "/orders/", "/fills/", "/positions/"])
def test_four_rows_cost_as_many_queries_as_one(
    market: Market, person: Person, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    market.close(*RISING)

    def trade_once() -> None:
        deployment = deployed(AccountFactory(owner=person.user), market)
        market.trade(deployment, market.now.minute + 200.0)

    trade_once()
    person.get(path)
    with CaptureQueriesContext(connection) as one:
        assert len(person.get(path).json()["results"]) == 1
    for _ in range(3):
        trade_once()
    with django_assert_num_queries(len(one)):
        assert len(person.get(path).json()["results"]) == 4


def test_an_account_s_cash_is_never_read_beside_other_positions(person: Person, traded: Deployment) -> None:
    """An account row fetched before a fill does not spoil the valuation after it."""
    stale = Account.objects.get(pk=traded.account_id)
    stale.cash = D(10_000)
    assert selectors.portfolio(stale, at=timezone.now()).cash == D("8000.050048")
