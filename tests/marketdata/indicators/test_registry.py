"""Specs in text, the description that drives menus and the API, and the page made of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.indicators.arrays import IndicatorError
from marketdata.indicators.documentation import page
from marketdata.indicators.registry import INDICATORS, describe, get, history, make_spec, parse_spec, swing_points, zones
from tests.marketdata.indicators.series import walk

ASKED = {
    "sma", "ema", "wma", "dema", "tema", "kama", "hma", "rsi", "macd", "stochastic", "stochrsi", "cci", "williams_r", "roc",
    "mfi", "momentum", "atr", "true_range", "bollinger", "keltner", "donchian", "stddev", "zscore", "adx", "aroon", "psar",
    "supertrend", "ichimoku", "obv", "vwap", "cmf", "volume_profile", "linreg_slope", "linreg_channel", "hurst", "normal",
    "structure", "order_blocks", "fair_value_gaps", "liquidity_sweeps", "trend_start",
}  # fmt: skip


def test_every_indicator_that_was_asked_for_is_there() -> None:
    assert set(INDICATORS) >= ASKED


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("macd", "macd(12,26,9)"),
        ("macd(12,26,9)", "macd(12,26,9)"),
        (" macd ( 8 , slow = 21 ) ", "macd(8,21,9)"),
        ("macd(signal=5)", "macd(12,26,5)"),
        ("macd()", "macd(12,26,9)"),
        ("bollinger(20,2)", "bollinger(20,2)"),
        ("bollinger(20,2.50)", "bollinger(20,2.5)"),
        ("bollinger(20.0,2)", "bollinger(20,2)"),
        ("psar", "psar(0.02,0.2)"),
        ("vwap(week)", "vwap(week,0,2)"),
        ("true_range", "true_range"),
        ("true_range()", "true_range"),
    ],
)
def test_a_spec_has_one_canonical_form(text: str, canonical: str) -> None:
    spec = parse_spec(text)
    assert str(spec) == canonical
    assert spec == parse_spec(canonical)
    assert hash(spec) == hash(parse_spec(canonical))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sna(20)", "no indicator 'sna'; there are sma, ema"),
        ("", "an indicator is written name, name"),
        ("sma(20", "an indicator is written name, name"),
        ("sma(20)x", "an indicator is written name, name"),
        ("sma(" + "1" * 300 + ")", "an indicator is written name, name"),
        ("sma(one)", "window must be a number, was 'one'"),
        ("sma(,)", "window must be a number, was ''"),
        ("sma(1)", r"window must be 2\.\.500, was 1"),
        ("sma(501)", r"window must be 2\.\.500, was 501"),
        ("sma(2.5)", r"window must be a whole number, 2\.\.500, was 2.5"),
        ("sma(nan)", "window must be a whole number"),
        ("sma(inf)", "window must be a whole number"),
        ("bollinger(20,nan)", r"deviations must be 0\.1\.\.10, was nan"),
        ("sma(20,30)", "sma takes at most 1 parameters"),
        ("sma(length=20)", "sma takes window, not length"),
        ("sma(window=20,window=30)", "window is given twice"),
        ("macd(fast=3,26)", "'26' stands after a named parameter"),
        ("macd(26,12,9)", "macd: fast must be below slow, were 26 and 12"),
        ("vwap(hour)", "anchor must be one of day, week, month, was 'hour'"),
        ("true_range(3)", "true_range takes at most 0 parameters"),
    ],
)
def test_a_wrong_spec_says_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(IndicatorError, match=message):
        parse_spec(text)


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        spec = parse_spec(text)
    except IndicatorError:
        return
    assert parse_spec(str(spec)) == spec


def test_a_spec_made_from_json_is_checked_like_one_from_text() -> None:
    assert make_spec("macd", {"fast": 8}) == parse_spec("macd(8)")
    for wrong in ({"fast": "8"}, {"fast": True}, {"fast": None}, {"quick": 8}):
        with pytest.raises(IndicatorError):
            make_spec("macd", wrong)


def test_a_spec_reads_well() -> None:
    assert parse_spec("ema(50)").label == "Exponential moving average 50"


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        parse_spec("ema(50)").params["window"] = 3  # type: ignore[index]


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(IndicatorError, match="volume_profile"):
        get("nothing")


def test_the_description_is_json_and_complete() -> None:
    described = describe()
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert [entry["name"] for entry in described] == list(INDICATORS)
    for entry in described:
        assert entry["inputs"]
        assert entry["outputs"]
        assert entry["summary"].endswith(".")
        assert len({output["name"] for output in entry["outputs"]}) == len(entry["outputs"])
        for parameter in entry["parameters"]:
            if parameter["kind"] == "choice":
                assert parameter["default"] in parameter["choices"]
            else:
                assert parameter["minimum"] <= parameter["default"] <= parameter["maximum"]
        for output in entry["outputs"]:
            assert output["shift"] in ("", *(parameter["name"] for parameter in entry["parameters"]))


def test_an_indicator_uses_the_inputs_it_declares_and_no_others() -> None:
    class Watched:
        def __init__(self) -> None:
            self.used: set[str] = set()

        def __getattr__(self, name: str) -> object:
            self.used.add(name)
            return getattr(walk(), name)

    for name, entry in INDICATORS.items():
        bars = Watched()
        for spec in {str(make_spec(name)), *(f"{name}({c})" for p in entry.parameters for c in p.choices)}:
            entry.compute(bars, parse_spec(spec).params)  # type: ignore[arg-type]
        assert bars.used == set(entry.inputs), name


def test_sessions_need_fewer_of_longer_bars() -> None:
    assert history("vwap(day)") == history("vwap(day)", 60) == 1440
    assert history("vwap(day)", 300) == 288
    assert history("vwap(week)", 3600) == 168
    assert history("vwap(day)", 86_400) == 1
    assert history("obv(day)", 3600) == 25


def test_only_what_has_swings_and_zones_draws_them() -> None:
    bars = walk(length=300)
    assert zones("sma", bars) == ()
    assert swing_points("sma", bars) == ()
    assert zones("order_blocks", bars)
    assert {swing.kind for swing in swing_points("structure", bars)} == {"high", "low"}


def test_the_page_is_the_registry() -> None:
    written = Path(__file__).resolve().parents[3] / "docs" / "indicators.md"
    assert written.read_text(encoding="utf-8") == page(), (
        "run python -m marketdata.indicators.documentation > docs/indicators.md"
    )


def test_moving_averages_do_without_the_compiler() -> None:
    """Processes that only list or average do not pay for Numba."""
    code = "import sys, marketdata.indicators.moving, marketdata.indicators.momentum; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
