"""A ladder of limit orders: buys below the price, each sold one step higher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strategies.contract import EventStrategy, Parameter, Parameters

if TYPE_CHECKING:
    from strategies.engine.context import Context


class Grid(EventStrategy):
    """Buys at ``levels`` prices below a centre, ``step`` percent apart, and sells what each has bought one step higher.

    When price leaves the ladder upward with nothing held, or has fallen ``stop`` percent below the lowest buy, everything is
    closed and a new ladder is laid around the close.
    """

    name = "grid"
    label = "Grid"
    summary = (
        "Lays limit buys at equal steps below the price and sells what each has bought one step higher, again and again, until "
        "price leaves the ladder."
    )
    rationale = (
        "A price that swings without going anywhere crosses the same levels many times, and each crossing earns a step less "
        "the fees, mostly as maker. It fails in a fall: every level is bought on the way down, so that the position is largest "
        "where the loss is, and many small gains hide it until then. The stop below the ladder is what makes the loss finite."
    )
    parameters = (
        Parameter("levels", "Levels", "int", 8, minimum=1, maximum=50, step=1, help="Buys below the centre."),
        Parameter("step", "Step", "float", 1.0, minimum=0.1, maximum=20, step=0.1, help="Percent between levels."),
        Parameter(
            "share", "Share", "float", 0.9, minimum=0.05, maximum=0.98, step=0.05, help="Of equity when all levels are bought."
        ),
        Parameter("stop", "Stop", "float", 3.0, minimum=0.1, maximum=50, step=0.1, help="Percent below the lowest level."),
    )

    def __init__(self) -> None:
        self.centre = 0.0
        self.floor = 0.0
        self.amount = 0.0
        self.working: dict[int, tuple[int, bool]] = {}  # order → its level and whether it buys
        self.sold_out = True

    def history(self, p: Parameters) -> int:
        # It looks at the newest close alone; what came before is in its orders.
        return 1

    def on_bar(self, ctx: Context) -> None:
        if not ctx.close > 0:
            return
        if self.centre == 0.0:
            if ctx.position == 0:
                self._lay(ctx)
            return
        if ctx.close < self.floor or (ctx.position == 0 and ctx.close > self.centre * (1 + ctx.p.step / 100)):
            ctx.cancel_all()
            ctx.close_position()
            self.centre = 0.0
            self.working = {}
            return
        self._refill(ctx)

    def _lay(self, ctx: Context) -> None:
        """A ladder around the close."""
        p = ctx.p
        self.centre = ctx.close
        self.floor = self._price(p, p.levels) * (1 - p.stop / 100)
        self.amount = ctx.equity * p.share / p.levels
        if not self.amount > 0:
            return
        for level in range(1, p.levels + 1):
            self._buy(ctx, level)

    def _refill(self, ctx: Context) -> None:
        """What has filled is answered: a buy by a sell one step higher, a sell by the buy it came from."""
        if not self.working:
            return
        still = {order.id for order in ctx.orders}
        for name in [name for name in self.working if name not in still]:
            level, bought = self.working.pop(name)
            if bought:
                quantity = self.amount / self._price(ctx.p, level)
                self.working[ctx.sell(quantity, limit=self._price(ctx.p, level - 1), reduce_only=True, reason=level)] = (
                    level,
                    False,
                )
            else:
                self._buy(ctx, level)

    def _buy(self, ctx: Context, level: int) -> None:
        price = self._price(ctx.p, level)
        self.working[ctx.buy(self.amount / price, limit=price, reason=level)] = (level, True)

    def _price(self, p: Parameters, level: int) -> float:
        return float(self.centre * (1 - p.step / 100) ** level)
