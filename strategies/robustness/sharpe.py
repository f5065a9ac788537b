"""How sure a Sharpe ratio is: probabilistic and deflated Sharpe, minimum track record, and how many trials really were made.

With SR the Sharpe ratio *per period* (never annualised) of T returns with skew γ₃ and kurtosis γ₄ (3 for a normal law),
and Z the normal distribution:

    PSR(SR*) = Z[ (SR − SR*)·√(T − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²) ]
    SR₀      = √V · ( (1 − γ)·Z⁻¹[1 − 1/N] + γ·Z⁻¹[1 − 1/(N·e)] )        γ = 0.5772… (Euler–Mascheroni)
    DSR      = PSR(SR₀)
    MinTRL   = 1 + (1 − γ₃·SR + (γ₄ − 1)/4·SR²) · (Z⁻¹[confidence] / (SR − SR*))²

N is the number of independent trials behind the choice and V the variance of their Sharpe ratios: SR₀ is the best
Sharpe that N strategies of no merit are expected to show.

Sources: Bailey, López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15 (2012); the same, "The Deflated
Sharpe Ratio", Journal of Portfolio Management 40 (2014); López de Prado, Lewis, "Detection of false investment
strategies using unsupervised learning methods", Quantitative Finance 19 (2019), for the clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from strategies.robustness.samples import Floats, Ints, InvalidSample, row, share, table

NORMAL: Final = NormalDist()
# From 0.5 on joins so much that one in eight winners of a sweep over random walks would pass as significant; from 0.7 on
# fewer than one in twenty do (tests/strategies/robustness/test_evidence.py holds it).
ALIKE: Final = 0.7
MOST_TRIALS: Final = 5000  # their correlations are 200 MB
EULER: Final = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Moments:
    """What PSR needs of a series of returns. ``sharpe`` is per period; ``kurtosis`` is 3 for a normal law."""

    observations: int
    sharpe: float
    skew: float = 0.0
    kurtosis: float = 3.0

    def __post_init__(self) -> None:
        if self.observations < 2 or not all(map(math.isfinite, (self.sharpe, self.skew, self.kurtosis))):
            raise InvalidSample(f"moments need two returns or more and finite numbers, were {self}")

    @property
    def variance(self) -> float:
        """Variance of the estimated Sharpe ratio, times T − 1 (Mertens 2002). Raises InvalidSample where moments contradict."""
        value = 1 - self.skew * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2
        if value <= 0:
            raise InvalidSample(f"no series of returns has these moments: {self}")
        return value


def moments(returns: npt.ArrayLike, risk_free: float = 0.0) -> Moments:
    """Moments of (n,) returns per period, in excess of ``risk_free`` per period.

    The deviation divides by n − 1, skew and kurtosis by n.

    Raises InvalidSample if there are fewer than two returns or they do not vary.
    """
    excess = row("returns", returns, 2) - risk_free
    centred = excess - excess.mean()
    second = float(np.mean(centred**2))
    if second <= 1e-24 * max(1.0, float(np.mean(excess**2))):
        raise InvalidSample("returns must vary; a constant series has no Sharpe ratio")
    deviation = math.sqrt(second * len(excess) / (len(excess) - 1))
    return Moments(
        len(excess),
        float(excess.mean()) / deviation,
        float(np.mean(centred**3)) / second**1.5,
        float(np.mean(centred**4)) / second**2,
    )


def probabilistic_sharpe(of: Moments, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above ``benchmark`` (per period)."""
    return NORMAL.cdf((of.sharpe - benchmark) * math.sqrt(of.observations - 1) / math.sqrt(of.variance))


def expected_maximum_sharpe(trials: float, variance: float) -> float:
    """SR₀: the highest Sharpe ratio expected of ``trials`` independent strategies without merit; 0 for one trial.

    Parameters
    ----------
    trials : float
        Independent trials; may be a fraction when it is an effective number.
    variance : float
        Variance of the trials' Sharpe ratios, per period.
    """
    if not (math.isfinite(trials) and trials >= 1 and math.isfinite(variance) and variance >= 0):
        raise InvalidSample(f"needs 1 trial or more and a variance of 0 or more, had {trials} and {variance}")
    if trials == 1:
        return 0.0
    quantiles = (1 - EULER) * NORMAL.inv_cdf(1 - 1 / trials) + EULER * NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * max(quantiles, 0.0)


def deflated_sharpe(of: Moments, trials: float, variance: float) -> float:
    """Probability that the true Sharpe ratio is above what the best of so many trials shows by luck."""
    return probabilistic_sharpe(of, expected_maximum_sharpe(trials, variance))


