"""What an event-driven strategy is given, and the loop that calls it bar by bar.

The strategy sees its fills at once, from the same kernel that simulates its orders again afterwards: only the table of
its intents leaves the sandbox, and ``simulate(bars, intents=…)`` makes the result of it. Both come to the same fills,
because both are the same code on the same bars.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from clusterx.errors import DomainError
from strategies.engine import layout as at
from strategies.engine.kernel import begin_deciding, cancel_order, place, replace, whole_bar
from strategies.engine.layout import Action, Kind, Status, TimeInForce
from strategies.engine.model import Costs, Floats, Market, Rules, markets_table, rules_row
from strategies.engine.series import INTENT_SIZE, Series
from strategies.engine.simulation import new_state, series_of, with_room
from strategies.engine.state import State

if TYPE_CHECKING:
    from marketdata.bars import Bars
    from strategies.contract import EventStrategy, Parameters

MOST_WORKING = 1_000
Tif = Literal["GTC", "IOC", "DAY"]


class InvalidOrder(DomainError):
    """An order that a strategy asked for cannot be one."""

    code = "invalid-order"


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order that works or waits for its parent, as the strategy sees it."""

    id: int
    side: int
    kind: str
    quantity: float
    filled: float
    limit: float | None
    stop: float | None
    trail: float | None
    reduce_only: bool
    parent: int
    waiting: bool


