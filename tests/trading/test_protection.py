"""Every position of a deployment has its stop at the venue; stops, panic and breakers get it out of the market."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from clusterx.events.models import Event
from tests.factories import AccountFactory, limits
from tests.trading.conftest import MINUTE, RISING, Market, deployed
from trading.models import Account, Deployment, Evaluation, Order, Panic, PaperOrder, Position
from trading.risk.breakers import Breaker, ReasonNeeded
from trading.services.breakers import reset
from trading.services.dispatch import dispatch
from trading.services.exposure import breakers_of
from trading.services.panic import panic, steps
from trading.services.valuation import mark_equity

D = Decimal
Purpose, Status = Order.Purpose, Order.Status


def long(market: Market, **account: object) -> Deployment:
    """A deployment that holds something, with bars enough for a range."""
    market.close(*[100 + (n % 3) for n in range(20)], *RISING)
    deployment = deployed(AccountFactory(**account), market)
    market.trade(deployment, 104.0)
    assert Position.objects.get(deployment=deployment).quantity > 0
    return deployment


def stop_of(deployment: Deployment) -> Order:
    return Order.objects.get(deployment=deployment, purpose=Purpose.STOP, status__in=["accepted", "new", "cancelling"])


def test_a_position_gets_its_stop_at_the_venue(market: Market) -> None:
    deployment = long(market)
    position, stop = Position.objects.get(deployment=deployment), stop_of(deployment)
    assert (stop.side, stop.type, stop.quantity, stop.status) == ("sell", "stop", position.quantity, Status.ACCEPTED)
    assert stop.stop_price == position.stop_price
    evaluation = Evaluation.objects.get(orders__deployment=deployment, orders__purpose=Purpose.SIGNAL)
    assert evaluation.atr is not None
    # Appetite 5: three and a half ranges below the price.
    assert float(stop.stop_price) == pytest.approx(104.0 - 3.5 * evaluation.atr, abs=0.02)
    assert PaperOrder.objects.get(client_order_id=stop.client_order_id).status == "open"


def test_the_stop_goes_before_the_position_is_closed_on_purpose(market: Market) -> None:
    deployment = long(market)
    stop = stop_of(deployment)
    market.trade(deployment, 99.0, 98.5)
    assert Position.objects.get(deployment=deployment).quantity == 0
    stop.refresh_from_db()
    assert (stop.status, stop.reason_code) == (Status.CANCELLED, "closing")
    assert not Order.objects.filter(deployment=deployment, status__in=["new", "accepted"]).exists()


def test_a_stop_that_is_reached_sells_and_the_strategy_stays_out(market: Market) -> None:
    deployment = long(market)
    stop = stop_of(deployment)
    assert stop.stop_price is not None
    market.now += timedelta(seconds=5)
    market.price(float(stop.stop_price) - 1)
    market.work()
    stop.refresh_from_db()
    assert stop.status == Status.FILLED
    position = Position.objects.get(deployment=deployment)
    assert (position.quantity, position.stop_price) == (0, None)
    assert stop.fills.get().price < stop.stop_price  # the market was beyond it
    market.now += MINUTE - timedelta(seconds=5)
    again = market.trade(deployment, 110.0)[0]  # it still wants to be in
    assert (again.target, again.outcome, again.reason_code) == (1.0, Evaluation.Outcome.HOLD, "stopped-out")


def test_a_price_that_went_and_came_back_within_a_bar_fills_the_stop_at_its_price(market: Market) -> None:
    deployment = long(market)
    stop = stop_of(deployment)
    assert stop.stop_price is not None
    market.work()
    level = float(stop.stop_price)
    market.close(level * 1.0005)  # its low is a thousandth below: through the stop, though no price that was seen was
    market.work()
    fill = stop.fills.get()
    assert fill.price == (stop.stop_price * D("0.9995")).quantize(D("0.01"), rounding="ROUND_FLOOR")


def test_a_refused_stop_raises_an_alarm_and_is_asked_for_again(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    from trading.brokers.paper.broker import PaperBroker
    from trading.brokers.protocol import OrderRequest, Refused, Type, VenueOrder

    submit = PaperBroker.submit

    def no_stops(broker: PaperBroker, request: OrderRequest) -> VenueOrder:
        if request.type is Type.STOP:
            raise Refused("venue-refused", "No stops today.")
        return submit(broker, request)

    with monkeypatch.context() as patched:
        patched.setattr(PaperBroker, "submit", no_stops)
        deployment = long(market)
    assert Event.objects.get(type="protection.missing").payload["reason"] == "No stops today."
    market.now += timedelta(seconds=6)
    market.work()
    assert stop_of(deployment).status == Status.ACCEPTED


# -- panic ----------------------------------------------------------------------------------------------------------


def press(market: Market, deployment: Deployment) -> Panic:
    begun = panic(account_id=deployment.account_id, reason="The news.", at=market.now, actor=deployment.account.owner)
    dispatch(account_id=deployment.account_id, clock=lambda: market.now, look=True)
    begun.refresh_from_db()
    return begun


def test_panic_cancels_closes_and_halts(market: Market) -> None:
    deployment = long(market)
    begun = press(market, deployment)
    assert begun.done_at is not None
    assert Position.objects.get(deployment=deployment).quantity == 0
    assert not Order.objects.filter(status__in=["new", "accepted"]).exists()
    account = Account.objects.get()
    assert (account.state, account.state_reason) == ("halted", "The news.")
    deployment.refresh_from_db()
    assert not deployment.is_running
    assert [(step.what, step.state) for step in steps(begun)] == [("cancel", "done"), ("close", "done")]


def test_panic_flattens_with_the_feed_down(market: Market) -> None:
    deployment = long(market)
    market.now += timedelta(hours=3)  # no price for three hours
    begun = press(market, deployment)
    assert begun.done_at is not None
    assert Position.objects.get(deployment=deployment).quantity == 0


def test_panic_pressed_twice_sells_once(market: Market) -> None:
    deployment = long(market)
    first = panic(account_id=deployment.account_id, reason="", at=market.now, actor=None)
    second = panic(account_id=deployment.account_id, reason="", at=market.now, actor=None)
    assert first == second
    market.work()
    assert Order.objects.filter(purpose=Purpose.PANIC).count() == 1
    assert Position.objects.get(deployment=deployment).quantity == 0


# -- circuit breakers -------------------------------------------------------------------------------------------------


def losing(market: Market) -> Deployment:
    """An account that lost more than its day's limit, liquidated."""
    market.close(*[100 + (n % 3) for n in range(20)], *RISING)
    account = AccountFactory(risk=limits(maximum_position="1", daily_loss="0.02", stop_distance="20"))
    mark_equity(at=market.now)
    deployment = deployed(account, market, allocation="0.9")
    market.trade(deployment, 104.0)
    market.now += timedelta(seconds=20)
    market.price(100.0)
    mark_equity(at=market.now)
    return deployment


