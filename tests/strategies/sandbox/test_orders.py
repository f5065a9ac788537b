"""An event-driven strategy that stays decides bar by bar what it decides over all bars at once, wherever it began."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marketdata.bars import Bar, Bars
from strategies.engine import Costs, Market, Rules
from strategies.engine.model import Slippage
from strategies.sandbox.limits import Reason
from strategies.sandbox.live import OrderSession, Refused
from strategies.sandbox.pool import Pool
from strategies.sandbox.tasks import Account
from tests.strategies.sandbox.attempt import LIMITS, bars

pytestmark = pytest.mark.xdist_group("sandbox")

HEAD = """
from clusterx_api import EventStrategy, Parameter, Strategy, np

class Mine(EventStrategy):
    name = label = summary = "mine"
    parameters = (Parameter("step", "Step", "int", 7, minimum=2, maximum=50, step=1),)
    def history(self, p):
        return 1
    def on_bar(self, ctx):
"""
# Every kind of order; what it does hangs on its account, its own state, and the bars before.
BUSY = (
    HEAD
    + """
        self.seen = getattr(self, "seen", 0) + 1
        turn, price = self.seen % ctx.p.step, ctx.close
        up = price > ctx.bars.close[-20:].mean()
        if turn == 0: ctx.buy(1 + self.seen % 3, tif="DAY", limit=price * (0.995 if up else 1.001))
        if turn == 1: ctx.target(0.5 if up else -0.5)
        if turn == 2: ctx.buy(1, stop_loss=price * 0.98, take_profit=price * 1.02, trailing_stop=price * 0.03)
        if turn == 3: self.own = ctx.sell(2, stop=price * 0.97, tif="DAY")
        if turn == 4 and ctx.orders: ctx.replace(ctx.orders[0].id, quantity=1.5)
        if turn == 5 and ctx.position > 20: ctx.close_position()
        if turn == 6: ctx.cancel(self.own)
        if self.seen % 60 == 59: ctx.cancel_all()
        if ctx.entry_price and ctx.equity < 9_000: ctx.sell(1, trail=price * 0.01)
"""
)
ACCOUNT = Account(
    Market(0.01, 0.01), Costs(0.001, 0.0005, slippage=Slippage("percentage", 0.001)), Rules(volume_share=0.5), 20_000.0
)


def walked(length: int) -> Bars:
    given = bars(length)
    return replace(given, volume=np.full(length, 40.0))


def fed(session: OrderSession, given: Bars) -> list[np.ndarray]:
    return [session.bar(Bar(*row)) for row in given.rows()]


@pytest.mark.parametrize("cut", [0, 1, 23, 250, 498])
@pytest.mark.parametrize("step", [7, 10])
def test_history_and_bars_give_the_orders_of_the_whole(pool: Pool, cut: int, step: int) -> None:
    given = walked(499)
    whole = pool.events(BUSY, given, {"step": step}, account=ACCOUNT)
    assert whole.ok, whole
    with pool.orders(BUSY, {"step": step}, history=given[:cut], account=ACCOUNT) as session:
        answers = [session.replayed, *fed(session, given[cut:])]
    np.testing.assert_array_equal(np.concatenate(answers), whole.intents)
    assert all((answer[:, 0] == cut + i).all() for i, answer in enumerate(answers[1:]))
    assert len(whole.intents) > 300


def test_a_session_that_was_lost_goes_on_from_the_same_history(pool: Pool) -> None:
    given = walked(400)
    with pool.orders(BUSY, {}, history=given[:100], account=ACCOUNT) as first:
        before = np.concatenate([first.replayed, *fed(first, given[100:300])])
        after = fed(first, given[300:])
    with pool.orders(BUSY, {}, history=given[:300], account=ACCOUNT) as second:
        np.testing.assert_array_equal(second.replayed, before)
        np.testing.assert_array_equal(np.concatenate(fed(second, given[300:])), np.concatenate(after))


def test_a_session_outgrows_its_room(pool: Pool) -> None:
    given = walked(2_200)
    whole = pool.events(BUSY, given, {}, account=ACCOUNT).intents
    with pool.orders(BUSY, {}, account=ACCOUNT) as session:
        np.testing.assert_array_equal(np.concatenate(fed(session, given)), whole)


def test_its_bars_may_not_be_written_to_and_end_with_the_present(pool: Pool) -> None:
    code = HEAD + "        print(len(ctx.bars), ctx.bars.close.flags.writeable)\n"
    with pool.orders(code, {}, history=walked(2)) as session:
        fed(session, walked(4)[2:])
        assert session.printed.splitlines() == ["1 False", "2 False", "3 False", "4 False"]


def test_only_an_event_driven_strategy_answers_with_orders(pool: Pool) -> None:
    vectorised = HEAD.replace("(EventStrategy)", "(Strategy)").replace("on_bar(self, ctx)", "signals(self, bars, p)") + (
        "        return np.zeros(len(bars))\n"
    )
    with pytest.raises(Refused, match="only an event-driven strategy answers with orders"):
        pool.orders(vectorised, {})
    with pytest.raises(Refused, match="answers with orders, not with an exposure"):
        pool.live(BUSY, {})


def test_a_session_that_fails_says_where_and_stays_failed(pool: Pool) -> None:
    with pool.orders(HEAD + "        if ctx.index == 5: ctx.buy(-1)\n", {}, history=walked(5)) as session:
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                fed(session, walked(6)[5:])
            assert (refused.value.reason, refused.value.line) == (Reason.ERROR, HEAD.count("\n") + 1)


def test_an_endless_bar_is_timed_out(pool: Pool) -> None:
    code = HEAD + "        while ctx.index == 1: pass\n"
    with (
        pool.orders(code, {}, history=walked(1), limits=replace(LIMITS, seconds=0.4)) as session,
        pytest.raises(Refused, match="timeout"),
    ):
        fed(session, walked(2)[1:])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("ctx.buy(1); ctx._intents[-1] = (ctx.index + 1, *ctx._intents[-1][1:])", "ascending in"),
        ("ctx.buy(1); ctx._intents[-1] = (0, *ctx._intents[-1][1:])", "dated at another bar"),
        ("ctx._next_id = 1; ctx.buy(1)", "the number of an earlier one"),
        ("ctx.buy(1); ctx._intents[-1] = (ctx.index, 9, 0, 0, 7, *ctx._intents[-1][5:])", "side"),
        ("ctx.buy(1); ctx._intents[-1] = (float('nan'),) * 15", "whole number"),
    ],
)
def test_forged_orders_are_refused(pool: Pool, body: str, message: str) -> None:
    code = HEAD + f"        if ctx.index < 3: ctx.buy(1)\n        if ctx.index == 3: {body}\n"
    with pool.orders(code, {}, history=walked(3)) as session:
        with pytest.raises(Refused, match=message) as refused:
            fed(session, walked(4)[3:])
        assert refused.value.reason == Reason.INVALID_RESULT
