"""A small exchange: balances or a margin wallet, orders, fills. What a local venue's protocol is spoken over, and the truth
that tests compare with. Its clock is given to it; it is used by one thread at a time (``lock`` where a server has others).
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)


class Refusal(Exception):
    """The exchange said no; ``code`` as of ``trading.brokers.protocol.Refused``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Listed:
    """Something that is traded: ``symbol`` as the venue writes it."""

    symbol: str
    base: str
    quote: str
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("0.0001")
    min_notional: Decimal = Decimal(5)
    multiplier: Decimal = Decimal(1)


@dataclass
class Execution:
    id: int
    order: Resting
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    at: datetime
    maker: bool


@dataclass
class Resting:
    """An order, open or over. ``status``: open, filled, cancelled, expired."""

    id: int
    client_order_id: str
    symbol: str
    side: str  # buy, sell
    type: str  # market, limit, stop, stop-limit
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    reduce_only: bool
    created_at: datetime
    updated_at: datetime
    status: str = "open"
    filled: Decimal = ZERO
    triggered: bool = False
    executions: list[Execution] = field(default_factory=list)

    @property
    def rest(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal | None:
        return sum((one.price * one.quantity for one in self.executions), ZERO) / self.filled if self.filled else None


def now() -> datetime:
    return datetime.now(UTC)


class Exchange:
    """One account's world.

    Parameters
    ----------
    money : mapping
        What the account begins with, by currency.
    fee_rate : Decimal
        Of the notional; ``fee_in_base`` takes it from what is bought, as spot venues do for purchases.
    margin : bool
        A margin wallet with positions instead of balances for each coin; shorts are allowed.
    shorts : bool
        Cash account that may sell what it does not hold (stocks): positions are signed, proceeds are cash.
    holds_coins : bool
        Spot: what is bought is a balance. Otherwise it is a position.
    unique_ids : "ever" or "open"
    """

    def __init__(
        self,
        *listed: Listed,
        money: dict[str, Decimal],
        fee_rate: Decimal = Decimal("0.001"),
        fee_in_base: bool = False,
        margin: bool = False,
        shorts: bool = False,
        holds_coins: bool = True,
        unique_ids: str = "ever",
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.listed = {one.symbol: one for one in listed}
        self.balances: dict[str, Decimal] = defaultdict(lambda: ZERO, money)
        self.positions: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self.entry_cost: dict[str, Decimal] = defaultdict(lambda: ZERO)  # signed money that open positions cost
        self.fee_rate, self.fee_in_base = fee_rate, fee_in_base
        self.margin, self.shorts, self.holds_coins, self.unique_ids = margin, shorts, holds_coins, unique_ids
        self.clock = clock
        self.prices: dict[str, Decimal] = {}
        self.liquidity: dict[str, Decimal | None] = defaultdict(lambda: None)  # most that one step fills; None: all
        self.orders: dict[int, Resting] = {}
        self.fills: list[Execution] = []
        self.flows: list[tuple[int, str, str, Decimal, datetime]] = []  # id, kind, currency, amount, time
        self.listeners: list[Callable[[Resting, Execution | None], None]] = []
        self.seen: dict[str, int] = defaultdict(int)  # how many orders were accepted of each client order id
        self._ids = itertools.count(1001)
        self.lock = threading.RLock()

    # -- what a client does ----------------------------------------------------------------------------------------

    def submit(
        self,
        *,
        client_order_id: str,
        symbol: str,
        side: str,
        type: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: str = "gtc",
        reduce_only: bool = False,
    ) -> Resting:
        """Take an order and match it. Raises Refusal."""
        with self.lock:
            self._check(client_order_id, symbol, side, type, quantity, limit_price, stop_price, reduce_only)
            at = self.clock()
            order = Resting(
                next(self._ids), client_order_id, symbol, side, type, quantity, limit_price, stop_price,
                time_in_force, reduce_only, at, at,
            )  # fmt: skip
            self.orders[order.id] = order
            self.seen[client_order_id] += 1
            self._tell(order, None)
            self._match(order, arriving=True)
            return order

    def cancel(self, order: Resting) -> Resting:
        """Raises Refusal("not-open")."""
        with self.lock:
            if order.status != "open":
                raise Refusal("not-open", f"the order is {order.status}")
            self._end(order, "cancelled")
            return order

    def by_client_id(self, client_order_id: str) -> Resting | None:
        """The newest order of that id."""
        with self.lock:
            found = [one for one in self.orders.values() if one.client_order_id == client_order_id]
            return found[-1] if found else None

    def open_orders(self) -> list[Resting]:
        with self.lock:
            return [one for one in self.orders.values() if one.status == "open"]

    # -- what the world does ---------------------------------------------------------------------------------------

    def move(self, symbol: str, price: Decimal | str) -> None:
        """The market trades at ``price``; resting orders are matched."""
        with self.lock:
            self.prices[symbol] = Decimal(price)
            for order in self.open_orders():
                if order.symbol == symbol:
                    self._match(order, arriving=False)

    def flow(self, kind: str, currency: str, amount: Decimal) -> int:
        """Money comes or goes without a trade."""
        with self.lock:
            self.balances[currency] += amount
            self.flows.append((next(self._ids), kind, currency, amount, self.clock()))
            return self.flows[-1][0]

    # -- the books -------------------------------------------------------------------------------------------------

    def held(self, currency: str) -> Decimal:
        """What open orders tie up of a balance."""
        total = ZERO
        for order in self.open_orders():
            one = self.listed[order.symbol]
            if self.margin or not self.holds_coins:
                continue
            if order.side == "sell" and one.base == currency:
                total += order.rest
            elif order.side == "buy" and one.quote == currency:
                price = order.limit_price or order.stop_price or self.prices[order.symbol]
                total += order.rest * price
        return total

    def _check(
        self, client_order_id: str, symbol: str, side: str, type: str, quantity: Decimal,
        limit_price: Decimal | None, stop_price: Decimal | None, reduce_only: bool,
    ) -> None:  # fmt: skip
        one = self.listed.get(symbol)
        if one is None:
            raise Refusal("unknown-symbol", f"there is no {symbol}")
        same = [order for order in self.orders.values() if order.client_order_id == client_order_id]
        if client_order_id and any(self.unique_ids == "ever" or order.status == "open" for order in same):
            raise Refusal("duplicate-id", "there is an order of this client order id")
        if quantity <= 0 or quantity % one.lot:
            raise Refusal("bad-quantity", f"the quantity must be a multiple of {one.lot}")
        for price in (limit_price, stop_price):
            if price is not None and (price <= 0 or price % one.tick):
                raise Refusal("bad-price", f"the price must be a multiple of {one.tick}")
        price = limit_price or stop_price or self.prices.get(symbol)
        if price is None:
            raise Refusal("market-closed", "there is no price")
        if quantity * price * one.multiplier < one.min_notional and not reduce_only:
            raise Refusal("below-minimum", f"the order must be worth {one.min_notional}")
        if self.margin:
            return
        if side == "buy" and quantity * price * one.multiplier > self.balances[one.quote] - self.held(one.quote):
            raise Refusal("insufficient-funds", "there is not enough money")
        if side == "sell" and not self.shorts:
            has = self.balances[one.base] - self.held(one.base) if self.holds_coins else self.positions[symbol]
            if quantity > has:
                raise Refusal("insufficient-funds", "there is not enough to sell")

    def _match(self, order: Resting, *, arriving: bool) -> None:
        last = self.prices[order.symbol]
        if order.stop_price is not None and not order.triggered:
            through = last >= order.stop_price if order.side == "buy" else last <= order.stop_price
            if not through:
                return
            order.triggered = True
        price, maker = last, False
        if order.limit_price is not None:
            better = last <= order.limit_price if order.side == "buy" else last >= order.limit_price
            if not better:
                if order.time_in_force in {"ioc", "fok"}:
                    self._end(order, "expired")
                return
            if not arriving and order.type == "limit":
                price, maker = order.limit_price, True
        most = self.liquidity[order.symbol]
        size = order.rest if most is None else min(order.rest, most)
        if order.time_in_force == "fok" and size < order.rest:
            self._end(order, "expired")
            return
        if size > 0:
            self._execute(order, size, price, maker)
        if order.status == "open" and order.time_in_force == "ioc":
            self._end(order, "expired")

    def _execute(self, order: Resting, quantity: Decimal, price: Decimal, maker: bool) -> None:
        one = self.listed[order.symbol]
        sign = 1 if order.side == "buy" else -1
        value = quantity * price * one.multiplier
        in_base = self.fee_in_base and order.side == "buy" and self.holds_coins
        fee = (quantity if in_base else value) * self.fee_rate
        currency = one.base if in_base else one.quote
        execution = Execution(next(self._ids), order, quantity, price, fee, currency, self.clock(), maker)
        if self.margin:
            held = self.positions[order.symbol]
            closing = min(abs(held), quantity) if held * sign < 0 else ZERO
            released = self.entry_cost[order.symbol] * closing / abs(held) if closing else ZERO
            self.balances[one.quote] += sign * -1 * closing * price * one.multiplier - released if closing else ZERO
            self.entry_cost[order.symbol] += -released + sign * (quantity - closing) * price * one.multiplier
            self.positions[order.symbol] = held + sign * quantity
        else:
            self.balances[one.quote] -= sign * value
            if self.holds_coins:
                self.balances[one.base] += sign * quantity
            else:
                self.positions[order.symbol] += sign * quantity
        self.balances[currency] -= fee
        order.filled += quantity
        order.updated_at = execution.at
        order.executions.append(execution)
        self.fills.append(execution)
        if order.filled == order.quantity:
            order.status = "filled"
        self._tell(order, execution)

    def _end(self, order: Resting, status: str) -> None:
        order.status, order.updated_at = status, self.clock()
        self._tell(order, None)

    def _tell(self, order: Resting, execution: Execution | None) -> None:
        for listener in self.listeners:
            listener(order, execution)
