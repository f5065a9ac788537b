"""The built-in strategies: blind to the future, the same live as on the full series, and quiet where nothing happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketdata.bars import Bars
from strategies.contract import Declared, EventStrategy, Panel, PortfolioStrategy, Strategy, UnknownStrategy, validate
from strategies.library import CATALOGUE, LIBRARY, find, get
from tests.strategies.library.series import answer, flat, panel_of, poisoned, walk

# Short windows, so that a few hundred bars hold many decisions; the defaults are tried as well.
QUICK: dict[str, dict[str, Any]] = {
    "sma-cross": {"fast": 3, "slow": 8},
    "macd": {"fast": 3, "slow": 6, "signal": 3},
    "trend-riding": {"fast": 3, "slow": 8, "atr_window": 5},
    "momentum": {"window": 20, "skip": 2, "threshold": 0.5},
    "statistical-momentum": {"window": 10, "atr_window": 5, "patience": 5},
    "breakout": {"enter": 10, "leave": 9, "atr_window": 5, "patience": 5, "stop": 10},
    "triple-filter": {"average": 20, "rsi": 5, "adx": 5, "atr_window": 5, "patience": 40, "strength": 15},
    "vwap": {"atr_window": 5, "patience": 30},
    "bollinger-reversion": {"window": 10, "atr_window": 5, "patience": 20, "width": 1.5},
    "zscore-reversion": {"window": 15, "atr_window": 5, "patience": 5, "enter": 1.5, "leave": -1.0},
    "smart-money": {"strength": 2, "memory": 50, "atr_window": 5, "patience": 30},
    "order-flow": {"stack": 2, "window": 10, "atr_window": 5, "patience": 20},
    "regime-adaptive": {"window": 32, "past": 40, "band": 10, "atr_window": 5, "wild_share": 0.25},
    "ensemble": {"quorum": 0.2},
    "pairs": {"window": 30, "patience": 30, "enter": 1.5},
}
VECTORISED = [name for name, one in CATALOGUE.items() if not isinstance(one, EventStrategy)]


def quick(name: str, *, both: bool) -> tuple[Declared, dict[str, Any]]:
    strategy = CATALOGUE[name]
    shorts = {"direction": "long-short"} if both and any(one.name == "direction" for one in strategy.parameters) else {}
    return strategy, QUICK.get(name, {}) | shorts


def some_bars(strategy: Declared, bars: Bars) -> Bars | Panel:
    return panel_of(bars, strategy.legs) if isinstance(strategy, PortfolioStrategy) else bars


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=True))


@pytest.mark.parametrize("name", VECTORISED)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(1, 599), both=st.booleans())
@example(seed=1, cut=1, both=True)
def test_the_future_changes_no_decision(name: str, seed: int, cut: int, both: bool) -> None:
    strategy, values = quick(name, both=both)
    p = validate(strategy, values)
    bars = walk(seed, 600)
    full = answer(strategy, p, some_bars(strategy, bars))
    assert same(answer(strategy, p, some_bars(strategy, bars)), full)
    assert same(answer(strategy, p, some_bars(strategy, bars)[:cut]), full[:cut])
    if not isinstance(strategy, PortfolioStrategy):
        assert same(answer(strategy, p, poisoned(bars, cut, seed + 1))[:cut], full[:cut])


@pytest.mark.parametrize("name", VECTORISED)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), both=st.booleans())
@example(seed=2, both=True)
def test_the_declared_history_decides_as_the_full_series_does(name: str, seed: int, both: bool) -> None:
    strategy, values = quick(name, both=both)
    p = validate(strategy, values)
    history = strategy.history(p)
    bars = some_bars(strategy, walk(seed, history + 300))
    full = answer(strategy, p, bars)
    for end in range(history, len(bars), 13):
        newest = answer(strategy, p, bars[end - history : end])[-1]
        np.testing.assert_allclose(newest[0], full[end - 1][0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(newest, full[end - 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", VECTORISED)
@pytest.mark.parametrize("last", range(60, 75))
def test_what_a_quiet_market_leaves_open_lapses_with_the_history(name: str, last: int) -> None:
    strategy, values = quick(name, both=True)
    p = validate(strategy, values)
    history = strategy.history(p)
    loud = walk(last, last)
    # Up and down by next to nothing: no close leaves a channel, no score comes to its end.
    still = loud.close[-1] * (1 + 1e-4 * (np.arange(history + 20) % 2))
    close = np.r_[loud.close, still]
    opened, time = np.r_[close[0], close[:-1]], 900 * np.arange(len(close), dtype=np.int64)
    # Ranges differ a little: where directions never do, ADX has nothing new to say and keeps what it said.
    wide = 1e-4 * np.random.default_rng(last).uniform(1, 2, (2, len(close)))
    high, low = np.maximum(opened, close) * (1 + wide[0]), np.minimum(opened, close) * (1 - wide[1])
    bars = some_bars(strategy, Bars(time, opened, high, low, close, np.ones(len(close))))
    newest, full = answer(strategy, p, bars[len(bars) - history :])[-1], answer(strategy, p, bars)[-1]
    np.testing.assert_allclose(newest, full, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", VECTORISED)
@pytest.mark.parametrize("both", [False, True])
def test_answers_are_complete_within_their_bounds_and_not_all_the_same(name: str, both: bool) -> None:
    strategy, values = quick(name, both=both)
    p = validate(strategy, values)
    for length in (0, 1, 2, 5, 40):
        given = answer(strategy, p, some_bars(strategy, walk(1, length)))
        assert len(given) == length
    series = [walk(seed, 3000) for seed in range(3)]
    given = np.concatenate([answer(strategy, p, some_bars(strategy, bars)) for bars in series])
    exposure = given[:, : strategy.legs] if isinstance(strategy, PortfolioStrategy) else given[:, :1]
    assert (np.abs(exposure).sum(axis=1) <= 1 + 1e-12).all()
    assert (exposure.max(axis=0) > 0).all()
    if both and "direction" in p:
        assert (exposure.min(axis=0) < 0).all()
    elif not isinstance(strategy, PortfolioStrategy):
        assert exposure.min() >= 0


@pytest.mark.parametrize("name", VECTORISED)
def test_protective_levels_lie_on_their_side_of_the_price_they_protect(name: str) -> None:
    strategy, values = quick(name, both=True)
    if not isinstance(strategy, Strategy) or not strategy.levels:
        return
    bars = walk(3, 5000)
    given = answer(strategy, validate(strategy, values), bars)
    side = np.sign(given[:, 0])
    for column, level in enumerate(strategy.levels, start=1):
        held = (side != 0) & ~np.isnan(given[:, column])
        assert held.sum() > 20
        if level == "trail":
            continue
        away = (given[:, column] - bars.close) * side * (1 if level == "take_profit" else -1)
        # A goal that moves may have come to the close; a stop never has.
        assert (away[held] > (-1e-9 if level == "stop" else -0.02 * bars.close[held])).all()


@pytest.mark.parametrize("name", VECTORISED)
@pytest.mark.parametrize("price", [0.1 + 0.2, 60_000.1, 1.3e-5])
def test_a_flat_market_is_no_reason_to_trade(name: str, price: float) -> None:
    strategy, values = quick(name, both=True)
    p = validate(strategy, values)
    bars = some_bars(strategy, flat(strategy.history(p) + 50, price))
    if isinstance(bars, Panel):
        bars = Panel((flat(len(bars), price),) * len(bars.bars))
    given = answer(strategy, p, bars)
    assert not given[:, : getattr(strategy, "legs", 1)].any()


@pytest.mark.parametrize("name", VECTORISED)
def test_bars_without_volume_get_an_answer(name: str) -> None:
    strategy, values = quick(name, both=True)
    bars = walk(4, 500)
    silent = Bars(*bars.columns[:5], np.zeros(len(bars)))
    given = answer(strategy, validate(strategy, values), some_bars(strategy, silent))
    assert len(given) == len(bars)


@pytest.mark.parametrize("strategy", CATALOGUE.values(), ids=list(CATALOGUE))
def test_each_says_what_it_is_and_its_defaults_are_within_their_own_ranges(strategy: Declared) -> None:
    p = validate(strategy, {})
    assert strategy.history(p) > 0
    assert strategy.label
    assert strategy.summary.endswith(".")
    assert "fails" in strategy.rationale
    assert strategy.rationale.endswith(".")
    for parameter in strategy.parameters:
        assert parameter.label
        assert parameter.help
        assert parameter.accept(parameter.default) == p[parameter.name]
        if parameter.kind != "choice":
            assert parameter.minimum is not None
            assert parameter.maximum is not None
            assert parameter.step


def test_only_what_trading_can_run_as_it_was_tested_is_offered_for_deployment() -> None:
    assert set(LIBRARY) < set(CATALOGUE)
    for name, strategy in CATALOGUE.items():
        assert (name in LIBRARY) == (isinstance(strategy, Strategy) and not strategy.levels)
    assert find("breakout") is CATALOGUE["breakout"]
    with pytest.raises(UnknownStrategy, match="sma-cross, macd"):
        get("breakout")
    with pytest.raises(UnknownStrategy, match="breakout"):
        find("martingale")
