"""From signing up to the staff site, through the pages."""

from __future__ import annotations

from html import unescape

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import override_settings
from django.utils.translation import override

from clusterx.accounts.models import User
from clusterx.accounts.services import stream_of
from clusterx.events import log
from clusterx.events.models import Event
from tests.clusterx.accounts.conftest import PASSWORD, Visitor, code_of, link_in_mail, member

pytestmark = pytest.mark.django_db(transaction=True)  # allauth sends mails and news after the commit


def told(user: User) -> list[str]:
    return list(Event.objects.filter(stream=stream_of(user)).values_list("type", flat=True))


def test_signing_up_takes_a_confirmed_address(visitor: Visitor) -> None:
    form = {"email": "Ada@Example.com", "password1": PASSWORD, "password2": PASSWORD}
    answer = visitor.post("/accounts/signup/", form)
    assert answer.url == "/accounts/confirm-email/"
    user = User.objects.get()
    assert user.email == "ada@example.com"
    assert visitor.sign_in("ada@example.com").url == "/accounts/confirm-email/"  # not yet
    assert visitor.get("/accounts/settings/").status_code == 302

    [first, *_] = mail.outbox
    assert first.to == ["ada@example.com"]
    assert first.alternatives == []  # plain text
    link = link_in_mail(0)
    visitor.post(link)
    assert EmailAddress.objects.get().verified
    other = Visitor()
    other.sign_in("ADA@example.com")
    assert other.get("/accounts/settings/").status_code == 200
    assert {"account.opened", "email.confirmed", "session.started"} <= set(told(user))


def test_a_french_browser_gets_french_mail() -> None:
    form = {"email": "ada@example.com", "password1": PASSWORD, "password2": PASSWORD}
    Visitor(headers={"Accept-Language": "fr"}).post("/accounts/signup/", form)
    assert "Confirmez votre adresse" in mail.outbox[0].subject
    assert mail.outbox[0].body.startswith("Bonjour")


@pytest.mark.parametrize(
    ("address", "english", "french"),
    [
        (f"{'a' * 300}@example.com", "The part before the @ may have at most 64", "La partie avant le @ peut avoir au plus 64"),
        (f"{'a' * 65}@example.com", "The part before the @ may have at most 64", "La partie avant le @ peut avoir au plus 64"),
        (f"{'a' * 64}@{'d' * 60}.{'e' * 60}.{'f' * 60}.example.com", "at most 254 characters", "au plus 254 caractères"),
    ],
)
def test_an_address_that_no_mail_can_carry_is_refused(address: str, english: str, french: str) -> None:
    call_command("compile_translations")
    form = {"email": address, "password1": PASSWORD, "password2": PASSWORD}
    user = member("grace@example.com")
    for language, sentence in (("en", english), ("fr", french)):
        visitor = Visitor(headers={"Accept-Language": language})
        with override("en"):  # afterwards the thread speaks what it spoke before
            answer = visitor.post("/accounts/signup/", form)
            assert answer.status_code == 200
            assert sentence in unescape(answer.content.decode())
            visitor.sign_in(user.email)
            visitor.confirm_it_is_me()
            answer = visitor.post("/accounts/email/", {"action_add": "", "email": address})
            assert sentence in unescape(answer.content.decode())
    assert User.objects.get() == user
    assert EmailAddress.objects.get().email == user.email
    with override("en"), pytest.raises(ValidationError, match="at most"):  # as the staff site asks
        User(email=address).clean()


def test_the_longest_addresses_are_taken(visitor: Visitor) -> None:
    address = f"{'a' * 64}@{'d' * 60}.{'e' * 60}.{'f' * 55}.example.com"
    assert len(address) == 254
    visitor.post("/accounts/signup/", {"email": address, "password1": PASSWORD, "password2": PASSWORD})
    assert mail.outbox[0].to == [address]


def test_the_page_that_waits_for_the_mail_says_where_a_developer_finds_it(visitor: Visitor, settings) -> None:
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.filebased.EmailBackend"):
        page = visitor.get("/accounts/confirm-email/").content.decode()
    assert "no mail is sent" in page
    assert f"{settings.EMAIL_FILE_PATH}</code>" in page
    assert "no mail is sent" not in visitor.get("/accounts/confirm-email/").content.decode()


