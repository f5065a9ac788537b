"""Owns what treats prices as a sample: regression, Hurst exponent, the fitted normal.

Slope and line are TA-Lib's; residual deviation, Hurst exponent and normal probability are ours. ``close`` is (n,)
in quote currency, oldest first; results are (n,) and NaN until the window is full. All raise IndicatorError when
a parameter is out of range or ``close`` is not a row of finite numbers.
"""

from math import erfc, pi, sqrt

import numpy as np
import talib
from numba import float64, int64, njit, types

from marketdata.indicators.arrays import Floats, IndicatorError, floats, real, whole
from marketdata.indicators.signatures import row, rows, series

_STEPS = 512


def _tail_pieces() -> Floats:
    """Twice the upper tail of the normal as cubics, ``_STEPS`` a deviation up to 8: (4096, 4), constant first.

    Hermite's, from the tail and its slope at the nodes. A third of the time of calling erfc for each bar, with a
    relative error below 1e-9.
    """
    nodes = np.arange(8 * _STEPS + 1) / _STEPS
    tail = np.array([erfc(z / sqrt(2)) for z in nodes])
    fall = np.exp(-(nodes**2) / 2) * (2 / sqrt(2 * pi) / _STEPS)
    drop, left, right = tail[:-1] - tail[1:], fall[:-1], fall[1:]
    return np.stack((tail[:-1], -left, 2 * left + right - 3 * drop, 2 * drop - left - right), axis=1)


_TAIL = _tail_pieces()


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
    width, out = real("deviations", deviations, 0.1), np.full((3, close.size), np.nan)
    _channel(close, talib.LINEARREG(close, window), window, width, out)
    return out[0], out[1], out[2]


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
    out = np.full(close.size, np.nan)
    if close.size >= window:
        _hurst(np.log(close), window, out)
    np.log2(out, out=out)
    out /= 20
    return out


def normal_bands(close: Floats, window: int, deviations: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Bands of the normal distribution fitted to the last ``window`` closes, and how likely the close is under it.

    Returns
    -------
    four (n,) float64
        Upper, middle, lower in quote currency (mean ± ``deviations`` population deviations, TA-Lib SMA and STDDEV);
        and the probability, 0..1, that a draw lies at least as far from the mean as the close, 2(1 − Φ(|z|)), NaN
        where price stood still.
    """
    (close,) = floats(close=close)
    window = whole("window", window, 2)
    width = real("deviations", deviations, 0.1)
    middle, deviation, out = talib.SMA(close, window), talib.STDDEV(close, window, 1.0), np.empty((2, close.size))
    _normal(close, middle, deviation, width, _TAIL, out)
    return out[0], middle, out[1], deviation


@njit(types.void(series, series, int64, float64, rows), cache=True)
def _channel(close, line, window, width, out):  # type: ignore[no-untyped-def]
    """Sums over a window as what is left of the block before plus what is in of this one: nothing is subtracted.

    Both are taken about the close that opens the block, which lies in every window that reaches into it.
    """
    n = close.size
    left = np.zeros((window + 1, 3))
    each, middle = 1.0 / window, (window - 1) / 2
    steep = 12.0 / (window * window - 1)
    for begin in range(0, n, window):
        centre = close[begin]
        a, b, c, k = 0.0, 0.0, 0.0, 0.0
        for j in range(1, min(window, begin) + 1):
            y = close[begin - j] - centre
            k -= 1.0
            a += y
            b += y * y
            c += k * y
            left[j, 0], left[j, 1], left[j, 2] = a, b, c
        a, b, c, k = 0.0, 0.0, 0.0, 0.0
        for t in range(begin, min(begin + window, n)):
            y = close[t] - centre
            a += y
            b += y * y
            c += k * y
            if t >= window - 1:
                rest = begin + window - 1 - t
                mean = (a + left[rest, 0]) * each
                # Covariance with the bar number, counted from the middle of the window.
                joint = (c + left[rest, 2]) * each - (k - middle) * mean
                square = (b + left[rest, 1]) * each - mean * mean - joint * joint * steep
                reach = width * sqrt(max(square, 0.0))
                out[0, t], out[1, t], out[2, t] = line[t] + reach, line[t], line[t] - reach
            k += 1.0


@njit(types.void(series, int64, row), cache=True)
def _hurst(x, window, out):  # type: ignore[no-untyped-def]
    """2 to the 20th of the exponent: mean squares of four lags over the same bars, summed in blocks as in the channel.

    The slope over the lags 2^0..2^3 weighs their logarithms -3, -1, 1, 3 by 10; half of it is the exponent.
    """
    terms = window - 8
    squares, left = np.zeros((terms, 4)), np.zeros((terms + 1, 4))
    now, one_ago, two_ago, four_ago, eight_ago = x[8:], x[7:], x[6:], x[4:], x
    for begin in range(0, now.size, terms):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        if begin:
            for j in range(terms):
                k = terms - 1 - j
                a += squares[k, 0]
                b += squares[k, 1]
                c += squares[k, 2]
                d += squares[k, 3]
                left[j + 1, 0], left[j + 1, 1], left[j + 1, 2], left[j + 1, 3] = a, b, c, d
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for k in range(min(terms, now.size - begin)):
            t = begin + k
            e, f, g, h = now[t] - one_ago[t], now[t] - two_ago[t], now[t] - four_ago[t], now[t] - eight_ago[t]
            e, f, g, h = e * e, f * f, g * g, h * h
            squares[k, 0], squares[k, 1], squares[k, 2], squares[k, 3] = e, f, g, h
            a += e
            b += f
            c += g
            d += h
            if begin or k == terms - 1:
                rest = terms - 1 - k
                one, two = a + left[rest, 0], b + left[rest, 1]
                if one > 0 and two > 0:
                    four, eight = c + left[rest, 2], d + left[rest, 3]
                    ratio = eight * eight * eight * four / (one * one * one * two)
                    out[t + 8] = ratio if ratio > 0 else 1.0


@njit(types.void(series, series, row, float64, rows, rows), cache=True)
def _normal(close, mean, deviation, width, pieces, out):  # type: ignore[no-untyped-def]
    """Bands into ``out``; the probability takes the place of the deviation, which saves a pass over fresh memory."""
    upper, lower, probability = out[0], out[1], deviation
    for i in range(close.size):
        reach = width * deviation[i]
        upper[i], lower[i] = mean[i] + reach, mean[i] - reach
        if deviation[i] > 0:
            z = abs(close[i] - mean[i]) / deviation[i]
            place = z * _STEPS
            node = int(place)
            if node < pieces.shape[0]:
                u, piece = place - node, pieces[node]
                probability[i] = piece[0] + u * (piece[1] + u * (piece[2] + u * piece[3]))
            else:
                probability[i] = erfc(z * 0.7071067811865476)
        else:
            probability[i] = np.nan
