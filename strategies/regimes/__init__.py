"""What kind of market each bar lies in: trending up or down, ranging, volatile.

Pure. Four measures vote, each with a threshold to come in and a lower one to go out (hysteresis): the ADX, the slope of
a regression line against what a random walk would show, and the Hurst exponent say whether there is a trend; the rank of
the realised variance among its own past says whether the market is volatile, which outranks a trend. A state that no bar
has confirmed for ``memory`` bars is forgotten, so that the label at a bar depends on a fixed number of bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clusterx.errors import DomainError
from marketdata.indicators.memory import wilder

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
    # Imported when it runs: processes that only list strategies do without the numeric libraries.
    import talib

    from marketdata.indicators.statistics import hurst
    from strategies.regimes.kernels import label, mean_squares, rank_of_newest

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
