"""One deployment looks at each closed bar once, and what follows from it happens once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from clusterx.events.models import Event
from marketdata.models import Gap, Instrument
from strategies.library.sma_cross import SmaCross
from tests.factories import AccountFactory, InstrumentFactory, limits
from tests.trading.conftest import FALLING, MINUTE, RISING, Market, at_once, deployed
from trading import selectors
from trading.models import Deployment, EquitySnapshot, Evaluation, Fill, Order, Position
from trading.services.deployments import start, stop
from trading.services.evaluation import record_passed
from trading.services.valuation import mark_equity

D = Decimal
Outcome = Evaluation.Outcome


def outcomes(deployment: Deployment) -> list[str]:
    return list(Evaluation.objects.filter(deployment=deployment).order_by("bar_time").values_list("outcome", flat=True))


def test_a_rising_market_is_bought_and_a_falling_one_sold(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    bought = market.trade(deployment, 104.0)[0]
    assert (bought.outcome, bought.target) == (Outcome.ORDERED, 1.0)
    order = Order.objects.get(evaluation=bought)
    assert (order.side, order.status, order.reference_price) == ("buy", "filled", 104.0)
    # 20 % of 10,000 at 104.06 (104 and 0.05 % slippage, rounded up to the tick) and 0.1 % fee, down to the lot.
    assert order.quantity == D("19.2")
    assert order.fills.get().price == D("104.06")

    last = market.trade(deployment, 103.0, 101.0, 99.0)
    assert [one.outcome for one in last] == [Outcome.HOLD, Outcome.ORDERED, Outcome.HOLD]
    assert Position.objects.get(deployment=deployment).quantity == 0
    assert list(Fill.objects.order_by("pk").values_list("side", flat=True)) == ["buy", "sell"]


def test_a_second_evaluation_changes_nothing(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    bar = market.close(104.0)
    first = market.evaluate(deployment, bar)
    assert first is not None
    events = Event.objects.count()
    assert market.evaluate(deployment, bar) is None
    assert Order.objects.count() == 1
    assert Evaluation.objects.count() == 1
    assert Event.objects.count() == events


def test_two_workers_at_once_order_once(emptied: None) -> None:
    market = Market(InstrumentFactory())
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    bar = market.close(104.0)
    results = at_once(*[lambda: market.evaluate(deployment, bar)] * 4)
    assert sum(result is not None for result in results) == 1
    assert Order.objects.count() == 1


def test_deployments_evaluated_at_once_do_not_spend_the_same_money(emptied: None) -> None:
    market = Market(InstrumentFactory())
    market.close(*RISING)
    account = AccountFactory(risk=limits(maximum_position="1"))
    rivals = [deployed(account, market, allocation="0.7") for _ in range(4)]
    bar = market.close(104.0)
    at_once(*[partial(market.evaluate, one, bar) for one in rivals])
    found = sorted(Evaluation.objects.values_list("outcome", flat=True))
    assert found == [Outcome.ORDERED, Outcome.REJECTED, Outcome.REJECTED, Outcome.REJECTED]


def test_two_deployments_of_one_account_do_not_spend_the_same_money(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory(risk=limits(maximum_position="1"))
    both = [deployed(account, market, allocation="0.7") for _ in range(2)]
    bar = market.close(104.0)
    first, second = (market.evaluate(one, bar) for one in both)
    assert first is not None
    assert second is not None
    assert (first.outcome, second.outcome) == (Outcome.ORDERED, Outcome.REJECTED)
    assert second.reason_code == "buying-power"


def test_no_bar_before_the_start_is_acted_upon(market: Market) -> None:
    bar = market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    assert market.evaluate(deployment, bar) is None
    assert not Evaluation.objects.exists()


def test_a_bar_that_is_not_stored_is_left_for_later(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    assert market.evaluate(deployment, market.now) is None
    assert not Evaluation.objects.exists()


def test_missed_bars_are_recorded_and_only_the_newest_is_acted_upon(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    market.trade(deployment, 104.0)
    market.close(95.0, 90.0)  # nobody looked: the deployment would have sold
    assert selectors.overdue_evaluations() == [(deployment.pk, market.now - MINUTE)]
    market.evaluate(deployment, market.close(120.0))
    assert outcomes(deployment) == [Outcome.ORDERED, Outcome.SKIPPED, Outcome.SKIPPED, Outcome.HOLD]
    assert selectors.overdue_evaluations() == []
    skipped = Event.objects.get(type="bars.skipped")
    assert skipped.payload["bars"] == 2


def test_nobody_is_warned_of_bars_that_passed_before_a_deployment_began(market: Market) -> None:
    """A first start: bars come one after the other while history is being fetched."""
    deployment = deployed(AccountFactory(), market)
    too_early = market.close(100.0)
    market.evaluate(deployment, too_early)  # no history yet
    market.close(101.0, 102.0, 103.0)
    late = market.now - MINUTE
    market.close(104.0)
    market.evaluate(deployment, late)
    market.close(105.0)
    market.evaluate(deployment, market.close(106.0))
    assert outcomes(deployment) == [Outcome.WARMING_UP, *[Outcome.SKIPPED] * 5, Outcome.ORDERED]
    assert not Event.objects.filter(type="bars.skipped").exists()
    market.close(107.0)
    market.evaluate(deployment, market.close(108.0))
    assert Event.objects.get(type="bars.skipped").payload["bars"] == 1


def test_a_bar_that_is_delivered_after_a_newer_one_is_not_acted_upon(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    older = market.close(104.0)
    newer = market.close(105.0)
    late = market.evaluate(deployment, older)
    assert late is not None
    assert (late.outcome, late.reason_code) == (Outcome.SKIPPED, "late")
    assert not Order.objects.exists()
    acted = market.evaluate(deployment, newer)
    assert acted is not None
    assert acted.outcome == Outcome.ORDERED


def test_bars_fetched_after_a_newer_one_was_looked_at_leave_no_hole(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    market.trade(deployment, 104.0)
    missed = market.now
    market.now += 2 * MINUTE
    market.trade(deployment, 105.0)
    assert selectors.deployments_with_holes() == []
    resumed, market.now = market.now, missed
    market.close(104.5, 104.7)
    market.now = resumed
    assert selectors.deployments_with_holes() == [deployment.pk]
    assert record_passed(deployment_id=deployment.pk, at=market.now) == 2
    assert record_passed(deployment_id=deployment.pk, at=market.now) == 0
    assert outcomes(deployment) == [Outcome.ORDERED, Outcome.SKIPPED, Outcome.SKIPPED, Outcome.HOLD]


def test_the_newest_stored_bar_is_too_late_when_the_market_went_on_without_it(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    bar = market.close(104.0)
    market.now += 5 * MINUTE  # the stream was down and came back: quotes flow, the bars in between are not there yet
    market.price(130.0)
    late = market.evaluate(deployment, bar)
    assert late is not None
    assert (late.outcome, late.reason_code) == (Outcome.SKIPPED, "late")


def test_too_little_history_waits(market: Market) -> None:
    deployment = deployed(AccountFactory(), market, fast=2, slow=4)
    for close, expected in ((100.0, "1 of 4"), (101.0, "2 of 4"), (102.0, "3 of 4")):
        evaluation = market.evaluate(deployment, market.close(close))
        assert evaluation is not None
        assert evaluation.outcome == Outcome.WARMING_UP
        assert expected in evaluation.reason
    assert market.trade(deployment, 103.0)[0].outcome == Outcome.ORDERED


def test_history_with_an_open_gap_waits_until_it_is_filled(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    gap = Gap.objects.create(
        instrument=market.instrument,
        timeframe="1m",
        start=market.now - 2 * MINUTE,
        end=market.now - MINUTE,
        found_at=market.now,
    )
    waiting = market.trade(deployment, 104.0)[0]
    assert (waiting.outcome, waiting.reason_code) == (Outcome.WARMING_UP, "open-gap")
    gap.status = Gap.Status.FILLED
    gap.save()
    assert market.trade(deployment, 105.0)[0].outcome == Outcome.ORDERED


def test_a_standing_position_is_not_traded_for_a_change_of_price(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    evaluations = market.trade(deployment, 104.0, 120.0, 150.0, 200.0)
    assert [one.outcome for one in evaluations] == [Outcome.ORDERED, Outcome.HOLD, Outcome.HOLD, Outcome.HOLD]


def test_a_reversal_is_one_order_through_zero(market: Market) -> None:
    Instrument.objects.filter(pk=market.instrument.pk).update(kind=Instrument.Kind.PERPETUAL)
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market, direction="long-short")
    market.trade(deployment, 104.0)
    held = Position.objects.get(deployment=deployment).quantity
    turned = market.trade(deployment, 101.0)[-1]
    assert turned.outcome == Outcome.ORDERED
    after = Position.objects.get(deployment=deployment).quantity
    assert after < 0 < held
    assert turned.orders.get().quantity == held - after


def test_a_forbidden_reversal_still_closes_the_position(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market, direction="long-short")
    market.trade(deployment, 104.0)
    closed, next_one = market.trade(deployment, 101.0, 99.0, 98.0)[:2]
    assert (closed.outcome, closed.reason_code) == (Outcome.ORDERED, "short-not-allowed")
    assert Position.objects.get(deployment=deployment).quantity == 0
    assert (next_one.outcome, next_one.reason_code) == (Outcome.REJECTED, "short-not-allowed")
    # Told once, not with every bar.
    assert Event.objects.filter(type="proposal.rejected").count() == 1


@pytest.mark.parametrize(
    ("account", "allocation", "code", "reason"),
    [
        ({"state": "halted"}, "0.2", "halted", "Trading is halted for this account."),
        ({"starting_balance": D("0.02")}, "1", "", ""),
    ],
)
def test_a_rejection_says_why(market: Market, account: dict, allocation: str, code: str, reason: str) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(**account), market, allocation=allocation)
    evaluation = market.trade(deployment, 104.0)[0]
    assert (evaluation.outcome, evaluation.reason_code) == (Outcome.REJECTED if code else Outcome.HOLD, code)
    assert reason in evaluation.reason
    assert not Order.objects.exists()


def test_an_old_price_is_not_traded_on(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    bar = market.close(104.0)
    market.price(104.0, received_at=market.now - timedelta(seconds=61))
    evaluation = market.evaluate(deployment, bar)
    assert evaluation is not None
    assert (evaluation.outcome, evaluation.reason_code) == (Outcome.REJECTED, "stale-price")


def test_without_any_price_nothing_is_ordered(market: Market) -> None:
    market.close(*RISING, priced=False)
    deployment = deployed(AccountFactory(), market)
    evaluation = market.evaluate(deployment, market.close(104.0, priced=False))
    assert evaluation is not None
    assert (evaluation.outcome, evaluation.reason_code) == (Outcome.REJECTED, "stale-price")


def test_after_the_day_s_loss_nothing_opens_until_the_next_day(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory(risk=limits(maximum_position="1"))
    mark_equity(at=market.now)
    deployment = deployed(account, market, allocation="0.9")
    market.trade(deployment, 104.0, 98.0)  # more than 2 % of equity gone; the average turns and sells
    assert Position.objects.get(deployment=deployment).quantity == 0
    stopped = market.trade(deployment, *RISING)[-1]
    assert (stopped.outcome, stopped.reason_code) == (Outcome.REJECTED, "breaker-daily-loss")
    mark_equity(at=market.now)
    market.now += timedelta(days=1)
    market.close(*FALLING)
    again = market.trade(deployment, 101.0, 103.0, 105.0)
    assert Outcome.ORDERED in [one.outcome for one in again]


def test_a_strategy_that_raises_stops_its_own_deployment_alone(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)

    def broken(self: SmaCross, bars: object, p: object) -> None:
        raise ZeroDivisionError("no volume")

    monkeypatch.setattr(SmaCross, "signals", broken)
    evaluation = market.evaluate(deployment, market.close(104.0))
    assert evaluation is not None
    assert (evaluation.outcome, evaluation.reason) == (Outcome.FAILED, "ZeroDivisionError: no volume")
    deployment.refresh_from_db()
    assert deployment.status == Deployment.Status.FAILED
    assert Event.objects.filter(type="deployment.failed").count() == 1


@pytest.mark.parametrize("answer", [float("nan"), 1.5, -1.01, float("inf")])
def test_an_exposure_outside_minus_one_to_one_is_a_failure(
    market: Market, monkeypatch: pytest.MonkeyPatch, answer: float
) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    monkeypatch.setattr(SmaCross, "signals", lambda self, bars, p: [answer] * len(bars))
    evaluation = market.evaluate(deployment, market.close(104.0))
    assert evaluation is not None
    assert evaluation.outcome == Outcome.FAILED


def test_a_restart_in_the_middle_changes_no_position(market: Market) -> None:
    """Stopped and started between any two bars, the same market gives the same fills."""
    closes = (104.0, 105.0, 101.0, 99.0, 98.0, 101.0, 104.0, 106.0)
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    for close in closes:
        bar = market.close(close)
        for _ in range(2):  # each message is delivered again after a restart
            market.evaluate(deployment, bar)
            market.work()
    held = Position.objects.get(deployment=deployment)
    fills = Fill.objects.filter(deployment=deployment)
    signed = sum(fill.quantity if fill.side == "buy" else -fill.quantity for fill in fills)
    assert held.quantity == signed > 0
    assert fills.count() == 3
    assert Order.objects.filter(deployment=deployment).count() == 3


def test_a_stopped_deployment_looks_at_nothing_and_goes_on_after_its_start(market: Market) -> None:
    market.close(*RISING)
    deployment = deployed(AccountFactory(), market)
    market.trade(deployment, 104.0)
    stop(deployment_id=deployment.pk, at=market.now)
    assert market.evaluate(deployment, market.close(90.0)) is None
    market.close(89.0)
    start(deployment_id=deployment.pk, at=market.now)
    assert selectors.overdue_evaluations() == []
    assert market.trade(deployment, 88.0)[0].outcome == Outcome.ORDERED
    assert outcomes(deployment) == [Outcome.ORDERED, Outcome.ORDERED]


def test_every_fill_is_followed_by_an_equity_that_adds_up(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()
    deployment = deployed(account, market)
    market.trade(deployment, 104.0, 108.0, 101.0, 99.0, 104.0, 109.0)
    assert EquitySnapshot.objects.filter(account=account).count() >= 3
    valued = selectors.portfolio(account, at=market.now)
    start_balance = account.starting_balance
    assert valued.equity == start_balance + valued.realised_pnl + valued.unrealised_pnl - valued.fees
    cash = start_balance
    for fill in Fill.objects.filter(account=account):
        sign = -1 if fill.side == "buy" else 1
        cash += sign * fill.quantity * fill.price - fill.fee
    assert valued.cash == cash
