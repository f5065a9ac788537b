"""Owns moving averages of the close. All are TA-Lib's; an exponential one starts from a simple average.

Every function takes ``close`` (n,) in quote currency, oldest first, and returns (n,) in quote currency, NaN
until its window is full, NaN throughout when the series is shorter. All raise IndicatorError when the window
is below 2 or ``close`` is not a row of finite numbers.
"""

import talib

from marketdata.indicators.arrays import Floats, floats, whole


def sma(close: Floats, window: int) -> Floats:
    """Simple moving average of the last ``window`` closes. TA-Lib SMA."""
    (close,) = floats(close=close)
    return talib.SMA(close, whole("window", window, 2))


def ema(close: Floats, window: int) -> Floats:
    """Exponential moving average, weight 2 / (window + 1), seeded with the first SMA. TA-Lib EMA."""
    (close,) = floats(close=close)
    return talib.EMA(close, whole("window", window, 2))


def wma(close: Floats, window: int) -> Floats:
    """Linearly weighted moving average, the newest close weighs ``window``. TA-Lib WMA."""
    (close,) = floats(close=close)
    return talib.WMA(close, whole("window", window, 2))


def dema(close: Floats, window: int) -> Floats:
    """Double exponential average, 2·EMA − EMA(EMA) (Mulloy 1994). TA-Lib DEMA; first value at 2·(window − 1)."""
    (close,) = floats(close=close)
    return talib.DEMA(close, whole("window", window, 2))


def tema(close: Floats, window: int) -> Floats:
    """Triple exponential average (Mulloy 1994). TA-Lib TEMA; first value at 3·(window − 1)."""
    (close,) = floats(close=close)
    return talib.TEMA(close, whole("window", window, 2))


def kama(close: Floats, window: int) -> Floats:
    """Kaufman's adaptive average; the efficiency over ``window`` bars moves its speed between EMA 2 and EMA 30.

    TA-Lib KAMA; first value at ``window``.
    """
    (close,) = floats(close=close)
    return talib.KAMA(close, whole("window", window, 2))


def hma(close: Floats, window: int) -> Floats:
    """Hull moving average, WMA(2·WMA(window / 2) − WMA(window), √window) (Hull 2005). TA-Lib HMA."""
    (close,) = floats(close=close)
    return talib.HMA(close, whole("window", window, 2))


def smma(close: Floats, window: int) -> Floats:
    """Smoothed moving average, weight 1 / window: Wilder's average (1978). TA-Lib RMA."""
    (close,) = floats(close=close)
    return talib.RMA(close, whole("window", window, 2))


def vwma(close: Floats, volume: Floats, window: int) -> Floats:
    """Average of the last ``window`` closes weighted by their volume. TA-Lib VWMA; NaN without volume."""
    close, volume = floats(close=close, volume=volume)
    return talib.VWMA(close, volume, whole("window", window, 2))
