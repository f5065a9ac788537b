"""A small exchange: seeded order flow through a matching engine with price-time priority.

Each pair has a fair price that nobody sees: a common factor and a part of its own, volatility that clusters
(GARCH), shocks with fat tails (Student's t). Makers quote around it with a spread and depth that move with
volatility, takers and informed orders trade through them, orders are cancelled. Bars before the first start are
drawn from the same process; later ones are the trades that happened, kept in a file, so that a restart goes on
where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from marketdata.bars import Bars
from marketdata.timeframes import Timeframe
from marketdata.venue.derived import Derived
from marketdata.venue.flow import MINUTE, PAIRS, STEP, Mood, Pair, draw_history, step
from marketdata.venue.market import CatchingUp, Emit, Market, Now, State, Symbol
from marketdata.venue.matching import Happened

HISTORY_DAYS = 45
UNSAVED = 2.0  # seconds of ours that a kill may cost: the state is written every second
LEAP = 10_000  # ids that are left out after a kill, so that none is used twice
LONGEST_SLEEP = 600  # seconds of the venue's time; after a longer pause nobody has traded meanwhile


class SimulatedMarket(Market):
    name = "simulated"
    mode = "simulated"
    source = "a matching engine with random orders; no real price is in it"

    def __init__(
        self, *, seed: int = 7, speed: float = 10.0, lead: float = 12 * 3600, state: Path | None = None, now: Now = time.time
    ) -> None:
        self.state = State(state, self.name)
        self.path = None if state is None else state / "simulated-minutes.jsonl"
        kept = self.state.read()
        if "pairs" not in kept:
            kept = {}
        self.seed, self.speed = int(kept.get("seed", seed)), speed  # a venue's past is of the seed that it began with
        self.label = f"Simulated order flow, seed {self.seed}, at {speed:g}×"
        self.drawn: int = kept.get("drawn") or HISTORY_DAYS * 1440
        self.began: int = kept.get("began") or int(now() - lead) // MINUTE * MINUTE
        start = float(kept.get("time", self.began))
        unclean = bool(kept) and not kept["clean"]
        if unclean:
            start = max(start, min(start + UNSAVED * speed, now()))
        self.pairs = {pair[0].name: Pair(*pair) for pair in PAIRS}
        self.symbols = {name: pair.symbol for name, pair in self.pairs.items()}
        self.mood = Mood()
        self.mood.variance = kept.get("variance", 1.0)
        draw_history(self.pairs.values(), self.seed, self.began, self.drawn)
        if kept:
            self._load_minutes()
        elif self.path is not None:
            self.path.unlink(missing_ok=True)  # minutes of a past that nobody remembers
        for name, pair in self.pairs.items():
            self._restore(pair, kept.get("pairs", {}).get(name, {}), LEAP if unclean else 1)
        self.at = max(start, *(pair.open_minute for pair in self.pairs.values()))
        self.clock = CatchingUp(self.at, speed, now)
        self._end_minutes(self.at)
        # Its own stream of random numbers for each start, so that a restart does not repeat the flow before it.
        self.random = np.random.default_rng([self.seed, int(self.at)])
        self._save(clean=False)

    def now(self) -> float:
        """The venue's clock stands where its orders are, so that what it says of the past is final."""
        return self.at

    # -- the past ---------------------------------------------------------------------------------------------

    def _load_minutes(self) -> None:
        """What was traded before: one line a minute, all pairs in it."""
        if self.path is None or not self.path.exists():
            return
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):  # a line that a kill cut off would spoil the next one
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        for line in whole.splitlines():
            opened, rows = orjson.loads(line)
            for name, pair in self.pairs.items():
                while pair.open_minute < opened:
                    pair.end_minute()
                pair.closed.extend(rows[name])

    def _restore(self, pair: Pair, kept: dict[str, Any], leap: int) -> None:
        if not kept:
            return
        pair.fair, pair.own.variance = kept["fair"], kept["variance"]
        pair.trade_id, pair.update = kept["trade"] + leap - 1, kept["update"] + leap
        if kept["minute"] == pair.open_minute:  # else it was closed after the state was written
            pair.forming = kept["forming"]

    def _save(self, *, clean: bool) -> None:
        self.state.write(
            {
                "began": self.began, "drawn": self.drawn, "seed": self.seed, "time": self.at, "clean": clean,
                "variance": self.mood.variance,
                "pairs": {
                    name: {
                        "fair": pair.fair, "variance": pair.own.variance, "trade": pair.trade_id, "update": pair.update,
                        "minute": pair.open_minute, "forming": pair.forming,
                    }
                    for name, pair in self.pairs.items()
                },
            }
        )  # fmt: skip

    def begin(self, symbol: Symbol) -> int:
        return int(self.pairs[symbol.name].history.time[0])

    def bars(self, symbol: Symbol, start: int, end: int, timeframe: Timeframe) -> Bars:
        pair = self.pairs[symbol.name]
        first, last = np.searchsorted(pair.history.time, [start, end])
        old = pair.history[int(first) : int(last)]
        new = pair.minutes(start, end)
        return Bars(*(np.concatenate(both) for both in zip(old.columns, new.columns, strict=True)))

    # -- publishing -------------------------------------------------------------------------------------------

    async def run(self, emit: Emit, wanted: Callable[[], set[str]]) -> None:
        derived = Derived(self)
        saved = time.monotonic()
        try:
            while True:
                self.advance(self.clock.now(), emit)
                derived.publish(emit, wanted())
                if time.monotonic() - saved > 1:
                    saved = time.monotonic()
                    self._save(clean=False)
                await asyncio.sleep(0.05)
        finally:
            self._save(clean=True)

    def advance(self, until: float, emit: Emit) -> None:
        """Let the market run to the venue's time ``until`` and publish its trades, then each book's change."""
        if until - self.at > LONGEST_SLEEP:
            self.at = until
            self._end_minutes(until)
        while self.at + STEP <= until:
            self.at += STEP
            self._end_minutes(self.at)
            for pair, happened in self.step():
                self._emit_trade(emit, pair, happened)
        for pair in self.pairs.values():
            self._emit_book(emit, pair)

    def step(self) -> list[tuple[Pair, Happened]]:
        """One round of orders in every pair; the trades in order."""
        return step(self.pairs.values(), self.mood, self.random)

    def _end_minutes(self, until: float) -> None:
        """Close and keep every minute that has ended by ``until``."""
        lines = []
        opened = next(iter(self.pairs.values())).open_minute
        while opened + MINUTE <= until:
            lines.append(orjson.dumps([opened, {name: pair.end_minute() for name, pair in self.pairs.items()}]))
            self.mood.end_minute()
            opened += MINUTE
        if lines and self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(b"\n".join(lines) + b"\n")

    def _emit_trade(self, emit: Emit, pair: Pair, happened: Happened) -> None:
        pair.trade_id += 1
        at = int(self.at * 1000)
        message = {
            "e": "trade", "E": at, "s": pair.symbol.name, "t": pair.trade_id,
            "p": pair.symbol.price(pair.price(happened)), "q": pair.symbol.size(happened.size), "T": at,
            "m": happened.buyer_is_maker, "M": True,
        }  # fmt: skip
        pair.recent.append(message)
        emit(f"{pair.symbol.name.lower()}@trade", message)

    def _emit_book(self, emit: Emit, pair: Pair) -> None:
        engine, symbol = pair.engine, pair.symbol
        if not engine.touched:
            return
        first = pair.update + 1
        pair.update += len(engine.touched)
        changes: dict[str, list[list[str]]] = {"b": [], "a": []}
        for mark, price in sorted(engine.touched):
            changes[mark].append([symbol.price(price * pair.tick), symbol.size(engine.size_at(mark, price))])
        engine.touched = set()
        stream = symbol.name.lower()
        emit(f"{stream}@depth", {
            "e": "depthUpdate", "E": int(self.at * 1000), "s": symbol.name, "U": first, "u": pair.update,
            "b": changes["b"], "a": changes["a"],
        })  # fmt: skip
        bid, ask = engine.best_bid(), engine.best_ask()
        if bid is not None and ask is not None:
            emit(f"{stream}@bookTicker", {
                "u": pair.update, "s": symbol.name,
                "b": symbol.price(bid * pair.tick), "B": symbol.size(engine.size_at("b", bid)),
                "a": symbol.price(ask * pair.tick), "A": symbol.size(engine.size_at("a", ask)),
            })  # fmt: skip

    def depth(self, symbol: Symbol, limit: int) -> dict[str, Any]:
        pair = self.pairs[symbol.name]
        engine = pair.engine

        def side(mark: str, prices: list[int]) -> list[list[str]]:
            return [[symbol.price(p * pair.tick), symbol.size(engine.size_at(mark, p))] for p in prices[:limit]]

        return {
            "lastUpdateId": pair.update,
            "bids": side("b", sorted(engine.bids, reverse=True)),
            "asks": side("a", sorted(engine.asks)),
        }

    def recent_trades(self, symbol: Symbol, limit: int) -> list[dict[str, Any]]:
        return list(self.pairs[symbol.name].recent)[-limit:]
