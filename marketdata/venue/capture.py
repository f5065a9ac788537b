"""Captured exchange messages, held compactly: one block of text, offsets into it, and the trades as arrays.

A message is parsed again when it is played. Kept as Python objects the capture took 130 MB, as text it takes 25.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

FILES = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz")
RECORDER_BEHIND_MS = 1250  # the recorder's clock, which dates quotes, ran behind the exchange's
TRADE, DEPTH, QUOTE = 0, 1, 2
UNIT = Decimal(10) ** 8  # sizes are counted in whole units of 1e-8, so that their sum is exact

Book = tuple[dict[str, str], dict[str, str]]


@dataclass(frozen=True, eq=False)
class Trades:
    """The trades of the loop in order; all arrays are (n,)."""

    at: npt.NDArray[np.int64]  # ms since the loop's begin
    price: npt.NDArray[np.float64]
    units: npt.NDArray[np.int64]  # base currency, 1e-8
    event: npt.NDArray[np.int64]  # which event it is

    def __len__(self) -> int:
        return len(self.at)


class Capture:
    """What was captured in ``length`` seconds from ``begin`` (epoch seconds of the exchange's clock)."""

    def __init__(self, folder: Path, begin: int, length: int) -> None:
        text = bytearray()
        at: list[int] = []
        kinds: list[int] = []
        edges: list[tuple[int, int]] = []
        traded: dict[int, tuple[float, int]] = {}  # by event, before they are put in order
        bids: dict[str, str] = {}
        asks: dict[str, str] = {}
        before: list[dict[str, Any]] = []  # changes that lead up to the loop; the snapshot came after the first of them
        known = 0
        self.last_update = 0
        self.first_trade = 0
        for file in FILES:
            with gzip.open(folder / "binance_ws_l2" / file) as lines:
                for line in lines:
                    received, _, said = line.rstrip().partition(b" ")
                    stream, found, data = said.partition(b'"data":')
                    if not found:
                        if said:
                            snapshot = orjson.loads(said)
                            bids, asks, known = dict(snapshot["bids"]), dict(snapshot["asks"]), snapshot["lastUpdateId"]
                        continue
                    data = data[:-1]
                    body: dict[str, Any] = {}
                    if b"@bookTicker" in stream:
                        kind, moment = QUOTE, int(received) // 1_000_000 + RECORDER_BEHIND_MS
                    else:
                        body = orjson.loads(data)
                        kind, moment = (TRADE, body["T"]) if body["e"] == "trade" else (DEPTH, body["E"])
                    moment -= begin * 1000
                    if moment < 0:
                        if kind == DEPTH:
                            before.append(body)
                        continue
                    if moment >= length * 1000:
                        continue
                    if kind == TRADE:
                        traded[len(at)] = float(body["p"]), int(Decimal(body["q"]) * UNIT)
                        self.first_trade = self.first_trade or body["t"]
                    elif kind == DEPTH:
                        self.last_update = body["u"]
                    edges.append((len(text), len(text) + len(data)))
                    text += data
                    at.append(moment)
                    kinds.append(kind)
        for body in before:
            if body["u"] > known:
                apply((bids, asks), body)
                known = body["u"]
        self.opening_book: Book = bids, asks
        self.opening_update = known
        order = np.argsort(np.array(at, dtype=np.int64), kind="stable")
        self._text = bytes(text)
        self._edges = np.array(edges, dtype=np.int64)[order]
        self.at = np.array(at, dtype=np.int64)[order]
        self.kinds = np.array(kinds, dtype=np.int8)[order]
        events = np.flatnonzero(self.kinds == TRADE)
        rows = [traded[int(order[event])] for event in events]
        self.trades = Trades(
            self.at[events],
            np.array([price for price, _ in rows]),
            np.array([units for _, units in rows], dtype=np.int64),
            events,
        )

    def __len__(self) -> int:
        return len(self.at)

    def body(self, event: int) -> dict[str, Any]:
        """The message as the exchange sent it."""
        start, end = self._edges[event]
        return dict(orjson.loads(self._text[start:end]))


def apply(book: Book, body: dict[str, Any]) -> None:
    """Apply a ``depthUpdate`` to bids and asks; size 0 removes a level."""
    for side, levels in zip(book, (body["b"], body["a"]), strict=True):
        for price, size in levels:
            if float(size):
                side[price] = size
            else:
                side.pop(price, None)
