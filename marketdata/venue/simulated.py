"""A small exchange: seeded order flow through a matching engine with price-time priority.

Each pair has a fair price that nobody sees: a common factor and a part of its own, volatility that clusters
(GARCH), shocks with fat tails (Student's t). Makers quote around it with a spread and depth that move with
volatility, takers and informed orders trade through them, orders are cancelled. Bars before the first start are
drawn from the same process; later ones are the trades that happened, kept in a file, so that a restart goes on
where it stopped.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from marketdata.bars import Bars
from marketdata.timeframes import Timeframe
from marketdata.venue.market import CatchingUp, Emit, Market, Now, State, Symbol, kline_message

STEP = 0.5  # seconds of the venue's time between two rounds of orders
HISTORY_DAYS = 45
LEVELS = 25
PAIRS = (  # symbol, first price, typical trade, correlation with the common factor
    (Symbol("BTC", "USDT", 2, 5), 60_000.0, 0.02, 0.9),
    (Symbol("ETH", "USDT", 2, 4), 2_600.0, 0.4, 0.85),
    (Symbol("SOL", "USDT", 2, 3), 145.0, 6.0, 0.75),
    (Symbol("XRP", "USDT", 4, 0), 0.55, 1500.0, 0.6),
    (Symbol("ADA", "USDT", 4, 0), 0.35, 2000.0, 0.6),
)
VOLATILITY = 0.6 / math.sqrt(365 * 86400)  # of a second: 60 % a year
OMEGA, ALPHA, BETA = 0.03, 0.09, 0.88  # GARCH(1,1) of the variance relative to its mean, by minutes


class Happened(NamedTuple):
    """One match: the resting order's price, the size, and whether the buyer rested."""

    price: int
    size: float
    buyer_is_maker: bool


class Matching:
    """Price-time priority on whole ticks. Sizes are rounded to ``decimals`` by whoever sends them."""

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals
        self.bids: dict[int, deque[list[float]]] = {}
        self.asks: dict[int, deque[list[float]]] = {}
        self.touched: set[tuple[str, int]] = set()

    def best_bid(self) -> int | None:
        return max(self.bids, default=None)

    def best_ask(self) -> int | None:
        return min(self.asks, default=None)

    def limit(self, side: str, price: int, size: float) -> list[Happened]:
        """Match what crosses, rest what is left."""
        happened, left = self._match(side, size, price)
        if left > 0:
            book = self.bids if side == "buy" else self.asks
            book.setdefault(price, deque()).append([left])
            self.touched.add(("b" if side == "buy" else "a", price))
        return happened

    def market(self, side: str, size: float) -> list[Happened]:
        return self._match(side, size, None)[0]

    def _match(self, side: str, size: float, limit: int | None) -> tuple[list[Happened], float]:
        book, mark = (self.asks, "a") if side == "buy" else (self.bids, "b")
        happened = []
        while size > 0 and book:
            price = min(book) if side == "buy" else max(book)
            if limit is not None and (price > limit if side == "buy" else price < limit):
                break
            queue = book[price]
            resting = queue[0]
            done = min(size, resting[0])
            size = round(size - done, self.decimals)
            resting[0] = round(resting[0] - done, self.decimals)
            if resting[0] <= 0:
                queue.popleft()
                if not queue:
                    del book[price]
            self.touched.add((mark, price))
            happened.append(Happened(price, done, side == "sell"))
        return happened, size

    def drop(self, mark: str, price: int) -> None:
        """Cancel everything that rests at a price."""
        book = self.bids if mark == "b" else self.asks
        if book.pop(price, None) is not None:
            self.touched.add((mark, price))

    def size_at(self, mark: str, price: int) -> float:
        queue = (self.bids if mark == "b" else self.asks).get(price)
        return round(sum(order[0] for order in queue), self.decimals) if queue else 0.0


