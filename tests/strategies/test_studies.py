"""Searches and walk-forward: from the shell, and as studies that workers do in chunks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from clusterx.errors import DomainError
from manage import needs_services
from strategies import channels, selectors
from strategies.contract import validate
from strategies.engine import Costs, simulate
from strategies.errors import StudyOver
from strategies.library import find
from strategies.models import Study, StudyChunk
from strategies.selectors import count_trials
from strategies.services import studies, trying
from strategies.services.inspections import inspect
from strategies.services.strategies import create_strategy
from strategies.services.studies import StudyRequest, cancel_study, pause_study, request_study, resume_study
from strategies.services.trying import begin_study, do_chunk
from tests.factories import START
from tests.strategies.market import done, listed, walk
from tests.strategies.test_api import Person
from tests.strategies.test_versions import CODE

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


# -- studies ----------------------------------------------------------------------------------------------------------

RANGES = {"fast": {"minimum": 3, "maximum": 9, "step": 3}, "slow": {"minimum": 6, "maximum": 18, "step": 6}}


def study_of(person: Any, **more: Any) -> Study:
    wanted: dict[str, Any] = {
        "strategy": "" if "version" in more else "sma-cross",
        "timeframe": "1h",
        "kind": "grid",
        "space": RANGES,
        "constraints": ("fast < slow",),
        "costs": {"fee": 0.001},
        "end": datetime(2025, 1, 1, tzinfo=UTC),
    }
    if "instrument" not in more:
        wanted["instrument"] = listed(walk(2400)).ref
    return request_study(owner=person, asked=StudyRequest(**(wanted | more)), at=START)


def to_do(study: Study) -> list[StudyChunk]:
    return list(StudyChunk.objects.filter(study=study, done_at=None).order_by("pk"))


def worked(study: Study, order: Any = list) -> Study:
    """What workers make of it, taking chunks in that order."""
    begin_study(study_id=study.pk, at=START)
    while left := to_do(study):
        for chunk in order(left):
            assert do_chunk(chunk_id=chunk.pk, at=START) or not StudyChunk.objects.filter(pk=chunk.pk, done_at=None).exists()
    study.refresh_from_db()
    return study


@pytest.mark.django_db
def test_a_study_finds_what_the_shell_finds_and_counts_its_trials(person):
    done(person, listed(walk(300)))
    market = listed(walk(2400)).ref
    study = worked(study_of(person, objective="return", instrument=market))
    assert (study.status, study.progress, study.trials_done, study.trials_total) == ("done", 1.0, 7, 7), study.message
    got = answer("optimise", "SmaCross", "--instrument", market, "--timeframe", "1h", *SPACE, "--objective", "return")
    for name in ("values", "score"):
        assert study.best[name] == got["best"][name]
    assert study.evidence["trials"] == count_trials(person, "sma-cross") == 8  # the run before it counts too
    assert study.evidence["pbo"] == pytest.approx(got["evidence"]["pbo"])
    assert study.report["heat_maps"] == got["heat_maps"]
    curve = selectors.study_curve(study, 1000)
    assert curve["equity"][-1] == pytest.approx(study.best["final_equity"], rel=1e-5)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["random", "bayesian"])
def test_the_order_of_workers_does_not_change_what_is_tried(person, kind, monkeypatch):
    monkeypatch.setattr(studies, "CHUNK_SECONDS", 0.0)  # a trial a chunk
    market = listed(walk(2400)).ref
    space = {"fast": {"minimum": 2, "maximum": 40}, "slow": {"minimum": 41, "maximum": 200}}
    more = {"kind": kind, "space": space, "budget": 24, "seed": 3, "instrument": market}
    one = worked(study_of(person, **more))
    other = worked(study_of(person, **more), order=lambda left: left[::-1])
    assert (one.status, one.trials_done) == ("done", 24), one.message
    assert one.best == other.best
    assert one.chunks.count() == 24
    assert one.state["searches"] == other.state["searches"]


@pytest.mark.django_db
def test_chunks_are_small_until_it_is_known_what_a_trial_takes(person, monkeypatch):
    monkeypatch.setattr(studies, "workers", lambda: 1)
    tried = trying._tried
    monkeypatch.setattr(trying, "_tried", lambda chunk: (tried(chunk)[0], 0.05 * len(chunk.numbers)))  # 50 ms a trial
    space = {"fast": {"minimum": 2, "maximum": 40}, "slow": {"minimum": 41, "maximum": 200}}
    study = study_of(person, kind="random", space=space, budget=900, instrument=listed(walk(2400)).ref)
    begin_study(study_id=study.pk, at=START)
    (first,) = to_do(study)  # one for each worker
    guess = 0.0003 + 2400e-8
    assert len(first.numbers) * guess <= studies.FIRST_SECONDS
    assert do_chunk(chunk_id=first.pk, at=START)
    assert len(to_do(study)[-1].numbers) == studies.CHUNK_SECONDS / 0.05


@pytest.mark.django_db
def test_walk_forward_in_chunks_is_that_of_the_shell(person):
    plan, market = {"mode": "anchored", "windows": 3}, listed(walk(2400)).ref
    study = worked(study_of(person, kind="walk-forward", plan=plan, instrument=market))
    assert study.status == "done", study.message
    where = ("--instrument", market, "--timeframe", "1h")
    got = answer("walkforward", "SmaCross", *where, *SPACE, "--windows", 3, "--mode", "anchored")
    assert study.report["windows"] == got["windows"]
    assert study.report["efficiency"] == got["efficiency"]
    curve = selectors.study_curve(study, 10_000)
    assert curve["equity"] == got["equity"]["equity"]
    assert len(curve["starts"]) == 3
    assert (study.trials_done, study.evidence["trials"]) == (21, 21)


@pytest.mark.django_db
def test_a_study_is_paused_gone_on_with_and_cancelled(person, monkeypatch):
    monkeypatch.setattr(studies, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(studies, "workers", lambda: 2)
    study = study_of(person)
    begin_study(study_id=study.pk, at=START)
    first, second = to_do(study)
    assert do_chunk(chunk_id=first.pk, at=START)
    pause_study(study_id=study.pk)
    assert not do_chunk(chunk_id=second.pk, at=START)
    assert begin_study(study_id=study.pk, at=START).trials_done == 1
    assert resume_study(study_id=study.pk).status == "running"
    assert do_chunk(chunk_id=second.pk, at=START)
    assert not do_chunk(chunk_id=second.pk, at=START)
    cancel_study(study_id=study.pk, at=START)
    assert not any(do_chunk(chunk_id=chunk.pk, at=START) for chunk in to_do(study))
    study.refresh_from_db()
    assert (study.status, study.trials_done, count_trials(person, "sma-cross")) == ("cancelled", 2, 2)
    with pytest.raises(StudyOver):
        resume_study(study_id=study.pk)


@pytest.mark.django_db
def test_what_a_dead_worker_left_is_done_again(person, monkeypatch):
    market = listed(walk(2400)).ref
    whole = worked(study_of(person, instrument=market))
    study = study_of(person, instrument=market)
    begin_study(study_id=study.pk, at=START)
    with monkeypatch.context() as patch:
        patch.setattr(trying, "_note", dead)
        with pytest.raises(OperationalError):
            do_chunk(chunk_id=to_do(study)[0].pk, at=START)
    assert selectors.studies_unfinished_before(START + timedelta(seconds=1)) == [study.pk]
    again = worked(study)
    assert (again.status, again.best, again.trials_done) == ("done", whole.best, 7)
    assert selectors.studies_unfinished_before(START + timedelta(days=1)) == []


def dead(*_: Any, **__: Any) -> None:
    raise OperationalError("gone")


@pytest.mark.django_db
def test_a_users_code_is_searched_in_the_sandbox_and_its_failure_is_the_studys(person):
    good = create_strategy(owner=person, name="Mine", source=CODE, at=START)
    bad = create_strategy(
        owner=person,
        name="Bad",
        source=CODE.replace("        return np.where", "        1 / 0\n        return np.where"),
        at=START,
    )
    space = {"window": {"minimum": 5, "maximum": 20, "step": 5}}
    for version in (good, bad):
        inspect(version_id=version.pk, at=START)
        version.refresh_from_db()
    found = worked(study_of(person, version=good, space=space, constraints=()))
    assert (found.status, found.trials_done) == ("done", 4), found.message
    assert count_trials(person, good.strategy) == 4
    broken = worked(study_of(person, version=bad, space=space, constraints=()))
    assert broken.status == "failed"
    assert "zero" in broken.message
    assert broken.line


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"kind": "guess"}, "kind"),
        ({"objective": "luck"}, "objective"),
        ({"space": {"quick": {}}}, "quick"),
        ({"kind": "walk-forward", "plan": {"windows": "many"}}, "plan.windows"),
        ({"kind": "walk-forward", "plan": {"windows": 40}}, "budget"),
        ({"stopping": {"patience": "long"}}, "stopping.patience"),
        ({"instrument": "binance:NONE"}, "instruments"),
        ({"strategy": "pairs", "space": {"window": {}}}, "strategy"),
    ],
)
def test_a_study_that_makes_no_sense_names_the_field(person, more, field):
    with pytest.raises(DomainError) as error:
        study_of(person, **more)
    assert error.value.facts["field"] == field
    assert not Study.objects.exists()


@pytest.mark.django_db
def test_too_few_bars_for_the_windows_is_a_failed_study(person):
    study = study_of(person, kind="walk-forward", plan={"windows": 9}, budget=100, instrument=listed(walk(60)).ref)
    assert worked(study).reason == "invalid-plan"


@pytest.mark.django_db
def test_studies_over_rest_belong_to_who_asked():
    person, other = Person(), Person()
    body = {
        "strategy": "sma-cross", "instrument": listed(walk(2400)).ref, "timeframe": "1h", "kind": "grid", "space": RANGES,
        "constraints": ["fast < slow"], "end": "2025-01-01T00:00:00Z",
    }  # fmt: skip
    made = person.post("/studies/", body)
    assert made.status_code == 201, made.json()
    here = f"/studies/{made.json()['id']}/"
    assert person.get(here + "curve/").status_code == 409
    assert person.post(here + "pause/").json()["status"] == "paused"
    assert person.post(here + "resume/").json()["status"] == "queued"
    study = worked(Study.objects.get(public_id=made.json()["id"]))
    got = person.get(here).json()
    assert (got["status"], got["progress"], got["subject"]) == ("done", 1.0, "SMA cross")
    assert got["report"]["heat_maps"]
    assert len(person.get(here + "curve/", points=20).json()["equity"]) <= 22
    assert [row["id"] for row in person.get("/studies/").json()["results"]] == [str(study.public_id)]
    assert other.get("/studies/").json()["results"] == []
    assert other.get(here).status_code == other.post(here + "cancel/").status_code == 404
    assert person.post(here + "pause/").status_code == 409
    channel = channels.study_channel(study)
    assert channels.authorise_study(channel, person.user)
    assert not channels.authorise_study(channel, other.user)
    assert channels.study_snapshot(channel, person.user)[0]["study"]["trials_done"] == 7
