"""A list of trades as rows for people and programs: JSON, CSV and Parquet hold the same columns.

Pure of the database.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Trades = npt.NDArray[Any]

# What the engine writes for orders that it made itself; the rest is what the strategy's own order carried.
REASONS: Final = {-1: "target", -2: "stop-loss", -3: "take-profit", -4: "trailing-stop", -5: "liquidation", 0: "order"}
NUMBERS: Final = ("quantity", "entry_price", "exit_price", "pnl", "fees", "slippage", "mae", "mfe")
COLUMNS: Final = (
    "number", "instrument", "side", "entry_time", "exit_time", "entry_bar", "exit_bar", *NUMBERS, "entry_reason", "exit_reason",
    "ambiguous", "open",
)  # fmt: skip


def reason(code: int) -> str:
    """A code as text: ``target``, ``stop-loss``…, ``order``, or ``order-7`` with the number it carried."""
    return REASONS.get(code, f"order-{code}")


def rows(trades: Trades, instruments: Sequence[str], *, first: int = 1) -> list[dict[str, Any]]:
    """One mapping for each trade, numbered from ``first``."""
    answer = []
    for number, trade in enumerate(trades.tolist(), start=first):
        row = dict(zip(trades.dtype.names or (), trade, strict=True))
        answer.append(
            {
                "number": number,
                "instrument": instruments[row["instrument"]],
                "side": "long" if row["side"] > 0 else "short",
                **{name: row[name] for name in ("entry_time", "exit_time", "entry_bar", "exit_bar", *NUMBERS)},
                "entry_reason": reason(row["entry_reason"]),
                "exit_reason": "" if row["open"] else reason(row["exit_reason"]),
                "ambiguous": row["ambiguous"],
                "open": row["open"],
            }
        )
    return answer


def as_csv(trades: Trades, instruments: Sequence[str]) -> str:
    """With a header; times as ISO 8601 UTC, numbers as they are."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    for row in rows(trades, instruments):
        for name in ("entry_time", "exit_time"):
            row[name] = datetime.fromtimestamp(row[name], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        writer.writerow(row)
    return out.getvalue()


def as_parquet(trades: Trades, instruments: Sequence[str]) -> bytes:
    """The same columns, times as UTC timestamps."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns: dict[str, Any] = {
        "number": np.arange(1, len(trades) + 1),
        "instrument": pa.array([instruments[i] for i in trades["instrument"].tolist()], pa.string()),
        "side": pa.array(np.where(trades["side"] > 0, "long", "short").tolist(), pa.string()),
    }
    for name in ("entry_time", "exit_time"):
        columns[name] = pa.array(trades[name], pa.timestamp("s", tz="UTC"))
    columns |= {name: np.ascontiguousarray(trades[name]) for name in ("entry_bar", "exit_bar", *NUMBERS)}
    columns["entry_reason"] = pa.array([reason(code) for code in trades["entry_reason"].tolist()], pa.string())
    ends = zip(trades["exit_reason"].tolist(), trades["open"].tolist(), strict=True)
    columns["exit_reason"] = pa.array(["" if still else reason(code) for code, still in ends], pa.string())
    columns |= {name: np.ascontiguousarray(trades[name]) for name in ("ambiguous", "open")}
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out)
    return out.getvalue()
