"""The accounts process: the paper venue's clock, who acts, and what it survives. With brokers: ``test_every_venue``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from clusterx.celery import app
from clusterx.embedded.layout import PROJECT
from marketdata.bars import Bar
from marketdata.models import Instrument, LatestPrice
from marketdata.store import write_candles
from tests.factories import AccountFactory, InstrumentFactory
from tests.trading.conftest import at_once
from tests.trading.desks import KINDS, Desk, desk_of, process, wait
from tests.venues.alpaca import AlpacaVenue
from tests.venues.faults import Fault, StreamFault
from trading import tasks
from trading.agent import listener, paper
from trading.agent.paper import PaperClock
from trading.agent.threads import Threads
from trading.brokers.alpaca import broker as alpaca
from trading.models import Account, Fill, Order, PaperBook, PaperOrder, Position
from trading.services.dispatch import dispatch
from trading.services.leases import lease
from trading.services.locks import lock_account
from trading.services.orders import Why, client_id, give_up, place_order
from trading.services.reconciliation import reconcile

D = Decimal


class Market:
    """An instrument whose price a test moves, and an account that trades it at the paper venue."""

    def __init__(self) -> None:
        self.instrument: Instrument = InstrumentFactory(lot_size=D("0.001"), tick_size=D("0.01"))
        self.account: Account = AccountFactory(created_at=timezone.now())
        self.placed = 0
        self.price(100)

    def price(self, price: float) -> None:
        now = timezone.now()
        told = {"price": price, "bid": None, "ask": None, "time": now, "received_at": now}
        LatestPrice.objects.update_or_create(instrument=self.instrument, defaults=told)

    def place(self, quantity: str, **said: Any) -> Order:
        self.placed += 1
        at = timezone.now()
        with transaction.atomic():
            order = place_order(
                account=lock_account(self.account.pk),
                deployment=None,
                purpose=Order.Purpose.MANUAL,
                client_order_id=client_id("agent", self.account.pk, self.placed),
                instrument_id=self.instrument.pk,
                quantity=D(quantity),
                reference_price=100.0,
                decided_at=at - timedelta(seconds=1),
                correlation_id=self.account.public_id,
                at=at,
                **said,
            )
        wait(lambda: dispatch(account_id=self.account.pk), "the account's lease")
        order.refresh_from_db()
        return order

    def status(self, order: Order) -> str:
        return Order.objects.get(pk=order.pk).status


@pytest.fixture
def market(emptied: None) -> Market:
    return Market()


def test_a_limit_order_is_filled_soon_after_the_price_went_through_it(market: Market) -> None:
    order = market.place("0.5", type="limit", limit_price=D(95))
    with process():
        market.price(96)
        second = market.place("0.1", type="limit", limit_price=D(90))
        market.price(94.99)
        took = wait(lambda: market.status(order) == "filled", "the fill")
        assert market.status(second) == "accepted"
    assert took < 1.5
    fill = Fill.objects.get()
    assert (fill.price, fill.quantity) == (95, D("0.5"))
    assert Position.objects.get().quantity == D("0.5")


def test_a_stop_sells_soon_after_the_price_reached_it(market: Market) -> None:
    market.place("0.5")
    stop = market.place("-0.5", type="stop", stop_price=D(90))
    with process():
        market.price(91)
        market.price(89.5)
        took = wait(lambda: market.status(stop) == "filled", "the stop")
    assert took < 1.5
    assert Position.objects.get().quantity == 0


def test_a_stop_that_a_bar_went_through_is_filled_though_nobody_saw_the_price(market: Market) -> None:
    market.place("0.5")
    stop = market.place("-0.5", type="stop", stop_price=D(90))
    opened = int((timezone.now() + timedelta(minutes=1)).timestamp()) // 60 * 60
    with process():
        write_candles([(market.instrument.pk, "1m", Bar(opened, 99.0, 100.0, 80.0, 99.0, 1.0))])
        wait(lambda: market.status(stop) == "filled", "the stop")
    assert Fill.objects.get(order=stop).price == pytest.approx(D("89.95"), abs=D("0.05"))


def test_the_paper_venue_fills_what_the_volume_leaves_and_compares_as_a_broker_does(market: Market) -> None:
    PaperBook.objects.update(volume_share=D("0.1"))
    opened = int((timezone.now() - timedelta(minutes=1)).timestamp()) // 60 * 60
    write_candles([(market.instrument.pk, "1m", Bar(opened, 100.0, 101.0, 99.0, 100.0, 2.0))])
    order = market.place("0.5", type="limit", limit_price=D(101))
    assert (order.status, order.filled_quantity) == ("partly-filled", D("0.2"))
    with transaction.atomic():
        order.account = lock_account(market.account.pk)
        give_up(order, Why("test", "Not wanted any more."), at=timezone.now())
    dispatch(account_id=market.account.pk)
    assert market.status(order) == "cancelled"
    for later in (timedelta(0), timedelta(minutes=1)):
        compared = reconcile(account_id=market.account.pk, clock=lambda later=later: timezone.now() + later)
        assert (compared.done, compared.differences) == (True, ())
    account = Account.objects.get(pk=market.account.pk)
    book = PaperBook.objects.get(pk=account.pk)
    assert account.cash == book.cash < 10_000
    assert (account.state, Fill.objects.count()) == ("active", 1)


def test_a_tick_costs_one_query_when_nothing_is_open(market: Market, django_assert_num_queries: Any) -> None:
    clock = PaperClock(Threads("clock", 1))
    clock.tick()
    with django_assert_num_queries(1):
        clock.tick()


def test_what_could_not_be_fetched_at_once_is_fetched_at_the_next_tick(market: Market) -> None:
    order = market.place("0.5", type="limit", limit_price=D(95))
    clock = PaperClock(Threads("clock", 1))
    clock.tick()
    market.price(94)
    with lease(market.account.pk):
        clock.tick()  # the venue fills it, and a worker acts for the account
        assert PaperOrder.objects.get().status == "filled"
        assert market.status(order) == "accepted"
    clock.tick()
    assert market.status(order) == "filled"


def test_what_the_venue_did_before_a_process_was_killed_is_found_by_the_next(market: Market) -> None:
    order = market.place("0.5", type="limit", limit_price=D(95))
    market.price(94)
    paper.match(at=timezone.now())  # and no more
    assert market.status(order) == "accepted"
    with process():
        wait(lambda: market.status(order) == "filled", "the fill")


def test_one_account_that_cannot_be_looked_at_holds_up_no_other(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Market()
    orders = [one.place("0.5", type="limit", limit_price=D(95)) for one in (market, other)]

    def look(*, account_id: int, **said: Any) -> bool:
        if account_id == market.account.pk:
            raise ValueError("of one account")
        return dispatch(account_id=account_id, **said)

    monkeypatch.setattr(paper, "dispatch", look)
    with process():
        for one in (market, other):
            one.price(94)
        wait(lambda: other.status(orders[1]) == "filled", "the other's fill")
    assert market.status(orders[0]) == "accepted"


def test_two_clocks_at_once_fill_an_order_once(market: Market) -> None:
    orders = [market.place("0.1", type="limit", limit_price=D(95)) for _ in range(3)]
    market.price(94)
    clocks = [PaperClock(Threads("clock", 1)) for _ in range(2)]
    at_once(*(clock.tick for clock in clocks))
    for clock in clocks:
        clock.tick()
    assert [market.status(one) for one in orders] == ["filled"] * 3
    assert Fill.objects.count() == 3


# -- listening -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["alpaca"])
def desk(request: pytest.FixtureRequest, emptied: None, settings: Any) -> Iterator[Desk]:
    with desk_of(next(kind for kind in KINDS if kind.name == request.param), settings) as made:
        yield made


def test_what_is_no_instrument_here_stands_in_the_way_of_nothing_and_halts_the_account(desk: Desk) -> None:
    assert isinstance(desk.venue, AlpacaVenue)
    desk.by_hand("buy", D(1), symbol=desk.venue.fractional)
    desk.by_hand("buy", D(1), symbol=desk.venue.fractional, type="limit", limit_price=D(400))
    order = desk.trade(desk.kind.unit)
    assert order.status == "filled"
    assert Fill.objects.count() == 1
    assert desk.compare().done
    later = desk.compare(later=timedelta(minutes=1))
    assert later.differences == (desk.venue.fractional, "USD")
    assert desk.now().state == "halted"


def test_an_execution_that_no_order_has_room_for_stands_in_the_way_of_no_other(desk: Desk) -> None:
    order = desk.trade(desk.kind.unit)
    there = desk.exchange.fills[0]
    desk.exchange.fills.append(replace(there, id=there.id + 500, at=timezone.now()))  # a venue that counts one twice
    second = desk.trade(desk.kind.unit)
    assert second.status == "filled"
    assert Fill.objects.count() == 2
    assert order.fills.count() == 1


def streams(service: Any) -> int:
    return sum(one.listener.looks for one in service.running.values())


def test_what_was_missed_is_asked_for_as_long_as_the_venue_does_not_answer(desk: Desk) -> None:
    order = desk.send(desk.place(desk.kind.unit, type="limit", limit_price=desk.kind.limit))
    desk.exchange.move(desk.venue.symbol, desk.kind.limit)
    desk.venue.faults.always("ask", Fault.BROKEN)
    with process() as service:
        wait(lambda: desk.now().connection.status == "failing", "the comparison to fail")
        assert streams(service) == 0
        desk.venue.faults.always("ask", None)
        wait(lambda: Order.objects.get(pk=order.pk).status == "filled", "the fill")
        wait(lambda: desk.now().connection.status == "connected", "the connection to be good again")
    desk.assert_books_are_the_venues()


def test_a_stream_goes_on_when_the_database_was_away(desk: Desk) -> None:
    with process() as service:
        wait(lambda: streams(service), "the stream")
        with connection.cursor() as cursor:
            cursor.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] > 0
        wait(lambda: streams(service) == 0, "the turn to be over")
        wait(lambda: streams(service), "the stream to be there again")
        desk.by_hand("buy", desk.kind.unit)
        wait(lambda: Fill.objects.exists(), "the fill")
    desk.assert_books_are_the_venues()


@pytest.mark.parametrize("desk", ["topstepx"], indirect=True)
def test_an_execution_that_the_stream_does_not_tell_is_asked_for(desk: Desk) -> None:
    order = desk.send(desk.place(desk.kind.unit, type="limit", limit_price=desk.kind.limit))
    with process() as service:
        wait(lambda: streams(service), "the stream")
        desk.venue.faults.stream.append(StreamFault.DROP)  # its execution; that it is filled is told after it
        desk.exchange.move(desk.venue.symbol, desk.kind.limit)
        wait(lambda: Order.objects.get(pk=order.pk).status == "filled", "the execution", 5)
        wait(lambda: streams(service) == 2, "the question to be over")
    desk.assert_books_are_the_venues()


def test_a_venue_without_a_stream_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpaca, "CAPABILITIES", replace(alpaca.CAPABILITIES, streams=False))
    monkeypatch.setattr(listener, "POLL_EVERY", 0.2)
    with process() as service:
        wait(lambda: streams(service), "the first comparison")
        desk.by_hand("buy", desk.kind.unit)
        wait(lambda: Fill.objects.exists(), "the fill")
        desk.assert_books_are_the_venues()
        desk.venue.revoke()
        wait(lambda: service.running[desk.account.pk].task.done(), "the asking to end")
        assert (desk.now().connection.status, desk.now().state) == ("failing", "halted")


def test_a_key_that_is_accepted_again_is_listened_with_again(desk: Desk) -> None:
    assert isinstance(desk.venue, AlpacaVenue)
    with process() as service:
        wait(lambda: streams(service), "the stream")
        desk.venue.revoke()
        wait(lambda: service.running[desk.account.pk].refused_at, "the stream to end")
        desk.venue._revoked = False
        assert desk.compare().done
        wait(lambda: streams(service), "the stream to be there again")
        assert desk.now().state == "halted"  # its owner has to look


def test_a_fill_has_a_worker_take_the_next_step(desk: Desk) -> None:
    with process() as service, app.connection_for_read() as queue:
        wait(lambda: streams(service), "the stream")
        queue.default_channel.client.delete("trading")
        desk.by_hand("buy", desk.kind.unit)
        wait(lambda: queue.default_channel.client.llen("trading"), "the message")
        said = queue.default_channel.client.lindex("trading", 0)
    assert b"trading.dispatch" in said


def test_every_account_with_something_at_its_venue_is_compared_each_minute(
    market: Market, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(tasks.reconcile, "delay", asked.append)
    tasks.reconcile_accounts()
    assert asked == [desk.account.pk]
    market.place("0.5", type="limit", limit_price=D(95))
    asked.clear()
    tasks.reconcile_accounts()
    assert sorted(asked) == sorted([market.account.pk, desk.account.pk])
    assert project.CELERY_BEAT_SCHEDULE["reconcile-accounts"] == {"task": "trading.reconcile_accounts", "schedule": 60.0}


# -- the process -----------------------------------------------------------------------------------------------------


@contextmanager
def started(**environment: str) -> Iterator[subprocess.Popen[str]]:
    """``manage.py accounts`` on the test's own databases."""
    database = project.DATABASES["default"]
    address = f"postgresql://{database['USER']}@/{connection.settings_dict['NAME']}?host={database['HOST']}"
    ours = {"DATABASE_URL": address, "REDIS_URL": project.REDIS_URL, "REDIS_FIRST_DATABASE": str(project.REDIS_FIRST_DATABASE)}
    child = subprocess.Popen(
        [sys.executable, "manage.py", "accounts"],
        cwd=PROJECT, env=os.environ | ours | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    lines: list[str] = []
    assert child.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(child.stdout or ()), daemon=True)
    reader.start()
    child.lines = lines  # type: ignore[attr-defined]
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait(10)
        reader.join(5)
        child.stdout.close()


