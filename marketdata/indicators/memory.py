"""Owns how many bars an indicator needs before its newest value no longer depends on where the series began."""

from math import ceil, log, log1p

# A seed may differ from the settled average by several times its value; 1e-12 of that is below 1e-9 of the value.
FORGOTTEN = 1e-12


def decay(weight: float, stages: int = 1, forgotten: float = FORGOTTEN) -> int:
    """Bars after which ``stages`` exponential averages of ``weight``, one upon the other, forget their seed.

    One stage forgets as (1 − weight)^t. Each further one multiplies that by about weight · t, for which the
    logarithm of twice the exponent is added.
    """
    exponent = -log(forgotten)
    exponent += (stages - 1) * log(2 * exponent)
    return ceil(exponent / -log1p(-weight))


def exponential(window: int, stages: int = 1) -> int:
    """Bars for TA-Lib's EMA (weight 2 / (window + 1)), its seed of ``window`` bars a stage included."""
    return decay(2 / (window + 1), stages) + stages * window


def wilder(window: int, stages: int = 1, forgotten: float = FORGOTTEN) -> int:
    """Bars for Wilder's average (weight 1 / window), its seed of ``window`` + 1 bars a stage included."""
    return decay(1 / window, stages, forgotten) + stages * (window + 1)
