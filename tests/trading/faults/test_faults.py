"""A sample of the seeded scenarios; ``make faults`` runs as many as one likes. A seed that fails is run alone by its number."""

from __future__ import annotations

import os

import pytest

from tests.trading.faults.scenario import Scenario

FIRST = int(os.environ.get("FAULTS_FIRST", "0"))
COUNT = int(os.environ.get("FAULTS", "200"))
CHUNK = 25


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, CHUNK))
def test_nothing_is_lost_or_doubled_whatever_goes_wrong(emptied: None, first: int) -> None:
    for seed in range(first, min(first + CHUNK, FIRST + COUNT)):
        Scenario(seed).run()
