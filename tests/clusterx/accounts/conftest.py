"""A person who walks through the pages as a browser does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.http import HttpResponse
from django.test import Client

from clusterx.accounts.models import User
from tests.factories import UserFactory

PASSWORD = "a long enough password"


class Visitor(Client):
    """Follows no redirects unless asked to, and says what a form was told."""

    def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> HttpResponse:
        return self.post("/accounts/login/", {"login": email, "password": password, **more})

    def confirm_it_is_me(self, password: str = PASSWORD, next: str = "/") -> HttpResponse:
        return self.post(f"/accounts/reauthenticate/?next={next}", {"password": password, "next": next})

    def leave_it_open(self, seconds: float = 660) -> None:
        """Time passes; the session stays open."""
        session = self.session
        for record in session["account_authentication_methods"]:
            record["at"] -= seconds
        session.save()

    def set_up_codes(self) -> str:
        """Activate one-time codes; returns their secret."""
        self.confirm_it_is_me()
        page = self.get("/accounts/2fa/totp/activate/").content.decode()
        secret = re.search(r'value="([A-Z2-7]{32})"', page)
        assert secret is not None, page
        answer = self.post("/accounts/2fa/totp/activate/", {"code": code_of(secret[1])})
        assert answer.status_code == 302, answer.content
        return secret[1]


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def link_in_mail(number: int = -1) -> str:
    found = re.search(r"https?://[^/\s]+(/\S+)", mail.outbox[number].body)
    assert found is not None, mail.outbox[number].body
    return found[1]


def member(email: str = "ada@example.com", **facts: Any) -> User:
    """Somebody whose address is confirmed."""
    user = UserFactory(email=email, **facts)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()
