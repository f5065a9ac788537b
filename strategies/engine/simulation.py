"""``simulate``: bars and decisions in, a ``Result`` out. The only door to the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from marketdata.bars import Bars
from strategies.engine import layout as at
from strategies.engine.checking import actions_table, levels, numbers, rates, sound, switches, told, whole
from strategies.engine.intents import intent_rows
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

    What is decided at the close of bar i fills in bar i+1 at the earliest.

    >>> import numpy as np
    >>> from strategies.engine import Bars, Costs, simulate
    >>> close = np.array([100.0, 101.0, 103.0, 102.0])
    >>> opened = np.array([100.0, 100.0, 101.0, 103.0])
    >>> days, volume = np.arange(4) * 86_400, np.full(4, 1e6)
    >>> bars = Bars(days, opened, np.maximum(opened, close), np.minimum(opened, close), close, volume)
    >>> result = simulate(bars, np.array([1.0, 1.0, 0.0, 0.0]), costs=Costs.of(fee=0.001))
    >>> round(result.final_equity, 2), len(result.fills)
    (10279.42, 2)
    >>> trade = result.trades[0]
    >>> int(trade["entry_bar"]), float(trade["entry_price"]), int(trade["exit_bar"]), float(trade["exit_price"])
    (1, 100.0, 3, 103.0)

    Parameters
    ----------
    bars : Bars or k Bars on one time axis
        n closed bars: ``Bars(time, open, high, low, close, volume)``, six (n,) arrays. ``time`` is int64, epoch seconds of
        the opening, ascending; prices are above 0 and lie within high and low. An instrument without a bar at some time has
        NaN prices there; a volume of NaN is unknown.
    targets : (n,) or (n, k) float64, or Signals
        The exposure wanted after each close: -1 wholly short, 0 flat, 1 all of the equity, times ``rules.leverage``. An array
        alone, or ``strategies.contract.Signals(exposure, stop, take_profit, trail)`` with protective levels of the same
        shape: prices, and for ``trail`` a distance in price; NaN for none. Either these or ``intents``.
    intents : Intents, or their (m, 15) float64 table
        Explicit orders in the order they were decided: ``Intent(bar=3, id=1, side=1, kind=Kind.LIMIT, quantity=2.0,
        limit=99.5)``; section 5 has all fields, which are the columns of the table. Ids are your own and ascend from 1.
        ``strategies.engine.context.run_events`` makes such a table of an ``EventStrategy``.
    market : Market, or k of them
        ``Market(tick, lot, minimum_notional, multiplier, short)``.
    costs : Costs
        ``Costs(maker, taker, per_unit, minimum, slippage, borrow, interest)``, rates as fractions; ``Costs.of(fee, slippage)``
        for the usual two.
    rules : Rules
        ``Rules(fill, leverage, maintenance, volume_share, touch, intrabar)``.
    cash : float
        What the account starts with, in its currency.
    detail : Bars, optional
        Finer bars of the only instrument; they decide what happened within a bar that they cover.
    funding : (n,) or (n, k) float64, optional
        Rates in -1..1, paid by longs at the open of a bar; 0 or NaN where none is due.
    actions : CorporateActions by bar
        ``CorporateAction(bar, instrument, "split", 2.0)``: two new units for one; ``"dividend"``: money a unit.
    tradable : (n,) or (n, k) bool, optional
        Where false, nothing of the instrument fills in that bar.
    session : (n,) int, optional
        Which session a bar belongs to; UTC days otherwise.

    Returns
    -------
    Result
        ``equity`` (n,) the account's value at each close, ``final_equity``, ``position`` (n, k) units held at each close;
        ``trades``, ``fills`` and ``orders``, structured arrays with a field for each column (section 9; ``Status``, ``Why``,
        ``Kind`` and ``Origin`` name the codes); ``costs`` paid by kind and ``rejections`` by reason, dicts; ``flags``;
        ``orders_hash``; ``assumptions``, the sheet of what it was told. Money is in the account's currency.

    Raises
    ------
    InvalidSimulation
        Where shapes, ranges or codes make no sense: the message says what was expected and what was found,
        ``facts["field"]`` which of the arguments it is.
    """
    told(costs, rules)
    columns = sound_columns(bars)
    n, k = len(columns[0]), len(columns)
    cash = number("cash", cash, 1e-9, 1e15)
    if (targets is None) == (intents is None):
        refuse("targets", "given, or intents, and not both", "neither" if targets is None else "both")
    chosen, markets = markets_table(market, k)
    exposure, levels, changes = split_targets(targets, n, k)
    fine, fine_from = finer(columns, detail)
    series = series_of(columns)._replace(
        targets=exposure,
        stops=levels[0],
        profits=levels[1],
        trails=levels[2],
        intents=intent_rows(() if intents is None else intents, n, k),
        actions=actions_table(actions, n, k),
        fine=fine,
        fine_from=fine_from,
    )
    if tradable is not None:
        series = series._replace(fillable=switches("tradable", tradable, n, k))
    if session is not None:
        series = series._replace(session=whole("session", session, n))
    if funding is not None:
        series = series._replace(funding=rates(funding, n, k))
    state, equity = simulate_arrays(series, markets, rules_row(costs, rules), cash, expected=changes)
    orders = state.orders[: state.counts[at.ORDERS]]
    if intents is None:
        orders[:, at.ID] = np.arange(1, len(orders) + 1)
    else:
        orders[orders[:, at.ORIGIN] != Origin.INTENT, at.ID] = 0
    splits = [[int(action.bar), int(action.instrument), action.value] for action in actions if action.kind == "split"]
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
    arrays = [np.asarray(getattr(one, name), dtype=np.float64) for one in columns]
    if any(array.ndim != 1 for array in arrays):
        refuse(f"bars: {name}", "of one dimension", [array.shape for array in arrays], "bars")
    return np.ascontiguousarray(arrays[0]).reshape(-1, 1) if len(arrays) == 1 else np.column_stack(arrays)


