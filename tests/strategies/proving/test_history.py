"""The warm-up finder: exact where the answer is known, and both numbers where a strategy declares too little."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from marketdata.bars import Bars
from strategies.library import CATALOGUE
from strategies.proving import prove, warm_up
from strategies.proving.subjects import Ours
from tests.strategies.library.series import panel_of, walk


def mean_of(window: int) -> object:
    def answer(bars: Bars) -> np.ndarray:
        close = pd.Series(bars.close)
        return np.tanh(close / close.rolling(window, min_periods=1).mean() - 1).to_numpy()

    return answer


def smoothed(bars: Bars) -> np.ndarray:
    """A recursive average: every bar counts, the older the less."""
    close = pd.Series(bars.close)
    return np.tanh(close / close.ewm(alpha=0.2, adjust=False).mean() - 1).to_numpy()


@pytest.mark.parametrize("window", [1, 2, 17, 64, 200])
def test_a_window_needs_its_length(window: int) -> None:
    assert warm_up(mean_of(window), walk(1, 1000)) == window


def test_a_recursive_average_needs_what_is_above_the_tolerance() -> None:
    exact = warm_up(smoothed, walk(1, 1000))
    rough = warm_up(smoothed, walk(1, 1000), tolerance=1e-4)
    # 0.8 ** n of a start that is off by a percent or so.
    assert exact is not None
    assert rough is not None
    assert 60 < exact < 100
    assert 10 < rough < 40


def test_what_never_forgets_has_no_warm_up() -> None:
    assert warm_up(lambda bars: np.tanh(np.cumsum(np.log(bars.close / bars.open))), walk(1, 600)) is None


def test_the_library_declares_enough_and_the_simple_ones_exactly() -> None:
    assert warm_up(Ours(CATALOGUE["momentum"], {"window": 40, "skip": 2}), walk(5, 2000)) == 41
    assert warm_up(Ours(CATALOGUE["pairs"], {"window": 40, "patience": 20}), panel_of(walk(5, 800), 2)) is not None


def test_too_little_is_a_failure_with_both_numbers_and_far_too_much_a_hint() -> None:
    bars = walk(2, 1200)
    short = prove(mean_of(80), bars, declared=60)
    assert [failure.check for failure in short.failures] == ["history"]
    assert (short.declared, short.needed) == (60, 80)
    assert short.summary.startswith("It declares 60 bars of history and needs 80 or more: with what it declares bar ")
    assert prove(mean_of(80), bars, declared=80).passed
    generous = prove(mean_of(20), bars, declared=500)
    assert generous.passed
    assert generous.hints == ("It declares 500 bars of history; 20 did on these bars.",)


def test_a_history_that_the_bars_cannot_show_is_said_to_be_unchecked() -> None:
    verdict = prove(mean_of(20), walk(2, 300), declared=200)
    assert verdict.passed
    assert "200 bars of history need a proof on 400 bars or more, had 300" in verdict.hints[0]
    assert next(check for check in verdict.checks if check.name == "history").count == 0


def test_orders_need_to_be_asked_with_less() -> None:
    from strategies.proving import Intents

    with pytest.raises(ValueError, match="narrowed"):
        warm_up(lambda bars: Intents(np.array([[0, 1, 0, 0, 1, 0, 1, *[np.nan] * 3, 0, 0, 0, 0, 0.0]])), walk(2, 100))
