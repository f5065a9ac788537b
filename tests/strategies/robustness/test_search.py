"""Searches: same seed, same trials, whatever the workers do; stopped, pruned, stored and resumed as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from strategies.robustness.samples import InvalidSpace
from strategies.robustness.search import Method, Search, Stopping, Trial, chunk_size, chunks
from strategies.robustness.space import Dimension, Values, build

SPACE = build(
    [
        Dimension("fast", "int", 1, 30),
        Dimension("slow", "int", 2, 90, step=4),
        Dimension("risk", "float", 0.001, 1, log=True),
        Dimension("mode", "choice", choices=("trend", "fade")),
    ],
    ["fast < slow"],
)
GRID = build([Dimension("fast", "int", 1, 6), Dimension("slow", "int", 2, 9)], ["fast < slow"])
METHODS: list[Method] = ["grid", "random", "bayesian"]


def score(values: Values) -> float | None:
    """A smooth hill at fast 12, slow 50; some points fail."""
    fast, slow = float(values["fast"]), float(values["slow"])
    if fast == 7:
        return None
    return 10 - ((fast - 12) / 10) ** 2 - ((slow - 50) / 30) ** 2 - (1 if values.get("mode") == "fade" else 0)


def new(method: Method, **more: object) -> Search:
    return Search(GRID if method == "grid" else SPACE, method, trials=80, seed=5, batch=8, **more)  # type: ignore[arg-type]


def run(search: Search, shuffle: int | None = None, workers: int = 3) -> Search:
    """Drive a search to its end with so many trials in flight, answered in a random order where ``shuffle`` seeds one."""
    order = random.Random(shuffle)
    flying: list[Trial] = []
    while not search.done:
        flying += search.ask(workers - len(flying))
        assert flying, "a search that is not done and waits for nobody would hang"
        trial = flying.pop(order.randrange(len(flying)) if shuffle is not None else 0)
        search.tell(trial.number, score(trial.values))
    return search


def story(search: Search) -> list[tuple[object, ...]]:
    return [(t.number, t.values, t.state, t.score) for t in search.trials]


@pytest.mark.parametrize("method", METHODS)
def test_workers_and_the_order_of_their_answers_change_nothing(method: Method) -> None:
    alone = story(run(new(method, stopping=Stopping(patience=60)), workers=1))
    assert story(run(new(method, stopping=Stopping(patience=60)), shuffle=1, workers=7)) == alone
    assert len({str(values) for _, values, _, _ in alone}) == len(alone)


@pytest.mark.parametrize("method", METHODS)
def test_a_search_stored_and_resumed_anywhere_is_the_uninterrupted_one(method: Method) -> None:
    whole = story(run(new(method)))
    for cut in (0, 1, 5, 21, 32):
        search = new(method)
        for _ in range(cut):
            (trial,) = search.ask(1)
            search.tell(trial.number, score(trial.values))
        search.ask(3)  # in flight when the process dies
        resumed = Search.from_json(json.loads(json.dumps(search.to_json())))
        assert resumed.requeue() == sum(trial.state == "asked" for trial in search.trials)
        assert story(run(resumed, shuffle=cut)) == whole


def test_a_search_that_was_stored_by_the_version_before_is_read() -> None:
    migration = import_module("strategies.migrations.0009_trials_in_columns")
    search = new("grid")
    for trial in search.ask(20):
        search.tell(trial.number, score(trial.values))
    search.ask(2)
    search.report(20, 1, 0.5)
    search.prune(20)
    rows = [{name: getattr(trial, name) for name in Trial.__slots__} for trial in search.trials]
    stored = json.loads(json.dumps(search.to_json() | {"version": 1, "trials": rows}))
    assert Search.from_json(migration.columns(stored)).trials == search.trials
    assert Search.from_json(migration.columns(stored | {"trials": []})).trials == []


def test_another_process_proposes_the_same() -> None:
    here = run(Search(SPACE, "bayesian", trials=40, seed=5, batch=8))
    code = (
        "import json; from tests.strategies.robustness.test_search import SPACE, Search, run;"
        "print(json.dumps(run(Search(SPACE, 'bayesian', trials=40, seed=5, batch=8)).to_json()))"
    )
    root = Path(__file__).resolve().parents[3]
    for hash_seed in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": "Asia/Kathmandu", "OMP_NUM_THREADS": hash_seed}
        answer = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, check=True)
        assert json.loads(answer.stdout) == json.loads(json.dumps(here.to_json()))


def test_another_seed_gives_other_trials() -> None:
    one = Search(SPACE, "random", trials=10, seed=1).ask(10)
    two = Search(SPACE, "random", trials=10, seed=2).ask(10)
    assert [t.values for t in one] != [t.values for t in two]


def test_a_grid_search_tries_every_combination_once_and_knows_its_best() -> None:
    search = run(new("grid"))
    assert [t.values for t in search.trials] == list(GRID.grid())
    assert search.total == len(search.trials) == 33
    assert search.best is not None
    assert search.best.values == {"fast": 6, "slow": 9}
    with pytest.raises(InvalidSpace, match="more than 10 allowed"):
        Search(GRID, "grid", trials=10)


def test_bayesian_search_beats_random_search_on_a_hill() -> None:
    reached = {method: [] for method in ("random", "bayesian")}
    for seed in range(3):
        for method in ("random", "bayesian"):
            best = run(Search(SPACE, method, trials=64, seed=seed, batch=8)).best  # type: ignore[arg-type]
            assert best is not None
            reached[method].append(best.score)
    assert min(reached["bayesian"]) > 9.9
    assert sum(reached["bayesian"]) > sum(reached["random"])


def test_every_proposal_obeys_the_constraints_and_is_new() -> None:
    search = run(Search(SPACE, "bayesian", trials=64, seed=3, batch=16))
    assert all(SPACE.allows(trial.values) for trial in search.trials)
    assert len({str(trial.values) for trial in search.trials}) == 64


def test_a_small_space_ends_when_it_is_used_up() -> None:
    for method in ("random", "bayesian"):
        search = run(Search(GRID, method, trials=500, seed=0, batch=8))  # type: ignore[arg-type]
        assert len(search.trials) == 33 == search.total
        assert search.ask(1) == []


def test_bayesian_search_waits_for_its_generation_and_random_search_does_not() -> None:
    learning, free = new("bayesian"), new("random")
    assert len(learning.ask(20)) == 8
    assert learning.ask(1) == []
    assert not learning.done
    assert len(free.ask(20)) == 20


def test_patience_ends_a_search_that_no_longer_improves() -> None:
    search = Search(SPACE, "random", trials=1000, seed=0, batch=4, stopping=Stopping(patience=12))
    while not search.done:
        for trial in search.ask(4):
            search.tell(trial.number, 1.0 if trial.number == 5 else 0.0)
    assert search.stopped == "patience"
    assert len(search.trials) == 20  # the best was trial 5; the first generation with twelve after it ends at trial 19


def test_a_gain_below_the_least_gain_does_not_renew_patience() -> None:
    search = Search(SPACE, "random", trials=1000, seed=0, batch=4, stopping=Stopping(patience=12, least_gain=1.0))
    while not search.done:
        for trial in search.ask(4):
            search.tell(trial.number, trial.number * 0.01)
    assert len(search.trials) == 16


def test_a_target_ends_a_search() -> None:
    search = Search(SPACE, "random", trials=1000, seed=0, batch=4, stopping=Stopping(target=5.0))
    while not search.done:
        for trial in search.ask(4):
            search.tell(trial.number, float(trial.number))
    assert (search.stopped, len(search.trials)) == ("target", 8)


def test_a_hopeless_trial_is_pruned_by_what_earlier_generations_reported() -> None:
    search = Search(SPACE, "random", trials=24, seed=0, batch=8, stopping=Stopping(hopeless=0.25, warm_up=8))
    for trial in search.ask(8):
        assert not search.report(trial.number, 1, float(trial.number)), "nobody to compare with yet"
        search.tell(trial.number, float(trial.number))
    poor, fair = search.ask(2)
    assert search.report(poor.number, 1, 1.0)  # the lower quarter of 0..7 ends at 1.75
    assert not search.report(fair.number, 1, 2.0)
    assert not search.report(fair.number, 2, -9.0), "no earlier trial reported a second step"
    search.prune(poor.number)
    assert search.trials[poor.number].state == "pruned"
    assert search.best is not None
    assert search.best.number == 7


def test_pruned_and_failed_trials_do_not_stop_bayesian_search() -> None:
    search = Search(SPACE, "bayesian", trials=48, seed=0, batch=8, stopping=Stopping(hopeless=0.5, warm_up=4))
    while not search.done:
        for trial in search.ask(8):
            value = score(trial.values)
            if value is not None and search.report(trial.number, 1, value):
                search.prune(trial.number)
            else:
                search.tell(trial.number, value)
    states = {trial.state for trial in search.trials}
    assert states >= {"complete", "pruned"}
    again = Search.from_json(json.loads(json.dumps(search.to_json())))
    assert story(again) == story(search)


def test_a_score_that_is_no_number_is_a_failed_trial() -> None:
    search = new("random")
    for trial, value in zip(search.ask(4), (None, float("nan"), float("inf"), 1.0), strict=True):
        search.tell(trial.number, value)
    assert [trial.state for trial in search.trials[:4]] == ["failed", "failed", "failed", "complete"]
    assert search.best is search.trials[3]


def test_telling_twice_the_same_changes_nothing_and_something_else_is_refused() -> None:
    search = new("random")
    (trial,) = search.ask(1)
    search.tell(trial.number, 1.5)
    search.tell(trial.number, 1.5)
    with pytest.raises(InvalidSpace, match="told again"):
        search.tell(trial.number, 2.5)
    with pytest.raises(InvalidSpace, match="not running"):
        search.tell(7, 1.0)
    with pytest.raises(InvalidSpace, match="not running"):
        search.tell(700, 1.0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"trials": 0},
        {"trials": 10**9},
        {"trials": 5, "batch": 0},
        {"trials": 5, "seed": -1},
        {"trials": 5, "method": "annealing"},
    ],
)
def test_a_search_out_of_range_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidSpace):
        Search(SPACE, **({"method": "random"} | arguments))  # type: ignore[arg-type]


def test_steps_of_a_report_ascend() -> None:
    search = new("random")
    (trial,) = search.ask(1)
    search.report(trial.number, 2, 1.0)
    with pytest.raises(InvalidSpace, match="ascend"):
        search.report(trial.number, 2, 1.0)


def test_chunks_hold_all_trials_once_and_a_second_of_work_each() -> None:
    trials = new("random").ask(10)
    assert [[t.number for t in chunk] for chunk in chunks(trials, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert chunk_size(1000, 2, 0.01) == 100
    assert chunk_size(1000, 2, 0.004) == 125  # four tasks for each worker at least
    assert chunk_size(1000, 2, 0.002) == 166  # but of a third of a second
    assert chunk_size(1000, 2, 0.0001) == 500  # and one for each worker
    assert chunk_size(1000, 2, 5.0) == 1
    assert chunk_size(3, 8, 0.0) == 1


def test_trials_of_the_same_generation_are_not_compared() -> None:
    search = Search(SPACE, "random", trials=24, seed=0, batch=8, stopping=Stopping(hopeless=0.25, warm_up=8))
    for trial in search.ask(8):
        search.report(trial.number, 1, float(trial.number))
        search.tell(trial.number, 0.0)
    *others, last = search.ask(8)
    for trial in others:
        search.report(trial.number, 1, 100.0)
    # Below the lower quarter of all fifteen, not of the eight before: who answers first must not decide.
    assert not search.report(last.number, 1, 3.0)


def test_a_search_does_not_stop_in_the_middle_of_a_generation() -> None:
    search = Search(SPACE, "random", trials=1000, seed=0, batch=4, stopping=Stopping(target=5.0))
    first, *rest = search.ask(4)
    search.tell(first.number, 9.0)
    assert search.stopped is None
    for trial in rest:
        search.tell(trial.number, 0.0)
    assert search.stopped == "target"


def test_what_is_given_out_again_begins_anew() -> None:
    search = new("random")
    (trial,) = search.ask(1)
    search.report(trial.number, 1, 3.0)
    assert search.requeue() == 1
    (again,) = search.ask(1)
    assert (again.number, again.values, again.reports) == (trial.number, trial.values, [])
    search.report(again.number, 1, 3.0)
