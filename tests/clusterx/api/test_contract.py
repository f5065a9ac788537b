"""What the API promises as a whole: its document, its throttles, its numbers."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO

import orjson
import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from clusterx.api.renderers import FastJSONRenderer
from tests.factories import UserFactory


@pytest.fixture(scope="module")
def document() -> dict:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return yaml.safe_load(out.getvalue())


def test_every_operation_says_what_its_errors_look_like(document: dict) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len(operations) > 20
    for operation in operations:
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    assert set(document["components"]["schemas"]["Problem"]["required"]) == {"type", "title", "status", "code", "detail"}


def test_all_of_it_stands_under_one_version(document: dict) -> None:
    assert all(path.startswith("/api/v1/") for path in document["paths"])


@pytest.mark.django_db
def test_the_document_and_its_page_are_open_to_everybody() -> None:
    assert Client().get("/api/schema/").status_code == 200
    page = Client().get("/api/docs/").content.decode()
    assert 'src="/api/docs/?script="' in page
    assert Client().get("/api/docs/?script=")["Content-Type"].startswith("application/javascript")


def test_money_is_text_and_market_data_are_numbers() -> None:
    body = FastJSONRenderer().render({"cash": Decimal("0.10"), "price": 61686.25, "gap": float("nan")})
    assert orjson.loads(body) == {"cash": "0.10", "price": 61686.25, "gap": None}


@pytest.mark.django_db
def test_who_asks_too_often_is_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnonRateThrottle, "THROTTLE_RATES", {"anon": "2/min", "user": "3/min"})
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"anon": "2/min", "user": "3/min"})
    # Another X-Forwarded-For is no other client.
    answers = [Client(headers={"X-Forwarded-For": f"10.0.0.{n}"}).get("/api/v1/indicators/") for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "throttled"
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    person = Client()
    person.force_login(UserFactory())
    assert [person.get("/api/v1/accounts/").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert Client(REMOTE_ADDR="203.0.113.9").get("/api/v1/indicators/").status_code == 200


@pytest.mark.django_db
def test_what_cannot_be_answered_as_json_is_a_problem() -> None:
    answer = Client(headers={"Accept": "text/csv"}).get("/api/v1/indicators/")
    assert answer.status_code == 406
    assert answer["Content-Type"] == "application/problem+json"
    assert Client().put("/api/v1/indicators/").status_code in {401, 405}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("theme", "opening"), [("dark", 'data-theme="dark" class="dark-mode">'), ("light", 'data-theme="light">')]
)
def test_the_page_of_the_document_has_the_theme_of_the_site(theme: str, opening: str) -> None:
    client = Client()
    client.cookies["theme"] = theme
    assert opening in client.get("/api/docs/").content.decode()
