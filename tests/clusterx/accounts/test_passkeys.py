"""Passkeys are kept for a name; the pages say so where the site is asked for by a number."""

from __future__ import annotations

import pytest

from tests.clusterx.accounts.conftest import Visitor, member

pytestmark = pytest.mark.django_db
ADD = "/accounts/2fa/webauthn/add/"
WHY = "this address is a number"


@pytest.fixture
def settled(visitor: Visitor) -> Visitor:
    """Signed in, and asked who they are a moment ago."""
    visitor.force_login(member())
    visitor.confirm_it_is_me()
    return visitor


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]:8000"])
def test_at_a_number_the_page_leads_to_the_name(settled: Visitor, host: str) -> None:
    page = settled.get(ADD, HTTP_HOST=host).content.decode()
    assert WHY in page
    assert f'href="http://localhost:8000{ADD}"' in page
    assert "mfa_webauthn_add" not in page


def test_at_a_name_the_page_is_the_form(settled: Visitor) -> None:
    page = settled.get(ADD, HTTP_HOST="localhost:8000").content.decode()
    assert WHY not in page
    assert "mfa_webauthn_add" in page


def test_a_number_of_another_machine_is_not_taken_for_localhost(settled: Visitor, settings) -> None:
    settings.ALLOWED_HOSTS = ["192.168.1.5"]
    page = settled.get(ADD, HTTP_HOST="192.168.1.5").content.decode()
    assert WHY in page
    assert "localhost" not in page


def test_signing_in_says_it_too_and_takes_along_where_one_was_going(visitor: Visitor) -> None:
    page = visitor.get("/accounts/login/?next=/trade/", HTTP_HOST="127.0.0.1:8000").content.decode()
    assert 'href="http://localhost:8000/accounts/login/?next=/trade/"' in page
    assert WHY not in visitor.get("/accounts/login/", HTTP_HOST="localhost").content.decode()


def test_a_stranger_s_host_is_still_refused(visitor: Visitor) -> None:
    assert visitor.get("/", HTTP_HOST="evil.example").status_code == 400
