"""Owns the numbers made from daily returns: pure functions of (m,) simple returns, None where there is no number.

``per_year`` days make a year and ``risk_free`` is the riskless return of one day. Each function says its source; where
sources differ the choice is that of empyrical.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np

from strategies.metrics.curve import Floats, below_peak

# A curve that grows by the same rate each day still varies in the sixteenth digit; that is not a deviation.
_NOISE = 1e-13
FEWEST_FOR_TAIL = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """How daily returns went with a benchmark's: the regression's yearly intercept and slope, and the difference."""

    alpha: float | None
    beta: float | None
    correlation: float | None
    tracking_error: float
    information_ratio: float | None


def deviation(returns: Floats) -> float:
    """Sample standard deviation of a day (divisor m − 1), 0.0 where the returns are alike. m ≥ 2."""
    spread = float(returns.std(ddof=1))
    return spread if spread > _NOISE * max(1.0, float(np.abs(returns).max())) else 0.0


def sharpe(returns: Floats, per_year: float, risk_free: float = 0.0) -> float | None:
    """Mean excess return over its deviation, × √per_year (Sharpe 1994). None if the returns are alike."""
    spread = deviation(returns)
    return (float(returns.mean()) - risk_free) / spread * sqrt(per_year) if spread else None


def sortino(returns: Floats, per_year: float, risk_free: float = 0.0) -> float | None:
    """Mean excess return over the root mean square of the excess below 0, × √per_year (Sortino 1994)."""
    excess = returns - risk_free
    below = sqrt(float(np.square(np.minimum(excess, 0.0)).mean()))
    return float(excess.mean()) / below * sqrt(per_year) if below > _NOISE else None


def omega(returns: Floats) -> float | None:
    """Sum of gains over sum of losses (Keating and Shadwick 2002, threshold 0). None without a losing day."""
    losses = -float(np.minimum(returns, 0.0).sum())
    return float(np.maximum(returns, 0.0).sum()) / losses if losses > _NOISE else None


def value_at_risk(returns: Floats, share: float = 0.05) -> float:
    """The return that a ``share`` of days fell below: historical quantile, linear between two days."""
    return float(np.quantile(returns, share))


def expected_shortfall(returns: Floats, share: float = 0.05) -> float:
    """Mean of the days at or below `value_at_risk`."""
    # Interpolation between two like days may land a rounding below both.
    return float(returns[returns <= max(value_at_risk(returns, share), float(returns.min()))].mean())


def skew(returns: Floats) -> float | None:
    """Adjusted Fisher-Pearson skewness (pandas, Excel). None if the returns are alike or fewer than 3."""
    m = returns.size
    if m < 3 or not deviation(returns):
        return None
    centred = returns - returns.mean()
    second, third = float(np.square(centred).mean()), float((centred**3).mean())
    return sqrt(m * (m - 1)) / (m - 2) * third / (second * sqrt(second))


def kurtosis(returns: Floats) -> float | None:
    """Excess kurtosis, adjusted for the sample (pandas, Excel): 0 for a normal law. None if alike or fewer than 4."""
    m = returns.size
    if m < 4 or not deviation(returns):
        return None
    squares = np.square(returns - returns.mean())
    second, fourth = float(squares.mean()), float(np.square(squares).mean())
    return (m - 1) / ((m - 2) * (m - 3)) * ((m + 1) * (fourth / second**2 - 3) + 6)


def ulcer_index(equity: Floats, start: float) -> float:
    """Root mean square of the drawdown at each day's close (Martin 1987), a fraction of the peak so far."""
    return sqrt(float(np.square(below_peak(equity, start)).mean()))


def probabilistic_sharpe(returns: Floats, risk_free: float = 0.0) -> float | None:
    """Probability that the true Sharpe ratio is above 0 (Bailey and López de Prado 2012). None if alike or fewer than 4.

    Φ(SR √(m − 1) / √(1 − γ₃ SR + (γ₄ − 1) / 4 SR²)) with SR of a day and the sample's own moments, γ₄ = 3 for a normal
    law.
    """
    ratio = sharpe(returns, 1.0, risk_free) if returns.size >= 4 else None
    if ratio is None:
        return None
    squares = np.square(returns - returns.mean())
    second = float(squares.mean())
    third, fourth = float((squares * (returns - returns.mean())).mean()), float(np.square(squares).mean())
    variance = 1 - third / (second * sqrt(second)) * ratio + (fourth / second**2 - 1) / 4 * ratio * ratio
    if variance <= 0:
        return None
    return 0.5 * (1 + erf(ratio * sqrt(returns.size - 1) / sqrt(2 * variance)))


def compare(returns: Floats, benchmark: Floats, per_year: float, risk_free: float = 0.0) -> Comparison:
    """Least squares of excess returns on the benchmark's (Jensen 1968), and the active return (Grinold 1989). m ≥ 2.

    alpha = (mean − beta × benchmark's mean) × per_year, both in excess of ``risk_free``; beta = covariance over the
    benchmark's variance; the information ratio is the mean of the difference over its deviation, × √per_year.
    """
    moved, own = deviation(benchmark), deviation(returns)
    active = returns - benchmark
    strayed = deviation(active)
    alpha = beta = correlation = None
    if moved:
        joint = float(np.cov(returns, benchmark)[0, 1])
        beta = joint / moved**2
        alpha = (float(returns.mean()) - risk_free - beta * (float(benchmark.mean()) - risk_free)) * per_year
        correlation = min(1.0, max(-1.0, joint / (moved * own))) if own else None
    return Comparison(
        alpha=alpha,
        beta=beta,
        correlation=correlation,
        tracking_error=strayed * sqrt(per_year),
        information_ratio=float(active.mean()) / strayed * sqrt(per_year) if strayed else None,
    )
