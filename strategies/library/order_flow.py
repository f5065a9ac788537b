"""Following those who cross the spread: stacked imbalances, cumulative delta and high-volume nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.flow import Flow
from strategies.library.holding import ATR_WINDOW, patience, stop_distance

if TYPE_CHECKING:
    from marketdata.bars import Bars


class OrderFlow(Strategy):
    """Long when buyers take several rows in a row, have taken more than sellers for a while, above the heaviest row.

    ``signals`` has bars alone and guesses the flow from them (``Flow.of_bars``). With recorded trades, ``follow`` takes a
    flow that was made of them.
    """

    name = "order-flow"
    label = "Order flow"
    summary = (
        "Buys where buyers overwhelm sellers at several prices in a row, with cumulative delta behind them and the price of "
        "most volume beneath. Without recorded trades it guesses the flow from the bars, and is weaker for it."
    )
    rationale = (
        "Who crosses the spread is in a hurry, and large orders are worked for hours: imbalances that stack up show them at "
        "work, delta that they go on, and the price that traded most is where both sides agreed last and defend. It fails when "
        "a large passive seller absorbs all of it, which looks the same until price turns. Guessed from bars, delta is little "
        "more than the place of the close in its range: test it on trades before you believe it."
    )
    levels = ("stop", "take_profit")
    parameters = (
        Parameter("stack", "Stack", "int", 3, minimum=1, maximum=10, step=1, help="Imbalances in a row: price rows, or bars."),
        Parameter(
            "ratio", "Ratio", "float", 1.5, minimum=1.1, maximum=10, step=0.1, help="One side over the other for an imbalance."
        ),
        Parameter("window", "Window", "int", 30, minimum=5, maximum=300, step=1, help="Bars of delta and of the volume node."),
        Parameter(
            "row", "Row", "float", 0.2, minimum=0.01, maximum=5, step=0.01, help="Height of the node's rows, percent of price."
        ),
        ATR_WINDOW,
        stop_distance(3.0),
        Parameter("profit", "Goal", "float", 5.0, minimum=0.5, maximum=40, step=0.5, help="Average ranges from the entry."),
        patience(60),
        DIRECTION,
    )

    def history(self, p: Parameters) -> int:
        # The guessed imbalances look ten bars back.
        return max(int(p.window) + 10, wilder(p.atr_window)) + int(p.patience) + 2

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        return self.follow(bars, Flow.of_bars(bars, p.ratio), p)

    def follow(self, bars: Bars, flow: Flow, p: Parameters) -> Signals:
        """The same from a flow of your own, one entry for each of ``bars``."""
        from marketdata.indicators.volatility import atr
        from strategies.library.flow_kernel import follow_flow

        given = np.stack([flow.buy, flow.sell, flow.stacked_buy, flow.stacked_sell, flow.node])
        out = np.empty((3, len(bars)))
        follow_flow(
            bars.high, bars.low, bars.close, atr(bars.high, bars.low, bars.close, p.atr_window), given,
            np.array([p.stop, p.profit, p.row / 100]), np.array([p.stack, p.window, p.patience]), p.direction == "long-short",
            out,
        )  # fmt: skip
        return Signals(out[0], stop=out[1], take_profit=out[2])
