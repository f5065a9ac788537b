"""What kind of market each bar lies in: trending up or down, ranging, volatile.

Pure. Four measures vote, each with a threshold to come in and a lower one to go out (hysteresis): the ADX, the slope of
a regression line against what a random walk would show, and the Hurst exponent say whether there is a trend; the rank of
the realised variance among its own past says whether the market is volatile, which outranks a trend. A state that no bar
has confirmed for ``memory`` bars is forgotten, so that the label at a bar depends on a fixed number of bars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import talib
from numba import float64, int8, int64, njit, types

from clusterx.errors import DomainError
from marketdata.indicators.memory import wilder
from marketdata.indicators.signatures import row, series
from marketdata.indicators.statistics import hurst

if TYPE_CHECKING:
    from marketdata.bars import Bars

Labels = npt.NDArray[np.int8]


class Regime(IntEnum):
    """What the labels mean."""

    UNKNOWN = 0
    TRENDING_UP = 1
    TRENDING_DOWN = 2
    RANGING = 3
    VOLATILE = 4


class InvalidRegimeRules(DomainError):
    """A window or a threshold of the detector makes no sense."""

    code = "invalid-regime-rules"


@dataclass(frozen=True, slots=True)
class RegimeRules:
    """Windows in bars; each pair of thresholds is (come in, go out), the second easier to keep than the first.

    ``slope`` counts in deviations of what a random walk shows; ``hurst`` is 0.5 on a random walk; ``volatile`` is the rank of
    the realised variance among the ``past`` bars, 0 to 1. A trend needs ``votes`` of its three measures. A change must hold
    for ``confirm`` bars.
    """

    window: int = 50
    adx_window: int = 14
    past: int = 250
    adx: tuple[float, float] = (25.0, 20.0)
    slope: tuple[float, float] = (1.0, 0.5)
    hurst: tuple[float, float] = (0.55, 0.5)
    volatile: tuple[float, float] = (0.9, 0.75)
    votes: int = 2
    confirm: int = 3
    memory: int = 200

    def __post_init__(self) -> None:
        for name, low, high in (
            ("window", 32, 2000),
            ("adx_window", 2, 200),
            ("past", 20, 2000),
            ("votes", 1, 3),
            ("confirm", 1, 50),
            ("memory", 10, 5000),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidRegimeRules(f"{name} must be {low}..{high}, was {getattr(self, name)}", field=name)
        for name in ("adx", "slope", "hurst", "volatile"):
            enter, leave = getattr(self, name)
            if not leave <= enter:
                raise InvalidRegimeRules(f"{name} must go out no higher than it comes in, was {enter:g}, {leave:g}", field=name)

    @property
    def history(self) -> int:
        """How many bars the newest label needs."""
        return max(self.window + self.past, wilder(self.adx_window, 2)) + self.memory + self.confirm + 2


def regimes(bars: Bars, rules: RegimeRules | None = None) -> Labels:
    """The regime known at the close of each bar.

    Parameters
    ----------
    bars : Bars
        n closed bars, oldest first, prices above 0.

    Returns
    -------
    (n,) int8
        Values of ``Regime``; UNKNOWN until every measure has its window. Element i uses bars 0..i alone.
    """
    rules = rules or RegimeRules()
    labels = np.zeros(len(bars), np.int8)
    if len(bars) < rules.window + rules.past:
        return labels
    logs = np.log(bars.close)
    strength = talib.ADX(bars.high, bars.low, bars.close, rules.adx_window)
    slope = talib.LINEARREG_SLOPE(logs, rules.window)
    variance = np.empty(len(bars))
    rank = np.empty(len(bars))
    mean_squares(logs, rules.window, variance)
    rank_of_newest(variance, rules.past, max(1, rules.window // 10), rank)
    limits = np.array([*rules.adx, *rules.slope, *rules.hurst, *rules.volatile])
    whole = np.array([rules.window, rules.votes, rules.confirm, rules.memory])
    label(strength, slope, variance, hurst(bars.close, rules.window), rank, limits, whole, labels)
    return labels


@njit(types.void(series, int64, row), cache=True)
def mean_squares(x, window, out):  # type: ignore[no-untyped-def]
    """Mean square of the last ``window`` changes of ``x``, summed in blocks: nothing is subtracted."""
    n = x.size
    left = np.zeros(window + 1)
    for begin in range(0, n, window):
        total = 0.0
        for j in range(1, min(window, begin) + 1):
            i = begin - j
            change = x[i] - x[i - 1] if i else 0.0
            total += change * change
            left[j] = total
        total = 0.0
        for t in range(begin, min(begin + window, n)):
            change = x[t] - x[t - 1] if t else 0.0
            total += change * change
            out[t] = (total + left[begin + window - 1 - t]) / window if t >= window else math.nan


@njit(types.void(series, int64, int64, row), cache=True)
def rank_of_newest(values, past, apart, out):  # type: ignore[no-untyped-def]
    """Share of the values of the last ``past`` bars that are smaller; NaN before there are as many.

    Windows that overlap say nearly the same, so only values ``apart`` bars from each other are asked.
    """
    count = past // apart
    for phase in range(min(apart, values.size)):
        # Side by side, so that a bar's neighbours in this order are compared several at a time.
        lane = values[phase::apart].copy()
        for k in range(lane.size):
            smaller = 0
            if k >= count and not math.isnan(lane[k - count]):
                # A difference of rounding is none: a still market has no rank.
                newest = lane[k] * (1 - 1e-9)
                for value in lane[k - count : k]:
                    smaller += value < newest
                out[phase + k * apart] = smaller / count
            else:
                out[phase + k * apart] = math.nan


@njit(
    types.void(series, series, series, series, series, float64[::1], int64[::1], int8[::1]),
    cache=True,
)
def label(adx, slope, variance, exponent, rank, limits, whole, out):  # type: ignore[no-untyped-def]
    """Votes, their confirmation and what is left of them: ``limits`` and ``whole`` as ``regimes`` packs its rules."""
    window, votes, confirm, memory = whole[0], whole[1], whole[2], whole[3]
    # The least-squares slope of a random walk of that window has this deviation, in units of its step.
    chance = math.sqrt(1.2 / window)
    since_trend, since_volatile = memory + 1, memory + 1
    up_run, down_run, wild_run, calm_run, out_run = 0, 0, 0, 0, 0
    trend, volatile = 0, False
    for t in range(out.size):
        known = adx[t] == adx[t] and slope[t] == slope[t] and rank[t] == rank[t]
        if not known:
            out[t] = 0
            trend, volatile = 0, False
            up_run = down_run = wild_run = calm_run = out_run = 0
            continue
        root = math.sqrt(variance[t])
        score = slope[t] / (root * chance) if root > 1e-12 else 0.0
        size = abs(score)
        comes = (adx[t] >= limits[0]) + (size >= limits[2]) + (exponent[t] >= limits[4])
        stays = (adx[t] >= limits[1]) + (size >= limits[3]) + (exponent[t] >= limits[5])
        up_run = up_run + 1 if comes >= votes and score > 0 else 0
        down_run = down_run + 1 if comes >= votes and score < 0 else 0
        out_run = out_run + 1 if stays < votes or trend * score < 0 else 0
        wild_run = wild_run + 1 if rank[t] >= limits[6] else 0
        calm_run = calm_run + 1 if rank[t] < limits[7] else 0
        since_trend += 1
        since_volatile += 1
        if trend != 0 and (out_run >= confirm or since_trend > memory):
            trend = 0
        # Whatever was counted under the state before is over with the new one: only this event and what follows count.
        if up_run >= confirm:
            trend, since_trend, out_run = 1, 0, 0
        elif down_run >= confirm:
            trend, since_trend, out_run = -1, 0, 0
        if volatile and (calm_run >= confirm or since_volatile > memory):
            volatile = False
        if wild_run >= confirm:
            volatile, since_volatile = True, 0
        out[t] = 4 if volatile else 1 if trend > 0 else 2 if trend < 0 else 3
