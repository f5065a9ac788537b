"""Order blocks and fair value gaps, each zone traded once: at its first touch, with the trend of the swing structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, patience

if TYPE_CHECKING:
    from marketdata.bars import Bars


class SmartMoney(Strategy):
    """Long when price comes back to an untouched zone below it while structure points upward.

    A zone is mitigated, and gone, with the first bar that touches it: ``zones`` of the indicators at ``fill`` 0.
    """

    name = "smart-money"
    label = "Smart money (SMC)"
    summary = (
        "Buys the first return to an order block or a fair value gap in an upward structure, with a stop below the zone and a "
        "goal of several times that distance; each zone counts once."
    )
    rationale = (
        "A break of structure shows that somebody large traded, and the bar it began with is where: what is left of that order "
        "waits there. A gap between three bars is a price at which nobody could trade. Returns to either often find an answer, "
        "the first one most, for then the waiting orders are used up. It fails when structure turns with the zone, and in what "
        "it rests on: the story is plausible, hardly any of it measured, and every chart shows zones that held in hindsight."
    )
    levels = ("stop", "take_profit")
    parameters = (
        Parameter(
            "zones",
            "Zones",
            "choice",
            "both",
            help="Which zones are traded.",
            choices=(("both", "Both"), ("order-blocks", "Order blocks"), ("gaps", "Fair value gaps")),
        ),
        Parameter("strength", "Swing strength", "int", 5, minimum=1, maximum=50, step=1, help="Bars on each side of a swing."),
        Parameter(
            "memory", "Memory", "int", 200, minimum=50, maximum=2000, step=10, help="Bars after which swings and zones lapse."
        ),
        Parameter(
            "height", "Least height", "float", 0.25, minimum=0, maximum=5, step=0.05, help="Of a zone, in average ranges."
        ),
        Parameter("buffer", "Buffer", "float", 0.25, minimum=0, maximum=5, step=0.05, help="Average ranges from zone to stop."),
        Parameter("reward", "Reward", "float", 2.5, minimum=0.5, maximum=20, step=0.25, help="Goal over the stop's distance."),
        Parameter(
            "risk", "Risk", "float", 1.0, minimum=0.05, maximum=10, step=0.05, help="Percent of equity lost at the stop."
        ),
        ATR_WINDOW,
        patience(150),
        DIRECTION,
    )

    def history(self, p: Parameters) -> int:
        # A trend rests on a break within memory, and that on a swing within memory of it.
        settled = max(2 * (int(p.memory) + int(p.strength)) + 2, wilder(p.atr_window))
        return settled + int(p.patience) + 2

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        from marketdata.indicators.structure import structure
        from marketdata.indicators.volatility import atr
        from marketdata.indicators.zones import fair_value_gaps, order_blocks
        from strategies.library.zone_kernel import touch

        high, low, close = bars.high, bars.low, bars.close
        nowhere = np.full((4, len(bars)), np.nan)
        blocks = gaps = nowhere
        if p.zones != "gaps":
            blocks = np.stack(order_blocks(high, low, close, p.strength, 0.0, p.memory)[:4])
        if p.zones != "order-blocks":
            gaps = np.stack(fair_value_gaps(high, low, close, 0.0, 0.0, p.memory)[:4])
        trend = structure(high, low, close, p.strength, p.memory).trend
        out = np.empty((3, len(bars)))
        touch(
            high, low, close, trend, atr(high, low, close, p.atr_window), blocks, gaps,
            np.array([p.height, p.buffer, p.reward, p.risk / 100]), p.patience, p.direction == "long-short", out,
        )  # fmt: skip
        return Signals(out[0], stop=out[1], take_profit=out[2])
