"""A library strategy at its defaults on given bars, as a chart shows it: trades, lines, levels, what is held, equity.

Pure. The same way from bars to trades as a run has (`strategies.backtest`), without what a run adds for whoever wants to
believe the numbers: resamples, worse assumptions, a snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from strategies.backtest import (
    Decision,
    asks_within,
    buy_and_hold,
    check_bars,
    library_decision,
    on_one_axis,
    simulated,
    tradable_volumes,
)
from strategies.conditions import Conditions
from strategies.contract import Declared, validate
from strategies.drawn import drawing
from strategies.engine import Result

DIGITS: Final = 6  # significant, of what is only drawn
SHARES: Final = 5  # decimals of what is written as a percentage
TRADE: Final = ("instrument", "side", "entry_time", "exit_time", "entry_price", "exit_price", "pnl", "open")


def demonstrate(
    strategy: Declared, series: Sequence[Bars], conditions: Conditions, finer: Bars | None = None
) -> dict[str, Any]:
    """What a chart and the line of numbers above it need, as JSON has it.

    Parameters
    ----------
    strategy : Declared
        Of the library; an event-driven one good for one run.
    series : k Bars
        One for each instrument of ``conditions.markets``.
    finer : Bars or None
        Finer bars of the only instrument, which decide what came first within a bar.

    Returns
    -------
    dict
        ``rows`` (k × n rows of time, open, high, low, close), ``trades`` by column, ``equity`` and ``benchmark`` (n shares
        gained), ``exposure`` (n shares of equity), ``lines``, ``levels``, ``regimes``, ``stops`` and ``goals`` (n prices or
        None, where the strategy has them), and the numbers ``total_return``, ``benchmark_return``, ``closed``, ``open``.

    Raises
    ------
    NoBars, InvalidBars, Refused
        As `strategies.backtest.backtest`.
    """
    axis = on_one_axis(series)
    check_bars(axis)
    p = validate(strategy, {})
    decision = library_decision(strategy, p)(axis, conditions)
    traded, _unknown = tradable_volumes(axis)
    detail = tradable_volumes([finer])[0][0] if finer is not None and asks_within(decision) else None
    result = simulated(traded, decision, conditions, detail)
    held = buy_and_hold(axis, conditions.cash) / conditions.cash - 1
    drawn = drawing(strategy.name, axis, p)
    trades = result.trades
    return {
        "rows": [rows_of(bars) for bars in axis],
        "trades": {name: trades[name].tolist() for name in TRADE},
        "equity": np.round(result.equity / conditions.cash - 1, SHARES).tolist(),
        "benchmark": np.round(held, SHARES).tolist(),
        "exposure": np.round(exposure_of(result), SHARES).tolist(),
        "lines": [{"label": one.label, "own": one.own, "kind": one.kind, "values": plain(one.values)} for one in drawn.lines],
        "levels": list(drawn.levels),
        "regimes": [] if drawn.regimes is None else drawn.regimes.tolist(),
        **protection_of(decision, result),
        "total_return": float(result.final_equity / conditions.cash - 1),
        "benchmark_return": float(held[-1]),
        "closed": int((~trades["open"]).sum()),
        "open": int(trades["open"].sum()),
    }


def exposure_of(result: Result) -> npt.NDArray[np.float64]:
    """(n,) the worth of all positions as a share of equity, those held short counted against; 0 where equity is used up."""
    close = np.nan_to_num(result.prices[2])
    worth = (result.position * close).sum(axis=1)
    shares: npt.NDArray[np.float64] = np.divide(worth, result.equity, out=np.zeros_like(worth), where=result.equity > 0)
    return shares


def protection_of(decision: Decision, result: Result) -> dict[str, list[float | None]]:
    """Where stop and goal stood while something was held; empty where the strategy places none."""
    signals = decision.signals
    held = result.position[:, 0] != 0
    levels = {"stops": signals.stop if signals else None, "goals": signals.take_profit if signals else None}
    return {name: [] if level is None else plain(np.where(held, level, np.nan)) for name, level in levels.items()}


def rows_of(bars: Bars) -> list[list[float | None]]:
    """[time, open, high, low, close] of each bar; None for the prices where there is no bar."""
    prices = np.column_stack(bars.columns[1:5]).tolist()
    times = bars.time.tolist()
    return [[time, *(None if price != price else price for price in row)] for time, row in zip(times, prices, strict=True)]


def plain(values: npt.NDArray[np.float64]) -> list[float | None]:
    """Numbers of six digits, None for NaN."""
    return [float(f"{value:.{DIGITS}g}") if value == value else None for value in values.tolist()]
