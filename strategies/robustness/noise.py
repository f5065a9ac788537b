"""Noise test: the same history, each price a little off, as another venue or another second might have printed it.

In logarithms of price, with s = ``scale`` times the true range of recent bars (mean of 14 up to the bar) as its deviation:

    open' = open·e^(ε₁), close' = close·e^(ε₂), high' = max(high·e^(ε₃), open', close'), low' = min(low·e^(ε₄), open', close')

Every bar stays a bar, nothing accumulates, and bars that stood still keep standing still where the market around them did.
A strategy whose result dies of a twentieth of a bar's range was fitted to the prints and not to the market.

Source: the idea as in Masters, "Testing and Tuning Market Trading Systems", 2018, and the noise tests of trading workbenches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from strategies.robustness.samples import Floats, InvalidSample, generator, row

RANGE_BARS: Final = 14


def jitter(bars: Bars, *, seed: int, run: int = 0, scale: float = 0.05, volume_scale: float = 0.0) -> Bars:
    """``bars`` with noise.

    Parameters
    ----------
    bars : Bars
        Prices above 0.
    seed, run : int
        Together they name the noise.
    scale : float
        Deviation of a price in parts of the recent true range, 0..1.
    volume_scale : float
        Deviation of the logarithm of volume, 0..1. A bar without volume keeps none.

    Raises
    ------
    InvalidSample
        If a number is out of range or a price is not above 0.
    """
    if not 0 <= scale <= 1 or not 0 <= volume_scale <= 1:
        raise InvalidSample(f"scale and volume_scale must be 0..1, were {scale} and {volume_scale}")
    prices = [row(name, getattr(bars, name)) for name in ("open", "high", "low", "close")]
    if min(price.min() for price in prices) <= 0:
        raise InvalidSample("prices must be above 0")
    open_, high, low, close = prices
    deviation = scale * recent_range(high, low, close)
    rng = generator(seed, run)
    draws = rng.standard_normal((5, len(bars)))
    new_open, new_close = open_ * np.exp(deviation * draws[0]), close * np.exp(deviation * draws[1])
    new_high = np.maximum(high * np.exp(deviation * draws[2]), np.maximum(new_open, new_close))
    new_low = np.minimum(low * np.exp(deviation * draws[3]), np.minimum(new_open, new_close))
    return Bars(bars.time, new_open, new_high, new_low, new_close, bars.volume * np.exp(volume_scale * draws[4]))


def recent_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """(n,) mean of the log true range over the last 14 bars up to each, fewer at the beginning."""
    before = np.concatenate([close[:1], close[:-1]])
    span = np.log(np.maximum(high, before)) - np.log(np.minimum(low, before))
    total = np.concatenate([[0.0], np.cumsum(span)])
    stop = np.arange(1, len(span) + 1)
    start = np.maximum(stop - RANGE_BARS, 0)
    mean: Floats = np.maximum((total[stop] - total[start]) / (stop - start), 0.0)
    return mean


@dataclass(frozen=True, slots=True)
class NoiseOutcome:
    """A score on the true bars beside its scores under noise.

    ``kept`` is the median under noise over the true score (NaN where that is not above 0); ``worse`` the share of runs that
    lost half of the true score or more; ``rank`` the share of runs below the true score: near 1, the true bars were the
    luckiest of all.
    """

    score: float
    median: float
    low: float
    high: float
    kept: float
    worse: float
    rank: float


def judge(score: float, noisy: npt.ArrayLike) -> NoiseOutcome:
    """Compare a score, higher being better, with the (runs,) scores of the same strategy on jittered bars.

    ``low`` and ``high`` of the outcome are the 5 % and 95 % quantiles under noise.
    """
    scores = row("noisy", noisy)
    low, median, high = (float(q) for q in np.quantile(scores, (0.05, 0.5, 0.95)))
    kept = median / score if score > 0 else float("nan")
    worse = float((scores <= score - abs(score) / 2).mean()) if score != 0 else float((scores < 0).mean())
    return NoiseOutcome(float(score), median, low, high, kept, worse, float((scores < score).mean()))
