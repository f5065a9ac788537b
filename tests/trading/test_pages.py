"""Pages of Trade and Strategies, through their addresses."""

from __future__ import annotations

import re
import uuid
from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation import override

from clusterx.errors import DomainError
from tests.factories import AccountFactory, DeploymentFactory, InstrumentFactory, UserFactory
from trading.models import Account, Deployment, Position

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return UserFactory()


@pytest.fixture
def signed_in(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_a_stranger_is_asked_to_sign_in(client):
    response = client.get("/trade/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_the_first_visit_leads_to_opening_an_account(signed_in):
    response = signed_in.get("/trade/", follow=True)
    assert "Open your paper account" in response.content.decode()


@pytest.mark.parametrize("page", ["orders", "activity"])
def test_who_has_no_account_is_led_to_opening_one(signed_in, page):
    assert signed_in.get(f"/trade/{page}/")["Location"] == "/trade/accounts/new/"


def test_an_account_is_opened_with_the_balance_asked_for(signed_in, person):
    form = {"name": "Coins", "starting_balance": "2500.00", "currency": "USDT"}
    page = signed_in.post("/trade/accounts/new/", form, follow=True).content.decode()
    assert Account.objects.get(owner=person).starting_balance == 2500
    assert "2,500.00" in page


def test_a_refused_account_keeps_what_was_typed(signed_in, person):
    AccountFactory(owner=person, name="Coins")
    response = signed_in.post("/trade/accounts/new/", {"name": "Coins", "starting_balance": "2500", "currency": "USDT"})
    assert response.status_code == 400
    assert 'value="2500"' in response.content.decode()


def test_an_account_without_anything_says_what_to_do(signed_in, person):
    AccountFactory(owner=person)
    page = signed_in.get("/trade/").content.decode()
    assert "No strategy is at work" in page
    assert "Nothing is held." in page


def test_deploying_by_the_form_starts_a_deployment(signed_in, person):
    AccountFactory(owner=person)
    one = InstrumentFactory()
    page = signed_in.get(f"/trade/deploy/?strategy=sma-cross&instrument={one.ref}")
    assert page.context["form"]["instrument"].value() == one.ref
    form = {"instrument": one.ref, "timeframe": "5m", "allocation": "20", "p-fast": "5", "p-slow": "20", "p-direction": "long"}
    response = signed_in.post("/trade/deploy/?strategy=sma-cross", form, follow=True)
    assert response.status_code == 200
    made = Deployment.objects.get(account__owner=person)
    assert made.is_running
    assert made.parameters["values"] == {"fast": 5, "slow": 20, "direction": "long"}
    shown = signed_in.get(f"/trade/deployments/{made.public_id}/").content.decode()
    assert "Long only" in shown


def test_parameters_that_do_not_fit_are_told_at_their_field(signed_in, person):
    AccountFactory(owner=person)
    one = InstrumentFactory()
    form = {"instrument": one.ref, "timeframe": "5m", "allocation": "20", "p-fast": "50", "p-slow": "20", "p-direction": "long"}
    response = signed_in.post("/trade/deploy/?strategy=sma-cross", form)
    assert response.status_code == 400
    assert response.context["form"]["p-fast"].errors
    assert not Deployment.objects.exists()


def test_every_error_of_a_deployment_is_told_at_once(signed_in, person):
    """Ranges, the rule between parameters, and what the instrument has not."""
    AccountFactory(owner=person)
    one = InstrumentFactory(base_timeframe="5m")
    InstrumentFactory(kind="perpetual", venue=one.venue)
    form = {"instrument": one.ref, "timeframe": "1m", "allocation": "200"}
    form |= {"p-fast": "50", "p-slow": "2", "p-direction": "long-short"}
    response = signed_in.post("/trade/deploy/?strategy=sma-cross", form)
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {"timeframe", "allocation", "p-fast", "p-slow", "p-direction"}


@pytest.mark.parametrize("typed", ["", "many", "nan", "inf", "1e999", "9" * 5000])
def test_a_rule_between_parameters_waits_for_numbers(signed_in, person, typed):
    AccountFactory(owner=person)
    form = {"instrument": InstrumentFactory().ref, "timeframe": "5m", "allocation": "20", "p-fast": "50", "p-slow": typed}
    response = signed_in.post("/trade/deploy/?strategy=sma-cross", form | {"p-direction": "long"})
    assert response.status_code == 400
    assert "p-slow" in response.context["form"].errors


def test_the_form_offers_what_there_is(signed_in, person):
    AccountFactory(owner=person)
    one = InstrumentFactory(base="ZZZ", base_timeframe="15m")
    form = signed_in.get("/trade/deploy/?strategy=sma-cross").context["form"]
    assert form["instrument"].value() == one.ref
    assert form["timeframe"].value() == "15m"
    assert [name for name, _ in form.fields["timeframe"].choices] == ["15m", "1h", "4h", "1d"]
    assert [name for name, _ in form.fields["p-direction"].choices] == ["long"]
    assert "---" not in str(form["instrument"])
    perpetual = InstrumentFactory(base="AAA", kind="perpetual", base_timeframe="1m", venue=one.venue)
    page = signed_in.get(f"/trade/deploy/?strategy=sma-cross&instrument={perpetual.ref}&timeframe=1h")
    form = page.context["form"]
    assert (form["instrument"].value(), form["timeframe"].value()) == (perpetual.ref, "1h")
    assert [name for name, _ in form.fields["p-direction"].choices] == ["long", "long-short"]
    assert signed_in.get("/trade/deploy/").context["form"]["instrument"].value() == one.ref  # the first there was
    assert page.context["page_data"]["instruments"][one.ref] == {"timeframes": ["15m", "1h", "4h", "1d"], "short": False}


def test_what_cannot_be_traded_here_is_not_replaced_and_not_offered_for_deployment(signed_in, person):
    AccountFactory(owner=person)
    InstrumentFactory()
    off = InstrumentFactory(venue__is_enabled=False, venue__code="off")
    form = signed_in.get(f"/trade/deploy/?instrument={off.ref}").context["form"]
    assert form["instrument"].value() is None
    assert "Deploy a strategy" not in signed_in.get(f"/markets/{off.ref}/").content.decode()


def test_an_unknown_strategy_cannot_be_deployed(signed_in, person):
    AccountFactory(owner=person)
    assert signed_in.get("/trade/deploy/?strategy=none-such").status_code == 404


def test_stop_start_and_delete_do_what_their_buttons_say(signed_in, person):
    one = DeploymentFactory(account=AccountFactory(owner=person))
    base = f"/trade/deployments/{one.public_id}"
    signed_in.post(f"{base}/stop/")
    assert Deployment.objects.get(pk=one.pk).status == "stopped"
    signed_in.post(f"{base}/start/")
    assert Deployment.objects.get(pk=one.pk).status == "running"
    page = signed_in.post(f"{base}/delete/", follow=True).content.decode()
    assert "Its orders and fills stay." in page
    assert signed_in.get(f"{base}/").status_code == 404


@pytest.mark.parametrize("action", ["start", "stop", "delete"])
def test_a_control_is_never_worked_by_a_link(signed_in, person, action):
    one = DeploymentFactory(account=AccountFactory(owner=person))
    assert signed_in.get(f"/trade/deployments/{one.public_id}/{action}/").status_code == 405


@pytest.mark.parametrize("action", ["start", "stop", "delete"])
def test_nobody_works_the_deployment_of_another(signed_in, action):
    one = DeploymentFactory()
    assert signed_in.post(f"/trade/deployments/{one.public_id}/{action}/").status_code == 404
    assert Deployment.objects.get(pk=one.pk).is_running


def test_the_account_of_another_is_not_found(signed_in, person):
    AccountFactory(owner=person)
    for address in ("/trade/", "/trade/orders/", "/trade/activity/"):
        assert signed_in.get(f"{address}?account={AccountFactory().public_id}").status_code == 404
        assert signed_in.get(f"{address}?account={uuid.uuid4()}").status_code == 404


@pytest.mark.parametrize("before", ["9" * 5000, "9" * 19, "-1", "many", "²", ""])
def test_a_number_of_no_event_shows_the_newest_activity(signed_in, person, before):
    DeploymentFactory(account__owner=person)
    assert signed_in.get("/trade/activity/", {"before": before}).status_code == 200
    assert signed_in.get("/trade/orders/", {"page": before}).status_code == 200


def test_htmx_gets_the_lists_alone(signed_in, person):
    account = DeploymentFactory(account__owner=person).account
    page = signed_in.get(f"/trade/?account={account.public_id}&part=lists", HTTP_HX_REQUEST="true").content.decode()
    assert "SMA cross" in page
    assert "<html" not in page


def test_the_deployment_page_names_its_parameters(signed_in, person):
    one = DeploymentFactory(account__owner=person)
    page = signed_in.get(f"/trade/deployments/{one.public_id}/").content.decode()
    assert "Fast average" in page
    assert " style=" not in page


def test_a_deployment_of_a_strategy_that_left_the_library_is_still_readable(signed_in, person):
    one = DeploymentFactory(account__owner=person, strategy="left", parameters={"version": 1, "values": {"old": 7}})
    assert signed_in.get(f"/trade/deployments/{one.public_id}/").status_code == 200


def test_the_library_names_each_strategy_and_carries_the_instrument_along(client):
    page = client.get("/strategies/?instrument=recorded:BTC-USDT").content.decode()
    assert "SMA cross" in page
    assert "/trade/deploy/?strategy=sma-cross&amp;instrument=recorded%3ABTC-USDT" in page
    assert client.get("/strategies/sma-cross/").status_code == 200
    assert client.get("/strategies/none-such/").status_code == 404


@pytest.fixture
def french(person, signed_in) -> Client:
    person.language = "fr"
    person.save()
    return signed_in


def test_what_is_refused_is_told_in_the_person_s_language(french, person):
    AccountFactory(owner=person, name="Coins")
    with override("en"):  # afterwards the thread speaks what it spoke before
        form = {"name": "Coins", "starting_balance": "2500", "currency": "USDT"}
        page = french.post("/trade/accounts/new/", form).content.decode()
        assert "Vous avez déjà un compte nommé «\u202fCoins\u202f»." in unescape(page)
        one = InstrumentFactory()
        form = {"instrument": one.ref, "timeframe": "5m", "allocation": "20"}
        form |= {"p-fast": "50", "p-slow": "20", "p-direction": "long"}
        response = french.post("/trade/deploy/?strategy=sma-cross", form)
        assert response.context["form"]["p-fast"].errors == ["Doit être inférieur à «\u202fMoyenne lente\u202f»."]


def test_a_position_in_the_way_is_told_in_the_person_s_language(french, person):
    one = DeploymentFactory(account=AccountFactory(owner=person))
    Position.objects.create(
        deployment=one, account=one.account, instrument=one.instrument, quantity="1234.5", cost=1, updated_at=one.created_at
    )
    with override("en"):
        page = french.post(f"/trade/deployments/{one.public_id}/delete/", follow=True).content.decode()
    assert f"Le déploiement détient 1\u00a0234,5 sur {one.instrument.ref}" in unescape(page)


def test_no_refusal_of_trading_is_said_in_english_alone():
    """Every message of the services goes through gettext."""
    names = "|".join(one.__name__ for one in DomainError.__subclasses__())
    plain = re.compile(rf"raise (?:{names})\(\s*f?[\"']")
    trading = settings.BASE_DIR / "trading"
    # What venues say is said in their words; the risk engine is pure, and whoever shows its errors says them anew.
    others = [path for name in ("brokers", "risk") for path in (trading / name).rglob("*.py")]
    for path in sorted(set(trading.rglob("*.py")) - set(others)):
        assert not plain.search(path.read_text()), path


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"quote": "BTC"}, "is quoted in BTC; the account is kept in USDT."),
        ({"is_active": False}, "has no live prices here."),
    ],
)
def test_an_instrument_that_cannot_be_deployed_is_refused_with_the_reason(signed_in, person, made, reason):
    AccountFactory(owner=person)
    InstrumentFactory()
    one = InstrumentFactory(**made)
    page = signed_in.get(f"/trade/deploy/?strategy=sma-cross&instrument={one.ref}")
    assert not page.context["form"]["instrument"].value()
    assert f"{one.ref} {reason}" in page.content.decode()
    fits = signed_in.get(f"/trade/deploy/?strategy=sma-cross&instrument={InstrumentFactory().ref}")
    assert 'id="why-not"' not in fits.content.decode()
    unknown = signed_in.get("/trade/deploy/?strategy=sma-cross&instrument=nowhere:X-Y").content.decode()
    assert "There is no instrument nowhere:X-Y." in unknown
