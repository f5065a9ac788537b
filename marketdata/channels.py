"""The stream channels of market data: what they are called, who may listen (everybody), what a new listener gets first."""

from __future__ import annotations

from typing import Any

from clusterx.live import registry
from clusterx.live.publish import kept
from marketdata import selectors
from marketdata.models import Instrument
from marketdata.store import BarStore
from marketdata.timeframes import TIMEFRAMES, Timeframe

TRADES_AT_FIRST = 50


def register() -> None:
    for name, snapshot in (("trades", trades), ("quotes", newest), ("book", newest), ("signals", nothing)):
        registry.register(name, snapshot=snapshot, authorise=known)
    registry.register("candles", snapshot=candles, authorise=known_timeframe)
    registry.register("venues", snapshot=newest, authorise=lambda channel, user: channel == "venues")


def instrument_of(channel: str) -> Instrument | None:
    words = channel.split("/")
    return Instrument.objects.filter(ref=words[1], is_active=True).first() if len(words) > 1 else None


def timeframe_of(channel: str) -> Timeframe | None:
    words = channel.split("/")
    return TIMEFRAMES.get(words[2]) if len(words) > 2 else None


def known(channel: str, user: Any) -> bool:
    words = channel.split("/")
    wanted = 3 if words[0] == "signals" else 2
    return len(words) == wanted and instrument_of(channel) is not None and (wanted == 2 or words[2] in TIMEFRAMES)


def known_timeframe(channel: str, user: Any) -> bool:
    timeframe, instrument = timeframe_of(channel), instrument_of(channel)
    if timeframe is None or instrument is None or channel.count("/") != 2:
        return False
    return timeframe >= TIMEFRAMES[instrument.base_timeframe]


def nothing(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    return {}, None


def newest(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    return kept(channel), None


def candles(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    """The forming bar from the stream, the last closed one from the database."""
    instrument, timeframe = instrument_of(channel), timeframe_of(channel)
    if instrument is None or timeframe is None:
        return {"forming": None, "closed": None}, None
    rows = list(BarStore().read(instrument.pk, timeframe.name, limit=1).rows())
    closed = list(rows[0]) if rows else None
    return {
        "forming": selectors.forming(channel, closed[0] if closed else 0),
        "closed": closed,
    }, int(closed[0]) // timeframe.seconds if closed else None


def trades(channel: str, user: Any) -> tuple[dict[str, Any], int | None]:
    instrument = instrument_of(channel)
    return {"trades": selectors.recent_trades(instrument, TRADES_AT_FIRST) if instrument else []}, None
