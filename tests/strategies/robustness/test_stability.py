"""Stability: plateaus told from peaks, heat maps by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from strategies.contract import Value
from strategies.robustness.samples import InvalidSample
from strategies.robustness.space import Dimension, Space, build
from strategies.robustness.stability import heat_map, neighbourhoods, stability

SPACE = build([Dimension("a", "int", 1, 9), Dimension("b", "int", 10, 90, step=10)])


def grid() -> list[dict[str, Value]]:
    return list(SPACE.grid())


def place(a: int, b: int) -> int:
    return (a - 1) * 9 + b // 10 - 1


def test_a_peak_is_told_from_a_plateau() -> None:
    scores = np.zeros(81)
    scores[place(2, 20)] = 3.0  # alone among zeros
    for a in (6, 7, 8):
        for b in (60, 70, 80):
            scores[place(a, b)] = 2.0
    found = stability(SPACE, grid(), scores)
    assert found.best == place(2, 20)
    assert (found.neighbours, found.kept, found.close, found.worst) == (8, 0.0, 0.0, 0.0)
    assert found.degradation == 1.0
    assert found.plateau == place(7, 70)


def test_the_top_of_a_gentle_hill_is_stable() -> None:
    scores = [10 - (float(p["a"]) - 5) ** 2 * 0.1 - (float(p["b"]) / 10 - 5) ** 2 * 0.1 for p in grid()]
    found = stability(SPACE, grid(), scores)
    assert found.best == found.plateau == place(5, 50)
    assert found.kept == pytest.approx(1 - (4 * 0.1 + 4 * 0.2) / 8 / 10)
    assert found.close == 1.0


def test_the_neighbourhoods_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=81)
    points = grid()
    found = neighbourhoods(SPACE, points, scores)
    for i, p in enumerate(points):
        near = [j for j, q in enumerate(points) if abs(int(p["a"]) - int(q["a"])) <= 1 and abs(int(p["b"]) - int(q["b"])) <= 10]
        assert found.mean[i] == pytest.approx(scores[near].mean())
        assert found.worst[i] == scores[near].min()
        assert found.neighbours[i] == len(near) - 1


def test_other_choices_are_no_neighbours_and_a_gap_in_the_grid_is_bridged() -> None:
    space = build([Dimension("a", "int", 1, 9), Dimension("m", "choice", choices=("x", "y"))])
    points: list[dict[str, Value]] = [{"a": 1, "m": "x"}, {"a": 1, "m": "y"}, {"a": 5, "m": "x"}, {"a": 9, "m": "x"}]
    assert neighbourhoods(space, points, [1, 2, 3, 4]).neighbours.tolist() == [1, 0, 2, 1]


def test_where_values_are_many_neighbours_lie_within_a_tenth_of_the_range() -> None:
    space = build([Dimension("a", "float", 0, 1)])
    units = np.linspace(0, 1, 201)
    found = neighbourhoods(space, [{"a": float(u)} for u in units], np.ones(201))
    assert found.neighbours[100] == 40
    assert found.neighbours[0] == 20


def test_a_lone_trial_has_nothing_to_be_compared_with() -> None:
    found = stability(SPACE, grid()[:1], [1.0])
    assert found.neighbours == 0
    assert math.isnan(found.kept)
    assert found.plateau == 0


def test_a_heat_map_worked_by_hand() -> None:
    space: Space = build([Dimension("a", "int", 1, 2), Dimension("b", "int", 1, 2), Dimension("c", "int", 1, 2)])
    points: list[dict[str, Value]] = [
        {"a": 1, "b": 1, "c": 1},
        {"a": 1, "b": 1, "c": 2},
        {"a": 2, "b": 1, "c": 1},
        {"a": 2, "b": 2, "c": 1},
    ]
    found = heat_map(space, points, [1, 3, 5, 7], "a", "b")
    assert (found.x, found.y) == ((1, 2), (1, 2))
    assert found.count.tolist() == [[2, 1], [0, 1]]
    told = json.loads(json.dumps(found.to_json()))
    assert told["mean"] == [[2, 5], [None, 7]]
    assert told["best"] == [[3, 5], [None, 7]]


def test_many_values_are_put_into_bins_and_none_is_lost() -> None:
    space = build([Dimension("a", "float", 0.01, 100, log=True), Dimension("b", "int", 1, 3)])
    points = [p for number in range(500) if (p := space.sample(0, number)) is not None]
    found = heat_map(space, points, np.ones(len(points)), "a", "b")
    assert found.count.shape == (3, 20)
    assert found.count.sum() == 500
    assert found.x[9] == pytest.approx(10 ** (-2 + 4 * 9.5 / 20))


def test_maps_of_what_was_not_searched_are_refused() -> None:
    for x, y in (("a", "z"), ("a", "a")):
        with pytest.raises(InvalidSample):
            heat_map(SPACE, grid(), np.zeros(81), x, y)
    with pytest.raises(InvalidSample, match="80 scores"):
        stability(SPACE, grid(), np.zeros(80))
