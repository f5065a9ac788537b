"""Buying a fixed amount at fixed intervals, more of it when price has fallen, and selling at a gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strategies.contract import EventStrategy, Parameter, Parameters

if TYPE_CHECKING:
    from strategies.engine.context import Context


class DollarCostAveraging(EventStrategy):
    """Spends ``amount`` percent of the first equity every ``interval`` hours, ``dip`` times as much below the mean entry.

    The clock is that of the bars' opening times, whole intervals since 1970: when it is started changes nothing.
    """

    name = "dca"
    label = "Dollar-cost averaging"
    summary = (
        "Buys for the same amount of money at fixed intervals, for more when price is well below what it has paid, and sells "
        "all of it at a gain if one is set."
    )
    rationale = (
        "Equal amounts buy more when price is low, and nobody has to guess the moment: that is a discipline for people with an "
        "income to invest, not an edge. Against buying at once it loses whenever prices rise, which they do more often than "
        "not, and the earliest amounts risk as much as any. It fails in a fall that does not end: the mean entry follows price "
        "down, and the money is gone before the turn."
    )
    parameters = (
        Parameter("interval", "Interval", "int", 24, minimum=1, maximum=24 * 90, step=1, help="Hours between buys."),
        Parameter(
            "amount", "Amount", "float", 2.0, minimum=0.1, maximum=100, step=0.1, help="Percent of the first equity, each time."
        ),
        Parameter(
            "fall", "Fall", "float", 5.0, minimum=0, maximum=90, step=0.5, help="Percent below the mean entry that make a dip."
        ),
        Parameter(
            "dip", "In a dip", "float", 1.5, minimum=1, maximum=10, step=0.25, help="Multiple of the amount bought then."
        ),
        Parameter(
            "gain",
            "Gain",
            "float",
            0.0,
            minimum=0,
            maximum=1000,
            step=1,
            help="Percent above the mean entry to sell at; 0: never.",
        ),
    )

    def __init__(self) -> None:
        self.money = 0.0
        self.last = -1
        self.goal: int | None = None

    def history(self, p: Parameters) -> int:
        # The newest close and the account; the schedule is the calendar's.
        return 1

    def start(self, ctx: Context) -> None:
        self.money = ctx.equity * ctx.p.amount / 100

    def on_bar(self, ctx: Context) -> None:
        turn = ctx.time // (3600 * ctx.p.interval)
        if not ctx.close > 0:
            return
        if turn != self.last:
            self.last = turn
            self._spend(ctx)
        if ctx.p.gain > 0:
            self._aim(ctx)

    def _spend(self, ctx: Context) -> None:
        entry = ctx.entry_price
        cheap = entry is not None and ctx.close <= entry * (1 - ctx.p.fall / 100)
        # A little is kept for the fee and for a price that opens higher; what is left is spent to the end.
        money = min(self.money * (ctx.p.dip if cheap else 1.0), 0.98 * ctx.cash)
        if money > 0.1 * self.money:
            ctx.buy(money / ctx.close, reason=1 if cheap else 0)

    def _aim(self, ctx: Context) -> None:
        """One limit order for all that is held, where the gain is."""
        working = {order.id: order for order in ctx.orders}
        entry = ctx.entry_price
        if entry is None or ctx.position <= 0:
            return
        level = entry * (1 + ctx.p.gain / 100)
        order = working.get(self.goal) if self.goal is not None else None
        if order is not None and order.limit == level and order.quantity - order.filled == ctx.position:
            return
        if order is not None:
            ctx.cancel(order.id)
        self.goal = ctx.sell(ctx.position, limit=level, reduce_only=True, reason=2)
