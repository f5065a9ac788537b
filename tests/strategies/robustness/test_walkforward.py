"""Walk-forward: every bar out of sample at most once, nothing of a test in its training, and equity that compounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.robustness.samples import InvalidPlan, InvalidSample
from strategies.robustness.space import Dimension, build
from strategies.robustness.walkforward import Window, drift, efficiency, planned, stitch, windows, windows_by_time


def test_windows_worked_by_hand() -> None:
    rolling = windows(25, train=10, test=5, mode="rolling", embargo=2)
    assert rolling == [Window(0, 8, 10, 15), Window(5, 13, 15, 20), Window(10, 18, 20, 25)]
    anchored = windows(23, train=10, test=5, mode="anchored")
    assert anchored == [Window(0, 10, 10, 15), Window(0, 15, 15, 20), Window(0, 20, 20, 23)]
    assert windows(23, train=10, test=5, partial=False) == [Window(0, 10, 10, 15), Window(5, 15, 15, 20)]


@given(
    n=st.integers(2, 400),
    train=st.integers(1, 200),
    test=st.integers(1, 60),
    embargo=st.integers(0, 30),
    mode=st.sampled_from(["anchored", "rolling"]),
    partial=st.booleans(),
)
def test_no_bar_is_tested_twice_and_training_ends_an_embargo_before_its_test(
    n: int, train: int, test: int, embargo: int, mode: str, partial: bool
) -> None:
    try:
        made = windows(n, train=train, test=test, mode=mode, embargo=embargo, partial=partial)  # type: ignore[arg-type]
    except InvalidPlan:
        assert embargo >= train or n < train + (1 if partial else test)
        return
    tested = np.concatenate([np.arange(n)[window.test] for window in made])
    assert len(set(tested.tolist())) == len(tested)
    assert tested.tolist() == list(range(train, int(tested[-1]) + 1))
    assert int(tested[-1]) == n - 1 or not partial
    for window in made:
        assert window.train_stop + embargo == window.test_start
        assert window.train_start < window.train_stop
        assert window.train_start == 0 or mode == "rolling"
        assert mode == "anchored" or window.train_stop - window.train_start == train - embargo


@given(n=st.integers(50, 5000), count=st.integers(1, 12), share=st.floats(0.05, 0.6))
def test_a_plan_has_the_windows_asked_for_ends_at_the_last_bar_and_keeps_the_share(n: int, count: int, share: float) -> None:
    try:
        made = planned(n, count, test_share=share)
    except InvalidPlan:
        assert n * share / (1 - share + count * share) < 1
        return
    assert len(made) == count
    assert made[-1].test_stop == n
    test = made[0].test_stop - made[0].test_start
    assert test / (test + made[0].train_stop) == pytest.approx(share, abs=(count + 1) / test * share)


def test_windows_by_time_follow_the_calendar_over_holes() -> None:
    day = 86_400
    days = [d for d in range(20) if d not in (11, 12)]  # the third test window, days 11 and 12, has no bar
    time = np.array([d * day + h * 3600 for d in days for h in range(24)])
    made = windows_by_time(time, train=7 * day, test=2 * day, embargo=day // 2)

    def day_of(bar: int) -> float:
        return float(time[bar] / day)

    assert [(day_of(w.test_start), day_of(w.test_stop - 1) // 1) for w in made] == [
        (7, 8),
        (9, 10),
        (13, 14),
        (15, 16),
        (17, 18),
        (19, 19),
    ]
    assert [day_of(w.train_start) for w in made] == [0, 2, 6, 8, 10, 13]  # training from day 12 begins at the next bar there is
    assert [day_of(w.train_stop - 1) + 1 / 24 for w in made[:2]] == [6.5, 8.5]
    assert windows_by_time(time, train=7 * day, test=2 * day, mode="anchored", least_bars=30)[-1].test_stop == 24 * 17


@given(
    gaps=st.lists(st.integers(1, 50), min_size=2, max_size=200),
    train=st.integers(1, 500),
    test=st.integers(1, 200),
    embargo=st.integers(0, 100),
    mode=st.sampled_from(["anchored", "rolling"]),
)
def test_windows_by_time_test_no_bar_twice_and_keep_the_embargo(
    gaps: list[int], train: int, test: int, embargo: int, mode: str
) -> None:
    time = np.cumsum(gaps)
    try:
        made = windows_by_time(time, train=train, test=test, embargo=embargo, mode=mode)  # type: ignore[arg-type]
    except InvalidPlan:
        return
    tested = np.concatenate([np.arange(len(time))[window.test] for window in made])
    assert len(set(tested.tolist())) == len(tested)
    for window in made:
        assert time[window.test_start] - time[window.train_stop - 1] > embargo
        assert time[window.test_stop - 1] - time[window.test_start] < test
        assert mode == "anchored" or time[window.train_stop - 1] - time[window.train_start] < train


@pytest.mark.parametrize(
    "arguments",
    [{"train": 0, "test": 5}, {"train": 5, "test": 0}, {"train": 5, "test": 5, "embargo": 5}, {"train": 100, "test": 5}],
)
def test_windows_that_the_bars_cannot_give_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(InvalidPlan):
        windows(50, **arguments)
    with pytest.raises(InvalidPlan):
        windows_by_time(np.arange(50), **arguments)


def test_times_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(InvalidPlan, match="ascending"):
        windows_by_time([0, 5, 5, 9], train=2, test=2)


def test_stitched_equity_compounds_the_windows() -> None:
    line = stitch([Window(0, 2, 2, 4), Window(2, 4, 4, 6)], [[110, 120], [90, 150]], cash=100)
    assert line.bar.tolist() == [2, 3, 4, 5]
    assert line.equity.tolist() == pytest.approx([110, 120, 108, 180])
    assert line.starts.tolist() == [0, 2]


def test_a_ruined_account_does_not_come_back_in_the_next_window() -> None:
    line = stitch([Window(0, 1, 1, 2), Window(1, 2, 2, 3)], [[-5.0], [150.0]], cash=100)
    assert line.equity.tolist() == [-5.0, 0.0]


def test_stitching_refuses_a_bar_twice_and_an_equity_of_another_length() -> None:
    with pytest.raises(InvalidPlan, match="second time"):
        stitch([Window(0, 2, 2, 4), Window(1, 3, 3, 5)], [[1, 1], [1, 1]], cash=1)
    with pytest.raises(InvalidPlan, match="tests 2 bars"):
        stitch([Window(0, 2, 2, 4)], [[1, 1, 1]], cash=1)


def test_efficiency_is_the_rate_kept_out_of_sample() -> None:
    # 10 % in 100 bars of training and half that rate in tests of 50 bars.
    growth = math.log(1.1)
    kept = efficiency([1.1, 1.1], [100, 100], [math.exp(growth / 4)] * 2, [50, 50])
    assert kept == pytest.approx(0.5)
    assert math.isnan(efficiency([0.9], [100], [1.2], [50]))
    assert math.isnan(efficiency([1.1], [100], [0.0], [50]))
    with pytest.raises(InvalidSample):
        efficiency([1.1], [100, 100], [1.2], [50])


def test_drift_tells_a_steady_parameter_from_a_wandering_one() -> None:
    space = build([Dimension("a", "int", 0, 100), Dimension("b", "int", 0, 100), Dimension("m", "choice", choices=("x", "y"))])
    a, b, m = drift(space, [{"a": 50, "b": 0, "m": "x"}, {"a": 50, "b": 100, "m": "y"}, {"a": 50, "b": 50, "m": "y"}])
    assert (a.mean_step, a.spread, a.changed) == (0, 0, 0)
    assert (b.mean_step, b.spread, b.changed) == (0.75, 1.0, 1.0)
    assert (m.mean_step, m.spread, m.changed) == (0.5, 1.0, 0.5)
    assert drift(space, [{"a": 1, "b": 2, "m": "x"}])[0].mean_step == 0


def test_random_choices_drift_by_a_third_of_the_range() -> None:
    space = build([Dimension("a", "float", 0, 1)])
    chosen = [{"a": float(v)} for v in np.random.default_rng(0).random(20_000)]
    assert drift(space, chosen)[0].mean_step == pytest.approx(1 / 3, abs=0.01)
