"""Futures that did not happen: the rows of bars from one on replaced by noise that is still a market.

No NaN, ascending times, and high and low around open and close, so that a strategy that looks ahead has no way to notice.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np

from marketdata.bars import Bars
from strategies.contract import Panel
from strategies.proving.decisions import Floats, Given

Generator = np.random.Generator
Rows = Floats  # (6, m): time, open, high, low, close, volume


def scaled(rows: Rows, before: Rows, random: Generator) -> Rows:
    """Everything three times as high, or a third."""
    factor = 3.0 if random.random() < 0.5 else 1 / 3
    return np.vstack([rows[:1], rows[1:5] * factor, rows[5:] / factor])


def shuffled(rows: Rows, before: Rows, random: Generator) -> Rows:
    """The same bars in another order."""
    return np.vstack([rows[:1], rows[1:, random.permutation(rows.shape[1])]])


def mirrored(rows: Rows, before: Rows, random: Generator) -> Rows:
    """What rose falls: prices turned around the last one that is known."""
    pivot = before[4, -1] if before.shape[1] else rows[1, 0]
    opened, high, low, close = pivot**2 / rows[1:5]
    return np.vstack([rows[:1], opened, low, high, close, rows[5:]])


def constant(rows: Rows, before: Rows, random: Generator) -> Rows:
    """The market stands still."""
    price = before[4, -1] if before.shape[1] else rows[1, 0]
    return np.vstack([rows[:1], np.full((4, rows.shape[1]), price), np.zeros((1, rows.shape[1]))])


def extreme(rows: Rows, before: Rows, random: Generator) -> Rows:
    """A hundred times as high, then a hundredth, in turns, with a thousand times the volume."""
    factor = np.where((np.arange(rows.shape[1]) + random.integers(2)) % 2, 100.0, 0.01)
    return np.vstack([rows[:1], rows[1:5] * factor, rows[5:] * 1000])


def walking(rows: Rows, before: Rows, random: Generator) -> Rows:
    """Another walk from the last price on."""
    n = rows.shape[1]
    start = before[4, -1] if before.shape[1] else rows[1, 0]
    close = start * np.exp(np.cumsum(random.normal(0, 0.02, n)).clip(-5, 5))
    opened = np.r_[start, close[:-1]]
    reach = 1 + np.abs(random.normal(0, 0.01, (2, n)))
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    return np.vstack([rows[:1], opened, high, low, close, random.lognormal(0, 1, (1, n)) * (rows[5].mean() + 1)])


def later(rows: Rows, before: Rows, random: Generator) -> Rows:
    """A hole before the next bar: the same bars, a week and some bars later."""
    step = np.diff(rows[0]).min(initial=3600)
    return np.vstack([rows[:1] + 7 * 86_400 + step * random.integers(1, 30), rows[1:]])


KINDS: Final = MappingProxyType[str, Callable[[Rows, Rows, Generator], Rows]](
    {
        "scaled": scaled,
        "mirrored": mirrored,
        "shuffled": shuffled,
        "extreme": extreme,
        "another walk": walking,
        "constant": constant,
        "a hole": later,
    }
)


def poisoned(given: Given, cut: int, kind: str, seed: int) -> Given:
    """``given`` up to bar ``cut`` - 1, noise of ``kind`` from bar ``cut`` on; every leg of a panel has noise of its own."""
    if isinstance(given, Panel):
        # Times are common to all legs: a hole is one for all.
        return Panel(
            tuple(_replaced(one, cut, kind, seed if kind == "a hole" else seed + i) for i, one in enumerate(given.bars))
        )
    return _replaced(given, cut, kind, seed)


def unfinished(given: Given, share: float = 0.4) -> Given:
    """The last bar as it was before it closed: a part of its way and of its volume."""
    if isinstance(given, Panel):
        return Panel(tuple(_unfinished(one, share) for one in given.bars))
    return _unfinished(given, share)


def copied(given: Given, until: int | None = None, start: int = 0) -> Given:
    """Bars start..until-1 in memory of their own, so that nothing lies behind them."""
    if isinstance(given, Panel):
        return Panel(tuple(_copied(one[start:until]) for one in given.bars))
    return _copied(given[start:until])


def _copied(bars: Bars) -> Bars:
    time, *prices = bars.columns
    return Bars(time.copy(), *(column.copy() for column in prices))


def _unfinished(bars: Bars, share: float) -> Bars:
    bars = _copied(bars)
    opened, close = bars.open[-1], bars.open[-1] + share * (bars.close[-1] - bars.open[-1])
    bars.high[-1] = max(opened, close, opened + share * (bars.high[-1] - opened))
    bars.low[-1] = min(opened, close, opened + share * (bars.low[-1] - opened))
    bars.close[-1], bars.volume[-1] = close, share * bars.volume[-1]
    return bars


def _replaced(bars: Bars, cut: int, kind: str, seed: int) -> Bars:
    rows = np.vstack([column.astype(np.float64) for column in bars.columns])
    noise = KINDS[kind](rows[:, cut:], rows[:, :cut], np.random.default_rng([seed, cut])) if cut < len(bars) else rows[:, :0]
    rows = np.hstack([rows[:, :cut], noise])
    return Bars(rows[0].astype(np.int64), *(np.ascontiguousarray(row) for row in rows[1:]))
