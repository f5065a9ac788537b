"""Numbers of the trade list: worked by hand, and the rules for what wins, what is held and what is open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.metrics.catalogue import CATALOGUE
from strategies.metrics.errors import InvalidRun
from strategies.metrics.trades import NO_TRADES, Paid
from tests.strategies.metrics.runs import CASH, DAY, daily, trade_list, values

FLAT = daily(np.zeros(30))


def test_six_trades_by_hand() -> None:
    m = FLAT.measure(trade_list([10.0, 20.0, -15.0, 0.0, 5.0, -5.0], fees=0.5), resamples=0)
    assert (m.trades, m.open_trades) == (6, 0)
    assert m.win_rate == 0.5
    assert m.profit_factor == pytest.approx(35 / 20)
    assert m.expectancy == pytest.approx(2.5)
    assert (m.average_win, m.average_loss) == (pytest.approx(35 / 3), -10)
    assert (m.best_trade, m.worst_trade) == (20, -15)
    assert (m.winning_streak, m.losing_streak) == (2, 1)
    # Three of the five that won or lost won, 35/3 against 10.
    assert m.kelly == pytest.approx(0.6 - 0.4 / (35 / 3 / 10))
    assert m.sqn == pytest.approx(np.sqrt(6) * 2.5 / np.std([10, 20, -15, 0, 5, -5], ddof=1))
    assert (m.average_mae, m.worst_mae) == (pytest.approx(-20 / 6), -15)
    assert (m.average_mfe, m.best_mfe) == (pytest.approx(35 / 6), 20)
    assert (m.average_holding, m.median_holding, m.longest_holding) == (DAY, DAY, DAY)
    assert m.fees == 3


def test_streaks_follow_the_exits_not_the_list() -> None:
    trades = trade_list([1.0, -1.0, 1.0, 1.0])
    trades["exit_bar"] = [5, 9, 6, 7]
    assert FLAT.measure(trades).winning_streak == 3


def test_open_trades_are_counted_and_not_judged() -> None:
    trades = trade_list([10.0, -4.0, 999.0], open=[False, False, True], fees=1.0)
    m = FLAT.measure(trades, resamples=0)
    assert (m.trades, m.open_trades, m.best_trade, m.fees) == (2, 1, 10, 3)


def test_time_in_the_market_follows_from_the_trades() -> None:
    trades = trade_list([1.0, 1.0, 1.0, 1.0])
    trades["entry_bar"], trades["exit_bar"] = [2, 4, 4, 20], [5, 6, 4, 20]
    trades["side"], trades["open"] = [1, -1, 1, -1], [False, False, False, True]
    m = FLAT.measure(trades, resamples=0)
    # Long at the closes 2, 3, 4; short at 4, 5 and from 20 on; the third was in and out within a bar.
    assert m.long_exposure == pytest.approx(3 / 30)
    assert m.short_exposure == pytest.approx(12 / 30)
    assert m.exposure == pytest.approx(14 / 30)


@pytest.mark.parametrize("columns", [1, 3])
def test_time_in_the_market_is_that_of_the_position_where_given(columns: int) -> None:
    position = np.zeros((30, columns))
    position[3:9, 0], position[9:12, -1] = 0.5, -2
    m = FLAT.measure(position=position[:, 0] if columns == 1 else position, resamples=0)
    assert (m.exposure, m.long_exposure, m.short_exposure) == pytest.approx((9 / 30, 6 / 30, 3 / 30))


def test_turnover_is_what_was_traded_over_the_mean_equity() -> None:
    trades = trade_list(
        [0.0, 0.0], quantity=[2.0, 3.0], entry_price=[100.0, 50.0], exit_price=[110.0, 60.0], open=[False, True]
    )
    m = daily(np.zeros(731)).measure(trades, resamples=0)
    assert m.turnover == pytest.approx((200 + 220 + 150) / CASH)
    assert m.annual_turnover == pytest.approx((200 + 220 + 150) / CASH / (731 / 365.25))
    assert daily(np.zeros(9)).measure(trades[:0], paid=Paid(traded=25_000), resamples=0).turnover == pytest.approx(2.5)


def test_what_was_paid_is_said_and_summed_up() -> None:
    m = FLAT.measure(trade_list([1.0], fees=7.0), paid=Paid(slippage=20.0, funding=-5.0), resamples=0)
    assert (m.fees, m.slippage, m.funding, m.borrow) == (7, 20, -5, None)
    assert m.missing["borrow"] == "not-given"
    assert m.cost_share == pytest.approx(22 / CASH)
    assert FLAT.measure(trade_list([1.0], fees=7.0), paid=Paid(fees=8.0)).fees == 8


def test_without_trades_nothing_is_said_of_them() -> None:
    m = FLAT.measure()
    assert (m.trades, m.winning_streak, m.losing_streak, m.exposure, m.turnover, m.fees) == (0, 0, 0, 0, 0, 0)
    of_trades = {metric.key for metric in CATALOGUE if metric.group == "Trades" and metric.unit != "count"}
    assert {key for key, reason in m.missing.items() if reason == "no-trades"} == of_trades
    assert not set(m.intervals) & of_trades


def test_only_wins_or_only_losses_have_no_ratio() -> None:
    wins, losses = FLAT.measure(trade_list([1.0, 2.0])), FLAT.measure(trade_list([-1.0, -2.0]))
    assert (wins.profit_factor, wins.average_loss, wins.kelly, wins.missing["kelly"]) == (None, None, None, "no-losses")
    assert (losses.profit_factor, losses.average_win, losses.missing["kelly"]) == (0, None, "no-wins")
    assert FLAT.measure(trade_list([3.0, 3.0])).missing["sqn"] == "few-trades"
    assert FLAT.measure(trade_list([0.0])).missing["profit_factor"] == "no-losses"


@settings(deadline=None)
@given(pnl=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_wins_and_losses_make_up_the_expectancy(pnl: list[float]) -> None:
    m = daily(np.zeros(80)).measure(trade_list(pnl), resamples=0)
    won, lost = sum(x > 0 for x in pnl), sum(x < 0 for x in pnl)
    assert m.expectancy is not None
    total = won * (m.average_win or 0) + lost * (m.average_loss or 0)
    assert m.expectancy * len(pnl) == pytest.approx(total, rel=1e-9, abs=1e-6)
    assert m.win_rate == won / len(pnl)
    assert m.winning_streak <= won
    assert m.losing_streak <= lost


@pytest.mark.parametrize(
    ("trades", "message"),
    [
        (np.zeros(2, [("pnl", float)]), "fields"),
        (trade_list([1.0, np.nan]), "pnl"),
        (trade_list([1.0], entry_bar=30), "bar of the run"),
        (trade_list([1.0], entry_bar=-1), "bar of the run"),
        (np.zeros((2, 2), NO_TRADES.dtype), "shape"),
    ],
)
def test_a_trade_list_that_does_not_fit_is_refused(trades: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidRun, match=message):
        FLAT.measure(trades)


def test_a_position_or_a_payment_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidRun, match="position"):
        FLAT.measure(position=np.zeros(29))
    with pytest.raises(InvalidRun, match="paid"):
        FLAT.measure(paid=Paid(slippage=float("nan")))
    assert values(CASH).measure(position=np.ones(1)).exposure == 1
