"""Owns where anchored indicators start anew: UTC days, weeks (from Monday) and months, from epoch seconds."""

from numba import int64, njit

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


@njit(int64(int64, int64), cache=True)
def period(day: int, anchor: int) -> int:
    """Number of the period that holds ``day`` (days since 1970-01-01, a Thursday)."""
    if anchor == 0:
        return day
    if anchor == 1:
        return (day + 3) // 7
    # Months since year 0 by Hinnant's days-from-civil, run backwards (years start in March).
    shifted = day + 719468
    era = shifted // 146097
    of_era = shifted - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return (era * 400 + year) * 12 + (5 * of_year + 2) // 153
