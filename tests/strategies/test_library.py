"""The built-in strategies: worked by hand, blind to the future, and the same live as on the full series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.bars import Bars
from strategies.contract import Strategy, validate
from strategies.library import LIBRARY


def series(closes: np.ndarray | list[float]) -> Bars:
    close = np.asarray(closes, dtype=float)
    time = np.arange(len(close), dtype=np.int64) * 60
    return Bars(time, close, close * 1.001, close * 0.999, close, np.ones(len(close)))


def walk(seed: int, length: int) -> Bars:
    steps = np.random.default_rng(seed).normal(0, 0.01, length)
    return series(100 * np.exp(np.cumsum(steps)))


CASES = [
    (LIBRARY["sma-cross"], {"fast": 3, "slow": 8}),
    (LIBRARY["sma-cross"], {"fast": 3, "slow": 8, "direction": "long-short"}),
    (LIBRARY["macd"], {"fast": 3, "slow": 6, "signal": 3}),
    (LIBRARY["macd"], {"fast": 3, "slow": 6, "signal": 3, "direction": "long-short"}),
]
IDS = ["sma long", "sma both", "macd long", "macd both"]


def test_sma_cross_worked_by_hand() -> None:
    strategy = LIBRARY["sma-cross"]
    bars = series([10, 11, 12, 11, 9, 8, 10, 13])
    #    fast 2:   -  10.5 11.5 11.5 10  8.5  9  11.5
    #    slow 3:   -    -  11  11.33 10.67 9.33 9 10.33
    long_only = strategy.signals(bars, validate(strategy, {"fast": 2, "slow": 3}))
    assert long_only.tolist() == [0, 0, 1, 1, 0, 0, 0, 1]
    both = strategy.signals(bars, validate(strategy, {"fast": 2, "slow": 3, "direction": "long-short"}))
    assert both.tolist() == [0, 0, 1, 1, -1, -1, 0, 1]  # equal averages are no trend


def test_macd_is_long_after_a_turn_upward_and_not_after_one_downward() -> None:
    strategy = LIBRARY["macd"]
    p = validate(strategy, {"fast": 3, "slow": 6, "signal": 3, "direction": "long-short"})
    up = series([*range(60, 40, -1), *range(40, 60)])
    assert strategy.signals(up, p)[19] <= 0
    assert strategy.signals(up, p)[25] == 1
    down = series([*range(40, 60), *range(60, 40, -1)])
    assert strategy.signals(down, p)[25] == -1


@pytest.mark.parametrize("strategy", LIBRARY.values(), ids=list(LIBRARY))
def test_a_flat_market_is_no_reason_to_trade(strategy: Strategy) -> None:
    p = validate(strategy, {"direction": "long-short"})
    flat = series(np.full(strategy.history(p) + 50, 0.1 + 0.2))
    assert not strategy.signals(flat, p).any()


@pytest.mark.parametrize(("strategy", "values"), CASES, ids=IDS)
def test_exposure_is_complete_and_within_its_bounds(strategy: Strategy, values: dict) -> None:
    p = validate(strategy, values)
    for length in (0, 1, 5, 500):
        signals = strategy.signals(walk(1, length), p)
        assert signals.shape == (length,)
        assert np.isin(signals, [-1, 0, 1] if p.direction == "long-short" else [0, 1]).all()
    assert len(np.unique(signals)) >= 2


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(1, 299), case=st.sampled_from(CASES))
def test_the_future_changes_no_decision(seed: int, cut: int, case: tuple[Strategy, dict]) -> None:
    strategy, values = case
    p = validate(strategy, values)
    bars = walk(seed, 300)
    full = strategy.signals(bars, p)
    assert (strategy.signals(bars[:cut], p) == full[:cut]).all()
    poisoned = bars.close.copy()
    poisoned[cut:] = walk(seed + 1, 300 - cut).close * 7
    assert (strategy.signals(series(poisoned), p)[:cut] == full[:cut]).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), case=st.sampled_from(CASES))
def test_the_declared_history_decides_as_the_full_series_does(seed: int, case: tuple[Strategy, dict]) -> None:
    strategy, values = case
    p = validate(strategy, values)
    history = strategy.history(p)
    bars = walk(seed, history + 200)
    full = strategy.signals(bars, p)
    for end in range(history, len(bars), 7):
        assert strategy.signals(bars[end - history : end], p)[-1] == full[end - 1]


@pytest.mark.parametrize("strategy", LIBRARY.values(), ids=list(LIBRARY))
def test_defaults_are_within_their_own_ranges_and_every_parameter_is_described(strategy: Strategy) -> None:
    p = validate(strategy, {})
    assert strategy.history(p) > 0
    assert strategy.label
    assert strategy.summary.endswith(".")
    for parameter in strategy.parameters:
        assert parameter.label
        assert parameter.accept(parameter.default) == p[parameter.name]
