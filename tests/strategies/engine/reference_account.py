"""The reference simulator's account: prices, fees, sizes, positions and trades (sections 7, 8 and 9 of docs/engine.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor, isnan, nan

from tests.strategies.engine.reference_types import Costs, Fill, Market, Order, Rules, Trade

YEAR = 31_536_000.0
DUST = 1e-12


def round_down(x: float, step: float) -> float:
    """Section 7, rounding."""
    return floor(x / step + 1e-9) * step if step > 0 else x


def round_up(x: float, step: float) -> float:
    return ceil(x / step - 1e-9) * step if step > 0 else x


def round_limit(side: int, price: float, tick: float) -> float:
    """Buy limits down, sell limits up."""
    return round_down(price, tick) if side > 0 else round_up(price, tick)


def round_stop(side: int, price: float, tick: float, *, reducing: bool) -> float:
    """Reducing stops towards the market (a sell stop up), others away from it (a sell stop down)."""
    return round_down(price, tick) if (side > 0) == reducing else round_up(price, tick)


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def worse(side: int, a: float, b: float) -> float:
    return max(a, b) if side > 0 else min(a, b)


def better(side: int, a: float, b: float) -> float:
    return min(a, b) if side > 0 else max(a, b)


@dataclass
class Now:
    """The bar, or finer bar, that is being matched: one value an instrument."""

    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    fillable: list[bool]
    used: list[float] = field(default_factory=list)

    def present(self, j: int) -> bool:
        return not any(isnan(x) for x in (self.open[j], self.high[j], self.low[j], self.close[j]))


@dataclass
class Account:
    """Cash, positions and marks, and what every fill does to them."""

    markets: list[Market]
    costs: Costs
    rules: Rules
    cash: float
    bar: int = 0
    position: list[float] = field(default_factory=list)
    mark: list[float] = field(default_factory=list)
    last_close: list[float] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    current: list[Trade | None] = field(default_factory=list)
    paid: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        k = len(self.markets)
        self.position, self.mark, self.last_close, self.current = [0.0] * k, [nan] * k, [nan] * k, [None] * k
        self.paid = dict.fromkeys(("fees", "slippage", "funding", "borrow", "interest", "dividends"), 0.0)

    # Section 1: notional and equity.
    def equity(self, marks: list[float] | None = None) -> float:
        marks = self.mark if marks is None else marks
        total = self.cash
        for j, q in enumerate(self.position):
            if q != 0.0:
                total += q * marks[j] * self.markets[j].multiplier
        return total

    def gross(self, marks: list[float] | None = None, without: int = -1) -> float:
        marks = self.mark if marks is None else marks
        return sum(
            abs(q) * marks[j] * self.markets[j].multiplier for j, q in enumerate(self.position) if q != 0.0 and j != without
        )

    def marked(self, j: int, price: float) -> list[float]:
        marks = list(self.mark)
        marks[j] = price
        return marks

    # Section 7: slippage, fee, volume cap.
    def slipped(self, j: int, side: int, price: float, quantity: float, volume: float) -> float:
        model, s = self.costs.slippage, self.costs.slip
        if model == "none":
            slip = 0.0
        elif model == "fixed":
            slip = s
        elif model == "percentage":
            slip = price * s
        elif model == "half-spread":
            slip = price * s / 2
        elif model == "volume-share":
            share = 1.0 if isnan(volume) else min(1.0, quantity / volume)
            slip = price * s * share**2
        else:
            raise ValueError(f"slippage must name a model, was {model!r}")
        tick = self.markets[j].tick
        return round_up(price + slip, tick) if side > 0 else round_down(max(price - slip, tick), tick)

    def fee(self, j: int, quantity: float, price: float, *, maker: bool) -> float:
        rate = self.costs.maker if maker else self.costs.taker
        fee = rate * quantity * price * self.markets[j].multiplier + self.costs.per_unit * quantity
        return max(self.costs.minimum, fee) if self.costs.minimum > 0 else fee

    def capacity(self, j: int, volume: float, used: float) -> float:
        if self.rules.volume_share is None or isnan(volume):
            return float("inf")
        cap = self.rules.volume_share * volume
        rest = cap - used
        if rest <= DUST * cap:
            return 0.0
        return max(round_down(rest, self.markets[j].lot), 0.0)

    # Section 7: buying power.
    def reduces_only(self, j: int, side: int, quantity: float) -> bool:
        q0 = self.position[j]
        after = q0 + side * quantity
        return q0 != 0.0 and sign(q0) != side and (abs(after) <= DUST * quantity or sign(after) == sign(q0))

    def affords(self, j: int, side: int, quantity: float, price: float, fee: float) -> bool:
        multiplier = self.markets[j].multiplier
        after = self.position[j] + side * quantity
        left = self.equity(self.marked(j, price)) - fee
        room = self.rules.leverage * left
        return self.gross(without=j) + abs(after) * price * multiplier <= room + 1e-9 * abs(room)

    # Section 7: size of a target.
    def direction(self, j: int, x: float, price: float) -> int:
        """+1 to buy, -1 to sell, 0 where nothing is to do."""
        q0 = self.position[j]
        equity = self.equity(self.marked(j, price))
        if x == 0 or equity <= 0:
            return -sign(q0)
        return sign(x * equity - q0 * price * self.markets[j].multiplier)

    def target(self, j: int, x: float, price: float, volume: float) -> tuple[int, float, float]:
        """Side, target quantity q1 and the price p it was found with; side 0 where nothing is to do."""
        side, q0, lot = self.direction(j, x, price), self.position[j], self.markets[j].lot
        if side == 0:
            return 0, q0, price
        equity = self.equity(self.marked(j, price))
        if x == 0 or equity <= 0:
            p = self.slipped(j, side, price, abs(q0), volume)
            return side, 0.0, p
        if self.costs.slippage == "volume-share":
            first = self.solved(j, x, side, price)
            p = self.slipped(j, side, price, abs(first - q0), volume)
        else:
            p = self.slipped(j, side, price, 0.0, volume)
        q1 = self.solved(j, x, side, p)
        if (q1 - q0) * side <= 0:
            return 0, q0, p
        q1 = sign(q1) * round_down(abs(q1), lot)
        if (q1 - q0) * side <= 1e-9 * max(abs(q0), abs(q1)):
            return 0, q0, p
        return side, q1, p

    def solved(self, j: int, x: float, side: int, p: float) -> float:
        """q1 before the lot; q0 itself where it lies on the other side."""
        q0, multiplier = self.position[j], self.markets[j].multiplier
        if p <= 0:
            return 0.0
        equity = self.equity(self.marked(j, p))
        rate = self.costs.taker + self.costs.per_unit / (p * multiplier)
        q1 = self.formula(q0, x, side, p * multiplier, equity, rate)
        if (q1 - q0) * side <= 0:
            return q0
        if self.costs.minimum > rate * p * multiplier * abs(q1 - q0) and self.costs.minimum > 0:
            q1 = self.formula(q0, x, side, p * multiplier, equity - self.costs.minimum, 0.0)
            if (q1 - q0) * side <= 0:
                return q0
        return q1

    @staticmethod
    def formula(q0: float, x: float, side: int, unit: float, equity: float, f: float) -> float:
        """The three cases; ``unit`` is p · M."""
        if equity <= 0:
            return 0.0
        if q0 == 0 or sign(x) != sign(q0):
            base, divisor = equity - f * unit * abs(q0), unit * (1 + abs(x) * f)
        elif side == sign(q0):
            base, divisor = equity + f * unit * abs(q0), unit * (1 + abs(x) * f)
        else:
            base, divisor = equity - f * unit * abs(q0), unit * (1 - abs(x) * f)
        return x * base / divisor if base > 0 and divisor > 0 else 0.0

    def cut(self, j: int, side: int, q1: float, p: float) -> float:
        """The target that buying power leaves of q1; q0 where nothing fits (section 7)."""
        q0, unit, limit = self.position[j], p * self.markets[j].multiplier, self.rules.leverage
        quantity = abs(q1 - q0)
        if self.reduces_only(j, side, quantity) or self.affords(j, side, quantity, p, self.fee(j, quantity, p, maker=False)):
            return q1
        f = self.costs.taker + self.costs.per_unit / unit
        room = limit * self.equity(self.marked(j, p)) - self.gross(without=j)
        enlarging = q0 != 0 and sign(q0) == sign(q1)
        held = abs(q0) if enlarging else -abs(q0)
        size = (room + limit * f * unit * held) / (unit * (1 + limit * f))
        if self.costs.minimum > 0 and self.costs.minimum > f * unit * abs(size - held):
            size = (room - limit * self.costs.minimum) / unit
        size = max(round_down(size, self.markets[j].lot), max(held, 0.0))
        return sign(q1) * size

    # Section 8.
    def under_water(self, marks: list[float]) -> bool:
        if not any(self.position):
            return False
        equity = self.equity(marks)
        return equity <= 0 or equity < self.rules.maintenance * self.gross(marks)

    def liquidation_price(self) -> float:
        q, m, unit = self.position[0], self.rules.maintenance, self.markets[0].multiplier
        if q > 0:
            return -self.cash / (q * unit * (1 - m))
        return self.cash / (-q * unit * (1 + m))

    # Sections 7 and 9: what a fill does.
    def execute(
        self,
        now: Now,
        j: int,
        side: int,
        quantity: float,
        reference: float,
        *,
        limit: bool,
        maker: bool,
        why: str,
        order: int,
        late: bool,
    ) -> float:
        """Fill; returns the price."""
        price = reference if limit else self.slipped(j, side, reference, quantity, now.volume[j])
        multiplier = self.markets[j].multiplier
        fee = self.fee(j, quantity, price, maker=maker)
        slippage = abs(price - reference) * quantity * multiplier
        q0 = self.position[j]
        closing = min(quantity, abs(q0)) if sign(q0) == -side else 0.0
        opening = quantity - closing if quantity - closing > DUST * quantity else 0.0
        trade = self.current[j]
        if closing > 0 and trade is not None:
            self.excursion(j, price, q0)
            trade.exit_quantity += closing
            trade.exit_value += closing * price
            trade.fees += fee * closing / quantity if opening else fee
            trade.held -= closing
            trade.exit_bar, trade.exit_reason = self.bar, why
        after = q0 + side * quantity
        if abs(after) <= DUST * quantity:
            after = 0.0
        if closing > 0 and trade is not None and (after == 0.0 or sign(after) == side):
            self.finish_trade(j)
        if opening > 0:
            if self.current[j] is None:
                self.current[j] = Trade(j, side, self.bar, why, late=late)
            trade = self.current[j]
            assert trade is not None
            trade.entry_quantity += opening
            trade.entry_value += opening * price
            trade.fees += fee * opening / quantity if closing else fee
            trade.cost = (trade.cost * trade.held + opening * price) / (trade.held + opening)
            trade.held += opening
            trade.peak = max(trade.peak, trade.held)
        self.position[j] = after
        self.cash += -side * quantity * price * multiplier - fee
        self.paid["fees"] += fee
        self.paid["slippage"] += slippage
        now.used[j] += quantity
        self.fills.append(Fill(self.bar, order, j, side, quantity, price, fee, slippage, maker, why))
        return price

    def finish_trade(self, j: int) -> None:
        trade = self.current[j]
        assert trade is not None
        trade.open = False
        trade.pnl = trade.side * (trade.exit_value - trade.entry_value) * self.markets[j].multiplier - trade.fees
        self.trades.append(trade)
        self.current[j] = None

    def excursion(self, j: int, price: float, quantity: float) -> None:
        trade = self.current[j]
        if trade is None or quantity == 0.0:
            return
        result = (price - trade.cost) * quantity * self.markets[j].multiplier
        trade.mae, trade.mfe = min(trade.mae, result), max(trade.mfe, result)

    def excursions(self, now: Now) -> None:
        """At the end of a bar: the position then held at H and L, or at C where it was opened inside the bar."""
        for j, q in enumerate(self.position):
            trade = self.current[j]
            if trade is None or not now.present(j):
                continue
            for price in (now.close[j],) if trade.late else (now.high[j], now.low[j]):
                self.excursion(j, price, q)
            trade.late = False

    def excursions_at_close(self, now: Now) -> None:
        """After the closing phase: what was opened in it, at C."""
        for j, q in enumerate(self.position):
            trade = self.current[j]
            if trade is not None and trade.late:
                self.excursion(j, now.close[j], q)
                trade.late = False

    def finish(self, last: int) -> None:
        """Open trades come last, by instrument, with the last mark as the exit of what is left."""
        for trade in self.current:
            if trade is None:
                continue
            self.trades.append(trade)
            rest = abs(self.position[trade.instrument])
            trade.exit_quantity += rest
            trade.exit_value += rest * self.mark[trade.instrument]
            trade.exit_bar = last
            trade.pnl = (
                trade.side * (trade.exit_value - trade.entry_value) * self.markets[trade.instrument].multiplier - trade.fees
            )

    # Section 2: carry, corporate actions, funding.
    def carry(self, seconds: float) -> None:
        negative = max(-self.cash, 0.0)
        borrow = sum(
            -q * self.last_close[j] * self.markets[j].multiplier * self.costs.borrow * seconds / YEAR
            for j, q in enumerate(self.position)
            if q < 0
        )
        interest = negative * self.costs.interest * seconds / YEAR
        self.paid["borrow"] += borrow
        self.paid["interest"] += interest
        self.cash -= borrow + interest

    def fund(self, j: int, price: float, rate: float) -> None:
        amount = self.position[j] * price * self.markets[j].multiplier * rate
        self.paid["funding"] += amount
        self.cash -= amount

    def dividend(self, j: int, amount: float) -> None:
        money = self.position[j] * amount * self.markets[j].multiplier
        self.paid["dividends"] += money
        self.cash += money

    def split(self, j: int, ratio: float, orders: list[Order], *, absent: bool) -> None:
        self.position[j] *= ratio
        self.last_close[j] /= ratio
        if absent:
            self.mark[j] = self.last_close[j]
        trade = self.current[j]
        if trade is not None:
            trade.entry_quantity *= ratio
            trade.exit_quantity *= ratio
            trade.held *= ratio
            trade.peak *= ratio
            trade.cost /= ratio
        for order in orders:
            if order.instrument == j and order.alive:
                order.quantity *= ratio
                order.filled *= ratio
                order.limit /= ratio
                order.stop /= ratio
                order.trail /= ratio
                order.extreme /= ratio
