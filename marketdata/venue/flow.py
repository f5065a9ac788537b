"""Seeded order flow: how the fair prices of several pairs move, and who sends which orders because of it.

Volatility clusters by GARCH(1,1) (Bollerslev, 1986), shocks are Student's t. Makers quote around the fair price at distances
that grow with volatility, takers lean towards it.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from marketdata.bars import Bars
from marketdata.venue.market import Symbol
from marketdata.venue.matching import Happened, Matching

STEP = 0.5  # seconds of the venue's time between two rounds of orders
MINUTE = 60
COLUMNS = 5
LEVELS = 25
MOST_RECENT = 1000
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

    def __init__(self, symbol: Symbol, first_price: float, typical: float, correlation: float) -> None:
        self.symbol, self.first_price, self.typical, self.correlation = symbol, first_price, typical, correlation
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

    def mixed(self, common: Any, own: Any) -> Any:
        """The pair's shock from the market's and its own, both of unit variance."""
        return self.correlation * common + math.sqrt(1 - self.correlation**2) * own

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

    def price(self, happened: Happened) -> float:
        return round(happened.price * self.tick, self.symbol.price_decimals)

    def count(self, happened: Happened) -> None:
        """Take a trade into the minute that runs."""
        price, row = self.price(happened), self.forming
        if row is None:
            self.forming = [price, price, price, price, happened.size]
        else:
            row[1], row[2], row[3] = max(row[1], price), min(row[2], price), price
            row[4] = round(row[4] + happened.size, self.symbol.size_decimals)

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


def draw_history(pairs: Iterable[Pair], seed: int, until: int, count: int) -> None:
    """Give every pair ``count`` minute bars up to ``until`` (epoch seconds), the same for the same seed."""
    random = np.random.default_rng(seed)
    times = until - MINUTE * np.arange(count, 0, -1, dtype=np.int64)
    common = shocks(random, count)
    for pair in pairs:
        own = shocks(random, count)
        returns = pair.mixed(common, own) * VOLATILITY * math.sqrt(MINUTE)
        close = pair.first_price * np.exp(np.cumsum(returns - returns.mean()))
        close = np.maximum(np.round(close / pair.tick), 1) * pair.tick
        open_ = np.r_[pair.first_price, close[:-1]]
        reach = np.abs(random.standard_normal((2, count))) * np.abs(returns) * 0.6 + VOLATILITY * 4
        high = np.ceil(np.maximum(open_, close) * (1 + reach[0]) / pair.tick) * pair.tick
        low = np.maximum(np.floor(np.minimum(open_, close) * (1 - reach[1]) / pair.tick), 1) * pair.tick
        volume = np.round(random.gamma(2.0, pair.typical * 8, count) * (1 + np.abs(returns) * 400), pair.symbol.size_decimals)
        table = np.round(np.stack([open_, high, low, close]), pair.symbol.price_decimals)
        pair.history = Bars(times, table[0], table[1], table[2], table[3], volume)
        pair.fair = float(close[-1])


def step(pairs: Iterable[Pair], random: np.random.Generator) -> list[tuple[Pair, Happened]]:
    """One round of orders in every pair; returns the trades in order."""
    common = float(random.standard_t(4)) / math.sqrt(2)
    trades: list[tuple[Pair, Happened]] = []
    for pair in pairs:
        own = float(random.standard_t(4)) / math.sqrt(2)
        shock = pair.mixed(common, own)
        pair.variance = (
            OMEGA * STEP / 60
            + pair.variance * (1 - (1 - BETA - ALPHA) * STEP / 60 - ALPHA * STEP / 60)
            + (ALPHA * STEP / 60 * pair.variance * shock**2)
        )
        pair.variance = min(max(pair.variance, 0.2), 25.0)
        pair.fair *= math.exp(VOLATILITY * math.sqrt(pair.variance * STEP) * shock)
        for happened in one_round(pair, random):
            pair.count(happened)
            trades.append((pair, happened))
    return trades


def one_round(pair: Pair, random: np.random.Generator) -> list[Happened]:
    engine = pair.engine
    width = max(1.0, pair.fair * 4e-5 * math.sqrt(pair.variance) / pair.tick)
    fair = pair.fair / pair.tick
    happened: list[Happened] = []
    # Makers: one order a side somewhere near the front, more behind where the book is thin.
    for side, mark, sign in (("buy", "b", -1), ("sell", "a", 1)):
        book = engine.bids if mark == "b" else engine.asks
        for _ in range(3 if len(book) < LEVELS else 1):
            distance = width / 2 + float(random.exponential(width * 3))
            price = max(1, round(fair + sign * distance))
            happened += engine.limit(side, price, _size(pair, random, 2.0))
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
            happened += engine.market(side, _size(pair, random, 1.0))
    return happened


def _size(pair: Pair, random: np.random.Generator, scale: float) -> float:
    size = float(random.lognormal(-0.4, 0.9)) * pair.typical * scale
    return max(round(size, pair.symbol.size_decimals), 10.0**-pair.symbol.size_decimals)


def shocks(random: np.random.Generator, count: int) -> np.ndarray:
    """``count`` shocks of unit variance with fat tails and clustered volatility."""
    draws = random.standard_t(4, count) / math.sqrt(2)
    variance = 1.0
    out = np.empty(count)
    for i, draw in enumerate(draws.tolist()):
        out[i] = math.sqrt(variance) * draw
        variance = min(OMEGA + (ALPHA * draw * draw + BETA) * variance, 25.0)
    return out
