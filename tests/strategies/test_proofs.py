"""A version that is saved is put to the proof, a user's code in the real sandbox; what it is told, and what that allows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import OperationalError

from strategies import selectors, tasks
from strategies.errors import NotDeployable, Refused
from strategies.models import Inspection, Version
from strategies.proving.series import KINDS, market, markets
from strategies.rules import EXAMPLES
from strategies.sandbox.pool import Pool
from strategies.services import inspections, proofs, subjects
from strategies.services.strategies import create_strategy
from tests.factories import START
from tests.strategies.market import done, listed, walk
from tests.strategies.test_api import Person

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("sandbox")]

FILE = """
import numpy as np
import pandas as pd
from strategies.contract import Strategy


class Mine(Strategy):
    name, label, summary = "mine", "Mine", "Above its average."

    def history(self, p):
        return 20

    def signals(self, bars, p):
        close = pd.Series(bars.close)
        return (close > MEAN).to_numpy().astype(float)
"""
HONEST = FILE.replace("MEAN", "close.rolling(20).mean()")
CHEATER = FILE.replace("MEAN", "close.shift(-1)")


def saved(person: Any, source: str = "", **more: Any) -> Version:
    made = create_strategy(owner=person, name="Mine", source=source, at=START, **more)
    return selectors.versions().get(pk=made.pk)


def inspected(version: Version) -> Version:
    inspections.inspect(version_id=version.pk, at=START)
    return selectors.versions().get(pk=version.pk)


def test_an_honest_file_passes_and_may_be_deployed(person):
    version = saved(person, HONEST)
    assert version.obstacle == "This version has not been read yet."
    version = inspected(version)
    proof = version.inspection.proof
    assert (version.inspection.proved, version.inspection.warm_up) == (True, 20)
    assert proof["summary"].startswith("Passed ")
    assert (proof["version"], [one["passed"] for one in proof["series"]]) == (1, [True])
    assert version.is_deployable
    assert selectors.deployable(version) == version


def test_a_cheater_is_refused_with_the_sentence_and_still_runs_as_a_backtest(person):
    version = inspected(saved(person, CHEATER))
    assert (version.inspection.status, version.inspection.proved) == ("passed", False)
    sentence = version.inspection.proof["summary"]
    assert "is removed" in sentence
    assert "line 15" in sentence
    assert not version.is_deployable
    with pytest.raises(NotDeployable) as refused:
        selectors.deployable(version)
    assert refused.value.message == f"This version did not pass its proof. {sentence}"
    assert done(person, listed(), version=version).status == "done"


def test_the_api_shows_the_proof_and_whether_it_may_be_deployed():
    person = Person()
    made = person.post("/my-strategies/", {"name": "Mine", "source": CHEATER}).json()
    assert (made["deployable"], made["obstacle"]) == (False, "This version has not been read yet.")
    inspected(Version.objects.get(public_id=made["id"]))
    shown = person.get(f"/versions/{made['id']}/").json()
    assert (shown["inspection"]["proved"], shown["deployable"]) == (False, False)
    assert shown["inspection"]["proof"]["failures"][0]["line"] == 15
    assert shown["obstacle"].endswith(shown["inspection"]["proof"]["summary"])


def test_a_broken_file_is_told_with_its_line(person):
    version = inspected(saved(person, "x = 1\ndef y(:\n"))
    assert (version.inspection.status, version.inspection.proof, version.inspection.proved) == ("failed", None, None)
    assert version.obstacle.endswith("(line 2)")


def test_a_file_that_breaks_when_it_is_asked_is_a_failed_proof_with_its_line(person):
    version = inspected(saved(person, HONEST.replace(".to_numpy()", ".to_nothing()")))
    assert version.inspection.proved is False
    assert version.inspection.proof["failures"][0]["line"] == 15
    assert "AttributeError" in version.obstacle


def test_a_file_that_decides_nothing_is_not_proved(person):
    version = inspected(saved(person, HONEST.replace("return (", "return 0 * (")))
    assert "decides nothing" in version.obstacle


def test_stored_candles_are_asked_about_too_and_catch_what_waits_for_them(person):
    listed(walk(1_200), venue__code="binance", base="BTC")
    # It looks ahead in no market but one whose first bar it knows.
    source = CHEATER.replace("close.shift(-1)", "close.shift(-1 if bars.time[-1] > 1_720_000_000 else 1)").replace(
        "return 20", "return 2"
    )
    version = inspected(saved(person, source))
    proof = version.inspection.proof
    assert [one["passed"] for one in proof["series"]] == [True, False]
    assert (proof["on"], proof["bars"]) == ("binance:BTC-USDT 1h", 1_200)
    assert not version.is_deployable


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ('Parameter("mode", "Mode", "choice", "calm", choices=(("calm", "Calm"), ("bold", "Bold")))', "bold"),
        ('Parameter("mode", "Mode", "int", 0, minimum=0, maximum=3)', 3),
    ],
)
def test_a_look_ahead_behind_a_parameter_is_found(person, declared, value):
    source = (
        CHEATER.replace("import Strategy", "import Parameter, Strategy")
        .replace("shift(-1)", f"shift(-1 if p.mode == {value!r} else 1)")
        .replace("    def history", f"    parameters = ({declared},)\n\n    def history")
    )
    version = inspected(saved(person, source))
    proof = version.inspection.proof
    assert not version.is_deployable
    assert (proof["values"], [one["passed"] for one in proof["series"]]) == ({"mode": value}, [True, False])


def test_parameters_that_make_no_sense_together_are_nobodys_fault(person):
    source = (
        HONEST.replace("import Strategy", "import Parameter, Strategy")
        .replace("rolling(20)", "rolling(20 if p.window < 50 else 1 // 0)")
        .replace(
            "    def history",
            '    parameters = (Parameter("window", "W", "int", 9, minimum=2, maximum=90),)\n\n    def history',
        )
    )
    assert inspected(saved(person, source)).obstacle == ""


@pytest.mark.parametrize("name", EXAMPLES)
def test_rules_are_proved_in_this_process(person, name, monkeypatch):
    monkeypatch.setattr(subjects, "pool", lambda: pytest.fail("rules need no sandbox"))
    version = inspected(saved(person, kind="rules", rules=EXAMPLES[name]))
    assert version.obstacle == ""
    assert version.inspection.warm_up > 1


def test_an_event_driven_file_and_a_portfolio_are_proved_as_such(person):
    head = FILE[: FILE.index("    def signals")]
    event = head.replace("import Strategy", "import EventStrategy").replace("(Strategy)", "(EventStrategy)") + (
        "    def on_bar(self, ctx):\n"
        "        close = ctx.bars.close\n"
        "        if len(close) > 20:\n"
        "            ctx.target(1.0 if close[-1] > close[-20:].mean() else 0.0)\n"
    )
    panel = head.replace("import Strategy", "import PortfolioStrategy").replace("(Strategy)", "(PortfolioStrategy)") + (
        "    def signals(self, panel, p):\n"
        "        return np.column_stack([np.where(one.close > one.open, 0.5, 0.0) for one in panel.bars])\n"
    )
    for name, source in (("Event", event), ("Panel", panel)):
        made = create_strategy(owner=person, name=name, source=source, at=START)
        version = inspected(made)
        assert version.obstacle == "", version.inspection.declaration


def test_a_host_without_a_sandbox_proves_nothing_and_another_worker_goes_on(person, monkeypatch):
    version = saved(person, HONEST)

    def missing(*_: Any, **__: Any) -> Any:
        raise Refused("no namespaces", reason="boundary")

    with monkeypatch.context() as patch:
        patch.setattr(proofs, "proof_of", missing)
        with pytest.raises(Refused):
            inspections.inspect(version_id=version.pk, at=START)
    inspection = Inspection.objects.get(pk=version.pk)
    assert (inspection.status, inspection.proved) == ("passed", None)
    assert selectors.versions().get(pk=version.pk).obstacle == "This version has not been proved yet."
    assert inspected(version).is_deployable


def test_a_sandbox_that_goes_away_in_the_middle_is_no_verdict(person, monkeypatch):
    version = saved(person, HONEST)
    found = inspections.declared_in(HONEST)
    monkeypatch.setattr(inspections, "declared_by", lambda _version: found)
    gone = Pool(1)
    gone.close()
    monkeypatch.setattr(subjects, "pool", lambda: gone)
    with pytest.raises(Refused) as refused:
        inspections.inspect(version_id=version.pk, at=START)
    assert refused.value.reason == "boundary"
    assert Inspection.objects.get(pk=version.pk).proved is None


def test_a_file_that_takes_too_long_for_a_proof_is_told_so(person, monkeypatch):
    monkeypatch.setattr(proofs, "SLOWEST", 0.0)
    version = inspected(saved(person, HONEST))
    assert version.inspection.proved is False
    assert "seconds to answer 1,500 bars" in version.obstacle


def test_a_second_look_changes_nothing(person, monkeypatch):
    version = inspected(saved(person, HONEST))
    monkeypatch.setattr(subjects, "pool", lambda: pytest.fail("it was asked again"))
    again = inspections.inspect(version_id=version.pk, at=START + timedelta(days=1))
    assert again.inspected_at == START


def test_the_task_tries_again_when_the_database_was_away(person, monkeypatch):
    version = saved(person, HONEST)
    real, calls = inspections.inspect, []

    def away_once(**asked: Any) -> Inspection:
        calls.append(asked)
        if len(calls) == 1:
            raise OperationalError("gone")
        return real(**asked)

    monkeypatch.setattr(inspections, "inspect", away_once)
    tasks.inspect_version.apply(args=[version.pk])
    assert len(calls) == 2
    assert Inspection.objects.get(pk=version.pk).proved is True


def test_a_version_whose_message_was_lost_is_found(person, monkeypatch):
    version = saved(person, HONEST)
    assert selectors.waiting_for_proof(START) == []
    assert selectors.waiting_for_proof(START + timedelta(minutes=2)) == [version.pk]
    assert selectors.waiting_for_proof(START + timedelta(days=2)) == []
    inspected(version)
    assert selectors.waiting_for_proof(START + timedelta(minutes=2)) == []


def test_invented_markets_are_the_same_each_time_and_prices_that_a_market_could_make():
    for kind in KINDS:
        one, again, other = (market(kind, 700, 3600, seed=seed) for seed in (3, 3, 4))
        assert all(np.array_equal(a, b) for a, b in zip(one.columns, again.columns, strict=True))
        assert not np.array_equal(one.close, other.close)
        assert (one.low <= np.minimum(one.open, one.close)).all()
        assert (one.high >= np.maximum(one.open, one.close)).all()
        assert (one.low > 0).all()
    assert [len(panel.bars) for _kind, panel in markets(60, 3600, legs=3)] == [3, 3, 3]
