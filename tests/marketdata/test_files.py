"""Bars from files: every format, and every row that is refused is named."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from marketdata.files import UnreadableFile, load
from marketdata.models import Candle
from marketdata.providers.sample import stocks
from marketdata.timeframes import Timeframe
from tests.factories import InstrumentFactory

FIVE = Timeframe.of("5m")
ROWS = [(1_700_000_100 + 300 * i, 10.0 + i, 12.0 + i, 9.0 + i, 11.0 + i, 5.0) for i in range(4)]
COLUMNS = ["time", "open", "high", "low", "close", "volume"]


def table() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=COLUMNS)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "feather", "json", "lists.json", "milliseconds.csv", "dates.csv"])
def test_every_format_gives_the_same_bars(tmp_path: Path, form: str):
    path, data = tmp_path / f"bars.{form}", table()
    match form:
        case "csv" | "csv.gz":
            data.to_csv(path, index=False)
        case "parquet":
            data.to_parquet(path)
        case "feather":
            data.to_feather(path)
        case "json":
            path.write_text(json.dumps({"candles": data.astype(str).to_dict("records")}))
        case "lists.json":
            path.write_text(json.dumps([list(row) for row in ROWS]))
        case "milliseconds.csv":
            data.assign(time=data["time"] * 1000).to_csv(path, index=False)
        case "dates.csv":
            named = data.assign(time=pd.to_datetime(data["time"], unit="s", utc=True))
            named.iloc[::-1].rename(columns=str.title).to_csv(path, index=False)  # newest first, other capitals
    loaded = load(path, FIVE)
    assert [bar[:6] for bar in loaded.bars] == ROWS
    assert not loaded.refused
    assert not loaded.gaps


def test_wrong_rows_are_refused_by_number_and_the_rest_is_loaded(tmp_path: Path):
    rows = [
        ROWS[0], ROWS[0], (ROWS[1][0], 10, 8, 9, 11, 5), ("yesterday", 1, 1, 1, 1, 1), (ROWS[1][0] + 7, 1, 1, 1, 1, 1),
        (ROWS[1][0], 0, 1, 0, 1, 1), (ROWS[1][0], "x", 1, 1, 1, 1), ROWS[3], ROWS[2],
    ]  # fmt: skip
    path = tmp_path / "bars.csv"
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False)
    loaded = load(path, FIVE)
    assert [bar.time for bar in loaded.bars] == [ROWS[0][0], ROWS[3][0]]
    assert loaded.examples == [
        (2, "duplicate time"), (3, "high is below another price"), (4, "no time"),
        (5, "not at the start of a 5m bar"), (6, "a price is not positive"), (7, "a value is not finite"), (9, "out of order"),
    ]  # fmt: skip
    assert loaded.gaps == [(ROWS[1][0], ROWS[3][0])]


@pytest.mark.parametrize(("name", "text", "says"), [
    ("bars.xml", "<a/>", "ends in"), ("bars.csv", "a,b\n1,2\n", "lacks time, open"), ("bars.json", "{", "cannot be read"),
    ("bars.json", "{}", "list of bars"), ("bars.parquet", "nonsense", "cannot be read"),
])  # fmt: skip
def test_a_file_that_is_none_says_what_was_expected(tmp_path: Path, name: str, text: str, says: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableFile, match=says):
        load(tmp_path / name, FIVE)


@pytest.mark.django_db
def test_the_command_is_idempotent_and_reports(tmp_path: Path):
    instrument = InstrumentFactory()
    path = tmp_path / "bars.csv"
    table().to_csv(path, index=False)
    said = io.StringIO()
    for expected in ("4 new or changed", "0 new or changed"):
        call_command("load_bars", str(path), instrument=instrument.ref, timeframe="5m", stdout=said)
        assert expected in said.getvalue()
    assert Candle.objects.filter(instrument=instrument).count() == 4
    with pytest.raises(CommandError, match="no instrument"):
        call_command("load_bars", str(path), instrument="nowhere:X", timeframe="5m")


def test_sample_stocks_are_adjusted_for_their_splits():
    found = {stock.ticker: stock for stock in stocks()}
    splits = [(split.day.isoformat(), split.ratio) for split in found["AAPL"].splits]
    assert splits == [("2000-06-21", 2), ("2005-02-28", 2)]
    closes = [bar.close for bar in found["AAPL"].bars]
    assert max(a / b for a, b in pairwise(closes)) < 2.1  # the real fall of September 2000 stays
    assert not found["IBM"].splits
