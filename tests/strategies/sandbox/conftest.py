"""One pool for the tests of a worker: what a run leaves is for the next one to find."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from strategies.sandbox.pool import Pool
from tests.strategies.sandbox.attempt import LIMITS


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    with Pool(2, LIMITS) as made:
        made.warm()
        yield made
