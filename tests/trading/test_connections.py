"""Connecting brokers' accounts: from what a person enters to books that agree with the venue, over local venues."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.utils import timezone

from clusterx.events.models import Event
from clusterx.keypair import PrivateKey
from clusterx.sealing import key_id_of
from tests.factories import AccountFactory, DeploymentFactory, InstrumentFactory, UserFactory, VenueFactory
from tests.venues.alpaca import AlpacaVenue
from tests.venues.binance import BinanceVenue
from tests.venues.faults import Fault
from tests.venues.topstepx import TopstepXVenue
from tests.venues.venue import LocalVenue
from trading import selectors
from trading.brokers.connect import connect, credentials_of, endpoint_of
from trading.brokers.protocol import BadCredentials
from trading.brokers.registry import BROKERS, offer
from trading.errors import (
    CannotTest,
    HasBooks,
    InvalidCredentials,
    LiveNotConfirmed,
    NameTaken,
    UnknownBroker,
    UnknownCurrency,
)
from trading.models import Account, Connection, Deployment, Difference, EquitySnapshot, Fill, Holding, Instruction, Position
from trading.services import connecting, connection_checks
from trading.services.connection_checks import Checked, check_connection
from trading.services.dispatch import dispatch
from trading.services.leases import lease
from trading.services.orders import client_id, place_order
from trading.services.reconciliation import LASTING, reconcile
from trading.services.states import change

D = Decimal
pytestmark = pytest.mark.django_db

ENTERED = {
    "binance": {"key": "api_key", "secret": "secret"},
    "alpaca": {"key": "key", "secret": "secret"},
    "topstepx": {"username": "username", "key": "key"},
}


def connected(venue: LocalVenue, broker: str, settings: Any, **how: Any) -> Account:
    """An account that was connected, and not tested yet."""
    settings.BROKER_URLS = {broker: venue.endpoint.base_url}
    entered = {name: venue.credentials[theirs] for name, theirs in ENTERED[broker].items()}
    choices = {"owner": UserFactory(), "name": "Mine", "market": venue.endpoint.market, "is_paper": True, "at": timezone.now()}
    choices["market"] = "future" if broker == "topstepx" else venue.endpoint.market
    return connecting.connect_broker(**choices | {"broker": broker, "fields": entered} | how)


def check(account: Account) -> Checked:
    checked = check_connection(account_id=account.pk)
    assert checked is not None
    account.refresh_from_db()
    return checked


@pytest.fixture
def spot() -> Iterator[BinanceVenue]:
    with BinanceVenue(timeout=5.0) as venue:
        yield venue


@pytest.fixture
def perpetual() -> Iterator[BinanceVenue]:
    with BinanceVenue("perpetual", timeout=5.0) as venue:
        yield venue


@pytest.fixture
def alpaca() -> Iterator[AlpacaVenue]:
    with AlpacaVenue() as venue:
        yield venue


@pytest.fixture
def topstepx() -> Iterator[TopstepXVenue]:
    with TopstepXVenue() as venue:
        yield venue


def entered(broker: str = "binance", **how: Any) -> Account:
    """An account at no venue that answers."""
    fields = {} if "fields" in how else {one.name: secrets.token_hex(16) for one in offer(broker).fields}
    choices = {"owner": UserFactory(), "name": "Mine", "market": "future" if broker == "topstepx" else "spot", "is_paper": True}
    return connecting.connect_broker(**choices | {"broker": broker, "fields": fields, "at": timezone.now()} | how)


# -- what is entered --------------------------------------------------------------------------------------------------


def test_what_is_entered_is_sealed_and_leaves_four_characters_behind() -> None:
    account = entered(fields={"key": "  the-api-key-7Xq9\n", "secret": "the-secret-itself"})
    one = account.connection
    assert (one.hint, one.status, one.step) == ("7Xq9", "new", "waiting")
    assert b"the-api-key" not in bytes(one.sealed)
    assert credentials_of(one).fields == {"key": "the-api-key-7Xq9", "secret": "the-secret-itself"}
    assert (account.state, account.currency, account.kind) == ("halted", "", "broker")
    assert list(selectors.accounts_of(account.owner)) == []
    assert list(selectors.connections_of(account.owner)) == [one]


def test_the_end_of_a_short_key_is_not_kept() -> None:
    assert entered(fields={"key": "short", "secret": "secret"}).connection.hint == ""


@pytest.mark.parametrize("broker", BROKERS)
def test_what_a_broker_asks_for_is_what_its_adapter_takes(broker: str) -> None:
    """Otherwise a key would be sealed under a name that nobody reads."""
    account = entered(broker, is_paper=offer(broker).has_paper, knows_live=True)
    client = offer(broker).make(credentials_of(account.connection), endpoint_of(account.connection))
    client.close()
    fields = credentials_of(account.connection).fields
    if hasattr(client, "_client") and hasattr(client._client, "apiKey"):
        assert (client._client.apiKey, client._client.secret) == (fields["key"], fields["secret"])
        assert (client._client.password or "") == fields.get("password", "")


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"broker": "nowhere"}, UnknownBroker),
        ({"broker": "ccxt:nowhere"}, UnknownBroker),
        ({"market": "options"}, UnknownBroker),
        ({"is_paper": False}, LiveNotConfirmed),
        ({"broker": "kraken", "is_paper": True}, UnknownBroker),
        ({"currency": "DOGE"}, UnknownCurrency),
        ({"broker": "alpaca", "fields": {"key": "a" * 20, "secret": "b"}, "currency": "USDT"}, UnknownCurrency),
        ({"fields": {"key": "a" * 20}}, InvalidCredentials),
        ({"fields": {"key": "a" * 20, "secret": " "}}, InvalidCredentials),
        ({"fields": {"key": "a\nb", "secret": "b"}}, InvalidCredentials),
        ({"fields": {"key": "clé", "secret": "b"}}, InvalidCredentials),
        ({"fields": {"key": "a" * 5000, "secret": "b"}}, InvalidCredentials),
        ({"fields": {"key": "a", "secret": "b", "hunter2": "c"}}, InvalidCredentials),
    ],
)
def test_what_cannot_be_is_refused_and_never_said_back(how: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        entered(**{"broker": "binance", "fields": {"key": "a" * 20, "secret": "b" * 20}} | how)
    assert not Account.objects.exists()
    assert "hunter2" not in str(refused.value)
    assert "clé" not in str(refused.value)


def test_a_name_is_taken_once() -> None:
    account = entered()
    with pytest.raises(NameTaken):
        entered(owner=account.owner)


def test_a_private_key_may_have_several_lines() -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\nAAAA\nBBBB\n-----END EC PRIVATE KEY-----"
    fields = {"key": "organizations/1/apiKeys/2", "secret": pem}
    account = entered("coinbase", fields=fields, is_paper=False, knows_live=True)
    assert credentials_of(account.connection)["secret"] == pem


def test_each_step_is_in_the_log_with_who_took_it() -> None:
    account = entered()
    person = account.owner
    connecting.replace_key(account_id=account.pk, fields={"key": "k" * 16, "secret": "s"}, at=timezone.now(), actor=person)
    connecting.revoke(account_id=account.pk, at=timezone.now(), actor=person)
    told = Event.objects.filter(type="connection.changed").order_by("pk")
    assert [one.payload["status"] for one in told] == ["new", "new", "revoked"]
    assert {one.actor for one in told} == {person}


# -- the test of a key ------------------------------------------------------------------------------------------------


def test_a_spot_account_begins_with_its_money_and_keeps_its_coins_beside(spot: BinanceVenue, settings: Any) -> None:
    InstrumentFactory(venue=VenueFactory(code="binance"), base="BTC", venue_symbol="BTCUSDT")
    account = connected(spot, "binance", settings)
    assert check(account) == Checked("connected")
    one = Connection.objects.get(pk=account.pk)
    assert (one.may_trade, one.may_withdraw, one.status, one.asked_at) == (True, False, "connected", None)
    assert abs(one.clock_skew) < 2
    assert (account.currency, account.starting_balance, account.cash, account.state) == ("USDT", 100_000, 100_000, "active")
    assert list(Holding.objects.values_list("currency", "quantity")) == [("BTC", 1)]
    assert EquitySnapshot.objects.get(account=account).equity == 100_000
    assert agrees(account)
    assert list(selectors.accounts_of(account.owner)) == [account]


def agrees(account: Account) -> bool:
    """Whether two comparisons that are far enough apart find nothing."""
    for later in (timedelta(0), LASTING * 2):
        compared = reconcile(account_id=account.pk, clock=lambda later=later: timezone.now() + later)  # type: ignore[misc]
        assert compared.done, compared
    return not Difference.objects.filter(account=account).exists()


def test_the_money_that_was_asked_for_is_what_the_account_trades_with(spot: BinanceVenue, settings: Any) -> None:
    spot.exchange.balances["EUR"] = D(500)
    account = connected(spot, "binance", settings, currency="EUR")
    assert check(account).status == "connected"
    assert (account.currency, account.starting_balance) == ("EUR", 500)
    assert dict(Holding.objects.values_list("currency", "quantity")) == {"BTC": 1, "USDT": 100_000}


def test_an_account_without_money_says_so_and_begins_when_there_is_some(spot: BinanceVenue, settings: Any) -> None:
    spot.exchange.balances["USDT"] = D(0)
    account = connected(spot, "binance", settings)
    checked = check(account)
    assert checked.status == "failing"
    assert "holds none of USDT" in checked.reason
    assert not reconcile(account_id=account.pk).done
    assert Connection.objects.get(pk=account.pk).status_reason == checked.reason
    assert (account.currency, account.state) == ("", "halted")
    assert not EquitySnapshot.objects.exists()
    spot.exchange.balances["USDT"] = D(250)
    assert check(account).status == "connected"
    assert account.starting_balance == 250


def test_positions_of_a_margin_wallet_are_adopted_at_their_average_price(perpetual: BinanceVenue, settings: Any) -> None:
    InstrumentFactory(venue=VenueFactory(code="binance"), base="BTC", venue_symbol="BTCUSDT", kind="perpetual")
    perpetual.exchange.submit(client_order_id="by-hand", symbol="BTCUSDT", side="sell", type="market", quantity=D("0.2"))
    wallet = perpetual.exchange.balances["USDT"]
    account = connected(perpetual, "binance", settings)
    assert check(account) == Checked("connected")
    held = Position.objects.get(account=account)
    assert (held.deployment, held.quantity, held.average_price) == (None, D("-0.2"), 50_000)
    assert (account.starting_balance, account.cash) == (wallet, wallet + 10_000)
    assert agrees(account)
    assert selectors.portfolio(account, at=timezone.now()).total_pnl == 0


def test_shares_that_were_held_are_adopted_and_unknown_ones_are_beside(alpaca: AlpacaVenue, settings: Any) -> None:
    venue = VenueFactory(code="alpaca")
    InstrumentFactory(venue=venue, base="AAPL", quote="USD", symbol="AAPL", venue_symbol="AAPL", kind="stock", lot_size=D(1))
    for symbol, quantity in (("AAPL", D(10)), ("SPY", D("2.5"))):
        alpaca.exchange.submit(client_order_id=symbol, symbol=symbol, side="buy", type="market", quantity=quantity)
    alpaca.exchange.move("AAPL", "210")
    account = connected(alpaca, "alpaca", settings)
    assert check(account) == Checked("connected")
    cash = alpaca.exchange.balances["USD"]
    held = Position.objects.get(account=account)
    assert (held.deployment, held.quantity, held.average_price) == (None, 10, 200)
    assert (account.currency, account.cash, account.starting_balance) == ("USD", cash, cash + 2000)
    assert list(Holding.objects.values_list("currency", "quantity")) == [("SPY", D("2.5"))]
    # What was executed before is in what the account began with, and is not booked again.
    assert agrees(account)
    assert Fill.objects.filter(account=account).count() == 1
    assert Position.objects.get(account=account).quantity == 10


def test_money_that_moved_before_the_first_test_is_counted_once(alpaca: AlpacaVenue, settings: Any) -> None:
    account = connected(alpaca, "alpaca", settings)
    alpaca.exchange.flow("deposit", "USD", D(500))
    assert check(account).status == "connected"
    assert account.starting_balance == 100_500
    assert agrees(account)
    alpaca.exchange.flow("deposit", "USD", D(300))
    assert agrees(account)
    account.refresh_from_db()
    assert account.cash == 100_800


def test_a_futures_account_keeps_to_the_one_that_was_tested(topstepx: TopstepXVenue, settings: Any) -> None:
    account = connected(topstepx, "topstepx", settings)
    assert check(account) == Checked("connected")
    one = Connection.objects.get(pk=account.pk)
    assert one.venue_account
    assert credentials_of(one)["account"] == one.venue_account
    assert (account.currency, account.starting_balance, one.may_withdraw) == ("USD", 50_000, False)


def test_a_key_that_may_take_money_away_is_destroyed(settings: Any) -> None:
    with BinanceVenue(may_withdraw=True, timeout=5.0) as venue:
        account = connected(venue, "binance", settings)
        checked = check(account)
    one = Connection.objects.get(pk=account.pk)
    assert checked.status == "revoked"
    assert "may take money out" in checked.reason
    assert (one.sealed, one.status, one.may_withdraw, account.state) == (None, "revoked", None, "halted")
    assert account.state_reason == checked.reason
    assert not Holding.objects.exists()
    assert Event.objects.filter(type="connection.changed").latest("pk").payload["status"] == "revoked"
    with pytest.raises(IntegrityError), transaction.atomic():
        Connection.objects.filter(pk=account.pk).update(may_withdraw=True)


@pytest.mark.parametrize("simulated", [True, False])
def test_a_key_of_other_money_than_was_chosen_is_destroyed(topstepx: TopstepXVenue, settings: Any, simulated: bool) -> None:
    topstepx.simulated = simulated
    entered_account = {"username": topstepx.credentials["username"], "key": topstepx.credentials["key"], "account": "465"}
    how = {"is_paper": not simulated, "knows_live": True, "fields": entered_account}
    account = connected(topstepx, "topstepx", settings, **how)
    checked = check(account)
    assert checked.status == "revoked"
    assert ("real money was chosen" in checked.reason) is simulated
    assert Connection.objects.get(pk=account.pk).sealed is None
    assert account.currency == ""


def test_a_key_that_may_not_trade_waits_for_the_right(topstepx: TopstepXVenue, settings: Any) -> None:
    topstepx.can_trade = False
    account = connected(topstepx, "topstepx", settings)
    checked = check(account)
    assert checked.status == "failing"
    assert "may not trade" in checked.reason
    assert account.currency == ""
    topstepx.can_trade = True
    assert check(account).status == "connected"
    assert account.state == "active"


def test_a_clock_that_differs_is_told(spot: BinanceVenue, settings: Any) -> None:
    spot.skew = timedelta(seconds=30)
    account = connected(spot, "binance", settings)
    assert check(account).status == "connected"
    assert 28 < Connection.objects.get(pk=account.pk).clock_skew < 32


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.LOST_REQUEST, Fault.RATE_LIMIT, Fault.REVOKED])
def test_a_venue_that_does_not_answer_leaves_the_account_waiting(spot: BinanceVenue, settings: Any, fault: Fault) -> None:
    spot.faults.always("ask", fault)
    account = connected(spot, "binance", settings)
    checked = check(account)
    assert checked.status == "failing"
    assert checked.reason
    one = Connection.objects.get(pk=account.pk)
    assert (one.sealed is not None, one.asked_at, one.step, account.state) == (True, None, "", "halted")
    with pytest.raises(BadCredentials):
        connect(account, timezone.now)
    spot.faults.always("ask", None)
    assert check(account).status == "connected"


def test_what_moves_while_it_is_read_is_read_again(spot: BinanceVenue, settings: Any) -> None:
    account = connected(spot, "binance", settings)
    asked = 0
    answer = spot._answers["GET", "api/v3/account"]

    def moving(question: dict[str, str]) -> Any:
        nonlocal asked
        asked += 1
        if asked < 4:  # once for the permissions, twice for the readings
            spot.exchange.balances["USDT"] += 1
        return answer(question)

    spot._answers["GET", "api/v3/account"] = moving
    assert check(account).status == "connected"
    assert account.starting_balance == spot.exchange.balances["USDT"] == 100_003


def test_a_test_waits_while_another_worker_acts(spot: BinanceVenue, settings: Any) -> None:
    account = connected(spot, "binance", settings)
    with lease(account.pk):
        assert check_connection(account_id=account.pk) is None
    assert check(account).status == "connected"


def test_a_test_that_was_asked_for_twice_is_one(
    spot: BinanceVenue, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    account = connected(spot, "binance", settings)
    now = timezone.now()
    for later, queued in ((timedelta(seconds=5), 0), (timedelta(minutes=2), 1)):
        with django_capture_on_commit_callbacks() as told:
            connecting.ask_for_test(account_id=account.pk, at=now + later)
        assert len(told) == queued


# -- another key, and none ----------------------------------------------------------------------------------------------


def opened(venue: LocalVenue, broker: str, settings: Any) -> Account:
    account = connected(venue, broker, settings)
    assert check(account).status == "connected"
    return account


def test_another_key_is_used_once_it_passed(topstepx: TopstepXVenue, settings: Any) -> None:
    account = opened(topstepx, "topstepx", settings)
    connect(account, timezone.now).close()
    fields = {"username": topstepx.credentials["username"], "key": topstepx.credentials["key"]}
    connecting.replace_key(account_id=account.pk, fields=fields, at=timezone.now(), actor=account.owner)
    with pytest.raises(BadCredentials):
        connect(account, timezone.now)
    assert not reconcile(account_id=account.pk).done
    account.refresh_from_db()
    assert account.state == "active"
    assert check(account).status == "connected"
    connect(account, timezone.now).close()


def test_a_key_of_another_account_is_never_used(topstepx: TopstepXVenue, settings: Any) -> None:
    account = opened(topstepx, "topstepx", settings)
    Connection.objects.filter(pk=account.pk).update(venue_account="SOMEBODY-ELSE")
    fields = {"username": topstepx.credentials["username"], "key": topstepx.credentials["key"]}
    connecting.replace_key(account_id=account.pk, fields=fields, at=timezone.now(), actor=account.owner)
    checked = check(account)
    assert checked.status == "failing"
    assert "SOMEBODY-ELSE" in checked.reason
    assert account.state == "halted"
    with pytest.raises(BadCredentials):
        connect(account, timezone.now)


def test_an_account_at_a_broker_has_one_set_of_books(alpaca: AlpacaVenue, settings: Any) -> None:
    first = opened(alpaca, "alpaca", settings)
    for owner, said in ((first.owner, "as “Mine”"), (UserFactory(), "Somebody else")):
        second = connected(alpaca, "alpaca", settings, owner=owner, name="Again")
        checked = check(second)
        assert checked.status == "failing"
        assert said in checked.reason
        assert second.currency == ""
        with pytest.raises(BadCredentials):
            connect(second, timezone.now)
    connecting.revoke(account_id=first.pk, at=timezone.now(), actor=first.owner)
    assert check(second).status == "connected"


def test_a_bad_key_halts_and_a_good_one_lets_trade_again(alpaca: AlpacaVenue, settings: Any) -> None:
    account = opened(alpaca, "alpaca", settings)
    good = {"key": alpaca.credentials["key"], "secret": alpaca.credentials["secret"]}
    for fields, status, state in ((good | {"secret": "x" * 30}, "failing", "halted"), (good, "connected", "active")):
        connecting.replace_key(account_id=account.pk, fields=fields, at=timezone.now(), actor=account.owner)
        assert check(account).status == status
        assert account.state == state


def test_an_account_that_its_owner_halted_stays_halted_when_its_key_passes(alpaca: AlpacaVenue, settings: Any) -> None:
    account = opened(alpaca, "alpaca", settings)
    change(account, "halted", code="owner", reason="I am away.", at=timezone.now())
    assert check(account).status == "connected"
    assert (account.state, account.state_reason) == ("halted", "I am away.")


def test_revoking_destroys_the_key_stops_what_runs_and_sends_nothing(spot: BinanceVenue, settings: Any) -> None:
    instrument = InstrumentFactory(venue=VenueFactory(code="binance"), base="BTC", venue_symbol="BTCUSDT")
    account = opened(spot, "binance", settings)
    running = DeploymentFactory(account=account, instrument=instrument)
    at = timezone.now()
    working = [
        place_order(
            account=account, deployment=running, client_order_id=client_id(account.pk, number), instrument_id=instrument.pk,
            quantity=D("0.01"), reference_price=40_000.0, decided_at=at, correlation_id=account.public_id, at=at, type="limit",
            limit_price=D(40_000),
        )
        for number in range(2)
    ]  # fmt: skip
    first, second = working
    Instruction.objects.filter(order=second).update(not_before=at + timedelta(hours=1))
    dispatch(account_id=account.pk)
    first.refresh_from_db()
    assert first.status == "accepted"
    connecting.revoke(account_id=account.pk, at=timezone.now(), actor=account.owner)
    connecting.revoke(account_id=account.pk, at=timezone.now(), actor=account.owner)
    account.refresh_from_db()
    one = Connection.objects.get(pk=account.pk)
    assert (one.sealed, one.status, account.state) == (None, "revoked", "halted")
    assert Deployment.objects.get(pk=running.pk).status == "stopped"
    assert not Instruction.objects.filter(outcome="waiting").exists()
    second.refresh_from_db()
    assert second.status == "cancelled"
    asked = len(spot.requests)
    dispatch(account_id=account.pk, look=True)
    assert not reconcile(account_id=account.pk).done
    assert len(spot.requests) == asked
    with pytest.raises(CannotTest):
        connecting.ask_for_test(account_id=account.pk, at=timezone.now())
    assert check_connection(account_id=account.pk) == Checked("revoked")


def test_an_account_that_never_worked_is_removed_and_one_with_books_is_kept(spot: BinanceVenue, settings: Any) -> None:
    never = entered()
    connecting.discard(account_id=never.pk, at=timezone.now(), actor=never.owner)
    assert not Account.objects.exists()
    assert Event.objects.filter(stream=f"account/{never.public_id}").count() == 3
    account = opened(spot, "binance", settings)
    with pytest.raises(HasBooks):
        connecting.discard(account_id=account.pk, at=timezone.now(), actor=account.owner)


def test_a_key_that_was_replaced_while_it_was_tested_changes_nothing(
    spot: BinanceVenue, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connected(spot, "binance", settings)
    fields = {"key": "another-key-altogether", "secret": "s"}
    looked = connection_checks._look

    def replaced(*asked: Any) -> Any:
        shown = looked(*asked)
        connecting.replace_key(account_id=account.pk, fields=fields, at=timezone.now(), actor=account.owner)
        return shown

    monkeypatch.setattr(connection_checks, "_look", replaced)
    assert check(account) == Checked("new")
    assert account.currency == ""
    assert credentials_of(Connection.objects.get(pk=account.pk)).fields == fields


# -- rotation ---------------------------------------------------------------------------------------------------------


def resealed() -> str:
    said = io.StringIO()
    call_command("reseal_credentials", stdout=said)
    return said.getvalue()


def test_keys_are_sealed_anew_once(settings: Any) -> None:
    accounts = [entered(), entered("alpaca"), entered()]
    connecting.revoke(account_id=accounts[2].pk, at=timezone.now(), actor=None)
    before = credentials_of(Connection.objects.get(pk=accounts[0].pk)).fields
    newest = PrivateKey.generate()
    with override_settings(CREDENTIALS_PRIVATE_KEYS=[newest, *settings.CREDENTIALS_PRIVATE_KEYS]):
        assert resealed().startswith("2 sealed anew, 0 were already, 0 ")
        assert resealed().startswith("0 sealed anew, 2 were already, 0 ")
    with override_settings(CREDENTIALS_PRIVATE_KEYS=[newest]):
        one = Connection.objects.get(pk=accounts[0].pk)
        assert key_id_of(one.sealed) == newest.id
        assert credentials_of(one).fields == before


def test_what_cannot_be_sealed_anew_is_counted_and_left(settings: Any) -> None:
    account = entered()
    before = bytes(Connection.objects.get(pk=account.pk).sealed)
    with override_settings(CREDENTIALS_PRIVATE_KEYS=[PrivateKey.generate()]), pytest.raises(CommandError, match="Keep the"):
        resealed()
    assert bytes(Connection.objects.get(pk=account.pk).sealed) == before
    with override_settings(CREDENTIALS_PRIVATE_KEYS=[]), pytest.raises(CommandError, match="trading worker"):
        resealed()


def test_paper_accounts_have_no_connection() -> None:
    account = AccountFactory()
    assert list(selectors.connections_of(account.owner)) == []
