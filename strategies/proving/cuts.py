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


def near(events: Ints, length: int, count: int, seed: int) -> list[int]:
    """About ``count`` lengths that end with a bar on which something is decided, or just before it.

    A prefix that ends with the deciding bar takes all of its future away: what was decided for a reason that came later is
    not decided there.
    """
    if not len(events):
        return []
    random = np.random.default_rng([seed, length, 1])
    chosen = events if len(events) <= count * 3 // 4 else random.choice(events, count * 3 // 4, replace=False)
    before = random.choice(chosen, min(len(chosen), max(1, count // 4)), replace=False)
    return within([*(chosen + 1).tolist(), *before.tolist()], length)


def within(cuts: list[int], length: int) -> list[int]:
    return sorted({cut for cut in cuts if 0 < cut < length})
