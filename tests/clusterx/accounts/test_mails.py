"""Every mail that allauth sends for what is switched on, sent by walking through the pages, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import context
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.test import RequestFactory
from django.utils.translation import override

from tests.clusterx.accounts.conftest import PASSWORD, Visitor, link_in_mail, member

pytestmark = pytest.mark.django_db(transaction=True)  # allauth sends mails after the commit
LANGUAGES = ("en", "fr")
ANOTHER = "another long password"
BEGINS = {"en": "Hello,\n\n", "fr": "Bonjour,\n\n"}
SIGN_UP = {"email": "ada@example.com", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture(autouse=True)
def translated() -> Iterator[None]:
    call_command("compile_translations")
    with override("en"):  # afterwards the thread speaks what it spoke before
        yield


def visitor_of(language: str) -> Visitor:
    return Visitor(headers={"Accept-Language": language, "User-Agent": "A browser"})


def settled(language: str) -> Visitor:
    visitor = visitor_of(language)
    visitor.sign_in(member().email)
    visitor.confirm_it_is_me()
    return visitor


def letter(language: str, subject: str, *parts: str, news: bool = False) -> EmailMessage:
    """The newest mail: plain text in our words, with what it must say, and without what a library says."""
    newest = mail.outbox[-1]
    assert newest.subject == subject
    assert newest.alternatives == []  # type: ignore[attr-defined]
    assert newest.body.startswith(BEGINS[language])
    assert newest.body.endswith("ClusterX · testserver")
    assert "\n\n\n" not in newest.body
    assert not [
        word for word in ("Thank you for using", "example.com!", "Merci d", "{{", "{%", "&#", "&quot;") if word in newest.body
    ]
    for part in parts:
        assert part in newest.body
    if news:
        assert "127.0.0.1" in newest.body
        assert "A browser" in newest.body
        assert "http://testserver/accounts/password/reset/" in newest.body
    return newest


@pytest.mark.parametrize("language", LANGUAGES)
def test_signing_up_and_signing_up_again(language: str) -> None:
    visitor = visitor_of(language)
    visitor.post("/accounts/signup/", SIGN_UP)
    subject, part, days = {
        "en": ("Confirm your e-mail address", "opened a ClusterX account", "three days"),
        "fr": ("Confirmez votre adresse e-mail", "a ouvert un compte ClusterX", "trois jours"),
    }[language]
    letter(language, subject, part, days, "http://testserver/accounts/confirm-email/")
    assert app_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS == 3
    visitor.post(link_in_mail())
    assert EmailAddress.objects.get().verified
    cache.clear()  # one mail to one address in three minutes
    visitor_of(language).post("/accounts/signup/", SIGN_UP)
    subject, part = {
        "en": ("You already have an account", "already exists"), "fr": ("Vous avez déjà un compte", "existe déjà"),
    }[language]  # fmt: skip
    letter(language, subject, part, "ada@example.com", "http://testserver/accounts/password/reset/")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_password_that_was_forgotten(language: str) -> None:
    visitor = visitor_of(language)
    visitor.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    subject, part = {
        "en": ("No account has this address", "There is no such account"),
        "fr": ("Aucun compte n’a cette adresse", "Ce compte n’existe pas"),
    }[language]
    letter(language, subject, part, "nobody@example.com", "http://testserver/accounts/signup/")

    visitor.post("/accounts/password/reset/", {"email": member().email})
    subject, days = {
        "en": ("Reset your password", "once, for three days"),
        "fr": ("Réinitialisez votre mot de passe", "une fois, pendant trois jours"),
    }[language]
    letter(language, subject, days, "http://testserver/accounts/password/reset/key/")
    assert settings.PASSWORD_RESET_TIMEOUT == 3 * 86_400
    form = visitor.get(link_in_mail()).url
    assert visitor.post(form, {"password1": ANOTHER, "password2": ANOTHER}).status_code == 302
    subject, part = {
        "en": ("Your password was reset", "by way of a link"),
        "fr": ("Votre mot de passe a été réinitialisé", "au moyen d’un lien"),
    }[language]
    letter(language, subject, part, news=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_password_that_is_changed_or_set(language: str) -> None:
    visitor = settled(language)
    visitor.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": ANOTHER, "password2": ANOTHER})
    subject = {"en": "Your password was changed", "fr": "Votre mot de passe a été changé"}[language]
    letter(language, subject, news=True)

    bare = member("bare@example.com")
    bare.set_unusable_password()
    bare.save()
    visitor = visitor_of(language)
    visitor.force_login(bare)
    visitor.post("/accounts/password/set/", {"password1": ANOTHER, "password2": ANOTHER})
    subject = {"en": "Your account has a password", "fr": "Votre compte a un mot de passe"}[language]
    letter(language, subject, news=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_address_that_is_added_made_the_first_and_removed(language: str) -> None:
    visitor = settled(language)
    visitor.post("/accounts/email/", {"action_add": "", "email": "new@example.com"})
    subject, part = {
        "en": ("Confirm your e-mail address", "entered this address for a ClusterX account"),
        "fr": ("Confirmez votre adresse e-mail", "a saisi cette adresse pour un compte ClusterX"),
    }[language]
    assert letter(language, subject, part, "/accounts/confirm-email/").to == ["new@example.com"]
    visitor.post(link_in_mail())
    visitor.post("/accounts/email/", {"action_primary": "", "email": "new@example.com"})
    subject, part = {
        "en": ("Your e-mail address was changed", "from ada@example.com to new@example.com"),
        "fr": ("Votre adresse e-mail a été changée", "de ada@example.com à new@example.com"),
    }[language]
    letter(language, subject, part, news=True)
    visitor.post("/accounts/email/", {"action_remove": "", "email": "ada@example.com"})
    subject = {"en": "An e-mail address was removed", "fr": "Une adresse e-mail a été retirée"}[language]
    letter(language, subject, "ada@example.com", news=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_second_factors(language: str) -> None:
    visitor = settled(language)
    visitor.set_up_codes()
    subjects = {
        "en": ("Authenticator app activated", "New recovery codes", "Authenticator app removed"),
        "fr": ("Application d’authentification activée", "Nouveaux codes de secours", "Application d’authentification retirée"),
    }[language]
    assert {one.subject for one in mail.outbox} >= {subjects[0]}
    visitor.post("/accounts/2fa/recovery-codes/generate/")
    letter(language, subjects[1], news=True)
    cache.clear()
    visitor.post("/accounts/2fa/totp/deactivate/")
    letter(language, subjects[2], news=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_passkeys(language: str) -> None:
    """As the pages send them, which want a browser's key."""
    user = member()
    request = RequestFactory().get("/", headers={"User-Agent": "A browser"})
    with override(language), context.request_context(request):
        for name, subject in {
            "webauthn_added": {"en": "Passkey added", "fr": "Clé d’accès ajoutée"}[language],
            "webauthn_removed": {"en": "Passkey removed", "fr": "Clé d’accès retirée"}[language],
        }.items():
            get_adapter().send_notification_mail(f"mfa/email/{name}", user)
            letter(language, subject, news=True)
