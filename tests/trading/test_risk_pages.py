"""Pages of risk: limits and what they would become, breakers, trading states, panic, and why something was refused."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from clusterx.events.models import Event
from tests.factories import START, AccountFactory, DeploymentFactory, UserFactory, limits
from tests.trading.conftest import RISING, Market, deployed
from trading.models import Account, Deployment, Order, Panic, Position
from trading.risk.profile import profile, to_json
from trading.services.exposure import breakers_of
from trading.services.risk import set_platform
from trading.services.valuation import mark_equity

pytestmark = pytest.mark.django_db


class Person:
    """Somebody signed in, with an account of the usual appetite."""

    def __init__(self, language: str = "en", **account: Any) -> None:
        self.user = UserFactory(language=language)
        self.client = Client()
        self.client.force_login(self.user)
        self.account: Account = AccountFactory(owner=self.user, **{"risk": to_json(profile(5))} | account)

    def get(self, path: str = "risk/", *, part: str = "", **query: object) -> str:
        asked = {"account": self.account.public_id, **query} | ({"part": part} if part else {})
        headers = {"HTTP_HX_REQUEST": "true"} if part else {}
        with override("en"):
            answer = self.client.get(f"/trade/{path}", asked, **headers)
        assert answer.status_code == 200, answer.status_code
        return " ".join(unescape(answer.content.decode()).split())  # of spaces that do not break as well

    def post(self, path: str, **form: object) -> Any:
        with override("en"):
            return self.client.post(f"/trade/{path}?account={self.account.public_id}", form, follow=True)

    def reload(self) -> Account:
        self.account.refresh_from_db()
        return self.account


@pytest.fixture
def person() -> Person:
    return Person()


def changed(page: str) -> dict[str, tuple[str, str]]:
    """What the preview shows: by limit what it is and would become."""
    rows = re.findall(
        r'<tr class="changed"><td[^>]*>([^<]+?)(?: <span[^>]*>[^<]*</span>)?</td><td[^>]*>([^<]+)</td><td[^>]*><strong>([^<]+)',
        page,
    )
    return {label.strip(): (now, then) for label, now, then in rows}


# -- limits -----------------------------------------------------------------------------------------------------------


def test_the_page_shows_every_limit_and_the_appetite(person: Person) -> None:
    page = person.get()
    assert 'name="appetite" min="1" max="10" step="1" value="5"' in page
    assert "These are the limits that hold now." in page
    assert page.count('class="hint"') >= 23
    assert " style=" not in page
    assert changed(page) == {}


def test_what_another_appetite_would_change_is_shown_before_it_is_saved(person: Person) -> None:
    shown = changed(person.get(part="preview", appetite=3))
    assert shown["Daily loss"] == ("2.0 %", "1.0 %")
    assert shown["Leverage"] == ("1×", "0.5×")
    assert "On losses in a row" not in shown  # the same at both
    assert person.reload().risk_profile.appetite == 5
    assert not Event.objects.filter(type="account.risk-changed").exists()


def test_limits_by_hand_are_typed_in_percent_and_saved(person: Person) -> None:
    assert changed(person.get(part="preview", **{"appetite": 5, "p-daily_loss": "3"})) == {"Daily loss": ("2.0 %", "3.0 %")}
    page = person.post("risk/", **{"appetite": "5", "p-daily_loss": "3"}).content.decode()
    assert "The limits are set." in page
    assert 'name="p-daily_loss" value="3"' in page
    assert person.reload().risk_profile == profile(5, {"daily_loss": "0.03"})
    person.post("risk/", **{"appetite": "6", "p-daily_loss": ""})
    assert person.reload().risk_profile == profile(6)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"appetite": "11"}, "The risk appetite must be 1 to 10, was 11."),
        ({"appetite": "many"}, "The risk appetite must be 1 to 10"),
        ({"appetite": "5", "p-leverage": "100"}, "“Leverage” must be 0.01× to 20×."),
        ({"appetite": "5", "p-daily_loss": "NaN"}, "“Daily loss” must be a number, was NaN."),
        ({"appetite": "5", "p-open_positions": "1.5"}, "“Open positions” must be a whole number, was 1.5."),
    ],
)
def test_limits_that_cannot_be_are_told_and_what_was_typed_is_kept(person: Person, form: dict[str, str], told: str) -> None:
    assert told in person.get(part="preview", **form)
    answer = person.post("risk/", **form)
    assert answer.status_code == 400
    page = unescape(answer.content.decode())
    assert told in page
    for name, typed in form.items():
        assert name == "appetite" or f'value="{typed}"' in page
    assert person.reload().risk_profile == profile(5)


def test_a_comma_is_a_decimal_point_where_numbers_are_written_so() -> None:
    form = {"appetite": "5", "p-daily_loss": "2,5"}
    french, english = Person("fr"), Person("en")
    french.post("risk/", **form)
    assert french.reload().risk_profile == profile(5, {"daily_loss": "0.025"})
    assert english.post("risk/", **form).status_code == 400
    assert english.reload().risk_profile == profile(5)


def test_without_script_a_button_shows_what_would_change(person: Person) -> None:
    answer = person.post("risk/", appetite="3", preview="1")
    assert answer.status_code == 200
    assert "limits would change" in answer.content.decode()
    assert person.reload().risk_profile.appetite == 5


def test_positions_that_would_be_over_a_limit_are_named_with_their_numbers(market: Market) -> None:
    person = Person(risk=limits(maximum_position="0.5"))
    market.close(*RISING)
    market.trade(deployed(person.account, market), 104.0)
    page = person.get(part="preview", appetite=5)
    assert "this would be over a limit at once" in page
    assert f"Position size · {market.instrument.symbol} · SMA cross" in page
    assert "/ 5.0 %" in page
    again = person.get(part="preview", **{"appetite": 5, "p-maximum_position": "50"})
    assert "Position size ·" not in again


# -- where it stands --------------------------------------------------------------------------------------------------


def losing(market: Market, person: Person) -> Deployment:
    """The day's limit of the loss is reached."""
    market.close(*[100 + (n % 3) for n in range(20)], *RISING)
    person.account.risk = limits(maximum_position="1", daily_loss="0.02", stop_distance="20")
    person.account.save()
    mark_equity(at=market.now)
    deployment = deployed(person.account, market, allocation="0.9")
    market.trade(deployment, 104.0)
    market.now += timedelta(seconds=20)
    market.price(100.0)
    mark_equity(at=market.now)
    assert breakers_of(person.account).trips
    return deployment


