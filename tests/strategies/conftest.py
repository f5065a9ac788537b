"""Who asks: a person, their signed-in client, and a stranger's."""

from __future__ import annotations

import pytest
from django.test import Client

from clusterx.accounts.models import User
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
