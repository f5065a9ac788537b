"""Purged, embargoed K-fold and combinatorial purged cross-validation (CPCV).

A sample's outcome is known only some bars later (a trade's end, a label's horizon). A training sample whose span
touches a test sample's span knows part of the test's answer and is *purged*; for some bars after a test the market
still remembers it, and samples that begin there are *embargoed*. CPCV tests every combination of k out of N groups,
which gives φ = C(N, k)·k/N whole out-of-sample paths where K-fold gives one.

Source: López de Prado, "Advances in Financial Machine Learning", 2018, sections 7.4 and 12.3 and 12.4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from strategies.robustness.samples import Ints, InvalidPlan

MOST_SPLITS: Final = 20_000


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of samples to train on and to test on, ascending; ``groups`` are the numbers of the groups tested."""

    train: Ints
    test: Ints
    groups: tuple[int, ...]


def k_fold(n: int, folds: int, *, ends: npt.ArrayLike | None = None, embargo: int = 0) -> Iterator[Split]:
    """``folds`` splits of ``n`` samples in time order; each sample is tested once.

    Parameters
    ----------
    n : int
        Samples (bars, or trades by their entry).
    folds : int
        2..n.
    ends : (n,) int, optional
        The index of the last sample whose time the outcome of sample i reaches, ``ends[i] >= i``; itself where not given.
    embargo : int
        Samples after the reach of a test block that training leaves out.

    Raises
    ------
    InvalidPlan
        If a number is out of range, or a split has nothing left to train on.
    """
    return combinatorial(n, folds, 1, ends=ends, embargo=embargo)


def combinatorial(n: int, groups: int, tested: int, *, ends: npt.ArrayLike | None = None, embargo: int = 0) -> Iterator[Split]:
    """Every choice of ``tested`` out of ``groups`` blocks of samples as the test; see ``k_fold`` for the arguments.

    Splits come in lexicographic order of their groups: the order that ``paths`` counts in.

    Raises InvalidPlan.
    """
    if not 2 <= groups <= n or not 1 <= tested < groups or embargo < 0:
        raise InvalidPlan(f"needs 2..{n} groups, 1 or more and fewer of them tested, and an embargo of 0 or more")
    if math.comb(groups, tested) > MOST_SPLITS:
        raise InvalidPlan(
            f"{groups} groups with {tested} tested are {math.comb(groups, tested):,} splits, more than {MOST_SPLITS:,}"
        )
    reach = np.arange(n) if ends is None else np.asarray(ends, dtype=np.int64)
    if reach.shape != (n,) or (reach < np.arange(n)).any():
        raise InvalidPlan(f"ends must give {n} indices, none before its own sample")
    return _splits(block_edges(n, groups), reach, tested, embargo)


def block_edges(n: int, groups: int) -> Ints:
    """(groups + 1,) where ``groups`` blocks of ``n`` samples begin and end; sizes differ by one at most, longer ones first."""
    sizes = np.full(groups, n // groups, dtype=np.int64)
    sizes[: n % groups] += 1
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


def _splits(edges: Ints, reach: Ints, tested: int, embargo: int) -> Iterator[Split]:
    n = len(reach)
    index = np.arange(n)
    for chosen in combinations(range(len(edges) - 1), tested):
        test = np.zeros(n, np.bool_)
        kept = np.ones(n, np.bool_)
        for group in chosen:
            start, stop = int(edges[group]), int(edges[group + 1])
            test[start:stop] = True
            last = int(reach[start:stop].max())
            # Two spans touch unless one ends before the other begins.
            kept &= (reach < start) | (index > last + embargo)
        kept &= ~test
        if not kept.any():
            raise InvalidPlan(f"purging and embargo leave nothing to train on when groups {chosen} are tested")
        yield Split(np.flatnonzero(kept), np.flatnonzero(test), chosen)


def paths(groups: int, tested: int) -> Ints:
    """Which split tests each group on each whole out-of-sample path.

    Returns
    -------
    (φ, groups) int64
        φ = C(groups, tested)·tested/groups. Element [p, g] is the number of the split whose test of
        group g belongs to path p; every test of every split is used exactly once.
    """
    if groups < 2 or not 1 <= tested < groups or math.comb(groups, tested) > MOST_SPLITS:
        raise InvalidPlan(f"{groups} groups with {tested} tested cannot be laid in paths")
    used: list[list[int]] = [[] for _ in range(groups)]
    for number, chosen in enumerate(combinations(range(groups), tested)):
        for group in chosen:
            used[group].append(number)
    return np.asarray(used, dtype=np.int64).T.copy()


def assemble(path: npt.ArrayLike, n: int, splits: Sequence[Split], answers: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """One out-of-sample path: (n,) the answers for every sample, each taken from the split that ``path`` names for its group.

    ``answers[s]`` has one value for each of ``splits[s].test``. Raises InvalidPlan if a length does not fit.
    """
    chosen = np.asarray(path, dtype=np.int64)
    edges = block_edges(n, len(chosen))
    line = np.full(n, np.nan)
    for group, number in enumerate(chosen.tolist()):
        split, answer = splits[number], np.asarray(answers[number], dtype=np.float64)
        if answer.shape != split.test.shape or group not in split.groups:
            raise InvalidPlan(f"split {number} does not answer for group {group}")
        inside = (split.test >= edges[group]) & (split.test < edges[group + 1])
        line[split.test[inside]] = answer[inside]
    return line
