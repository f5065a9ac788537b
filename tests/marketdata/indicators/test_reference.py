"""Recorded expectations: values of TA-Lib on BTC-USDT hours, and of ta4j on Nasdaq futures minutes."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.indicators.moving import smma, vwma
from marketdata.indicators.registry import compute
from marketdata.indicators.statistics import linreg_channel
from tests.marketdata.indicators.series import numbers, recorded, table

pytestmark = pytest.mark.recorded

# The file keeps ten significant digits.
EXPECTED = (
    ("SMA_20", "sma(20)", "value"),
    ("EMA_20", "ema(20)", "value"),
    ("WMA_20", "wma(20)", "value"),
    ("RSI_14", "rsi(14)", "value"),
    ("MACD_12_26_9", "macd(12,26,9)", "macd"),
    ("MACDsignal", "macd(12,26,9)", "signal"),
    ("MACDhist", "macd(12,26,9)", "histogram"),
    ("BB_upper_20_2", "bollinger(20,2)", "upper"),
    ("BB_mid", "bollinger(20,2)", "middle"),
    ("BB_lower", "bollinger(20,2)", "lower"),
    ("ATR_14", "atr(14)", "value"),
    ("ADX_14", "adx(14)", "adx"),
    ("CCI_20", "cci(20)", "value"),
    ("STOCH_k_14_3", "stochastic(14,3,3)", "k"),
    ("STOCH_d_3", "stochastic(14,3,3)", "d"),
    ("OBV", "obv", "value"),
    ("MFI_14", "mfi(14)", "value"),
    ("ROC_10", "roc(10)", "value"),
    ("WILLR_14", "williams_r(14)", "value"),
    ("SAR_002_02", "psar(0.02,0.2)", "value"),
    ("STDDEV_20", "stddev(20)", "value"),
)


@pytest.mark.parametrize(("column", "spec", "output"), EXPECTED)
def test_values_equal_the_recorded_reference(column: str, spec: str, output: str) -> None:
    expected = numbers(table("indicators_talib_BTC_USDT-1h.csv.gz")[column])
    found = compute(spec, recorded("BTC_USDT-1h"))[output]
    assert found.size == expected.size == 5980
    assert (~np.isnan(expected)).sum() > 5900
    np.testing.assert_allclose(found, expected, rtol=2e-9, atol=2e-7)


def test_the_middle_of_the_regression_channel_is_ta4js_least_squares_average() -> None:
    rows = table("indicators_ta4j", "LSMA1.csv.gz")
    _, middle, _ = linreg_channel(numbers(rows["close"]), 20, 2.0)
    np.testing.assert_allclose(middle[19:], numbers(rows["Plot"])[19:], rtol=1e-10)


def test_the_smoothed_average_is_ta4js_once_both_have_forgotten_their_seeds() -> None:
    rows = table("indicators_ta4j", "SMMA.csv.gz")
    np.testing.assert_allclose(smma(numbers(rows["Close"]), 10)[300:], numbers(rows["SMMA"])[300:], rtol=1e-10)


def test_the_volume_weighted_average_is_ta4js() -> None:
    rows = table("indicators_ta4j", "VWMA.csv.gz")
    found = vwma(numbers(rows["Close"]), numbers(rows["Volume"]), 10)
    np.testing.assert_allclose(found[9:], numbers(rows["VWMA"])[9:], rtol=1e-10)