def test_a_tripped_breaker_is_on_every_page_and_is_reset_for_a_reason(market: Market, person: Person) -> None:
    deployment = losing(market, person)
    for path in ("", "risk/", "orders/", "activity/", "deploy/", f"deployments/{deployment.public_id}/", "standing/"):
        assert "Circuit breaker “Daily loss” tripped: nothing new is opened." in person.get(path), path
    assert "Tripped at" in person.get(part="live")
    assert "Say why" in unescape(person.post("risk/breakers/daily-loss/reset/", reason=" ").content.decode())
    assert breakers_of(person.account).trips
    assert "The breaker is reset." in person.post("risk/breakers/daily-loss/reset/", reason="A wrong price.").content.decode()
    assert not breakers_of(person.account).trips
    assert "tripped" not in person.get("standing/")
    assert person.post("risk/breakers/luck/reset/", reason="!").status_code == 404


def test_an_account_is_restricted_on_its_page_and_says_so_everywhere(person: Person) -> None:
    assert "Say why" in unescape(person.post("risk/state/", state="halted").content.decode())
    assert person.reload().state == "active"
    person.post("risk/state/", state="halted", reason="On holiday.")
    assert (person.reload().state, person.account.state_reason) == ("halted", "On holiday.")
    for path in ("", "orders/", "risk/"):
        page = person.get(path)
        assert "This account is halted: nothing is sent but stops and panic." in page
        assert "On holiday." in page
    person.post("risk/state/", state="active", reason="Back.")
    assert "halted:" not in person.get("standing/")
    assert person.post("risk/state/", state="wild", reason="!").status_code == 404


def test_a_platform_that_is_halted_says_why(person: Person) -> None:
    set_platform(state="halted", reason="The database moves.", at=START, actor=person.user)
    page = person.get("orders/")
    assert "Trading is halted on the whole platform." in page
    assert "The database moves." in page


def test_a_deployment_is_restricted_on_its_page(person: Person) -> None:
    one = DeploymentFactory(account=person.account)
    person.post(f"deployments/{one.public_id}/state/", state="reduce-only", reason="Odd fills.")
    page = person.get(f"deployments/{one.public_id}/")
    assert "Only closing" in page
    assert "Odd fills." in page
    assert Deployment.objects.get().state == "reduce-only"


# -- refusals ---------------------------------------------------------------------------------------------------------


def refused(market: Market, person: Person) -> Deployment:
    """A purchase that is held back because a deployment like it holds too much of the symbol."""
    market.close(*RISING)
    person.account.risk = limits(open_positions=1)
    person.account.save()
    market.trade(deployed(person.account, market), 104.0)
    other = deployed(person.account, market)
    market.close(*(100.0, 99.0, 98.0))
    market.trade(other, 104.0)
    assert Event.objects.filter(type="proposal.rejected").exists()
    return other


@pytest.mark.parametrize(
    ("language", "sentence", "label"),
    [
        ("en", "Open positions would be 2; the limit is 1.", "Open positions"),
        ("fr", "Les positions ouvertes seraient au nombre de 2 ; la limite est de 1.", "Positions ouvertes"),
    ],
)
def test_a_refusal_shows_its_rule_its_numbers_and_a_gauge_in_the_person_s_language(
    market: Market, language: str, sentence: str, label: str
) -> None:
    person = Person(language)
    other = refused(market, person)
    for path in ("risk/", "activity/", f"deployments/{other.public_id}/"):
        assert sentence in person.get(path), path
    for path in ("risk/", f"deployments/{other.public_id}/"):
        page = person.get(path)
        assert 'class="gauge bad"' in page
        assert f'#too-many-positions">{label}</a>' in page
    assert 'id="too-many-positions"' in person.get("risk/rules/")


