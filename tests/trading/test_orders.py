"""Waiting orders fill once, when the market allows it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from clusterx.events.models import Event
from marketdata.models import Instrument
from tests.factories import AccountFactory, InstrumentFactory, limits
from tests.trading.conftest import MINUTE, RISING, Market, at_once, deployed
from trading import selectors
from trading.models import Account, Deployment, Evaluation, Fill, Order, PaperOrder, Position
from trading.services.dispatch import dispatch
from trading.services.orders import client_id

D = Decimal


def ordered(market: Market, **account: object) -> Order:
    """A waiting order to buy, on the bar that closed at 104."""
    market.close(*RISING)
    deployment = deployed(AccountFactory(**account), market)
    evaluation = market.evaluate(deployment, market.close(104.0))
    assert evaluation is not None
    return Order.objects.get(evaluation=evaluation)


def worked(market: Market, order: Order) -> Order:
    market.work()
    return Order.objects.get(pk=order.pk)


def send(market: Market, order: Order) -> None:
    dispatch(account_id=order.account_id, clock=lambda: market.now)


def test_a_crash_between_order_and_fill_fills_once(market: Market) -> None:
    order = ordered(market)
    assert order.status == Order.Status.NEW  # the process died here; the sweep works it, and so may a late message
    for _ in range(3):
        send(market, order)
    assert Fill.objects.count() == 1
    assert Event.objects.filter(type="order.filled").count() == 1
    fill = Fill.objects.get()
    assert Account.objects.get().cash == D(10_000) - fill.quantity * fill.price - fill.fee


def test_a_crash_inside_the_fill_leaves_nothing_of_it(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    order = ordered(market)
    with monkeypatch.context() as patched:

        def died(**_: object) -> None:
            raise RuntimeError("the worker was killed")

        patched.setattr("trading.services.books.snapshot", died)
        with pytest.raises(RuntimeError):
            send(market, order)
    assert Account.objects.get().cash == 10_000
    assert not Fill.objects.exists()
    assert not Position.objects.exclude(quantity=0).exists()
    assert worked(market, order).status == Order.Status.FILLED


def test_two_workers_at_once_fill_once(emptied: None) -> None:
    market = Market(InstrumentFactory())
    order = ordered(market)
    at_once(*[lambda: send(market, order)] * 4)
    assert Fill.objects.count() == 1
    assert Position.objects.get().quantity == order.quantity


def test_fills_at_once_all_reach_the_account_s_cash(emptied: None) -> None:
    market = Market(InstrumentFactory())
    market.close(*RISING)
    account = AccountFactory()
    deployments = [deployed(account, market, allocation="0.1") for _ in range(4)]
    bar = market.close(104.0)
    for one in deployments:
        market.evaluate(one, bar)
    at_once(*[partial(dispatch, account_id=account.pk, clock=lambda: market.now)] * 4)
    spent = sum(fill.quantity * fill.price + fill.fee for fill in Fill.objects.all())
    assert Fill.objects.count() == 4
    assert Account.objects.get().cash == D(10_000) - spent


def test_an_order_waits_for_a_price_from_after_the_close_of_its_bar(market: Market) -> None:
    order = ordered(market)
    market.price(104.0, time=market.now - timedelta(milliseconds=1))
    assert worked(market, order).status == Order.Status.ACCEPTED
    market.price(104.5, time=market.now)
    assert worked(market, order).status == Order.Status.FILLED


def test_an_order_waits_while_the_newest_price_is_old(market: Market) -> None:
    order = ordered(market)
    market.price(104.0, received_at=market.now - timedelta(seconds=61))
    assert worked(market, order).status == Order.Status.ACCEPTED
    market.price(104.0)
    assert worked(market, order).status == Order.Status.FILLED


def test_a_bar_only_instrument_gives_its_price_one_bar_more(market: Market) -> None:
    Instrument.objects.filter(pk=market.instrument.pk).update(has_ticks=False)
    order = ordered(market)
    market.price(104.0, received_at=market.now - timedelta(seconds=121))
    assert worked(market, order).status == Order.Status.ACCEPTED
    market.price(104.0, received_at=market.now - timedelta(seconds=120))
    assert worked(market, order).status == Order.Status.FILLED


def test_an_order_expires_when_a_whole_further_bar_has_passed(market: Market) -> None:
    order = ordered(market)
    market.price(104.0, time=market.now - timedelta(milliseconds=1))
    assert worked(market, order).status == Order.Status.ACCEPTED
    market.now += MINUTE
    market.price(120.0)
    expired = worked(market, order)
    assert (expired.status, expired.reason_code) == (Order.Status.EXPIRED, "expired")
    assert not Fill.objects.exists()


def test_an_order_is_not_sent_when_a_whole_further_bar_has_passed(market: Market) -> None:
    order = ordered(market)
    market.now += MINUTE
    market.price(120.0)
    expired = worked(market, order)
    assert (expired.status, expired.reason_code) == (Order.Status.REJECTED, "expired")
    assert not PaperOrder.objects.exists()
    assert not Fill.objects.exists()


def test_the_next_bar_replaces_an_order_that_still_waits(market: Market) -> None:
    order = ordered(market)
    market.price(104.0, time=market.now - timedelta(milliseconds=1))
    market.work()
    bar = market.close(105.0, priced=False)
    waits = market.evaluate(order.deployment, bar)
    assert waits is not None
    assert waits.outcome == Evaluation.Outcome.WAITING
    assert Order.objects.count() == 1  # as long as the first may still be filled
    order = worked(market, order)
    assert (order.status, order.reason_code) == (Order.Status.CANCELLED, "superseded")
    assert Order.objects.get(evaluation=waits).status == Order.Status.ACCEPTED
    waits.refresh_from_db()
    assert waits.outcome == Evaluation.Outcome.ORDERED


def test_an_order_that_was_not_sent_is_replaced_at_once(market: Market) -> None:
    order = ordered(market)
    newer = market.evaluate(order.deployment, market.close(105.0))
    order.refresh_from_db()
    assert (order.status, order.reason_code) == (Order.Status.CANCELLED, "superseded")
    assert Order.objects.get(status=Order.Status.NEW).evaluation == newer
    assert not PaperOrder.objects.exists()


def test_an_order_that_can_no_longer_be_paid_for_is_rejected(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(risk=limits(maximum_position="1")), market, allocation="1")
    assert market.evaluate(deployment, market.close(104.0)) is not None
    market.price(110.0)
    (order,) = market.work()
    assert (order.status, order.reason_code) == (Order.Status.REJECTED, "buying-power")
    assert Account.objects.get().cash == 10_000
    assert Event.objects.filter(type="order.rejected").count() == 1


def test_quotes_decide_where_there_are_any(market: Market) -> None:
    order = ordered(market)
    market.price(104.0, bid=103.9, ask=104.2)
    send(market, order)
    assert Fill.objects.get().price == D("104.26")  # 104.2 × 1.0005 = 104.2521, up to the tick


def test_a_fill_traces_back_to_its_bar(market: Market) -> None:
    order = ordered(market)
    send(market, order)
    types = Event.objects.filter(correlation_id=order.correlation_id).order_by("pk").values_list("type", flat=True)
    assert list(types) == ["order.placed", "order.filled"]
    assert order.evaluation is not None
    assert order.evaluation.correlation_id == order.correlation_id
    bar = int(order.evaluation.bar_time.timestamp())
    assert order.deployment is not None
    assert order.client_order_id == client_id(order.deployment.public_id, bar, 0)


def test_one_client_order_id_gives_one_order(market: Market) -> None:
    order = ordered(market)
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.create(
            account=order.account,
            deployment=order.deployment,
            client_order_id=order.client_order_id,
            instrument=order.instrument,
            side="buy",
            quantity=1,
            reference_price=1,
            decided_at=market.now,
            correlation_id=order.correlation_id,
            created_at=market.now,
            updated_at=market.now,
        )


@pytest.mark.parametrize(
    "statement",
    ["update trading_fill set price = 1", "delete from trading_fill", "truncate trading_fill cascade"],
)
def test_the_database_refuses_to_change_a_fill(market: Market, statement: str) -> None:
    order = ordered(market)
    send(market, order)
    connection.check_constraints()  # what is deferred would hinder truncate before the guard is asked
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Fill.objects.count() == 1


def test_an_open_order_reserves_its_money(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory(risk=limits(exposure_symbol="0.3"))
    first, second = (deployed(account, market) for _ in range(2))
    bar = market.close(104.0)
    assert market.evaluate(first, bar) is not None
    trimmed = market.evaluate(second, bar)  # 20 % waits; 20 % more would be over 30 %
    assert trimmed is not None
    assert trimmed.bound_by == "exposure-symbol"
    worth = sum(order.quantity * D(104) for order in Order.objects.all())
    assert D(2_980) < worth <= D(3_000)


def test_positions_of_two_deployments_are_kept_apart_and_counted_together(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()
    first, second = (deployed(account, market) for _ in range(2))
    bar = market.close(104.0)
    for one in (first, second):
        market.evaluate(one, bar)
    market.work()
    held = dict(Position.objects.values_list("deployment_id", "quantity"))
    assert set(held) == {first.pk, second.pk}
    assert all(quantity > 0 for quantity in held.values())
    valued = selectors.portfolio(account, at=market.now)
    assert valued.positions_value == sum(held.values()) * D(104)
    assert Deployment.objects.get(pk=first.pk).is_running
