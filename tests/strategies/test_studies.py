"""Searches and walk-forward: from the shell, and as studies that workers do in chunks."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from manage import needs_services
from strategies.contract import validate
from strategies.engine import Costs, simulate
from strategies.library import find
from tests.strategies.market import walk

SPACE = ("--param", "fast=3:9:3", "--param", "slow=6:18:6", "--where", "fast < slow", "--fee", "0.001")


def answer(command: str, *arguments: object) -> dict[str, Any]:
    out = StringIO()
    call_command(command, *[str(argument) for argument in arguments], "--json", "-", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    bars = walk(2400)
    table = pd.DataFrame(dict(zip(("open", "high", "low", "close", "volume"), bars.columns[1:], strict=True)))
    table.insert(0, "time", pd.to_datetime(bars.time, unit="s", utc=True))
    table.to_parquet(tmp_path / "bars.parquet")
    return tmp_path / "bars.parquet"


def single(values: dict[str, Any], start: int = 0, stop: int = 2400) -> Any:
    strategy, bars = find("sma-cross"), walk(2400)
    exposure = strategy.signals(bars, validate(strategy, values))[start:stop]
    time, *rest = bars.columns
    return simulate(
        type(bars)(time[start:stop], *(column[start:stop] for column in rest)), exposure, costs=Costs.of(0.001, 0.0)
    )


def test_a_grid_from_the_shell_tries_all_that_is_allowed_and_tells_the_truth_of_each(file):
    got = answer("optimise", "SmaCross", "--bars", file, *SPACE, "--objective", "return", "--tried", 100)
    pairs = {(one["values"]["fast"], one["values"]["slow"]) for one in got["results"]}
    assert pairs == {(3, 6), (3, 12), (3, 18), (6, 12), (6, 18), (9, 12), (9, 18)}
    for one in got["results"]:
        assert one["final_equity"] == pytest.approx(single(one["values"]).final_equity, rel=1e-12)
    assert got["best"]["score"] == max(one["score"] for one in got["results"])
    assert (got["trials"], got["evidence"]["trials"]) == (7, 107)
    assert 0 <= got["evidence"]["pbo"] <= 1
    assert np.sum(got["heat_maps"][0]["count"]) == 7


def test_a_search_with_the_same_seed_is_the_same_search(file):
    wide = ("--param", "fast=2:40", "--param", "slow=41:200", "--search", "random", "--trials", 12)
    one, again, other = (
        answer("optimise", "sma-cross", "--bars", file, *wide, "--seed", seed)["results"] for seed in (4, 4, 5)
    )
    assert one == again
    assert one != other


def test_walk_forward_judges_each_winner_on_bars_that_it_was_not_chosen_on(file):
    got = answer("walkforward", "SmaCross", "--bars", file, *SPACE, "--windows", 3, "--mode", "anchored")
    worth = 10_000.0
    for window in got["windows"]:
        assert window["train_start"] == 0
        assert window["train_stop"] == window["test_start"]
        assert window["test_return"] == pytest.approx(
            single(window["values"], window["test_start"], window["test_stop"]).final_equity / 10_000 - 1, abs=1e-12
        )
        worth *= 1 + window["test_return"]
    assert got["final_equity"] == pytest.approx(worth)
    assert len(got["equity"]["time"]) == sum(one["test_stop"] - one["test_start"] for one in got["windows"])
    assert got["trials"] == got["evidence"]["trials"] == 21


def test_the_future_of_a_window_changes_nothing_in_its_training(file, tmp_path):
    got = answer("walkforward", "SmaCross", "--bars", file, *SPACE, "--windows", 2)
    table = pd.read_parquet(file)
    last = got["windows"][-1]["test_start"]
    for name in ("open", "high", "low", "close"):
        table.loc[table.index[last:], name] *= 3
    table.to_parquet(tmp_path / "poisoned.parquet")
    other = answer("walkforward", "SmaCross", "--bars", tmp_path / "poisoned.parquet", *SPACE, "--windows", 2)
    for a, b in zip(got["windows"], other["windows"], strict=True):
        assert (a["values"], a["score"], a["train_return"]) == (b["values"], b["score"], b["train_return"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("grid", "--param", "levels=2:5"), "only vectorised"),
        (("pairs", "--param", "window=20:30"), "only vectorised"),
        (("sma-cross", "--param", "quick=2:5"), "no parameter 'quick'"),
        (("sma-cross", "--param", "fast=a:b"), "must range over numbers"),
        (("sma-cross", "--param", "fast=5:9", "--where", "fast << slow"), "invalid-search-space"),
        (("sma-cross", "--param", "fast=2:90", "--param", "slow=3:300", "--trials", "10"), "more than 10"),
    ],
)
def test_what_cannot_be_searched_is_said(file, arguments, says):
    with pytest.raises(CommandError, match=says):
        answer("optimise", *arguments, "--bars", file)


def test_searching_a_file_starts_no_servers():
    assert not needs_services(["manage.py", "optimise", "sma-cross", "--bars", "x.csv"])
    assert not needs_services(["manage.py", "walkforward", "sma-cross", "--bars=x.csv"])
    assert needs_services(["manage.py", "optimise", "sma-cross", "--instrument", "binance:BTC-USDT"])
