"""Which line is named: the odd one on the way to the answer, and none where the source shows nothing."""

from __future__ import annotations

import pytest

from strategies.proving.reading import culprit, suspects
from tests.strategies.proving.cheaters import CHEATERS


def test_a_line_that_does_not_reach_the_answer_comes_after_one_that_does() -> None:
    source = """
class A(Strategy):
    def signals(self, bars, p):
        unused = np.roll(bars.close, -1)
        limit = bars.close.mean()
        return bars.close > limit
"""
    found = culprit(source, "prefix")
    assert found is not None
    assert (found.line, found.reason) == (5, "takes the mean of the whole series")
    assert {suspect.line for suspect in suspects(source)} == {4, 5}


@pytest.mark.parametrize(
    "line",
    [
        "x = close.rolling(20).mean()",
        "x = close.expanding().max()",
        "x = close.shift(3)",
        "x = np.roll(close, 1)[:0]",
        "x = windows.mean(axis=1)",
        "x = np.random.default_rng(7)",
        "x = bars.close[i - 1]",
    ],
)
def test_what_looks_back_is_not_odd_enough_to_be_sure(line: str) -> None:
    source = f"def signals(self, bars, p):\n    {line}\n    return x\n"
    assert not [suspect for suspect in suspects(source) if suspect.weight > 0.75]


def test_what_does_not_parse_has_no_suspects() -> None:
    assert suspects("def (") == []
    assert suspects("\0") == []
    assert culprit("", "prefix") is None


def test_every_planted_line_is_a_suspect() -> None:
    for planted in CHEATERS.values():
        if planted.line is not None:
            assert planted.line in {suspect.line for suspect in suspects(planted.code)}, planted.name
