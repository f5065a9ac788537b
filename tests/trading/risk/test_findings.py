"""Numbers in writing, and refusals that can be stored and said in another language."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.risk.situations import BUY, PROFILE, changed
from trading.risk.checks import RULES, judge
from trading.risk.findings import Finding
from trading.risk.numbers import Number, Unit, told_apart

D = Decimal


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        ("0.02", Unit.SHARE, "2.0 %"),
        ("0.0025", Unit.SHARE, "0.25 %"),
        ("-0.5", Unit.SHARE, "-50.0 %"),
        ("Infinity", Unit.SHARE, "∞ %"),
        ("1234.5", Unit.MONEY, "1,234.50 EUR"),
        ("1.50", Unit.TIMES, "1.5×"),
        ("3.5", Unit.ATR, "3.5 ATR"),
        ("61", Unit.SECONDS, "61 s"),
        ("7", Unit.COUNT, "7"),
        ("10", Unit.RATE, "10 a minute"),
        ("0.00010", Unit.QUANTITY, "0.0001"),
        ("100", Unit.PRICE, "100"),
    ],
)
def test_a_number_is_written_with_its_unit(amount: str, unit: Unit, text: str) -> None:
    assert Number(D(amount), unit, "EUR" if unit == Unit.MONEY else "").text == text


def test_a_value_beyond_its_limit_never_reads_like_the_limit() -> None:
    over, limit = Number(D("0.50001"), Unit.SHARE), Number(D("0.5"), Unit.SHARE)
    assert over.text == limit.text
    assert told_apart(over, limit) == ("50.001 %", "50.0 %")
    assert told_apart(limit, limit) == ("50.0 %", "50.0 %")


@given(st.decimals("0.0001", "10", places=9), st.decimals("0.0001", "10", places=9), st.sampled_from(list(Unit)))
def test_different_numbers_never_read_alike(one: Decimal, other: Decimal, unit: Unit) -> None:
    first, second = told_apart(Number(one, unit), Number(other, unit))
    assert (first == second) == (one == other)


def test_a_refusal_survives_being_stored() -> None:
    finding = judge(BUY, changed(exposure={"waiting": D("1000.01")}), PROFILE).rejection
    assert finding is not None
    again = Finding.from_json(finding.to_json())
    assert again == finding
    assert again.sentence == "The position would be 50.0001 % of equity (5,000.01 USD); the limit is 50.0 %."
    with pytest.raises(ValueError, match="version must be 1, was 2"):
        Finding.from_json(finding.to_json() | {"version": 2})


def test_a_translated_template_takes_the_same_numbers() -> None:
    finding = judge(BUY, changed(account={"open_positions": 9}), PROFILE).rejection
    assert finding is not None
    translated = replace(finding, template="Positions ouvertes : %(value)s sur %(limit)s")
    assert translated.sentence == "Positions ouvertes : 10 sur 6"


def test_codes_are_stable_names_and_each_stands_once() -> None:
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)
