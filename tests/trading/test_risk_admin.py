"""The platform's kill switch on the staff site, and what staff may only look at."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

import clusterx.admin
from clusterx.events.models import Event
from tests.factories import START, AccountFactory, UserFactory
from trading.models import Panic, Platform
from trading.services.panic import panic

pytestmark = pytest.mark.django_db
ROW = "/admin/trading/platform/1/change/"


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(clusterx.admin, "with_second_factor", lambda request: True)
    person = UserFactory(is_staff=True, email="staff@example.com")
    wanted = ["view_platform", "add_platform", "change_platform", "view_panic", "view_breakers"]
    person.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(person)
    return client


def test_the_switch_is_made_once_and_never_deleted(staff: Client) -> None:
    assert staff.post("/admin/trading/platform/add/", {"state": "active", "why": ""}).status_code == 302
    assert Platform.objects.get().state == "active"
    assert staff.get("/admin/trading/platform/add/").status_code == 403
    assert staff.post("/admin/trading/platform/1/delete/", {"post": "yes"}).status_code == 403
    assert Platform.objects.count() == 1


def test_a_change_needs_a_reason_and_is_kept_with_who_made_it(staff: Client) -> None:
    Platform.objects.create()
    refused = staff.post(ROW, {"state": "halted", "why": " "})
    assert "Say why" in refused.content.decode()
    assert Platform.objects.get().state == "active"
    for _ in range(2):
        assert staff.post(ROW, {"state": "halted", "why": "The database moves."}).status_code == 302
    switch = Platform.objects.get()
    assert (switch.state, switch.reason, switch.changed_by.email) == (  # type: ignore[union-attr]
        "halted", "The database moves.", "staff@example.com",
    )  # fmt: skip
    (event,) = Event.objects.filter(stream="platform")
    assert (event.payload["state"], event.payload["before"], event.actor) == ("halted", "active", switch.changed_by)


def test_who_may_not_change_it_does_not(staff: Client) -> None:
    Platform.objects.create()
    looker = UserFactory(is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_platform"))
    client = Client()
    client.force_login(looker)
    assert client.get(ROW).status_code == 200
    assert client.post(ROW, {"state": "halted", "why": "!"}).status_code == 403
    assert Platform.objects.get().state == "active"


def test_panics_and_breakers_are_looked_at_alone(staff: Client) -> None:
    account = AccountFactory()
    begun = panic(account_id=account.pk, reason="The news.", at=START, actor=None)
    assert "The news." in staff.get("/admin/trading/panic/").content.decode()
    assert staff.get("/admin/trading/breakers/").status_code == 200
    for name in ("add", f"{begun.pk}/delete"):
        assert staff.get(f"/admin/trading/panic/{name}/").status_code == 403
    staff.post(f"/admin/trading/panic/{begun.pk}/change/", {"reason": "Another."})
    assert Panic.objects.get().reason == "The news."
