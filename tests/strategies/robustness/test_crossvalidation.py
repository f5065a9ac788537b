"""Purged cross-validation: no span of training touches a span of test, the embargo is kept, and paths use every test once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.robustness.crossvalidation import assemble, block_edges, combinatorial, k_fold, paths
from strategies.robustness.samples import InvalidPlan


def test_folds_worked_by_hand() -> None:
    ends = np.minimum(np.arange(10) + 1, 9)  # every outcome is known one sample later
    splits = list(k_fold(10, 5, ends=ends, embargo=1))
    assert [split.test.tolist() for split in splits] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    # Testing 4 and 5: sample 3 reaches into the test; the test reaches 6; 7 is embargoed.
    assert splits[2].train.tolist() == [0, 1, 2, 8, 9]
    assert splits[0].train.tolist() == [4, 5, 6, 7, 8, 9]
    assert splits[4].train.tolist() == [0, 1, 2, 3, 4, 5, 6]


@given(
    n=st.integers(4, 80),
    groups=st.integers(2, 8),
    tested=st.integers(1, 4),
    embargo=st.integers(0, 6),
    data=st.data(),
)
def test_purge_and_embargo_are_respected_and_every_sample_is_tested_equally_often(
    n: int, groups: int, tested: int, embargo: int, data: st.DataObject
) -> None:
    groups = min(groups, n)
    tested = min(tested, groups - 1)
    ends = np.minimum(np.arange(n) + np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))), n - 1)
    try:
        splits = list(combinatorial(n, groups, tested, ends=ends, embargo=embargo))
    except InvalidPlan as refused:
        assert "leave nothing" in refused.message  # noqa: PT017  (most draws are possible)
        return
    assert len(splits) == math.comb(groups, tested)
    edges = block_edges(n, groups)
    for split in splits:
        assert not set(split.train.tolist()) & set(split.test.tolist())
        for i in split.train.tolist():
            for j in split.test.tolist():
                assert ends[i] < j or i > ends[j], "the span of a training sample touches that of a test sample"
            for group in split.groups:
                reach = ends[edges[group] : edges[group + 1]].max()
                assert not reach < i <= reach + embargo, "a training sample lies in the embargo"
    counted = np.bincount(np.concatenate([split.test for split in splits]), minlength=n)
    assert (counted == math.comb(groups, tested) * tested // groups).all()


def test_nothing_is_purged_that_need_not_be() -> None:
    (first, *_) = k_fold(100, 4)
    assert first.train.tolist() == list(range(25, 100))


@pytest.mark.parametrize(("groups", "tested"), [(6, 2), (5, 1), (8, 4), (10, 2)])
def test_paths_use_every_test_of_every_split_once(groups: int, tested: int) -> None:
    laid = paths(groups, tested)
    assert laid.shape == (math.comb(groups, tested) * tested // groups, groups)
    splits = list(combinatorial(groups * 3, groups, tested))
    used = {(int(number), group) for path in laid for group, number in enumerate(path)}
    assert used == {(number, group) for number, split in enumerate(splits) for group in split.groups}


def test_the_book_s_six_groups_of_two_give_fifteen_splits_and_five_paths() -> None:
    assert len(list(combinatorial(60, 6, 2))) == 15
    assert paths(6, 2).shape == (5, 6)


def test_a_path_is_the_whole_series_out_of_sample() -> None:
    n, groups = 23, 6
    splits = list(combinatorial(n, groups, 2))
    answers = [split.test + 1000.0 * number for number, split in enumerate(splits)]
    for path in paths(groups, 2):
        line = assemble(path, n, splits, answers)
        assert (line % 1000).tolist() == list(range(n))
        group_of = np.repeat(np.arange(groups), np.diff(block_edges(n, groups)))
        assert (line // 1000).tolist() == path[group_of].tolist()


@pytest.mark.parametrize("arguments", [(10, 1), (10, 11), (1, 2)])
def test_folds_that_the_samples_cannot_give_are_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(InvalidPlan):
        list(k_fold(*arguments))


def test_an_outcome_known_before_its_sample_and_a_purge_of_everything_are_refused() -> None:
    with pytest.raises(InvalidPlan, match="before its own"):
        list(k_fold(4, 2, ends=[0, 0, 2, 3]))
    with pytest.raises(InvalidPlan, match="leave nothing"):
        list(k_fold(6, 2, embargo=9))
    with pytest.raises(InvalidPlan, match="more than 20,000"):
        combinatorial(100, 30, 15)