def minimum_track_record(of: Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """How many returns make it ``confidence`` sure that the Sharpe ratio is above ``benchmark``; inf if it is not."""
    quantile = NORMAL.inv_cdf(share("confidence", confidence, least=0.5))
    if of.sharpe <= benchmark:
        return math.inf
    return 1 + of.variance * (quantile / (of.sharpe - benchmark)) ** 2


@dataclass(frozen=True, eq=False)
class Clusters:
    """Trials that are variations of one idea, put together. ``labels`` (trials,) number the cluster of each.

    ``count`` is how many ideas there are, ``variance`` that of the clusters' Sharpe ratios (0 for a single cluster), and
    ``within`` the mean correlation of a trial with the others of its cluster (1 for one that is alone).
    """

    labels: Ints
    count: int
    variance: float
    within: float


def clusters(returns: npt.ArrayLike, *, alike: float = ALIKE) -> Clusters:
    """Join trials by average linkage until no two clusters have a mean correlation of ``alike`` or more.

    Parameters
    ----------
    returns : (periods, trials) float64
        Returns per period of each trial over the same periods. A trial that never moves correlates with nothing but its like.
    alike : float
        Correlation from which two ideas count as one. Lower joins more and deflates less.

    Notes
    -----
    A cluster's returns are the average of its trials weighted by 1/variance, as López de Prado and Lewis do. The threshold
    replaces their search for the best silhouette: independent trials then stay apart, and nothing is drawn at random.
    """
    matrix = table("returns", returns, 2)
    if matrix.shape[1] > MOST_TRIALS:
        raise InvalidSample(
            f"clusters are made of at most {MOST_TRIALS:,} trials, were {matrix.shape[1]:,}; take a sample of them"
        )
    correlation = _correlation(matrix)
    labels = _linked(correlation, share("alike", alike))
    count = int(labels.max()) + 1
    weight = 1 / np.maximum(matrix.var(axis=0), 1e-18)
    sharpes = []
    for label in range(count):
        members = labels == label
        line = matrix[:, members] @ weight[members] / weight[members].sum()
        deviation = line.std(ddof=1)
        sharpes.append(float(line.mean() / deviation) if deviation > 1e-12 else 0.0)
    same = labels[:, None] == labels
    others = same.sum(axis=1) - 1
    alone = others == 0
    likeness = np.where(alone, 1.0, ((correlation * same).sum(axis=1) - 1) / np.where(alone, 1, others))
    variance = float(np.var(sharpes, ddof=1)) if count > 1 else 0.0
    return Clusters(labels, count, variance, float(np.clip(likeness.mean(), 0.0, 1.0)))


def effective_trials(ideas: float, variations: float, within: float) -> float:
    """As how many independent trials the best of ``ideas``, each of so many ``variations``, counts.

    The best of variations is not their mean: with a correlation of ρ (``within``) their maximum lies √(1 − ρ) of that of as
    many independent ones above it. So the maximum of all, in standard errors, is √ρ·E[ideas] + √(1 − ρ)·E[variations], and the
    answer is the N with E[N] equal to that (E as ``expected_maximum_sharpe`` has it).
    """
    luck = math.sqrt(within) * expected_maximum_sharpe(max(1.0, ideas), 1.0)
    luck += math.sqrt(1 - within) * expected_maximum_sharpe(max(1.0, variations), 1.0)
    if luck <= 0:
        return 1.0
    low, high = 1.0, max(1.0, ideas) * max(1.0, variations)
    if expected_maximum_sharpe(high, 1.0) <= luck:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected_maximum_sharpe(middle, 1.0) <= luck else (low, middle)
    return low


def trials_by_mean_correlation(returns: npt.ArrayLike) -> float:
    """The effective number of trials from their mean correlation ρ̄: N = ρ̄ + (1 − ρ̄)·M.

    From "The Deflated Sharpe Ratio", appendix 3.
    """
    correlation = _correlation(table("returns", returns, 2))
    trials = len(correlation)
    if trials == 1:
        return 1.0
    mean = float((correlation.sum() - trials) / (trials * (trials - 1)))
    return min(max(mean + (1 - mean) * trials, 1.0), float(trials))


def _correlation(matrix: Floats) -> Floats:
    centred = matrix - matrix.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    still = length <= 1e-15 * np.maximum(1.0, np.abs(matrix).max(axis=0)) * math.sqrt(len(matrix))
    unit = np.where(still, 0.0, centred / np.where(still, 1.0, length))
    correlation: Floats = np.clip(unit.T @ unit, -1.0, 1.0)
    correlation[np.ix_(still, still)] = 1.0
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _linked(correlation: Floats, alike: float) -> Ints:
    """Labels of average-linkage clusters, numbered by their first member. O(n³) at worst in cheap rows of numpy."""
    n = len(correlation)
    likeness = correlation.copy()
    np.fill_diagonal(likeness, -np.inf)
    size = np.ones(n)
    owner = np.arange(n)
    nearest = likeness.argmax(axis=1)
    best = likeness[np.arange(n), nearest]
    while n > 1:
        a = int(best.argmax())
        if not best[a] >= alike:
            break
        a, b = sorted((a, int(nearest[a])))
        merged = (likeness[a] * size[a] + likeness[b] * size[b]) / (size[a] + size[b])
        merged[[a, b]] = -np.inf
        likeness[a, :] = likeness[:, a] = merged
        likeness[b, :] = likeness[:, b] = -np.inf
        size[a] += size[b]
        owner[owner == b] = a
        best[b] = -np.inf
        # Only rows whose nearest was one of the pair, and the merged row, can have a new nearest.
        stale = np.flatnonzero((nearest == a) | (nearest == b) | (np.arange(n) == a))
        nearest[stale] = likeness[stale].argmax(axis=1)
        best[stale] = likeness[stale, nearest[stale]]
    _, first, labels = np.unique(owner, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[labels].astype(np.int64)
