"""Errors of the API: one shape, stable codes, the field named, and never a 500 for what somebody sent."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, ClassVar

import pytest
import redis
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404
from django.test import Client
from rest_framework import exceptions, serializers
from rest_framework.test import APIClient

from clusterx.api.fields import ChoiceField
from clusterx.api.problems import exception_handler
from clusterx.errors import DomainError
from tests.factories import AccountFactory, UserFactory

PROBLEM = "application/problem+json"


class TooFull(DomainError):
    code: ClassVar[str] = "too-full"
    http_status: ClassVar[int] = 409


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TooFull("It holds 3 of 3.", limit=3), 409, "too-full"),
        (DomainError("No."), 400, "invalid"),
        (exceptions.ValidationError({"a": ["wrong"]}), 400, "invalid"),
        (DjangoValidationError({"a": ["wrong"]}), 400, "invalid"),
        (exceptions.ParseError(), 400, "parse-error"),
        (exceptions.NotAuthenticated(), 401, "not-authenticated"),
        (PermissionDenied(), 403, "permission-denied"),
        (exceptions.PermissionDenied(), 403, "permission-denied"),
        (Http404(), 404, "not-found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
        (IntegrityError("duplicate key"), 409, "conflict"),
        (exceptions.UnsupportedMediaType("text/xml"), 415, "unsupported-media-type"),
        (exceptions.Throttled(wait=7.2), 429, "throttled"),
        (DataError("out of range"), 400, "invalid"),
        (SuspiciousOperation(), 400, "invalid"),
        (ValueError("A string literal cannot contain NUL (0x00) characters."), 400, "invalid"),
        (OperationalError("the server closed the connection"), 503, "unavailable"),
        (redis.ConnectionError(), 503, "unavailable"),
    ],
)
def test_every_kind_of_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    response = exception_handler(error, {})
    assert response is not None
    assert response.content_type == PROBLEM
    assert (response.status_code, response.data["status"], response.data["code"]) == (status, status, code)
    assert response.data["detail"]


def test_an_error_of_ours_is_not_dressed_up_as_somebodys_mistake() -> None:
    assert exception_handler(ValueError("a bug"), {}) is None
    assert exception_handler(KeyError("a bug"), {}) is None


def test_who_is_throttled_or_meets_a_missing_server_is_told_when_to_come_back() -> None:
    for error in (exceptions.Throttled(wait=7.2), OperationalError()):
        response = exception_handler(error, {})
        assert response is not None
        assert int(response["Retry-After"]) >= 5


def test_the_numbers_behind_a_domain_error_come_along() -> None:
    response = exception_handler(TooFull("It holds 3 of 3.", limit=3, field="name"), {})
    assert response is not None
    assert response.data["facts"] == {"limit": 3}
    assert response.data["errors"] == [{"field": "name", "code": "too-full", "detail": "It holds 3 of 3."}]


def test_nested_fields_are_named_by_their_path() -> None:
    class Leg(serializers.Serializer[Any]):
        side = ChoiceField(choices=["buy", "sell"])
        size = serializers.IntegerField(max_value=10)

    class Ticket(serializers.Serializer[Any]):
        legs = Leg(many=True)
        tags = serializers.ListField(child=serializers.CharField(max_length=3))

        def validate(self, given: Any) -> Any:
            raise serializers.ValidationError("never mind")

    ticket = Ticket(data={"legs": [{"side": "buy", "size": 1}, {"side": "hold", "size": 11}], "tags": ["ok", "long"]})
    assert not ticket.is_valid()
    response = exception_handler(exceptions.ValidationError(ticket.errors), {})
    assert response is not None
    found = {error["field"]: (error["code"], error["detail"]) for error in response.data["errors"]}
    assert found == {
        "legs.1.side": ("invalid-choice", "must be one of buy, sell, was 'hold'."),
        "legs.1.size": ("max-value", "Ensure this value is less than or equal to 10."),
        "tags.1": ("max-length", "Ensure this field has no more than 3 characters."),
    }
    assert response.data["detail"].startswith("legs.1.side: ")
    whole = Ticket(data={"legs": [], "tags": []})
    assert not whole.is_valid()
    response = exception_handler(exceptions.ValidationError(whole.errors), {})
    assert response is not None
    assert response.data["errors"] == [{"field": "", "code": "invalid", "detail": "never mind"}]
    assert response.data["detail"] == "never mind"


# -- through the door -----------------------------------------------------------------------------------------


@pytest.fixture
def api() -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_login(UserFactory())
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_a_problem_whatever_the_method(method: str) -> None:
    response = getattr(Client(enforce_csrf_checks=True), method)("/api/v1/nothing/here")
    assert response.status_code == 404
    assert response["Content-Type"] == PROBLEM
    assert response.json()["code"] == "not-found"


@pytest.mark.django_db
def test_who_has_not_signed_in_is_asked_to() -> None:
    response = Client().get("/api/v1/accounts/")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert response.json()["code"] == "not-authenticated"


BODIES = {
    "not JSON": (b"{", 400),
    "empty": (b"", 400),
    "not UTF-8": (b'{"name": "\xff\xfe"}', 400),
    "half a surrogate": (b'{"name": "\\ud800"}', 400),
    "not a number": (b'{"starting_balance": NaN}', 400),
    "nested without end": (b"[" * 200_000, 400),
    "a list": (b"[1, 2]", 400),
    "a word": (b'"hello"', 400),
    "null": (b"null", 400),
    "NUL": (b'{"name": "a\\u0000b", "starting_balance": "1000"}', 400),
    "a huge number": (b'{"name": "a", "starting_balance": 1e400}', 400),
    "many digits": (b'{"name": "a", "starting_balance": "' + b"9" * 5000 + b'"}', 400),
    "too large": (b'"' + b"x" * 3_000_000 + b'"', 413),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BODIES)
def test_no_body_breaks_the_api(api: APIClient, name: str) -> None:
    body, status = BODIES[name]
    response = api.generic("POST", "/api/v1/accounts/", body, content_type="application/json")
    assert response.status_code == status, response.content
    assert response["Content-Type"] == PROBLEM
    assert response.json()["detail"]


@pytest.mark.django_db
def test_other_kinds_of_body_are_refused_by_name(api: APIClient) -> None:
    response = api.generic("POST", "/api/v1/accounts/", b"<a/>", content_type="text/xml")
    assert response.status_code == 415
    assert "text/xml" in response.json()["detail"]


def cursor(position: str) -> str:
    return b64encode(f"p={position}".encode()).decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "made_up", ["x", "%ff", "A" * 4000, *map(cursor, ("abc", "1e999", "9" * 400, "-1", "2024-13-01", "%00"))]
)
def test_no_cursor_breaks_a_list(api: APIClient, made_up: str) -> None:
    account = AccountFactory(owner__email="other@example.com")
    for path in ("/api/v1/orders/", "/api/v1/accounts/", "/api/v1/positions/", f"/api/v1/accounts/{account.public_id}/"):
        response = api.get(path, {"cursor": made_up})
        assert response.status_code in {200, 400, 404}, (path, response.content)
        if response.status_code == 400:
            assert response.json()["errors"][0]["field"] == "cursor"


@pytest.mark.django_db
@pytest.mark.parametrize("size", ["0", "-1", "201", "abc", "", "9" * 5000, "²", "1.5"])
def test_a_page_size_out_of_bounds_is_named(api: APIClient, size: str) -> None:
    response = api.get("/api/v1/orders/", {"page_size": size})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "page_size"
    assert "1 to 200" in response.json()["detail"]


@pytest.mark.django_db
def test_pages_are_linked_and_hold_as_many_as_asked(api: APIClient) -> None:
    owner = UserFactory()
    accounts = AccountFactory.create_batch(5, owner=owner)
    api.force_login(owner)
    seen: list[str] = []
    url: str | None = "/api/v1/accounts/?page_size=2"
    while url:
        page = api.get(url).json()
        assert set(page) == {"next", "previous", "results"}
        assert len(page["results"]) <= 2
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert seen == [str(account.public_id) for account in reversed(accounts)]
