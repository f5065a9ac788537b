"""Another rule and another risk for each kind of market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketdata.indicators.memory import wilder
from strategies.contract import Parameter, Parameters, Signals, Strategy, validate
from strategies.library.bollinger_reversion import BollingerMeanReversion
from strategies.library.direction import DIRECTION
from strategies.library.holding import ATR_WINDOW, stop_distance

if TYPE_CHECKING:
    from marketdata.bars import Bars

REVERSION = BollingerMeanReversion()


class RegimeAdaptive(Strategy):
    """Follows a trend in a trend, buys low in a range, and stands aside or small where the market is wild."""

    name = "regime-adaptive"
    label = "Regime adaptive"
    summary = (
        "Asks first what kind of market it is: follows the trend with a trailing stop while there is one, trades back to the "
        "mean in a range, and holds less where the market is wild, with a share of equity for each."
    )
    rationale = (
        "Trend rules lose in ranges what they win in trends, and reversion rules the other way round. Switching between them "
        "by ADX, regression slope, Hurst exponent and the rank of variance keeps each out of most of its bad times, and "
        "cutting the size where variance is high steadies the rest. It fails at the seams: a regime is known only after it "
        "began, so that it buys the first fall of a trend as a range and the last rise as a trend."
    )
    levels = ("stop", "take_profit", "trail")
    parameters = (
        Parameter(
            "window", "Window", "int", 50, minimum=32, maximum=500, step=1, help="Bars of slope, variance and Hurst exponent."
        ),
        Parameter("past", "Past", "int", 250, minimum=20, maximum=2000, step=10, help="Bars that variance is ranked in."),
        Parameter("trend_share", "In a trend", "float", 1.0, minimum=0, maximum=1, step=0.05, help="Exposure while it trends."),
        Parameter(
            "range_share", "In a range", "float", 0.5, minimum=0, maximum=1, step=0.05, help="Exposure of a trade in a range."
        ),
        Parameter(
            "wild_share", "When volatile", "float", 0.0, minimum=0, maximum=1, step=0.05, help="Exposure along the trend."
        ),
        Parameter("trail", "Trail", "float", 5.0, minimum=0.5, maximum=20, step=0.25, help="Average ranges behind a trend."),
        Parameter("band", "Bands", "int", 20, minimum=5, maximum=200, step=1, help="Bars of the bands traded in a range."),
        stop_distance(3.0),
        ATR_WINDOW,
        DIRECTION,
    )

    def history(self, p: Parameters) -> int:
        from strategies.regimes import RegimeRules

        rules = RegimeRules(window=p.window, past=p.past)
        return max(rules.history, REVERSION.history(self._of_range(p)), wilder(p.atr_window))

    def signals(self, bars: Bars, p: Parameters) -> Signals:
        from marketdata.indicators.moving import sma
        from marketdata.indicators.volatility import atr
        from strategies.library.direction import exposure
        from strategies.library.kernels import scaled
        from strategies.regimes import Regime, RegimeRules, regimes

        labels = regimes(bars, RegimeRules(window=p.window, past=p.past))
        inside = REVERSION.signals(bars, self._of_range(p))
        along = exposure(bars.close, sma(bars.close, p.window), scale=bars.close, direction=p.direction)
        down = -p.trend_share if p.direction == "long-short" else 0.0
        shares = np.array([0.0, p.trend_share, down, 0.0, 0.0])
        wanted = shares[labels]
        ranging, wild = labels == Regime.RANGING, labels == Regime.VOLATILE
        wanted[ranging] = p.range_share * inside.exposure[ranging]
        wanted[wild] = p.wild_share * along[wild]
        trail = np.empty(len(bars))
        scaled(atr(bars.high, bars.low, bars.close, p.atr_window), p.trail, trail)
        assert inside.stop is not None
        assert inside.take_profit is not None
        return Signals(
            wanted,
            stop=np.where(ranging, inside.stop, np.nan),
            take_profit=np.where(ranging, inside.take_profit, np.nan),
            trail=np.where(ranging, np.nan, trail),
        )

    def _of_range(self, p: Parameters) -> Parameters:
        return validate(REVERSION, {"window": p.band, "atr_window": p.atr_window, "stop": p.stop, "direction": p.direction})
