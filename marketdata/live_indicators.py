"""Indicators of open charts, computed in the web process that serves them, the forming bar included.

One task for each watched ``indicators/…`` channel, for as long as somebody watches. It holds the tail of the series
that the indicator needs, hears the candle channel and computes the newest value with the same function as
everything else. In the web process and not in a worker: a value is worth nothing after the next tick, and a trip
through a queue would cost more than the computation (under a millisecond).
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from channels.db import database_sync_to_async

from clusterx.live import registry
from clusterx.live.registry import Emit, Listen
from marketdata.bars import Bar, Bars, Floats
from marketdata.channels import instrument_of, timeframe_of
from marketdata.models import Instrument
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe

SECONDS_BETWEEN = 0.25


def register() -> None:
    registry.register("indicators", snapshot=snapshot, authorise=known, source=source)


def spec_of(channel: str) -> str:
    return channel.split("/", 3)[3]


def known(channel: str, user: Any) -> bool:
    from marketdata.services import indicators

    if channel.count("/") < 3 or timeframe_of(channel) is None or instrument_of(channel) is None:
        return False
    try:
        indicators.parse(spec_of(channel))
    except indicators.UnknownIndicator:
        return False
    return True


def snapshot(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    """The value at the last closed bar."""
    instrument, timeframe = instrument_of(channel), timeframe_of(channel)
    if instrument is None or timeframe is None:
        return {}, None
    tail = Tail(instrument, timeframe, spec_of(channel))
    return tail.newest(None), None


class Tail:
    """As much of a series as one indicator needs."""

    def __init__(self, instrument: Instrument, timeframe: Timeframe, spec: str) -> None:
        # The numeric libraries are loaded by the first chart with an indicator, not by every process.
        from marketdata.services import indicators

        self.timeframe = timeframe
        self.spec = indicators.parse(spec)
        self.depth = indicators.needed(self.spec, timeframe) + 2  # for the bar before the newest too
        self.instrument_id = instrument.pk
        self.bars = BarStore().read(instrument.pk, timeframe.name, limit=self.depth)

    def close(self, row: list[float]) -> bool:
        """Take a closed bar; False when one before it is missing."""
        opened = int(row[0])
        last = int(self.bars.time[-1]) if len(self.bars) else None
        if last is not None and opened <= last:
            return opened == last and row[1:] == [float(column[-1]) for column in self.bars.columns[1:]]
        if last is not None and opened != last + self.timeframe.seconds:
            return False
        self.bars = self.bars.append(Bar.at(opened, row[1:6])).tail(self.depth)
        return True

    def newest(self, forming: list[float] | None) -> dict[str, Any]:
        """The message of the channel.

        Messages are conflated, so the last word on a bar that closed may be replaced by the first on the next one:
        ``before`` repeats the values of the bar before in every message.
        """
        from marketdata.indicators import registry as indicators

        bars: Bars = self.bars
        if forming is not None and (not len(bars) or int(forming[0]) > int(bars.time[-1])):
            bars = bars.append(Bar.at(int(forming[0]), forming[1:6]))
        if not len(bars):
            return {"time": None, "values": {}, "closed": True, "before": None}
        lines = indicators.compute(self.spec, bars)
        before = {"time": int(bars.time[-2]), "values": _at(lines, -2)} if len(bars) > 1 else None
        return {"time": int(bars.time[-1]), "values": _at(lines, -1), "closed": bars is self.bars, "before": before}


def _at(lines: dict[str, Floats], index: int) -> dict[str, float | None]:
    values = {name: float(line[index]) for name, line in lines.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


async def source(channel: str, emit: Emit, listen: Listen) -> None:
    """Compute ``channel`` until cancelled."""
    instrument = await database_sync_to_async(instrument_of)(channel)
    timeframe = timeframe_of(channel)
    if instrument is None or timeframe is None:
        return
    news = asyncio.Event()
    forming: list[float] | None = None
    closed: list[list[float]] = []
    changed = False  # bars were stored that nobody was told of one by one

    def heard(data: dict[str, Any]) -> None:
        nonlocal forming, changed
        if "resync" in data:
            changed = True
        elif "closed" in data:
            closed.append(data["closed"])
        elif "forming" in data:
            forming = data["forming"]
        news.set()

    stop = listen(f"candles/{instrument.ref}/{timeframe}", heard)
    try:
        tail = await database_sync_to_async(Tail)(instrument, timeframe, spec_of(channel))
        while True:
            await news.wait()
            news.clear()
            rows, closed[:] = list(closed), []
            taken = [tail.close(row) for row in rows]
            again, changed = changed or not all(taken), False
            if again:  # a bar was missed or amended: read them again
                tail = await database_sync_to_async(Tail)(instrument, timeframe, spec_of(channel))
                for row in rows:  # said before it was stored
                    tail.close(row)
            if rows or again:
                emit(tail.newest(None))
            if forming is not None:
                emit(tail.newest(forming))
            await asyncio.sleep(SECONDS_BETWEEN)
    finally:
        stop()
