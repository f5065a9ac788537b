"""``manage.py prove``: a verdict that a person reads, one for a machine, and an exit code."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from clusterx.embedded.layout import PROJECT
from manage import needs_services
from tests.strategies.market import listed, walk
from tests.strategies.test_proofs import CHEATER, HONEST

pytestmark = pytest.mark.xdist_group("sandbox")


def run(*arguments: object) -> tuple[str, int]:
    """What it says, and the exit code."""
    out = StringIO()
    try:
        call_command("prove", *[str(argument) for argument in arguments], stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    series = walk(400)
    names = ("time", "open", "high", "low", "close", "volume")
    path = tmp_path / "bars.csv"
    pd.DataFrame(dict(zip(names, series.columns, strict=True))).to_csv(path, index=False)
    return path


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return tmp_path / "mine.py"


def test_a_file_that_looks_ahead_is_told_with_bar_and_line_and_ends_with_one(code, bars, tmp_path):
    code.write_text(CHEATER)
    out = tmp_path / "verdict.json"
    text, ended = run("--code", code, "--bars", bars, "--json", out)
    assert ended == 1
    assert text.startswith("Mine: FAILED\n  on bars.csv, 2024-")
    assert "probably line 15" in text
    assert "NO  Decisions stay what they are when later bars are removed" in text
    written = json.loads(out.read_text())
    assert (written["passed"], written["bars"], written["on"]) == (False, 400, "bars.csv")
    assert written["failures"][0]["line"] == 15


def test_an_honest_file_passes_with_its_warm_up(code, bars):
    code.write_text(HONEST)
    text, ended = run("--code", code, "--bars", bars, "--json", "-")
    assert (ended, json.loads(text)["warm_up"]) == (0, 20)


def test_a_broken_file_is_told_with_its_line(code):
    code.write_text("x = 1\ndef y(:\n")
    with pytest.raises(CommandError, match=r"error: .* \(line 2\)"):
        run("--code", code)


def test_a_strategy_of_the_library_is_proved_on_invented_bars_and_with_parameters():
    text, ended = run("SmaCross", "--param", "fast=5", "--param", "slow=12")
    assert ended == 0
    assert text.startswith("SMA cross: passed\n  on wandering")
    assert text.endswith("warm-up: 12 bars\n")
    assert run("pairs")[1] == 0


@pytest.mark.django_db
def test_stored_candles_are_proved_on(bars):
    instrument = listed(walk(400))
    text, ended = run(
        "sma-cross", "--instrument", instrument.ref, "--timeframe", "1h", "--param", "fast=5", "--param", "slow=12"
    )
    assert (ended, f"on {instrument.ref}, " in text) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing-like-it",), "strategy"),
        (("sma-cross", "--code", "x.py"), "not both"),
        (("sma-cross", "--param", "fast=-1"), "invalid-parameter"),
        (("pairs", "--bars", "BARS"), "needs 2 instruments"),
        (("--code", "nowhere.py"), "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(arguments, says, bars):
    with pytest.raises(CommandError, match=says):
        run(*(bars if argument == "BARS" else argument for argument in arguments))


def test_a_database_is_started_for_stored_candles_only():
    assert not needs_services(["manage.py", "prove", "sma-cross"])
    assert not needs_services(["manage.py", "prove", "--code", "x.py", "--bars=bars.csv"])
    assert needs_services(["manage.py", "prove", "sma-cross", "--instrument", "binance:BTC-USDT"])


GALLERY = sorted((PROJECT / "templates" / "strategies" / "gallery").glob("*.py"))


@pytest.mark.parametrize("file", GALLERY, ids=lambda path: path.stem)
def test_what_the_gallery_offers_passes_its_own_proof(file: Path) -> None:
    told, code = run("--code", file)
    assert code == 0, told
    assert len(GALLERY) == 5
