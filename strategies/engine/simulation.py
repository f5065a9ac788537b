"""``simulate``: bars and decisions in, a ``Result`` out. The only door to the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from marketdata.bars import Bars
from strategies.engine import layout as at
from strategies.engine.kernel import run
from strategies.engine.layout import Origin
from strategies.engine.model import (
    ENGINE_VERSION,
    Assumptions,
    CorporateAction,
    Costs,
    Floats,
    Intent,
    InvalidSimulation,
    Market,
    Rules,
    intent_rows,
    markets_table,
    number,
    refuse,
    rules_row,
)
from strategies.engine.result import Result
from strategies.engine.series import INTENT_SIZE, Series
from strategies.engine.state import State

if TYPE_CHECKING:
    from strategies.contract import Signals

ROOM = 1024  # rows for orders and fills to begin with


def simulate(
    bars: Bars | Sequence[Bars],
    targets: Floats | Signals | None = None,
    *,
    intents: Iterable[Intent] | Floats | None = None,
    market: Market | Sequence[Market] = Market(),  # noqa: B008  (frozen)
    costs: Costs = Costs(),  # noqa: B008
    rules: Rules = Rules(),  # noqa: B008
    cash: float = 10_000.0,
    detail: Bars | None = None,
    funding: Floats | None = None,
    actions: Sequence[CorporateAction] = (),
    tradable: Floats | None = None,
    session: Any | None = None,
) -> Result:
    """Simulate decisions on closed bars, by the rules of docs/engine.md.

    Parameters
    ----------
    bars : Bars or k Bars on one time axis
        n closed bars; an instrument without a bar at some time has NaN prices there.
    targets : (n,) or (n, k) float64, or Signals
        The exposure wanted after each close, in [-1, 1]. Exclusive with ``intents``.
    intents : Intents, or their (m, 15) table
        Explicit orders by the bar they were decided on.
    market, costs, rules
        How the instruments are traded, what it costs, how orders fill.
    cash : float
        What the account starts with, in its currency.
    detail : Bars, optional
        Finer bars of the only instrument; they decide what happened within a bar that they cover.
    funding : (n,) or (n, k) float64, optional
        Rates paid by longs at the open of a bar; 0 or NaN where none is due.
    actions : CorporateActions by bar
    tradable : (n,) or (n, k) bool, optional
    session : (n,) int, optional
        Which session a bar belongs to; UTC days otherwise.

    Raises
    ------
    InvalidSimulation
        Where shapes, ranges or codes make no sense; ``facts["field"]`` names which.
    """
    columns = [bars] if isinstance(bars, Bars) else list(bars)
    k = len(columns)
    if k == 0:
        raise InvalidSimulation("bars must be of at least one instrument", field="bars")
    time = columns[0].time
    n = len(time)
    if any(len(one) != n or not np.array_equal(one.time, time) for one in columns[1:]):
        raise InvalidSimulation("bars must be on one time axis", field="bars")
    if not ascending(time):
        raise InvalidSimulation("bars must be in ascending order of time", field="bars")
    number("cash", cash, 1e-9, 1e15)
    if targets is not None and intents is not None:
        raise InvalidSimulation("targets or intents, not both", field="targets")
    chosen, markets = markets_table(market, k)
    exposure, levels, changes = split_targets(targets, n, k)
    fine, fine_from = finer(columns, detail)
    series = series_of(columns)._replace(
        targets=exposure,
        stops=levels[0],
        profits=levels[1],
        trails=levels[2],
        intents=intent_rows(intents if intents is not None else (), n, k),
        fine=fine,
        fine_from=fine_from,
    )
    if tradable is not None:
        series = series._replace(fillable=shaped("tradable", tradable, n, k).astype(np.int8))
    if session is not None:
        series = series._replace(session=np.ascontiguousarray(session, dtype=np.int64))
    if actions:
        series = series._replace(actions=np.array([action.row() for action in actions], dtype=np.float64))
    if funding is not None:
        series = series._replace(funding=shaped("funding", funding, n, k))
    if session is not None and len(series.session) != n:
        refuse("session", f"{n} values", len(series.session))
    if len(series.actions) and (np.diff(series.actions[:, 0]) < 0).any():
        refuse("actions", "in order of bars", "others")
    state, equity = simulate_arrays(series, markets, rules_row(costs, rules), cash, expected=changes)
    orders = state.orders[: state.counts[at.ORDERS]]
    if intents is None:
        orders[:, at.ID] = np.arange(1, len(orders) + 1)
    else:
        orders[orders[:, at.ORIGIN] != Origin.INTENT, at.ID] = 0
    splits = [[action.bar, action.instrument, action.value] for action in actions if action.kind == "split"]
    facts: dict[str, Any] = {"bars": n, "instruments": k, "detail": detail is not None}
    if splits:
        facts["splits"] = splits
    return Result(
        time=series.time,
        equity=equity,
        assumptions=Assumptions(ENGINE_VERSION, chosen, costs, rules, float(cash), facts),
        account=state.account,
        raw_orders=orders,
        raw_fills=state.fills[: state.counts[at.FILLS]],
        prices=(series.high, series.low, series.close),
        flags=flags(state),
    )


def simulate_arrays(series: Series, markets: Floats, rules: Floats, cash: float, expected: int = 0) -> tuple[State, Floats]:
    """Run the kernel over ``series``, making room for orders and fills as it asks; ``expected`` is a guess of their number."""
    state = new_state(markets, rules, cash, ROOM + max(len(series.intents), expected))
    n = len(series.time)
    equity = np.empty(n)
    i = 0
    while (i := run(state, series, i, n, equity)) < n:
        state = with_room(state, 4 * len(state.fills))
    return state, equity


def new_state(markets: Floats, rules: Floats, cash: float, room: int) -> State:
    k = len(markets)
    account = np.zeros(at.ACCOUNT_SIZE)
    account[at.CASH] = cash
    instruments = np.zeros((k, at.INSTRUMENT_SIZE))
    instruments[:, [at.STOP_LEVEL, at.PROFIT_LEVEL, at.TRAIL_DISTANCE, at.TRAIL_LEVEL]] = np.nan
    instruments[:, [at.TARGET_ROW, at.FLATTEN_ROW]] = -1
    return State(
        account=account,
        counts=np.zeros(at.COUNTERS_SIZE, np.int64),
        instruments=instruments,
        markets=markets,
        rules=rules,
        bar=np.full((k, at.BAR_SIZE), np.nan),
        orders=np.empty((room, at.ORDER_SIZE)),
        active=np.zeros(room, np.int64),
        fills=np.empty((room, at.FILL_SIZE)),
    )


def with_room(state: State, room: int) -> State:
    def larger(table: Any) -> Any:
        answer = np.empty((room, *table.shape[1:]), table.dtype)
        answer[: len(table)] = table
        return answer

    return state._replace(orders=larger(state.orders), active=larger(state.active), fills=larger(state.fills))


@njit(cache=True)
def ascending(time: Any) -> bool:
    wrong = 0
    for i in range(1, len(time)):
        wrong += time[i] <= time[i - 1]
    return wrong == 0


def changes_of(targets: Floats) -> int:
    """How often targets change, or -1 where one is not in -1..1."""
    columns = [targets.reshape(-1)] if targets.shape[1] == 1 else [np.ascontiguousarray(column) for column in targets.T]
    counts = [changes_in(column) for column in columns if len(column)]
    return -1 if -1 in counts else sum(counts)


@njit(cache=True)
def changes_in(target: Any) -> int:
    changes, wrong = int(target[0] != 0), int(not abs(target[0]) <= 1)
    for i in range(1, len(target)):
        changes += target[i] != target[i - 1]
        wrong += not abs(target[i]) <= 1
    return -1 if wrong else changes


def series_of(columns: Sequence[Bars]) -> Series:
    """Bars alone, as the kernel reads them."""
    k = len(columns)
    none, no_times = np.zeros((0, k)), np.zeros(0, np.int64)
    return Series(
        time=np.ascontiguousarray(columns[0].time, dtype=np.int64),
        open=panel(columns, "open"),
        high=panel(columns, "high"),
        low=panel(columns, "low"),
        close=panel(columns, "close"),
        volume=panel(columns, "volume"),
        fillable=np.zeros((0, k), np.int8),
        session=no_times,
        targets=none,
        stops=none,
        profits=none,
        trails=none,
        intents=np.zeros((0, INTENT_SIZE)),
        actions=np.zeros((0, 4)),
        funding=none,
        fine=np.zeros((0, 5)),
        fine_from=no_times,
    )


def panel(columns: Sequence[Bars], name: str) -> Floats:
    """(n, k) of one price. One instrument's column is read where it lies."""
    if len(columns) == 1:
        return np.ascontiguousarray(getattr(columns[0], name), dtype=np.float64).reshape(-1, 1)
    return np.column_stack([np.asarray(getattr(one, name), dtype=np.float64) for one in columns])


