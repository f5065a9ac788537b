"""Where a series is cut for a proof: seeded, and dense where a look ahead would show."""

from __future__ import annotations

import numpy as np

from strategies.proving.decisions import Ints

SHORTEST = (1, 2, 3, 7, 20)


def anywhere(length: int, count: int, seed: int) -> list[int]:
    """About ``count`` lengths of prefixes, ascending: very short ones, the newest bars, and random ones between."""
    newest = [length - 1, length - 2, length - 3]
    room = max(0, count - len(SHORTEST) - len(newest))
    random = np.random.default_rng([seed, length]).integers(1, length, room)
    return within([*SHORTEST, *newest, *random.tolist()], length)


def near(events: Ints, kinds: Ints, length: int, count: int, seed: int) -> list[int]:
    """About ``count`` lengths that end with a bar on which something is decided, or just before it.

    A prefix that ends with the deciding bar takes all of its future away: what was decided for a reason that came later is
    not decided there. Every kind of event has its turn, so that what a strategy does seldom is looked at as closely as
    what it does often.
    """
    if not len(events) or count < 2:
        return []
    order = np.random.default_rng([seed, length, 1]).permutation(len(events))
    turn = np.zeros(len(events), np.int64)
    taken: dict[int, int] = {}
    for place, kind in enumerate(kinds[order].tolist()):
        turn[place] = taken[kind] = taken.get(kind, -1) + 1
    chosen = events[order][np.argsort(turn, kind="stable")]
    ends = chosen[: count * 3 // 4]
    return within([*(ends + 1).tolist(), *chosen[: count - len(ends)].tolist()], length)


def within(cuts: list[int], length: int) -> list[int]:
    return sorted({cut for cut in cuts if 0 < cut < length})