def test_signing_up_twice_tells_the_owner_and_nobody_else(visitor: Visitor) -> None:
    member("ada@example.com")
    form = {"email": "ada@example.com", "password1": PASSWORD, "password2": PASSWORD}
    answer = visitor.post("/accounts/signup/", form)
    assert answer.url == "/accounts/confirm-email/"  # as for a new address
    assert User.objects.count() == 1
    assert "already exists" in mail.outbox[0].body


@pytest.mark.parametrize(
    ("password", "expected"),
    [("short", "at least 8 characters"), ("password123", "too common"), ("ada@example.com", "too similar")],
)
def test_a_weak_password_is_refused_and_says_why(visitor: Visitor, password: str, expected: str) -> None:
    page = visitor.post("/accounts/signup/", {"email": "ada@example.com", "password1": password, "password2": password})
    assert expected in page.content.decode()
    assert not User.objects.exists()


def test_a_forgotten_password_is_replaced_by_mail_and_ends_other_sessions(visitor: Visitor) -> None:
    user = member()
    elsewhere = Visitor()
    elsewhere.sign_in(user.email)
    visitor.post("/accounts/password/reset/", {"email": user.email})
    page = visitor.get(link_in_mail(), follow=True)
    address = page.redirect_chain[-1][0]
    visitor.post(address, {"password1": "another long password", "password2": "another long password"})
    assert visitor.sign_in(user.email, "another long password").status_code == 302
    assert visitor.get("/accounts/settings/").status_code == 200
    assert elsewhere.get("/accounts/settings/").status_code == 302
    assert "password.reset" in told(user)


def test_asking_for_an_unknown_address_looks_the_same(visitor: Visitor) -> None:
    member()
    known = visitor.post("/accounts/password/reset/", {"email": "ada@example.com"})
    unknown = visitor.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert (known.status_code, known.url) == (unknown.status_code, unknown.url)


def test_sessions_are_listed_and_the_others_can_be_ended(visitor: Visitor) -> None:
    user = member()
    elsewhere = Visitor(HTTP_USER_AGENT="An old phone")
    elsewhere.sign_in(user.email)
    elsewhere.get("/accounts/settings/")
    visitor.sign_in(user.email)
    page = visitor.get("/accounts/sessions/").content.decode()
    assert "An old phone" in page
    visitor.confirm_it_is_me()
    visitor.post("/accounts/sessions/")
    assert elsewhere.get("/accounts/settings/").status_code == 302
    assert visitor.get("/accounts/settings/").status_code == 200


def test_a_session_is_noted_once_a_minute_and_not_at_every_request(visitor: Visitor, django_assert_num_queries) -> None:
    visitor.sign_in(member().email)
    visitor.get("/accounts/settings/language/")
    with django_assert_num_queries(2):  # the session and its person
        visitor.get("/accounts/settings/language/")


# -- second factors --------------------------------------------------------------------------------------------


def test_a_code_is_asked_for_once_it_is_set_up(visitor: Visitor) -> None:
    user = member()
    visitor.sign_in(user.email)
    secret = visitor.set_up_codes()
    assert "factor.added" in told(user)
    assert any("Authenticator app activated" in one.subject for one in mail.outbox)
    cache.clear()  # a code counts once; the next one would come in half a minute

    elsewhere = Visitor()
    assert elsewhere.sign_in(user.email).url == "/accounts/2fa/authenticate/"
    assert elsewhere.get("/accounts/settings/").status_code == 302
    wrong = elsewhere.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "Incorrect code" in wrong.content.decode()
    elsewhere.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert elsewhere.get("/accounts/settings/").status_code == 200
    newest = Event.objects.filter(stream=stream_of(user), type="session.started").last()
    assert newest is not None
    assert log.read(newest).by == "password+mfa"


def test_the_database_alone_reveals_no_second_factor(visitor: Visitor) -> None:
    visitor.sign_in(member().email)
    secret = visitor.set_up_codes()
    for kept in Authenticator.objects.values_list("data", flat=True):
        assert secret not in str(kept)
        assert str(kept).count("gAAAA") == 1  # as Fernet begins


