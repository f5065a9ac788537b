"""Owns what treats prices as a sample: regression, Hurst exponent, the fitted normal.

Slope and line are TA-Lib's; residual deviation, Hurst exponent and normal probability are ours. ``close`` is (n,)
in quote currency, oldest first; results are (n,) and NaN until the window is full. All raise IndicatorError when
a parameter is out of range or ``close`` is not a row of finite numbers.
"""

from math import erfc, log2, sqrt

import numpy as np
import talib
from numba import float64, int64, njit, types

from marketdata.indicators.arrays import Floats, IndicatorError, floats, real, whole
from marketdata.indicators.signatures import series


def linreg_slope(close: Floats, window: int) -> Floats:
    """Slope of the least-squares line through the last ``window`` closes, quote currency a bar.

    TA-Lib LINEARREG_SLOPE.
    """
    (close,) = floats(close=close)
    return talib.LINEARREG_SLOPE(close, whole("window", window, 2))


def linreg_channel(close: Floats, window: int, deviations: float) -> tuple[Floats, Floats, Floats]:
    """End of the least-squares line and a channel of ``deviations`` residual deviations around it.

    Returns
    -------
    three (n,) float64
        Upper, middle (TA-Lib LINEARREG) and lower, quote currency. The deviation of the residuals is that of the
        population, √(Σ(close − line)² / window).
    """
    (close,) = floats(close=close)
    window = whole("window", window, 3)
    reach = real("deviations", deviations, 0.1) * _residual_deviation(close, window)
    line = talib.LINEARREG(close, window)
    return line + reach, line, line - reach


def hurst(close: Floats, window: int) -> Floats:
    """Hurst exponent of the log price over ``window`` bars: 0.5 a random walk, above trending, below reverting.

    Half the least-squares slope of log₂ E(x[t] − x[t − k])² on log₂ k for k = 1, 2, 4, 8, each over the newest
    ``window`` − 8 bars: the generalised exponent of order 2 (Mandelbrot and Van Ness 1968; Di Matteo 2003). NaN
    where price stood still.

    Raises
    ------
    IndicatorError
        Also if a close is not positive.
    """
    (close,) = floats(close=close)
    window = whole("window", window, 32)
    if close.size and close.min() <= 0:
        raise IndicatorError(f"close must be positive for a Hurst exponent, has {close.min():g}")
    return _hurst(np.log(close), window)


def normal_bands(close: Floats, window: int, deviations: float) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Bands of the normal distribution fitted to the last ``window`` closes, and where the close lies in it.

    Returns
    -------
    five (n,) float64
        Upper, middle, lower in quote currency (mean ± ``deviations`` population deviations: TA-Lib BBANDS);
        ``probability``, 0..1, that a draw lies at least as far from the mean as the close, 2(1 − Φ(|z|)); and
        ``percentile``, 0..1, that it lies below it, Φ(z). The last two are NaN where price stood still.
    """
    (close,) = floats(close=close)
    window = whole("window", window, 2)
    width = real("deviations", deviations, 0.1)
    upper, middle, lower = talib.BBANDS(close, window, width, width, 0)
    probability, percentile = _normal(close, middle, talib.STDDEV(close, window, 1.0))
    return upper, middle, lower, probability, percentile


@njit(float64[::1](series, int64), cache=True)
def _residual_deviation(close, window):  # type: ignore[no-untyped-def]
    """Sums over a window as what is left of the block before plus what is in of this one: nothing is subtracted.

    Both are taken about the close that opens the block, which lies in every window that reaches into it.
    """
    n = close.size
    out = np.full(n, np.nan)
    left = np.zeros((window + 1, 3))
    middle = (window - 1) / 2
    square = (window * window - 1) / 12
    for begin in range(0, n, window):
        centre = close[begin]
        a, b, c = 0.0, 0.0, 0.0
        for j in range(1, window + 1):
            if begin < j:
                break
            y = close[begin - j] - centre
            a += y
            b += y * y
            c -= j * y
            left[j, 0], left[j, 1], left[j, 2] = a, b, c
        a, b, c = 0.0, 0.0, 0.0
        for t in range(begin, min(begin + window, n)):
            k = t - begin
            y = close[t] - centre
            a += y
            b += y * y
            c += k * y
            rest = window - 1 - k
            if t >= window - 1:
                total = (a + left[rest, 0]) / window
                squares = (b + left[rest, 1]) / window - total * total
                # Covariance with the bar number, counted from the middle of the window.
                joint = (c + left[rest, 2]) / window - (k - middle) * total
                out[t] = sqrt(max(squares - joint * joint / square, 0.0))
    return out


@njit(float64[::1](series, int64), cache=True)
def _hurst(x, window):  # type: ignore[no-untyped-def]
    """Mean squares of four lags over the same bars, summed in blocks as in the residual deviation."""
    n = x.size
    out = np.full(n, np.nan)
    terms = window - 8
    left = np.zeros((terms + 1, 4))
    for begin in range(8, n, terms):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(1, min(terms, begin - 8) + 1):
            i = begin - j
            a += (x[i] - x[i - 1]) ** 2
            b += (x[i] - x[i - 2]) ** 2
            c += (x[i] - x[i - 4]) ** 2
            d += (x[i] - x[i - 8]) ** 2
            left[j, 0], left[j, 1], left[j, 2], left[j, 3] = a, b, c, d
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for t in range(begin, min(begin + terms, n)):
            a += (x[t] - x[t - 1]) ** 2
            b += (x[t] - x[t - 2]) ** 2
            c += (x[t] - x[t - 4]) ** 2
            d += (x[t] - x[t - 8]) ** 2
            if t < window - 1:
                continue
            rest = terms - 1 - (t - begin)
            one, two = a + left[rest, 0], b + left[rest, 1]
            if one > 0 and two > 0:
                # The slope over the lags 2^0..2^3 weighs them -3, -1, 1, 3 by 10; half of it is the exponent.
                far, near = (d + left[rest, 3]) / one, (c + left[rest, 2]) / two
                out[t] = log2(far * far * far * near) / 20 if far > 0 and near > 0 else 0.0
    return out


@njit(types.UniTuple(float64[::1], 2)(series, series, series), cache=True)
def _normal(close, mean, deviation):  # type: ignore[no-untyped-def]
    n = close.size
    probability, percentile = np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        if deviation[i] > 0:
            z = (close[i] - mean[i]) / deviation[i]
            tail = 0.5 * erfc(abs(z) * 0.7071067811865476)
            probability[i] = 2 * tail
            percentile[i] = tail if z < 0 else 1 - tail
    return probability, percentile
