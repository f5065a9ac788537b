"""What is wrong with a series of bars, before anything is concluded from it. A line of the assumption sheet for each series."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from strategies.conditions import is_borrowed

DAY: Final = 86_400
ALWAYS: Final = ("24/7", "crypto")
SOME_EXCHANGE: Final = "exchange"
LONGEST_CLOSED: Final = 5 * DAY  # a weekend with the holidays around it


def facts(bars: Bars, seconds: int, calendar: str) -> dict[str, int]:
    """Counts of bars, and of those that are missing (holes), frozen, or without volume (silent)."""
    return {
        "bars": len(bars),
        "holes": holes(bars, seconds, calendar),
        "frozen": frozen(bars),
        "silent": int((bars.volume == 0).sum()),
    }


def adjusted(kind: str) -> str:
    """What the prices of an instrument are adjusted for: shares by the providers that have them; nothing else is split."""
    return "unknown" if not kind else "splits" if kind == "stock" else "none"


def sheet(assumptions: dict[str, Any], data: list[dict[str, Any]], position: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The assumption sheet with its data, and with warnings where these are not whole, not of their time, or sold short for
    nothing.

    ``position`` is (n, k), as a result has it.
    """
    flaws = {"missing-bars": "holes", "frozen-bars": "frozen"}
    found = [code for code, name in flaws.items() if any(one[name] for one in data)]
    if any(one["recorded"] for one in data):
        found.append("recorded-times")
    if (position < 0).any() and not assumptions["costs"]["borrow"] and any(is_borrowed(one["kind"]) for one in data):
        found.append("shorts-for-free")
    return assumptions | {"data": data, "warnings": [*assumptions["warnings"], *found]}


def holes(bars: Bars, seconds: int, calendar: str) -> int:
    """How many bars between the first and the last are missing.

    ``calendar`` is an exchange's (as in XNYS), ``24/7``, or what a file shows: ``crypto``, or ``exchange`` for one that nobody
    named, of which working days are counted where more than five days in a row are not there. A venue that closes misses days
    by its calendar, and bars only between two of the same day.
    """
    steps = np.diff(bars.time) // seconds - 1
    if calendar in ALWAYS:
        return int(steps.sum())
    if seconds < DAY:
        same_day = np.diff(bars.time // DAY) == 0
        return int(steps[same_day].sum())
    if calendar == SOME_EXCHANGE:
        days = (bars.time // DAY).astype("datetime64[D]")
        long = np.diff(bars.time) > LONGEST_CLOSED
        return int((np.busday_count(days[:-1][long], days[1:][long]) - 1).sum())
    import exchange_calendars

    days = (bars.time // DAY).astype("datetime64[D]")
    try:
        with warnings.catch_warnings():  # of pandas, at how the library uses it
            warnings.simplefilter("ignore")
            venue = exchange_calendars.get_calendar(calendar, start=str(days[0]), end=str(days[-1] + 1))
            expected = venue.sessions_in_range(str(days[0]), str(days[-1])).to_numpy().astype("datetime64[D]")
    except (exchange_calendars.errors.CalendarError, ValueError):  # a span that the calendar does not know
        return 0
    return int(np.setdiff1d(expected, days).size)


def frozen(bars: Bars) -> int:
    """Bars in which nothing moved and nothing was traded: a feed that stood still, or a market that did."""
    still = (bars.high == bars.low) & (bars.open == bars.close) & (bars.volume == 0)
    return int((still[1:] & (bars.close[1:] == bars.close[:-1])).sum())