class Context:
    """The bar that has just closed, the account, and the ways to trade.

    ``index``, ``time`` (epoch seconds of the opening), ``open``, ``high``, ``low``, ``close``, ``volume`` are of that bar.
    Quantities are units of the instrument, prices and money in its quote currency.
    """

    def __init__(
        self, bars: Bars, p: Parameters, *, market: Market | None = None, costs: Costs | None = None,
        rules: Rules | None = None, cash: float = 10_000.0,
    ) -> None:  # fmt: skip
        market, costs, rules = market or Market(), costs or Costs(), rules or Rules()
        _, markets = markets_table(market, 1)
        self.p = p
        self.index = -1
        self.time = 0
        self.open = self.high = self.low = self.close = self.volume = math.nan
        self._bars = bars
        self._state: State = new_state(markets, rules_row(costs, rules), cash, 1024)
        self._series: Series = series_of([bars])
        self._always = bool(costs.borrow or costs.interest or rules.leverage > 1 or rules.maintenance)
        self._intents: list[tuple[float, ...]] = []
        self._next_id = 1
        self._fresh = False  # orders were placed, changed or filled with the last bar: the next one must be simulated
        self._above, self._below = math.inf, -math.inf  # prices beyond which a working order could do something
        self._entry = math.nan
        self._entry_fills = 0

    # -- what there is to know --------------------------------------------------------------------------------------

    @property
    def bars(self) -> Bars:
        """All bars up to now; views, oldest first."""
        return self._bars[: self.index + 1]

    @property
    def position(self) -> float:
        """Units held; negative when short."""
        return float(self._state.instruments[0, at.POSITION])

    @property
    def cash(self) -> float:
        return float(self._state.account[at.CASH])

    @property
    def equity(self) -> float:
        """Account value at this close."""
        mark = self.close if self.close == self.close else float(self._state.instruments[0, at.MARK])
        return self.cash + self.position * mark * float(self._state.markets[0, at.MULTIPLIER])

    @property
    def entry_price(self) -> float | None:
        """The mean price at which the position was entered; None when flat."""
        fills = self._state.fills
        for f in range(self._entry_fills, int(self._state.counts[at.FILLS])):
            after, side, price = fills[f, at.FILL_POSITION], fills[f, at.FILL_SIDE], fills[f, at.FILL_PRICE]
            before = after - side * fills[f, at.FILL_QUANTITY]
            if after == 0:
                self._entry = math.nan
            elif before * after <= 0:
                self._entry = price
            elif abs(after) > abs(before):
                self._entry = (self._entry * abs(before) + price * fills[f, at.FILL_QUANTITY]) / abs(after)
        self._entry_fills = int(self._state.counts[at.FILLS])
        return None if math.isnan(self._entry) else self._entry

    @property
    def orders(self) -> list[OrderView]:
        """Orders that work or wait, by id."""
        return [self._view(row) for row in self._working()]

    # -- what there is to do ----------------------------------------------------------------------------------------

    def buy(
        self, quantity: float, *, limit: float | None = None, stop: float | None = None, trail: float | None = None,
        tif: Tif = "GTC", reduce_only: bool = False, stop_loss: float | None = None, take_profit: float | None = None,
        trailing_stop: float | None = None, reason: int = 0,
    ) -> int:  # fmt: skip
        """Buy ``quantity`` from the next bar on; returns the order's id.

        A market order; with ``limit`` a limit, with ``stop`` a stop, with both a stop-limit, with ``trail`` a trailing stop.
        ``stop_loss``, ``take_profit`` (prices) and ``trailing_stop`` (distance) are placed when it fills; one ends the others.
        Raises InvalidOrder where a number makes no sense.
        """
        return self._enter(1, quantity, limit, stop, trail, tif, reduce_only, stop_loss, take_profit, trailing_stop, reason)

    def sell(
        self, quantity: float, *, limit: float | None = None, stop: float | None = None, trail: float | None = None,
        tif: Tif = "GTC", reduce_only: bool = False, stop_loss: float | None = None, take_profit: float | None = None,
        trailing_stop: float | None = None, reason: int = 0,
    ) -> int:  # fmt: skip
        """As ``buy``, the other way round."""
        return self._enter(-1, quantity, limit, stop, trail, tif, reduce_only, stop_loss, take_profit, trailing_stop, reason)

    def target(self, exposure: float, *, reason: int = 0) -> int | None:
        """A market order that brings the position to ``exposure`` (-1 to 1) of equity; None where nothing is to do.

        The size is of this close, so that after a gap the fee may not be covered: stay a little below 1.
        """
        if not -1 <= exposure <= 1:
            raise InvalidOrder(f"exposure must be in -1..1, was {exposure!r}", field="exposure")
        unit = self.close * float(self._state.markets[0, at.MULTIPLIER])
        change = exposure * max(0.0, self.equity) / unit - self.position
        if exposure == 0:
            return self.close_position(reason=reason)
        if change == 0:
            return None
        return self._place(1 if change > 0 else -1, Kind.MARKET, abs(change), reason=reason)

    def close_position(self, *, reason: int = 0) -> int | None:
        """A market order that closes the position; None when flat."""
        held = self.position
        if held == 0:
            return None
        return self._place(-1 if held > 0 else 1, Kind.MARKET, abs(held), reduce_only=True, reason=reason)

    def cancel(self, order_id: int) -> None:
        """Cancel an order; one that is over already is left alone."""
        self._say((self.index, order_id, 0, Action.CANCEL, 1, 0, *[math.nan] * 4, 0, 0, 0, 0, 0))
        cancel_order(self._state, float(order_id))

    def cancel_all(self) -> None:
        for row in self._working():
            self.cancel(int(self._state.orders[row, at.ID]))

    def replace(
        self, order_id: int, *, quantity: float | None = None, limit: float | None = None, stop: float | None = None,
        trail: float | None = None,
    ) -> None:  # fmt: skip
        """Give an order new numbers; what is left out stays."""
        numbers = [price("quantity", quantity), price("limit", limit), price("stop", stop), price("trail", trail)]
        row = np.array(self._say((self.index, order_id, 0, Action.REPLACE, 1, 0, *numbers, 0, 0, 0, 0, 0)))
        replace(self._state, row)

    # -- inside -----------------------------------------------------------------------------------------------------

    @property
    def intents(self) -> Floats:
        """All that was decided, (m, 15): what ``simulate`` takes."""
        return np.array(self._intents, dtype=np.float64).reshape(-1, INTENT_SIZE)

    def _enter(
        self, side: int, quantity: float, limit: float | None, stop: float | None, trail: float | None, tif: Tif,
        reduce_only: bool, stop_loss: float | None, take_profit: float | None, trailing_stop: float | None, reason: int,
    ) -> int:  # fmt: skip
        if trail is not None and (limit is not None or stop is not None):
            raise InvalidOrder("trail goes with neither limit nor stop", field="trail")
        kind = Kind.TRAILING if trail is not None else Kind.STOP_LIMIT if limit is not None and stop is not None else None
        if kind is None:
            kind = Kind.LIMIT if limit is not None else Kind.STOP if stop is not None else Kind.MARKET
        name = self._place(side, kind, quantity, limit, stop, trail, tif, reduce_only, reason=reason)
        group = name if sum(level is not None for level in (stop_loss, take_profit, trailing_stop)) > 1 else 0
        if stop_loss is not None:
            self._place(-side, Kind.STOP, quantity, stop=stop_loss, reduce_only=True, parent=name, group=group, reason=reason)
        if trailing_stop is not None:
            self._place(
                -side, Kind.TRAILING, quantity, trail=trailing_stop, reduce_only=True, parent=name, group=group, reason=reason
            )
        if take_profit is not None:
            self._place(
                -side, Kind.LIMIT, quantity, limit=take_profit, reduce_only=True, parent=name, group=group, reason=reason
            )
        return name

    def _place(
        self, side: int, kind: Kind, quantity: float, limit: float | None = None, stop: float | None = None,
        trail: float | None = None, tif: Tif = "GTC", reduce_only: bool = False, parent: int = 0, group: int = 0,
        reason: int = 0,
    ) -> int:  # fmt: skip
        if tif not in TimeInForce.__members__:
            raise InvalidOrder(f"tif must be GTC, IOC or DAY, was {tif!r}", field="tif")
        if self._state.counts[at.ACTIVE] >= MOST_WORKING:
            raise InvalidOrder(f"{MOST_WORKING} orders may work at once", field="orders")
        numbers = [price("quantity", quantity), price("limit", limit), price("stop", stop), price("trail", trail)]
        name = self._next_id
        self._next_id += 1
        intent = self._say(
            (self.index, name, 0, Action.PLACE, side, kind, *numbers, TimeInForce[tif], reduce_only, parent, group, int(reason))
        )
        if self._state.counts[at.ORDERS] + 1 >= len(self._state.orders):
            self._state = with_room(self._state, 4 * len(self._state.orders))
        place(self._state, self._series, self.index, np.array(intent, dtype=np.float64))
        return name

    def _say(self, intent: tuple[float, ...]) -> tuple[float, ...]:
        if not self._fresh:
            begin_deciding(self._state, self._series, self.index)
            self._fresh = True
        self._intents.append(intent)
        return intent

    def _working(self) -> Iterator[int]:
        for index in range(int(self._state.counts[at.ACTIVE])):
            row = int(self._state.active[index])
            if self._state.orders[row, at.STATUS] in (Status.WORKING, Status.WAITING):
                yield row

    def _view(self, row: int) -> OrderView:
        order = self._state.orders[row].tolist()

        def number(value: float) -> float | None:
            return None if math.isnan(value) else value

        return OrderView(
            int(order[at.ID]), int(order[at.SIDE]), Kind(int(order[at.KIND])).name.lower().replace("_", "-"),
            order[at.QUANTITY], order[at.FILLED], number(order[at.LIMIT]), number(order[at.STOP]), number(order[at.TRAIL]),
            bool(order[at.REDUCE_ONLY]), int(order[at.PARENT]), order[at.STATUS] == Status.WAITING,
        )  # fmt: skip

    def _simulate(self, i: int) -> None:
        """Bar ``i`` against the orders that work."""
        state = self._state
        need = int(state.counts[at.ACTIVE]) + 6
        if state.counts[at.FILLS] + need > len(state.fills) or state.counts[at.ORDERS] + need > len(state.orders):
            state = self._state = with_room(state, 4 * len(state.fills))
        if i > 0 and not self._fresh:
            begin_deciding(state, self._series, i - 1)  # marks of the bars that were passed over
        before = int(state.counts[at.FILLS])
        whole_bar(state, self._series, i, False)
        self._watch(again=int(state.counts[at.FILLS]) > before)

    def _watch(self, again: bool) -> None:
        """Find out which of the next bars must be simulated: those that reach an order, or all of them."""
        self._fresh = False
        above, below = math.inf, -math.inf
        if self._always or again or self.position < 0 or self.cash < -1e-9 * abs(self.equity or 1.0):
            above = -math.inf
        else:
            for row in self._working():
                order = self._state.orders[row]
                if order[at.STATUS] == Status.WAITING:
                    continue
                kind = order[at.KIND]
                if kind in (Kind.MARKET, Kind.TRAILING) or order[at.TRIGGERED] or order[at.TIME_IN_FORCE] != TimeInForce.GTC:
                    above = -math.inf
                    break
                for level in (order[at.LIMIT], order[at.STOP]):
                    if level == level:
                        rising = (order[at.SIDE] > 0) == (level == order[at.STOP] and kind != Kind.LIMIT)
                        above, below = (min(above, level), below) if rising else (above, max(below, level))
        self._above, self._below = above, below


def price(name: str, value: float | None) -> float:
    """``value`` as a float, NaN for None. Raises InvalidOrder unless it is a number above 0."""
    if value is None:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < 1e18:
        raise InvalidOrder(f"{name} must be a number above 0, was {value!r}", field=name)
    return number


def run_events(
    strategy: EventStrategy, bars: Bars, p: Parameters, *, market: Market | None = None, costs: Costs | None = None,
    rules: Rules | None = None, cash: float = 10_000.0,
) -> Floats:  # fmt: skip
    """Call ``strategy`` after each close; returns its intents, (m, 15), for ``simulate``."""
    ctx = Context(bars, p, market=market, costs=costs, rules=rules, cash=cash)
    strategy.start(ctx)
    on_bar = strategy.on_bar
    columns = [column.tolist() for column in bars.columns]
    for i, (time, opened, high, low, close, volume) in enumerate(zip(*columns, strict=True)):
        ctx.time, ctx.open, ctx.high, ctx.low, ctx.close, ctx.volume = time, opened, high, low, close, volume
        if ctx._fresh or high >= ctx._above or low <= ctx._below:
            ctx._simulate(i)
        ctx.index = i
        on_bar(ctx)
    return ctx.intents
