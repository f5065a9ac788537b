"""API tokens: shown once, hashed at rest, limited by what they may do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.utils import timezone

from clusterx.accounts import services
from clusterx.accounts.models import ApiToken
from clusterx.events.models import Event
from tests.clusterx.accounts.conftest import Visitor, member
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2024, 8, 9, 12, tzinfo=UTC)


def made(scope: str = "trade", **facts: object) -> tuple[ApiToken, str]:
    return services.make_token(user=facts.pop("user", None) or UserFactory(), name="bot", scope=scope, at=NOW, **facts)


def asking(raw: str) -> Client:
    return Client(headers={"Authorization": f"Token {raw}"})


def test_a_token_signs_in_without_a_session() -> None:
    token, raw = made()
    answer = asking(raw).get("/api/v1/accounts/")
    assert answer.status_code == 200
    assert not answer.cookies
    token.refresh_from_db()
    assert token.last_used_at is not None


def test_the_database_holds_no_token() -> None:
    token, raw = made()
    with connection.cursor() as cursor:
        cursor.execute("select t::text from accounts_apitoken t")
        row = cursor.fetchone()[0]
        cursor.execute("select string_agg(e::text, ' ') from events_event e")
        events = cursor.fetchone()[0]
    assert raw[11:] not in row + events
    assert token.prefix == raw[:11]
    assert len(raw) == 46  # cx_ and 32 bytes


@pytest.mark.parametrize("shown", ["", "cx_", "cx_x", "x" * 5000, "cx_é", "two words", "cx_" + "A" * 43])
def test_other_texts_sign_nobody_in(shown: str) -> None:
    made()
    answer = Client(headers={"Authorization": f"Token {shown}".encode().decode("latin-1")}).get("/api/v1/accounts/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert answer.json()["code"] == "authentication-failed"


def test_a_token_ends_with_its_time_its_revocation_and_its_person() -> None:
    user = UserFactory()
    lasting, _ = made(user=user)
    _, brief = made(user=user, expires_at=NOW + timedelta(days=1))
    _, taken = made(user=user)
    assert services.token_of(brief, at=NOW + timedelta(hours=23)) is not None
    assert services.token_of(brief, at=NOW + timedelta(days=1)) is None
    services.revoke_token(user=user, public_id=services.token_of(taken, at=NOW).public_id, at=NOW)
    assert services.token_of(taken, at=NOW) is None
    raw = made(user=user)[1]
    user.is_active = False
    user.save()
    assert services.token_of(raw, at=NOW) is None
    assert lasting.revoked_at is None


def test_a_token_that_may_read_writes_nothing() -> None:
    client = asking(made(scope="read")[1])
    assert client.get("/api/v1/accounts/").status_code == 200
    answer = client.post("/api/v1/accounts/", {"name": "a", "starting_balance": "1000"}, content_type="application/json")
    assert answer.status_code == 403
    assert "may only read" in answer.json()["detail"]


def test_last_use_is_written_once_a_minute() -> None:
    token, raw = made()
    client = asking(raw)
    with time_machine.travel(NOW, tick=False) as clock:
        for seconds, noted in ((0, 0), (30, 0), (61, 61)):
            clock.move_to(NOW + timedelta(seconds=seconds))
            client.get("/api/v1/accounts/")
            token.refresh_from_db()
            assert token.last_used_at == NOW + timedelta(seconds=noted)


def test_there_is_a_limit_to_tokens_and_revoking_makes_room() -> None:
    user = UserFactory()
    tokens = [made(user=user)[0] for _ in range(services.MOST_TOKENS)]
    with pytest.raises(services.TooManyTokens):
        made(user=user)
    services.revoke_token(user=user, public_id=tokens[0].public_id, at=NOW)
    services.revoke_token(user=user, public_id=tokens[0].public_id, at=NOW)  # again: nothing more happens
    made(user=user)
    assert Event.objects.filter(type="token.revoked").count() == 1


# -- the mail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "subject", "moment"),
    [("en", "New API token “bot”", "14:00 CEST"), ("fr", "Nouveau jeton d’API « bot »", "14:00 CEST")],
)
def test_the_owner_is_told_of_a_token_by_mail_and_not_what_it_is(
    language: str, subject: str, moment: str, django_capture_on_commit_callbacks
) -> None:
    user = member(language=language, time_zone="Europe/Paris")
    with django_capture_on_commit_callbacks(execute=True):
        token, raw = made(user=user, expires_at=NOW + timedelta(days=30))
    [letter] = mail.outbox
    assert letter.to == [user.email]
    assert letter.subject == subject
    assert token.prefix in letter.body
    assert moment in letter.body
    assert raw[11:] not in letter.body + letter.subject


def test_a_mail_server_that_is_down_unmakes_no_token(monkeypatch, django_capture_on_commit_callbacks) -> None:
    tried: list[object] = []

    def refused(*letters: object) -> None:
        tried.append(letters)
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "send_messages", refused)
    with django_capture_on_commit_callbacks(execute=True):
        _, raw = made(user=member())
    assert tried
    assert services.token_of(raw, at=NOW) is not None


# -- the page ---------------------------------------------------------------------------------------------------


def test_the_page_asks_who_is_there_and_then_shows_a_token_once(visitor: Visitor) -> None:
    visitor.sign_in(member().email)
    visitor.leave_it_open()
    wanted = {"name": "my bot", "scope": "read", "days": "30"}
    asked = visitor.post("/accounts/settings/tokens/", wanted)
    assert asked.url.startswith("/accounts/reauthenticate/")
    page = visitor.confirm_it_is_me(next="/accounts/settings/tokens/")  # and the form goes on where it was
    raw = re.search(r"cx_[\w-]{43}", page.content.decode())
    assert raw is not None
    assert page["Cache-Control"] == "no-store"
    assert asking(raw[0]).get("/api/v1/accounts/").status_code == 200
    token = ApiToken.objects.get()
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)
    again = visitor.get("/accounts/settings/tokens/").content.decode()
    assert raw[0] not in again
    assert raw[0][:11] in again
    visitor.post(f"/accounts/settings/tokens/{token.public_id}/revoke/")
    assert asking(raw[0]).get("/api/v1/accounts/").status_code == 401


def test_the_form_shown_after_confirming_makes_the_next_token(visitor: Visitor) -> None:
    """allauth answers at its own address with the page that was asked for: the form must say where it goes."""
    visitor.sign_in(member().email)
    visitor.leave_it_open()
    wanted = {"name": "my bot", "scope": "read", "days": "30"}
    visitor.post("/accounts/settings/tokens/", wanted)
    page = visitor.confirm_it_is_me(next="/accounts/settings/tokens/").content.decode()
    forms = [tag for tag in re.findall(r"<form[^>]*>", page) if 'method="post"' in tag]
    assert forms
    assert all("action=" in tag for tag in forms)
    [action] = [found[1] for tag in forms if (found := re.search(r'action="([^"]*/tokens/)"', tag))]
    assert visitor.post(action, wanted | {"name": "another"}).status_code == 200
    assert set(ApiToken.objects.values_list("name", flat=True)) == {"my bot", "another"}


def test_the_password_is_asked_for_once_in_ten_minutes_and_signing_in_is_an_answer(visitor: Visitor) -> None:
    wanted = {"name": "bot", "scope": "read", "days": "30"}
    with time_machine.travel(NOW, tick=False) as clock:
        visitor.sign_in(member().email)
        for minutes in (0, 10):
            clock.move_to(NOW + timedelta(minutes=minutes + 9, seconds=59))
            assert visitor.post("/accounts/settings/tokens/", wanted).status_code == 200
            clock.move_to(NOW + timedelta(minutes=minutes + 10))
            assert visitor.post("/accounts/settings/tokens/", wanted).status_code == 302
            visitor.confirm_it_is_me()


def test_other_peoples_tokens_cannot_be_revoked(visitor: Visitor) -> None:
    token, raw = made()
    visitor.sign_in(member().email)
    assert visitor.post(f"/accounts/settings/tokens/{token.public_id}/revoke/").status_code == 404
    assert visitor.delete(f"/api/v1/tokens/{token.public_id}/").status_code == 404
    assert services.token_of(raw, at=NOW) is not None


# -- over REST --------------------------------------------------------------------------------------------------


def test_a_token_makes_no_tokens() -> None:
    client = asking(made()[1])
    for answer in (
        client.get("/api/v1/tokens/"),
        client.post("/api/v1/tokens/", {"name": "x"}, content_type="application/json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "permission-denied")
        assert "session alone" in answer.json()["detail"]
    assert ApiToken.objects.count() == 1


def test_nobody_is_told_to_sign_in_before_there_are_tokens() -> None:
    for answer in (
        Client().get("/api/v1/tokens/"),
        Client().post("/api/v1/tokens/", {"name": "x"}, content_type="application/json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")
        assert answer["WWW-Authenticate"] == "Session"


def test_a_browser_makes_lists_and_revokes_tokens(visitor: Visitor) -> None:
    visitor.sign_in(member().email)
    visitor.leave_it_open()

    def make(**wanted: object):
        return visitor.post("/api/v1/tokens/", {"name": "bot", **wanted}, content_type="application/json")

    assert make().json()["code"] == "reauthentication-required"
    visitor.confirm_it_is_me()
    answer = make(scope="trade", days=7)
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    raw = answer.json()["token"]
    assert asking(raw).get("/api/v1/accounts/").status_code == 200
    [listed] = visitor.get("/api/v1/tokens/").json()["results"]
    assert listed["id"] == answer.json()["id"]
    assert "token" not in listed
    assert raw not in str(listed)
    wrong = make(scope="root", days=0).json()
    assert {error["field"] for error in wrong["errors"]} == {"scope", "days"}
    assert "must be one of read, trade, was 'root'" in str(wrong)
    assert visitor.delete(f"/api/v1/tokens/{listed['id']}/").status_code == 204
    assert visitor.get("/api/v1/tokens/").json()["results"] == []
    assert asking(raw).get("/api/v1/accounts/").status_code == 401


def test_another_sites_form_makes_no_token() -> None:
    browser = Visitor(enforce_csrf_checks=True)
    browser.force_login(member())
    answer = browser.post("/api/v1/tokens/", {"name": "x"}, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
