"""Strategies that people write: versions that nobody changes, forks, names, and what is found out about them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from clusterx.errors import DomainError
from strategies import selectors
from strategies.contract import InvalidParameter
from strategies.errors import InvalidVersion, NameTaken, StrategyArchived
from strategies.models import Inspection, UserStrategy, Version
from strategies.selectors import count_trials
from strategies.services import inspections
from strategies.services.runs import request_run
from strategies.services.strategies import archive, create_strategy, fork, rename, restore, save_version
from tests.factories import START, UserFactory
from tests.strategies.market import asked_for, done, listed

pytestmark = pytest.mark.django_db

CODE = """
import numpy as np
from strategies.contract import Parameter, Strategy


class Mine(Strategy):
    name = "mine"
    label = "Mine"
    summary = "Long every other window."
    parameters = (Parameter("window", "Window", "int", 20, minimum=2, maximum=200),)

    def history(self, p):
        return int(p.window)

    def signals(self, bars, p):
        print("asked for", len(bars))
        return np.where(np.arange(len(bars)) // p.window % 2 == 1, 1.0, 0.0)
"""


@pytest.fixture
def version(person: Any) -> Version:
    return create_strategy(owner=person, name="Mine", source=CODE, at=START)


def test_each_save_is_a_version_and_the_same_text_is_none(version):
    again = save_version(strategy_id=version.strategy_id, source=CODE.replace("\n", "\r\n"), at=START)
    assert again == version
    second = save_version(strategy_id=version.strategy_id, source=CODE + "# more\n", notes="a comment", at=START)
    assert (version.number, second.number) == (1, 2)
    assert second.sha256 != version.sha256
    back = save_version(strategy_id=version.strategy_id, source=CODE, at=START)
    assert (back.number, back.sha256) == (3, version.sha256)
    assert [one.number for one in selectors.versions_of(version.strategy)] == [3, 2, 1]


@pytest.mark.parametrize("change", [lambda rows: rows.update(source="pass"), lambda rows: rows.delete()])
def test_the_database_lets_nobody_touch_a_version(version, change):
    Inspection.objects.all().delete()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change(Version.objects.filter(pk=version.pk))


@pytest.mark.parametrize(
    ("kind", "source", "rules", "field"),
    [
        ("code", " \n", None, "source"),
        ("code", "x" * 200_001, None, "source"),
        ("code", "a\0b", None, "source"),
        ("code", CODE, {"a": 1}, "source"),
        ("rules", CODE, None, "rules"),
        ("rules", "", {}, "rules"),
        ("rules", "", {"long": "x" * 100_001}, "rules"),
        ("magic", CODE, None, "kind"),
    ],
)
def test_a_version_holds_what_its_kind_wants(person, kind, source, rules, field):
    with pytest.raises(InvalidVersion) as error:
        create_strategy(owner=person, name="Mine", kind=kind, source=source, rules=rules, at=START)
    assert error.value.facts["field"] == field
    assert UserStrategy.objects.count() == 0


def test_names_tell_a_persons_strategies_apart(person, version):
    with pytest.raises(NameTaken):
        create_strategy(owner=person, name=" Mine ", source=CODE, at=START)
    create_strategy(owner=UserFactory(), name="Mine", source=CODE, at=START)
    archive(strategy_id=version.strategy_id, at=START)
    assert list(selectors.strategies_of(person)) == []
    assert list(selectors.strategies_of(person, archived=True)) == [version.strategy]
    with pytest.raises(StrategyArchived):
        save_version(strategy_id=version.strategy_id, source=CODE + "#", at=START)
    other = create_strategy(owner=person, name="Mine", source=CODE, at=START)
    with pytest.raises(NameTaken):
        restore(strategy_id=version.strategy_id)
    rename(strategy_id=other.strategy_id, name="Yours")
    assert restore(strategy_id=version.strategy_id).archived_at is None
    with pytest.raises(InvalidVersion):
        rename(strategy_id=other.strategy_id, name="  ")


def test_a_fork_begins_with_what_the_version_holds_and_trials_of_ones_own_go_on_counting(person, version):
    done(person, listed(), version=version)
    own = fork(version_id=version.pk, owner=person, name="Mine, bolder", at=START)
    assert (own.source, own.number, own.strategy.forked_from) == (version.source, 1, version)
    assert count_trials(person, own.strategy) == 1
    stranger = UserFactory()
    theirs = fork(version_id=version.pk, owner=stranger, name="Not mine", at=START)
    assert count_trials(stranger, theirs.strategy) == 0
    assert theirs.strategy.family != version.strategy.family


def test_what_a_file_declares_is_read_in_the_sandbox_and_holds_runs_to_it(person, version):
    inspection = inspections.inspect(version_id=version.pk, at=START)
    assert (inspection.status, inspection.declaration["style"]) == ("passed", "Strategy")
    assert [one["name"] for one in inspection.declaration["parameters"]] == ["window"]
    version = selectors.versions().get(pk=version.pk)
    instrument = listed()
    for values in ({"window": 1}, {"quick": 1}):
        with pytest.raises(InvalidParameter) as error:
            request_run(owner=person, asked=asked_for(instrument, version=version, parameters=values), at=START)
        assert error.value.facts["field"] == f"parameters.{next(iter(values))}"
    run = request_run(owner=person, asked=asked_for(instrument, version=version, parameters={"window": 50}), at=START)
    assert run.values == {"window": 50}
    assert run.code_hash == version.sha256


def test_a_users_strategy_runs_in_the_sandbox_and_what_it_prints_is_kept(person, version):
    run = done(person, listed(), version=version, parameters={"window": 50})
    assert (run.status, run.printed.strip()) == ("done", "asked for 300")
    assert run.headline["trades"] == 2
    assert run.assumptions["flags"]["open_positions"] == 1


@pytest.mark.parametrize(
    ("source", "reason", "line"),
    [
        ("def x(:\n", "error", 1),
        (CODE.replace("np.where(", "np.ones(3) + np.where("), "error", 17),
        (CODE.replace("1.0, 0.0)", "1e9, 0.0)"), "invalid-result", None),
        (CODE.replace("return np.where(np.arange(len(bars))", "return np.where(np.arange(7)"), "invalid-result", None),
        (CODE.replace("1.0, 0.0)", "np.nan, 0.0)"), "invalid-result", None),
        (CODE.replace("import numpy as np", "import numpy as np\nopen('/etc/passwd')"), "forbidden", 3),
    ],
    ids=["does not parse", "raises", "asks for 1e9", "wrong shape", "not a number", "reads a file"],
)
def test_code_that_is_wrong_is_a_failed_run_with_a_clear_message_and_nothing_else(person, source, reason, line):
    version = create_strategy(owner=person, name="Wrong", source=source, at=START)
    run = done(person, listed(), version=version)
    assert (run.status, run.reason) == ("failed", reason), run.message
    assert run.line == line or line is None
    assert run.message
    assert (run.metrics, run.headline, run.orders_hash) == (None, None, "")


def test_a_file_that_is_no_strategy_is_inspected_as_such_with_the_line(person):
    version = create_strategy(owner=person, name="Wrong", source="x = 1\ndef y(:\n", at=START)
    inspection = inspections.inspect(version_id=version.pk, at=START)
    assert (inspection.status, inspection.reason, inspection.line) == ("failed", "error", 2)
    assert "parse" in inspection.message
    assert inspections.inspect(version_id=version.pk, at=START).inspected_at == START


def test_a_strategy_made_of_rules_runs_as_any_other(person):
    from strategies.rules import EXAMPLES

    document = next(iter(EXAMPLES.values()))
    version = create_strategy(owner=person, name="By rules", kind="rules", rules=document, at=START)
    assert inspections.inspect(version_id=version.pk, at=START).status == "passed"
    run = done(person, listed(), version=selectors.versions().get(pk=version.pk))
    assert run.status == "done", run.message


def test_rules_that_describe_no_strategy_are_a_failed_run(person):
    version = create_strategy(owner=person, name="By rules", kind="rules", rules={"nonsense": 1}, at=START)
    assert inspections.inspect(version_id=version.pk, at=START).status == "failed"
    try:
        run = done(person, listed(), version=selectors.versions().get(pk=version.pk))
    except DomainError:
        pytest.fail("a version that was saved can be asked to run")
    assert (run.status, bool(run.message)) == ("failed", True)