class Pair:
    """One pair's book, process and bars."""

    def __init__(self, symbol: Symbol, typical: float, correlation: float) -> None:
        self.symbol, self.typical, self.correlation = symbol, typical, correlation
        self.tick = 10.0**-symbol.price_decimals
        self.engine = Matching(symbol.size_decimals)
        self.fair = 0.0
        self.variance = 1.0
        self.trade_id = 0
        self.update = 1
        self.minutes: dict[int, list[float]] = {}  # time → open, high, low, close, volume, count
        self.history = Bars.empty()


class SimulatedMarket(Market):
    name = "simulated"
    mode = "simulated"

    def __init__(
        self, *, seed: int = 7, speed: float = 10.0, lead: float = 12 * 3600, state: Path | None = None, now: Now = time.time
    ) -> None:
        self.seed, self.speed = seed, speed
        self.label = f"Simulated order flow, seed {seed}, at {speed:g}×"
        self.folder = state
        self.state = State(state, self.name)
        kept = self.state.read()
        self.began = int(kept.get("began") or (now() - lead) // 86400 * 86400)
        start = max(float(kept.get("time") or now() - lead), float(self.began))
        if kept:
            start = (start // 60 + 1) * 60  # the minute that was cut off is lost; nothing is made up for it
        self.clock = CatchingUp(start, speed, now)
        self.at = start
        self.pairs = {s.name: Pair(s, typical, correlation) for s, _, typical, correlation in PAIRS}
        self.symbols = {name: pair.symbol for name, pair in self.pairs.items()}
        self._draw_history(start)
        self._load()
        # Its own stream of random numbers for each start, so that a restart does not repeat the flow before it.
        self.random = np.random.default_rng([seed, int(start)])
        self.state.write({"began": self.began, "time": start, "seed": seed})
        self._closed: list[tuple[Pair, int]] = []

    def now(self) -> float:
        return self.clock.now()

    # -- the past ---------------------------------------------------------------------------------------------

    def _draw_history(self, until: float) -> None:
        """Minute bars from HISTORY_DAYS before the first start up to it, the same for the same seed."""
        random = np.random.default_rng(self.seed)
        first = self.began - HISTORY_DAYS * 86400
        count = int((until - first) // 60) if not self.state.read() else int(self.state.read().get("history", 0))
        count = count or int((until - first) // 60)
        self.drawn = count
        common = shocks(random, count)
        for (_, price, typical, correlation), pair in zip(PAIRS, self.pairs.values(), strict=True):
            own = shocks(random, count)
            returns = (correlation * common + math.sqrt(1 - correlation**2) * own) * VOLATILITY * math.sqrt(60)
            close = price * np.exp(np.cumsum(returns - returns.mean()))
            close = np.maximum(np.round(close / pair.tick), 1) * pair.tick
            open_ = np.r_[price, close[:-1]]
            reach = np.abs(random.standard_normal((2, count))) * np.abs(returns) * 0.6 + VOLATILITY * 4
            high = np.ceil(np.maximum(open_, close) * (1 + reach[0]) / pair.tick) * pair.tick
            low = np.maximum(np.floor(np.minimum(open_, close) * (1 - reach[1]) / pair.tick), 1) * pair.tick
            volume = np.round(random.gamma(2.0, typical * 8, count) * (1 + np.abs(returns) * 400), pair.symbol.size_decimals)
            times = first + 60 * np.arange(count, dtype=np.int64)
            decimals = pair.symbol.price_decimals
            pair.history = Bars(times, *(np.round(column, decimals) for column in (open_, high, low, close)), volume)
            pair.fair = float(close[-1])

    def _file(self) -> Path | None:
        return None if self.folder is None else self.folder / "simulated.jsonl"

    def _load(self) -> None:
        path = self._file()
        if path is None or not path.exists():
            return
        with path.open() as lines:
            for line in lines:
                try:
                    name, opened, *row = json.loads(line)
                except ValueError:
                    continue  # cut off by a kill
                self.pairs[name].minutes[opened] = row
        for pair in self.pairs.values():
            if pair.minutes:
                last = max(pair.minutes)
                pair.fair = pair.minutes[last][3]
                pair.trade_id = int(sum(row[5] for row in pair.minutes.values()))
                pair.update = 1 + 10_000 * (last - self.began) // 60

    def begin(self, symbol: Symbol) -> int:
        return int(self.pairs[symbol.name].history.time[0])

    def bars(self, symbol: Symbol, start: int, end: int, timeframe: Timeframe) -> Bars:
        pair = self.pairs[symbol.name]
        first, last = np.searchsorted(pair.history.time, [start, end])
        old = pair.history[int(first) : int(last)]
        begin = int(pair.history.time[-1]) + 60
        minutes = range(max(start, begin) // 60 * 60, min(end, int(self.at) + 1), 60)
        new = Bars.of((opened, *pair.minutes[opened][:5]) for opened in minutes if opened in pair.minutes)
        return Bars(*(np.concatenate(pair_) for pair_ in zip(old.columns, new.columns, strict=True)))

    # -- the flow ---------------------------------------------------------------------------------------------

    def step(self, at: float) -> list[tuple[Pair, Happened]]:
        """One round of orders in every pair at the venue's time ``at``; returns the trades in order."""
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
                self._count(pair, happened, at)
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

    def _count(self, pair: Pair, happened: Happened, at: float) -> None:
        price = round(happened.price * pair.tick, pair.symbol.price_decimals)
        opened = int(at) // 60 * 60
        row = pair.minutes.get(opened)
        if row is None:
            pair.minutes[opened] = [price, price, price, price, happened.size, 1]
        else:
            row[1], row[2], row[3] = max(row[1], price), min(row[2], price), price
            row[4] = round(row[4] + happened.size, pair.symbol.size_decimals)
            row[5] += 1

    # -- publishing -------------------------------------------------------------------------------------------

    async def run(self, emit: Emit, wanted: Callable[[], set[str]]) -> None:
        saved = 0.0
        while True:
            now = self.now()
            if now - self.at > 600:  # we were asleep: do not rush through hours
                self.at = now
            while self.at + STEP <= now:
                before = int(self.at) // 60
                self.at += STEP
                if int(self.at) // 60 > before:
                    self._end_minute(before * 60, emit, wanted())
                for pair, happened in self.step(self.at):
                    self._emit_trade(emit, pair, happened)
            for pair in self.pairs.values():
                self._emit_book(emit, pair)
            if time.monotonic() - saved > 1:
                saved = time.monotonic()
                self.state.write({"began": self.began, "time": self.at, "seed": self.seed, "history": self.drawn})
            await asyncio.sleep(0.05)

    def _end_minute(self, opened: int, emit: Emit, streams: set[str]) -> None:
        path = self._file()
        lines = []
        for pair in self.pairs.values():
            row = pair.minutes.get(opened)
            if row is None:  # nobody traded
                last = pair.minutes.get(opened - 60) or [0, 0, 0, float(pair.history.close[-1])]
                row = pair.minutes[opened] = [last[3]] * 4 + [0.0, 0]
            lines.append(json.dumps([pair.symbol.name, opened, *row]))
            stream = f"{pair.symbol.name.lower()}@kline_1m"
            if stream in streams:
                emit(stream, kline_message(pair.symbol, "1m", (opened, *row), closed=True, at=self.at))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write("\n".join(lines) + "\n")

    def _emit_trade(self, emit: Emit, pair: Pair, happened: Happened) -> None:
        pair.trade_id += 1
        at = int(self.at * 1000)
        message = {
            "e": "trade", "E": at, "s": pair.symbol.name, "t": pair.trade_id,
            "p": pair.symbol.price(happened.price * pair.tick), "q": pair.symbol.size(happened.size), "T": at,
            "m": happened.buyer_is_maker, "M": True,
        }  # fmt: skip
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


def shocks(random: np.random.Generator, count: int) -> np.ndarray:
    """``count`` shocks of unit variance with fat tails and clustered volatility."""
    draws = random.standard_t(4, count) / math.sqrt(2)
    variance = 1.0
    out = np.empty(count)
    for i, draw in enumerate(draws.tolist()):
        out[i] = math.sqrt(variance) * draw
        variance = min(OMEGA + (ALPHA * draw * draw + BETA) * variance, 25.0)
    return out