def shaped(name: str, values: Any, n: int, k: int) -> Floats:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim == 1 and k == 1:
        array = array.reshape(-1, 1)
    if array.shape != (n, k):
        refuse(name, f"of shape {(n,) if k == 1 else (n, k)}", array.shape)
    return array


def split_targets(targets: Floats | Signals | None, n: int, k: int) -> tuple[Floats, tuple[Floats, Floats, Floats], int]:
    """Exposure, the three protective levels, and how often the exposure changes."""
    none = np.zeros((0, k))
    if targets is None:
        return none, (none, none, none), 0
    exposure = shaped("targets", getattr(targets, "exposure", targets), n, k)
    changes = changes_of(exposure)
    if changes < 0:
        raise InvalidSimulation("targets must be in -1..1, and never NaN", field="targets")
    levels = [getattr(targets, name, None) for name in ("stop", "take_profit", "trail")]
    stop, profit, trail = (none if level is None else shaped("levels", level, n, k) for level in levels)
    return exposure, (stop, profit, trail), changes


def finer(columns: Sequence[Bars], detail: Bars | None) -> tuple[Floats, Any]:
    """Finer bars as a table, and which of them each bar is made of."""
    if detail is None:
        return np.zeros((0, 5)), np.zeros(0, np.int64)
    if len(columns) != 1:
        raise InvalidSimulation("detail needs a single instrument", field="detail")
    time = columns[0].time
    span = int(time[-1] - time[-2]) if len(time) > 1 else np.iinfo(np.int64).max - int(time[-1]) if len(time) else 0
    edges = np.append(time, time[-1] + span) if len(time) else np.zeros(1, np.int64)
    table = np.column_stack([detail.open, detail.high, detail.low, detail.close, detail.volume])
    known = np.isfinite(table[:, :4]).all(axis=1)
    starts = np.searchsorted(detail.time[known], edges)
    return np.ascontiguousarray(table[known]), starts.astype(np.int64)


def flags(state: State) -> dict[str, Any]:
    """What a reader must know about a result before believing it."""
    account = state.account
    return {
        "bankrupt": bool(account[at.BANKRUPT]),
        "liquidations": int(account[at.LIQUIDATIONS]),
        "short_not_allowed": int(account[at.SHORT_REFUSED]),
        "open_positions": int((state.instruments[:, at.POSITION] != 0).sum()),
    }
