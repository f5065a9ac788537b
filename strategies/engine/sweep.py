"""Many simulations over the same bars: what a search needs of each, and nothing that it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from strategies.engine import layout as at
from strategies.engine.checking import sound, told
from strategies.engine.kernel import run
from strategies.engine.model import Costs, Floats, Market, Rules, markets_table, number, rules_row
from strategies.engine.shortcuts import plain, run_plain
from strategies.engine.simulation import new_state, series_of, split_targets, with_room
from strategies.engine.state import State

if TYPE_CHECKING:
    from marketdata.bars import Bars
    from strategies.contract import Signals

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulation of a sweep.

    ``daily`` (d,) float64: account value at the last close of each UTC day, from which returns and their statistics
    follow. ``drawdown`` is the deepest fall from a peak as a fraction, at most 0, by bars.
    """

    final_equity: float
    drawdown: float
    fills: int
    fees: float
    bankrupt: bool
    daily: Floats


def day_ends(time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The index of each UTC day's last bar."""
    days = time // DAY_SECONDS
    return np.flatnonzero(np.r_[days[1:] != days[:-1], True]) if len(time) else np.zeros(0, np.int64)


def sweep(
    bars: Bars,
    answers: Iterable[Floats | Signals],
    *,
    market: Market = Market(),  # noqa: B008  (frozen)
    costs: Costs = Costs(),  # noqa: B008
    rules: Rules = Rules(),  # noqa: B008
    cash: float = 10_000.0,
) -> Iterator[Outcome]:
    """Simulate each of ``answers``, targets as of ``simulate``, over the same bars; yields in their order.

    The same kernel and rules as ``simulate``; only no tables are made. Raises InvalidSimulation as it does.
    """
    told(costs, rules)
    cash = number("cash", cash, 1e-9, 1e15)
    _, markets = markets_table(market, 1)
    bars = sound(bars)
    base = series_of([bars])
    row, n = rules_row(costs, rules), len(bars)
    ends = day_ends(base.time)
    equity = np.empty(n)
    fresh, state = new_state(markets, row, cash, 0), new_state(markets, row, cash, 1024)
    nothing = np.empty(0)
    for answer in answers:
        exposure, levels, changes = split_targets(answer, n, 1)
        series = base._replace(targets=exposure, stops=levels[0], profits=levels[1], trails=levels[2])
        daily = np.empty(len(ends))
        state = reset(state, fresh, 0)
        if plain(state, series):
            peaks = np.array([cash, 0.0])
            if run_plain(state, series, 0, n, nothing, ends, daily, peaks) == n:
                final = float(daily[-1]) if n else cash
                yield outcome(state, final, float(peaks[1]), daily)
                continue
        state = reset(state, fresh, changes + 64)
        i = 0
        while (i := run(state, series, i, n, equity)) < n:
            state = with_room(state, 2 * len(state.fills))
        drawdown = summarised(equity, ends, cash, daily)
        yield outcome(state, float(equity[-1]) if n else cash, drawdown, daily)


def outcome(state: State, final: float, drawdown: float, daily: Floats) -> Outcome:
    account = state.account
    return Outcome(final, drawdown, int(state.counts[at.FILLS]), float(account[at.FEES]), bool(account[at.BANKRUPT]), daily)


def reset(state: State, fresh: State, room: int) -> State:
    """As ``fresh``, in the same memory where it suffices for ``room`` fills."""
    if len(state.fills) < room:
        state = with_room(state, room)
    for name in ("account", "counts", "instruments"):
        getattr(state, name)[:] = getattr(fresh, name)
    return state


@njit(cache=True)
def summarised(equity: Any, ends: Any, cash: float, daily: Any) -> float:
    """Fill ``daily`` with the equity at ``ends``; returns the deepest drawdown."""
    peak, deepest = cash, 0.0
    floor = peak  # the equity at which the drawdown would be the deepest so far
    for i in range(len(equity)):
        value = equity[i]
        if value > peak:
            peak = value
            floor = peak * (1 + deepest)
        elif value < floor:
            deepest = value / peak - 1
            floor = value
    for d in range(len(ends)):
        daily[d] = equity[ends[d]]
    return deepest
