"""Other markets like this one: bars drawn again in blocks, each with its own shape, joined at the closes.

A bar is held as what it did to the close before it (in logarithms: its opening gap, its reach above and below, its close), so
that blocks from anywhere join without a jump that was never traded. Volumes come with their bars; times stay as they were.

Source: the stationary bootstrap, see ``montecarlo``.
"""

from __future__ import annotations

import numpy as np

from marketdata.bars import Bars
from strategies.robustness.montecarlo import block_length, stationary_order
from strategies.robustness.samples import InvalidSample, generator, row


def resample_bars(bars: Bars, *, seed: int, run: int = 0, block: float | None = None) -> Bars:
    """A market of as many bars as ``bars``, at the same times, that starts at the same opening price.

    Parameters
    ----------
    bars : Bars
        Two closed bars or more, prices above 0.
    seed, run : int
        Together they name the market.
    block : float, optional
        Mean bars in a block; n^(1/3) where not given.

    Raises
    ------
    InvalidSample
        If there are too few bars or a price is not a finite number above 0.
    """
    logs = [np.log(_positive(name, getattr(bars, name))) for name in ("open", "high", "low", "close")]
    open_, high, low, close = logs
    before = np.concatenate([open_[:1], close[:-1]])
    # The first bar of the series has no bar before it; its gap is none.
    order = stationary_order(len(bars), len(bars), block_length(len(bars)) if block is None else block, generator(seed, run))
    moves = (close - before)[order]
    base = open_[0] + np.concatenate([[0.0], np.cumsum(moves[:-1])])
    new_open, new_close = np.exp(base + (open_ - before)[order]), np.exp(base + moves)
    new_high = np.maximum(np.exp(base + (high - before)[order]), np.maximum(new_open, new_close))
    new_low = np.minimum(np.exp(base + (low - before)[order]), np.minimum(new_open, new_close))
    return Bars(bars.time, new_open, new_high, new_low, new_close, bars.volume[order])


def _positive(name: str, values: object) -> np.ndarray:
    prices = row(name, values, 2)  # type: ignore[arg-type]
    if prices.min() <= 0:
        raise InvalidSample(f"{name} must be above 0, has {prices.min():g}")
    return prices
