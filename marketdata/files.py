"""Bars from files: CSV, Parquet, Feather and JSON, checked row by row.

Pure of the database: reads a file into bars and says which rows it refused and why.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from marketdata.bars import Bar, problem
from marketdata.timeframes import TIMEFRAMES, Timeframe

TIME_NAMES = ("time", "date", "datetime", "timestamp", "start", "open_time", "opentime")
NAMES = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vol": "volume"}
FILE_SOURCE = 4  # Candle.Source.FILE
MOST_EXAMPLES = 20  # rows that are named for each reason
LATEST = 2**33  # epoch seconds: the year 2242
FEW = 3  # steps between rows that say nothing of a longer timeframe


class UnreadableFile(ValueError):
    """The file is not one of the forms, lacks a column, or holds other bars; the message says what was found and expected."""


@dataclass
class Loaded:
    """What a file gave: bars in order, refused rows (1-based, the header not counted) and the gaps between bars."""

    bars: list[Bar] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[int, str]] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def refuse(self, row: int, reason: str) -> None:
        self.refused[reason] += 1
        if self.refused[reason] <= MOST_EXAMPLES:
            self.examples.append((row, reason))


def read_table(path: Path) -> pd.DataFrame:
    """The file as a table with the columns time, open, high, low, close, volume.

    Raises UnreadableFile.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    try:
        match kind:
            case ".csv" | ".txt":
                table = pd.read_csv(path)
            case ".parquet":
                table = pd.read_parquet(path)
            case ".feather":
                table = pd.read_feather(path)
            case ".json":
                table = _from_json(path)
            case _:
                raise UnreadableFile(f"a file ends in .csv, .parquet, .feather or .json (.gz may follow), was {path.name}")
    except FileNotFoundError:
        raise UnreadableFile(f"there is no file {path}") from None
    except (ValueError, OSError, pd.errors.ParserError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(f"{path.name} cannot be read: {error}") from error
    table.columns = written = [str(name).strip().lower() for name in table.columns]
    table = table.rename(columns=NAMES)
    time = next((name for name in TIME_NAMES if name in table.columns), None)
    missing = [name for name in ("open", "high", "low", "close") if name not in table.columns]
    if time is None:
        missing.insert(0, "time")
    if missing:
        raise UnreadableFile(f"{path.name} lacks {', '.join(missing)}; it has {', '.join(written)}")
    table = table.rename(columns={time: "time"})
    if "volume" not in table.columns:
        table["volume"] = 0.0
    return table[["time", "open", "high", "low", "close", "volume"]]


def _from_json(path: Path) -> pd.DataFrame:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        data: Any = json.load(file)
    if isinstance(data, dict):
        data = next((value for value in data.values() if isinstance(value, list)), None)
    if not isinstance(data, list):
        raise UnreadableFile(f"{path.name} must hold a list of bars")
    if data and isinstance(data[0], list):
        return pd.DataFrame([row[:6] for row in data], columns=["time", "open", "high", "low", "close", "volume"])
    return pd.DataFrame(data)


def epoch_seconds(column: pd.Series) -> np.ndarray:
    """Opening times as epoch seconds; -1 where a value is no time, or none before LATEST.

    Numbers are seconds, milli-, micro- or nanoseconds: the unit is that of the most of them, so that one wrong row makes no
    other wrong.
    """
    numbers = pd.to_numeric(column, errors="coerce") if not pd.api.types.is_datetime64_any_dtype(column) else None
    if numbers is not None and numbers.notna().mean() > 0.5:
        typical = float(numbers.abs().median())
        scale = next((s for s, limit in ((1, 1e11), (1e3, 1e14), (1e6, 1e17)) if typical < limit), 1e9)
        scaled = numbers.to_numpy(float) / scale
        return np.where((scaled >= 0) & (scaled < LATEST), scaled, -1).astype("int64")
    times = pd.to_datetime(column, utc=True, errors="coerce", format="mixed")
    seconds = times.dt.as_unit("s").astype("int64")
    return np.where(times.notna() & (seconds < LATEST), seconds, -1)


def other_timeframe(time: np.ndarray, timeframe: Timeframe) -> str | None:
    """What the rows are, if they are not bars of ``timeframe``; None where they are, or where too little speaks against it.

    Told by the commonest step between neighbours. Gaps (nobody traded, the exchange was closed, rows are missing) make single
    steps longer and never shorter: rows are of a shorter timeframe when half of the steps are that short, or half of the rows
    open inside a bar; of a longer one only when half of the steps are that long and no row lies between them.
    """
    times = np.unique(time[time >= 0])
    if len(times) < 2:
        return None
    steps, counts = np.unique(np.diff(times), return_counts=True)
    step, count, total = int(steps[counts.argmax()]), int(counts.max()), len(times) - 1
    known = next((other.name for other in TIMEFRAMES.values() if other.seconds == step), None)
    shorter = step < timeframe.seconds and (known or total >= FEW)
    longer = step > timeframe.seconds and total >= FEW and not np.any((times - times[0]) % step)
    if shorter:
        off = int(np.count_nonzero(times % timeframe.seconds))
        if 2 * count < total and 2 * off < len(times):
            return None
    elif not longer or 2 * count < total:
        return None
    what = f"{known} bars" if known else f"rows {step:,} seconds apart"
    return f"{what} ({count:,} of {total:,} steps between its rows), not {timeframe} bars" + (
        f"; name {known}" if known else f"; a timeframe is one of {', '.join(TIMEFRAMES)}"
    )


def load(path: Path, timeframe: Timeframe, *, source: int = FILE_SOURCE) -> Loaded:
    """Read and check a file. Newest-first files are turned round; of duplicates the first row stays.

    Raises UnreadableFile, also for a file without rows and one whose rows are bars of another timeframe.
    """
    table = read_table(path)
    loaded = Loaded()
    if not len(table):
        raise UnreadableFile(f"{path.name} has no rows")
    time = epoch_seconds(table["time"])
    if other := other_timeframe(time, timeframe):
        raise UnreadableFile(f"{path.name} holds {other}")
    numbers = {
        name: pd.to_numeric(table[name], errors="coerce").to_numpy(float) for name in ("open", "high", "low", "close", "volume")
    }
    order = range(len(table))
    valid = time[time >= 0]
    if len(valid) > 1 and valid[0] > valid[-1]:
        order = range(len(table) - 1, -1, -1)
    last = -1
    for i in order:
        opened = int(time[i])
        bar = Bar.at(opened, [float(numbers[name][i]) for name in numbers], source=source)
        if opened < 0:
            loaded.refuse(i + 1, "no time")
        elif opened % timeframe.seconds:
            loaded.refuse(i + 1, f"not at the start of a {timeframe} bar")
        elif opened == last:
            loaded.refuse(i + 1, "duplicate time")
        elif opened < last:
            loaded.refuse(i + 1, "out of order")
        elif reason := problem(bar):
            loaded.refuse(i + 1, reason)
        else:
            if last >= 0 and opened > last + timeframe.seconds:
                loaded.gaps.append((last + timeframe.seconds, opened))
            loaded.bars.append(bar)
            last = opened
    return loaded
