"""What a simulation reads: bars, decisions and calendar as arrays, and the columns of an intent."""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit

DAY_SECONDS = 86_400

# Columns of an intent.
(
    IN_BAR, IN_ID, IN_INSTRUMENT, IN_ACTION, IN_SIDE, IN_KIND, IN_QUANTITY, IN_LIMIT, IN_STOP, IN_TRAIL, IN_TIF, IN_REDUCE,
    IN_PARENT, IN_GROUP, IN_REASON,
) = range(15)  # fmt: skip
INTENT_SIZE = 15
# Columns of a corporate action.
ACTION_BAR, ACTION_INSTRUMENT, ACTION_RATIO, ACTION_DIVIDEND = range(4)


class Series(NamedTuple):
    """What a simulation reads. Where something is not given its array has no rows."""

    time: Any  # (n,) int64
    open: Any  # (n, k)
    high: Any
    low: Any
    close: Any
    volume: Any
    fillable: Any  # (n, k) int8, or (0, k)
    session: Any  # (n,) int64, or (0,)
    targets: Any  # (n, k)
    stops: Any
    profits: Any
    trails: Any
    intents: Any  # (m, INTENT_SIZE) by bar
    actions: Any  # (m, 4) by bar
    funding: Any  # (n, k)
    fine: Any  # (f, 5) finer bars of the only instrument
    fine_from: Any  # (n + 1,) int64: bar i is fine[fine_from[i]:fine_from[i + 1]]


@njit(cache=True)
def session_of(series: Series, i: int) -> int:
    return series.session[i] if len(series.session) else series.time[i] // DAY_SECONDS
