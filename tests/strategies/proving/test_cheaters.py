"""Planted cheaters: every one is caught, by the check that is meant to, and the line that cheats is named."""

from __future__ import annotations

import json

import pytest

from strategies import proof_wording
from strategies.proving import prove
from strategies.proving.subjects import Ours, in_time_zone
from tests.strategies.proving.cheaters import CHEATERS
from tests.strategies.proving.files import bars_for, loaded


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CHEATERS)
def test_a_planted_cheater_is_caught(name: str) -> None:
    planted = CHEATERS[name]
    strategy = loaded(planted.code)
    answer = Ours(strategy, {})
    verdict = prove(
        answer, bars_for(type(strategy)), source=planted.code, elsewhere={"Auckland": in_time_zone(answer, "Pacific/Auckland")}
    )
    failed = {failure.check for failure in verdict.failures}
    assert not verdict.passed
    assert failed >= set(planted.caught), verdict.summary
    assert verdict.failures[0].line == planted.line or planted.line is None, verdict.summary
    told = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert told["passed"] is False
    assert told["failures"][0]["sentence"] == verdict.failures[0].sentence
    assert {check["name"] for check in told["checks"] if not check["passed"]} >= set(planted.caught)
    for failure in verdict.failures:  # translators know every kind of sentence, and English stays as it was written
        assert proof_wording.known(failure.message), failure.message
        assert proof_wording.known(failure.line_reason) or not failure.line_reason, failure.line_reason
        assert proof_wording.said(failure.sentence) == failure.sentence
    assert proof_wording.said(verdict.summary) == verdict.summary


def test_there_are_enough_of_them_and_of_every_style() -> None:
    assert len(CHEATERS) >= 50
    assert {planted.style for planted in CHEATERS.values()} == {"Strategy", "PortfolioStrategy", "EventStrategy"}
    assert {check for planted in CHEATERS.values() for check in planted.caught} == {
        "prefix", "poison", "last-bar", "repeat", "memory", "hidden", "elsewhere", "history",
    }  # fmt: skip


def test_the_sentence_names_the_bar_that_changes_the_bar_that_changes_it_and_the_line() -> None:
    planted = CHEATERS["negative shift"]
    verdict = prove(Ours(loaded(planted.code), {}), bars_for(type(loaded(planted.code))), source=planted.code)
    first = verdict.failures[0]
    assert first.bar is not None
    assert first.cause == first.bar + 1
    assert first.sentence.startswith(
        f"Bar {first.bar} changes when bar {first.cause} is removed: exposure 1 becomes 0: probably"
    )
    assert f"probably line {planted.line}, which moves later values to earlier bars" in first.sentence
