"""The same at every venue: through our own services, over the adapters, to local servers that speak each one's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from clusterx.events.models import Event
from tests.trading.desks import KINDS, Desk, Kind, desk_of, process, wait
from tests.venues.faults import Fault, StreamFault
from trading import events
from trading.agent.service import AccountsService
from trading.brokers.connect import connect
from trading.models import CashFlow, Connection, Difference, Fill, Instruction, Order, Position
from trading.services.connecting import replace_key, revoke
from trading.services.connection_checks import Checked, check_connection
from trading.services.dispatch import dispatch
from trading.services.journal import stream_of
from trading.services.locks import lock_account
from trading.services.orders import Why, give_up
from trading.services.reports import fill_told

D = Decimal
AGES = timedelta(minutes=10)  # longer than any request can be on its way


@pytest.fixture(params=KINDS, ids=str)
def desk(request: pytest.FixtureRequest, emptied: None, settings: Any) -> Iterator[Desk]:
    with desk_of(request.param, settings) as made:
        yield made


def named(*names: str) -> list[Kind]:
    return [kind for kind in KINDS if kind.name in names]


def told(desk: Desk, type: str) -> list[dict[str, Any]]:
    return [one.payload for one in Event.objects.filter(stream=stream_of(desk.account), type=type)]


def withdraw(desk: Desk, order: Order) -> Order:
    """The order is not wanted any more."""
    with transaction.atomic():
        order.account = lock_account(desk.account.pk)
        give_up(order, Why("test", "Not wanted any more."), at=timezone.now())
    return desk.send(order)


def test_a_connection_is_tested_and_its_books_begin_with_what_the_venue_has(desk: Desk) -> None:
    connection, account = desk.now().connection, desk.now()
    assert desk.checked == Checked("connected")
    assert (connection.may_trade, connection.is_paper) == (True, True)
    assert not connection.may_withdraw
    assert (account.currency, account.cash) == (desk.kind.quote, desk.exchange.balances[desk.kind.quote])
    assert desk.fields()["key"].encode() not in bytes(connection.sealed)


def test_the_first_comparison_finds_the_venue_as_it_was_connected(desk: Desk) -> None:
    assert desk.compare().done
    assert desk.compare(later=AGES).differences == ()
    assert desk.now().connection.status == Connection.Status.CONNECTED
    assert desk.now().state == "active"
    assert not Order.objects.exists()


def test_a_market_order_is_filled_and_the_books_are_the_venues(desk: Desk) -> None:
    order = desk.trade(desk.kind.unit)
    assert order.status == "filled"
    there = desk.at_venue(order)
    assert there is not None
    assert order.venue_order_id
    assert there.filled == order.filled_quantity == desk.kind.unit
    desk.assert_books_are_the_venues()
    desk.exchange.move(desk.venue.symbol, desk.kind.limit)
    held = desk.held
    lot = desk.instrument.lot_size
    desk.trade(-(held // lot * lot))
    desk.assert_books_are_the_venues()
    assert 0 <= desk.held < lot
    assert desk.compare(later=AGES).differences == ()
    assert desk.now().state == "active"


@pytest.mark.parametrize("desk", named("binance-perpetual", "alpaca", "topstepx"), indirect=True, ids=str)
def test_a_position_that_is_turned_round_is_what_the_venue_has(desk: Desk) -> None:
    unit = desk.kind.unit
    for quantity, price in ((unit, desk.kind.limit), (-2 * unit, desk.kind.limit + 40), (unit / 2, desk.kind.limit - 40)):
        assert desk.trade(quantity).status == "filled"
        desk.assert_books_are_the_venues()
        desk.exchange.move(desk.venue.symbol, price)
    assert desk.held == -unit / 2
    assert desk.compare(later=AGES).differences == ()


def test_an_order_that_the_venue_refuses_ends_with_its_reason(desk: Desk) -> None:
    desk.venue.faults.next("submit", Fault.REJECT)
    order = desk.send(desk.place(desk.kind.unit))
    assert order.status == "rejected"
    assert order.reason_code not in {"", "never-arrived", "bad-credentials"}
    assert not desk.exchange.orders
    desk.venue.faults.next("submit", Fault.RATE_LIMIT)
    second = desk.send(desk.place(desk.kind.unit))
    assert second.status == "new"  # it was turned away unread, and waits
    assert not desk.exchange.orders
    assert desk.send(second, later=timedelta(seconds=30)).status in {"accepted", "filled"}
    assert desk.exchange.seen[second.client_order_id] == 1


def test_a_limit_order_is_partly_filled_and_its_rest_cancelled(desk: Desk) -> None:
    part = desk.kind.unit / 2
    order = desk.send(desk.place(desk.kind.unit, type="limit", limit_price=desk.kind.limit))
    assert order.status == "accepted"
    desk.exchange.liquidity[desk.venue.symbol] = part
    desk.exchange.move(desk.venue.symbol, desk.kind.limit)
    desk.look()
    order.refresh_from_db()
    assert (order.status, order.filled_quantity) == ("partly-filled", part)
    desk.assert_books_are_the_venues()
    order = withdraw(desk, order)
    if order.status == "cancelling":  # some venues say no more than that they heard it
        desk.look()
        order.refresh_from_db()
    assert (order.status, order.filled_quantity, order.reason_code) == ("cancelled", part, "test")
    there = desk.at_venue(order)
    assert there is not None
    assert there.status == "cancelled"
    desk.assert_books_are_the_venues()


def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again(desk: Desk) -> None:
    desk.venue.faults.next("submit", Fault.LOST_ANSWER)
    order = desk.trade(desk.kind.unit)
    assert order.status == "filled"
    assert desk.exchange.seen[order.client_order_id] == 1
    assert [one.outcome for one in Instruction.objects.filter(order=order)] == ["unknown"]
    desk.assert_books_are_the_venues()


def test_an_execution_that_is_heard_before_the_answer_is_nobody_elses(desk: Desk) -> None:
    """Most venues tell executions with their own number of the order alone, which an answer that is lost did not tell us."""
    desk.venue.faults.next("submit", Fault.LOST_ANSWER)
    desk.exchange.listeners.append(lambda *_: desk.venue.faults.always("ask", Fault.BROKEN))
    order = desk.send(desk.place(desk.kind.unit))
    assert (order.status, order.venue_order_id) == ("unknown", "")
    desk.exchange.listeners.pop()
    desk.venue.faults.always("ask", None)
    broker = connect(desk.now(), timezone.now)
    heard = broker.fills_since(timezone.now() - AGES, [desk.venue.symbol])
    broker.close()
    assert len(heard) == 1
    assert fill_told(account_id=desk.account.pk, told=replace(heard[0], client_order_id=""), at=timezone.now()) is None
    desk.look()
    order.refresh_from_db()
    assert order.status == "filled"
    assert not Order.objects.filter(purpose=Order.Purpose.ADOPTED).exists()
    desk.assert_books_are_the_venues()


def test_an_order_that_never_arrived_is_given_up_once_it_no_longer_can(desk: Desk) -> None:
    desk.venue.faults.next("submit", Fault.LOST_REQUEST)
    order = desk.send(desk.place(desk.kind.unit))
    assert order.status == "unknown"
    order = desk.send(order, later=AGES)
    assert (order.status, order.reason_code) == ("rejected", "never-arrived")
    assert not desk.exchange.orders
    desk.assert_books_are_the_venues()


def test_a_trade_by_hand_is_adopted_and_told(desk: Desk) -> None:
    desk.trade(desk.kind.unit)
    desk.by_hand("buy", desk.kind.unit)
    resting = desk.by_hand("buy", desk.kind.unit, type="limit", limit_price=desk.kind.limit)
    desk.look()
    adopted = Order.objects.filter(purpose=Order.Purpose.ADOPTED)
    assert sorted(adopted.values_list("status", flat=True)) == ["accepted", "filled"]
    assert len(told(desk, events.ORDER_ADOPTED)) == 2
    desk.assert_books_are_the_venues()
    desk.look()
    assert adopted.count() == 2
    # It is known by the venue's number alone, and followed to its end by that.
    desk.exchange.cancel(resting)
    desk.look()
    assert adopted.get(venue_order_id__gt="", type="limit").status == "cancelled"
    assert Position.objects.filter(deployment=None).count() == 1
    assert desk.compare(later=AGES).differences == ()


def test_comparing_again_changes_nothing(desk: Desk) -> None:
    desk.trade(desk.kind.unit)
    desk.by_hand("buy", desk.kind.unit)
    assert desk.compare().done
    before = fingerprint(desk)
    assert desk.compare().done
    desk.look()
    assert fingerprint(desk) == before
    assert not Difference.objects.exists()


def fingerprint(desk: Desk) -> tuple[Any, ...]:
    orders = Order.objects.order_by("pk").values_list("status", "filled_quantity", "venue_order_id")
    positions = Position.objects.order_by("pk").values_list("quantity", "cost")
    return tuple(orders), Fill.objects.count(), CashFlow.objects.count(), tuple(positions), desk.now().cash, desk.now().state


def test_money_that_came_is_a_flow_where_the_venue_tells_it(desk: Desk) -> None:
    desk.trade(desk.kind.unit)
    desk.exchange.flow("deposit", desk.kind.quote, D(250))
    desk.compare()
    if desk.kind.broker == "topstepx":  # it has no history of them: the owner has to look
        assert desk.compare(later=AGES).differences == ("USD",)
        assert desk.now().state == "halted"
        return
    flow = CashFlow.objects.get()
    assert (flow.kind, flow.amount) == ("deposit", 250)
    desk.assert_books_are_the_venues()
    desk.compare()
    assert CashFlow.objects.count() == 1
    assert desk.compare(later=AGES).differences == ()


@pytest.mark.parametrize("desk", named("binance-perpetual", "alpaca"), indirect=True, ids=str)
def test_what_it_costs_to_hold_is_booked_as_the_venue_tells_it(desk: Desk) -> None:
    kind = {"alpaca": "fee", "binance-perpetual": "funding"}[desk.kind.name]
    desk.trade(desk.kind.unit)
    desk.exchange.flow(kind, desk.kind.quote, D("-0.37"))
    desk.compare()
    flow = CashFlow.objects.get()
    assert (flow.kind, flow.amount, flow.is_external) == (kind, D("-0.37"), False)
    desk.assert_books_are_the_venues()
    assert desk.compare(later=AGES).differences == ()


def test_a_difference_that_nothing_explains_halts_the_account(desk: Desk) -> None:
    desk.trade(desk.kind.unit)
    desk.exchange.balances[desk.kind.quote] -= 7
    assert desk.compare().differences == ()  # it may still be explained
    assert desk.compare(later=AGES).differences == (desk.kind.quote,)
    assert desk.now().state == "halted"


def test_a_key_that_is_not_accepted_any_more_halts_the_account_and_sends_nothing(desk: Desk) -> None:
    desk.trade(desk.kind.unit)
    desk.venue.revoke()
    before = len(desk.exchange.orders)
    order = desk.place(desk.kind.unit)
    dispatch(account_id=desk.account.pk)
    order.refresh_from_db()
    assert (order.status, order.reason_code) == ("rejected", "bad-credentials")
    assert desk.now().state == "halted"
    assert desk.now().connection.status == Connection.Status.FAILING
    assert not desk.compare().done
    assert len(desk.exchange.orders) == before
    codes = [one["code"] for one in told(desk, events.STATE_CHANGED)]
    assert codes[-1] == "bad-credentials"
    assert codes.count("bad-credentials") == 1


def test_nothing_is_sent_with_a_key_that_its_owner_revoked(desk: Desk) -> None:
    waiting = desk.place(desk.kind.unit)
    revoke(account_id=desk.account.pk, at=timezone.now(), actor=None)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason_code) == ("cancelled", "revoked")
    order = desk.place(desk.kind.unit)
    dispatch(account_id=desk.account.pk)
    order.refresh_from_db()
    assert (order.status, order.reason_code) == ("rejected", "bad-credentials")
    assert not desk.exchange.orders


# -- with the accounts process ---------------------------------------------------------------------------------------


def test_what_happens_at_the_venue_is_booked_within_a_second(desk: Desk) -> None:
    order = desk.send(desk.place(desk.kind.unit, type="limit", limit_price=desk.kind.limit))
    with process() as service:
        connected(desk, service)
        desk.exchange.move(desk.venue.symbol, desk.kind.limit)
        took = wait(lambda: Order.objects.get(pk=order.pk).status == "filled", "the fill")
        desk.assert_books_are_the_venues()
        desk.by_hand("buy", desk.kind.unit)
        wait(lambda: Order.objects.filter(purpose="adopted", status="filled").exists(), "the trade by hand")
        desk.assert_books_are_the_venues()
    assert took < 1


def connected(desk: Desk, service: AccountsService, looks: int = 1) -> None:
    """The stream is there, and what happened before was looked at."""
    wait(lambda: (one := service.running.get(desk.account.pk)) and one.listener.looks >= looks, "the stream", 20)


def test_a_stream_that_breaks_is_made_anew_and_nothing_is_missed(desk: Desk) -> None:
    order = desk.send(desk.place(desk.kind.unit, type="limit", limit_price=desk.kind.limit))
    with process() as service:
        connected(desk, service)
        desk.venue.faults.stream.append(StreamFault.DISCONNECT)
        desk.exchange.move(desk.venue.symbol, desk.kind.limit)  # its fill is what the stream breaks at
        wait(lambda: Order.objects.get(pk=order.pk).status == "filled", "what the stream did not tell")
        second = desk.trade(desk.kind.unit)
        assert second.status == "filled"
        desk.assert_books_are_the_venues()


def test_a_key_that_the_venue_revokes_ends_its_stream(desk: Desk) -> None:
    with process() as service:
        connected(desk, service)
        desk.venue.revoke()
        wait(lambda: desk.now().connection.status == "failing", "the connection to be failing", 20)
        wait(lambda: service.running[desk.account.pk].task.done(), "the stream to end", 20)
        assert desk.now().state == "halted"


def test_a_connection_that_is_revoked_or_made_anew_is_noticed(desk: Desk) -> None:
    with process() as service:
        connected(desk, service)
        revoke(account_id=desk.account.pk, at=timezone.now(), actor=None)
        wait(lambda: not service.running, "the stream to be let go", 5)
        replace_key(account_id=desk.account.pk, fields=desk.fields(), at=timezone.now(), actor=desk.account.owner)
        assert check_connection(account_id=desk.account.pk) == Checked("connected")
        connected(desk, service)
        order = desk.trade(desk.kind.unit)
        assert order.status == "filled"