def test_a_daily_loss_trips_is_told_and_stays_over_a_restart(market: Market) -> None:
    deployment = losing(market)
    account = Account.objects.get()
    assert [trip.breaker for trip in breakers_of(account).trips] == [Breaker.DAILY_LOSS]
    assert Event.objects.filter(type="breaker.tripped").count() == 1
    mark_equity(at=market.now + timedelta(minutes=11))
    assert Event.objects.filter(type="breaker.tripped").count() == 1
    market.price(130.0)  # the money is back; the breaker is not
    mark_equity(at=market.now + timedelta(minutes=12))
    assert breakers_of(account).trips
    market.work()
    held = Position.objects.get(deployment=deployment).quantity
    assert held >= 0


def test_an_order_that_was_written_before_a_trip_is_not_sent_after_it(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()
    deployment = deployed(account, market)
    waiting = market.evaluate(deployment, market.close(104.0))
    assert waiting is not None
    Account.objects.filter(pk=account.pk).update(state="reduce-only", state_reason="By hand.")
    (order,) = market.work()
    assert (order.status, order.reason_code) == (Status.REJECTED, "reduce-only")
    assert not PaperOrder.objects.exists()


def test_a_breaker_is_reset_with_a_reason_and_the_account_trades_again(market: Market) -> None:
    deployment = losing(market)
    with pytest.raises(ReasonNeeded):
        reset(account_id=deployment.account_id, breaker=Breaker.DAILY_LOSS, reason=" ", at=market.now, actor=None)
    for expected in (True, False):
        done = reset(
            account_id=deployment.account_id, breaker=Breaker.DAILY_LOSS, reason="A wrong price.", at=market.now, actor=None
        )
        assert done is expected
    assert not breakers_of(Account.objects.get()).trips
    assert Event.objects.get(type="breaker.reset").payload["reason"] == "A wrong price."
