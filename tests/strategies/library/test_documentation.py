"""The page is what the strategies declare, and whoever only lists them does without the compiler."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from strategies.library import CATALOGUE, find
from strategies.library.documentation import PICTURES, page, write
from strategies.library.pictures import HEIGHT, WIDTH, caption, picture, shown

DOCS = Path(__file__).resolve().parents[3] / "docs"
AGAIN = "run python -m strategies.library.documentation docs"
MOST_BYTES = 10_000


def test_the_page_is_the_catalogue() -> None:
    assert (DOCS / "strategies.md").read_text(encoding="utf-8") == page(), AGAIN


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_picture_is_what_the_code_makes(name: str) -> None:
    file = DOCS / PICTURES / f"{name}.svg"
    made = picture(find(name))
    assert file.read_text(encoding="utf-8") == made, AGAIN
    assert len(made.encode()) < MOST_BYTES
    assert f"({PICTURES}/{name}.svg)" in page()


def test_there_are_no_pictures_of_what_is_not_there() -> None:
    assert {file.stem for file in (DOCS / PICTURES).iterdir()} == set(CATALOGUE)


def test_a_picture_shows_each_fill_on_its_bar_and_the_equity_that_is_left() -> None:
    one = shown(find("sma-cross"))
    root = ElementTree.fromstring(picture(find("sma-cross")))
    price, bought, sold, _zero, held, equity = (part.get("d") or "" for part in root if part.tag.endswith("path"))
    fills = one.result.fills
    for marks, side in ((bought, 1), (sold, -1)):
        drawn = [int(at) for at in re.findall(r"M(\d+)", marks)]
        assert drawn == [2 * bar for bar in fills["bar"][fills["side"] == side].tolist()]
        assert drawn
    for path, steps in ((price, len(one.series[0])), (held, len(one.series[0]) // 2), (equity, len(one.series[0]) // 2)):
        moves = [(int(x), int(y)) for x, y in re.findall(r"l(\d+)\s?(-?\d+)", path)]
        assert len(moves) == steps - 1
        start = int(re.match(r"M0 (\d+)", path)[1])  # type: ignore[index]
        heights = [start + sum(y for _, y in moves[:place]) for place in range(len(moves) + 1)]
        assert 0 <= min(heights) < max(heights) <= HEIGHT
        assert sum(x for x, _ in moves) <= WIDTH
    gained = one.result.final_equity / 10_000 - 1
    assert f"Equity {100 * gained:+.1f} %" in "".join(root.itertext()).replace("\u2212", "-")


def test_a_caption_says_which_bars_are_simulated_and_what_is_guessed() -> None:
    assert [name for name in CATALOGUE if "simulated" in caption(name)] == ["vwap", "grid"]
    assert [name for name in CATALOGUE if "guessed" in caption(name)] == ["order-flow"]


def test_the_command_writes_page_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategies.library.pictures.picture", lambda strategy: f"<svg>{strategy.name}</svg>")
    write(tmp_path)
    assert (tmp_path / "strategies.md").read_text(encoding="utf-8") == page()
    assert (tmp_path / PICTURES / "macd.svg").read_text(encoding="utf-8") == "<svg>macd</svg>"
    assert len(list((tmp_path / PICTURES).iterdir())) == len(CATALOGUE)


def test_listing_strategies_does_without_the_compiler() -> None:
    code = "import sys, strategies.library.documentation as d; d.page(); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
