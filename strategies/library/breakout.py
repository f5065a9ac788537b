"""Closes beyond the channel of the bars before: the turtles' rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import InvalidParameter, Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, patience, stop_distance

if TYPE_CHECKING:
    from marketdata.bars import Bars


class Breakout(Strategy):
    """Long from a close above the highest high of ``enter`` bars until one below the lowest low of ``leave`` bars."""

    name = "breakout"
    label = "Breakout"
    summary = (
        "Buys a close above the highest price of a Donchian channel and leaves below a shorter channel or at a stop of average "
        "ranges."
    )
    rationale = (
        "A new extreme says that everyone who sold within the window was wrong, and stops and new orders lie beyond it. Few "
        "breaks become trends, and those pay for the rest: winners are rare and long, losers many and small (Donchian 1960; "
        "the turtles 1983). It fails in ranges, where breaks turn back, and when slippage at the break costs more than the "
        "rare trend brings."
    )
    levels = ("stop",)
    parameters = (
        Parameter("enter", "Entry channel", "int", 55, minimum=5, maximum=500, step=1, help="Bars before this one."),
        Parameter(
            "leave", "Exit channel", "int", 20, minimum=2, maximum=499, step=1, help="Bars; fewer than the entry channel."
        ),
        ATR_WINDOW,
        stop_distance(3.0),
        patience(300),
        DIRECTION,
    )

    def check(self, p: Parameters) -> None:
        if p.leave >= p.enter:
            raise InvalidParameter(f"leave must be less than enter, was {p.leave} and {p.enter}", field="leave", below="enter")

    def history(self, p: Parameters) -> int:
        return max(int(p.enter), wilder(p.atr_window)) + int(p.patience) + 2

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        from marketdata.indicators.volatility import atr, donchian
        from strategies.library.kernels import break_out

        top, _, bottom = donchian(bars.high, bars.low, p.enter)
        exit_top, _, exit_bottom = donchian(bars.high, bars.low, p.leave)
        reach = atr(bars.high, bars.low, bars.close, p.atr_window)
        out = np.empty((2, len(bars)))
        break_out(
            bars.high, bars.low, bars.close, top, bottom, exit_top, exit_bottom, reach, p.stop, p.patience,
            p.direction == "long-short", out,
        )  # fmt: skip
        return Signals(out[0], stop=out[1])
