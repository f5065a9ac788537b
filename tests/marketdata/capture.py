"""The recorded capture, read for tests without the venue server in between."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from marketdata.messages import BookDelta, Trade

FILES = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz")


def messages(recorded: Path) -> Iterator[dict[str, Any]]:
    for name in FILES:
        with gzip.open(recorded / "binance_ws_l2" / name) as lines:
            for line in lines:
                _, _, text = line.partition(b" ")
                if text:
                    yield json.loads(text)


def trades(recorded: Path) -> list[Trade]:
    bodies = (message["data"] for message in messages(recorded) if message.get("data", {}).get("e") == "trade")
    return [Trade("BTCUSDT", b["t"], b["T"], float(b["p"]), Decimal(b["q"]), -1 if b["m"] else 1) for b in bodies]


def levels(rows: list[list[str]]) -> list[tuple[float, float]]:
    return [(float(price), float(size)) for price, size in rows]


def delta(body: dict[str, Any]) -> BookDelta:
    return BookDelta("BTCUSDT", body["U"], body["u"], body["E"], levels(body["b"]), levels(body["a"]))
