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

# Running sums that began on different bars differ by less than this share of the price, and a flat market must not flip on it.
NOISE: Final = 1e-9


def exposure(above: Floats, below: Floats, *, scale: Floats, direction: str, tolerance: float = NOISE) -> Floats:
    """Long where ``above`` is over ``below``; under it short, or flat when ``direction`` is "long".

    Parameters
    ----------
    above, below : (n,) float64
        Two lines in one unit; NaN where not known yet.
    scale : (n,) float64
        A price of the same size.
    direction : str
        "long" or "long-short".
    tolerance : float
        Differences up to this share of ``scale`` count as equal; a billionth is rounding noise.

    Returns
    -------
    (n,) float64
        -1, 0 or 1; 0 where the lines are equal or unknown.
    """
    # Imported when it runs: processes that only list strategies do without the numeric libraries.
    from strategies.library.kernels import compare

    wanted = np.empty(len(above))
    compare(above, below, scale, tolerance, direction == "long-short", wanted)
    return wanted
