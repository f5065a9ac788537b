"""Positions are the sum of fills, and no unit of money is lost or made."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.positions import Execution, Holding
from trading.prices import CENT_OF_MONEY, money, to_decimal

D = Decimal


def run(*executions: Execution) -> tuple[Holding, Decimal, list[Decimal]]:
    holding, cash, realised = Holding(), D(0), []
    for execution in executions:
        holding, profit = holding.after(execution)
        cash += execution.cash
        realised.append(profit)
    return holding, cash, realised


def test_opening_adding_and_closing_a_long_worked_by_hand() -> None:
    holding, cash, realised = run(
        Execution(D(1), D(100), D("0.1")), Execution(D(1), D(110), D("0.11")), Execution(D(-2), D(120), D("0.24"))
    )
    assert realised == [0, 0, 30]
    assert holding == Holding(quantity=D(0), cost=D(0), realised=D(30), fees=D("0.45"))
    assert cash == D("29.55")


def test_closing_a_part_releases_that_part_of_the_cost() -> None:
    holding, _, realised = run(Execution(D(4), D(100)), Execution(D(-1), D(90)))
    assert realised[-1] == -10
    assert holding.quantity == 3
    assert holding.average_price == 100
    assert holding.unrealised(D(105)) == 15


def test_a_short_gains_when_the_price_falls() -> None:
    holding, cash, realised = run(Execution(D(-2), D(50)), Execution(D(2), D(40)))
    assert realised == [0, 20]
    assert holding.quantity == 0
    assert cash == 20


def test_one_fill_through_zero_closes_and_opens() -> None:
    holding, _, realised = run(Execution(D(1), D(100)), Execution(D(-3), D(110)))
    assert realised[-1] == 10
    assert (holding.quantity, holding.average_price) == (-2, 110)
    assert holding.unrealised(D(100)) == 20


sizes = st.decimals("-50", "50", places=7).filter(bool)
prices = st.decimals("0.0001", "90000", places=5).filter(lambda price: price > 0)
fees = st.decimals("0", "20", places=10)
executions = st.lists(st.builds(Execution, sizes, prices, fees), min_size=1, max_size=25)


@given(executions, prices)
def test_money_is_conserved_to_the_last_unit(fills: list[Execution], mark: Decimal) -> None:
    start = D(10_000)
    holding, cash, realised = run(*fills)
    equity = start + cash + holding.value(mark)
    assert equity == start + holding.realised + holding.unrealised(mark) - holding.fees
    assert sum(realised) == holding.realised
    assert holding.fees == sum(fill.fee for fill in fills)
    assert equity.as_tuple().exponent >= CENT_OF_MONEY.as_tuple().exponent


@given(executions)
def test_a_position_is_the_sum_of_its_fills(fills: list[Execution]) -> None:
    holding, *_ = run(*fills)
    assert holding.quantity == sum(fill.quantity for fill in fills)
    if not holding.quantity:
        assert holding.cost == 0


@given(executions.flatmap(lambda fills: st.tuples(st.just(fills), st.permutations(fills))), prices)
def test_the_order_of_fills_changes_no_equity(both: tuple[list[Execution], list[Execution]], mark: Decimal) -> None:
    first, second = (run(*fills) for fills in both)
    assert first[1] + first[0].value(mark) == second[1] + second[0].value(mark)
    assert first[0].quantity == second[0].quantity


@given(sizes, prices, st.integers(2, 9))
def test_a_fill_in_parts_gains_what_the_whole_gains(size: Decimal, price: Decimal, parts: int) -> None:
    """Exactly, where the parts' values need no rounding of their own."""
    whole, *_ = run(Execution(size * parts, price), Execution(-size * parts, price + 1))
    split, *_ = run(*[Execution(size, price)] * parts, *[Execution(-size, price + 1)] * parts)
    exact = Fraction(size * parts)
    assert abs(Fraction(split.realised) - exact) <= Fraction(CENT_OF_MONEY) * 2 * parts
    assert abs(Fraction(whole.realised) - exact) <= Fraction(CENT_OF_MONEY) * 2


@pytest.mark.parametrize(
    ("price", "tick", "expected"),
    [
        (0.1, "0.01", "0.1"),
        (61607.99, "0.01", "61607.99"),
        (0.1 + 0.2, "0.01", "0.3"),
        (5412.375, "0.25", "5412.5"),
        (1e-7, "0.00000001", "0.0000001"),
        (100.0, "1", "100"),
    ],
)
def test_a_float_price_becomes_the_decimal_on_the_grid(price: float, tick: str, expected: str) -> None:
    assert to_decimal(price, D(tick)) == D(expected)


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_price_is_refused(price: float) -> None:
    with pytest.raises(ValueError, match="finite number above 0"):
        to_decimal(price, D("0.01"))


def test_money_keeps_ten_decimals_and_rounds_ties_to_even() -> None:
    assert money(D("1.00000000005")) == D("1.0000000000")
    assert money(D("1.00000000015")) == D("1.0000000002")
