"""Who asks: a person, their signed-in client, and a stranger's; and a browser for scripts that need no server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, sync_playwright

from clusterx.accounts.models import User
from tests.browser.conftest import CHROMIUM, QUIET
from tests.factories import UserFactory


@pytest.fixture
def person() -> User:
    return UserFactory()


@pytest.fixture
def client(person: User) -> Client:
    return signed_in(person)


@pytest.fixture
def stranger() -> Client:
    return signed_in(UserFactory())


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield launched
        launched.close()
