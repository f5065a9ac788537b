"""The door: every answer is numbered, guarded by headers, and nonsense gets a 400 and never a 500."""

from __future__ import annotations

import logging
import re

import pytest
from django.core.cache import cache
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusterx.urls import handler400, handler403, handler500  # noqa: F401  (the URLconf below)
from clusterx.urls import urlpatterns as real
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def breaks(request: HttpRequest, how: str) -> HttpResponse:
    from django.core.exceptions import PermissionDenied, SuspiciousOperation

    raise {
        "bug": RuntimeError("password=hunter2"),
        "data": DataError("integer out of range"),
        "nul": ValueError("A string literal cannot contain NUL (0x00) characters."),
        "denied": PermissionDenied(),
        "odd": SuspiciousOperation(),
    }[how]


urlpatterns = [path("api/breaks/<str:how>/", breaks), path("breaks/<str:how>/", breaks), *real]


@pytest.mark.parametrize(("how", "status"), [("bug", 500), ("data", 400), ("nul", 400), ("denied", 403), ("odd", 400)])
@override_settings(ROOT_URLCONF=__name__)
def test_what_breaks_a_page_is_said_in_words_and_what_breaks_the_api_as_a_problem(how: str, status: int) -> None:
    client = Client(raise_request_exception=False)
    page = client.get(f"/breaks/{how}/")
    assert page.status_code == status
    assert page["Content-Type"].startswith("text/html")
    assert "<h1>" in page.content.decode()
    answer = client.get(f"/api/breaks/{how}/")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer["X-Request-ID"]
    for said in (page, answer):
        assert "hunter2" not in said.content.decode()


def test_every_answer_has_a_number() -> None:
    first, second = (Client().get("/healthz")["X-Request-ID"] for _ in range(2))
    assert first != second
    assert Client(headers={"X-Request-ID": "from-the-proxy-1"}).get("/healthz")["X-Request-ID"] == "from-the-proxy-1"
    assert Client(headers={"X-Request-ID": "<b>\n"}).get("/healthz")["X-Request-ID"] != "<b>\n"


@override_settings(ROOT_URLCONF=__name__)
def test_a_failure_is_logged_by_its_route(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "clusterx.requests"):
        Client(raise_request_exception=False).get("/breaks/bug/?token=secret")
    [said] = [record.getMessage() for record in caplog.records if record.name == "clusterx.requests"]
    assert re.fullmatch(r"GET breaks/<str:how>/ 500 in \d+ ms", said)


@pytest.mark.parametrize("where", ["/markets/?q=%00", "/api/v1/instruments/?q=a%00b", "/%00", "/markets/%00/"])
def test_nul_in_an_address_is_refused(where: str) -> None:
    answer = Client().get(where)
    assert answer.status_code == 400
    assert "NUL" in answer.content.decode()
    if where.startswith("/api/"):
        assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "theme", "django_language", "messages"])
def test_nul_in_a_cookie_is_refused(name: str) -> None:
    # http.cookies reads \000 within quotes as a NUL character.
    answer = Client(headers={"Cookie": f'{name}="\\000abcdefghijkl"'}, raise_request_exception=False).get("/")
    assert answer.status_code == 400


nonsense = st.text(max_size=60)
PLACES = ("/", "/markets/", "/markets/{}/", "/strategies/{}/", "/accounts/confirm-email/{}/", "/accounts/{}/", "/trade/{}/",
          "/api/v1/instruments/{}/", "/api/v1/instruments/{}/candles/", "/api/v1/accounts/{}/", "/{}")  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), word=nonsense, query=st.dictionaries(nonsense, nonsense, max_size=3), data=st.data())
def test_no_address_query_or_cookie_gives_a_500(place: str, word: str, query: dict[str, str], data: st.DataObject) -> None:
    client = Client(raise_request_exception=False)
    cookie = data.draw(st.text(st.characters(codec="ascii"), max_size=30))
    client.cookies["sessionid"] = cookie
    name = data.draw(st.sampled_from(["x", "timeframe", "limit", "spec", "before", "start", "q", "page", "cursor"]))
    try:
        answer = client.get(place.format(word), query | {name: word})
    except UnicodeEncodeError:
        return  # half a surrogate: no client can send it
    assert answer.status_code < 500


def test_very_long_addresses_are_answered() -> None:
    long = "a" * 8000
    for where in (f"/{long}", f"/markets/{long}/", f"/?q={long}", f"/markets/?q={long}", f"/api/v1/instruments/?q={long}"):
        assert Client().get(where).status_code < 500


# -- headers ------------------------------------------------------------------------------------------------------

PAGES = ("/", "/markets/", "/licences/", "/accounts/login/", "/accounts/signup/", "/api/docs/", "/nowhere/", "/healthz")


@pytest.mark.parametrize("where", PAGES)
def test_every_page_allows_nothing_but_our_own(where: str) -> None:
    answer = Client().get(where)
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]


@pytest.mark.parametrize("where", PAGES)
def test_no_page_holds_inline_script_or_style(where: str) -> None:
    page = Client().get(where).content.decode()
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", page)
    for tag in re.findall(r"<script[^>]*>", page):
        assert "src=" in tag or 'type="application/json"' in tag


# -- without a cache ------------------------------------------------------------------------------------------------


def test_pages_and_the_api_go_on_without_redis(settings) -> None:
    settings.CACHES = {
        "default": settings.CACHES["default"] | {"LOCATION": "unix:///nowhere/redis.sock"},
    }
    client = Client()
    client.force_login(UserFactory())
    cache.set("a", 1)
    assert cache.get("a", "away") == "away"
    assert cache.add("b", 1) is True
    assert client.get("/accounts/settings/").status_code == 200
    assert client.get("/api/v1/accounts/").status_code == 200
    assert client.get("/api/v1/tokens/").status_code == 200
