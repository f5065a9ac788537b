"""Real daily stock bars that came with the platform: the data set of the package ``bokeh-sampledata`` (BSD-3), 2000 to 2013.

Only the package's data file is read; its code, and what that depends on, is not imported. Prices in the file are raw. They are
adjusted for splits here, because an unadjusted split looks like a crash to every indicator; dividends are left in the price.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from marketdata.bars import Bar

FILE_SOURCE = 4  # Candle.Source
NAMES = {"AAPL": "Apple", "FB": "Facebook", "GOOG": "Google", "IBM": "IBM", "MSFT": "Microsoft"}
SMALLEST_SPLIT = 1.25  # a day's change of the adjustment factor; dividends change it by a few per cent


class Split(NamedTuple):
    """On ``day`` one share became ``ratio`` shares."""

    day: date
    ratio: Fraction


class Stock(NamedTuple):
    """Daily bars, oldest first, adjusted for ``splits``: prices in USD, volume in today's shares."""

    ticker: str
    bars: list[Bar]
    splits: list[Split]


class _Row(NamedTuple):
    day: date
    prices: tuple[float, float, float, float]
    volume: float
    factor: float


def path() -> Path | None:
    """The data file, or None where the package is not installed."""
    spec = importlib.util.find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "_data" / "stocks.csv.gz"
    return found if found.exists() else None


def stocks() -> Iterator[Stock]:
    """Every stock of the package; none where it is not installed."""
    file = path()
    if file is None:
        return
    rows: dict[str, list[_Row]] = {}
    with gzip.open(file, "rt", newline="") as text:
        for row in csv.DictReader(text):
            prices = tuple(float(row[name]) for name in ("Open", "High", "Low", "Close"))
            factor = float(row["Adj Close"]) / prices[3]
            day = date.fromisoformat(row["Date"])
            rows.setdefault(row["Ticker"], []).append(_Row(day, prices, float(row["Volume"]), factor))  # type: ignore[arg-type]
    for ticker, listed in rows.items():
        listed.sort(key=lambda one: one.day)
        yield adjusted(ticker, listed)


def adjusted(ticker: str, rows: list[_Row]) -> Stock:
    """Divide what came before a split by its ratio, and multiply its volume."""
    splits = []
    for before, after in pairwise(rows):
        change = after.factor / before.factor
        if change > SMALLEST_SPLIT or change < 1 / SMALLEST_SPLIT:
            splits.append(Split(after.day, Fraction(change).limit_denominator(4)))
    bars = []
    for row in rows:
        ratio = 1.0
        for split in splits:
            if row.day < split.day:
                ratio *= float(split.ratio)
        opened = int(datetime(row.day.year, row.day.month, row.day.day, tzinfo=UTC).timestamp())
        open_, high, low, close = (round(price / ratio, 4) for price in row.prices)
        # A few rows of the file have an open outside of high and low; the extremes hold all four.
        top, bottom = max(open_, high, low, close), min(open_, high, low, close)
        bars.append(Bar(opened, open_, top, bottom, close, row.volume * ratio, None, FILE_SOURCE))
    return Stock(ticker, bars, splits)
