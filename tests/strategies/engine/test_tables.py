"""docs/engine.md's worked tables, row by row, through every simulator."""

from __future__ import annotations

import pytest

from tests.strategies.engine.engines import ENGINES
from tests.strategies.engine.reference_types import Result
from tests.strategies.engine.tables import Case, read

CASES = read()


def near(x: float, y: float) -> bool:
    return abs(x - y) <= 1e-9 * max(1.0, abs(x), abs(y))


def differences(case: Case, result: Result) -> list[str]:
    """What the result has otherwise than the row."""
    found = []
    had = [(f.bar, f.side, f.quantity, f.instrument, f.price, f.fee, f.why) for f in result.fills]
    expected = [(f.bar, f.side, f.quantity, f.instrument, f.price, f.fee, f.why) for f in case.fills]
    same = len(had) == len(expected) and all(
        a[:2] == b[:2] and a[3] == b[3] and a[6] == b[6] and near(a[2], b[2]) and near(a[4], b[4]) and near(a[5], b[5])
        for a, b in zip(had, expected, strict=True)
    )
    if not same:
        found.append(f"fills {had}\n  expected {expected}")
    values = {
        "cash": result.cash,
        "equity": result.equity[-1],
        "position": result.position[-1][0],
        "trades": len(result.trades),
        **{name: result.flags.get(name, 0) for name in ("ambiguous", "liquidation", "bankrupt")},
    }
    found.extend(
        f"{name} {values[name]!r}, expected {value!r}" for name, value in case.end.items() if not near(values[name], value)
    )
    orders = {order.id: (order.status, order.why) for order in result.orders if order.origin == "explicit"}
    found.extend(
        f"order {number} {orders[number]}, expected {end}" for number, end in case.orders.items() if orders[number] != end
    )
    return found


def test_the_page_has_its_tables() -> None:
    assert len(CASES) >= 300
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_of_the_worked_tables_comes_out(case: Case, engine: str, request: pytest.FixtureRequest) -> None:
    found = differences(case, ENGINES[engine](case))
    assert not found, "\n".join([case.name, *found])
