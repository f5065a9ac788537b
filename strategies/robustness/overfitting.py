"""Probability of backtest overfitting (PBO) by combinatorially symmetric cross-validation (CSCV).

The periods are cut into S blocks. Every choice of S/2 blocks is once in sample: the best trial there is looked up out
of sample, in the other half. With ω its rank there among N trials (1 the worst) over N + 1, the logit is λ = ln(ω / (1
− ω)), and

    PBO = share of the choices with λ ≤ 0: how often the winner is no better than the median afterwards.

Trials without any merit give about 0.5, and a single matrix of them may give anything around it; a true edge gives little.

Source: Bailey, Borwein, López de Prado, Zhu, "The Probability of Backtest Overfitting", Journal of Computational
Finance 20 (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from strategies.robustness.samples import Floats, InvalidSample, table

MOST_BLOCKS: Final = 16
CHUNK: Final = 16


@dataclass(frozen=True, eq=False)
class Overfitting:
    """What CSCV found over its (splits,) choices of blocks.

    ``logits`` are λ; ``inside`` and ``outside`` the winner's score in and out of sample, in the order of the choices.
    ``slope`` is that of outside on inside (below 0: the better it was tuned, the worse it did), ``loss`` the share of
    choices where the winner's score out of sample is below 0.
    """

    pbo: float
    logits: Floats
    inside: Floats
    outside: Floats
    slope: float
    loss: float
    trials: int
    blocks: int


def overfitting(returns: npt.ArrayLike, *, blocks: int = 16, score: Literal["sharpe", "mean"] = "sharpe") -> Overfitting:
    """PBO of choosing the best of the columns.

    Parameters
    ----------
    returns : (periods, trials) float64
        Returns per period of every trial that was made (not only of the good ones) over the same periods.
    blocks : int
        S: even, 2..16. The first periods are left out where they do not divide evenly.
    score : "sharpe" or "mean"
        What trials are chosen by, per period. A trial that does not vary scores 0.

    Raises
    ------
    InvalidSample
        If there are fewer than two trials or two periods in a block.
    """
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise InvalidSample(f"blocks must be even and 2..{MOST_BLOCKS}, was {blocks}")
    matrix = table("returns", returns, 2 * blocks, 2)
    length = len(matrix) // blocks
    matrix = matrix[len(matrix) - length * blocks :]
    # Scores of any union of blocks follow from the blocks' sums; sums of what is centred lose no digits.
    centre = matrix.mean(axis=0)
    cut = (matrix - centre).reshape(blocks, length, -1)
    first, second = cut.sum(axis=1), (cut**2).sum(axis=1)
    periods = length * blocks // 2
    choices = np.array(
        [[i in chosen for i in range(blocks)] for chosen in combinations(range(blocks), blocks // 2)], np.float64
    )
    # In lexicographic order the second half of the choices are the complements of the first, backwards.
    half = len(choices) // 2
    omega, inside_best, outside_best = (np.empty(len(choices)) for _ in range(3))
    for start in range(0, half, CHUNK):
        chosen = choices[start : min(start + CHUNK, half)]
        one = _scores(chosen @ first, chosen @ second, periods, centre, score)
        other = _scores((1 - chosen) @ first, (1 - chosen) @ second, periods, centre, score)
        forward = np.arange(start, start + len(chosen))
        for at, inside, outside in ((forward, one, other), (len(choices) - 1 - forward, other, one)):
            omega[at], inside_best[at], outside_best[at] = _winners(inside, outside)
    logits = np.log(omega / (1 - omega))
    return Overfitting(
        float((logits <= 0).mean()),
        logits,
        inside_best,
        outside_best,
        _slope(inside_best, outside_best),
        float((outside_best < 0).mean()),
        matrix.shape[1],
        blocks,
    )


def _winners(inside: Floats, outside: Floats) -> tuple[Floats, Floats, Floats]:
    """Of each line of scores the winner inside: its relative rank outside (ties share theirs), and both its scores."""
    lines = np.arange(len(inside))
    best = inside.argmax(axis=1)
    reached = outside[lines, best]
    below, equal = (outside < reached[:, None]).sum(axis=1), (outside == reached[:, None]).sum(axis=1)
    return (below + (equal + 1) / 2) / (inside.shape[1] + 1), inside[lines, best], reached


def _scores(total: Floats, squares: Floats, n: int, centre: Floats, score: str) -> Floats:
    mean = total / n
    if score == "mean":
        return mean + centre
    variance = (squares - n * mean**2) / (n - 1)
    still = variance <= 1e-20
    return np.where(still, 0.0, (mean + centre) / np.sqrt(np.where(still, 1.0, variance)))


def _slope(x: Floats, y: Floats) -> float:
    centred = x - x.mean()
    spread = float((centred**2).sum())
    return float((centred * (y - y.mean())).sum()) / spread if spread > 1e-30 else math.nan
