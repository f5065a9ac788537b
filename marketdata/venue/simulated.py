"""A small exchange: seeded order flow through a matching engine with price-time priority.

Each pair has a fair price that nobody sees: a common factor and a part of its own, volatility that clusters
(GARCH), shocks with fat tails (Student's t). Makers quote around it with a spread and depth that move with
volatility, takers and informed orders trade through them, orders are cancelled. Bars before the first start are
drawn from the same process; later ones are the trades that happened, kept in a file, so that a restart goes on
where it stopped.
"""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from marketdata.bars import Bars
from marketdata.timeframes import Timeframe
from marketdata.venue.derived import Derived
from marketdata.venue.market import CatchingUp, Emit, Market, Now, State, Symbol
from marketdata.venue.matching import Happened, Matching

STEP = 0.5  # seconds of the venue's time between two rounds of orders
HISTORY_DAYS = 45
LEVELS = 25
MINUTE = 60
COLUMNS = 5
MOST_RECENT = 1000
UNSAVED = 2.0  # seconds of ours that a kill may cost: the state is written every second
LEAP = 10_000  # ids that are left out after a kill, so that none is used twice
LONGEST_SLEEP = 600  # seconds of the venue's time; after a longer pause nobody has traded meanwhile
PAIRS = (  # symbol, first price, typical trade, correlation with the common factor
    (Symbol("BTC", "USDT", 2, 5), 60_000.0, 0.02, 0.9),
    (Symbol("ETH", "USDT", 2, 4), 2_600.0, 0.4, 0.85),
    (Symbol("SOL", "USDT", 2, 3), 145.0, 6.0, 0.75),
    (Symbol("XRP", "USDT", 4, 0), 0.55, 1500.0, 0.6),
    (Symbol("ADA", "USDT", 4, 0), 0.35, 2000.0, 0.6),
)
VOLATILITY = 0.6 / math.sqrt(365 * 86400)  # of a second: 60 % a year
OMEGA, ALPHA, BETA = 0.03, 0.09, 0.88  # GARCH(1,1) of the variance relative to its mean, by minutes


