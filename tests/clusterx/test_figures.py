"""How numbers and moments read on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterx.templatetags import figures

BITCOIN = SimpleNamespace(tick_size=Decimal("0.010000000000"))
NOW = datetime(2024, 8, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "shown", [figures.quantity, figures.money, figures.signed_money, figures.percent, figures.share, figures.compact]
)
def test_a_missing_value_is_a_dash_and_never_zero(shown):
    assert shown(None) == "–"
    assert shown(float("nan")) == "–"


def test_a_price_has_the_decimals_of_its_tick():
    assert figures.price(61784.6, BITCOIN) == "61,784.60"
    assert figures.price(Decimal("0.5243"), SimpleNamespace(tick_size=Decimal("0.0001"))) == "0.5243"
    assert figures.price(4312.5, SimpleNamespace(tick_size=Decimal(10))) == "4,312"


def test_money_won_or_lost_writes_its_sign():
    assert figures.signed_money(Decimal("12.5"), "USDT") == "+12.50\u00a0USDT"
    assert figures.signed_money(Decimal("-1234.567"), "USDT") == "−1,234.57\u00a0USDT"
    assert figures.signed_money(Decimal(0), "USDT") == "0.00\u00a0USDT"


def test_what_rounds_to_zero_has_no_sign():
    assert figures.signed_money(Decimal("-0.001")) == "0.00"
    assert figures.percent(-0.000001) == "0.00\u00a0%"


def test_a_fraction_reads_as_a_signed_percentage():
    assert figures.percent(0.012) == "+1.20\u00a0%"
    assert figures.share(Decimal("0.2")) == "20\u00a0%"
    assert figures.share(Decimal("0.0005")) == "0.05\u00a0%"


def test_a_quantity_keeps_its_digits_without_trailing_zeros():
    assert figures.quantity(Decimal("0.013950000000")) == "0.01395"
    assert figures.quantity(Decimal("1500")) == "1,500"


def test_a_quantity_has_no_more_digits_than_its_instrument_s_lot():
    assert figures.quantity(Decimal("1.23456"), SimpleNamespace(lot_size=Decimal("0.001000"))) == "1.235"
    assert figures.quantity(Decimal("0.0000000012"), SimpleNamespace(lot_size=Decimal("1e-10"))) == "0.0000000012"


def test_large_counts_are_shortened():
    assert [figures.compact(value) for value in (950, 12_345, 3_400_000, 2.5e9)] == ["950", "12.3k", "3.4M", "2.5B"]


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6))
def test_tone_and_sign_agree(value):
    text = figures.signed_money(value)
    if text.startswith("+"):
        assert figures.tone(value) == "up"
    elif text.startswith("−"):
        assert figures.tone(value) == "down"
    else:
        assert abs(value) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("passed", "words"),
    [(0.4, "just now"), (2, "2 s ago"), (125, "2 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_an_age_is_told_in_one_unit(passed, words):
    assert words in figures.moment(NOW - timedelta(seconds=passed), now=NOW)


def test_a_moment_carries_the_exact_time():
    assert f'datetime="{NOW.isoformat()}"' in figures.moment(NOW, now=NOW)
    assert figures.moment(None) == "–"
