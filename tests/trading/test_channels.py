"""The account's channel: what is sent after commit, and who may listen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from pytest_django import DjangoCaptureOnCommitCallbacks

from clusterx.events.models import Event
from clusterx.live import registry
from clusterx.live.publish import topic
from tests.factories import AccountFactory, UserFactory
from tests.trading.conftest import FALLING, RISING, Market, deployed
from trading.channels import account_channel
from trading.models import Account
from trading.services.deployments import stop
from trading.services.valuation import announce_equity


class Listener:
    def __init__(self, account: Account) -> None:
        self.client = redis.Redis.from_url(settings.LIVE_REDIS_URL)
        self.pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        self.pubsub.subscribe(topic(account_channel(account)))
        while self.pubsub.get_message(timeout=0.05) is None and not self.pubsub.subscribed:
            pass

    def heard(self) -> list[dict[str, Any]]:
        messages = []
        while message := self.pubsub.get_message(timeout=0.3):
            flag, text = message["data"][:1], message["data"][1:]
            # News has a number and is never dropped; a newer equity replaces one that was not sent yet.
            # A look adds to what was said: the equity after it must not replace it.
            assert flag == (b"~" if b'"equity":{' in text else b"+" if b'"look":{' in text else b"!")
            messages.append(orjson.loads(text))
        return messages

    def close(self) -> None:
        self.pubsub.close()
        self.client.close()


@pytest.fixture
def account(db: None) -> Account:
    return AccountFactory()


@pytest.fixture
def listener(account: Account) -> Iterator[Listener]:
    listening = Listener(account)
    yield listening
    listening.close()


def test_a_fill_is_told_after_commit_with_every_row_it_changed(
    market: Market,
    account: Account,
    listener: Listener,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    market.close(*RISING)
    deployment = deployed(account, market)
    market.evaluate(deployment, market.close(104.0))
    with django_capture_on_commit_callbacks(execute=True):
        market.work()
        assert listener.heard() == []  # not before commit
    messages = listener.heard()
    assert [list(message["d"]) for message in messages] == [["order"], ["fill"], ["position"], ["event"], ["equity"]]
    told = Event.objects.get(type="order.filled")
    assert {message["seq"] for message in messages[:4]} == {told.pk}
    assert {message["ch"] for message in messages} == {f"account/{account.public_id}"}
    order, fill, position, event, equity = (message["d"] for message in messages)
    assert (order["order"]["status"], fill["fill"]["price"]) == ("filled", "104.06")
    assert (position["position"]["quantity"], event["event"]["type"]) == ("19.2", "order.filled")
    assert equity["equity"]["cash"] == "8000.050048"
    assert len(equity["equity"]["positions"]) == 1


def test_each_look_is_told_in_the_owner_s_language_also_when_it_changes_nothing(
    market: Market,
    account: Account,
    listener: Listener,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    market.close(*FALLING)
    deployment = deployed(account, market)
    account.owner.language = "fr"
    account.owner.save()
    bar = market.close(99.0)
    with django_capture_on_commit_callbacks(execute=True):
        market.evaluate(deployment, bar)
        market.evaluate(deployment, bar)  # finds it looked at
    (message,) = listener.heard()
    assert "seq" not in message
    look = message["d"]["look"]
    assert (look["deployment"], look["outcome"], look["target"]) == (str(deployment.public_id), "hold", 0.0)
    assert look["text"] == "sans changement"
    assert datetime.fromisoformat(look["bar_time"]) == bar


def test_commands_are_told(
    market: Market,
    account: Account,
    listener: Listener,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        deployment = deployed(account, market)
    with django_capture_on_commit_callbacks(execute=True):
        stop(deployment_id=deployment.pk, at=market.now)
    statuses = [message["d"]["deployment"]["status"] for message in listener.heard() if "deployment" in message["d"]]
    assert statuses == ["running", "stopped"]


def test_the_equity_of_who_holds_something_is_told(
    market: Market,
    account: Account,
    listener: Listener,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    market.close(*RISING)
    market.trade(deployed(account, market), 104.0)
    market.price(110.0)
    idle = Listener(AccountFactory())
    with django_capture_on_commit_callbacks(execute=True):
        announce_equity(at=market.now)
    (message,) = listener.heard()
    assert message["d"]["equity"]["positions_value"] == "2112"
    assert "seq" not in message
    assert idle.heard() == []
    idle.close()


def test_only_the_owner_may_listen(account: Account) -> None:
    kind = registry.kind_of("account/x")
    assert kind is not None
    channel = account_channel(account)
    assert kind.authorise(channel, account.owner)
    for stranger in (UserFactory(), AnonymousUser(), UserFactory(is_staff=True)):
        assert not kind.authorise(channel, stranger)
    for nothing in ("account/", "account", "account/7", f"account/{account.public_id}/x", "account/" + "0" * 32):
        assert not kind.authorise(nothing, account.owner)


def test_the_snapshot_is_the_account_and_the_number_of_its_newest_event(market: Market, account: Account) -> None:
    kind = registry.kind_of("account/x")
    assert kind is not None
    assert kind.snapshot(account_channel(account), account.owner)[1] is None
    deployed(account, market)
    data, seq = kind.snapshot(account_channel(account), account.owner)
    assert (data["equity"], data["cash"], data["positions"]) == ("10000", "10000", [])
    assert seq == Event.objects.get().pk


def test_a_fill_stands_when_nobody_can_be_told(
    market: Market,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("Redis is away")

    monkeypatch.setattr("trading.channels.publish", broken)
    market.close(*RISING)
    deployment = deployed(account, market)
    with django_capture_on_commit_callbacks(execute=True):
        market.trade(deployment, 104.0)
    assert deployment.position.quantity > 0
