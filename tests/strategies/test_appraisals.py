"""Is it luck? The tests that a run is put to, how they are stored, and who sees them."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.core.management import call_command
from django.db import connections
from django.urls import reverse

from clusterx.db.locks import anybody
from strategies import appraisal, selectors, tasks
from strategies.appraisal import appraise
from strategies.backtest import Decision, library_decision, simulated
from strategies.conditions import Conditions
from strategies.contract import Signals, validate
from strategies.library import find
from strategies.models import Appraisal, Run
from strategies.services import appraisals, execution
from strategies.services.appraisals import appraise_run
from strategies.services.execution import AT_WORK, MACHINE
from strategies.services.runs import share_run
from strategies.services.trials import record_trials
from tests.factories import START, UserFactory
from tests.strategies.market import done, listed, walk


def appraised(exposure: Any, bars: Any, **more: Any) -> appraisal.Appraisal:
    """``exposure``, whatever the bars are."""

    def decide(given: Any, conditions: Conditions) -> Decision:
        return Decision(signals=Signals(exposure))

    conditions = Conditions()
    return appraise([bars], decide, conditions, simulated([bars], decide([bars], conditions), conditions), **more)


# -- what the tests say -----------------------------------------------------------------------------------------------


def test_knowing_the_next_bar_beats_chance_and_tossing_a_coin_does_not() -> None:
    bars = walk(2000)
    # Of the bar in which an order is filled, to the next open.
    rises = np.r_[bars.open[2:] > bars.open[1:-1], False, False].astype(float)
    tossed = [np.random.default_rng(seed).integers(0, 2, 2000).astype(float) for seed in range(12)]
    p = [
        appraisal.chance([bars], simulated([bars], Decision(signals=Signals(one)), Conditions()), 1)["p"]
        for one in (rises, *tossed)
    ]
    assert p[0] < 0.001
    assert sum(value < 0.05 for value in p[1:]) <= 3


def test_the_same_seed_tells_the_same_and_another_seed_another() -> None:
    bars, exposure = walk(400), (np.arange(400) // 10 % 2).astype(float)
    first, again, other = (appraised(exposure, bars, seed=seed).to_json() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert json.loads(json.dumps(first, allow_nan=False)) == first


def test_holding_keeps_its_result_under_noise_and_a_pattern_of_the_last_digit_does_not() -> None:
    bars = walk(1500)
    rising = replace(
        bars, **{name: getattr(bars, name) * np.exp(np.arange(1500) * 1e-3) for name in ("open", "high", "low", "close")}
    )

    def fitted(given: Any, conditions: Conditions) -> Decision:
        """In the market before each rise, which it recognises by the very prices of the history it was fitted to."""
        known = np.isin(given[0].close, rising.close[:-2][rising.close[2:] > rising.open[1:-1]])
        return Decision(signals=Signals(known.astype(float)))

    conditions = Conditions()
    result = simulated([rising], fitted([rising], conditions), conditions)
    found = appraise([rising], fitted, conditions, result)
    assert found.tests["noise"]["kept"] == pytest.approx(0, abs=0.05)
    assert found.tests["noise"]["worse"] == 1
    held = appraised(np.ones(1500), rising)
    assert held.tests["noise"]["kept"] == pytest.approx(1, abs=0.1)
    assert held.tests["markets"]["loss"] < 0.5


def test_what_a_test_cannot_be_made_of_is_said() -> None:
    bars = walk(300)
    few = appraised(np.r_[np.ones(100), np.zeros(200)], bars)
    assert few.missing == {"chance": "few-trades", "paths": "few-trades"}
    silent = appraised((np.arange(300) // 5 % 2).astype(float), replace(bars, volume=np.zeros(300)))
    assert silent.missing["capacity"] == "no-volume" or "capacity" in silent.missing
    nothing = appraised(np.zeros(300), bars)
    assert nothing.missing["capacity"] == "few-trades"
    strategy = find("pairs")
    conditions = Conditions(markets=Conditions().markets * 2)
    decide, both = library_decision(strategy, validate(strategy, {"window": 20})), [bars, walk(300, seed=2)]
    result = simulated(both, decide(both, conditions), conditions)
    pair = appraise(both, decide, conditions, result)
    assert pair.missing == dict.fromkeys(("chance", "markets", "noise"), "several-instruments")
    assert "capacity" in pair.tests


# -- how they are stored ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_run_is_appraised_once_after_it_is_done(person, django_capture_on_commit_callbacks, monkeypatch):
    queued: list[int] = []
    monkeypatch.setattr(tasks.appraise_run, "apply_async", lambda arguments, **more: queued.extend(arguments))
    with django_capture_on_commit_callbacks(execute=True):
        run = done(person, listed(walk(900)))
    assert queued == [run.pk]
    first = appraise_run(run_id=run.pk, at=START)
    assert first is not None
    assert set(first.told["tests"]) == {"chance", "paths", "capacity", "markets", "noise"}
    assert appraise_run(run_id=run.pk, at=START) is None
    assert Appraisal.objects.count() == 1


@pytest.mark.django_db
def test_a_machine_tests_one_run_at_a_time_and_the_other_waits_for_its_turn(person, monkeypatch):
    one, other = done(person, listed(walk(900))), done(person, listed(walk(900)))
    waiting: list[Any] = []
    monkeypatch.setattr(tasks.appraise_run, "apply_async", lambda arguments, **more: waiting.append((arguments, more)))
    inside = appraisals.appraise_run

    def meanwhile(**asked: Any) -> Any:
        # Another process of this machine, which has a connection of its own.
        thread = threading.Thread(target=lambda: (tasks.appraise_run(other.pk), connections.close_all()))
        thread.start()
        thread.join()
        return inside(**asked)

    monkeypatch.setattr(appraisals, "appraise_run", meanwhile)
    tasks.appraise_run(one.pk)
    assert waiting == [((other.pk,), {"countdown": tasks.TURN})]
    assert list(Appraisal.objects.values_list("run", flat=True)) == [one.pk]


def test_the_tests_run_at_the_lowest_priority_and_the_worker_keeps_its_own() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert appraisals.aside(lambda between: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) == 19
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
    with pytest.raises(ZeroDivisionError):
        appraisals.aside(lambda between: 1 // 0)


def test_the_tests_stand_back_while_somebody_waits_for_a_run_but_not_for_ever(monkeypatch) -> None:
    monkeypatch.setattr(appraisals, "LOOK", 0.005)
    monkeypatch.setattr(appraisals, "READING", 0.0)
    somebody, done = threading.Event(), []
    somebody.set()

    def parts(between: Any) -> int:
        time.sleep(0.05)  # whether somebody waits is known by now
        for part in range(3):
            between()
            done.append(part)
        return len(done)

    threading.Timer(0.3, lambda: (done.append("the run is over"), somebody.clear())).start()
    assert appraisals.aside(parts, wait=somebody.is_set) == 4
    assert done == ["the run is over", 0, 1, 2]
    monkeypatch.setattr(appraisals, "PATIENCE", 0.1)
    assert appraisals.aside(parts, wait=lambda: True) == 7


@pytest.mark.django_db
def test_a_machine_is_known_to_be_at_work_while_it_does_a_run(person, monkeypatch):
    found: list[bool] = []
    inside = execution._do
    monkeypatch.setattr(execution, "_do", lambda *given: (found.append(anybody(AT_WORK, MACHINE)), inside(*given)))
    done(person, listed(walk(900)))
    assert [*found, anybody(AT_WORK, MACHINE)] == [True, False]


@pytest.mark.django_db
def test_what_was_lost_is_found_and_what_is_done_is_left_alone(person):
    run = done(person, listed(walk(900)))
    later = run.finished_at + timedelta(minutes=5)
    assert selectors.unappraised_before(later) == [run.pk]
    assert selectors.unappraised_before(run.finished_at) == []
    appraise_run(run_id=run.pk, at=START)
    assert selectors.unappraised_before(later) == []


@pytest.mark.django_db
def test_a_run_that_comes_out_otherwise_or_breaks_says_so(person, monkeypatch):
    run = done(person, listed(walk(900)))
    Run.objects.filter(pk=run.pk).update(orders_hash="0" * 64)
    found = appraise_run(run_id=run.pk, at=START)
    assert (found.reason, found.told) == (appraisals.CHANGED, None)
    other = done(person, listed(walk(900)))

    def broken(run: Run) -> Any:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(appraisals, "_told", broken)
    assert appraise_run(run_id=other.pk, at=START).reason == "internal"


@pytest.mark.django_db
def test_the_more_often_it_was_tried_the_less_the_evidence(person):
    run = done(person, listed(walk(900)))
    before, tries = selectors.evidence_of(run)
    assert tries == 1
    record_trials(owner=person, subject=run, what="grid", sharpes=[], count=999, at=START)
    after, tries = selectors.evidence_of(run)
    assert tries == 1000
    assert after["deflated"] < before["deflated"]
    assert after["probabilistic"] == before["probabilistic"]


# -- who sees them ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_report_waits_for_the_tests_and_shows_them(client, person, django_capture_on_commit_callbacks, monkeypatch):
    run = done(person, listed(walk(900)))
    path = reverse("strategies:run_robustness", args=[run.public_id])
    assert path in client.get(reverse("strategies:run", args=[run.public_id])).content.decode()
    waiting = client.get(path).content.decode()
    assert 'hx-trigger="load delay:1500ms"' in waiting
    assert "Sharpe ratio against luck" in waiting
    appraise_run(run_id=run.pk, at=START)
    shown = client.get(path).content.decode()
    assert "hx-trigger" not in shown
    for name in (
        "Entries at random",
        "The same trades in another order",
        "Other markets",
        "Prices a little off",
        "Capital it can",
    ):
        assert name in shown
    queued: list[int] = []
    monkeypatch.setattr(tasks.appraise_run, "apply_async", lambda arguments, **more: queued.extend(arguments))
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(path).status_code == 200
    assert queued == [run.pk]
    assert not Appraisal.objects.exists()


@pytest.mark.django_db
def test_only_the_owner_and_who_has_the_link_see_them(client, person):
    run = done(person, listed(walk(900)))
    appraise_run(run_id=run.pk, at=START)
    client.force_login(UserFactory())
    assert client.get(reverse("strategies:run_robustness", args=[run.public_id])).status_code == 404
    assert client.get(f"/api/v1/runs/{run.public_id}/robustness/").status_code == 404
    token = share_run(run_id=run.pk, at=START).share_token
    client.logout()
    shared = client.get(reverse("strategies:shared_robustness", args=[token]))
    assert shared.status_code == 200
    assert "hx-post" not in shared.content.decode()
    assert str(run.public_id) not in shared.content.decode()


@pytest.mark.django_db
def test_a_failed_appraisal_can_be_tried_again_and_says_why(client, person):
    run = done(person, listed(walk(900)))
    Appraisal.objects.create(run=run, told=None, reason=appraisals.CHANGED, seconds=0.1, created_at=START)
    shown = client.get(reverse("strategies:run_robustness", args=[run.public_id])).content.decode()
    assert "no longer comes out as it did" in shown
    assert "hx-post" in shown


@pytest.mark.django_db
def test_programs_get_the_same(client, person):
    run = done(person, listed(walk(900)))
    path = f"/api/v1/runs/{run.public_id}/robustness/"
    waiting = client.get(path).json()
    assert (waiting["status"], waiting["trials"], waiting["appraisal"]) == ("waiting", 1, None)
    assert 0 <= waiting["evidence"]["deflated"] <= 1
    appraise_run(run_id=run.pk, at=START)
    finished = client.get(path).json()
    assert finished["status"] == "done"
    assert finished["appraisal"]["tests"]["noise"]["runs"] == 200


def test_the_shell_makes_them_too(tmp_path):
    bars = walk(600)
    table = pd.DataFrame(dict(zip(("open", "high", "low", "close", "volume"), bars.columns[1:], strict=True)))
    table.insert(0, "time", pd.to_datetime(bars.time, unit="s", utc=True))
    table.to_parquet(tmp_path / "bars.parquet")
    out = StringIO()
    call_command(
        "backtest", "sma-cross", "--bars", str(tmp_path / "bars.parquet"), "--param", "fast=5", "--param", "slow=20",
        "--robustness", stdout=out,
    )  # fmt: skip
    assert "random placements of its trades" in out.getvalue()
    assert "under noise" in out.getvalue()
