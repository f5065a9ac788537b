"""``manage.py backtest``: from a file or from stored candles to a summary and to JSON."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from manage import needs_services
from strategies import warming
from strategies.contract import validate
from strategies.engine import Costs, simulate
from strategies.library import find
from strategies.management import command_line
from tests.strategies.market import HOUR, listed, walk
from tests.strategies.test_versions import CODE


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("backtest", *[str(argument) for argument in arguments], stdout=out)
    return out.getvalue()


def answer(*arguments: object) -> dict[str, Any]:
    return json.loads(run(*arguments, "--json", "-"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    bars = walk()
    names = ("open", "high", "low", "close", "volume")
    table = pd.DataFrame(dict(zip(names, bars.columns[1:], strict=True)))
    table.insert(0, "date", pd.to_datetime(bars.time, unit="s", utc=True))
    path = tmp_path / "bars.csv"
    table.to_csv(path, index=False)
    table.rename(columns={"date": "time"}).to_parquet(tmp_path / "bars.parquet")
    return path


SPACE = ("--param", "fast=5:10:5")
WAITING = [
    (True, "backtest", ()),
    (False, "backtest", ()),
    (False, "optimise", SPACE),
    (False, "walkforward", (*SPACE, "--windows", "2")),
    (False, "prove", ()),
]


@pytest.mark.parametrize(("compiled", "command", "more"), WAITING)
def test_who_waits_for_the_engine_to_be_compiled_is_told(
    file: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool, command: str, more: tuple[str, ...]
):
    told, error = Event(), StringIO()
    prepared: list[tuple[str, ...]] = []

    class Terminal(StringIO):
        def write(self, text: str) -> int:
            told.set()
            return error.write(text)

    def warm(names: tuple[str, ...]) -> None:
        prepared.append(names)
        assert told.wait(20)

    monkeypatch.setattr(command_line, "SOON", 0.0)
    monkeypatch.setattr(warming, "is_compiled", lambda: compiled)
    monkeypatch.setattr(warming, "warm", warm)
    call_command(command, "SmaCross", "--bars", str(file), *more, stdout=StringIO(), stderr=Terminal())
    assert prepared == ([] if compiled else [("sma-cross",)])
    assert ("Preparing the engine, once on this machine…" in error.getvalue()) is not compiled


def test_what_is_missing_and_what_to_mind_is_said_in_sentences(file: Path):
    said = run("sma-cross", "--bars", file, *PARAMETERS)
    assert "a year            — (the run is under a year long, so nothing is compounded to a year)" in said
    assert "note              Fewer than 30 closed trades: chance alone can make numbers like these." in said
    assert not re.search(r"\b[a-z]+-[a-z]+\b(?=[,)]|$)", said.split("note", 1)[1].split("\n  orders")[0])


PARAMETERS = ("--param", "fast=5", "--param", "slow=20")


def test_a_file_gives_what_the_engine_gives(file: Path):
    got = answer("SmaCross", "--bars", file, *PARAMETERS, "--fee", 0.001, "--slippage", 0.0005, "--cash", 5000)
    strategy, bars = find("sma-cross"), walk()
    exposure = strategy.signals(bars, validate(strategy, {"fast": 5, "slow": 20}))
    result = simulate(bars, exposure, costs=Costs.of(0.001, 0.0005), cash=5000.0)
    assert got["orders_hash"] == result.orders_hash
    assert got["final_equity"] == result.final_equity
    assert got["metrics"]["final_equity"] == result.final_equity
    assert [trade["pnl"] for trade in got["trades"]] == result.trades["pnl"].tolist()
    assert (got["assumptions"]["costs"]["taker"], got["assumptions"]["rules"]["fill"]) == (0.001, "next-open")
    assert got["sampling"]["bar_seconds"] == HOUR
    assert answer("sma_cross", "--bars", file.with_suffix(".parquet"), *PARAMETERS, "--fee", 0.001, "--slippage", 0.0005,
                  "--cash", 5000)["orders_hash"] == result.orders_hash  # fmt: skip


def test_filling_at_the_close_and_a_part_of_the_span_are_other_runs(file: Path):
    hashes = {
        answer("sma-cross", "--bars", file, *PARAMETERS, *more)["orders_hash"]
        for more in ((), ("--fill", "close"), ("--from", "2024-08-12"), ("--to", "2024-08-15T12:00"))
    }
    assert len(hashes) == 4
    got = answer("sma-cross", "--bars", file, *PARAMETERS, "--from", "2024-08-12", "--to", "2024-08-15T12:00")
    assert (got["from"], got["to"], got["bars"]) == ("2024-08-12T00:00:00Z", "2024-08-15T11:00:00Z", 84)


def test_a_person_reads_a_summary_and_a_file_gets_the_rest(file: Path, tmp_path: Path):
    out = tmp_path / "out.json"
    text = run("sma-cross", "--bars", file, *PARAMETERS, "--json", out)
    written = json.loads(out.read_text())
    assert f"{written['final_equity']:,.2f}" in text
    assert written["orders_hash"] in text
    assert "SMA cross on bars.csv: 300 bars" in text


def test_a_file_of_ones_own_runs_in_the_sandbox(file: Path, tmp_path: Path):
    code = tmp_path / "mine.py"
    code.write_text(CODE)
    got = answer("--code", code, "--bars", file, "--param", "window=50")
    assert (got["strategy"], got["parameters"], got["printed"]) == ("Mine", {"window": 50}, "asked for 300\n")
    assert len(got["trades"]) == 3
    code.write_text(CODE.replace("1.0, 0.0)", "1e9, 0.0)"))
    with pytest.raises(CommandError, match=r"invalid-result: exposure must be in -1\.\.1, was 1e\+09 after bar 20"):
        run("--code", code, "--bars", file)
    code.write_text("def x(:\n")
    with pytest.raises(CommandError, match=r"does not parse.*\(line 1\)"):
        run("--code", code, "--bars", file)


@pytest.mark.django_db
def test_stored_candles_are_traded_by_the_instruments_own_rules():
    instrument = listed(lot_size="0.1")
    got = answer("sma-cross", "--instrument", instrument.ref, "--timeframe", "1h", *PARAMETERS)
    assert got["assumptions"]["markets"][0]["lot"] == 0.1
    assert all(abs(trade["quantity"] * 10 - round(trade["quantity"] * 10)) < 1e-9 for trade in got["trades"])
    with pytest.raises(CommandError, match="has 0 bars of 1h"):
        run("sma-cross", "--instrument", instrument.ref, "--timeframe", "1h", "--from", "2030-01-01")
    with pytest.raises(CommandError, match="there is no instrument no:SUCH"):
        run("sma-cross", "--instrument", "no:SUCH", "--timeframe", "1h")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no-such",), "strategy must be one of"),
        (("sma-cross", "--param", "quick=3"), "no parameter 'quick'"),
        (("sma-cross", "--param", "fast=5", "--param", "fast=6"), "fast is given twice"),
        (("sma-cross", "--seed", "-1"), "must be a whole number from 0"),
        (("sma-cross", "--param", "fast"), "must be NAME=VALUE"),
        (("sma-cross", "--param", "fast=999"), "fast must be 2..200, was 999"),
        (("sma-cross", "--fee", "-1"), "fee must be"),
        (("sma-cross", "--cash", "nan"), "cash must be"),
        (("sma-cross", "--timeframe", "7m"), "--timeframe must be one of"),
        (("sma-cross", "--from", "2030-01-01"), "a run needs 2 bars or more, had 0"),
        (("pairs",), "pairs needs 2 instruments, was given 1"),
        (("sma-cross", "--code", "x.py"), "not both"),
        (("sma-cross", "--instrument", "a:B"), "not both"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(file: Path, arguments: tuple[str, ...], said: str):
    with pytest.raises(CommandError, match=said):
        run(*arguments, "--bars", file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("date,open,high,low,close\n", "had 0"),
        ("date,open,high,low,close\n2024-01-01,1,1,1,1\n", "had 1"),
        ("date,open,high,low\n2024-01-01,1,1,1\n", "lacks close"),
        ("date,open,high,low,close\n2024-01-01,1,1,1,1\nyesterday,1,1,1,1\n", "row 2 of bad.csv has no time"),
        ("date,open,high,low,close\n2024-01-01,1,1,1,1\n2024-01-02,1,1,,1\n", "bar 1 .*not a number"),
        ("date,open,high,low,close\n2024-01-01,1,1,1,1\n2024-01-01,1,1,1,1\n", "bar 1 does not come after"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_row(tmp_path: Path, text: str, said: str):
    bad = tmp_path / "bad.csv"
    bad.write_text(text)
    with pytest.raises(CommandError, match=said):
        run("sma-cross", "--bars", bad)


def test_a_file_without_volumes_trades_and_newest_first_is_turned_round(file: Path, tmp_path: Path):
    table = pd.read_csv(file).drop(columns="volume")
    other = tmp_path / "other.csv"
    table[::-1].to_csv(other, index=False)
    got = answer("sma-cross", "--bars", other, *PARAMETERS)
    assert got["orders_hash"] == answer("sma-cross", "--bars", file, *PARAMETERS)["orders_hash"]
    assert "volume-unknown" in got["assumptions"]["warnings"]
    assert np.isfinite(got["final_equity"])


def test_bars_that_are_not_there_are_counted_and_said(file: Path):
    table = pd.read_csv(file)
    table.drop(index=range(50, 60)).to_csv(file, index=False)
    got = answer("sma", "--bars", file, *PARAMETERS)
    data = got["assumptions"]["data"][0]
    assert (data["holes"], data["time_zone"], data["adjusted"]) == (10, "UTC", "unknown")
    assert "missing-bars" in got["assumptions"]["warnings"]
    assert "10 missing" in run("sma", "--bars", file, *PARAMETERS)


def test_a_backtest_on_a_file_starts_no_database():
    assert not needs_services(["manage.py", "backtest", "sma-cross", "--bars", "x.csv"])
    assert not needs_services(["manage.py", "backtest", "--bars=x.csv"])
    assert needs_services(["manage.py", "backtest", "sma-cross", "--instrument", "a:B"])
    assert needs_services(["manage.py", "migrate"])
