"""Law: the kernel and the independent reference agree on every order, fill, trade and equity value, to 1e-9.

``make agreement`` tries 10,000 seeds, which is due before a change of the engine is merged: ``ENGINE_CASES`` sets how many,
``ENGINE_FIRST_CASE`` the first of them. All of them are compared then; otherwise a minute's worth.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from math import isinf, isnan

import pytest

from tests.strategies.engine.cases import random_case
from tests.strategies.engine.engines import by_kernel, by_reference
from tests.strategies.engine.reference_types import Order, Result, Trade
from tests.strategies.engine.tables import Case

CASES = int(os.environ.get("ENGINE_CASES", "2000"))
FIRST = int(os.environ.get("ENGINE_FIRST_CASE", "0"))
SECONDS = float("inf") if "ENGINE_CASES" in os.environ else 60.0
BATCHES = 8
FOUND = (1563, 1697, 4555, 6019, 8925)  # cases in which they once differed


def near(x: float, y: float, scale: float = 1.0) -> bool:
    return (isnan(x) and isnan(y)) or abs(x - y) <= 1e-9 * max(scale, abs(x), abs(y))


def alike(a: tuple, b: tuple, scale: float) -> bool:
    return all(near(x, y, scale) if isinstance(x, float) else x == y for x, y in zip(a, b, strict=True))


def told(rows: list[tuple], number: int) -> str:
    return str(rows[number]) if number < len(rows) else "nothing"


def tables(result: Result, *, finer: bool) -> Iterator[tuple[str, list[tuple]]]:
    """What is compared, as rows that begin with the bar or the id. ``finer``: no excursions, which the reference takes
    from finer bars."""
    yield (
        "fill",
        [(f.bar, f.instrument, f.order, f.side, f.why, f.quantity, f.price, f.fee, f.slippage, f.maker) for f in result.fills],
    )
    yield "equity", [(i, value) for i, value in enumerate(result.equity)]
    yield "position", [(i, *values) for i, values in enumerate(result.position)]
    explicit = [order for order in result.orders if order.origin == "explicit"]
    yield "order", sorted((o.id, o.bar, o.instrument, o.kind, o.status, o.why, float(o.filled)) for o in explicit)
    yield "target order", sorted(map(order_row, (o for o in result.orders if o.origin == "target")))
    yield "protective exit", sorted(map(order_row, (o for o in result.orders if o.origin == "protective")))
    yield "trade", sorted((trade_row(trade)[: -2 if finer else None] for trade in result.trades), key=lambda row: row[:4])
    yield "cost", sorted((name, float(value)) for name, value in result.costs.items())
    yield "flag", [(name, result.flags.get(name, 0)) for name in ("bankrupt", "liquidation", "ambiguous")]


def order_row(order: Order) -> tuple:
    return order.bar, order.instrument, order.kind, order.status, order.why, float(order.filled)


def trade_row(trade: Trade) -> tuple:
    return (
        trade.exit_bar,
        trade.instrument,
        trade.entry_bar,
        trade.side,
        trade.open,
        trade.ambiguous,
        float(trade.quantity),
        float(trade.entry_price),
        float(trade.exit_price),
        float(trade.pnl),
        float(trade.fees),
        float(trade.mae),
        float(trade.mfe),
    )


def first_difference(case: Case, reference: Result, kernel: Result) -> str | None:
    """The first row in which the two differ, with both values; None where they agree."""
    for (name, a), (_, b) in zip(
        tables(reference, finer=case.detail is not None), tables(kernel, finer=case.detail is not None), strict=True
    ):
        for number in range(max(len(a), len(b))):
            if number < len(a) and number < len(b) and alike(a[number], b[number], case.cash / 1000):
                continue
            return f"{case.name}: {name} {number}\n  reference {told(a, number)}\n  kernel    {told(b, number)}"
    return None


def report(case: Case) -> str:
    lines = [f"{case.rules} {case.costs} {case.markets} cash {case.cash}"]
    for j, bars in enumerate(case.bars):
        columns = zip(bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
        lines.extend(f"bar {i} #{j} {row}" for i, row in enumerate(columns))
    lines.extend(str(intent) for intent in case.intents or ())
    if case.targets is not None:
        lines.extend(f"{name} {rows}" for name, rows in vars(case.targets).items())
    return "\n".join(lines)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The kernel's compilation is not counted as time of a batch."""
    by_kernel(random_case(0))


@pytest.mark.parametrize("seed", FOUND)
def test_what_once_differed_agrees(seed: int) -> None:
    case = random_case(seed)
    assert first_difference(case, by_reference(case), by_kernel(case)) is None


@pytest.mark.parametrize("batch", range(BATCHES))
def test_kernel_and_reference_agree_on_everything_reported(batch: int) -> None:
    began, compared = time.monotonic(), 0
    for seed in range(FIRST + batch, FIRST + CASES, BATCHES):
        case = random_case(seed)
        found = first_difference(case, by_reference(case), by_kernel(case))
        assert found is None, f"{found}\n{report(case)}"
        compared += 1
        if time.monotonic() - began > SECONDS / BATCHES:
            break
    assert compared > 0
    if isinf(SECONDS):
        assert compared == len(range(FIRST + batch, FIRST + CASES, BATCHES))
