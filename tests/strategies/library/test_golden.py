"""Every strategy does on recorded data what it did when its golden result was written."""

from __future__ import annotations

import json

import pytest

from strategies.library import CATALOGUE
from tests.strategies.library.golden import FILE, facts


@pytest.mark.recorded
@pytest.mark.parametrize("name", list(CATALOGUE))
def test_a_strategy_does_what_it_did(name: str) -> None:
    golden = json.loads(FILE.read_text())[name]
    found = facts(name)
    why = f"{name} orders otherwise than its golden result; if that is meant: python -m tests.strategies.library.golden"
    assert found["final_equity"] == pytest.approx(golden["final_equity"], rel=1e-9), why
    assert found | {"final_equity": 0} == golden | {"final_equity": 0}, why
    assert found["trades"] >= 1


def test_the_golden_results_are_of_the_catalogue_and_of_nothing_else() -> None:
    assert list(json.loads(FILE.read_text())) == list(CATALOGUE)
