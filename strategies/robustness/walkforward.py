"""Walk-forward: windows to tune in and windows to judge in, their stitched equity, efficiency and drift of parameters.

Each window tunes on its training bars and is judged on the bars after them; *anchored* training always begins at the
first bar, *rolling* training keeps its length and moves on. Test windows touch and never overlap, so that every bar is
out of sample at most once. An embargo leaves out the last bars before a test, where what was open in training may still
echo.

Source: Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd ed. 2008, chapters 11 and 12.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from strategies.contract import Value
from strategies.robustness.samples import Floats, Ints, InvalidPlan, InvalidSample, row
from strategies.robustness.space import Space

Mode = Literal["anchored", "rolling"]


@dataclass(frozen=True, slots=True)
class Window:
    """Bars ``train_start <= i < train_stop`` to tune in, and ``test_start <= i < test_stop`` to judge in."""

    train_start: int
    train_stop: int
    test_start: int
    test_stop: int

    @property
    def train(self) -> slice:
        return slice(self.train_start, self.train_stop)

    @property
    def test(self) -> slice:
        return slice(self.test_start, self.test_stop)

    def to_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


def windows(n: int, *, train: int, test: int, mode: Mode = "rolling", embargo: int = 0, partial: bool = True) -> list[Window]:
    """Windows over ``n`` bars, oldest first.

    Parameters
    ----------
    n : int
        Bars.
    train, test : int
        Bars of the (first) training window, before the embargo is taken off its end, and of each test window.
    embargo : int
        Bars between training and test that neither uses.
    partial : bool
        Whether a last test window that is shorter than ``test`` counts.

    Raises
    ------
    InvalidPlan
        If a length is out of range or there are not enough bars for one window.
    """
    if train < 1 or test < 1 or embargo < 0 or embargo >= train:
        raise InvalidPlan(f"train and test must be at least 1 bar and embargo below train, were {train}, {test} and {embargo}")
    if n < train + (1 if partial else test):
        raise InvalidPlan(f"{n} bars are too few for {train} bars of training and {test} of test", bars=n)
    made = []
    for start in range(train, n, test):
        stop = min(start + test, n)
        if stop - start < test and not partial:
            break
        made.append(Window(0 if mode == "anchored" else start - train, start - embargo, start, stop))
    return made


def planned(n: int, count: int, *, test_share: float = 0.25, mode: Mode = "rolling", embargo: int = 0) -> list[Window]:
    """``count`` windows that end at the last bar, each tested on ``test_share`` of the bars that its (first) window covers.

    With share s and ``count`` windows w, the test length is t = n·s / (1 - s + w·s), so that train + w·t = n and
    t = s·(train + t); what rounding leaves over goes to the first training window.

    Raises InvalidPlan.
    """
    if count < 1 or not 0 < test_share < 1:
        raise InvalidPlan(f"a plan needs at least 1 window and a test share between 0 and 1, had {count} and {test_share}")
    test = int(n * test_share / (1 - test_share + count * test_share))
    if test < 1:
        raise InvalidPlan(f"{n} bars are too few for {count} windows", bars=n)
    return windows(n, train=n - count * test, test=test, mode=mode, embargo=embargo)


def windows_by_time(
    time: npt.ArrayLike, *, train: int, test: int, mode: Mode = "rolling", embargo: int = 0, least_bars: int = 1
) -> list[Window]:
    """Windows of a fixed duration, for bars with holes or sessions.

    Parameters
    ----------
    time : (n,) int64
        Opening of each bar, epoch seconds, ascending.
    train, test, embargo : int
        Seconds. Windows are laid from the first bar's opening on.
    least_bars : int
        A window with fewer bars in training or in test is left out.

    Raises
    ------
    InvalidPlan
        If the times do not ascend, a duration is out of range, or no window is left.
    """
    opening = np.asarray(time, dtype=np.int64)
    if opening.ndim != 1 or len(opening) < 2 or not (np.diff(opening) > 0).all():
        raise InvalidPlan("time must be a row of at least two ascending openings")
    if train < 1 or test < 1 or not 0 <= embargo < train:
        raise InvalidPlan(f"train and test must be at least 1 s and embargo below train, were {train}, {test} and {embargo}")
    first, end = int(opening[0]), int(opening[-1]) + 1
    if (end - first - train) / test > 100_000:
        raise InvalidPlan(f"windows of {test} s over {end - first} s would be more than 100,000")
    made = []
    for start in range(first + train, end, test):
        begin = first if mode == "anchored" else start - train
        places = np.searchsorted(opening, [begin, start - embargo, start, start + test])
        window = Window(*(int(place) for place in places))
        if min(window.train_stop - window.train_start, window.test_stop - window.test_start) >= max(least_bars, 1):
            made.append(window)
    if not made:
        raise InvalidPlan(f"no window of {train} s of training and {test} s of test holds {least_bars} bars")
    return made


@dataclass(frozen=True, eq=False)
class Stitched:
    """Out-of-sample equity as one line. ``bar`` (m,) is the bar of each ``equity`` (m,); ``starts`` is where windows begin."""

    bar: Ints
    equity: Floats
    starts: Ints


def stitch(tests: Sequence[Window], equities: Sequence[npt.ArrayLike], *, cash: float) -> Stitched:
    """Join the equity of the test windows by compounding their returns.

    Parameters
    ----------
    tests : sequence of Window
        Ascending, tests not overlapping.
    equities : sequence of (m,) float64
        Account value at the close of each test bar, each begun with ``cash`` and flat.
    cash : float
        What each window, and the stitched line, begins with.

    Raises
    ------
    InvalidPlan
        If windows overlap or an equity has not as many values as its window has bars.
    """
    if len(tests) != len(equities) or not tests or cash <= 0:
        raise InvalidPlan(
            f"each window needs its equity and cash must be above 0: {len(tests)} windows, {len(equities)} equities"
        )
    value = cash
    bars: list[Ints] = []
    lines: list[Floats] = []
    starts: list[int] = []
    for i, (window, given) in enumerate(zip(tests, equities, strict=True)):
        line = row("equity", given)
        if len(line) != window.test_stop - window.test_start:
            raise InvalidPlan(f"window {i} tests {window.test_stop - window.test_start} bars, its equity has {len(line)}")
        if i and window.test_start < tests[i - 1].test_stop:
            raise InvalidPlan(f"window {i} tests bar {window.test_start} a second time")
        starts.append(sum(len(line) for line in lines))
        bars.append(np.arange(window.test_start, window.test_stop))
        lines.append(line * (value / cash))
        # A ruined account does not come back in the next window.
        value = max(float(lines[-1][-1]), 0.0)
    return Stitched(np.concatenate(bars), np.concatenate(lines), np.asarray(starts, dtype=np.int64))


def efficiency(
    train_growth: npt.ArrayLike, train_bars: npt.ArrayLike, test_growth: npt.ArrayLike, test_bars: npt.ArrayLike
) -> float:
    """Walk-forward efficiency: the rate of profit out of sample as a share of that in sample.

        WFE = (Σ log growth of tests / Σ test bars) / (Σ log growth of trainings / Σ training bars)

    Growth is final over first equity of a window, for the parameters chosen in it. About 0.5 and above is
    what Pardo asks for; above 1 is luck or a friendlier market. NaN where training made no profit or an account was lost.
    """
    train, test = row("train_growth", train_growth), row("test_growth", test_growth)
    bars_in, bars_out = row("train_bars", train_bars), row("test_bars", test_bars)
    if not len(train) == len(test) == len(bars_in) == len(bars_out) or min(bars_in.min(), bars_out.min()) <= 0:
        raise InvalidSample("every window needs its growth and at least one bar, in training and in test")
    if min(train.min(), test.min()) <= 0:
        return math.nan
    inside = float(np.log(train).sum() / bars_in.sum())
    outside = float(np.log(test).sum() / bars_out.sum())
    return outside / inside if inside > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one parameter wandered from window to window, in parts of its searched range (a choice: 0 or 1).

    ``mean_step`` is the mean move between neighbouring windows, ``spread`` the largest less the smallest, ``changed``
    the share of windows that chose anew.
    """

    name: str
    chosen: tuple[Value, ...]
    mean_step: float
    spread: float
    changed: float

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"chosen": list(self.chosen)}


def drift(space: Space, chosen: Sequence[Mapping[str, Value]]) -> list[Drift]:
    """The drift of each searched parameter over the windows' winners, oldest first. One window drifts by 0.

    For comparison: values chosen at random, uniformly, give a mean step of 1/3.
    """
    if not chosen:
        raise InvalidSample("drift needs the parameters of at least one window")
    made = []
    for dimension in space.dimensions:
        values = tuple(values[dimension.name] for values in chosen)
        differ = np.array([a != b for a, b in pairwise(values)], dtype=np.float64)
        if dimension.kind == "choice":
            steps, spread = differ, float(len(set(values)) > 1)
        else:
            units = np.array([dimension.unit(value) for value in values])
            steps, spread = np.abs(np.diff(units)), float(np.ptp(units))
        mean = float(steps.mean()) if len(steps) else 0.0
        made.append(Drift(dimension.name, values, mean, spread, float(differ.mean()) if len(differ) else 0.0))
    return made
