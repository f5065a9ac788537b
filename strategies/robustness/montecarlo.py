"""Monte Carlo: the same trades in another order, other trades of the same kind, and other markets of the same bars.

* *shuffle*: the trades in random order. Where each trade risks a share of the account the end is the same and only the way
  there differs: it shows how lucky the drawdown was.
* *resample*: as many trades drawn with replacement (the ordinary bootstrap). The end differs too.
* *blocks*: runs of consecutive returns of mean length L from random places, wrapped at the end (the stationary
  bootstrap), which keeps what returns have in common with their neighbours.

Paths multiply: equity is cash·Π(1 + rᵢ), and stays at 0 once there. Drawdown is 1 − equity/peak, in 0..1.

Sources: Efron, "Bootstrap Methods", Annals of Statistics 7 (1979); Politis, Romano, "The Stationary Bootstrap", Journal of the
American Statistical Association 89 (1994).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from strategies.robustness.samples import Floats, Ints, InvalidSample, count, generator, row

Method = Literal["shuffle", "resample", "blocks"]

QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
CHECKPOINTS: Final = 101
CHUNK_CELLS: Final = 4_000_000
MOST_RUNS: Final = 100_000


@dataclass(frozen=True, eq=False)
class Paths:
    """What (runs,) random paths came to.

    ``final`` is equity at the end, ``drawdown`` the deepest of each path (0..1), ``lowest`` the least equity on the
    way. ``fan`` (quantiles, 101) are the quantiles of equity at evenly spaced steps from the first to the last.
    """

    method: Method
    cash: float
    final: Floats
    drawdown: Floats
    lowest: Floats
    fan: Floats

    def quantiles(self) -> dict[str, dict[str, float]]:
        """Quantiles of final equity and of the deepest drawdown, by the quantile's name ("0.05")."""
        return {
            name: {f"{q:g}": float(v) for q, v in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)}
            for name, values in (("final", self.final), ("drawdown", self.drawdown))
        }

    def risk_of_ruin(self, loss: float = 0.5) -> float:
        """Share of the paths on which equity fell to ``loss`` (a share of the cash, 0.5: half is lost) or below at any time."""
        if not 0 < loss <= 1:
            raise InvalidSample(f"loss must be above 0 and at most 1, was {loss}")
        return float((self.lowest <= self.cash * (1 - loss)).mean())

    def to_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "method": self.method,
            "runs": len(self.final),
            "cash": self.cash,
            "quantiles": self.quantiles(),
            "loss": float((self.final < self.cash).mean()),
            "fan": {f"{q:g}": line.tolist() for q, line in zip(QUANTILES, self.fan, strict=True)},
        }


def simulate_paths(
    returns: npt.ArrayLike,
    *,
    method: Method,
    runs: int = 1000,
    seed: int = 0,
    cash: float = 10_000.0,
    block: float | None = None,
    length: int | None = None,
) -> Paths:
    """Random paths of an account.

    Parameters
    ----------
    returns : (n,) float64
        Return of each trade (pnl over equity before it) or of each bar, above -1; -1 and below is the loss of everything.
    method : "shuffle", "resample" or "blocks"
        See the module.
    runs : int
        Paths, 1..100,000.
    block : float, optional
        Mean length of a block; ``block_length`` where not given. Only "blocks" has one.
    length : int, optional
        Returns on each path; n where not given. A shuffle has always n.

    Raises
    ------
    InvalidSample
        If a number is out of range or a return is not finite.
    """
    values = row("returns", returns, 1)
    runs = count("runs", runs, most=MOST_RUNS)
    steps = count("length", length or len(values), most=10_000_000)
    if method not in ("shuffle", "resample", "blocks"):
        raise InvalidSample(f"method must be shuffle, resample or blocks, was {method!r}")
    if cash <= 0 or (method == "shuffle" and steps != len(values)):
        raise InvalidSample("cash must be above 0, and a shuffle has the length of what it shuffles")
    factors = np.maximum(1 + values, 0.0)
    at = np.unique(np.linspace(0, steps, CHECKPOINTS).round().astype(np.int64))
    final, drawdown, lowest = np.empty(runs), np.empty(runs), np.empty(runs)
    marks = np.empty((runs, len(at)))
    chunk = max(1, CHUNK_CELLS // steps)
    for start in range(0, runs, chunk):
        stop = min(start + chunk, runs)
        # One generator for each run, so that neither chunks nor the number of runs change what a run draws.
        order = np.stack([_order(len(values), steps, method, block, generator(seed, run)) for run in range(start, stop)])
        _walk(factors, order, cash, at, final[start:stop], drawdown[start:stop], lowest[start:stop], marks[start:stop])
    fan = np.quantile(marks, QUANTILES, axis=0)
    even = np.linspace(0, steps, CHECKPOINTS)
    return Paths(method, cash, final, drawdown, lowest, np.stack([np.interp(even, at, line) for line in fan]))


def block_length(n: int) -> float:
    """The mean block for ``n`` values where nobody chose one: n^(1/3), the rate at which the best length grows; at least 1."""
    return max(1.0, float(np.round(np.cbrt(n))))


def stationary_order(n: int, steps: int, mean: float, rng: np.random.Generator) -> Ints:
    """(steps,) indices into n values: blocks of geometric length with that mean, from uniform places, wrapped at the end."""
    if not 1 <= mean < math.inf:
        raise InvalidSample(f"a block must have a mean length of at least 1, was {mean}")
    fresh = rng.random(steps) < 1 / mean
    fresh[0] = True
    places = rng.integers(n, size=steps)
    begun = np.maximum.accumulate(np.where(fresh, np.arange(steps), 0))
    return (places[begun] + np.arange(steps) - begun) % n


def _order(n: int, steps: int, method: Method, block: float | None, rng: np.random.Generator) -> Ints:
    if method == "shuffle":
        return rng.permutation(n)
    if method == "resample":
        return rng.integers(n, size=steps)
    return stationary_order(n, steps, block_length(n) if block is None else block, rng)


@njit(cache=True)
def _walk(
    factors: Floats, order: Ints, cash: float, at: Ints, final: Floats, drawdown: Floats, lowest: Floats, marks: Floats
) -> None:
    for run in range(order.shape[0]):
        equity = peak = low = cash
        deepest = 0.0
        marks[run, 0] = cash
        mark = 1
        for step in range(order.shape[1]):
            equity *= factors[order[run, step]]
            if equity > peak:
                peak = equity
            if equity < low:
                low = equity
            fall = 1.0 - equity / peak
            if fall > deepest:
                deepest = fall
            if mark < len(at) and at[mark] == step + 1:
                marks[run, mark] = equity
                mark += 1
        final[run], drawdown[run], lowest[run] = equity, deepest, low
