"""What a simulation gives back: orders, fills, trades, the equity curve, and the hash that names them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from strategies.engine import layout as at
from strategies.engine.layout import Status, Why
from strategies.engine.model import Assumptions, Floats
from strategies.engine.trades import excursions, positions_at, trades_of

Table = npt.NDArray[np.void]

ORDER_FIELDS: Final = [
    ("id", "i8", at.ID), ("bar", "i8", at.BAR), ("instrument", "i4", at.INSTRUMENT), ("side", "i1", at.SIDE),
    ("kind", "i1", at.KIND), ("quantity", "f8", at.QUANTITY), ("limit", "f8", at.LIMIT), ("stop", "f8", at.STOP),
    ("trail", "f8", at.TRAIL), ("tif", "i1", at.TIME_IN_FORCE), ("reduce_only", "?", at.REDUCE_ONLY),
    ("parent", "i8", at.PARENT), ("group", "i8", at.GROUP), ("reason", "i4", at.REASON),
    ("status", "i1", at.STATUS), ("why", "i1", at.WHY),
    ("filled", "f8", at.FILLED), ("origin", "i1", at.ORIGIN),
]  # fmt: skip
FILL_FIELDS: Final = [
    ("bar", "i8", at.FILL_BAR), ("order", "i8", at.FILL_ORDER), ("instrument", "i4", at.FILL_INSTRUMENT),
    ("side", "i1", at.FILL_SIDE),
    ("quantity", "f8", at.FILL_QUANTITY), ("price", "f8", at.FILL_PRICE), ("fee", "f8", at.FILL_FEE),
    ("slippage", "f8", at.FILL_SLIPPAGE), ("maker", "?", at.FILL_MAKER), ("phase", "i1", at.FILL_PHASE),
    ("ambiguous", "?", at.FILL_AMBIGUOUS), ("position", "f8", at.FILL_POSITION),
]  # fmt: skip
TRADE_DTYPE: Final = np.dtype(
    [
        ("instrument", "i4"), ("side", "i1"), ("entry_bar", "i8"), ("exit_bar", "i8"), ("entry_time", "i8"),
        ("exit_time", "i8"),
        ("quantity", "f8"), ("entry_price", "f8"), ("exit_price", "f8"), ("pnl", "f8"), ("fees", "f8"), ("slippage", "f8"),
        ("mae", "f8"), ("mfe", "f8"), ("entry_reason", "i4"), ("exit_reason", "i4"), ("ambiguous", "?"), ("open", "?"),
    ]
)  # fmt: skip


def structured(table: Floats, fields: list[tuple[str, str, int]]) -> Table:
    answer = np.empty(len(table), [(name, kind) for name, kind, _ in fields])
    for name, _, column in fields:
        answer[name] = table[:, column]
    return answer


@dataclass(frozen=True, eq=False)
class Result:
    """A simulation's outcome.

    ``time`` (n,) int64 epoch seconds of each bar's opening; ``equity`` (n,) float64, account value at each close;
    ``assumptions``, what it was told; ``flags``, what to know before believing it: bankrupt, liquidations,
    short_not_allowed, open_positions. The tables ``orders``, ``fills`` and ``trades`` are structured arrays, made when they
    are first asked for: ``result.trades["pnl"]``, ``result.trades.dtype.names``. Bars are indices into ``time``, prices are
    in the quote currency, quantities in units, money in the account's currency. ``account``, ``raw_orders``, ``raw_fills``
    and ``prices`` are the kernel's own tables.
    """

    time: npt.NDArray[np.int64]
    equity: Floats
    assumptions: Assumptions
    account: Floats
    raw_orders: Floats
    raw_fills: Floats
    prices: tuple[Floats, Floats, Floats]  # high, low, close, (n, k) each
    flags: dict[str, Any]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def instruments(self) -> int:
        return int(self.prices[2].shape[1])

    @property
    def final_equity(self) -> float:
        return float(self.equity[-1]) if len(self.equity) else self.assumptions.cash

    @cached_property
    def orders(self) -> Table:
        """Every order: see section 9 of docs/engine.md. ``status``, ``why``, ``kind``, ``origin``, ``tif`` are codes of
        ``Status``, ``Why``, ``Kind``, ``Origin``, ``TimeInForce``; ``bar`` is that of the decision, ``filled`` a quantity,
        ``reason`` the number that an intent carried."""
        return structured(self.raw_orders, ORDER_FIELDS)

    @cached_property
    def fills(self) -> Table:
        """Every fill, in the order they happened. ``order`` is the order's id; ``fee`` and ``slippage`` are money, ``position``
        the units held after it, ``phase`` a code: 0 at the open, 1 stops and 2 limits within the bar, 3 at the close."""
        table = structured(self.raw_fills, FILL_FIELDS)
        table["order"] = self.raw_orders[self.raw_fills[:, at.FILL_ORDER].astype(np.int64), at.ID] if len(table) else 0
        return table

    @property
    def splits(self) -> Floats:
        """(s, 3) rows of bar, instrument, ratio."""
        return np.array(self.assumptions.facts.get("splits", []), dtype=np.float64).reshape(-1, 3)

    @cached_property
    def position(self) -> Floats:
        """(n, k) units held at each close."""
        held: Floats = positions_at(self.raw_fills, self.splits, len(self.time), self.instruments)
        return held

    @cached_property
    def trades(self) -> Table:
        """From flat to flat, or through zero. ``pnl`` is after fees; ``mae`` ≤ 0 ≤ ``mfe`` in account currency; ``quantity`` is
        the largest that was held. ``entry_reason`` and ``exit_reason`` are an intent's own number, or minus an ``Origin``."""
        _, _, close = self.prices
        multipliers = np.array([market.multiplier for market in self.assumptions.markets])
        rows, last = trades_of(self.raw_fills, self.raw_orders, multipliers, close, self.splits)
        table = np.empty(len(rows), TRADE_DTYPE)
        if len(rows):
            names = ("instrument", "side", "entry_bar", "exit_bar", "quantity", "entry_price", "exit_price", "pnl", "fees")
            for column, name in enumerate((*names, "slippage", "entry_reason", "exit_reason", "ambiguous", "open")):
                table[name] = rows[:, column]
            table["entry_time"], table["exit_time"] = self.time[table["entry_bar"]], self.time[table["exit_bar"]]
            table["mae"], table["mfe"] = excursions(self.raw_fills, last, multipliers, *self.prices, self.splits).T
        return table

    @property
    def costs(self) -> dict[str, float]:
        """Money paid (dividends: received)."""
        names = ("fees", "slippage", "funding", "borrow", "interest", "dividends")
        return {name: float(self.account[column]) for column, name in enumerate(names, start=at.FEES)}

    @cached_property
    def rejections(self) -> dict[str, int]:
        """How many orders were rejected, by reason."""
        rejected = self.raw_orders[self.raw_orders[:, at.STATUS] == Status.REJECTED, at.WHY].astype(int)
        return {Why(why).name.lower().replace("_", "-"): count for why, count in sorted(Counter(rejected.tolist()).items())}

    @cached_property
    def orders_hash(self) -> str:
        """SHA-256 over orders and fills, numbers at 12 significant digits."""
        digest = hashlib.sha256(b"clusterx orders 1")
        for table, fields in ((self.raw_orders, ORDER_FIELDS), (self.raw_fills, FILL_FIELDS)):
            digest.update(len(table).to_bytes(8, "little"))
            for _, kind, column in fields:
                values = table[:, column]
                digest.update(rounded(values) if kind == "f8" else values.astype("<i8").tobytes())
        return digest.hexdigest()


def rounded(values: Floats) -> bytes:
    """Numbers at 40 bits (12 digits) as mantissa and exponent, so that the last bits of a sum do not change the hash."""
    mantissa, exponent = np.frexp(np.where(np.isnan(values), 0.0, values))
    whole = np.rint(mantissa * 2.0**40)
    grown = np.abs(whole) >= 2.0**40  # 0.999… became 1: the same number as the next power
    whole, exponent = np.where(grown, whole / 2, whole), exponent + grown
    return bool_bytes(np.isnan(values)) + whole.astype("<i8").tobytes() + exponent.astype("<i4").tobytes()


def bool_bytes(values: npt.NDArray[np.bool_]) -> bytes:
    return values.astype("u1").tobytes()
