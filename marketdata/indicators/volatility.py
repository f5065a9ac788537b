"""Owns the size of moves and the bands made of it. All are TA-Lib's; the z-score is two of them.

Prices are (n,) arrays in quote currency, oldest first; results are (n,), in quote currency unless said, and NaN
until enough bars are in. All raise IndicatorError when a parameter is out of range or an input is not a row of
finite numbers of one length.
"""

import numpy as np
import talib

from marketdata.indicators.arrays import Floats, floats, real, whole


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Largest of high − low and the distances of both from the last close (Wilder 1978). TA-Lib TRANGE."""
    high, low, close = floats(high=high, low=low, close=close)
    return talib.TRANGE(high, low, close)


def atr(high: Floats, low: Floats, close: Floats, window: int) -> Floats:
    """Average true range, Wilder's smoothing, seeded with a simple average. TA-Lib ATR."""
    high, low, close = floats(high=high, low=low, close=close)
    return talib.ATR(high, low, close, whole("window", window, 2))


def standard_deviation(close: Floats, window: int) -> Floats:
    """Population standard deviation of the last ``window`` closes. TA-Lib STDDEV."""
    (close,) = floats(close=close)
    return talib.STDDEV(close, whole("window", window, 2), 1.0)


def zscore(close: Floats, window: int) -> Floats:
    """Deviations of the close from its mean over ``window`` bars; NaN where price stood still.

    TA-Lib SMA and STDDEV (population).
    """
    (close,) = floats(close=close)
    deviation = standard_deviation(close, window)
    score = np.full(close.size, np.nan)
    return np.divide(close - talib.SMA(close, window), deviation, out=score, where=deviation > 0)


def bollinger(close: Floats, window: int, deviations: float) -> tuple[Floats, Floats, Floats]:
    """Upper, middle and lower Bollinger band: SMA ± ``deviations`` population deviations. TA-Lib BBANDS."""
    (close,) = floats(close=close)
    width = real("deviations", deviations, 0.1)
    return talib.BBANDS(close, whole("window", window, 2), width, width, 0)


def keltner(
    high: Floats, low: Floats, close: Floats, window: int, atr_window: int, multiplier: float
) -> tuple[Floats, Floats, Floats]:
    """Upper, middle and lower Keltner band: EMA of the typical price ± ``multiplier`` ATR. TA-Lib KC."""
    high, low, close = floats(high=high, low=low, close=close)
    return talib.KC(
        high,
        low,
        close,
        whole("window", window, 2),
        whole("atr_window", atr_window, 2),
        real("multiplier", multiplier, 0.1),
    )


def donchian(high: Floats, low: Floats, window: int) -> tuple[Floats, Floats, Floats]:
    """Highest high, middle and lowest low of ``window`` bars, this bar included. TA-Lib DONCHIAN."""
    high, low = floats(high=high, low=low)
    return talib.DONCHIAN(high, low, whole("window", window, 2))
