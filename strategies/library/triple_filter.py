"""Four indicators that must agree: SMA, RSI, MACD and ADX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import exponential, wilder
from strategies.contract import Parameter, Parameters, Signals, Strategy
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, held, patience, stop_distance

if TYPE_CHECKING:
    from marketdata.bars import Bars


class TripleFilter(Strategy):
    """Long when trend (SMA), momentum (RSI, MACD) and strength (ADX) agree, until the close is back below the average."""

    name = "triple-filter"
    label = "Triple filter"
    summary = (
        "Buys when the close is above its average, RSI and MACD point upward without excess and ADX says that there is a "
        "trend; leaves at the average, a stop or a goal."
    )
    rationale = (
        "Each indicator errs in its own way: an average is late, MACD nervous, RSI blind to strong trends, and ADX knows no "
        "direction. Asking all of them leaves out most of the false starts of each. It fails by coming late, for agreement "
        "takes time, and by seeming better than it is: four indicators of one price are less than four opinions, with many "
        "numbers to fit."
    )
    levels = ("stop", "take_profit")
    parameters = (
        Parameter(
            "average", "Average", "int", 100, minimum=10, maximum=400, step=5, help="Bars of the SMA that tells the trend."
        ),
        Parameter("rsi", "RSI window", "int", 14, minimum=2, maximum=50, step=1, help="Bars."),
        Parameter(
            "ceiling", "RSI ceiling", "float", 75, minimum=55, maximum=100, step=1, help="Above it the move is in excess."
        ),
        Parameter("adx", "ADX window", "int", 14, minimum=2, maximum=50, step=1, help="Bars."),
        Parameter("strength", "Least ADX", "float", 20, minimum=0, maximum=60, step=1, help="Below it there is no trend."),
        ATR_WINDOW,
        stop_distance(3.0),
        Parameter("profit", "Goal", "float", 6.0, minimum=0.5, maximum=40, step=0.5, help="Average ranges from the entry."),
        patience(200),
        DIRECTION,
    )

    def history(self, p: Parameters) -> int:
        settled = max(int(p.average), wilder(p.rsi), wilder(p.adx, 2), wilder(p.atr_window), exponential(26, 2))
        return settled + int(p.patience) + 2

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        import talib

        from marketdata.indicators.momentum import macd, rsi
        from marketdata.indicators.moving import sma
        from marketdata.indicators.volatility import atr
        from strategies.library.kernels import filters

        high, low, close = bars.high, bars.low, bars.close
        line, signal, _ = macd(close, 12, 26, 9)
        score = np.empty(len(bars))
        trend = talib.ADX(
            high, low, close, p.adx
        )  # the registry's adx makes its two directions as well, which nothing asks for
        filters(close, sma(close, p.average), rsi(close, p.rsi), line, signal, trend, p.strength, p.ceiling, score)
        reach = atr(high, low, close, p.atr_window)
        return held(
            score,
            bars,
            enter=2.0,
            leave=0.0,
            patience=p.patience,
            direction=p.direction,
            reach=reach,
            stop=p.stop,
            profit=p.profit,
        )