class Pair:
    """One pair's book, process and bars since the first start; minutes lie one after the other without a hole."""

    def __init__(self, symbol: Symbol, typical: float, correlation: float) -> None:
        self.symbol, self.typical, self.correlation = symbol, typical, correlation
        self.tick = 10.0**-symbol.price_decimals
        self.engine = Matching(symbol.size_decimals)
        self.fair = 0.0
        self.variance = 1.0
        self.trade_id = 0
        self.update = 1
        self.history = Bars.empty()
        self.closed = array("d")  # open, high, low, close, volume of each minute since the history's end
        self.forming: list[float] | None = None  # the same of the minute that runs; None until somebody trades
        self.recent: deque[dict[str, Any]] = deque(maxlen=MOST_RECENT)

    @property
    def begin(self) -> int:
        """Where the minutes of our own begin, epoch seconds."""
        return int(self.history.time[-1]) + MINUTE

    @property
    def open_minute(self) -> int:
        return self.begin + len(self.closed) // COLUMNS * MINUTE

    @property
    def last(self) -> float:
        """The last price."""
        if self.forming is not None:
            return self.forming[3]
        return self.closed[-2] if self.closed else float(self.history.close[-1])

    def end_minute(self) -> list[float]:
        """Close the minute that runs: flat where nobody traded."""
        row = self._running()
        self.closed.extend(row)
        self.forming = None
        return row

    def _running(self) -> list[float]:
        return self.forming or [self.last] * 4 + [0.0]

    def minutes(self, first: int, last: int) -> Bars:
        """Closed minutes and the one that runs, of those that open in ``[first, last)``."""
        start = max(0, -(-(first - self.begin) // MINUTE))
        end = max(start, -(-(last - self.begin) // MINUTE))
        table = np.array(self.closed[start * COLUMNS : end * COLUMNS]).reshape(-1, COLUMNS)
        if start * MINUTE <= self.open_minute - self.begin < end * MINUTE:
            table = np.vstack([table, self._running()])
        times = self.begin + MINUTE * np.arange(start, start + len(table), dtype=np.int64)
        return Bars(times, *(np.ascontiguousarray(table[:, column]) for column in range(COLUMNS)))


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
        self.pairs = {s.name: Pair(s, typical, correlation) for s, _, typical, correlation in PAIRS}
        self.symbols = {name: pair.symbol for name, pair in self.pairs.items()}
        self._draw_history()
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

    def _draw_history(self) -> None:
        """Minute bars from HISTORY_DAYS before the first start up to it, the same for the same seed."""
        random, count = np.random.default_rng(self.seed), self.drawn
        times = self.began - MINUTE * np.arange(count, 0, -1, dtype=np.int64)
        common = shocks(random, count)
        for (_, price, typical, correlation), pair in zip(PAIRS, self.pairs.values(), strict=True):
            own = shocks(random, count)
            returns = (correlation * common + math.sqrt(1 - correlation**2) * own) * VOLATILITY * math.sqrt(MINUTE)
            close = price * np.exp(np.cumsum(returns - returns.mean()))
            close = np.maximum(np.round(close / pair.tick), 1) * pair.tick
            open_ = np.r_[price, close[:-1]]
            reach = np.abs(random.standard_normal((2, count))) * np.abs(returns) * 0.6 + VOLATILITY * 4
            high = np.ceil(np.maximum(open_, close) * (1 + reach[0]) / pair.tick) * pair.tick
            low = np.maximum(np.floor(np.minimum(open_, close) * (1 - reach[1]) / pair.tick), 1) * pair.tick
            volume = np.round(random.gamma(2.0, typical * 8, count) * (1 + np.abs(returns) * 400), pair.symbol.size_decimals)
            table = np.round(np.stack([open_, high, low, close]), pair.symbol.price_decimals)
            pair.history = Bars(times, table[0], table[1], table[2], table[3], volume)
            pair.fair = float(close[-1])

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
        pair.fair, pair.variance = kept["fair"], kept["variance"]
        pair.trade_id, pair.update = kept["trade"] + leap - 1, kept["update"] + leap
        if kept["minute"] == pair.open_minute:  # else it was closed after the state was written
            pair.forming = kept["forming"]

    def _save(self, *, clean: bool) -> None:
        self.state.write(
            {
                "began": self.began, "drawn": self.drawn, "seed": self.seed, "time": self.at, "clean": clean,
                "pairs": {
                    name: {
                        "fair": pair.fair, "variance": pair.variance, "trade": pair.trade_id, "update": pair.update,
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

    # -- the flow ---------------------------------------------------------------------------------------------

    def step(self) -> list[tuple[Pair, Happened]]:
        """One round of orders in every pair; returns the trades in order."""
        common = float(self.random.standard_t(4)) / math.sqrt(2)
        trades: list[tuple[Pair, Happened]] = []
        for pair in self.pairs.values():
            own = float(self.random.standard_t(4)) / math.sqrt(2)
            shock = pair.correlation * common + math.sqrt(1 - pair.correlation**2) * own
            pair.variance = (
                OMEGA * STEP / 60
                + pair.variance * (1 - (1 - BETA - ALPHA) * STEP / 60 - ALPHA * STEP / 60)
                + (ALPHA * STEP / 60 * pair.variance * shock**2)
            )
            pair.variance = min(max(pair.variance, 0.2), 25.0)
            pair.fair *= math.exp(VOLATILITY * math.sqrt(pair.variance * STEP) * shock)
            for happened in self._round(pair):
                self._count(pair, happened)
                trades.append((pair, happened))
        return trades

    def _round(self, pair: Pair) -> list[Happened]:
        engine, random = pair.engine, self.random
        width = max(1.0, pair.fair * 4e-5 * math.sqrt(pair.variance) / pair.tick)
        fair = pair.fair / pair.tick
        happened: list[Happened] = []
        # Makers: one order a side somewhere near the front, more behind where the book is thin.
        for side, mark, sign in (("buy", "b", -1), ("sell", "a", 1)):
            book = engine.bids if mark == "b" else engine.asks
            for _ in range(3 if len(book) < LEVELS else 1):
                distance = width / 2 + float(random.exponential(width * 3))
                price = max(1, round(fair + sign * distance))
                happened += engine.limit(side, price, self._size(pair, 2.0))
            # Cancel what lies too deep or on the wrong side of the fair price, sometimes another.
            if len(book) > LEVELS * 2:
                engine.drop(mark, min(book) if mark == "b" else max(book))
            if book and random.random() < 0.15:
                engine.drop(mark, list(book)[int(random.integers(len(book)))])
        # Takers: more of them when it moves, leaning to where the fair price is.
        bid, ask = engine.best_bid(), engine.best_ask()
        if bid is not None and ask is not None:
            lean = math.tanh((fair - (bid + ask) / 2) / (width * 2))
            for _ in range(int(random.poisson(0.35 * math.sqrt(pair.variance)))):
                side = "buy" if random.random() < 0.5 + lean / 2 else "sell"
                happened += engine.market(side, self._size(pair, 1.0))
        return happened

    def _size(self, pair: Pair, scale: float) -> float:
        size = float(self.random.lognormal(-0.4, 0.9)) * pair.typical * scale
        return max(round(size, pair.symbol.size_decimals), 10.0**-pair.symbol.size_decimals)

    def _count(self, pair: Pair, happened: Happened) -> None:
        price, row = self._price(pair, happened), pair.forming
        if row is None:
            pair.forming = [price, price, price, price, happened.size]
        else:
            row[1], row[2], row[3] = max(row[1], price), min(row[2], price), price
            row[4] = round(row[4] + happened.size, pair.symbol.size_decimals)

    @staticmethod
    def _price(pair: Pair, happened: Happened) -> float:
        return round(happened.price * pair.tick, pair.symbol.price_decimals)

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

    def _end_minutes(self, until: float) -> None:
        """Close and keep every minute that has ended by ``until``."""
        lines = []
        opened = next(iter(self.pairs.values())).open_minute
        while opened + MINUTE <= until:
            lines.append(orjson.dumps([opened, {name: pair.end_minute() for name, pair in self.pairs.items()}]))
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
            "p": pair.symbol.price(self._price(pair, happened)), "q": pair.symbol.size(happened.size), "T": at,
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


def shocks(random: np.random.Generator, count: int) -> np.ndarray:
    """``count`` shocks of unit variance with fat tails and clustered volatility."""
    draws = random.standard_t(4, count) / math.sqrt(2)
    variance = 1.0
    out = np.empty(count)
    for i, draw in enumerate(draws.tolist()):
        out[i] = math.sqrt(variance) * draw
        variance = min(OMEGA + (ALPHA * draw * draw + BETA) * variance, 25.0)
    return out
