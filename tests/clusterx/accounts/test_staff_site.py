"""What staff can do on the staff site, and what nobody can."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction

from clusterx.accounts import services
from clusterx.accounts.models import User
from clusterx.accounts.services import stream_of
from clusterx.events.models import Event
from tests.clusterx.accounts.conftest import PASSWORD, Visitor, code_of, member
from tests.factories import AccountFactory, UserFactory

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = datetime(2024, 8, 9, tzinfo=UTC)


def staff(*permissions: str, **facts: object) -> Visitor:
    user = member("staff@example.com", is_staff=True, **facts)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    TOTP.activate(user, SECRET)
    visitor = Visitor()
    visitor.sign_in(user.email)
    visitor.post("/accounts/2fa/authenticate/", {"code": code_of(SECRET)})
    assert visitor.get("/admin/").status_code == 200
    return visitor


@pytest.fixture
def superuser() -> Visitor:
    return staff(is_superuser=True)


def test_every_list_and_form_of_the_staff_site_opens(superuser: Visitor) -> None:
    AccountFactory()
    services.make_token(user=UserFactory(), name="bot", scope="read", at=NOW)
    page = superuser.get("/admin/")
    lists = [model["admin_url"] for app in page.context["app_list"] for model in app["models"]]
    assert len(lists) > 20
    for address in lists:
        for query in ("", "?q=abc", "?q=%2500", "?e=1", "?o=1.-2", "?id__exact=x"):
            answer = superuser.get(address + query)
            assert answer.status_code in {200, 302}, (address, query)
    adds = [model["add_url"] for app in page.context["app_list"] for model in app["models"] if model["add_url"]]
    for address in adds:
        assert superuser.get(address).status_code == 200, address


def test_a_person_is_added_by_address_and_must_confirm_it(superuser: Visitor) -> None:
    form = {"email": "Grace@Example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert superuser.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.filter(email="grace@example.com").exists()
    again = superuser.post("/admin/accounts/user/add/", form | {"email": "grace@example.COM"})
    assert again.context["adminform"].errors
    assert Visitor().sign_in("grace@example.com").url == "/accounts/confirm-email/"


def test_nobody_deletes_people(superuser: Visitor) -> None:
    user = UserFactory()
    assert superuser.post(f"/admin/accounts/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    superuser.post("/admin/accounts/user/", {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"})
    assert User.objects.filter(pk=user.pk).exists()


def test_staff_gives_itself_no_powers() -> None:
    visitor = staff("view_user", "change_user")
    me, boss = User.objects.get(email="staff@example.com"), UserFactory(is_superuser=True, is_staff=True)
    form = {"name": "Me", "theme": "auto", "palette": "standard", "base_currency": "USD", "is_active": "on"}
    visitor.post(f"/admin/accounts/user/{me.pk}/change/", form | {"is_superuser": "on", "is_staff": "on"})
    me.refresh_from_db()
    assert (me.name, me.is_superuser) == ("Me", False)
    assert visitor.post(f"/admin/accounts/user/{boss.pk}/change/", form).status_code == 403
    new = {"usable_password": "true", "password1": "a stolen password", "password2": "a stolen password"}
    assert visitor.post(f"/admin/accounts/user/{boss.pk}/password/", new).status_code == 403
    boss.refresh_from_db()
    assert not boss.check_password("a stolen password")


def test_events_are_read_and_never_written(superuser: Visitor) -> None:
    user = User.objects.get()
    event = Event.objects.filter(stream=stream_of(user)).first()
    assert event is not None
    assert "session.started" in superuser.get(f"/admin/events/event/?q={stream_of(user)}").content.decode()
    assert superuser.get(f"/admin/events/event/?q={event.correlation_id}").context["cl"].result_count == 1
    assert superuser.get(f"/admin/events/event/{event.pk}/change/").status_code == 200
    assert superuser.post(f"/admin/events/event/{event.pk}/change/", {"stream": "x"}).status_code == 403
    assert superuser.get("/admin/events/event/add/").status_code == 403
    assert superuser.post(f"/admin/events/event/{event.pk}/delete/", {"post": "yes"}).status_code == 403


def test_staff_revokes_tokens_and_sees_no_hash(superuser: Visitor) -> None:
    tokens = [services.make_token(user=UserFactory(), name="bot", scope="read", at=NOW) for _ in range(2)]
    page = superuser.get(f"/admin/accounts/apitoken/{tokens[0][0].pk}/change/").content.decode()
    assert tokens[0][0].digest not in page
    chosen = [token.pk for token, _ in tokens]
    superuser.post("/admin/accounts/apitoken/", {"action": "revoke", "_selected_action": chosen})
    assert [services.token_of(raw, at=NOW) for _, raw in tokens] == [None, None]
    assert LogEntry.objects.filter(change_message__contains="Revoked").count() == 2


def test_a_lost_factor_can_be_taken_away_and_none_be_seen(superuser: Visitor) -> None:
    factor = Authenticator.objects.get()
    page = superuser.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert SECRET not in page
    assert "gAAAA" not in page
    superuser.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize(
    "change", ["delete from django_admin_log", "update django_admin_log set change_message = ''", "truncate django_admin_log"]
)
def test_what_staff_did_stays_written(superuser: Visitor, change: str) -> None:
    user = UserFactory()
    new = {"usable_password": "true", "set-password": "", "password1": PASSWORD + "x", "password2": PASSWORD + "x"}
    superuser.post(f"/admin/accounts/user/{user.pk}/password/", new)
    assert "Changed password." in superuser.get("/admin/admin/logentry/").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute(change)
