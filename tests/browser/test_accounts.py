"""An account from its first page to the staff site, in a browser with a security key, under the content security policy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitor
from tests.stack import Stack

PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("accounts") / "clusterx", FEED="off")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def visitor(stack: Stack, browser: Browser) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    # Browsers bind passkeys to a name; an IP address is none.
    yield Visitor(context.new_page(), stack.url.replace("127.0.0.1", "localhost"))
    context.close()


def send(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"main [name={name}]", value)
    with page.expect_navigation():
        page.press(f"main [name={list(fields)[-1]}]", "Enter")


def code_of(secret: str) -> str:
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def mails(stack: Stack) -> list[Path]:
    return sorted((stack.layout.root / "mail").glob("*.log"))


def test_signing_up_confirming_and_a_passkey(visitor: Visitor, stack: Stack) -> None:
    page = visitor.open("/accounts/signup/")
    send(page, email="ada@example.com", password1=PASSWORD, password2=PASSWORD)
    expect(page.locator("main code")).to_have_text(str(stack.layout.root / "mail"))
    link = re.search(r"https?://\S+/confirm-email/\S+", mails(stack)[-1].read_text())
    assert link is not None
    page.goto(link[0])
    with page.expect_navigation():
        page.click("main form button")
    send(page, login="ada@example.com", password=PASSWORD)

    key = page.context.new_cdp_session(page)
    key.send("WebAuthn.enable")
    key.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }})  # fmt: skip
    visitor.open("/accounts/2fa/webauthn/add/")
    page.fill("main [name=name]", "Laptop")
    page.check("main [name=passwordless]")
    with page.expect_navigation():
        page.click("#mfa_webauthn_add")
    visitor.open("/accounts/2fa/webauthn/")
    expect(page.locator("main table")).to_contain_text("Laptop")

    page.context.clear_cookies()
    visitor.open("/accounts/login/")
    with page.expect_navigation():
        page.click("#passkey_login")
    visitor.open("/accounts/settings/")
    assert page.url.endswith("/accounts/settings/")
    assert visitor.wrong == []


def test_staff_set_codes_up_and_find_every_form_of_the_staff_site_working(visitor: Visitor) -> None:
    page = visitor.open("/admin/")
    send(page, login="staff@clusterx.example", password="staff-clusterx")
    assert "/accounts/" in page.url
    visitor.open("/accounts/2fa/totp/activate/")
    send(page, code=code_of(page.input_value("#authenticator_secret")))
    visitor.open("/admin/")
    addresses = page.eval_on_selector_all("#content-main a[href]", "links => [...new Set(links.map((a) => a.pathname))]")
    assert len(addresses) > 30
    for address in addresses:
        visitor.open(address)
        assert visitor.wrong == [], address


def test_a_theme_and_a_language_chosen_on_a_page_are_there_on_the_next(visitor: Visitor) -> None:
    page = visitor.open("/licences/")
    page.click("summary[aria-label='Account and display']")
    page.click("[data-set-theme=light]")
    page.click("[data-set-palette=colour-blind]")
    with page.expect_navigation():
        page.click("button[name=language][value=fr]")
    html = page.locator("html")
    for path in ("/licences/", "/markets/"):
        assert page.url.endswith(path)
        # Written by the server: nothing flashes.
        source = page.request.get(page.url).text()
        assert 'lang="fr" data-theme="light" data-palette="colour-blind"' in source
        expect(html).to_have_attribute("data-theme", "light")
        visitor.open("/markets/")
    assert visitor.wrong == []
