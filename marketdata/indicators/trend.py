"""Owns direction and its strength. All are TA-Lib's; Ichimoku is its MIDPRICE four times.

Prices are (n,) arrays in quote currency, oldest first; results are (n,) and NaN until enough bars are in. All
raise IndicatorError when a parameter is out of range or an input is not a row of finite numbers of one length.
"""

from typing import NamedTuple

import numpy as np
import talib

from marketdata.indicators.arrays import Floats, ascending, floats, real, whole


class Ichimoku(NamedTuple):
    """Ichimoku lines, each (n,) in quote currency."""

    tenkan: Floats
    kijun: Floats
    span_a: Floats
    span_b: Floats
    lead_a: Floats
    lead_b: Floats


def adx(high: Floats, low: Floats, close: Floats, window: int) -> tuple[Floats, Floats, Floats]:
    """ADX, +DI and −DI, 0..100, Wilder's smoothing. TA-Lib ADX, PLUS_DI, MINUS_DI."""
    high, low, close = floats(high=high, low=low, close=close)
    window = whole("window", window, 2)
    return (
        talib.ADX(high, low, close, window),
        talib.PLUS_DI(high, low, close, window),
        talib.MINUS_DI(high, low, close, window),
    )


def aroon(high: Floats, low: Floats, window: int) -> tuple[Floats, Floats]:
    """Aroon up and down, 0..100: how recent the highest high and lowest low of ``window`` + 1 bars are.

    TA-Lib AROON (which gives down first).
    """
    high, low = floats(high=high, low=low)
    down, up = talib.AROON(high, low, whole("window", window, 2))
    return up, down


def psar(high: Floats, low: Floats, step: float, limit: float) -> tuple[Floats, Floats]:
    """Parabolic stop and reverse in quote currency, and its side: 1 below price, −1 above. TA-Lib SAR.

    ``step`` is both the first acceleration and its growth at each new extreme, up to ``limit``.
    """
    high, low = floats(high=high, low=low)
    step, limit = real("step", step, 0.001), real("limit", limit, 0.01)
    stop = talib.SAR(high, low, step, limit) if high.size > 1 else np.full(high.size, np.nan)
    side = np.where(stop < (high + low) / 2, 1.0, -1.0)
    side[np.isnan(stop)] = np.nan
    return stop, side


def supertrend(high: Floats, low: Floats, close: Floats, window: int, multiplier: float) -> tuple[Floats, Floats]:
    """Trailing band at ``multiplier`` ATR from the middle price, and its side: 1 up, −1 down. TA-Lib SUPERTREND."""
    high, low, close = floats(high=high, low=low, close=close)
    line, side = talib.SUPERTREND(high, low, close, whole("window", window, 2), real("multiplier", multiplier, 0.1))
    return line, np.where(np.isnan(line), np.nan, side)


def ichimoku(high: Floats, low: Floats, conversion: int, base: int, span: int, displacement: int) -> Ichimoku:
    """Ichimoku Kinko Hyo (Hosoda 1969); every line is a middle of a highest high and lowest low.

    ``lead_a`` and ``lead_b`` are this bar's cloud, to be drawn ``displacement`` bars ahead; ``span_a`` and
    ``span_b`` are the cloud over this bar, made ``displacement`` bars ago. None of them knows a later bar.
    """
    high, low = floats(high=high, low=low)
    conversion, base, span = whole("conversion", conversion, 2), whole("base", base, 2), whole("span", span, 2)
    ascending(conversion=conversion, base=base, span=span)
    displacement = whole("displacement", displacement, 1)
    tenkan = talib.MIDPRICE(high, low, conversion)
    kijun = talib.MIDPRICE(high, low, base)
    lead_a = (tenkan + kijun) / 2
    lead_b = talib.MIDPRICE(high, low, span)
    return Ichimoku(tenkan, kijun, _later(lead_a, displacement), _later(lead_b, displacement), lead_a, lead_b)


def _later(values: Floats, bars: int) -> Floats:
    moved = np.full(values.size, np.nan)
    if bars < values.size:
        moved[bars:] = values[:-bars]
    return moved
