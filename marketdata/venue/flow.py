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
HEAT = (0.05, 25.0)  # what makers and takers answer to
TAKERS = 0.35  # a round, where the heat is 1
SIZE_MU, SIZE_SIGMA = -0.4, 0.9  # of the logarithm of an order's size in typical trades


def next_variance(variance: float, draw: float) -> float:
    """A minute's variance from the one before and that one's shock in units of it."""
    return min(OMEGA + (ALPHA * draw * draw + BETA) * variance, 25.0)


class Mood:
    """Shocks by rounds whose minutes have the law of the drawn past.

    A minute's rounds are normal and share a scale which is drawn, so that their sum is Student's t with 4 degrees of freedom
    and of unit variance. The variance follows by GARCH from minute to minute.
    """

    def __init__(self) -> None:
        self.variance = self.scale = 1.0
        self.moved, self.rounds = 0.0, 0

    def shock(self, random: np.random.Generator) -> float:
        """The next round's shock; over a minute their squares sum up to its heat, on average."""
        if self.rounds == 0:
            self.scale = math.sqrt(2 / random.chisquare(4))
        draw = float(random.standard_normal())
        self.moved += draw
        self.rounds += 1
        return math.sqrt(self.heat) * draw

    @property
    def heat(self) -> float:
        """The variance of this minute's shocks relative to their mean."""
        return self.variance * self.scale**2

    def end_minute(self) -> None:
        if self.rounds:  # else nobody was there
            self.variance = next_variance(self.variance, self.scale * self.moved / math.sqrt(self.rounds))
        self.moved, self.rounds = 0.0, 0


class Pair:
    """One pair's book, process and bars since the first start; minutes lie one after the other without a hole."""

    def __init__(self, symbol: Symbol, first_price: float, typical: float, correlation: float) -> None:
        self.symbol, self.first_price, self.typical, self.correlation = symbol, first_price, typical, correlation
        self.tick = 10.0**-symbol.price_decimals
        self.engine = Matching(symbol.size_decimals)
        self.fair = 0.0
        self.own = Mood()
        self.heat = 1.0
        self.trade_id = 0
        self.update = 1
        self.history = Bars.empty()
        self.closed = array("d")  # open, high, low, close, volume of each minute since the history's end
        self.forming: list[float] | None = None  # the same of the minute that runs; None until somebody trades
        self.recent: deque[dict[str, Any]] = deque(maxlen=MOST_RECENT)

    def mixed(self, common: Any, own: Any) -> Any:
        """The pair's shock from the market's and its own, both of unit variance."""
        return self.correlation * common + math.sqrt(1 - self.correlation**2) * own

    def heated(self, common: Any, own: Any) -> Any:
        """The variance of the mixed shock from those of the two."""
        return self.correlation**2 * common + (1 - self.correlation**2) * own

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
        self.own.end_minute()
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
    common, common_heat = shocks(random, count)
    for pair in pairs:
        own, own_heat = shocks(random, count)
        returns = pair.mixed(common, own) * VOLATILITY * math.sqrt(MINUTE)
        close = pair.first_price * np.exp(np.cumsum(returns - returns.mean()))
        close = np.maximum(np.round(close / pair.tick), 1) * pair.tick
        open_ = np.r_[pair.first_price, close[:-1]]
        reach = np.abs(random.standard_normal((2, count))) * np.abs(returns) * 0.6 + VOLATILITY * 4
        high = np.ceil(np.maximum(open_, close) * (1 + reach[0]) / pair.tick) * pair.tick
        low = np.maximum(np.floor(np.minimum(open_, close) * (1 - reach[1]) / pair.tick), 1) * pair.tick
        volume = np.round(_taken(pair, random, np.clip(pair.heated(common_heat, own_heat), *HEAT)), pair.symbol.size_decimals)
        table = np.round(np.stack([open_, high, low, close]), pair.symbol.price_decimals)
        pair.history = Bars(times, table[0], table[1], table[2], table[3], volume)
        pair.fair = float(close[-1])


