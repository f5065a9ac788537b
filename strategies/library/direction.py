"""From a rising or falling measure to exposure, as long-only and long-short strategies share it."""

from __future__ import annotations

from typing import Final

import numpy as np

from strategies.contract import Floats, Parameter

DIRECTION: Final = Parameter(
    "direction",
    "Direction",
    "choice",
    default="long",
    choices=(("long", "Long only"), ("long-short", "Long and short")),
    help="Short positions need a perpetual or a future.",
)


def exposure(above: Floats, below: Floats, *, scale: Floats, direction: str) -> Floats:
    """Long where ``above`` is over ``below``; under it short, or flat when ``direction`` is "long".

    Parameters
    ----------
    above, below : (n,) float64
        Two lines in one unit; NaN where not known yet.
    scale : (n,) float64
        A price of the same size. Differences under a billionth of it are rounding noise and count as equal: running
        sums that began on different bars differ by that much, and a flat market must not flip on it.
    direction : str
        "long" or "long-short".

    Returns
    -------
    (n,) float64
        -1, 0 or 1; 0 where the lines are equal or unknown.
    """
    difference = above - below
    noise = np.abs(scale) * 1e-9
    wanted = np.zeros(len(difference))
    wanted[difference > noise] = 1.0
    if direction == "long-short":
        wanted[difference < -noise] = -1.0
    return wanted
