"""Indicators over stored bars: what the API answers and what an open chart hears equal the whole series."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from marketdata import live_indicators
from marketdata.bars import Bar, Bars
from marketdata.indicators import registry
from marketdata.models import Candle, Instrument
from marketdata.services import indicators
from marketdata.store import write_bars, write_candles
from marketdata.timeframes import TIMEFRAMES, Timeframe
from tests.factories import InstrumentFactory
from tests.marketdata.indicators.series import walk

MINUTE = Timeframe.of("1m")
LENGTH = 46_500  # a month of minutes, and somewhat more
SLOW = ("ema(20)", "kama", "ema(500)", "vwap(month)", "vwap(week,570)", "volume_profile(day)", "obv(month)", "supertrend")


def stored(length: int) -> tuple[Instrument, Bars]:
    """An instrument with ``length`` minutes, and all of them."""
    bars = Bars(*walk(7, length, seconds=60))
    instrument = InstrumentFactory()
    write_bars(instrument.pk, "1m", bars, source=Candle.Source.FILE)
    return instrument, bars


def close(got: Any, wanted: Any) -> bool:
    return bool(np.allclose(np.array(got, dtype=float), np.array(wanted, dtype=float), rtol=1e-9, atol=1e-9, equal_nan=True))


@pytest.mark.django_db
def test_values_of_every_page_equal_those_of_the_whole_series(client):
    instrument, bars = stored(LENGTH)
    whole = {spec: registry.compute(spec, bars) for spec in SLOW}
    for end in (LENGTH, LENGTH - 700):  # the newest, and after scrolling back
        before = {} if end == LENGTH else {"before": int(bars.time[end])}
        answer = client.get(
            f"/api/v1/instruments/{instrument.ref}/indicators/", {"timeframe": "1m", "limit": 40, "spec": SLOW, **before}
        ).json()
        assert answer["time"] == bars.time[end - 40 : end].tolist()
        for spec, one in zip(SLOW, answer["indicators"], strict=True):
            assert one["complete"], spec
            for output in one["outputs"]:
                assert close(output["values"], whole[spec][output["name"]][end - 40 : end]), (spec, end, output["name"])


@pytest.mark.parametrize("name", list(registry.INDICATORS))
def test_the_history_that_is_loaded_is_what_an_indicator_declares_at_its_slowest(name: str):
    entry = registry.get(name)
    slowest: dict[str, Any] = {}
    for parameter in entry.parameters:
        largest = parameter.choices[-1] if parameter.kind == "choice" else parameter.maximum
        slowest[parameter.name] = int(largest) if parameter.kind == "int" and largest is not None else largest
    for lower, upper in reversed(list(zip(entry.ascending, entry.ascending[1:], strict=False))):
        step = next(parameter.step for parameter in entry.parameters if parameter.name == lower) or 1
        slowest[lower] = min(slowest[lower], slowest[upper] - step)
    for timeframe in TIMEFRAMES.values():
        spec = registry.make_spec(name, slowest)
        assert indicators.needed(spec, timeframe) == registry.history(spec, timeframe.seconds)


@pytest.mark.django_db
def test_what_needs_the_whole_series_says_when_it_had_less(monkeypatch: pytest.MonkeyPatch):
    instrument, bars = stored(300)
    shown = bars.tail(10)
    (answer,) = indicators.over(instrument, MINUTE, shown, [indicators.parse("obv")])
    assert answer["complete"]
    assert close(answer["outputs"][0]["values"], registry.compute("obv", bars)["value"][-10:])
    monkeypatch.setattr(indicators, "MOST_HISTORY", 100)
    assert [
        one["complete"] for one in indicators.over(instrument, MINUTE, shown, list(map(indicators.parse, ("obv", "sma"))))
    ] == [False, True]


@pytest.mark.django_db
def test_lines_that_are_drawn_ahead_say_by_how_much():
    instrument, bars = stored(300)
    (answer,) = indicators.over(instrument, MINUTE, bars.tail(3), [indicators.parse("ichimoku(9,26,52,30)")])
    assert {output["name"]: output["shift"] for output in answer["outputs"]} == {
        "tenkan": 0, "kijun": 0, "span_a": 0, "span_b": 0, "lead_a": 30, "lead_b": 30,
    }  # fmt: skip


def forming_of(bars: Bars, *, price: float) -> list[float]:
    return [int(bars.time[-1]) + 60, price, price + 1, price - 1, price, 2.0]


@pytest.mark.django_db
@pytest.mark.parametrize("spec", ["ema(20)", "rsi", "vwap(day)", "ichimoku"])
def test_an_open_chart_hears_the_forming_bar_and_what_the_bar_before_closed_with(spec: str):
    instrument, bars = stored(2500)
    tail = live_indicators.Tail(instrument, MINUTE, spec)
    row = forming_of(bars, price=31_000.0)
    whole = registry.compute(spec, bars.append(Bar.at(int(row[0]), row[1:])))
    message = tail.newest(row)
    assert (message["time"], message["closed"], message["before"]["time"]) == (row[0], False, int(bars.time[-1]))
    for name, line in whole.items():
        assert close(message["values"][name], line[-1])
        assert close(message["before"]["values"][name], line[-2])
    assert tail.close(row)
    closed = tail.newest(row)
    assert (closed["time"], closed["closed"]) == (row[0], True)
    assert all(close(closed["values"][name], line[-1]) for name, line in whole.items())


@pytest.mark.django_db(transaction=True)
async def test_a_closed_bar_that_was_not_heard_is_read_and_one_told_before_it_is_stored_is_kept():
    instrument, bars = await sync_to_async(stored)(100)
    heard: list[Callable[[dict[str, Any]], None]] = []
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def listen(channel: str, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        heard.append(callback)
        return lambda: None

    channel = f"indicators/{instrument.ref}/1m/sma(3)"
    running = asyncio.create_task(live_indicators.source(channel, said.put_nowait, listen))
    try:
        missed = forming_of(bars, price=31_000.0)
        following = [missed[0] + 60, *missed[1:]]
        await asyncio.wait_for(_until(lambda: heard), 30)
        heard[0]({"forming": missed})
        assert not (await asyncio.wait_for(said.get(), 30))["closed"]
        # The first one closes unheard and is stored, the second is heard and not stored yet.
        await sync_to_async(write_candles)([(instrument.pk, "1m", Bar.at(int(missed[0]), missed[1:]))])
        heard[0]({"closed": following})
        message = await asyncio.wait_for(said.get(), 30)
        assert (message["time"], message["before"]["time"]) == (following[0], missed[0])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sync_to_async(connections.close_all)()


async def _until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)
