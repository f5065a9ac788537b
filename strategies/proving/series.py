"""Invented markets to prove on: the same seed gives the same bars, and every kind moves in a way of its own.

What trades is all a proof can look at, so there is a market for who follows, one for who fades, and one for who waits.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from marketdata.bars import Bars
from strategies.contract import Panel
from strategies.proving.decisions import Floats, Given

KINDS: Final = ("wandering", "ranging", "breaking")
START: Final = 1_704_067_200  # Monday 2024-01-01, 00:00 UTC: weeks and days begin with a bar


def market(kind: str, length: int, seconds: int, *, seed: int = 1) -> Bars:
    """``length`` bars of ``seconds`` each, without a hole.

    ``wandering``: drift and volatility come and go. ``ranging``: prices swing around a level and overshoot it.
    ``breaking``: quiet for long, then a trend or a crash with volume. Prices are about 100. Raises ValueError for another
    kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, was {kind!r}")
    random = np.random.default_rng([seed, KINDS.index(kind)])
    size = 0.004 * np.exp(np.cumsum(random.normal(0, 0.05, length)).clip(-1, 1))
    noise = random.normal(0, 1, length)
    burst = np.ones(length)
    if kind == "wandering":
        drift = np.repeat(random.normal(0, 0.0015, length // 60 + 1), 60)[:length]
        path = np.cumsum(noise * size + drift)
    elif kind == "ranging":
        swing = 0.04 * np.sin(np.cumsum(random.uniform(0.05, 0.25, length)))
        path = swing + noise * size * 1.5
    else:
        spans = length // 80 + 1
        moves = np.where(random.uniform(size=spans) < 0.5, 0.0, random.normal(0, 0.006, spans))
        burst = np.repeat(np.where(moves == 0, 0.4, 2.0), 80)[:length]
        path = np.cumsum(noise * size * burst * 0.5 + np.repeat(moves, 80)[:length])
    close = 100 * np.exp(path - 0.5 * np.linspace(0, path[-1], length))
    opened = np.r_[100.0, close[:-1]] * np.exp(random.normal(0, 0.0005, length))
    high = np.maximum(opened, close) * (1 + np.abs(random.normal(0, 0.5, length)) * size)
    low = np.minimum(opened, close) * (1 - np.abs(random.normal(0, 0.5, length)) * size)
    volume = random.lognormal(4, 0.8, length) * burst
    return Bars(START + np.arange(length, dtype=np.int64) * seconds, opened, high, low, close, volume)


def followed(bars: Bars, legs: int, *, seed: int = 1) -> Panel:
    """``bars`` and ``legs - 1`` others that follow them, each with an error that comes back to zero."""
    members = [bars]
    for leg in range(1, legs):
        noise = np.random.default_rng([seed, leg]).normal(0, 0.006, len(bars))
        gap: Floats = np.zeros(len(bars))
        for i in range(1, len(bars)):
            gap[i] = 0.9 * gap[i - 1] + noise[i]
        factor = 0.4 * leg * np.exp(gap)
        prices = (bars.open * factor, bars.high * factor, bars.low * factor, bars.close * factor)
        members.append(Bars(bars.time, *prices, bars.volume))
    return Panel(tuple(members))


def markets(length: int, seconds: int, *, legs: int = 1, seed: int = 1) -> list[tuple[str, Given]]:
    """One of every kind with its name; a Panel where there are several ``legs``."""
    made = [(kind, market(kind, length, seconds, seed=seed)) for kind in KINDS]
    return [(kind, followed(bars, legs, seed=seed) if legs > 1 else bars) for kind, bars in made]
