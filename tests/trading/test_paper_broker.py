"""The paper broker fills as docs/trading.md says, to the last digit."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories import START
from trading.brokers.paper.pricing import MarketPrice, Working, at_price, fee_of
from trading.positions import Execution
from trading.prices import on_grid
from trading.sizing import Terms, wanted_quantity

D = Decimal
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "trading.md"


def rows() -> list[dict[str, str]]:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("| side | last"))
    names = [cell.strip() for cell in lines[first].strip("|").split("|")]
    table = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        table.append(dict(zip(names, (cell.strip() for cell in line.strip("|").split("|")), strict=True)))
    return table


def terms(tick: str = "0.01", lot: str = "0.001", fee: str = "0.001", slippage: str = "0.0005") -> Terms:
    return Terms(fee_rate=D(fee), slippage_rate=D(slippage), tick=D(tick), lot=D(lot))


def test_the_documents_table_is_there() -> None:
    assert len(rows()) == 9


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['side']} {row['last']}")
def test_the_broker_fills_as_the_documents_table_says(row: dict[str, str]) -> None:
    quoted = {name: None if row[name] == "–" else float(row[name]) for name in ("bid", "ask")}
    market = MarketPrice(price=float(row["last"]), time=START, received_at=START, **quoted)
    buying, quantity = row["side"] == "buy", D(row["quantity"])
    bid = at_price(Working(buying, "market", None, None, False, False), market, terms(tick=row["tick"]))
    assert bid.price is not None
    fee = fee_of(quantity, bid.price, terms())
    fill = Execution(quantity if buying else -quantity, bid.price, fee)
    assert fill.price == D(row["fill price"])
    assert fill.fee == D(row["fee"])
    assert fill.cash == D(row["cash"])


def test_a_sale_never_goes_below_one_tick() -> None:
    market = MarketPrice(0.01, None, None, START, START)
    assert at_price(Working(False, "market", None, None, False, False), market, terms()).price == D("0.01")


def test_a_price_is_fresh_up_to_its_limit() -> None:
    market = MarketPrice(1.0, None, None, START, START)
    assert market.is_fresh(START + timedelta(seconds=60), timedelta(seconds=60))
    assert not market.is_fresh(START + timedelta(seconds=60, microseconds=1), timedelta(seconds=60))


@pytest.mark.parametrize(("target", "expected"), [("1", "1.995"), ("0.5", "0.997"), ("-1", "-1.995"), ("0", "0")])
def test_quantity_is_rounded_down_to_the_lot(target: str, expected: str) -> None:
    # A unit costs 100.05 and 0.1 % fee: 199.8 buys 1.99500…, half of it 0.99750….
    assert wanted_quantity(target=D(target), allocation=D("0.02"), equity=D(9_990), price=D(100), terms=terms()) == D(expected)


def test_full_allocation_can_be_paid_for() -> None:
    quantity = wanted_quantity(target=D(1), allocation=D(1), equity=D(10_000), price=D(104), terms=terms())
    market = MarketPrice(104.0, None, None, START, START)
    bid = at_price(Working(True, "market", None, None, False, False), market, terms())
    assert bid.price is not None
    left = D(10_000) + Execution(quantity, bid.price, fee_of(quantity, bid.price, terms())).cash
    assert 0 <= left < D("0.2")


def test_without_equity_nothing_is_bought() -> None:
    assert wanted_quantity(target=D(1), allocation=D(1), equity=D(-5), price=D(1), terms=terms()) == 0


def test_a_grid_need_not_be_a_power_of_ten() -> None:
    assert on_grid(D("1.13"), D("0.25"), "ROUND_DOWN") == 1
    assert on_grid(D("-1.13"), D("0.05"), "ROUND_DOWN") == D("-1.1")
