"""TA-Lib's indicators against series worked by hand or written out in full: what each name means here."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.indicators import momentum, moving, trend, volatility, volume
from marketdata.indicators.arrays import Floats, IndicatorError
from tests.marketdata.indicators.series import closes, walk

NAN = float("nan")


def equal(found: Floats, expected: list[float]) -> None:
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-12, atol=1e-12)


def test_moving_averages_of_five_closes() -> None:
    close = closes(1, 2, 4, 8, 16)
    equal(moving.sma(close, 3), [NAN, NAN, 7 / 3, 14 / 3, 28 / 3])
    # Seed 7/3, weight 1/2.
    equal(moving.ema(close, 3), [NAN, NAN, 7 / 3, 31 / 6, 127 / 12])
    equal(moving.wma(close, 3), [NAN, NAN, 17 / 6, 34 / 6, 68 / 6])
    # Seed 7/3, weight 1/3.
    equal(moving.smma(close, 3), [NAN, NAN, 7 / 3, 38 / 9, 220 / 27])
    equal(moving.vwma(close, closes(1, 0, 1, 0, 3), 3), [NAN, NAN, 5 / 2, 4, 52 / 4])


def test_double_and_triple_averages_follow_a_straight_line_without_lag() -> None:
    line = np.arange(100, dtype=np.float64)
    np.testing.assert_allclose(moving.dema(line, 5)[60:], line[60:], atol=1e-9)
    np.testing.assert_allclose(moving.tema(line, 5)[60:], line[60:], atol=1e-9)


def test_hull_average_is_made_of_weighted_averages() -> None:
    close = walk().close[:300]
    raw = 2 * moving.wma(close, 8) - moving.wma(close, 16)
    expected = np.concatenate((raw[:15], moving.wma(raw[15:], 4)))
    expected[:18] = NAN
    np.testing.assert_allclose(moving.hma(close, 16), expected, rtol=1e-12)


def test_kaufmans_average_moves_at_full_speed_in_a_straight_line() -> None:
    line = np.arange(60, dtype=np.float64)
    # Efficiency 1: weight (2/3)², so that the lag settles at 1 / weight − 1.
    np.testing.assert_allclose(moving.kama(line, 10)[-1], 59 - (9 / 4 - 1), rtol=1e-9)


def test_rsi_of_gains_and_losses() -> None:
    # Gains 2, 0 then 1; losses 0, 1 then 0: averages 1 and 1/2, then 1 and 1/4.
    equal(momentum.rsi(closes(10, 12, 11, 12), 2), [NAN, NAN, 200 / 3, 80])


def test_macd_is_the_difference_of_its_averages() -> None:
    close = walk().close[:400]
    line, signal, histogram = momentum.macd(close, 12, 26, 9)
    # TA-Lib seeds both averages at the same bar; by now that has been forgotten.
    expected = moving.ema(close, 12) - moving.ema(close, 26)
    np.testing.assert_allclose(line[380:], expected[380:], atol=1e-6)
    np.testing.assert_allclose(histogram[33:], line[33:] - signal[33:], atol=1e-12)


def test_stochastic_is_the_place_in_the_range() -> None:
    high, low, close = closes(2, 4, 3, 5), closes(1, 2, 2, 3), closes(1, 4, 2, 4)
    k, d = momentum.stochastic(high, low, close, 2, 1, 2)
    # (4−1)/(4−1), (2−2)/(4−2), (4−2)/(5−2)
    equal(k, [NAN, NAN, 0, 200 / 3])
    equal(d, [NAN, NAN, 50, 100 / 3])


def test_stochastic_rsi_is_the_place_of_the_rsi_in_its_range() -> None:
    close = walk().close[:200]
    strength = momentum.rsi(close, 14)
    k, _ = momentum.stochrsi(close, 14, 5, 1, 3)
    window = strength[-5:]
    assert k[-1] == pytest.approx(100 * (window[-1] - window.min()) / (window.max() - window.min()))


def test_cci_williams_and_changes() -> None:
    high, low, close = closes(3, 6, 9), closes(0, 3, 3), closes(3, 3, 6)
    # Typical prices 2, 4, 6: mean 4, mean deviation 4/3.
    equal(momentum.cci(high, low, close, 3), [NAN, NAN, 2 / (0.015 * 4 / 3)])
    equal(momentum.williams_r(high, low, close, 3), [NAN, NAN, -100 / 3])
    equal(momentum.roc(close, 2), [NAN, NAN, 100])
    equal(momentum.momentum(close, 2), [NAN, NAN, 3])


def test_money_flow_is_the_share_of_rising_value() -> None:
    price = closes(1, 2, 3, 2)
    # Flows +2·10, +3·10, −2·40.
    equal(momentum.mfi(price, price, price, closes(5, 10, 10, 40), 3), [NAN, NAN, NAN, 100 * 50 / 130])


def test_true_range_spans_the_gap_and_its_average_is_wilders() -> None:
    high, low, close = closes(10, 12, 20, 15), closes(8, 11, 18, 9), closes(9, 11, 19, 10)
    equal(volatility.true_range(high, low, close), [NAN, 3, 9, 10])
    equal(volatility.atr(high, low, close, 2), [NAN, NAN, 6, 8])


def test_bands_and_deviations() -> None:
    close = closes(2, 4, 4, 4, 5, 5, 7, 9)
    assert volatility.standard_deviation(close, 8)[-1] == pytest.approx(2)
    assert volatility.zscore(close, 8)[-1] == pytest.approx(2)
    assert [band[-1] for band in volatility.bollinger(close, 8, 1.5)] == pytest.approx([8, 5, 2])
    assert np.isnan(volatility.zscore(np.full(10, 3.0), 5)).all()
    high, low = closes(5, 9, 7), closes(4, 6, 1)
    assert [band[-1] for band in volatility.donchian(high, low, 2)] == [9, 5, 1]


def test_keltner_is_the_average_typical_price_and_its_ranges() -> None:
    bars = walk()
    upper, middle, lower = volatility.keltner(bars.high, bars.low, bars.close, 20, 10, 2.0)
    typical, reach = (bars.high + bars.low + bars.close) / 3, volatility.atr(bars.high, bars.low, bars.close, 10)
    np.testing.assert_allclose(middle[400:], moving.ema(typical, 20)[400:], rtol=1e-12)
    np.testing.assert_allclose((upper - lower)[400:], 4 * reach[400:], rtol=1e-9)


def test_directional_movement_of_a_steady_climb_is_all_upward() -> None:
    rise = np.arange(60, dtype=np.float64)
    strength, plus, minus = trend.adx(rise + 1, rise, rise + 0.5, 5)
    # Range 1.5 from the close before, of which 1 is movement.
    assert (strength[-1], plus[-1], minus[-1]) == pytest.approx((100, 100 / 1.5, 0))


def test_aroon_counts_bars_since_the_extremes() -> None:
    high, low = closes(1, 5, 3, 2, 4), closes(0, 4, 2, 1, 3)
    up, down = trend.aroon(high, low, 4)
    equal(up, [NAN, NAN, NAN, NAN, 25])
    equal(down, [NAN, NAN, NAN, NAN, 0])


def test_parabolic_stop_accelerates_and_reverses() -> None:
    high = closes(10, 11, 12, 13, 12, 9)
    low = closes(9, 10, 11, 12, 11, 6)
    stop, side = trend.psar(high, low, 0.02, 0.2)
    # 9 + 0.02·(11−9) and 9.04 + 0.04·(12−9.04), held below the two lows before it; then 0.06 and 0.08 to 13.
    np.testing.assert_allclose(stop[1:5], [9, 9.04, 9.1584, 9.388896], rtol=1e-12)
    assert stop[5] == 13
    equal(side, [NAN, 1, 1, 1, 1, -1])


def test_supertrend_trails_and_turns_at_a_close_beyond_it() -> None:
    rise = np.concatenate((np.arange(100.0, 130), np.arange(129.0, 100, -1)))
    line, side = trend.supertrend(rise + 1, rise - 1, rise, 5, 2.0)
    # Ranges of 2: the band trails by 4 up to the top at 129, and is broken by the first close below 125.
    assert line[29] == pytest.approx(125)
    turn = int(np.flatnonzero(rise[30:] < 125)[0]) + 30
    assert side[turn - 1] == 1
    assert side[turn] == -1
    assert line[turn] == pytest.approx(rise[turn] + 4)
    assert np.isnan(side[:5]).all()


def test_ichimoku_middles_and_the_cloud_made_before() -> None:
    bars = walk()
    lines = trend.ichimoku(bars.high, bars.low, 9, 26, 52, 26)
    at = 300
    middle = lambda n, i: (bars.high[i - n + 1 : i + 1].max() + bars.low[i - n + 1 : i + 1].min()) / 2  # noqa: E731
    assert lines.tenkan[at] == middle(9, at)
    assert lines.kijun[at] == middle(26, at)
    assert lines.lead_a[at] == (middle(9, at) + middle(26, at)) / 2
    assert lines.lead_b[at] == middle(52, at)
    assert (lines.span_a[at], lines.span_b[at]) == (lines.lead_a[at - 26], lines.lead_b[at - 26])


def test_on_balance_volume_follows_the_close() -> None:
    equal(volume.obv(closes(1, 2, 2, 1), closes(5, 3, 9, 4)), [5, 8, 8, 4])


def test_chaikin_flow_weighs_volume_by_the_place_of_the_close() -> None:
    high, low = closes(2, 2), closes(0, 0)
    # Places +1 and −0.5.
    equal(volume.cmf(high, low, closes(2, 0.5), closes(10, 20), 2), [NAN, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: moving.sma(closes(1, 2), 1), "window must be at least 2, was 1"),
        (lambda: moving.ema(closes(1, 2), 2.5), "window must be a whole number, at least 2, was 2.5"),  # type: ignore[arg-type]
        (lambda: moving.wma("abc", 2), "close must be a row of numbers, was str"),  # type: ignore[arg-type]
        (lambda: moving.wma(np.ones((2, 2)), 2), r"close must have one dimension, had shape \(2, 2\)"),
        (lambda: moving.hma(closes(1, np.inf), 2), "close must hold finite numbers, has inf at index 1"),
        (lambda: momentum.macd(closes(1, 2), 26, 12, 9), "fast must be below slow, were 26 and 12"),
        (lambda: volatility.bollinger(closes(1, 2), 2, 0.0), "deviations must be at least 0.1, was 0"),
        (lambda: volatility.bollinger(closes(1, 2), 2, NAN), "deviations must be at least 0.1, was nan"),
        (
            lambda: volatility.atr(closes(1, 2), closes(1, 2), closes(1), 2),
            r"close must be as long as high \(2\), has 1 values",
        ),
        (lambda: trend.ichimoku(closes(1), closes(1), 26, 9, 52, 26), "conversion must be below base, were 26 and 9"),
        (lambda: trend.psar(closes(1), closes(1), True, 0.2), "step must be a number, at least 0.001, was True"),
    ],
)
def test_what_cannot_be_taken_is_named_with_what_was_expected(call: object, message: str) -> None:
    with pytest.raises(IndicatorError, match=message):
        call()  # type: ignore[operator]


def test_the_settings_that_talib_keeps_for_the_process_are_at_zero() -> None:
    import talib

    assert talib.get_unstable_period("EMA") == 0
    assert talib.get_compatibility() == 0
