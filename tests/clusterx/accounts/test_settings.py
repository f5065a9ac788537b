"""How a person wants to see things, on this device and everywhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils import timezone

from clusterx.accounts.middleware import DisplaySettingsMiddleware
from clusterx.accounts.services import DEMO, ensure_demo_people
from clusterx.accounts.zones import zone_of
from tests.clusterx.accounts.conftest import Visitor, member
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
SAVED = {"name": "Ada", "theme": "light", "palette": "colour-blind", "time_zone": "Asia/Tokyo", "language": "fr",
         "base_currency": "EUR"}  # fmt: skip


def html_of(client: Client, path: str = "/") -> dict[str, str]:
    tag = re.search(r"<html ([^>]+)>", client.get(path).content.decode())
    assert tag is not None
    return dict(re.findall(r'([\w-]+)="([^"]*)"', tag[1]))


def test_what_is_saved_is_how_pages_look(visitor: Visitor) -> None:
    visitor.force_login(member())
    assert html_of(visitor) == {"lang": "en", "data-theme": "auto", "data-palette": "standard", "data-time-zone": ""}
    assert visitor.post("/accounts/settings/", SAVED).status_code == 302
    expected = {"lang": "fr", "data-theme": "light", "data-palette": "colour-blind", "data-time-zone": "Asia/Tokyo"}
    assert html_of(visitor) == expected


def test_this_devices_theme_comes_first_until_the_account_is_saved(visitor: Visitor) -> None:
    visitor.force_login(member())
    visitor.cookies["theme"], visitor.cookies["palette"] = "dark", "<script>"
    shown = html_of(visitor)
    assert (shown["data-theme"], shown["data-palette"]) == ("dark", "standard")
    visitor.post("/accounts/settings/", SAVED)
    assert html_of(visitor)["data-theme"] == "light"


@pytest.mark.parametrize(
    ("field", "value"),
    [("theme", "pink"), ("time_zone", "Mars/Base"), ("time_zone", "../../etc/passwd"), ("language", "xx"),
     ("base_currency", "GOLD"), ("name", "x" * 81), ("name", "a\x00b")],
)  # fmt: skip
def test_a_value_that_is_not_offered_is_refused_beside_its_field(visitor: Visitor, field: str, value: str) -> None:
    user = member()
    visitor.force_login(user)
    answer = visitor.post("/accounts/settings/", SAVED | {field: value})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert 'aria-invalid="true"' in answer.content.decode()
    user.refresh_from_db()
    assert user.theme == "auto"


def test_the_language_of_a_browser_is_spoken_until_one_is_chosen() -> None:
    french = Client(headers={"Accept-Language": "fr-CH, en;q=0.5"})
    assert html_of(french)["lang"] == "fr"
    assert "Marchés" in french.get("/").content.decode()
    french.post("/accounts/settings/language/", {"language": "en", "next": "/"})
    assert html_of(french)["lang"] == "en"


def test_a_chosen_language_goes_with_the_account(visitor: Visitor) -> None:
    user = member()
    visitor.force_login(user)
    assert visitor.post("/accounts/settings/language/", {"language": "fr", "next": "/licences/"}).url == "/licences/"
    elsewhere = Client()
    elsewhere.force_login(user)
    assert html_of(elsewhere)["lang"] == "fr"
    visitor.post("/accounts/settings/language/", {"language": "tlh", "next": "https://evil.example/"})
    user.refresh_from_db()
    assert user.language == "fr"


def test_times_are_written_in_the_persons_zone(rf: RequestFactory) -> None:
    moment = datetime(2024, 8, 9, 20, tzinfo=UTC)

    def page(request: Any) -> Any:
        return Template("{{ at|date:'H:i' }}").render(Context({"at": timezone.localtime(moment)}))

    request = rf.get("/")
    for zone, expected in {"Asia/Tokyo": "05:00", "": "20:00", "Gone/Away": "20:00", "/etc/passwd": "20:00"}.items():
        request.user = UserFactory(time_zone=zone)
        assert DisplaySettingsMiddleware(page)(request) == expected


def test_a_page_that_fails_over_a_zone_runs_once(rf: RequestFactory) -> None:
    calls: list[Any] = []

    def page(request: Any) -> Any:
        calls.append(request)
        return zone_of("x") and __import__("zoneinfo").ZoneInfo("No/Where")

    request = rf.get("/")
    request.user = UserFactory()
    with pytest.raises(LookupError):
        DisplaySettingsMiddleware(page)(request)
    assert len(calls) == 1


def test_settings_are_for_who_signed_in() -> None:
    for path in ("/accounts/settings/", "/accounts/settings/tokens/", "/accounts/sessions/", "/accounts/2fa/"):
        assert Client().get(path).url == f"/accounts/login/?next={path}"


# -- demo people -------------------------------------------------------------------------------------------------


def test_demo_people_can_sign_in_and_are_made_once(visitor: Visitor) -> None:
    for _ in range(2):
        ensure_demo_people(timezone.now())
    for email, password, _name, _staff in DEMO:
        assert visitor.sign_in(email, password).status_code == 302
        assert visitor.get("/accounts/settings/").status_code == 200
        visitor.logout()


def test_production_has_no_demo_people(settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(Exception, match="known passwords"):
        ensure_demo_people(timezone.now())


# -- the frame ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["settings/", "email/", "password/change/", "2fa/", "sessions/", "settings/tokens/"]
)  # fmt: skip
def test_every_page_of_the_settings_has_the_same_frame(visitor: Visitor, address: str) -> None:
    """Tabs first and one heading below them: nothing jumps from one tab to the next."""
    visitor.sign_in(member().email)
    page = visitor.get(f"/accounts/{address}").content.decode()
    content = page[page.index('<main id="content"') : page.index("</main>")]
    assert content.startswith('<main id="content" tabindex="-1" class="manage"><nav class="tabs"')
    assert content.count("<h1") == 1
    assert content.index("</nav>") < content.index("<h1")
    assert content.count('aria-current="page"') == 1


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36", "Chrome on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown browser"),
    ],
)  # fmt: skip
def test_sessions_name_browsers_in_words(told: str, words: str) -> None:
    browser = Visitor(headers={"User-Agent": told})
    browser.sign_in(member().email)
    page = browser.get("/accounts/sessions/").content.decode()
    assert f">{words}</td>" in page
    assert f'title="{told}"' in page
    head, body = page[page.index("<thead>") :].split("<tbody>", 1)
    assert head.count("<th ") == body[: body.index("</tr>")].count("<td")
