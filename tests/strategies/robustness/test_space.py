"""The search space: levels, units, grids within constraints, and random points that depend on seed and number alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.library import LIBRARY
from strategies.robustness.samples import InvalidSpace
from strategies.robustness.space import Dimension, Space, build, key, space_of

PAIR = build([Dimension("fast", "int", 1, 6), Dimension("slow", "int", 2, 10, step=2)], ["fast < slow"])


@pytest.mark.parametrize(
    ("dimension", "levels"),
    [
        (Dimension("p", "int", 2, 5), (2, 3, 4, 5)),
        (Dimension("p", "int", 2, 9, step=3), (2, 5, 8)),
        (Dimension("p", "float", 0.1, 0.4, step=0.1), (0.1, 0.2, 0.3, 0.4)),
        (Dimension("p", "float", 0, 1, levels=5), (0.0, 0.25, 0.5, 0.75, 1.0)),
        (Dimension("p", "float", 0.01, 100, log=True, levels=5), (0.01, 0.1, 1.0, 10.0, 100.0)),
        (Dimension("p", "int", 1, 100, log=True, levels=3), (1, 10, 100)),
        (Dimension("p", "int", 0, 10, levels=3), (0, 5, 10)),
        (Dimension("p", "int", 7, 7), (7,)),
        (Dimension("p", "choice", choices=("long", "short")), ("long", "short")),
    ],
)
def test_the_grid_of_a_dimension_worked_by_hand(dimension: Dimension, levels: tuple[object, ...]) -> None:
    assert dimension.grid() == levels
    assert all(type(a) is type(b) for a, b in zip(dimension.grid(), levels, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "int", "minimum": 5, "maximum": 2}, "a larger one"),
        ({"kind": "float", "minimum": 0, "maximum": float("inf")}, "from a number"),
        ({"kind": "float", "minimum": 0, "maximum": 1, "step": 0}, "step above 0"),
        ({"kind": "float", "minimum": 0, "maximum": 1, "log": True}, "logarithm"),
        ({"kind": "int", "minimum": 0.5, "maximum": 2}, "whole numbers"),
        ({"kind": "float", "minimum": 0, "maximum": 1, "levels": 0}, "levels"),
        ({"kind": "choice"}, "different choices"),
        ({"kind": "choice", "choices": ("a", "a")}, "different choices"),
    ],
)
def test_a_dimension_that_cannot_be_searched_says_why(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpace, match=message):
        Dimension("p", **arguments)  # type: ignore[arg-type]


dimensions = st.one_of(
    st.builds(
        lambda low, span, step: Dimension("p", "int", low, low + span, step=step),
        st.integers(-50, 50),
        st.integers(0, 60),
        st.integers(1, 7),
    ),
    st.builds(lambda low, span: Dimension("p", "float", low, low + span, step=0.1), st.integers(-5, 5), st.integers(0, 6)),
    st.builds(
        lambda low, span, levels: Dimension("p", "int", low, low + span, log=True, levels=levels),
        st.integers(1, 9),
        st.integers(0, 500),
        st.integers(1, 20),
    ),
    st.builds(lambda n: Dimension("p", "choice", choices=tuple(map(str, range(n)))), st.integers(1, 9)),
)


@given(dimensions)
def test_every_level_comes_back_from_its_unit_and_lies_within_bounds(dimension: Dimension) -> None:
    for value in dimension.grid():
        assert 0 <= dimension.unit(value) <= 1
        assert dimension.at(dimension.unit(value)) == value


def test_the_grid_holds_exactly_what_the_constraints_allow_with_the_last_parameter_fastest() -> None:
    expected = [(fast, slow) for fast in range(1, 7) for slow in (2, 4, 6, 8, 10) if fast < slow]
    assert [(p["fast"], p["slow"]) for p in PAIR.grid()] == expected
    assert PAIR.combinations == 30
    assert len(PAIR.grid_within(len(expected))) == len(expected)


def test_a_grid_beyond_its_cap_is_refused_not_cut() -> None:
    with pytest.raises(InvalidSpace, match="more than 5 allowed"):
        PAIR.grid_within(5)
    wide = build([Dimension(name, "int", 1, 1000) for name in "abc"])
    with pytest.raises(InvalidSpace, match=r"1,000,000,000 combinations"):
        next(wide.grid())


def test_constraints_that_leave_nothing_are_said_so() -> None:
    space = build([Dimension("a", "int", 1, 5)], ["a > 9"])
    with pytest.raises(InvalidSpace, match="leave no combination"):
        space.grid_within(10)
    assert space.sample(0, 0) is None


def test_a_grid_across_chunks_is_the_whole_grid() -> None:
    space = build([Dimension("a", "int", 0, 299), Dimension("b", "int", 0, 299)], ["a + b < 500"])
    assert sum(1 for _ in space.grid()) == sum(a + b < 500 for a in range(300) for b in range(300))


@given(st.integers(0, 2**32 - 1), st.integers(0, 10_000))
def test_a_random_point_depends_on_seed_and_number_alone_and_is_allowed(seed: int, number: int) -> None:
    point = PAIR.sample(seed, number)
    assert point is not None
    assert point == PAIR.sample(seed, number)
    assert PAIR.allows(point)
    assert point in list(PAIR.grid())


def test_random_points_are_uniform_over_steps_and_over_logarithms() -> None:
    space = build([Dimension("n", "int", 1, 4), Dimension("c", "float", 0.01, 100, log=True)])
    points = [space.sample(7, number) for number in range(4000)]
    counts = np.bincount([int(p["n"]) for p in points if p])[1:]
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(4000 * 0.25 * 0.75)
    below_one = np.mean([float(p["c"]) < 1 for p in points if p])
    assert abs(below_one - 0.5) < 4 * 0.5 / np.sqrt(4000)


def test_sampling_finds_every_point_once_and_then_says_there_is_none() -> None:
    taken: set[str] = set()
    for number in range(len(list(PAIR.grid()))):
        point = PAIR.sample(3, number, taken)
        assert point is not None
        assert key(point) not in taken
        taken.add(key(point))
    assert PAIR.sample(3, 999, taken) is None


def test_a_strategy_s_own_rules_bound_its_space_and_the_rest_stays_at_the_default() -> None:
    strategy = LIBRARY["sma-cross"]
    space = space_of(
        strategy, {"fast": {"minimum": 5, "maximum": 20, "step": 5}, "slow": {"minimum": 10, "maximum": 20, "step": 10}}
    )
    assert [(p["fast"], p["slow"]) for p in space.grid()] == [(5, 10), (5, 20), (10, 20), (15, 20)]
    assert {p["direction"] for p in space.grid()} == {"long"}
    held = space_of(strategy, {"fast": {"maximum": 3}, "slow": {"value": 50}})
    assert {p["slow"] for p in held.grid()} == {50}


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"fest": {}}, "no parameter 'fest'"),
        ({"fast": {"maximum": 10**9}}, "fast must be"),
        ({"fast": {"max": 10}}, "has 'max'"),
        ({"direction": {"choices": ["sideways"]}}, "sideways"),
        ({"fast": {"value": 5}}, "no parameter to search"),
    ],
)
def test_ranges_that_a_strategy_does_not_have_are_refused(ranges: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(InvalidSpace, match=message):
        space_of(LIBRARY["sma-cross"], ranges)


def test_a_space_comes_back_from_json_as_it_was() -> None:
    space = build(
        [Dimension("a", "float", 0.1, 10, log=True, levels=4), Dimension("m", "choice", choices=("x", "y"))],
        ["a < k or m == 'x'"],
        {"k": 3},
    )
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert list(again.grid()) == list(space.grid())
    with pytest.raises(InvalidSpace, match="version"):
        Space.from_json(space.to_json() | {"version": 9})
