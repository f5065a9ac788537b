"""Bars from files: every format, and every row that is refused is named."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

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
    ("bars.csv", "a,b,c,d,e\n1,2,3,4,5\n", "it has a, b, c, d, e"),
    ("bars.csv", "time,open,high,low,close\n", "bars.csv has no rows"),
])  # fmt: skip
def test_a_file_that_is_none_says_what_was_expected(tmp_path: Path, name: str, text: str, says: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableFile, match=says):
        load(tmp_path / name, FIVE)


def saved(folder: Path, times: Iterable[Any]) -> Path:
    path = folder / "bars.csv"
    pd.DataFrame([(time, *ROWS[0][1:]) for time in times], columns=COLUMNS).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("wrong", [9_999_999_999_999_999, 10**11, "1e300", "inf", -5, "9999-01-01"])
@pytest.mark.parametrize("unit", [1, 1000, 10**9])
def test_one_impossible_time_costs_its_own_row_alone(tmp_path: Path, wrong: Any, unit: int):
    good = [ROWS[0][0] + 300 * i for i in range(20)]
    past = isinstance(wrong, int) and 0 < wrong / unit < 2**33  # a time like any other there, and long ago
    loaded = load(saved(tmp_path, [time * unit for time in good[:10]] + [wrong] + [time * unit for time in good[10:]]), FIVE)
    assert [bar.time for bar in loaded.bars] == good
    assert [row for row, _ in loaded.examples] == [11]
    assert past or loaded.refused == {"no time": 1}


def every(step: int, count: int = 200) -> list[int]:
    return [1_699_920_000 + step * i for i in range(count)]


SESSIONS = [time for time in every(300, 3000) if 14 * 3600 <= time % 86400 < 20 * 3600 and time // 86400 % 7 < 5]
QUIET = sorted(random.Random(4).sample(every(300, 3000), 900))  # nobody traded in most bars


@pytest.mark.parametrize(("times", "named", "says"), [
    (every(300), "1h", r"holds 5m bars \(199 of 199 steps between its rows\), not 1h bars; name 5m"),
    (every(300, 13), "1h", "name 5m"), (every(900, 2), "1h", "name 15m"), (SESSIONS, "1h", "name 5m"),
    (QUIET, "1h", "holds 5m bars"), (SESSIONS, "15m", "name 5m"), (every(14_400), "1d", "name 4h"),
    (every(60), "5m", "name 1m"),
    (every(3600), "5m", r"holds 1h bars \(199 of 199 steps between its rows\), not 5m bars; name 1h"),
    (every(86_400), "1h", "name 1d"), (every(1800), "1h", "rows 1,800 seconds apart .* a timeframe is one of 1m"),
    (every(7 * 86_400), "1d", "rows 604,800 seconds apart"),
])  # fmt: skip
def test_bars_of_another_timeframe_are_refused_with_what_they_are(tmp_path: Path, times: list[int], named: str, says: str):
    with pytest.raises(UnreadableFile, match=says):
        load(saved(tmp_path, times), Timeframe.of(named))


@pytest.mark.parametrize(("times", "named"), [
    (SESSIONS, "5m"), (QUIET, "5m"), (every(300), "5m"), (every(86_400), "1d"), (every(3600, 1), "1m"), (every(7200, 2), "1h"),
    ([time for time in every(86_400) if time // 86_400 % 7 not in (2, 3)], "1d"),  # without week-ends
    ([time for time in every(300) if time % 3600 in (0, 300)], "5m"),  # two of every hour
])  # fmt: skip
def test_gaps_make_no_other_timeframe(tmp_path: Path, times: list[int], named: str):
    loaded = load(saved(tmp_path, times), Timeframe.of(named))
    assert [bar.time for bar in loaded.bars] == times
    assert not loaded.refused


@pytest.mark.django_db
def test_the_command_stores_nothing_of_a_wrong_file_and_counts_the_rows_that_it_does_not_name(tmp_path: Path):
    instrument = InstrumentFactory()
    for times, says in ((every(300), "name 5m"), ([], "has no rows")):
        with pytest.raises(CommandError, match=says):
            call_command("load_bars", str(saved(tmp_path, times)), instrument=instrument.ref, timeframe="1h")
    assert not Candle.objects.exists()
    said = io.StringIO()
    wrong = [*every(3600, 100), *["never"] * 23]
    call_command("load_bars", str(saved(tmp_path, wrong)), instrument=instrument.ref, timeframe="1h", stdout=said)
    assert "refused 23: no time (rows 101, 102, " in said.getvalue()
    assert "119, 120 and 3 more)" in said.getvalue()


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
