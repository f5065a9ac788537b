"""Runs what is compiled once, so that Numba's cache is full and its code is in memory before the first child is forked."""

import numpy as np

from marketdata.bars import Bars
from strategies.contract import EventStrategy, Parameters
from strategies.engine.context import Context, run_events
from strategies.engine.model import Costs, Market, Rules, Slippage


class Everything(EventStrategy):
    """Every kind of order there is."""

    name = label = summary = "warm-up"

    def history(self, p: Parameters) -> int:
        return 1

    def on_bar(self, ctx: Context) -> None:
        step, price = ctx.index % 12, ctx.close
        if step == 0:
            ctx.target(0.5)
        elif step == 1:
            ctx.cancel(ctx.buy(1, limit=price * 0.99))
        elif step == 2:
            ctx.replace(ctx.sell(1, stop=price * 0.9), stop=price * 0.95)
        elif step == 3:
            ctx.buy(1, stop_loss=price * 0.99, take_profit=price * 1.01, trailing_stop=price * 0.02)
        elif step == 4:
            ctx.sell(1, trail=price * 0.01)
        elif step == 5:
            ctx.buy(1, limit=price * 1.1, stop=price * 1.01, tif="DAY")
        elif step == 6:
            ctx.target(-0.5)
        elif step == 7 and ctx.orders and ctx.entry_price and len(ctx.bars):
            ctx.cancel_all()
        elif step == 8:
            ctx.close_position()


def warm() -> None:
    """As a child does it: read-only columns."""
    length = 240
    close = 100 + np.sin(np.arange(length) / 5)
    table = np.stack([close, close * 1.01, close * 0.99, close, np.full(length, 50.0)])
    time = np.arange(length) * 3600
    for column in (time, table):
        column.flags.writeable = False
    bars, p = Bars(time, *table), Parameters({})
    run_events(Everything(), bars, p)
    for slippage in (Slippage("percentage", 0.001), Slippage("volume-share", 0.1)):
        costs = Costs(0.001, 0.001, slippage=slippage, borrow=0.01)
        run_events(Everything(), bars, p, market=Market(0.01, 0.01), costs=costs, rules=Rules(leverage=2, volume_share=0.1))