def says(child: Any, words: str) -> bool:
    return any(words in line for line in child.lines)


@pytest.mark.timeout(120)
def test_the_second_process_waits_until_the_first_is_gone_and_either_ends_when_told(market: Market) -> None:
    order = market.place("0.5", type="limit", limit_price=D(95))
    with started() as first:
        wait(lambda: says(first, "acting for all accounts"), "the first", 40)
        with started() as second:
            wait(lambda: says(second, "another accounts process acts"), "the second", 40)
            first.send_signal(signal.SIGKILL)
            wait(lambda: says(second, "acting for all accounts"), "the second to take over", 10)
            market.price(94)
            wait(lambda: market.status(order) == "filled", "the fill", 5)
            began = time.monotonic()
            second.send_signal(signal.SIGTERM)
            assert second.wait(10) == 0
            assert time.monotonic() - began < 5
            assert not says(second, "Traceback")


@pytest.mark.timeout(120)
def test_a_venue_that_does_not_answer_keeps_no_process_from_ending(desk: Desk) -> None:
    assert isinstance(desk.venue, AlpacaVenue)
    desk.venue.faults.seconds = 60
    desk.venue.faults.always("ask", Fault.SLOW)
    before = len(desk.venue.requests)
    with started(BROKER_URLS=json.dumps(project.BROKER_URLS), CREDENTIALS_PRIVATE_KEYS=private_keys()) as child:
        wait(lambda: len(desk.venue.requests) > before, "a question", 40)
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(15) == 0
        assert time.monotonic() - began < 9


def private_keys() -> str:
    return ",".join(one.reveal() for one in project.CREDENTIALS_PRIVATE_KEYS)


def test_in_production_a_process_that_could_open_nothing_does_not_begin() -> None:
    with override_settings(PRODUCTION=True, CREDENTIALS_PRIVATE_KEYS=()), pytest.raises(CommandError, match="must be set"):
        call_command("accounts")


PROGRAM = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "clusterx.settings"
import django
django.setup()
import trading.management.commands.accounts
print([name for name in ("numba", "llvmlite", "scipy", "pandas", "talib", "ccxt", "alpaca") if name in sys.modules])
"""


def test_the_process_begins_without_numeric_libraries_and_without_brokers() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
