"""Is there anything at all? Tests of a result against chance, each with a p-value of (1 + as good by chance) / (1 + runs).

* random entries: as many trades, of the same sides and holding times, at random places without overlap. What the market gave to
  whoever was in it, and what the strategy's habit of holding gave, is in both; only the timing is tested.
* mean: is the mean return above 0, by the stationary bootstrap of the centred series.
* rule: does exposure go with the returns that follow it; exposure is moved around the (detrended) series as a whole, so
  that how long it holds stays what it is.
* best of many: White's reality check, the same question asked of the best of many rules at once.

A p-value is the chance of a result as good without any merit. Under 0.05 one in twenty worthless strategies is "significant".

Sources: Aronson, "Evidence-Based Technical Analysis", 2006, chapters 5 and 6 (detrending, permutation); Masters, "Monte Carlo
Evaluation of Trading Systems", 2006; White, "A Reality Check for Data Snooping", Econometrica 68 (2000); Davison, Hinkley,
"Bootstrap Methods and Their Application", 1997, section 4.2 (the p-value that counts the observed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from strategies.robustness.montecarlo import block_length, stationary_order
from strategies.robustness.samples import Floats, Ints, InvalidSample, count, generator, row, table

MOST_RUNS: Final = 100_000


@dataclass(frozen=True, eq=False)
class Significance:
    """``observed`` is the strategy's statistic, ``chance`` (runs,) the same under chance, ``p`` the share as good or better."""

    observed: float
    chance: Floats
    p: float


def random_entries(
    price: npt.ArrayLike,
    entry: npt.ArrayLike,
    exit_: npt.ArrayLike,
    side: npt.ArrayLike,
    *,
    runs: int = 1000,
    seed: int = 0,
) -> Significance:
    """Timing against chance. The statistic is the sum of side·ln(price at exit / price at entry) over the trades.

    Costs are left out on both sides: the same number of trades pays the same.

    Parameters
    ----------
    price : (n,) float64
        What a bar's trades are filled at, above 0: the open for next-open fills.
    entry, exit_ : (k,) int
        Bars of each trade, ``0 <= entry <= exit_ < n``. Trades that overlap are placed freely, each by itself.
    side : (k,)
        +1 long, -1 short.

    Raises
    ------
    InvalidSample
        If there are no trades, an index is out of range, or a side is neither +1 nor -1.
    """
    log = np.log(_above_zero(row("price", price, 2)))
    start, stop = _indices("entry", entry, len(log)), _indices("exit", exit_, len(log))
    sign = row("side", side)
    if not len(start) == len(stop) == len(sign) or (stop < start).any() or not np.isin(sign, (-1, 1)).all():
        raise InvalidSample("every trade needs an entry, an exit not before it, and a side of +1 or -1")
    runs = count("runs", runs, most=MOST_RUNS)
    by_entry = np.argsort(start, kind="stable")
    start, stop, sign = start[by_entry], stop[by_entry], sign[by_entry]
    held = stop - start
    observed = float((sign * (log[stop] - log[start])).sum())
    apart = bool((start[1:] >= stop[:-1]).all())
    free = len(log) - 1 - int(held.sum())
    rng = generator(seed)
    chance = np.empty(runs)
    for run in range(runs):
        order = rng.permutation(len(held))
        lengths, signs = held[order], sign[order]
        if apart:
            # A uniform choice of how the free bars fall between the trades: stars and bars.
            bars = np.sort(rng.choice(free + len(held), len(held), replace=False)) - np.arange(len(held))
            begin = bars + np.concatenate([[0], np.cumsum(lengths[:-1])])
        else:
            begin = rng.integers(0, len(log) - lengths)
        chance[run] = (signs * (log[begin + lengths] - log[begin])).sum()
    return _against(observed, chance)


def mean_above_zero(returns: npt.ArrayLike, *, runs: int = 1000, seed: int = 0, block: float | None = None) -> Significance:
    """Whether the mean of (n,) returns is above 0; blocks of mean length ``block`` keep their dependence (1: none)."""
    values = row("returns", returns, 2)
    return best_of_many(values[:, None], runs=runs, seed=seed, block=block)


def best_of_many(returns: npt.ArrayLike, *, runs: int = 1000, seed: int = 0, block: float | None = None) -> Significance:
    """White's reality check: whether the best mean among (periods, rules) returns in excess of a benchmark is above 0.

    The statistic is max over rules of √n·mean; under chance √n·(resampled mean − mean), all rules drawn at the same periods
    and widened by 1/√(1 − (2L − 1)/n) for what centring took. Raises InvalidSample, also for fewer than 4·L periods.
    """
    matrix = table("returns", returns, 2)
    runs, n = count("runs", runs, most=MOST_RUNS), len(matrix)
    length = block_length(n) if block is None else block
    if n < 4 * length:
        raise InvalidSample(f"{n} returns are too few for blocks of {length:g}; four blocks are the least")
    # Centring takes (2L - 1)/n of the variance that blocks of mean length L resample, which makes small samples look too sure.
    centred = (matrix - matrix.mean(axis=0)) / np.sqrt(1 - (2 * length - 1) / n)
    chance = np.empty(runs)
    for run in range(runs):
        order = stationary_order(n, n, length, generator(seed, run))
        # How often each period was drawn, times the returns: the resampled sums of all rules in one product.
        chance[run] = (np.bincount(order, minlength=n) @ centred).max() / np.sqrt(n)
    return _against(float(matrix.mean(axis=0).max() * np.sqrt(n)), chance)


def rule(exposure: npt.ArrayLike, returns: npt.ArrayLike, *, runs: int = 1000, seed: int = 0) -> Significance:
    """Whether exposure precedes the returns it should.

    Parameters
    ----------
    exposure : (n,) float64
        Held over each period, in [-1, 1].
    returns : (n,) float64
        Of the market over the same periods. Their mean is taken off, so that being long in a rising market is no merit.
    runs : int
        Random rotations of the exposure.

    Raises
    ------
    InvalidSample
        If the lengths differ or there are fewer than three periods.
    """
    held, market = row("exposure", exposure, 3), row("returns", returns, 3)
    if len(held) != len(market):
        raise InvalidSample(f"exposure and returns must have one length, had {len(held)} and {len(market)}")
    runs = count("runs", runs, most=MOST_RUNS)
    moves = market - market.mean()
    # All n rotations at once: the circular correlation, by Fourier transform.
    n = len(held)
    every = np.fft.irfft(np.fft.rfft(moves) * np.conj(np.fft.rfft(held)), n) / n
    return _against(float(held @ moves / n), every[generator(seed).integers(1, n, size=runs)])


def _against(observed: float, chance: Floats) -> Significance:
    # Rounding must not make a placement equal to the observed one count as worse.
    close = 1e-12 * max(1.0, abs(observed))
    return Significance(observed, chance, float((1 + (chance >= observed - close).sum()) / (1 + len(chance))))


def _above_zero(price: Floats) -> Floats:
    if price.min() <= 0:
        raise InvalidSample(f"price must be above 0, has {price.min():g}")
    return price


def _indices(name: str, values: npt.ArrayLike, n: int) -> Ints:
    given = row(name, values)
    if (given != np.floor(given)).any() or given.min() < 0 or given.max() >= n:
        raise InvalidSample(f"{name} must hold bars of 0..{n - 1}")
    return given.astype(np.int64)
