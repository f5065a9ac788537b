"""How much history a strategy needs: asked with N, 2N and 4N bars until the newest decision no longer changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from strategies.proving.decisions import Decisions, Given, Ints, Parting, decisions_of, parting
from strategies.proving.poison import copied
from strategies.proving.subjects import Answering

# A recursive average forgets gradually; what is left of it at the declared history may be this much of a decision.
TOLERANCE: Final = 1e-9
SAMPLES: Final = 24

Agrees = Callable[[int], Parting | None]


def warm_up(
    answer: Answering, bars: Given, *, samples: int = SAMPLES, seed: int = 1, tolerance: float = TOLERANCE
) -> int | None:
    """The fewest bars from which the newest decision is what it is on the whole series; None if half of ``bars`` do not do.

    Parameters
    ----------
    answer : callable
        As for ``prove``. An event-driven strategy must say how it is ``narrowed``; else ValueError.
    bars : Bars or Panel
        n bars. Histories up to n // 2 are tried.
    samples : int
        How many bars of the second half are asked about, half of them where something is decided. What is found is what
        these need: a strategy may need more at others, never less.

    Notes
    -----
    N is good when N, 2N and 4N bars all give the decision of the whole series: a recursive indicator can be right by
    accident at one length.
    """
    whole = decisions_of(answer(copied(bars)), len(bars))
    agrees = comparing(answer, bars, whole, sampled(whole, samples, seed, len(bars) // 2), tolerance)
    return smallest(agrees, max(1, len(bars) // 2))


def comparing(answer: Answering, bars: Given, whole: Decisions, at: Ints, tolerance: float = TOLERANCE) -> Agrees:
    """A function from a length of history to where the newest decisions with it part from ``whole``, or None."""
    narrowed = getattr(answer, "narrowed", None)
    if not whole.dense:
        if narrowed is None:
            raise ValueError("an event-driven answer needs narrowed, to be asked with less history")
        return lambda history: parting(
            whole, decisions_of(narrowed(history)(copied(bars)), len(bars)), len(bars), tolerance=tolerance
        )
    order = at.tolist()

    def agrees(history: int) -> Parting | None:
        for place, bar in enumerate(order):
            start = max(0, bar + 1 - history)
            asked = decisions_of(answer(copied(bars, bar + 1, start)), bar + 1 - start)
            if (found := parting(one_row(whole, bar), one_row(asked, len(asked.rows) - 1), 1, tolerance)) is not None:
                order.insert(0, order.pop(place))  # what failed once fails soon again: ask it first
                return found._replace(bar=bar)
        return None

    return agrees


def one_row(decisions: Decisions, row: int) -> Decisions:
    return Decisions(1, np.zeros(1, np.int64), decisions.rows[row : row + 1], decisions.names, True)


def sampled(whole: Decisions, count: int, seed: int, start: int) -> Ints:
    """Bars from ``start`` on: half of them where something is decided anew, the others anywhere."""
    random = np.random.default_rng([seed, start])
    events = whole.events[whole.events >= start]
    chosen = random.choice(events, min(len(events), count // 2), replace=False) if len(events) else events
    others = random.integers(start, whole.length, max(0, count - len(chosen)))
    return np.unique(np.r_[chosen, others, whole.length - 1]).astype(np.int64)


def smallest(agrees: Agrees, most: int) -> int | None:
    """The smallest length from which all longer rungs of a ladder of doublings agree too, up to ``most``."""
    rungs = [1]
    while rungs[-1] * 2 < most:
        rungs.append(rungs[-1] * 2)
    rungs.append(most)
    good = len(rungs)
    while good and agrees(rungs[good - 1]) is None:
        good -= 1
    if good == len(rungs):
        return None
    low, high = (rungs[good - 1] if good else 0), rungs[good]
    while high - low > 1:
        middle = (low + high) // 2
        if all(agrees(length) is None for length in (middle, 2 * middle, 4 * middle) if length <= most):
            high = middle
        else:
            low = middle
    return high
