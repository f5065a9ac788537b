"""Which line is named: the odd one on the way to the answer, and none where the source shows nothing."""

from __future__ import annotations

import pytest

from strategies import proof_wording
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


LOOKS_AHEAD = """
x = np.r_[close[1:] > close[:-1], False]
x = np.r_[low[1:], low[-1:]]
x = np.r_[np.diff(close) > 0, False]
x = np.append(close[1:] > close[:-1], False)
x = np.append(np.diff(close), 0.0)
x = np.concatenate([close[1:], [close[0]]])
x = np.concatenate((close[p.ahead:], tail))
x = np.hstack([np.diff(close) > 0, 0])
x = np.pad(close[1:] > close[:-1], (0, 1))
x[:-1] = close[1:] > close[:-1]
x[:-1] += close[1:] > close[:-1]
x[: n - 1] = close[1:]
x[:-1][close[1:] > close[:-1]] = 1.0
x = [b > a for a, b in zip(close, close[1:])] + [False]
x = np.where(np.r_[close[1:] > close[:-1], False], 1.0, 0.0)
""".strip().splitlines()
LOOKS_BACK = """
x = np.r_[False, close[1:] > close[:-1]]
x = np.r_[close[:1], close[:-1]]
x = np.r_[np.nan, np.diff(close)]
x = np.append(0.0, close[:-1])
x = np.append(np.r_[0.0, np.diff(close)][:-1], 0.0)
x = np.concatenate([[False], close[1:] > close[:-1]])
x = np.concatenate((np.zeros(1), np.diff(close)))
x = np.hstack([0, np.diff(close) > 0])
x = np.diff(close, prepend=close[:1])
x = np.pad(close[1:] > close[:-1], (1, 0))
x[1:] = close[1:] > close[:-1]
x[1:] += close[1:] > close[:-1]
x[1:][close[1:] > close[:-1]] = 1.0
x = [False] + [b > a for a, b in zip(close, close[1:])]
x = np.flatnonzero(close[1:] > close[:-1]) + 1
x = np.where(close[1:] > close[:-1])[0] + 1
""".strip().splitlines()


def of_a_line(line: str) -> str:
    return f"def signals(self, bars, p):\n    close, low, n = bars.close, bars.low, len(bars)\n    {line}\n    return x\n"


@pytest.mark.parametrize("line", LOOKS_AHEAD)
def test_later_bars_set_beside_earlier_ones_are_named(line: str) -> None:
    found = culprit(of_a_line(line), "prefix")
    assert found is not None
    assert (found.line, found.kind) == (3, "future")
    assert "later values to earlier bars" in found.reason
    assert found.weight >= 0.9
    assert proof_wording.known(found.reason)


@pytest.mark.parametrize("line", LOOKS_BACK)
def test_the_same_slices_where_they_belong_are_not(line: str) -> None:
    assert not [suspect for suspect in suspects(of_a_line(line)) if suspect.line == 3 and suspect.weight > 0.25]


def test_bars_that_are_found_by_the_bar_after_them_are_named() -> None:
    found = culprit(of_a_line("x[np.flatnonzero(close[1:] > close[:-1])] = 1.0"), "prefix")
    assert found is not None
    assert found.reason == "finds bars by the bar after them (flatnonzero)"
    assert proof_wording.known(found.reason)


def test_a_centred_window_is_named_before_the_gaps_that_it_leaves() -> None:
    found = culprit(of_a_line("x = pd.Series(close).rolling(9, center=True).mean().bfill()"), "prefix")
    assert found is not None
    assert found.reason.startswith("centres its window")
