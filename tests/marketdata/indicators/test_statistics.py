"""Regression, Hurst exponent and the fitted normal against their definitions."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.indicators.arrays import IndicatorError
from marketdata.indicators.statistics import hurst, linreg_channel, linreg_slope, normal_bands
from tests.marketdata.indicators.series import closes, walk


def test_regression_by_hand() -> None:
    close = closes(1, 3, 2, 6)
    # Over 4 bars: slope 1.4, mean 3, end 5.1; residuals 0.1, 0.7, −1.7, 0.9 … of squares 0.01+0.49+2.89+0.81 = 4.2.
    upper, middle, lower = linreg_channel(close, 4, 2.0)
    assert linreg_slope(close, 4)[-1] == pytest.approx(1.4)
    assert middle[-1] == pytest.approx(5.1)
    assert upper[-1] - middle[-1] == pytest.approx(2 * (4.2 / 4) ** 0.5)
    assert middle[-1] - lower[-1] == pytest.approx(2 * (4.2 / 4) ** 0.5)
    assert np.isnan(upper[:3]).all()


@given(window=st.integers(3, 60), length=st.integers(1, 200), level=st.floats(-1e6, 1e6), seed=st.integers(0, 99))
def test_the_channel_is_the_residual_deviation_of_every_window(window: int, length: int, level: float, seed: int) -> None:
    close = level + np.random.default_rng(seed).normal(0, 3, length).cumsum()
    upper, middle, _ = linreg_channel(close, window, 1.0)
    assert np.isnan(upper[: window - 1]).all()
    for at in range(window - 1, length):
        sample, bars = close[at - window + 1 : at + 1], np.arange(window)
        residual = sample - np.polyval(np.polyfit(bars, sample - level, 1), bars) - level
        assert upper[at] - middle[at] == pytest.approx(residual.std(), rel=1e-6, abs=1e-8)


def test_a_straight_line_has_a_channel_without_width() -> None:
    upper, _, lower = linreg_channel(5e4 + 0.25 * np.arange(400), 50, 2.0)
    np.testing.assert_allclose(upper[49:], lower[49:], rtol=1e-11)


def test_the_hurst_exponent_is_the_slope_over_the_lags() -> None:
    close, window = walk(length=700).close, 120
    found, x = hurst(close, window), np.log(close)
    assert np.isnan(found[: window - 1]).all()
    for at in (window - 1, window, 231, 232, 500, 699):
        squares = [np.mean([(x[i] - x[i - lag]) ** 2 for i in range(at - window + 9, at + 1)]) for lag in (1, 2, 4, 8)]
        assert found[at] == pytest.approx(np.polyfit([0, 1, 2, 3], np.log2(squares), 1)[0] / 2, rel=1e-9)


def test_the_hurst_exponent_tells_walks_from_trends_and_from_noise() -> None:
    rng = np.random.default_rng(4)
    steps = rng.normal(0, 0.001, 20_000)
    assert hurst(np.exp(steps.cumsum()), 2000)[2000:].mean() == pytest.approx(0.5, abs=0.02)
    assert hurst(np.exp(steps), 2000)[2000:].mean() == pytest.approx(0, abs=0.02)
    assert hurst(np.exp(0.001 * np.arange(3000)), 2000)[-1] == pytest.approx(1)


def test_a_price_that_stands_still_has_no_hurst_exponent() -> None:
    assert np.isnan(hurst(np.full(300, 5.0), 100)).all()


def test_the_probability_is_that_of_the_fitted_normal() -> None:
    close = walk(length=400).close
    upper, middle, lower, probability = normal_bands(close, 50, 2.0)
    for at in (49, 50, 222, 399):
        sample = close[at - 49 : at + 1]
        fitted = NormalDist(sample.mean(), sample.std())
        tail = fitted.cdf(close[at])
        assert probability[at] == pytest.approx(2 * min(tail, 1 - tail), rel=1e-8)
        assert (upper[at], middle[at], lower[at]) == pytest.approx(
            (fitted.mean + 2 * fitted.stdev, fitted.mean, fitted.mean - 2 * fitted.stdev)
        )


def test_the_probability_by_hand_at_the_mean_at_a_deviation_and_far_out() -> None:
    still = [0.0] * 400
    assert normal_bands(closes(-1, 1, 0, 0), 4, 1.0)[3][-1] == 1
    # Of 1, −1: each a deviation from the mean.
    assert normal_bands(closes(1, -1), 2, 1.0)[3][-1] == pytest.approx(0.31731050786291415, rel=1e-9)
    # One of 401 differs: 20 deviations, beyond the table.
    assert normal_bands(closes(*still, 1), 401, 1.0)[3][-1] == pytest.approx(2 * NormalDist().cdf(-20), rel=1e-6)


def test_what_cannot_be_taken_is_named() -> None:
    with pytest.raises(IndicatorError, match="close must be positive for a Hurst exponent, has -1"):
        hurst(closes(1, -1), 32)
    with pytest.raises(IndicatorError, match="window must be at least 32, was 31"):
        hurst(closes(1, 2), 31)
    with pytest.raises(IndicatorError, match="window must be at least 3, was 2"):
        linreg_channel(closes(1, 2), 2, 1.0)
    with pytest.raises(IndicatorError, match=r"deviations must be at least 0\.1, was 0"):
        normal_bands(closes(1, 2), 2, 0.0)
