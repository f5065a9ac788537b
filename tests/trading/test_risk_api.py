"""REST of risk: what it gives and takes, to whom, and twice."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from clusterx.accounts.services import make_token
from clusterx.events.models import Event
from tests.factories import AccountFactory, DeploymentFactory, limits
from tests.trading.conftest import RISING, Market, deployed
from tests.trading.test_api import API, Person
from trading.models import Account, Deployment, Panic, Position
from trading.risk.parameters import PARAMETERS
from trading.risk.profile import profile, to_json
from trading.services.exposure import breakers_of
from trading.services.valuation import mark_equity


@pytest.fixture
def person(db: None) -> Person:
    return Person()


@pytest.fixture
def account(person: Person) -> Account:
    return AccountFactory(owner=person.user, risk=to_json(profile(5)))


def put(person: Person, account: Account, body: object) -> Any:
    return person.client.put(f"{API}/accounts/{account.public_id}/risk/", body, content_type="application/json")


def test_the_table_behind_the_appetite_is_described(person: Person) -> None:
    told = person.get("/risk-parameters/").json()
    assert [one["name"] for one in told] == [parameter.name for parameter in PARAMETERS]
    daily = next(one for one in told if one["name"] == "daily_loss")
    assert (daily["label"], daily["unit"], daily["minimum"], daily["maximum"]) == ("Daily loss", "share", "0.0005", "1")
    assert (daily["values"][0], daily["values"][9]) == ("0.0025", "0.06")
    policy = next(one for one in told if one["name"] == "infrastructure_policy")
    assert policy["choices"] == ["reduce-only", "block"]


def test_limits_are_read_and_set_once(person: Person, account: Account) -> None:
    body = {"appetite": 3, "overrides": {"leverage": "2"}}
    for _ in range(2):
        answer = put(person, account, body)
        assert answer.status_code == 200
        assert (answer.json()["appetite"], answer.json()["by_hand"]) == (3, ["leverage"])
        assert answer.json()["values"]["leverage"] == "2"
    assert person.get(f"/accounts/{account.public_id}/risk/").json() == answer.json()
    assert Event.objects.filter(type="account.risk-changed").count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"appetite": 11}, "appetite"),
        ({"appetite": "bold"}, "appetite"),
        ({"appetite": 5, "overrides": {"daily_loss": "2"}}, "overrides.daily_loss"),
        ({"appetite": 5, "overrides": {"daily_loss": 0.02}}, "overrides.daily_loss"),
        ({"appetite": 5, "overrides": {"luck": "1"}}, "overrides.luck"),
        ({"appetite": 5, "overide": {}}, "overide"),
        ({}, "appetite"),
    ],
)
def test_limits_that_cannot_be_name_their_field(person: Person, account: Account, body: object, field: str) -> None:
    answer = put(person, account, body)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    account.refresh_from_db()
    assert account.risk_profile == profile(5)


def test_breakers_stand_with_their_numbers_and_are_reset_for_a_reason(market: Market, person: Person) -> None:
    market.close(*[100 + (n % 3) for n in range(20)], *RISING)
    account = AccountFactory(owner=person.user, risk=limits(maximum_position="1", daily_loss="0.02", stop_distance="20"))
    mark_equity(at=market.now)
    market.trade(deployed(account, market, allocation="0.9"), 104.0)
    market.now += timedelta(seconds=20)
    market.price(100.0)
    mark_equity(at=market.now)
    address = f"/accounts/{account.public_id}/breakers/"
    daily = person.get(address).json()[0]
    assert (daily["breaker"], daily["unit"], daily["limit"]) == ("daily-loss", "share", "0.02")
    assert float(daily["value"]) > 0.02
    assert float(daily["money"]) > 200
    assert daily["tripped"]["limit"] == "0.02"
    assert person.get(f"/accounts/{account.public_id}/state/").json()["effective"] == "reduce-only"
    for body in ({}, {"reason": " "}):
        answer = person.post(address + "daily-loss/reset/", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "reason")
    assert breakers_of(account).trips
    for _ in range(2):
        told = person.post(address + "daily-loss/reset/", {"reason": "A wrong price."}).json()
        assert told[0]["tripped"] is None
    assert Event.objects.filter(type="breaker.reset").count() == 1
    assert person.post(address + "luck/reset/", {"reason": "!"}).status_code == 404


def test_an_account_is_restricted_for_a_reason_and_once(person: Person, account: Account) -> None:
    address = f"/accounts/{account.public_id}/state/"
    assert person.post(address, {"state": "halted"}).json()["code"] == "reason-needed"
    assert person.post(address, {"state": "wild", "reason": "!"}).json()["errors"][0]["field"] == "state"
    for _ in range(2):
        told = person.post(address, {"state": "halted", "reason": "On holiday."}).json()
        assert (told["state"], told["reason"], told["effective"], told["platform"]) == (
            "halted", "On holiday.", "halted", "active",
        )  # fmt: skip
        assert told["since"]
    assert Event.objects.filter(type="account.state-changed").count() == 1
    assert person.post(address, {"state": "active", "reason": "Back."}).json()["state"] == "active"


def test_a_deployment_is_restricted_for_a_reason(person: Person, account: Account) -> None:
    one = DeploymentFactory(account=account)
    address = f"/deployments/{one.public_id}/state/"
    assert person.post(address, {"state": "halted"}).json()["code"] == "reason-needed"
    assert person.post(address, {"state": "halted", "reason": "Odd fills."}).status_code == 200
    assert Deployment.objects.get().state == "halted"


def test_panic_is_one_however_often_it_is_asked_for(market: Market, person: Person) -> None:
    market.close(*RISING)
    account = AccountFactory(owner=person.user)
    market.trade(deployed(account, market), 104.0)
    address = f"/accounts/{account.public_id}/panic/"
    assert person.get(address).status_code == 404
    first, second = person.post(address, {"reason": "The news."}), person.post(address)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["started_at"] == second.json()["started_at"]
    assert [(step["what"], step["instrument"]) for step in first.json()["steps"]] == [("close", market.instrument.ref)]
    refused = person.post(f"/accounts/{account.public_id}/state/", {"state": "active", "reason": "!"})
    assert (refused.status_code, refused.json()["code"]) == (409, "panic-under-way")
    market.work()
    told = person.get(address).json()
    assert told["done_at"]
    assert [step["state"] for step in told["steps"]] == ["done"]
    assert Position.objects.get().quantity == 0
    assert Panic.objects.get().reason == "The news."


PATHS = ("risk/", "breakers/", "state/", "panic/")


def test_what_belongs_to_others_does_not_exist(person: Person, account: Account) -> None:
    one = DeploymentFactory(account=account)
    person.post(f"/accounts/{account.public_id}/panic/")
    stranger = Person()
    body = {"state": "halted", "reason": "!"}
    for path in PATHS:
        assert stranger.get(f"/accounts/{account.public_id}/{path}").status_code == 404
        assert person.get(f"/accounts/{uuid.uuid4()}/{path}").status_code == 404
    for path in ("state/", "panic/", "breakers/losses/reset/"):
        assert stranger.post(f"/accounts/{account.public_id}/{path}", body).status_code == 404
    assert put(stranger, account, {"appetite": 1}).status_code == 404
    assert stranger.post(f"/deployments/{one.public_id}/state/", body).status_code == 404
    account.refresh_from_db()
    assert account.risk_profile == profile(5)
    assert Deployment.objects.get().state == "active"


def test_who_is_not_signed_in_sees_nothing(account: Account) -> None:
    for path in PATHS:
        assert Client().get(f"{API}/accounts/{account.public_id}/{path}").status_code in {401, 403}
    assert Client().post(f"{API}/accounts/{account.public_id}/panic/").status_code in {401, 403}
    assert not Panic.objects.exists()


def test_a_token_that_may_only_read_does_not_panic(person: Person, account: Account) -> None:
    _made, token = make_token(user=person.user, name="Reader", scope="read", at=timezone.now())
    reader = {"HTTP_AUTHORIZATION": f"Token {token}"}
    assert Client().get(f"{API}/accounts/{account.public_id}/risk/", **reader).status_code == 200  # type: ignore[arg-type]
    assert Client().post(f"{API}/accounts/{account.public_id}/panic/", **reader).status_code == 403  # type: ignore[arg-type]
    assert not Panic.objects.exists()
