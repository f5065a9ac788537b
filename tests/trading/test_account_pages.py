"""Accounts and their brokers as people and programs reach them: pages, REST, the staff site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from clusterx.events.models import Event
from tests.factories import AccountFactory, UserFactory
from tests.venues.alpaca import AlpacaVenue
from trading.brokers.registry import BROKERS
from trading.models import Account, Connection, Difference, Holding, PaperBook
from trading.services.connection_checks import check_connection

pytestmark = pytest.mark.django_db

KEY, SECRET = "PKABCDEFGHIJKLMN7Xq9", "a-secret-that-nobody-is-shown"
FORM = {"name": "Mine", "money": "paper", "market": "spot", "currency": "", "c-key": KEY, "c-secret": SECRET}
BODY = {"name": "Mine", "broker": "alpaca", "is_paper": True, "credentials": {"key": KEY, "secret": SECRET}}
API = "/api/v1"


@pytest.fixture
def person() -> Any:
    return UserFactory()


@pytest.fixture
def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def alpaca(settings: Any) -> Iterator[AlpacaVenue]:
    with AlpacaVenue() as venue:
        settings.BROKER_URLS = {"alpaca": venue.endpoint.base_url}
        yield venue


def connected(client: Client, **how: str) -> Account:
    answer = client.post("/trade/accounts/connect/alpaca/", FORM | how)
    assert answer.status_code == 302, answer.content.decode()
    account = Account.objects.get(name="Mine")
    assert answer["Location"] == f"/trade/accounts/{account.public_id}/"
    return account


# -- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broker", BROKERS)
def test_every_broker_has_its_guide_and_its_fields(signed_in: Client, broker: str) -> None:
    assert f"/trade/accounts/connect/{broker}/" in signed_in.get("/trade/accounts/connect/").content.decode()
    page = signed_in.get(f"/trade/accounts/connect/{broker}/").content.decode()
    for field in BROKERS[broker].fields:
        assert f'name="c-{field.name}"' in page
    assert "Never give it the right to withdraw." in page
    assert ("Read Topstep&#x27;s rules first." in page or "Read Topstep's rules first." in page) is (broker == "topstepx")
    assert " style=" not in page


def test_the_addresses_of_this_server_are_told_where_they_are_known(signed_in: Client, settings: Any) -> None:
    settings.TRADING_ADDRESSES = ["203.0.113.7"]
    assert "203.0.113.7" in signed_in.get("/trade/accounts/connect/kraken/").content.decode()


def test_connecting_leads_to_a_page_that_follows_the_test(signed_in: Client, alpaca: AlpacaVenue) -> None:
    account = connected(signed_in, **{"c-key": alpaca.credentials["key"], "c-secret": alpaca.credentials["secret"]})
    address = f"/trade/accounts/{account.public_id}/"
    page = signed_in.get(address).content.decode()
    assert "Waiting for the process that opens keys" in page
    assert 'hx-trigger="every 1s"' in page
    assert signed_in.get("/trade/")["Location"] == "/trade/accounts/"
    assert check_connection(account_id=account.pk).status == "connected"  # type: ignore[union-attr]
    part = signed_in.get(address, {"part": "connection"}, HTTP_HX_REQUEST="true").content.decode()
    assert "<html" not in part
    assert "The key works." in part
    assert "100,000.00" in part
    assert "every 15s" in part
    assert "Play money" in signed_in.get("/trade/").content.decode()
    listed = signed_in.get("/trade/accounts/").content.decode()
    assert "Connected" in listed
    assert "Alpaca" in listed


def test_nothing_secret_comes_back_after_an_error(signed_in: Client) -> None:
    answer = signed_in.post("/trade/accounts/connect/alpaca/", FORM | {"name": ""})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert KEY not in page
    assert SECRET not in page
    assert "no-store" in answer["Cache-Control"]


def test_what_is_refused_is_said_at_its_field(signed_in: Client) -> None:
    answer = signed_in.post("/trade/accounts/connect/alpaca/", FORM | {"c-secret": "clé"})
    assert "c-secret" in answer.context["form"].errors
    answer = signed_in.post("/trade/accounts/connect/alpaca/", FORM | {"money": "live"})
    assert "knows_live" in answer.context["form"].errors
    assert not Account.objects.exists()


def test_real_money_has_its_frame_wherever_the_account_is_shown(signed_in: Client, alpaca: AlpacaVenue) -> None:
    account = connected(signed_in, money="live", knows_live="on", **credentials(alpaca))
    assert check_connection(account_id=account.pk).status == "connected"  # type: ignore[union-attr]
    account.refresh_from_db()
    query = f"?account={account.public_id}"
    for address in (
        f"/trade/accounts/{account.public_id}/",
        f"/trade/{query}",
        f"/trade/orders/{query}",
        f"/trade/activity/{query}",
    ):
        assert 'class="live-money-frame"' in signed_in.get(address).content.decode(), address
    assert "with real money" in signed_in.get(f"/trade/deploy/{query}").content.decode()
    paper = AccountFactory(owner=account.owner)
    assert "live-money-frame" not in signed_in.get(f"/trade/accounts/{paper.public_id}/").content.decode()


def credentials(venue: AlpacaVenue) -> dict[str, str]:
    return {f"c-{name}": venue.credentials[name] for name in ("key", "secret")}


def test_the_buttons_do_what_they_say(signed_in: Client, alpaca: AlpacaVenue) -> None:
    account = connected(signed_in, **credentials(alpaca))
    address = f"/trade/accounts/{account.public_id}"
    check_connection(account_id=account.pk)
    assert signed_in.post(f"{address}/check/").status_code == 302
    assert Connection.objects.get().step == "waiting"
    assert signed_in.post(f"{address}/key/", {"c-key": "", "c-secret": "s"}).status_code == 400
    assert signed_in.post(f"{address}/key/", {"c-key": "another-key-W3rt", "c-secret": "s"}).status_code == 302
    assert Connection.objects.get().hint == "W3rt"
    signed_in.post(f"{address}/revoke/")
    assert Connection.objects.get().status == "revoked"
    page = signed_in.get(f"{address}/").content.decode()
    assert "Nothing is sent to the broker any more." in page
    assert "/revoke/" in page  # its dialog
    assert 'data-opens="revoke"' not in page
    assert signed_in.post(f"{address}/remove/", follow=True).redirect_chain[-1][0] == f"{address}/"
    assert Account.objects.exists()


def test_an_account_that_never_worked_can_be_removed(signed_in: Client) -> None:
    account = connected(signed_in)
    assert signed_in.post(f"/trade/accounts/{account.public_id}/remove/")["Location"] == "/trade/accounts/"
    assert not Account.objects.exists()


def test_differences_and_what_is_beside_are_shown(signed_in: Client, alpaca: AlpacaVenue) -> None:
    account = connected(signed_in, **credentials(alpaca))
    check_connection(account_id=account.pk)
    now = timezone.now()
    Difference.objects.create(account=account, subject="AAPL", ours=5, venues=7, first_seen_at=now, seen_at=now)
    Holding.objects.create(account=account, currency="TSLA", quantity=Decimal("2.5"))
    page = signed_in.get(f"/trade/accounts/{account.public_id}/").content.decode()
    assert "AAPL" in page
    assert "TSLA" in page
    assert "2.5" in page


def test_the_terms_of_the_paper_venue_are_the_owners(signed_in: Client, person: Any) -> None:
    account = AccountFactory(owner=person)
    address = f"/trade/accounts/{account.public_id}/"
    assert 'value="0.1"' in signed_in.get(address).content.decode()
    form = {"fee_rate": "0.25", "slippage_rate": "0.02", "latency": "1.5", "volume_share": "10"}
    assert signed_in.post(f"{address}terms/", form).status_code == 302
    account.refresh_from_db()
    book = PaperBook.objects.get(account=account)
    assert (account.fee_rate, account.slippage_rate) == (Decimal("0.0025"), Decimal("0.0002"))
    assert (book.latency.total_seconds(), book.volume_share) == (1.5, Decimal("0.1"))
    told = Event.objects.get(type="account.terms-changed")
    assert told.payload["changed"]["fee_rate"] == ["0.001", "0.0025"]
    assert signed_in.post(f"{address}terms/", form).status_code == 302
    assert Event.objects.filter(type="account.terms-changed").count() == 1
    assert signed_in.post(f"{address}terms/", form | {"fee_rate": "6"}).status_code == 400
    assert signed_in.post(f"{address}terms/", form | {"volume_share": ""}).status_code == 302
    assert PaperBook.objects.get(account=account).volume_share is None


@pytest.mark.parametrize("action", ["check", "key", "revoke", "remove", "terms"])
def test_nobody_touches_the_account_of_another(signed_in: Client, action: str) -> None:
    other = Client()
    other.force_login(UserFactory())
    account = connected(signed_in)
    address = f"/trade/accounts/{account.public_id}/"
    assert other.get(address).status_code == 404
    assert other.post(f"{address}{action}/", FORM).status_code == 404
    assert signed_in.get(f"{address}{action}/").status_code == 405
    assert Client().get(address).status_code == 302
    assert Connection.objects.get().hint == KEY[-4:]


def test_a_test_that_nobody_begins_says_so(signed_in: Client) -> None:
    account = connected(signed_in)
    address = f"/trade/accounts/{account.public_id}/"
    assert "Nobody has begun the test yet." not in signed_in.get(address).content.decode()
    Connection.objects.update(asked_at=timezone.now() - timezone.timedelta(seconds=30))
    assert "Nobody has begun the test yet." in signed_in.get(address).content.decode()


def test_the_list_costs_as_much_for_four_as_for_one(signed_in: Client, person: Any, django_assert_max_num_queries: Any) -> None:
    for number in range(4):
        AccountFactory(owner=person)
        signed_in.post("/trade/accounts/connect/alpaca/", FORM | {"name": f"Mine {number}"})
    with django_assert_max_num_queries(6):
        assert signed_in.get("/trade/accounts/").status_code == 200


# -- REST -------------------------------------------------------------------------------------------------------------


def post(client: Client, path: str, body: Any = None) -> Any:
    return client.post(API + path, json.dumps(body or {}), content_type="application/json")


def test_brokers_are_listed_with_what_they_ask_for(client: Client) -> None:
    listed = {one["name"]: one for one in client.get(f"{API}/brokers/").json()}
    assert set(listed) == set(BROKERS)
    assert [one["name"] for one in listed["kucoin"]["credentials"]] == ["key", "secret", "password"]


def test_a_program_connects_tests_replaces_and_revokes(signed_in: Client, alpaca: AlpacaVenue) -> None:
    made = post(signed_in, "/connections/", BODY | {"credentials": dict(alpaca.credentials.fields)})
    assert made.status_code == 201
    shown = made.json()
    assert (shown["status"], shown["testing"], shown["opened_at"]) == ("new", "waiting", None)
    account = Account.objects.get(public_id=shown["id"])
    assert signed_in.get(f"{API}/accounts/").json()["results"] == []
    check_connection(account_id=account.pk)
    address = f"/connections/{shown['id']}"
    shown = signed_in.get(f"{API}{address}/").json()
    assert (shown["status"], shown["may_trade"], shown["testing"]) == ("connected", True, "")
    assert [one["id"] for one in signed_in.get(f"{API}/accounts/").json()["results"]] == [shown["id"]]
    assert post(signed_in, f"{address}/check/").status_code == 202
    replaced = post(signed_in, f"{address}/key/", {"credentials": {"key": KEY, "secret": SECRET}})
    assert (replaced.status_code, replaced.json()["hint"], replaced.json()["may_trade"]) == (202, KEY[-4:], None)
    assert signed_in.delete(f"{API}{address}/").status_code == 409
    assert post(signed_in, f"{address}/revoke/").json()["status"] == "revoked"
    assert post(signed_in, f"{address}/check/").status_code == 409
    assert [one["id"] for one in signed_in.get(f"{API}/connections/").json()["results"]] == [shown["id"]]


def test_what_is_wrong_is_named_and_never_said_back(signed_in: Client) -> None:
    wrong = (
        {"credentials": {"key": KEY}},
        {"credentials": {"key": KEY, "secret": SECRET, SECRET: "x"}},
        {"credentials": {"key": KEY, "secret": [SECRET]}},
        {"credentials": SECRET},
        {"credentials": {"key": KEY, "secret": f"{SECRET}é"}},
        {"is_paper": False},
        {"broker": "nowhere"},
        {"currency": "DOGE"},
    )
    for how in wrong:
        answer = post(signed_in, "/connections/", BODY | how)
        assert answer.status_code == 400, how
        assert SECRET not in answer.content.decode()
        assert KEY not in answer.content.decode()
    assert not Account.objects.exists()


def test_other_people_s_connections_do_not_exist(signed_in: Client) -> None:
    shown = post(signed_in, "/connections/", BODY).json()
    other = Client()
    other.force_login(UserFactory())
    for path, body in (("check", None), ("key", {"credentials": BODY["credentials"]}), ("revoke", None)):
        assert post(other, f"/connections/{shown['id']}/{path}/", body).status_code == 404
    assert other.get(f"{API}/connections/{shown['id']}/").status_code == 404
    assert other.get(f"{API}/connections/").json()["results"] == []
    assert other.delete(f"{API}/connections/{shown['id']}/").status_code == 404
    assert Client().get(f"{API}/connections/").status_code == 401


def test_nobody_tries_keys_by_the_hundred(signed_in: Client) -> None:
    cache.clear()
    told = [post(signed_in, "/connections/", BODY | {"broker": "nowhere"}).status_code for _ in range(21)]
    assert told == [400] * 20 + [429]


def test_the_document_names_secrets_as_going_in_alone(client: Client) -> None:
    document = client.get("/api/schema/", HTTP_ACCEPT="application/json").json()
    shapes = document["components"]["schemas"]
    assert "credentials" in shapes["ConnectionInputRequest"]["properties"]
    assert shapes["ConnectionInputRequest"]["properties"]["credentials"]["writeOnly"] is True
    assert not {"credentials", "sealed", "secret"} & set(shapes["ConnectionOutput"]["properties"])


# -- staff ------------------------------------------------------------------------------------------------------------


def test_staff_see_connections_without_what_is_sealed(signed_in: Client, rf: Any) -> None:
    from django.contrib import admin

    connected(signed_in)
    shown = admin.site._registry[Connection]
    request = rf.get("/admin/")
    request.user = UserFactory(is_staff=True, is_superuser=True)
    assert "sealed" not in [str(one) for one in shown.get_fields(request, Connection.objects.get())]
    assert not shown.has_change_permission(request)
    assert not shown.has_delete_permission(request)
    assert not shown.has_add_permission(request)
