"""Bars of a higher timeframe for a strategy that runs on a lower one, without a look ahead.

Pure. The higher bars are built from the strategy's own bars, so both are one series of facts: a higher bar is known as
soon as the base bar that ends it has closed, and not before.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from marketdata.timeframes import Timeframe

Floats = npt.NDArray[np.float64]


class Higher:
    """The closed bars of ``timeframe`` that ``bars`` make.

    ``bars`` must be of a timeframe that divides the higher one, and hold two bars that follow each other without a hole
    before their first higher bar ends: the shortest distance between two of them is their length, unless ``step`` tells it
    in seconds. The first higher bar is left out where ``bars`` do not hold its beginning, and so is the last one that has
    not closed.
    """

    def __init__(self, bars: Bars, timeframe: str, *, step: int | None = None) -> None:
        self.base = bars
        self.timeframe = Timeframe.of(timeframe)
        # One bar does not tell how long it is; taken as short, it completes nothing.
        self.step = step or (int(np.diff(bars.time).min()) if len(bars) > 1 else 1)
        if self.timeframe.seconds % self.step or self.timeframe.seconds < self.step:
            raise ValueError(f"{timeframe} is no multiple of the bars' {self.step} s")

    @cached_property
    def _spans(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Opening time, first and last-but-one index of base bars, of each complete higher bar."""
        time = self.base.time
        opened = time - time % self.timeframe.seconds
        starts = np.flatnonzero(np.r_[True, opened[1:] != opened[:-1]]) if len(time) else np.zeros(0, np.int64)
        ends = np.r_[starts[1:], len(time)] if len(time) else starts
        # A higher bar has closed when the base bar that ends it has, or when a later one is there.
        complete = np.ones(len(starts), np.bool_)
        if len(starts):
            complete[-1] = time[-1] + self.step >= opened[-1] + self.timeframe.seconds
            complete[0] &= time[0] == opened[0]
        return opened[starts][complete], starts[complete], ends[complete]

    @cached_property
    def bars(self) -> Bars:
        """The higher bars, oldest first."""
        opened, starts, ends = self._spans
        if not len(starts):
            return Bars.empty()
        base, last = self.base, ends[-1]
        high = np.maximum.reduceat(base.high[:last], starts)
        low = np.minimum.reduceat(base.low[:last], starts)
        volume = np.add.reduceat(base.volume[:last], starts)
        return Bars(opened, base.open[starts], high, low, base.close[ends - 1], volume)

    @cached_property
    def newest(self) -> npt.NDArray[np.int64]:
        """(n,) the index of the newest higher bar that had closed when each base bar did; -1 before the first."""
        opened, starts, _ = self._spans
        time = self.base.time
        # Known with the base bar that closes when the higher one does; in a hole with the first bar after it.
        known = np.searchsorted(time, opened + self.timeframe.seconds - self.step)
        return np.repeat(np.arange(-1, len(starts)), np.diff(np.r_[0, known, len(time)]))

    def align(self, values: Floats) -> Floats:
        """For each base bar, the value of the newest higher bar that had closed by then; NaN before the first.

        Parameters
        ----------
        values : (m,) float64
            One for each of ``bars``, from what an indicator made of them.

        Returns
        -------
        (n,) float64
        """
        _, starts, _ = self._spans
        if len(values) != len(starts):
            raise ValueError(f"values must be {len(starts)}, one for each higher bar, were {len(values)}")
        # The last of these is what -1 reads.
        return np.append(np.asarray(values, dtype=np.float64), np.nan)[self.newest]
