"""Who compiles the engine, and who waits for it."""

from __future__ import annotations

import fcntl
from typing import Any

import pytest

from strategies import warming
from strategies.models import Run
from strategies.services.execution import execute_run
from strategies.services.runs import cancel_run, request_run
from tests.factories import START, UserFactory
from tests.strategies.market import asked_for, listed


@pytest.fixture
def fresh(tmp_path, monkeypatch) -> Any:
    """A machine on which nothing is compiled, as far as ``warming`` knows."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(warming, "WAIT_AGAIN", 0.01)
    return tmp_path


def test_what_was_compiled_is_compiled_until_a_source_changes(fresh, monkeypatch):
    made: list[str] = []
    monkeypatch.setattr(warming, "warm", lambda: made.append("all"))
    assert not warming.is_compiled()
    warming.compile_once()
    warming.compile_once()
    assert made == ["all"]
    assert warming.is_compiled()
    monkeypatch.setattr(warming, "state", lambda: "other sources")
    assert not warming.is_compiled()


def test_who_waits_goes_on_when_it_is_compiled_or_its_compiler_died(fresh):
    (fresh / "warmed.lock").touch()
    ticks: list[int] = []
    with (fresh / "warmed.lock").open("w") as compiler:
        fcntl.flock(compiler, fcntl.LOCK_EX)
        assert warming.is_being_compiled()

        def tick() -> None:
            ticks.append(1)
            if len(ticks) == 3:
                fcntl.flock(compiler, fcntl.LOCK_UN)

        warming.wait_while_compiled(tick)
    assert len(ticks) == 3
    assert not warming.is_being_compiled()
    assert not warming.is_compiled()


@pytest.mark.django_db
def test_a_run_says_that_it_waits_for_the_engine_and_can_be_cancelled_there(fresh):
    person = UserFactory()
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    stages: list[str] = []
    with (fresh / "warmed.lock").open("w") as compiler:
        fcntl.flock(compiler, fcntl.LOCK_EX)
        before = warming.wait_while_compiled

        def watched(tick: Any) -> None:
            def also() -> None:
                tick()
                stages.append(Run.objects.get(pk=run.pk).stage)
                cancel_run(run_id=run.pk, at=START)

            before(also)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(warming, "wait_while_compiled", watched)
            execute_run(run_id=run.pk, at=START)
    assert stages == ["preparing"]
    assert Run.objects.get(pk=run.pk).status == Run.Status.CANCELLED
