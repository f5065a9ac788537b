"""Owns where anchored indicators start anew: UTC days, weeks (from Monday) and months, from epoch seconds."""

from marketdata.indicators.arrays import IndicatorError

DAY = 86_400
ANCHORS = ("day", "week", "month")
_LONGEST_DAYS = {"day": 1, "week": 7, "month": 31}


def anchor_code(anchor: object) -> int:
    """Number of ``anchor`` for the kernels: 0 day, 1 week, 2 month.

    Raises
    ------
    IndicatorError
        If it is none of them.
    """
    if anchor not in ANCHORS:
        raise IndicatorError(f"anchor must be one of {', '.join(ANCHORS)}, was {anchor!r}")
    return ANCHORS.index(str(anchor))


def longest(anchor: str, bar_seconds: int) -> int:
    """Bars of ``bar_seconds`` in the longest period of ``anchor``."""
    return -(-_LONGEST_DAYS[anchor] * DAY // bar_seconds)
