"""Rows of a run that are asked for by and by: trades sorted and in pages, and the bars of a window for the chart."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusterx.templatetags.figures import decimals_of
from strategies import selectors
from strategies.arrays import unpack_bars
from strategies.models import Run, Snapshot
from strategies.views.words import duration, moment_of, reason_text, written

PAGE: Final = 25
WINDOW: Final = 5_000
SORTS: Final = ("number", "entry_time", "side", "quantity", "pnl", "return", "mae", "mfe", "holding")


def trade_rows(run: Run, request: HttpRequest) -> dict[str, Any]:
    """One page of trades in the order that the address asks for (``sort``, with "-" for descending)."""
    wanted = request.GET.get("sort", "number")
    key, descending = wanted.removeprefix("-"), wanted.startswith("-")
    if key not in SORTS:
        key, descending = "number", False
    trades = selectors.trades(run)
    order = np.argsort(_keys(trades, key), kind="stable")
    order = order[::-1] if descending else order
    pages = max(1, -(-len(order) // PAGE))
    asked = request.GET.get("page", "1")
    page = min(max(1, int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 1), pages)
    chosen = order[(page - 1) * PAGE : page * PAGE]
    currency = run.instrument.quote
    instruments = run.instruments
    return {
        "run": run,
        "rows": [_trade(int(index), trades[index], instruments, run.timeframe, currency) for index in chosen],
        "several": len(instruments) > 1,
        "page": page,
        "pages": pages,
        "count": len(order),
        "sort": f"-{key}" if descending else key,
        "key": key,
        "descending": descending,
        "currency": currency,
        "sorts": [
            ("number", _("First trade first")), ("-number", _("Last trade first")), ("-pnl", _("Best result first")),
            ("pnl", _("Worst result first")), ("-holding", _("Longest held first")),
        ],
    }  # fmt: skip


def _keys(trades: Any, key: str) -> Any:
    match key:
        case "number":
            return np.arange(len(trades))
        case "return":
            return _returns(trades)
        case "holding":
            return trades["exit_time"] - trades["entry_time"]
    return trades[key]


def _returns(trades: Any) -> Any:
    """Net result as a share of what was put in."""
    worth = trades["quantity"] * trades["entry_price"]
    return np.divide(trades["pnl"], worth, out=np.zeros(len(trades)), where=worth > 0)


def _trade(index: int, trade: Any, instruments: list[Any], timeframe: str, currency: str) -> dict[str, Any]:
    one = instruments[int(trade["instrument"])]
    decimals = decimals_of(one.tick_size)
    worth = float(trade["quantity"] * trade["entry_price"])
    quantity = written(float(trade["quantity"]), min(8, decimals_of(one.lot_size)))
    return {
        "index": index,
        "number": index + 1,
        "long": bool(trade["side"] > 0),
        "open": bool(trade["open"]),
        "symbol": one.symbol,
        "quantity": quantity,
        "entry_time": moment_of(int(trade["entry_time"]), daily=timeframe == "1d"),
        "exit_time": moment_of(int(trade["exit_time"]), daily=timeframe == "1d"),
        "entry_price": written(float(trade["entry_price"]), decimals),
        "exit_price": written(float(trade["exit_price"]), decimals),
        "pnl": f"{written(float(trade['pnl']), 2, signed=True)}\u00a0{currency}",
        "tone": "up" if trade["pnl"] > 0 else "down" if trade["pnl"] < 0 else "",
        "share": f"{written(100 * float(trade['pnl']) / worth, 2, signed=True)}\u00a0%" if worth else "–",
        "mae": written(float(trade["mae"]), 2, signed=True),
        "mfe": written(float(trade["mfe"]), 2, signed=True),
        "holding": duration(int(trade["exit_time"] - trade["entry_time"])),
        "entry_reason": reason_text(int(trade["entry_reason"])),
        "exit_reason": reason_text(int(trade["exit_reason"])),
    }


def bar_window(run: Run, leg: int, start: int, count: int) -> dict[str, Any] | None:
    """Bars ``start`` … of the snapshot of ``leg``, at most 5,000, as ``[time, open, high, low, close, volume]``.

    The market regime of each bar comes last where the run knows it.
    """
    kept = Snapshot.objects.filter(legs__run=run, legs__place=leg).first()
    if kept is None:
        return None
    bars = unpack_bars(kept.payload)
    first = max(0, min(start, len(bars) - 1))
    last = min(len(bars), first + max(1, min(count, WINDOW)))
    part = np.column_stack([column[first:last] for column in bars.columns])
    times = bars.time[first:last].tolist()
    rows = [[time, *(None if np.isnan(value) else value for value in row[1:])] for time, row in zip(times, part, strict=True)]
    regimes = selectors.regimes(run)
    if regimes is not None and len(regimes) == len(bars):
        rows = [[*row, label] for row, label in zip(rows, regimes[first:last].tolist(), strict=True)]
    return {"start": first, "total": len(bars), "rows": rows}
