"""Explicit orders as the kernel reads them: a table, every column of it looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from strategies.engine.layout import Action, Kind, TimeInForce
from strategies.engine.model import Floats, Intent, refuse
from strategies.engine.series import INTENT_SIZE

COLUMNS: Final = (
    "bar", "id", "instrument", "action", "side", "kind", "quantity", "limit", "stop", "trail", "tif", "reduce_only", "parent",
    "group", "reason",
)  # fmt: skip
NUMBERS: Final = ("quantity", "limit", "stop", "trail")  # the others are whole
LARGEST_ID: Final = 2.0**53
LARGEST_REASON: Final = 2.0**31 - 1


def intent_rows(intents: Iterable[Intent] | Floats, n: int, k: int) -> Floats:
    """Intents as the kernel reads them, checked: (m, 15) float64 in the order they were decided.

    Raises InvalidSimulation, naming column, row and value, for what no order can be: an unknown code, an id that is not new, a
    bar that is not there.
    """
    table = intents_table(intents)
    if not len(table):
        return table
    bar, name, instrument, action, side, kind = table[:, :6].T
    tif, reduce_only, parent, group = table[:, 10:14].T

    def must(column: str, expected: str, values: Floats, wrong: Any) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            refuse(f"intents: {column}", expected, float(values[row]), where=f"row {row}")

    for column, values in zip(COLUMNS, table.T, strict=True):
        if column in NUMBERS:
            must(column, "finite, or NaN for none", values, np.isinf(values))
        else:
            most = LARGEST_REASON if column == "reason" else LARGEST_ID
            must(column, "a whole number", values, ~(np.abs(values) <= most) | (values != np.floor(values)))
    placing = action == Action.PLACE
    earlier = np.r_[False, np.diff(bar) < 0]
    must("bar", f"ascending in 0..{n - 1}", bar, (bar < 0) | (bar >= n) | earlier)
    must("instrument", f"0..{k - 1}", instrument, (instrument < 0) | (instrument >= k))
    must("action", "0 place, 1 cancel or 2 replace", action, ~np.isin(action, list(Action)))
    must("side", "1 or -1", side, placing & ~np.isin(side, (1, -1)))
    must("kind", "0 market, 1 limit, 2 stop, 3 stop-limit or 4 trailing", kind, ~np.isin(kind, list(Kind)))
    must("tif", "0 GTC, 1 IOC or 2 DAY", tif, ~np.isin(tif, list(TimeInForce)))
    must("reduce_only", "0 or 1", reduce_only, ~np.isin(reduce_only, (0, 1)))
    newest = np.maximum.accumulate(np.r_[0.0, np.where(placing, name, 0.0)])[:-1]
    must("id", "positive, and of a new order above all before it", name, (name <= 0) | (placing & (name <= newest)))
    must("parent", "0 or more", parent, parent < 0)
    must("group", "0 or more", group, group < 0)
    must("quantity", "above 0", table[:, 6], placing & (parent == 0) & ~(table[:, 6] > 0))
    return table


def intents_table(intents: Iterable[Intent] | Floats) -> Floats:
    if isinstance(intents, np.ndarray):
        rows: Any = intents
    elif isinstance(intents, (str, bytes)) or not isinstance(intents, Iterable):
        refuse("intents", f"Intents, or a table of {INTENT_SIZE} columns", type(intents).__name__)
    else:
        rows = []
        for intent in intents:
            if not isinstance(intent, Intent):
                refuse("intents", f"Intents, or an array of {INTENT_SIZE} columns", type(intent).__name__)
            rows.append(intent.row())
    try:
        table = np.require(np.asarray(rows, dtype=np.float64), requirements=("C_CONTIGUOUS", "ALIGNED", "WRITEABLE"))
    except (TypeError, ValueError):
        refuse("intents", "numbers", "something else")
    if not isinstance(intents, np.ndarray):
        table = table.reshape(-1, INTENT_SIZE)
    if table.ndim != 2 or table.shape[1] != INTENT_SIZE:
        refuse("intents", f"a table of {INTENT_SIZE} columns", table.shape)
    return table