def test_second_factors_outlive_the_rotation_of_the_key(visitor: Visitor, settings) -> None:
    user = member()
    visitor.sign_in(user.email)
    secret = visitor.set_up_codes()
    cache.clear()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key altogether, quite as long as the one before it"
    elsewhere = Visitor()
    elsewhere.sign_in(user.email)
    assert elsewhere.post("/accounts/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302
    assert elsewhere.get("/accounts/settings/").status_code == 200


def test_passkeys_are_offered(visitor: Visitor) -> None:
    assert "passkey" in visitor.get("/accounts/login/").content.decode().lower()
    visitor.sign_in(member().email)
    visitor.confirm_it_is_me()
    page = visitor.get("/accounts/2fa/webauthn/add/")
    assert page.status_code == 200
    assert b"rp" in page.content


# -- the staff site --------------------------------------------------------------------------------------------


def test_the_staff_site_wants_staff_with_a_second_factor_used_in_this_session(visitor: Visitor) -> None:
    staff = member("staff@example.com", is_staff=True, is_superuser=True)
    assert visitor.get("/admin/", follow=True).redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"
    assert visitor.sign_in(staff.email, next="/admin/").url == "/admin/"
    page = visitor.get("/admin/", follow=True)
    assert page.redirect_chain[-1][0].startswith(("/accounts/2fa/", "/accounts/reauthenticate/"))
    assert "Set one up first" in str([str(message) for message in page.context["messages"]])

    secret = visitor.set_up_codes()
    assert visitor.get("/admin/accounts/user/").status_code == 200  # setting a factor up is using it
    cache.clear()

    elsewhere = Visitor()
    elsewhere.sign_in(staff.email)
    answer = elsewhere.post("/accounts/2fa/authenticate/?next=/admin/", {"code": code_of(secret), "next": "/admin/"})
    assert answer.url == "/admin/"
    assert elsewhere.get("/admin/accounts/user/").status_code == 200


def test_a_password_alone_opens_no_staff_site_for_who_has_a_factor(visitor: Visitor) -> None:
    """A session that Django's own login made, past allauth, stays outside."""
    staff = member("staff@example.com", is_staff=True, is_superuser=True)
    Authenticator.objects.create(user=staff, type=Authenticator.Type.TOTP, data={})
    visitor.force_login(staff)
    address = visitor.get("/admin/accounts/user/", follow=True).redirect_chain[-1][0]
    assert address == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2Faccounts%2Fuser%2F"


def test_people_are_sent_away_from_the_staff_site(visitor: Visitor) -> None:
    visitor.sign_in(member().email)
    assert visitor.get("/admin/", follow=True).redirect_chain[-1][0] == "/"


def test_no_other_site_is_redirected_to(visitor: Visitor) -> None:
    member()
    assert "evil" not in visitor.sign_in("ada@example.com", next="https://evil.example/").url


# -- guessing --------------------------------------------------------------------------------------------------


def test_guessing_a_password_ends_soon(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    user = member()
    for _guess in range(5):
        visitor.sign_in(user.email, "wrong")
    page = visitor.sign_in(user.email, PASSWORD)  # even the right one
    assert "Too many failed login attempts" in page.content.decode()


def test_guessing_stays_limited_when_the_cache_forgets(visitor: Visitor, settings) -> None:
    """allauth counts in the cache, django-axes in the database."""
    user = member()
    for _guess in range(settings.AXES_FAILURE_LIMIT):
        cache.clear()
        answer = visitor.sign_in(user.email, "wrong")
    cache.clear()
    answer = visitor.sign_in(user.email, PASSWORD)
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()
    cache.clear()
    assert visitor.sign_in(member("grace@example.com").email).status_code == 302  # others are not locked out


def test_a_session_left_open_changes_no_address_and_no_factor(visitor: Visitor) -> None:
    user = member()
    visitor.sign_in(user.email)
    assert visitor.get("/accounts/2fa/totp/activate/").status_code == 200  # a password was shown a moment ago
    visitor.leave_it_open()
    answer = visitor.post("/accounts/email/", {"action_add": "", "email": "thief@example.com"})
    assert answer.url.startswith("/accounts/reauthenticate/")
    assert visitor.get("/accounts/2fa/totp/activate/").url.startswith("/accounts/reauthenticate/")
    assert visitor.get("/accounts/2fa/webauthn/add/").url.startswith("/accounts/reauthenticate/")
    assert EmailAddress.objects.count() == 1
    assert visitor.confirm_it_is_me("a wrong password").status_code == 200
    visitor.confirm_it_is_me()
    visitor.post("/accounts/email/", {"action_add": "", "email": "mine@example.com"})
    assert EmailAddress.objects.filter(user=user, verified=False).count() == 1
