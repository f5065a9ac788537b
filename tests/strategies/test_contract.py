"""Parameters are checked, complete and unchangeable."""

from __future__ import annotations

import pytest

from strategies.contract import InvalidParameter, Parameter, Parameters, UnknownStrategy, read, validate
from strategies.library import LIBRARY, get

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