def _taken(pair: Pair, random: np.random.Generator, heat: np.ndarray) -> np.ndarray:
    """What takers trade in each minute of that heat: as many orders as ``one_round`` has, and the sum of their sizes.

    The sum of n log-normal sizes is drawn as a gamma of its mean and variance.
    """
    orders = random.poisson(TAKERS * MINUTE / STEP * np.sqrt(heat))
    mean, spread = math.exp(SIZE_MU + SIZE_SIGMA**2 / 2), math.expm1(SIZE_SIGMA**2)
    return np.asarray(pair.typical * mean * spread * random.gamma(orders / spread))


def step(pairs: Iterable[Pair], common: Mood, random: np.random.Generator) -> list[tuple[Pair, Happened]]:
    """One round of orders in every pair; returns the trades in order."""
    shock = common.shock(random)
    trades: list[tuple[Pair, Happened]] = []
    for pair in pairs:
        mixed = pair.mixed(shock, pair.own.shock(random))
        pair.heat = min(max(pair.heated(common.heat, pair.own.heat), HEAT[0]), HEAT[1])
        pair.fair *= math.exp(VOLATILITY * math.sqrt(STEP) * mixed)
        for happened in one_round(pair, random):
            pair.count(happened)
            trades.append((pair, happened))
    return trades


def one_round(pair: Pair, random: np.random.Generator) -> list[Happened]:
    engine = pair.engine
    width = max(1.0, pair.fair * 4e-5 * math.sqrt(pair.heat) / pair.tick)
    fair = pair.fair / pair.tick
    happened: list[Happened] = []
    # Makers follow the fair price: what it has passed is cancelled, else every move would be a trade of the makers' own.
    for price in [price for price in engine.bids if price > fair]:
        engine.drop("b", price)
    for price in [price for price in engine.asks if price < fair]:
        engine.drop("a", price)
    # One order a side somewhere near the front, more behind where the book is thin.
    for side, mark, sign in (("buy", "b", -1), ("sell", "a", 1)):
        book = engine.bids if mark == "b" else engine.asks
        for _ in range(3 if len(book) < LEVELS else 1):
            distance = width / 2 + float(random.exponential(width * 3))
            price = max(1, round(fair + sign * distance))
            happened += engine.limit(side, price, _size(pair, random, 2.0))
        # Cancel what lies too deep, sometimes another.
        if len(book) > LEVELS * 2:
            engine.drop(mark, min(book) if mark == "b" else max(book))
        if book and random.random() < 0.15:
            engine.drop(mark, list(book)[int(random.integers(len(book)))])
    # Takers: more of them when it moves, leaning to where the fair price is.
    bid, ask = engine.best_bid(), engine.best_ask()
    if bid is not None and ask is not None:
        lean = math.tanh((fair - (bid + ask) / 2) / (width * 2))
        for _ in range(int(random.poisson(TAKERS * math.sqrt(pair.heat)))):
            side = "buy" if random.random() < 0.5 + lean / 2 else "sell"
            happened += engine.market(side, _size(pair, random, 1.0))
    return happened


def _size(pair: Pair, random: np.random.Generator, scale: float) -> float:
    size = float(random.lognormal(SIZE_MU, SIZE_SIGMA)) * pair.typical * scale
    return max(round(size, pair.symbol.size_decimals), 10.0**-pair.symbol.size_decimals)


def shocks(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` minutes of ``Mood``: each one's shock, and how hot it was."""
    scale = np.sqrt(2 / random.chisquare(4, count))
    draws = scale * random.standard_normal(count)
    variance, variances = 1.0, np.empty(count)
    for i, draw in enumerate(draws.tolist()):
        variances[i] = variance
        variance = next_variance(variance, draw)
    return np.sqrt(variances) * draws, variances * scale**2
