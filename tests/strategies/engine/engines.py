"""The two simulators that the engine's rules are tested on, behind one face: a case in, a reference-style result out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from marketdata.bars import Bars as ArrayBars
from strategies import engine
from strategies.contract import Signals
from strategies.engine.layout import CASH, FILL_ORDER, Origin, Status, Why
from tests.strategies.engine import reference
from tests.strategies.engine.reference_types import Bars, Fill, Intent, Order, Result, Rows, Trade
from tests.strategies.engine.tables import Case

Engine = Callable[[Case], Result]

KINDS = {
    "market": engine.Kind.MARKET,
    "limit": engine.Kind.LIMIT,
    "stop": engine.Kind.STOP,
    "stop-limit": engine.Kind.STOP_LIMIT,
    "trailing": engine.Kind.TRAILING,
}
NAMES = {kind.value: name for name, kind in KINDS.items()}
ORIGINS = {
    Origin.TARGET: "target",
    Origin.STOP_LOSS: "stop",
    Origin.TAKE_PROFIT: "take-profit",
    Origin.TRAILING_STOP: "trailing",
    Origin.LIQUIDATION: "liquidation",
}
WHYS = {Why.NONE: "", Why.ASKED: "cancel", Why.PROTECTED: "protective"}


def by_reference(case: Case) -> Result:
    return reference.simulate(
        case.bars,
        case.targets,
        intents=case.intents,
        market=case.markets,
        costs=case.costs,
        rules=case.rules,
        cash=case.cash,
        detail=case.detail,
        funding=case.funding,
        actions=case.actions,
        tradable=case.tradable,
        session=case.session,
    )


def by_kernel(case: Case) -> Result:
    k = len(case.bars)
    costs, rules = case.costs, case.rules
    result = engine.simulate(
        [array_bars(bars) for bars in case.bars],
        signals(case),
        intents=None if case.intents is None else [kernel_intent(intent) for intent in case.intents],
        market=[engine.Market(m.tick, m.lot, m.minimum_notional, m.multiplier, m.short) for m in case.markets],
        costs=engine.Costs(
            costs.maker,
            costs.taker,
            costs.per_unit,
            costs.minimum,
            engine.Slippage(costs.slippage, costs.slip),  # type: ignore[arg-type]
            costs.borrow,
            costs.interest,
        ),
        rules=engine.Rules(
            rules.fill,  # type: ignore[arg-type]
            rules.leverage,
            rules.maintenance,
            rules.volume_share,
            rules.touch,
            rules.intrabar,  # type: ignore[arg-type]
        ),
        cash=case.cash,
        detail=None if case.detail is None else array_bars(case.detail[0]),
        funding=None if case.funding is None else np.array(case.funding, dtype=float),
        actions=[engine.CorporateAction(a.bar, a.instrument, a.kind, a.value) for a in case.actions],  # type: ignore[arg-type]
        tradable=None if case.tradable is None else np.array(case.tradable, dtype=bool),
        session=None if case.session is None else np.array(case.session, dtype=np.int64),
    )
    return as_plain(result, k)


def array_bars(bars: Bars) -> ArrayBars:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return ArrayBars(np.array(bars.time).astype(np.int64), *(np.array(column, dtype=float) for column in columns))


def signals(case: Case) -> Signals | None:
    if case.targets is None:
        return None

    def shaped(rows: Rows | None) -> np.ndarray | None:
        if rows is None:
            return None
        array = np.array(rows, dtype=float)
        return array[:, 0] if len(case.bars) == 1 else array

    targets = case.targets
    exposure = shaped(targets.exposure)
    assert exposure is not None
    return Signals(exposure, shaped(targets.stop), shaped(targets.take_profit), shaped(targets.trail))


def kernel_intent(intent: Intent) -> engine.Intent:
    return engine.Intent(
        intent.bar,
        intent.id,
        intent.instrument,
        engine.Action[intent.action.upper()],
        intent.side,
        KINDS[intent.kind],
        intent.quantity,
        intent.limit,
        intent.stop,
        intent.trail,
        engine.TimeInForce[intent.tif],
        intent.reduce_only,
        intent.parent,
        intent.group,
        intent.reason,
    )


def as_plain(result: engine.Result, k: int) -> Result:
    orders = result.orders
    names = [
        ORIGINS[Origin(origin)] if origin != Origin.INTENT else NAMES[int(kind)]
        for origin, kind in zip(orders["origin"], orders["kind"], strict=True)
    ]
    rows = [int(row) for row in result.raw_fills[:, FILL_ORDER]]
    fills = [
        Fill(
            int(f["bar"]),
            int(orders["id"][row]) if orders["origin"][row] == Origin.INTENT else 0,
            int(f["instrument"]),
            int(f["side"]),
            float(f["quantity"]),
            float(f["price"]),
            float(f["fee"]),
            float(f["slippage"]),
            bool(f["maker"]),
            names[row],
        )
        for f, row in zip(result.fills, rows, strict=True)
    ]
    flags = {
        "bankrupt": int(result.flags["bankrupt"]),
        "liquidation": int(result.flags["liquidations"]),
        "ambiguous": int(sum(result.trades["ambiguous"])),
    }
    return Result(
        [float(x) for x in result.equity],
        [[float(x) for x in row] for row in result.position.reshape(-1, k)],
        float(result.account[CASH]),
        plain_orders(orders, names),
        fills,
        plain_trades(result.trades),
        dict(result.costs),
        flags,
    )


def plain_orders(orders: np.ndarray, names: Sequence[str]) -> list[Order]:
    plain = []
    for row, name in zip(orders, names, strict=True):
        if row["origin"] == Origin.LIQUIDATION:
            continue
        explicit = row["origin"] == Origin.INTENT
        origin = "explicit" if explicit else "target" if name == "target" else "protective"
        order = Order(
            int(row["id"]) if explicit else 0, origin, int(row["bar"]), int(row["instrument"]), int(row["side"]), name
        )
        order.status = Status(row["status"]).name.lower()
        why = Why(row["why"])
        order.why = WHYS.get(why, why.name.lower().replace("_", "-"))
        order.filled = float(row["filled"])
        plain.append(order)
    return plain


def plain_trades(trades: np.ndarray) -> list[Trade]:
    return [
        Trade(
            int(t["instrument"]),
            int(t["side"]),
            int(t["entry_bar"]),
            "",
            int(t["exit_bar"]),
            "",
            float(t["quantity"]),
            float(t["quantity"] * t["entry_price"]),
            1.0,
            float(t["exit_price"]),
            float(t["fees"]),
            float(t["pnl"]),
            float(t["mae"]),
            float(t["mfe"]),
            bool(t["ambiguous"]),
            bool(t["open"]),
            peak=float(t["quantity"]),
        )
        for t in trades
    ]


ENGINES: dict[str, Engine] = {"reference": by_reference, "kernel": by_kernel}
