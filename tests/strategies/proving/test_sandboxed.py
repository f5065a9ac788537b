"""Proofs of a user's file, asked in the sandbox: the same verdicts, few requests, and the history as a live session has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from strategies.contract import EventStrategy, Panel, PortfolioStrategy, Strategy
from strategies.proving import Verdict, prove
from strategies.proving.subjects import Sandboxed
from strategies.sandbox.pool import Pool
from tests.strategies.proving.cheaters import CHEATERS, HEAD
from tests.strategies.proving.files import bars_for
from tests.strategies.sandbox.attempt import LIMITS

pytestmark = pytest.mark.xdist_group("sandbox")
STYLES = {"Strategy": Strategy, "PortfolioStrategy": PortfolioStrategy, "EventStrategy": EventStrategy}
INSIDE = HEAD.replace(
    "from strategies.contract import EventStrategy, PortfolioStrategy, Signals, Strategy",
    "from clusterx_api import EventStrategy, PortfolioStrategy, Signals, Strategy",
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(1, LIMITS) as made:
        made.warm()
        yield made


class Counting:
    """A pool that counts what it is asked for."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.requests = pool, Counter[str]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.requests[name] += 1
        return getattr(self.pool, name)


def proof(pool: Pool, code: str, style: str = "Strategy") -> Verdict:
    given = bars_for(STYLES[style], 1500)
    return prove(Sandboxed(pool, code, {}, events=style == "EventStrategy"), given, source=code, cuts=40)


def file(body: str, history: int = 20) -> str:
    head = INSIDE.replace("BASE", "Strategy").replace("return 20", f"return {history}")
    return f"{head}    def signals(self, bars, p):\n        close = pd.Series(bars.close)\n        {body}\n"


def test_an_honest_file_passes_in_few_requests_and_its_history_is_that_of_a_live_session(pool: Pool) -> None:
    counting = Counting(pool)
    verdict = proof(counting, file("return (close > close.rolling(20).mean()).to_numpy().astype(float)"))  # type: ignore[arg-type]
    assert verdict.passed, verdict.summary
    assert counting.requests["prefixes"] == 2
    assert counting.requests["live"] == 1
    assert counting.requests["signals"] <= 15
    counts = {check.name: check.count for check in verdict.checks}
    assert counts["prefix"] > 25
    assert counts["history"] == 300


def test_a_file_that_declares_too_little_fails_with_what_it_needs(pool: Pool) -> None:
    verdict = proof(pool, file("return (close > close.rolling(64).mean()).to_numpy().astype(float)", history=20))
    assert [failure.check for failure in verdict.failures] == ["history"]
    assert verdict.needed == 64
    assert verdict.summary.startswith("It declares too little history and needs 64 or more: with what it declares bar ")


@pytest.mark.parametrize(
    "name",
    [
        "negative shift",
        "seldom: only before a crash",
        "mean of the whole series",
        "a higher timeframe seen before its close",
        "the number of bars",
        "random without a seed",
        "a diary of all that it has seen",
        "the other leg's next bar",
        "behind the context",
        "behind the views of the context",
    ],
)
def test_a_cheater_is_caught_in_there_too(pool: Pool, name: str) -> None:
    planted = CHEATERS[name]
    verdict = proof(pool, planted.code.replace("strategies.contract", "clusterx_api"), planted.style)
    assert not verdict.passed
    assert verdict.failures[0].line == planted.line, verdict.summary
    assert ("repeat" if name.startswith("random") else "prefix") in {failure.check for failure in verdict.failures}


def test_a_file_that_breaks_is_a_verdict_with_its_line(pool: Pool) -> None:
    verdict = proof(pool, code := file("return close.nothing"))
    assert verdict.summary.startswith("It gives no answer to ")
    assert "AttributeError" in verdict.summary
    assert verdict.failures[0].line == code.splitlines().index("        return close.nothing") + 1


def test_a_portfolio_is_asked_as_a_whole(pool: Pool) -> None:
    head = INSIDE.replace("BASE", "PortfolioStrategy")
    body = (
        "first, second = (bars.close > bars.open for bars in panel.bars)\n        return np.column_stack([first, second]) / 2"
    )
    code = f"{head}    def signals(self, panel, p):\n        {body}\n"
    given = bars_for(PortfolioStrategy, 300)
    assert isinstance(given, Panel)
    verdict = prove(Sandboxed(pool, code, {}), given, cuts=12, poisons=3)
    assert verdict.passed, verdict.summary
