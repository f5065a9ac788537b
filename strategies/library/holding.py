"""Positions that an event opens and a time limit ends, with the parameters that such strategies share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from strategies.contract import Floats, Parameter, Signals

if TYPE_CHECKING:
    from marketdata.bars import Bars

NONE: Final = np.empty(0)

ATR_WINDOW: Final = Parameter(
    "atr_window", "ATR window", "int", 14, minimum=2, maximum=100, step=1, help="Bars of the average range."
)


def patience(default: int, highest: int = 1000) -> Parameter:
    """How many bars after its last event a position is given up."""
    return Parameter(
        "patience",
        "Patience",
        "int",
        default,
        minimum=5,
        maximum=highest,
        step=5,
        help="Bars after which a position is given up.",
    )


def stop_distance(default: float) -> Parameter:
    return Parameter(
        "stop", "Stop", "float", default, minimum=0.5, maximum=20, step=0.25, help="Average ranges from the entry."
    )


def held(
    score: Floats, bars: Bars, *, enter: float, leave: float, patience: int, direction: str, reach: Floats = NONE,
    stop: float = 0.0, profit: float = 0.0, risk: float = 0.0, goal: Floats | None = None,
) -> Signals:  # fmt: skip
    """Long from the bar on which ``score`` comes to ``enter`` until it is back at ``leave``; short on the mirrored score.

    Parameters
    ----------
    score : (n,) float64
        NaN where unknown: a position ends there and none begins.
    patience : int
        Bars after which a position is given up, so that nothing older decides.
    reach : (n,) float64, price
        The distance that ``stop`` and ``profit`` count in (0: none), both from the entry's close.
    risk : float
        Exposure is what loses this share of equity on a move of one ``reach``; 0: all of it.
    goal : (n,) float64, price
        A take-profit that moves from bar to bar, instead of ``profit``.
    """
    from strategies.library.kernels import hold

    protected = bool(stop or profit) or goal is not None
    out = np.empty((3 if protected else 1, len(bars)))
    rule = np.array([enter, leave, stop, profit, risk])
    hold(
        score,
        bars.high,
        bars.low,
        bars.close,
        reach,
        NONE if goal is None else goal,
        rule,
        patience,
        direction == "long-short",
        out,
    )
    if not protected:
        return Signals(out[0])
    return Signals(out[0], stop=out[1] if stop else None, take_profit=out[2] if profit or goal is not None else None)
