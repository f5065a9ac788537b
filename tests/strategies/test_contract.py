"""Parameters are checked, complete and unchangeable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies.contract import (
    InvalidParameter,
    InvalidSignals,
    Panel,
    Parameter,
    Parameters,
    Signals,
    UnknownStrategy,
    as_signals,
    read,
    validate,
)
from strategies.library import LIBRARY, get
from tests.strategies.library.series import walk

SMA = LIBRARY["sma-cross"]


def test_what_is_left_out_takes_its_default() -> None:
    p = validate(SMA, {"fast": 10})
    assert dict(p) == {"fast": 10, "slow": 50, "direction": "long"}
    assert (p.fast, p["slow"], len(p)) == (10, 50, 3)
    with pytest.raises(AttributeError):
        _ = p.medium


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"fast": 1}, "fast", "fast must be 2..200, was 1"),
        ({"slow": 401}, "slow", "slow must be 3..400, was 401"),
        ({"fast": 5.5}, "fast", "fast must be a whole number, was 5.5"),
        ({"fast": "20"}, "fast", "fast must be a number, was '20'"),
        ({"fast": True}, "fast", "fast must be a number, was True"),
        ({"fast": float("nan")}, "fast", "fast must be a number, was nan"),
        ({"fast": None}, "fast", "fast must be a number, was None"),
        ({"direction": "short"}, "direction", "direction must be long or long-short, was 'short'"),
        ({"window": 9}, "window", "sma-cross has no parameter 'window'; it has fast, slow, direction"),
        ({"fast": 50, "slow": 50}, "fast", "fast must be less than slow, was 50 and 50"),
    ],
)
def test_what_does_not_fit_names_the_parameter_and_its_range(values: dict, field: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        validate(SMA, values)
    assert refused.value.message == message
    assert refused.value.facts["field"] == field


def test_a_whole_float_is_a_whole_number() -> None:
    assert validate(SMA, {"fast": 10.0}).fast == 10


def test_a_float_parameter_keeps_fractions() -> None:
    assert Parameter("width", "Width", "float", 2.0, minimum=0.5, maximum=5).accept(2.5) == 2.5


def test_parameters_survive_the_database() -> None:
    p = validate(SMA, {"fast": 7, "slow": 21, "direction": "long-short"})
    assert read(SMA, p.to_json()) == p


@pytest.mark.parametrize("stored", [{}, {"version": 2, "values": {}}, {"version": 1}, {"version": 1, "values": [1]}])
def test_parameters_of_another_version_are_refused(stored: dict) -> None:
    with pytest.raises(InvalidParameter, match="version 1"):
        read(SMA, stored)


def test_parameters_cannot_be_changed() -> None:
    p = validate(SMA, {})
    with pytest.raises(AttributeError):
        p.values_by_name = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        p.values_by_name["fast"] = 3  # type: ignore[index]
    assert isinstance(p, Parameters)


def test_an_unknown_strategy_names_those_there_are() -> None:
    with pytest.raises(UnknownStrategy, match="sma-cross, macd"):
        get("martingale")


def test_an_array_or_a_list_is_exposure_alone() -> None:
    for answer in ([0, 1, -1], np.array([0, 1, -1], dtype=np.int8), np.array([0.0, 9.0, 1.0, 9.0, -1.0])[::2]):
        signals = as_signals(answer, 3)
        assert signals.exposure.tolist() == [0, 1, -1]
        assert signals.exposure.dtype == np.float64
        assert signals.exposure.flags.c_contiguous
        assert (signals.stop, signals.take_profit, signals.trail) == (None, None, None)


def test_levels_keep_their_gaps() -> None:
    signals = as_signals(Signals(np.ones(2), stop=np.array([np.nan, 90.0]), trail=np.array([1, 2])), 2)
    np.testing.assert_array_equal(signals.stop, [np.nan, 90])
    np.testing.assert_array_equal(signals.trail, [1.0, 2.0])
    assert signals.take_profit is None


@pytest.mark.parametrize(
    ("answer", "facts", "message"),
    [
        (None, {"field": "exposure"}, "exposure must be 3 numbers"),
        ("buy", {"field": "exposure"}, "exposure must be 3 numbers, was str"),
        (1.0, {"field": "exposure"}, "exposure must be 3 numbers, one for each bar, was of shape (1,)"),
        ([0, 1], {"field": "exposure"}, "exposure must be 3 numbers, one for each bar, was of shape (2,)"),
        (np.zeros((3, 1)), {"field": "exposure"}, "exposure must be 3 numbers, one for each bar, was of shape (3, 1)"),
        ([0, float("nan"), 0], {"field": "exposure", "bar": 1}, "exposure must be in -1..1, was nan after bar 1"),
        ([0, 1, 1e9], {"field": "exposure", "bar": 2}, "exposure must be in -1..1, was 1e+09 after bar 2"),
        ([-1.01, 2, 0], {"field": "exposure", "bar": 0}, "exposure must be in -1..1, was -1.01 after bar 0"),
        (
            Signals(np.zeros(3), stop=np.array([1, 0, 1.0])),
            {"field": "stop", "bar": 1},
            "stop must be above 0 or NaN, was 0 after",
        ),
        (
            Signals(np.zeros(3), trail=np.array([1, 1, -2.0])),
            {"field": "trail", "bar": 2},
            "trail must be above 0 or NaN, was -2",
        ),
        (
            Signals(np.zeros(3), take_profit=np.array([np.inf] * 3)),
            {"field": "take_profit", "bar": 0},
            "take_profit must be above",
        ),
        (Signals(np.zeros(3), take_profit=np.ones(2)), {"field": "take_profit"}, "take_profit must be 3 numbers"),
    ],
)
def test_what_is_no_signal_is_named_with_its_bar(answer: Any, facts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSignals) as refused:
        as_signals(answer, 3)
    assert refused.value.message.startswith(message)
    assert refused.value.facts == facts


def test_a_panel_is_cut_in_all_its_legs() -> None:
    panel = Panel((walk(1, 10), walk(2, 10)))
    assert len(panel) == 10
    early = panel[:4]
    assert [len(bars) for bars in early.bars] == [4, 4]
    np.testing.assert_array_equal(early.bars[1].close, panel.bars[1].close[:4])