def test_what_decided_the_size_is_named(market: Market) -> None:
    person = Person(risk=limits(maximum_position="0.01"))
    market.close(*RISING)
    market.trade(deployed(person.account, market), 104.0)
    assert "The largest position" in person.get(part="live")


# -- panic ------------------------------------------------------------------------------------------------------------


def test_panic_says_what_it_does_and_its_page_follows_it_to_the_end(market: Market, person: Person) -> None:
    market.close(*[100 + (n % 3) for n in range(20)], *RISING)
    market.trade(deployed(person.account, market), 104.0)
    assert Order.objects.filter(purpose="stop", status="accepted").exists()
    for path in ("", "risk/"):
        page = person.get(path)
        assert "1 position is closed at market now" in page
        assert f'action="/trade/panic/?account={person.account.public_id}"' in page
    page = unescape(person.post("panic/").content.decode())
    begun = Panic.objects.get()
    assert "Getting out of everything" in page
    assert "1 deployment is stopped" in page
    assert begun.started_by == person.user
    twice = person.post("panic/")
    assert twice.redirect_chain[-1][0] == f"/trade/panic/{begun.pk}/"
    assert Panic.objects.count() == 1
    for path in ("", "risk/"):
        assert "Panic is under way" in person.get(path)
    assert "A panic is under way" in unescape(person.post("risk/state/", state="active", reason="!").content.decode())
    market.work()
    assert Position.objects.get().quantity == 0
    steps = person.get(f"panic/{begun.pk}/", part="steps")
    assert "Nothing is held and nothing is open" in steps
    assert "Let the account trade again" in steps
    assert "<html" not in steps
    person.post("risk/state/", state="active", reason="Calm.")
    assert "The account trades again." in person.get(f"panic/{begun.pk}/")


def test_what_panic_would_do_is_told_as_things_stand(market: Market, person: Person) -> None:
    assert "Nothing is held" in person.get("panic/will/")
    market.close(*RISING)
    market.trade(deployed(person.account, market), 104.0)
    told = person.get("panic/will/")
    assert "1 position is closed at market now" in told
    assert "BTC" in told
    assert person.reload().state == "active"


def test_panic_of_an_account_that_holds_nothing_is_over_at_once(person: Person) -> None:
    assert "Out of everything" in person.post("panic/").content.decode()
    assert person.reload().state == "halted"


def test_nothing_is_done_to_an_account_that_is_not_named(person: Person) -> None:
    """Left out of the address, the account would be the first: of all things panic must never guess."""
    for path, form in (("panic/", {}), ("risk/state/", {"state": "halted", "reason": "!"})):
        assert person.client.post(f"/trade/{path}", form).status_code == 404
    assert person.reload().state == "active"


def test_what_changes_something_is_never_worked_by_a_link(person: Person) -> None:
    one = DeploymentFactory(account=person.account)
    for path in ("panic/", "risk/state/", "risk/breakers/losses/reset/", f"deployments/{one.public_id}/state/"):
        assert person.client.get(f"/trade/{path}?account={person.account.public_id}").status_code == 405


def test_what_is_another_person_s_does_not_exist(person: Person) -> None:
    person.post("panic/")
    stranger = Person()
    address = f"account={person.account.public_id}"
    begun = Panic.objects.get()
    for path in ("risk/", "standing/", "risk/rules/", "panic/will/"):
        assert stranger.client.get(f"/trade/{path}?{address}").status_code == 404
    assert stranger.client.get(f"/trade/panic/{begun.pk}/").status_code == 404
    one = DeploymentFactory(account=person.account)
    for path in ("risk/", "panic/", "risk/state/", "risk/breakers/losses/reset/", f"deployments/{one.public_id}/state/"):
        form = {"state": "halted", "reason": "!", "appetite": "1"}
        assert stranger.client.post(f"/trade/{path}?{address}", form).status_code == 404
    assert person.reload().risk_profile == profile(5)
    assert Deployment.objects.get().state == "active"


def test_four_refusals_and_orders_cost_as_many_queries_as_one(market: Market) -> None:
    person = Person(risk=limits(open_positions=1))
    market.close(*RISING)
    market.trade(deployed(person.account, market), 104.0)

    def refuse() -> None:
        market.close(100.0, 99.0, 98.0)
        market.trade(deployed(person.account, market), 104.0)

    refuse()
    person.get()
    with CaptureQueriesContext(connection) as one:
        person.get()
    before = Event.objects.filter(type="proposal.rejected").count()
    for _ in range(3):
        refuse()
    assert Event.objects.filter(type="proposal.rejected").count() == before + 3
    with CaptureQueriesContext(connection) as four:
        person.get()
    assert len(four) == len(one)


def test_the_page_is_french_for_who_reads_french(market: Market) -> None:
    person = Person("fr")
    page = person.get()
    assert "Appétit pour le risque" in page
    assert "Distance du stop" in page
    assert "Fermer toutes les positions" in page
    assert "Largest position" not in page
