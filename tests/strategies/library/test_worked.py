"""Strategies worked by hand: when they enter, where their levels lie, what ends them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marketdata.bars import Bars
from marketdata.indicators.volatility import atr, bollinger
from marketdata.indicators.zones import fair_value_gap_zones, order_block_zones
from strategies.contract import InvalidParameter, Panel, PortfolioStrategy, Signals, Strategy, as_signals, validate
from strategies.library import CATALOGUE
from strategies.library.ensemble import Ensemble
from strategies.library.macd import MacdCross
from strategies.library.sma_cross import SmaCross
from strategies.regimes import Regime, RegimeRules, regimes
from tests.strategies.library.series import walk


def series(closes: Any, *, spread: float = 0.001) -> Bars:
    close = np.asarray(closes, dtype=float)
    time = np.arange(len(close), dtype=np.int64) * 900
    return Bars(time, close, close * (1 + spread), close * (1 - spread), close, np.ones(len(close)))


def asked(name: str, bars: Bars, **values: Any) -> Signals:
    strategy = CATALOGUE[name]
    assert isinstance(strategy, Strategy)
    return as_signals(strategy.signals(bars, validate(strategy, values)), len(bars))


def entries(exposure: np.ndarray) -> np.ndarray:
    """Bars on which a position begins or turns."""
    return np.flatnonzero((exposure != 0) & (np.r_[0.0, exposure[:-1]] != exposure))


def test_sma_cross() -> None:
    bars = series([10, 11, 12, 11, 9, 8, 10, 13])
    #    fast 2:   -  10.5 11.5 11.5 10  8.5  9  11.5
    #    slow 3:   -    -  11  11.33 10.67 9.33 9 10.33
    assert asked("sma-cross", bars, fast=2, slow=3).exposure.tolist() == [0, 0, 1, 1, 0, 0, 0, 1]
    both = asked("sma-cross", bars, fast=2, slow=3, direction="long-short").exposure
    assert both.tolist() == [0, 0, 1, 1, -1, -1, 0, 1]  # equal averages are no trend


def test_macd_is_long_after_a_turn_upward_and_not_after_one_downward() -> None:
    values = {"fast": 3, "slow": 6, "signal": 3, "direction": "long-short"}
    up = asked("macd", series([*range(60, 40, -1), *range(40, 60)]), **values).exposure
    assert up[19] <= 0
    assert up[25] == 1
    assert asked("macd", series([*range(40, 60), *range(60, 40, -1)]), **values).exposure[25] == -1


def test_momentum_looks_from_the_bar_before_the_skipped_ones_to_the_window_s_first() -> None:
    bars = series([100, 100, 100, 100, 100, 110, 90, 90, 90, 90])
    # window 5, skip 1: bar 5 compares bar 4 with bar 0, bar 6 bar 5 with bar 1, bar 7 bar 6 with bar 2, ...
    found = asked("momentum", bars, window=5, skip=1, threshold=5, direction="long-short").exposure
    assert found.tolist() == [0, 0, 0, 0, 0, 0, 1, -1, -1, -1]


def test_trend_riding_trails_by_average_ranges() -> None:
    bars = walk(5, 300)
    found = asked("trend-riding", bars, fast=5, slow=15, atr_window=10, trail=3)
    np.testing.assert_allclose(found.trail, 3 * atr(bars.high, bars.low, bars.close, 10))
    assert set(np.unique(found.exposure)) == {0, 1}


def test_statistical_momentum_enters_beyond_chance_with_the_risk_that_was_asked_for() -> None:
    bars = walk(6, 2000)
    found = asked("statistical-momentum", bars, window=16, atr_window=10, enter=0.8, risk=0.5, patience=40).exposure
    reach = atr(bars.high, bars.low, bars.close, 10)
    score = (bars.close[16:] - bars.close[:-16]) / (reach[16:] * 4)
    starts = [t for t in entries(found) if found[t - 1] == 0]
    assert len(starts) > 5
    for t in starts:
        assert score[t - 16] >= 0.8 > score[t - 17]
        assert found[t] == pytest.approx(min(1.0, 0.005 * bars.close[t] / reach[t]))


def test_zscore_reversion_buys_what_is_cheap_and_stops_below_its_entry() -> None:
    closes = [*([100.0, 101.0] * 15), 97.0, 96.9, 99.0, 100.5, 100.5]
    bars = series(closes)
    found = asked("zscore-reversion", bars, window=20, enter=2, leave=0.25, atr_window=5, stop=3)
    assert found.exposure.tolist() == [0] * 30 + [1, 1, 1, 0, 0]
    assert found.stop is not None
    reach = atr(bars.high, bars.low, bars.close, 5)[30]
    np.testing.assert_allclose(found.stop[30:33], 97 - 3 * reach)


def test_a_position_is_given_up_when_patience_ends_or_the_stop_is_met() -> None:
    waiting = [*([100.0, 101.0] * 15), *np.linspace(97, 92, 40)]
    patient = asked("zscore-reversion", series(waiting), window=20, atr_window=5, stop=20, patience=10, leave=-2).exposure
    assert patient[30:41].tolist() == [1] * 11
    assert patient[41] == 0
    bars = series(waiting)
    stopped = asked("zscore-reversion", bars, window=20, atr_window=5, stop=0.5, patience=30, leave=-2)
    assert stopped.stop is not None
    met = 31 + int(np.argmax(bars.low[31:] <= stopped.stop[30]))
    assert 31 < met < 60
    assert stopped.exposure[30 : met + 2].tolist() == [1] * (met - 30) + [0, 0]


def test_bollinger_reversion_waits_for_the_close_back_inside_and_aims_at_the_middle() -> None:
    bars = walk(7, 3000)
    found = asked("bollinger-reversion", bars, window=20, width=2, atr_window=10, stop=3)
    _, middle, lower = bollinger(bars.close, 20, 2.0)
    starts = entries(found.exposure)
    assert len(starts) > 20
    assert (bars.close[starts - 1] < lower[starts - 1]).all()
    assert (bars.close[starts] >= lower[starts]).all()
    held = found.exposure != 0
    assert found.take_profit is not None
    np.testing.assert_allclose(found.take_profit[held], middle[held], rtol=1e-9)


def test_breakout_buys_beyond_the_channel_of_the_bars_before() -> None:
    bars = walk(8, 2000)
    found = asked("breakout", bars, enter=20, leave=8, atr_window=10, stop=2, direction="long-short")
    for t in entries(found.exposure):
        before = slice(t - 20, t)
        assert bars.close[t] > bars.high[before].max() if found.exposure[t] > 0 else bars.close[t] < bars.low[before].min()
    ends = np.flatnonzero((found.exposure[1:] == 0) & (found.exposure[:-1] > 0)) + 1
    assert found.stop is not None
    for t in ends:
        assert bars.close[t] < bars.low[t - 8 : t].min() or bars.low[t] <= found.stop[t - 1]
    assert len(ends) > 5


def test_triple_filter_goes_only_where_all_agree() -> None:
    import talib

    bars = walk(9, 3000)
    values = {"average": 50, "rsi": 10, "adx": 10, "strength": 25, "ceiling": 70, "atr_window": 10, "stop": 2, "profit": 4}
    found = asked("triple-filter", bars, **values)
    starts = entries(found.exposure)
    line, signal, _ = talib.MACD(bars.close)
    assert len(starts) > 5
    assert (bars.close[starts] > talib.SMA(bars.close, 50)[starts]).all()
    assert (line[starts] > signal[starts]).all()
    assert (talib.ADX(bars.high, bars.low, bars.close, 10)[starts] >= 25).all()
    strength = talib.RSI(bars.close, 10)[starts]
    assert ((strength > 50) & (strength < 70)).all()
    assert found.stop is not None
    assert found.take_profit is not None
    reach = talib.ATR(bars.high, bars.low, bars.close, 10)[starts]
    np.testing.assert_allclose(found.stop[starts], bars.close[starts] - 2 * reach)
    np.testing.assert_allclose(found.take_profit[starts], bars.close[starts] + 4 * reach)


def test_vwap_starts_anew_each_day() -> None:
    bars = walk(10, 96 * 10)
    found = asked("vwap", bars, atr_window=5, enter=1).exposure
    cut = int(np.argmax(bars.time % 86400 == 0))
    later = asked("vwap", bars[cut:], atr_window=5, enter=1).exposure
    assert found.any()
    np.testing.assert_array_equal(found[cut + 260 :], later[260:])


def test_smart_money_trades_each_zone_once_at_its_first_touch() -> None:
    bars = walk(11, 6000)
    high, low, close = bars.high, bars.low, bars.close
    for kind, zones in (
        ("order-blocks", order_block_zones(high, low, close, 3, 0.0, 100)),
        ("gaps", fair_value_gap_zones(high, low, close, 0.0, 0.0, 100)),
    ):
        found = asked("smart-money", bars, zones=kind, strength=3, memory=100, atr_window=10, buffer=0.5, height=0.1, reward=2)
        assert found.stop is not None
        assert found.take_profit is not None
        starts = entries(found.exposure)
        assert len(starts) > 20
        reach = atr(high, low, close, 10)
        used: set[int] = set()
        for t in starts:
            touched = [
                number
                for number, zone in enumerate(zones)
                if zone.direction == "up" and zone.end == t and zone.confirmed < t and zone.outcome == "mitigated"
                and found.stop[t] == pytest.approx(zone.bottom - 0.5 * reach[t - 1])
            ]  # fmt: skip
            assert touched, f"no zone was first touched at {t}"
            assert used.isdisjoint(touched)
            used.update(touched)
            assert found.take_profit[t] - close[t] == pytest.approx(2 * (close[t] - found.stop[t]))


def test_smart_money_sizes_by_the_distance_of_its_stop() -> None:
    bars = walk(11, 4000)
    found = asked("smart-money", bars, strength=3, memory=100, atr_window=10, risk=0.25)
    assert found.stop is not None
    for t in entries(found.exposure):
        loss = found.exposure[t] * (bars.close[t] - found.stop[t]) / bars.close[t]
        assert loss == pytest.approx(0.0025) or (found.exposure[t] == 1 and loss < 0.0025)


def test_regime_adaptive_does_in_each_regime_what_it_says() -> None:
    bars = walk(12, 6000)
    found = asked(
        "regime-adaptive",
        bars,
        trend_share=0.8,
        range_share=0.4,
        wild_share=0.1,
        direction="long-short",
        trail=4,
        atr_window=10,
    )
    labels = regimes(bars, RegimeRules(window=50, past=250))
    expected: dict[Regime, set[float]] = {
        Regime.UNKNOWN: {0}, Regime.TRENDING_UP: {0.8}, Regime.TRENDING_DOWN: {-0.8}, Regime.RANGING: {-0.4, 0, 0.4},
        Regime.VOLATILE: {-0.1, 0.1},
    }  # fmt: skip
    for regime, shares in expected.items():
        assert set(np.unique(found.exposure[labels == regime])) == shares
    ranging = labels == Regime.RANGING
    assert found.trail is not None
    assert found.stop is not None
    assert np.isnan(found.trail[ranging]).all()
    assert np.isnan(found.stop[~ranging]).all()
    assert (~np.isnan(found.stop[ranging])).any()


def test_an_ensemble_votes_or_takes_the_mean() -> None:
    bars = walk(13, 500)
    fast, slow = {"fast": 3, "slow": 8}, {"fast": 10, "slow": 40}
    one = Ensemble([(SmaCross(), fast), (SmaCross(), slow), (MacdCross(), {})], name="three")
    both = {"direction": "long-short"}
    parts = [
        np.asarray(strategy.signals(bars, validate(strategy, values | both)))
        for strategy, values in ((SmaCross(), fast), (SmaCross(), slow), (MacdCross(), {}))
    ]
    mean = one.signals(bars, validate(one, {"mode": "mean", "weight_2": 2.0} | both))
    np.testing.assert_allclose(mean, (parts[0] + 2 * parts[1] + parts[2]) / 4)
    votes = np.sign(parts).sum(axis=0)
    found = one.signals(bars, validate(one, {"quorum": 2 / 3} | both))
    np.testing.assert_array_equal(found, np.where(np.abs(votes) >= 2, np.sign(votes), 0))
    alone = one.signals(bars, validate(one, {"weight_1": 0, "weight_3": 0, "mode": "mean"} | both))
    np.testing.assert_array_equal(alone, parts[1])
    assert one.history(validate(one, {})) == 350
    with pytest.raises(InvalidParameter, match="above 0"):
        validate(one, {"weight_1": 0, "weight_2": 0, "weight_3": 0})
    with pytest.raises(InvalidParameter, match="at least one member"):
        Ensemble([])


def test_pairs_sells_what_is_dear_and_buys_what_is_cheap_in_the_regression_s_proportion() -> None:
    random = np.random.default_rng(14)
    second = np.cumsum(random.normal(0, 0.01, 1000))
    gap = np.zeros(1000)
    for i, step in enumerate(random.normal(0, 0.004, 1000)[1:], start=1):
        gap[i] = 0.85 * gap[i - 1] + step
    panel = Panel((series(np.exp(0.5 * second + gap) * 30), series(np.exp(second) * 100)))
    strategy = CATALOGUE["pairs"]
    assert isinstance(strategy, PortfolioStrategy)
    found = strategy.signals(panel, validate(strategy, {"window": 100, "enter": 2, "leave": 0, "patience": 50}))
    starts = entries(found[:, 0])
    assert len(starts) > 8
    for t in starts:
        x, y = second[t - 99 : t + 1], (0.5 * second + gap)[t - 99 : t + 1]
        slope, intercept = np.polyfit(x, y, 1)
        rest = y - slope * x - intercept
        assert abs(rest[-1] / rest.std()) >= 2
        assert np.sign(found[t, 0]) == -np.sign(rest[-1])
        assert found[t, 1] / found[t, 0] == pytest.approx(-slope, rel=1e-6)
        assert np.abs(found[t]).sum() == pytest.approx(1)
    held = found[found[:, 0] != 0]
    assert len(np.unique(np.round(held[:, 1] / held[:, 0], 9))) <= len(starts)  # the proportion stays that of the entry


def test_pairs_stays_out_where_a_leg_has_a_hole() -> None:
    bars = walk(15, 400)
    holed = Bars(*(np.where(np.arange(400) == 200, np.nan, column) if i else column for i, column in enumerate(bars.columns)))
    strategy = CATALOGUE["pairs"]
    assert isinstance(strategy, PortfolioStrategy)
    found = strategy.signals(Panel((holed, walk(16, 400))), validate(strategy, {"window": 30}))
    assert not found[200:230].any()
    assert np.isfinite(found).all()
