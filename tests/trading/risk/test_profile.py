"""The risk appetite: one number, every limit, and no row that turns."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.risk.numbers import Unit, plain
from trading.risk.parameters import APPETITES, BY_NAME, PARAMETERS, InvalidProfile, Parameter
from trading.risk.profile import RiskProfile, from_json, profile, to_json

D = Decimal
NUMBERS = [parameter for parameter in PARAMETERS if not parameter.choices]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda one: one.name)
def test_a_higher_appetite_is_never_stricter(parameter: Parameter) -> None:
    assert len(parameter.columns) == len(APPETITES) == 10
    ranks = [parameter.rank(value) for value in parameter.columns]
    assert all(before <= after for before, after in pairwise(ranks))
    assert ranks[0] < ranks[-1]
    if not parameter.choices:
        raw = [D(value) for value in parameter.columns]
        assert raw == sorted(raw, reverse=parameter.direction == "falls")


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda one: one.name)
def test_every_column_may_be_set_by_hand_too(parameter: Parameter) -> None:
    for value in parameter.columns:
        assert parameter.accept(value) == value


def test_the_profile_holds_every_parameter_of_the_table() -> None:
    assert [field.name for field in fields(RiskProfile)][2:] == list(BY_NAME)
    assert len(PARAMETERS) >= 14
    for appetite in APPETITES:
        chosen = profile(appetite)
        assert chosen.appetite == appetite
        assert chosen.by_hand == ()
        assert all(value == BY_NAME[name].columns[appetite - 1] for name, value in chosen.values.items())


def test_the_middle_and_the_ends_are_what_was_agreed() -> None:
    careful, middle, bold = profile(1), profile(5), profile(10)
    assert (middle.daily_loss, middle.drawdown, middle.consecutive_losses) == (D("0.02"), D("0.05"), 3)
    assert (careful.stop_distance, bold.stop_distance) == (D("1.5"), D(8))
    assert (careful.maximum_position, bold.maximum_position) == (D("0.005"), D("0.25"))
    assert [profile(appetite).signal_scale > 1 for appetite in APPETITES] == [True] * 3 + [False] * 7
    assert profile(4).signal_scale == 1


@pytest.mark.parametrize("appetite", [0, 11, -1, 5.0, "5", True, None])
def test_there_are_ten_appetites(appetite: Any) -> None:
    with pytest.raises(InvalidProfile, match=r"appetite must be 1\.\.10") as raised:
        profile(appetite)
    assert raised.value.facts["field"] == "appetite"


@pytest.mark.parametrize("parameter", NUMBERS, ids=lambda one: one.name)
def test_a_value_by_hand_is_held_to_its_range(parameter: Parameter) -> None:
    step = D(1) if parameter.is_whole else D("0.00001")
    for edge in (parameter.minimum, parameter.maximum):
        chosen = profile(5, {parameter.name: plain(edge)})
        assert getattr(chosen, parameter.name) == edge
        assert chosen.by_hand == (parameter.name,)
    for beyond in (parameter.minimum - step, parameter.maximum + step):
        with pytest.raises(InvalidProfile) as raised:
            profile(5, {parameter.name: beyond})
        low, high = plain(parameter.minimum), plain(parameter.maximum)
        assert raised.value.message == f"{parameter.name} must be {low}..{high}, was {plain(beyond)}"
        assert raised.value.facts == {"field": parameter.name, "minimum": low, "maximum": high}


@pytest.mark.parametrize("value", ["a", "", "NaN", "Infinity", None, True, 0.02, [], {}])
def test_what_is_no_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidProfile, match="daily_loss must be a number"):
        profile(5, {"daily_loss": value})


def test_counts_are_whole() -> None:
    with pytest.raises(InvalidProfile, match=r"open_positions must be a whole number, was 2\.5"):
        profile(5, {"open_positions": "2.5"})
    assert profile(5, {"open_positions": "2"}).open_positions == 2


def test_what_happens_at_a_breaker_is_chosen_from_a_list() -> None:
    assert profile(5, {"drawdown_policy": "liquidate"}).drawdown_policy == "liquidate"
    with pytest.raises(InvalidProfile, match="infrastructure_policy must be reduce-only or block, was 'liquidate'"):
        profile(5, {"infrastructure_policy": "liquidate"})


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(InvalidProfile, match="there is no parameter 'stop_los'") as raised:
        profile(5, {"stop_los": "1"})
    assert raised.value.facts["field"] == "stop_los"


@st.composite
def overrides(draw: st.DrawFn) -> dict[str, object]:
    chosen = draw(st.lists(st.sampled_from(PARAMETERS), unique_by=lambda one: one.name))
    return {one.name: draw(_values(one)) for one in chosen}


def _values(parameter: Parameter) -> st.SearchStrategy[object]:
    if parameter.choices:
        return st.sampled_from([name for name, _ in parameter.choices])
    if parameter.is_whole:
        return st.integers(int(parameter.minimum), int(parameter.maximum))
    return st.decimals(parameter.minimum, parameter.maximum, places=6)


@given(st.integers(1, 10), overrides())
def test_a_stored_profile_is_the_same_profile(appetite: int, by_hand: dict[str, object]) -> None:
    chosen = profile(appetite, by_hand)
    assert from_json(to_json(chosen)) == chosen
    assert set(chosen.by_hand) == set(by_hand)


def test_a_stored_profile_keeps_its_values_when_the_table_changes() -> None:
    stored = to_json(profile(5))
    stored["values"]["leverage"] = "0.9"  # what the table of that day said
    again = from_json(stored)
    assert (again.leverage, again.by_hand, again.appetite) == (D("0.9"), (), 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version must be 1, was 2"),
        ({"appetite": 11}, r"appetite must be 1\.\.10, was 11"),
        ({"by_hand": ["colour"]}, "there is no parameter 'colour'"),
        ({"values": {}}, "stop_distance is missing"),
        ({"values": to_json(profile(5))["values"] | {"daily_loss": "7"}}, r"daily_loss must be 0\.0005\.\.1, was 7"),
    ],
)
def test_a_stored_profile_that_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidProfile, match=message):
        from_json(to_json(profile(5)) | change)


def test_a_stored_profile_without_its_values_is_refused() -> None:
    with pytest.raises(InvalidProfile, match="values is missing"):
        from_json({"version": 1, "appetite": 5, "by_hand": []})


def test_every_parameter_says_what_it_is_in_one_sentence() -> None:
    for parameter in PARAMETERS:
        assert parameter.label[0].isupper()
        assert parameter.help.endswith(".")
        assert parameter.unit in Unit
