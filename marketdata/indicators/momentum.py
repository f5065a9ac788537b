"""Owns oscillators: how fast and how far price moved. All are TA-Lib's, StochRSI a composition of two of them.

Prices are (n,) arrays in quote currency, oldest first; results are (n,) and NaN until enough bars are in. All
raise IndicatorError when a window is out of range or an input is not a row of finite numbers of one length.
"""

import talib

from marketdata.indicators.arrays import Floats, ascending, floats, whole


def rsi(close: Floats, window: int) -> Floats:
    """Relative strength index, 0..100, Wilder's smoothing. TA-Lib RSI; 0 while price has never moved."""
    (close,) = floats(close=close)
    return talib.RSI(close, whole("window", window, 2))


def macd(close: Floats, fast: int, slow: int, signal: int) -> tuple[Floats, Floats, Floats]:
    """MACD line (EMA fast − EMA slow), its EMA, and their difference, in quote currency. TA-Lib MACD."""
    (close,) = floats(close=close)
    fast, slow, signal = whole("fast", fast, 2), whole("slow", slow, 2), whole("signal", signal, 2)
    ascending(fast=fast, slow=slow)
    return talib.MACD(close, fast, slow, signal)


def stochastic(high: Floats, low: Floats, close: Floats, window: int, smooth: int, signal: int) -> tuple[Floats, Floats]:
    """Slow stochastic %K and %D, 0..100: place of the close in the range of ``window`` bars, smoothed twice.

    TA-Lib STOCH with simple averages of ``smooth`` and ``signal`` bars.
    """
    high, low, close = floats(high=high, low=low, close=close)
    return talib.STOCH(
        high,
        low,
        close,
        fastk_period=whole("window", window, 2),
        slowk_period=whole("smooth", smooth, 1),
        slowd_period=whole("signal", signal, 1),
    )


def stochrsi(close: Floats, window: int, stochastic_window: int, smooth: int, signal: int) -> tuple[Floats, Floats]:
    """Stochastic of the RSI, %K and %D, 0..100 (Chande and Kroll 1994, with %K smoothed as charts draw it).

    TA-Lib's STOCHRSI leaves %K raw, so this is its STOCH over its RSI.
    """
    strength = rsi(close, window)
    return talib.STOCH(
        strength,
        strength,
        strength,
        fastk_period=whole("stochastic_window", stochastic_window, 2),
        slowk_period=whole("smooth", smooth, 1),
        slowd_period=whole("signal", signal, 1),
    )


def cci(high: Floats, low: Floats, close: Floats, window: int) -> Floats:
    """Commodity channel index: distance of the typical price from its mean in 0.015 mean deviations. TA-Lib CCI."""
    high, low, close = floats(high=high, low=low, close=close)
    return talib.CCI(high, low, close, whole("window", window, 2))


def williams_r(high: Floats, low: Floats, close: Floats, window: int) -> Floats:
    """Williams %R, −100..0: place of the close below the highest high of ``window`` bars. TA-Lib WILLR."""
    high, low, close = floats(high=high, low=low, close=close)
    return talib.WILLR(high, low, close, whole("window", window, 2))


def roc(close: Floats, window: int) -> Floats:
    """Rate of change over ``window`` bars, percent. TA-Lib ROC."""
    (close,) = floats(close=close)
    return talib.ROC(close, whole("window", window, 1))


def momentum(close: Floats, window: int) -> Floats:
    """Change over ``window`` bars, quote currency. TA-Lib MOM."""
    (close,) = floats(close=close)
    return talib.MOM(close, whole("window", window, 1))


def mfi(high: Floats, low: Floats, close: Floats, volume: Floats, window: int) -> Floats:
    """Money flow index, 0..100: share of traded value on rising typical prices. TA-Lib MFI; 0 without volume."""
    high, low, close, volume = floats(high=high, low=low, close=close, volume=volume)
    return talib.MFI(high, low, close, volume, whole("window", window, 2))
