"""Regimes: right on markets made to be one, blind to the future, and the same from a tail as from all of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketdata.bars import Bars
from strategies.regimes import InvalidRegimeRules, Regime, RegimeRules, regimes
from strategies.regimes.kernels import label
from tests.strategies.library.series import flat, poisoned, walk

QUICK = RegimeRules(window=32, adx_window=7, past=40, confirm=2, memory=50)
# Once in, nothing but time gets it out.
STUBBORN = RegimeRules(
    window=32, adx_window=2, past=40, confirm=2, memory=10, adx=(70, 0), slope=(2, 0), hurst=(0.7, -9), volatile=(1, 0), votes=3
)


def market(returns: np.ndarray) -> Bars:
    """Bars whose closes make these log returns, with a range of the same size."""
    close = 100 * np.exp(np.cumsum(returns))
    opened = np.r_[100.0, close[:-1]]
    size = np.abs(returns).mean()
    high, low = np.maximum(opened, close) * (1 + size / 2), np.minimum(opened, close) * (1 - size / 2)
    return Bars(np.arange(len(close), dtype=np.int64) * 3600, opened, high, low, close, np.ones(len(close)))


def noise(seed: int, length: int, size: float = 0.01) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, length)


def share(labels: np.ndarray, regime: Regime) -> float:
    return float(np.mean(labels == regime))


def test_a_steady_rise_is_a_trend_up_and_a_steady_fall_one_down() -> None:
    for sign, regime in ((1, Regime.TRENDING_UP), (-1, Regime.TRENDING_DOWN)):
        labels = regimes(market(sign * 0.006 + noise(1, 1500)))[500:]
        assert share(labels, regime) > 0.5
        assert share(labels, Regime(3 - regime)) == 0


def test_a_price_that_is_pulled_back_ranges() -> None:
    level = np.zeros(1500)
    for i, step in enumerate(noise(2, 1500)[1:], start=1):
        level[i] = 0.7 * level[i - 1] + step
    labels = regimes(market(np.diff(level, prepend=0.0)))[500:]
    assert share(labels, Regime.RANGING) > 0.75


def test_a_burst_of_variance_is_volatile_and_then_over() -> None:
    steps = noise(3, 1500)
    steps[900:960] *= 5
    labels = regimes(market(steps))
    assert share(labels[905:940], Regime.VOLATILE) > 0.9
    assert share(labels[1250:], Regime.VOLATILE) < 0.5


def test_hysteresis_changes_its_mind_less_often() -> None:
    nervous = RegimeRules(adx=(25, 25), slope=(1, 1), hurst=(0.55, 0.55), volatile=(0.9, 0.9), confirm=1)
    changes = {"calm": 0, "nervous": 0}
    for seed in range(5):
        bars = walk(seed, 3000)
        changes["calm"] += np.count_nonzero(np.diff(regimes(bars)))
        changes["nervous"] += np.count_nonzero(np.diff(regimes(bars, nervous)))
    assert 0 < changes["calm"] < 0.6 * changes["nervous"]


def test_every_regime_occurs_and_unknown_only_at_the_beginning() -> None:
    labels = np.concatenate([regimes(walk(seed, 4000)) for seed in range(3)])
    assert set(np.unique(labels)) == set(Regime)
    assert labels.dtype == np.int8
    one = regimes(walk(1, 4000))
    known = int(np.argmax(one != Regime.UNKNOWN))
    assert known == RegimeRules().window + RegimeRules().past
    assert (one[known:] != Regime.UNKNOWN).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 799))
def test_the_future_changes_no_label(seed: int, cut: int) -> None:
    bars = walk(seed, 800)
    full = regimes(bars, QUICK)
    assert (regimes(bars[:cut], QUICK) == full[:cut]).all()
    assert (regimes(poisoned(bars, cut, seed + 1), QUICK)[:cut] == full[:cut]).all()


@pytest.mark.parametrize("rules", [QUICK, STUBBORN], ids=["quick", "stubborn"])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
@example(seed=1)
def test_the_declared_history_labels_as_the_full_series_does(rules: RegimeRules, seed: int) -> None:
    history = rules.history
    bars = walk(seed, history + 600)
    full = regimes(bars, rules)
    for end in range(history, len(bars), 7):
        assert regimes(bars[end - history : end], rules)[-1] == full[end - 1]


def test_thresholds_confirmation_and_memory_worked_by_hand() -> None:
    def labels(adx: list[float], side: list[int], rank: list[float], memory: int) -> list[int]:
        n = len(adx)
        out = np.zeros(n, np.int8)
        # ADX alone votes: no slope and no exponent comes near its threshold.
        limits = np.array([25.0, 20, 1e9, 1e9, 9, 9, 0.9, 0.75])
        label(
            np.array(adx, float), np.array(side, float), np.ones(n), np.zeros(n), np.array(rank, float), limits,
            np.array([50, 1, 2, memory]), out,
        )  # fmt: skip
        return out.tolist()

    calm = [0.5] * 9
    # Two bars at 25 make a trend; 22 keeps it, one bar of 19 as well, two of them end it.
    weak = [10, 30, 30, 22, 22, 19, 22, 19, 19]
    assert labels(weak, [1] * 9, calm, 10) == [3, 3, 1, 1, 1, 1, 1, 1, 3]
    assert labels(weak, [-1] * 9, calm, 10) == [3, 3, 2, 2, 2, 2, 2, 2, 3]
    # No bar at 25 for four bars: forgotten.
    assert labels(weak, [1] * 9, calm, 4) == [3, 3, 1, 1, 1, 1, 1, 3, 3]
    # A reversal begins with a clean slate: its first weak bar does not end it.
    assert labels([30, 30, 30, 30, 19, 19], [1, 1, -1, -1, -1, -1], calm[:6], 10) == [3, 1, 1, 2, 2, 3]
    assert labels([30, 30, 30, 30, 19, 19], [-1, -1, 1, 1, 1, 1], calm[:6], 10) == [3, 2, 2, 1, 1, 3]
    # Variance outranks a trend, comes in at 0.9 and goes out below 0.75.
    assert labels([30] * 7, [1] * 7, [0.95, 0.95, 0.8, 0.7, 0.8, 0.7, 0.7], 10) == [3, 4, 4, 4, 4, 4, 1]
    assert labels([30] * 7, [1] * 7, [0.95, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8], 3) == [3, 4, 4, 4, 4, 1, 1]


def test_a_market_that_stands_still_ranges() -> None:
    labels = regimes(flat(1000))
    assert set(np.unique(labels[400:])) <= {Regime.RANGING, Regime.UNKNOWN}
    for length in (0, 1, 50, 299):
        assert not regimes(flat(length)).any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window": 10}, "window must be 32..2000, was 10"),
        ({"votes": 4}, "votes must be 1..3, was 4"),
        ({"adx": (20.0, 25.0)}, "adx must go out no higher than it comes in, was 20, 25"),
    ],
)
def test_rules_that_make_no_sense_are_refused(values: dict, message: str) -> None:
    with pytest.raises(InvalidRegimeRules) as refused:
        RegimeRules(**values)
    assert refused.value.message == message
