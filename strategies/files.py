"""Bars of a file as columns, for a backtest without a database."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from marketdata.bars import Bars
from marketdata.files import UnreadableFile, epoch_seconds, read_table
from strategies.errors import InvalidBars

DAY = 86_400


def bars_from(path: Path) -> Bars:
    """The bars of a CSV, Parquet, Feather or JSON file, newest-first ones turned round. Nothing is mended.

    Columns: time or date, open, high, low, close, and volume where it is known.

    Raises InvalidBars where the file cannot be read or a row has no time; prices are checked by the backtest.
    """
    try:
        table = read_table(path)
    except UnreadableFile as error:
        raise InvalidBars(str(error), field="bars") from None
    time = epoch_seconds(table["time"]).astype(np.int64) if len(table) else np.zeros(0, np.int64)
    if (time < 0).any():
        raise InvalidBars(f"row {int(np.argmax(time < 0)) + 1} of {path.name} has no time", field="bars")
    columns = [
        pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64) for name in ("open", "high", "low", "close", "volume")
    ]
    if len(time) > 1 and time[0] > time[-1]:
        time, columns = time[::-1], [column[::-1] for column in columns]
    return Bars(np.ascontiguousarray(time), *(np.ascontiguousarray(column) for column in columns))


def length_of(bars: Bars) -> int:
    """Seconds of a bar: the distance that is found most often between two of them; a day where there is none."""
    steps = np.diff(bars.time)
    steps = steps[steps > 0]
    if not len(steps):
        return DAY
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def calendar_of(bars: Bars) -> str:
    """``exchange`` where no bar is of a Saturday or Sunday, over more than a week."""
    days = np.unique(bars.time // DAY)
    weekend = (days + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    return "exchange" if len(days) > 5 and not weekend.any() and days[-1] - days[0] > 7 else "crypto"
