"""docs/robustness.md says what the code does: its tables are read and computed."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from strategies.robustness.crossvalidation import combinatorial, paths
from strategies.robustness.sharpe import Moments, deflated_sharpe
from strategies.robustness.walkforward import Window, stitch, windows

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "robustness.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading cell begins with ``heading``, its first line first."""
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading}"))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return [table[0], *table[2:]]


def test_the_table_of_windows_is_what_windows_gives() -> None:
    _, *lines = rows("`windows(25, train=10, test=5, embargo=2)`")
    made = windows(25, train=10, test=5, embargo=2)
    assert [line[1:] for line in lines] == [
        [f"{w.train_start}..{w.train_stop - 1}", f"{w.test_start}..{w.test_stop - 1}"] for w in made
    ]


def test_the_table_of_deflated_sharpes_is_what_deflated_sharpe_gives() -> None:
    heading, values = rows("the paper's example")
    of = Moments(1250, 2.5 / math.sqrt(250), skew=-3, kurtosis=10)
    for trials, value in zip(heading[1:], values[1:], strict=True):
        assert f"{deflated_sharpe(of, int(re.sub('[^0-9]', '', trials)), 0.5 / 250):.4f}" == value


def test_the_examples_in_the_text_are_true() -> None:
    line = stitch([Window(0, 1, 1, 2), Window(1, 2, 2, 3)], [[120], [150]], cash=100)
    assert "100 → 120 → 180" in PAGE
    assert line.equity.tolist() == pytest.approx([120, 180])
    assert "15 splits and 5 whole paths" in PAGE
    assert (len(list(combinatorial(60, 6, 2))), len(paths(6, 2))) == (15, 5)


def test_every_module_is_on_the_page() -> None:
    folder = Path(__file__).resolve().parents[3] / "strategies" / "robustness"
    named = set(re.findall(r"`(\w+)`", "".join(cell for line in rows("question") for cell in line)))
    assert named == {path.stem for path in folder.glob("*.py")} - {"__init__", "samples"}