def split_targets(targets: Floats | Signals | None, n: int, k: int) -> tuple[Floats, tuple[Floats, Floats, Floats], int]:
    """Exposure, the three protective levels, and how often the exposure changes."""
    none = np.zeros((0, k))
    if targets is None:
        return none, (none, none, none), 0
    exposure = numbers("targets", getattr(targets, "exposure", targets), (n, k))
    changes = changes_of(exposure)
    if changes < 0:
        bar, column = np.argwhere(~(np.abs(exposure) <= 1))[0]
        refuse("targets", "in -1..1, and never NaN", float(exposure[bar, column]), where=f"bar {bar}")
    given = {name: getattr(targets, name, None) for name in ("stop", "take_profit", "trail")}
    stop, profit, trail = (none if level is None else levels(name, level, n, k) for name, level in given.items())
    return exposure, (stop, profit, trail), changes


def sound_columns(bars: object) -> list[Bars]:
    """One ``Bars`` for each instrument, all on one time axis. Raises InvalidSimulation."""
    if isinstance(bars, Bars):
        return [sound(bars)]
    if not isinstance(bars, (list, tuple)) or not bars:
        refuse("bars", "Bars, or a list of Bars of one or more instruments", type(bars).__name__)
    columns = [sound(one) for one in bars]
    if not all(np.array_equal(one.time, columns[0].time) for one in columns[1:]):
        refuse("bars", "on one time axis", "on several")
    return columns


def finer(columns: Sequence[Bars], detail: Bars | None) -> tuple[Floats, Any]:
    """Finer bars as a table, and which of them each bar is made of."""
    if detail is None:
        return np.zeros((0, 5)), np.zeros(0, np.int64)
    if len(columns) != 1:
        raise InvalidSimulation("detail needs a single instrument", field="detail")
    detail = sound(detail, "detail")
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
