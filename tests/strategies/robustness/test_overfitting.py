"""PBO: against a plain reading of the paper, a half for noise, little for a true edge, much where the winner must lose."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from strategies.robustness.overfitting import overfitting
from strategies.robustness.samples import InvalidSample


def plain(returns: np.ndarray, blocks: int) -> tuple[list[float], list[float], list[float]]:
    """Logits and the winner's scores inside and outside, of CSCV as the paper words it, one choice of blocks at a time."""
    parts = np.split(returns, blocks)
    logits, best_inside, best_outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[i] for i in chosen])
        outside = np.concatenate([parts[i] for i in range(blocks) if i not in chosen])
        tuned = inside.mean(axis=0) / inside.std(axis=0, ddof=1)
        best = int(tuned.argmax())
        scores = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        omega = (1 + (scores < scores[best]).sum()) / (returns.shape[1] + 1)
        logits.append(math.log(omega / (1 - omega)))
        best_inside.append(float(tuned[best]))
        best_outside.append(float(scores[best]))
    return logits, best_inside, best_outside


def test_it_computes_what_the_paper_says() -> None:
    returns = np.random.default_rng(0).normal(0.0005, 0.01, (240, 9))
    found = overfitting(returns, blocks=8)
    expected, inside, outside = plain(returns, 8)
    assert found.inside.tolist() == pytest.approx(inside)
    assert found.outside.tolist() == pytest.approx(outside)
    assert found.logits.tolist() == pytest.approx(expected)
    assert found.pbo == np.mean(np.array(expected) <= 0)
    assert len(found.logits) == math.comb(8, 4)


def test_noise_is_overfitted_half_of_the_time() -> None:
    found = [overfitting(np.random.default_rng(seed).normal(0, 0.01, (320, 50)), blocks=10).pbo for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / math.sqrt(len(found)))
    assert np.std(found) / math.sqrt(len(found)) < 0.04, "the mean above would prove nothing"


def test_a_true_edge_is_seldom_overfitted() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, (1000, 100))
    returns[:, 17] += 0.0025
    found = overfitting(returns)
    assert found.pbo < 0.02
    assert found.loss < 0.02
    assert len(found.logits) == 12_870


def test_what_gains_in_one_half_and_gives_it_back_in_the_other_is_always_overfitted() -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(0, 0.01, (400, 20))
    returns -= returns.mean(axis=0)  # every trial ends where it began: winning in sample is losing out of sample
    found = overfitting(returns, blocks=8, score="mean")
    assert found.pbo == 1.0
    assert found.loss == 1.0
    assert found.slope == pytest.approx(-1.0)


def test_trials_that_are_all_the_same_are_neither_better_nor_worse() -> None:
    returns = np.repeat(np.random.default_rng(3).normal(0, 0.01, (80, 1)), 5, axis=1)
    assert set(overfitting(returns, blocks=4).logits.tolist()) == {0.0}


def test_trials_that_never_trade_score_nothing() -> None:
    returns = np.column_stack([np.zeros(80), np.random.default_rng(4).normal(0.01, 0.001, 80)])
    assert overfitting(returns, blocks=4).pbo == 0.0


@pytest.mark.parametrize(("shape", "blocks"), [((100, 1), 4), ((100, 5), 5), ((100, 5), 18), ((100, 5), 0), ((7, 5), 4)])
def test_too_little_to_choose_from_is_refused(shape: tuple[int, int], blocks: int) -> None:
    with pytest.raises(InvalidSample):
        overfitting(np.random.default_rng(0).normal(size=shape), blocks=blocks)
