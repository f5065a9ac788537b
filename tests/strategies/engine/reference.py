"""An independent, slow simulator of docs/engine.md in plain Python: what the kernel is held to.

Sections in the comments are that page's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan

from tests.strategies.engine.reference_account import (
    DUST,
    Account,
    Now,
    better,
    round_down,
    round_limit,
    round_stop,
    sign,
    worse,
)
from tests.strategies.engine.reference_types import Action, Bars, Costs, Intent, Market, Order, Result, Rows, Rules, Targets

STOPS = ("stop", "stop-limit", "trailing")


@dataclass
class Levels:
    """Protective levels in force for one instrument in one bar (section 6)."""

    stop: float = nan
    kind: str = "stop"
    take: float = nan
    start: float = nan  # a, where the position was opened at this bar's open

    def __bool__(self) -> bool:
        return not (isnan(self.stop) and isnan(self.take))


class Simulator:
    """One run. ``run`` is section 2; the methods below it are one rule each."""

    def __init__(
        self,
        bars: list[Bars],
        targets: Targets | None,
        intents: Sequence[Intent] | None,
        markets: list[Market],
        costs: Costs,
        rules: Rules,
        cash: float,
        detail: list[Bars] | None,
        funding: Rows | None,
        actions: Sequence[Action],
        tradable: Sequence[Sequence[bool]] | None,
        session: Sequence[int] | None,
    ) -> None:
        if targets is not None and intents is not None:
            raise ValueError("targets and intents exclude each other")
        self.bars, self.targets, self.intents, self.rules, self.detail = bars, targets, list(intents or ()), rules, detail
        self.time, self.n, self.k = bars[0].time, len(bars[0].time), len(bars)
        if targets is not None and any(isnan(x) or abs(x) > 1 for row in targets.exposure for x in row):
            raise ValueError("exposures must lie in -1..1")
        self.funding, self.actions, self.tradable = funding, actions, tradable
        self.session = list(session) if session is not None else [int(t // 86400) for t in self.time]
        self.account = Account(markets, costs, rules, cash)
        self.orders: list[Order] = []
        self.by_id: dict[int, Order] = {}
        self.flags = {"bankrupt": 0, "liquidation": 0, "short-not-allowed": 0}
        self.working_target: list[Order | None] = [None] * self.k
        self.rest: list[Order | None] = [None] * self.k  # what the cap left of a protective exit
        self.extreme = [nan] * self.k
        self.trail_level = [nan] * self.k
        self.levels = [Levels() for _ in range(self.k)]
        self.level_ratio = [1.0] * self.k  # splits of this bar, for the levels of the bar before
        self.newest = nan  # price of this bar's newest enlarging fill in phase B or C (section 3, a)
        self.i = 0

    # Section 2.
    def run(self) -> Result:
        account, equity, positions = self.account, [], []
        for i in range(self.n):
            self.i = account.bar = i
            coarse = self.slice(self.bars, i, i)
            self.move_marks(coarse, coarse.open)
            if i > 0:
                account.carry(self.time[i] - self.time[i - 1])
            self.corporate_actions(coarse)
            self.fund(coarse)
            self.expire()
            used = [0.0] * self.k
            for now in self.pieces(coarse):
                self.match(now)
                used = [a + b for a, b in zip(used, now.used, strict=True)]
            coarse.used = used
            self.move_marks(coarse, coarse.close)
            for j in range(self.k):
                if coarse.present(j):
                    account.last_close[j] = coarse.close[j]
            self.decide(coarse)
            equity.append(account.equity())
            positions.append(list(account.position))
        account.finish(self.n - 1)
        return Result(
            equity, positions, account.cash, self.listed(), account.fills, account.trades, dict(account.paid), self.all_flags()
        )

    def slice(self, bars: list[Bars], row: int, i: int) -> Now:
        """One row of all instruments; fillable as in section 1."""
        fillable = []
        for j, b in enumerate(bars):
            present = not any(isnan(x) for x in (b.open[row], b.high[row], b.low[row], b.close[row]))
            allowed = self.tradable is None or bool(self.tradable[i][j])
            fillable.append(present and allowed and (isnan(b.volume[row]) or b.volume[row] > 0))
        return Now(
            [b.open[row] for b in bars],
            [b.high[row] for b in bars],
            [b.low[row] for b in bars],
            [b.close[row] for b in bars],
            [b.volume[row] for b in bars],
            fillable,
            [0.0] * len(bars),
        )

    def pieces(self, coarse: Now) -> list[Now]:
        """The bar itself, or the finer bars that cover it (section 1)."""
        if self.detail is None:
            return [coarse]
        begin = self.time[self.i]
        if self.i + 1 < self.n:
            end = self.time[self.i + 1]
        else:
            end = begin + (begin - self.time[self.i - 1]) if self.n > 1 else inf
        rows = [row for row, t in enumerate(self.detail[0].time) if begin <= t < end]
        finer = [self.slice(self.detail, row, self.i) for row in rows]
        covered = all(any(piece.present(j) for piece in finer) for j in range(self.k) if coarse.present(j))
        return finer if finer and covered else [coarse]

    def move_marks(self, now: Now, prices: list[float]) -> None:
        for j in range(self.k):
            if now.present(j):
                self.account.mark[j] = prices[j]

    def corporate_actions(self, coarse: Now) -> None:
        """Section 2, 3."""
        self.level_ratio = [1.0] * self.k
        for action in self.actions:
            if action.bar != self.i:
                continue
            j = action.instrument
            if action.kind == "dividend":
                self.account.dividend(j, action.value)
            elif action.kind == "split":
                self.account.split(j, action.value, self.orders, absent=not coarse.present(j))
                self.level_ratio[j] *= action.value
                self.extreme[j] /= action.value
                self.trail_level[j] /= action.value
            else:
                raise ValueError(f"an action must be a split or a dividend, was {action.kind!r}")

    def fund(self, coarse: Now) -> None:
        """Section 2, 4."""
        if self.funding is None:
            return
        for j in range(self.k):
            rate = self.funding[self.i][j]
            if coarse.present(j) and not isnan(rate):
                self.account.fund(j, coarse.open[j], rate)

    def expire(self) -> None:
        """Section 2, 5."""
        for order in list(self.orders):
            dated = order.alive and order.tif == "DAY" and 0 <= order.day < self.i
            if dated and self.session[order.day] != self.session[self.i]:
                self.end(order, "expired", "day")

    # Section 3.
    def match(self, now: Now) -> None:
        self.newest = nan
        self.move_marks(now, now.open)
        for j in range(self.k):
            self.levels[j] = self.protective(j)
        if self.flags["bankrupt"]:
            now.fillable = [False] * self.k
        self.phase_open(now, now.open, closing=False)
        for phase in (
            (self.phase_limits, self.phase_stops)
            if self.rules.intrabar == "optimistic"
            else (self.phase_stops, self.phase_limits)
        ):
            for j in range(self.k):
                if now.fillable[j]:
                    phase(now, j)
        if self.k > 1 and not self.flags["bankrupt"]:
            self.test_worst(now)
        self.move_marks(now, now.close)
        self.end_of_bar(now)

    def phase_open(self, now: Now, prices: list[float], *, closing: bool) -> None:
        """Phase A, and the closing phase of section 2, 9 (``closing``)."""
        account = self.account
        if not closing and not self.flags["bankrupt"] and account.under_water(account.mark):
            self.liquidate(now, now.open)
        late = self.rules.fill == "close"
        queue: list[tuple[int, int, int, int, Order | None]] = []
        for j in range(self.k):
            if not now.fillable[j]:
                continue
            if not closing and (self.rest[j] is not None or self.levels[j]):
                queue.append((0, j, 0, 0, None))
            target = self.working_target[j]
            if target is not None and closing == late:
                queue.append((0 if self.shrinks(j, prices[j]) else 1, j, 1, 0, target))
        for order in self.orders:
            if order.origin != "explicit" or order.status != "working" or not now.fillable[order.instrument]:
                continue
            plain = order.kind == "market"
            if (closing and (not plain or order.born == self.i)) or (not closing and plain and late):
                continue
            queue.append((0 if order.reduce_only else 1, order.instrument, 2, order.id, order))
        for _, j, rank, _, order in sorted(queue, key=lambda entry: entry[:4]):
            if rank == 0:
                self.protect_at_open(now, j)
            elif order is not None and order.status == "working":
                if rank == 1:
                    self.trade_target(now, order, prices[j], late=closing)
                else:
                    self.order_at_open(now, order, prices[j], late=closing)
        if closing:
            for *_, order in queue:
                if order is not None and order.status == "working" and order.tif == "IOC":
                    self.end(order, "cancelled", "ioc")

    def order_at_open(self, now: Now, order: Order, price: float, *, late: bool) -> None:
        if order.kind == "market" or (order.triggered and order.kind != "stop-limit"):
            self.attempt(now, order, price, limit=False, maker=False, phase="A", late=late)
            return
        if order.kind in STOPS and not order.triggered:
            level = self.stop_level(order)
            if isnan(level) or (price < level if order.side > 0 else price > level):
                return
            order.triggered = True
            if order.kind != "stop-limit":
                self.attempt(now, order, price, limit=False, maker=False, phase="A")
                return
        if self.through(order.side, price, order.limit):
            self.attempt(now, order, price, limit=True, maker=order.rested, phase="A")

    def phase_stops(self, now: Now, j: int) -> None:
        """Phase B."""
        while True:
            found: list[tuple[int, float, int, int, Order | None, float]] = []
            for order in self.orders:
                if order.instrument != j or order.status != "working" or order.kind not in STOPS or order.triggered:
                    continue
                if order.origin != "explicit" or order.fresh == "C" or (order.fresh == "B" and order.side == order.parent_side):
                    continue
                price = self.reached_stop(now, order)
                if price is not None:
                    found.append((0 if order.reduce_only else 1, abs(price - now.open[j]), 1, order.id, order, price))
            protective = self.reached_protective(now, j)
            if protective is not None:
                found.append((0, abs(protective - now.open[j]), 1, 0, None, protective))
            price = self.reached_liquidation(now)
            if price is not None:
                found.append((0, abs(price - now.open[j]), 0, 0, None, price))
            if not found:
                return
            _, _, rank, _, order, price = min(found, key=lambda entry: entry[:4])
            if order is not None:
                self.trigger(now, order, price, "B")
            elif rank == 0:
                self.liquidate(now, [price])
            else:
                doubtful = self.take_in_reach(now, j)
                self.protect(now, j, self.levels[j].kind, price, limit=False, maker=False, doubtful=doubtful)

    def trigger(self, now: Now, order: Order, price: float, phase: str) -> None:
        """A stop within the range: fills, or becomes a limit order (section 3, phase B)."""
        j, side = order.instrument, order.side
        order.triggered = True
        if order.kind == "stop-limit":
            order.idle = True
            if self.through(side, now.close[j], order.limit):
                edge = now.high[j] if side > 0 else now.low[j]
                self.attempt(now, order, better(side, order.limit, edge), limit=True, maker=True, phase=phase)
            return
        reducing = sign(self.account.position[j]) == -side
        doubtful = phase == "B" and reducing and (order.fresh == "B" or self.limit_in_reach(now, order))
        self.attempt(now, order, price, limit=False, maker=False, phase=phase, doubtful=doubtful)

    def phase_limits(self, now: Now, j: int) -> None:
        """Phase C."""
        tried: set[int] = set()
        while True:
            found: list[tuple[int, int, Order | None]] = [
                (0 if order.reduce_only else 1, order.id, order)
                for order in self.orders
                if order.id not in tried
                and order.instrument == j
                and order.status == "working"
                and self.limit_reached(now, order)
            ]
            if 0 not in tried and self.take_in_reach(now, j):
                found.append((0, 0, None))
            if not found:
                return
            _, number, order = min(found, key=lambda entry: entry[:2])
            tried.add(number)
            optimistic = self.rules.intrabar == "optimistic"
            if order is None:
                levels = self.levels[j]
                doubtful = optimistic and self.reached_protective(now, j) is not None
                side = -sign(self.account.position[j])
                price = levels.take if isnan(levels.start) else better(side, levels.take, levels.start)
                self.protect(now, j, "take-profit", price, limit=True, maker=True, doubtful=doubtful)
                continue
            price = better(order.side, order.limit, order.start) if order.fresh else order.limit
            reducing = sign(self.account.position[j]) == -order.side
            doubtful = optimistic and reducing and self.stop_in_reach(now, order)
            before = self.account.position[j]
            if self.attempt(now, order, price, limit=True, maker=True, phase="C", doubtful=doubtful):
                self.after_limit(now, order, price, before)

    def after_limit(self, now: Now, parent: Order, price: float, before: float) -> None:
        """Section 4, 4: the stops attached to an entry of phase C, and the liquidation price."""
        j = parent.instrument
        while True:
            found: list[tuple[float, int, int, Order | None, float]] = []
            for order in self.orders:
                if order.parent == parent.id and order.fresh == "C" and order.kind in STOPS and order.status == "working":
                    if order.triggered or order.side == parent.side:
                        continue
                    at = self.reached_stop(now, order)
                    if at is not None:
                        found.append((abs(at - price), 1, order.id, order, at))
            at = self.reached_liquidation(now) if self.enlarged(before, self.account.position[j]) else None
            if at is not None:
                found.append((abs(at - price), 0, 0, None, at))
            if not found:
                return
            *_, order, at = min(found, key=lambda entry: entry[:3])
            if order is None:
                self.liquidate(now, [at])
                return
            self.trigger(now, order, at, "C")

    # Reach of one order in one bar (section 3).
    def through(self, side: int, price: float, limit: float) -> bool:
        if self.rules.touch:
            return price <= limit if side > 0 else price >= limit
        return price < limit if side > 0 else price > limit

    def stop_level(self, order: Order) -> float:
        if order.kind != "trailing":
            return order.stop
        level = order.extreme + order.trail if order.side > 0 else order.extreme - order.trail
        tick = self.account.markets[order.instrument].tick
        return level if isnan(level) else round_stop(order.side, level, tick, reducing=order.reduce_only)

    def reached_stop(self, now: Now, order: Order) -> float | None:
        """The price at which a stop within the range fills; None where it is not reached."""
        level, j = self.stop_level(order), order.instrument
        if isnan(level) or not (now.high[j] >= level if order.side > 0 else now.low[j] <= level):
            return None
        return worse(order.side, level, order.start) if order.fresh else level

    def limit_reached(self, now: Now, order: Order) -> bool:
        """Whether a limit fills in phase C, by sections 3 and 4."""
        if order.origin != "explicit" or order.idle:
            return False
        if order.kind != "limit" and not (order.kind == "stop-limit" and order.triggered):
            return False
        j, side = order.instrument, order.side
        if order.fresh in ("B", "C") and side == order.parent_side:
            return False
        if order.fresh == "B" and self.rules.intrabar == "optimistic":
            return False
        if order.fresh == "C":
            return self.through(side, now.close[j], order.limit)
        return self.through(side, now.low[j] if side > 0 else now.high[j], order.limit)

    def reached_protective(self, now: Now, j: int) -> float | None:
        levels, q = self.levels[j], self.account.position[j]
        if isnan(levels.stop) or q == 0.0 or self.rest[j] is not None:
            return None
        if now.low[j] > levels.stop if q > 0 else now.high[j] < levels.stop:
            return None
        return levels.stop if isnan(levels.start) else worse(-sign(q), levels.stop, levels.start)

    def take_in_reach(self, now: Now, j: int) -> bool:
        levels, q = self.levels[j], self.account.position[j]
        if isnan(levels.take) or q == 0.0 or self.rest[j] is not None:
            return False
        return self.through(-sign(q), now.high[j] if q > 0 else now.low[j], levels.take)

    def limit_in_reach(self, now: Now, stop: Order) -> bool:
        """Section 4, 1: a limit on the stop's side that phase C of this bar would fill."""
        return any(
            other is not stop
            and other.instrument == stop.instrument
            and other.side == stop.side
            and other.status == "working"
            and self.limit_reached(now, other)
            for other in self.orders
        )

    def stop_in_reach(self, now: Now, limit: Order) -> bool:
        return any(
            other is not limit
            and other.origin == "explicit"
            and other.instrument == limit.instrument
            and other.side == limit.side
            and other.status == "working"
            and other.kind in STOPS
            and not other.triggered
            and other.fresh != "C"
            and self.reached_stop(now, other) is not None
            for other in self.orders
        )

    def mark_ambiguous(self, j: int) -> None:
        trade = self.account.current[j]
        if trade is not None:
            trade.ambiguous = True

    # Section 7: the checks of an explicit order at its fill, and the fill.
    def attempt(
        self,
        now: Now,
        order: Order,
        price: float,
        *,
        limit: bool,
        maker: bool,
        phase: str,
        late: bool = False,
        doubtful: bool = False,
    ) -> bool:
        """Whether the order filled something. ``price`` is before slippage."""
        account, j, side = self.account, order.instrument, order.side
        market, q0, quantity = account.markets[j], account.position[j], order.left
        if order.reduce_only:
            if q0 == 0.0 or sign(q0) == side:
                self.end(order, "cancelled", "nothing-to-reduce")
                return False
            if abs(q0) < quantity:
                quantity = abs(q0)
                order.quantity = order.filled + quantity
        after = q0 + side * quantity
        checked = price if limit else account.slipped(j, side, price, quantity, now.volume[j])
        if side < 0 and not market.short and after < -DUST * quantity:
            self.end(order, "rejected", "short-not-allowed")
            return False
        closes = q0 != 0.0 and abs(after) <= DUST * quantity
        if order.quantity * checked * market.multiplier < market.minimum_notional * (1 - 1e-9) and not closes:
            self.end(order, "rejected", "minimum-notional")
            return False
        fee = account.fee(j, quantity, checked, maker=maker)
        if not account.reduces_only(j, side, quantity) and not account.affords(j, side, quantity, checked, fee):
            self.end(order, "rejected", "buying-power")
            return False
        quantity = min(quantity, account.capacity(j, now.volume[j], now.used[j]))
        if quantity <= 0:
            return False
        if doubtful:
            self.mark_ambiguous(j)
        inside = late or phase in ("B", "C")
        filled_at = account.execute(
            now, j, side, quantity, price, limit=limit, maker=maker, why=order.kind, order=order.id, late=inside
        )
        if phase in ("B", "C") and self.enlarged(q0, account.position[j]):
            self.newest = price
        order.filled += quantity
        whole = order.left <= DUST * order.quantity
        if whole:
            order.status = "filled"
        self.grow_children(order, quantity, price, filled_at, phase, late=late)
        self.shrink_group(order, quantity, whole=whole)
        return True

    @staticmethod
    def enlarged(before: float, after: float) -> bool:
        return after != 0.0 and (sign(after) != sign(before) or abs(after) > abs(before))

    # Section 5: children and groups.
    def grow_children(self, parent: Order, quantity: float, price: float, filled_at: float, phase: str, *, late: bool) -> None:
        for child in self.orders:
            if child.parent != parent.id or child.origin != "explicit" or not child.alive:
                continue
            child.quantity += quantity
            if child.status == "waiting":
                child.status, child.parent_side, child.born = "working", parent.side, self.i
                child.day = self.i + 1 if late else self.i
                if not late:
                    child.fresh, child.start = phase, price
                if child.kind == "trailing":
                    child.extreme = filled_at

    def shrink_group(self, order: Order, quantity: float, *, whole: bool) -> None:
        if order.group == 0:
            return
        for other in list(self.orders):
            if other is order or other.group != order.group or not other.alive or other.origin != "explicit":
                continue
            if whole:
                self.end(other, "cancelled", "group")
            elif other.status == "working":
                before = other.quantity
                other.quantity -= quantity
                if other.left <= DUST * before:
                    self.end(other, "cancelled", "group")

    def end(self, order: Order, status: str, why: str) -> None:
        """An order is over without (wholly) filling; children that wait for it end too."""
        order.status, order.why = status, why
        if order.origin == "target":
            self.working_target[order.instrument] = None
            return
        if order.origin == "protective":
            self.rest[order.instrument] = None
            return
        for child in self.orders:
            if child.parent == order.id and child.origin == "explicit" and child.status == "waiting":
                self.end(child, "cancelled", "parent")

    # Section 6.
    def exposure(self, i: int, j: int) -> float:
        if self.targets is None or i < 0:
            return 0.0
        e = self.targets.exposure[i][j]
        if e < 0 and not self.account.markets[j].short:
            self.flags["short-not-allowed"] = 1
            return 0.0
        return e

    def given(self, rows: Rows | None, j: int) -> float:
        """A level of the bar before, in the prices of this bar."""
        return nan if rows is None else rows[self.i - 1][j] / self.level_ratio[j]

    def protective(self, j: int, start: float = nan) -> Levels:
        """Levels for the position now held: those of bar i-1, rounded, with the trailing level."""
        q = self.account.position[j]
        if self.targets is None or self.i == 0 or q == 0.0:
            self.trail_level[j] = nan
            return Levels()
        if sign(self.exposure(self.i - 1, j)) != sign(q):
            return Levels()
        side, tick = -sign(q), self.account.markets[j].tick
        stop, take, trail = (self.given(rows, j) for rows in (self.targets.stop, self.targets.take_profit, self.targets.trail))
        levels = Levels(start=start)
        if not isnan(stop):
            levels.stop = round_stop(side, stop, tick, reducing=True)
        if not isnan(take):
            levels.take = round_limit(side, take, tick)
        if isnan(trail):
            self.trail_level[j] = nan
            return levels
        level = round_stop(side, self.extreme[j] + side * trail, tick, reducing=True)
        if not isnan(self.trail_level[j]):
            level = better(side, level, self.trail_level[j])
        self.trail_level[j] = level
        if isnan(levels.stop) or (level > levels.stop if side < 0 else level < levels.stop):
            levels.stop, levels.kind = level, "trailing"
        return levels

    def protect_at_open(self, now: Now, j: int) -> None:
        """Phase A: the rest of a protective exit, the stop, the take-profit."""
        q, price, rest, levels = self.account.position[j], now.open[j], self.rest[j], self.levels[j]
        if q == 0.0:
            return
        if rest is not None:
            self.fill_protective(now, rest, price, limit=False, maker=False)
        elif not isnan(levels.stop) and (price <= levels.stop if q > 0 else price >= levels.stop):
            self.protect(now, j, levels.kind, price, limit=False, maker=False)
        elif not isnan(levels.take) and self.through(-sign(q), price, levels.take):
            self.protect(now, j, "take-profit", price, limit=True, maker=False)

    def protect(self, now: Now, j: int, kind: str, price: float, *, limit: bool, maker: bool, doubtful: bool = False) -> None:
        """A protective exit of the whole position; the target order of the instrument is over."""
        q = self.account.position[j]
        order = Order(0, "protective", self.i - 1, j, -sign(q), kind, quantity=abs(q), reduce_only=True, triggered=True)
        self.orders.append(order)
        self.rest[j] = order
        target = self.working_target[j]
        if target is not None:
            self.end(target, "cancelled", "protective")
        self.fill_protective(now, order, price, limit=limit, maker=maker, doubtful=doubtful)

    def fill_protective(
        self, now: Now, order: Order, price: float, *, limit: bool, maker: bool, doubtful: bool = False
    ) -> None:
        j = order.instrument
        quantity = abs(self.account.position[j])
        order.quantity = order.filled + quantity
        fill = min(quantity, self.account.capacity(j, now.volume[j], now.used[j]))
        if fill <= 0:
            return
        if doubtful:
            self.mark_ambiguous(j)
        self.account.execute(now, j, order.side, fill, price, limit=limit, maker=maker, why=order.kind, order=0, late=True)
        order.filled += fill
        if self.account.position[j] == 0.0:
            order.status = "filled"
            self.rest[j] = None

    def shrinks(self, j: int, price: float) -> bool:
        """Whether the working target belongs to the reducing group (section 3, phase A)."""
        q0, account = self.account.position[j], self.account
        x = self.exposure(self.target_bar(), j) * self.rules.leverage
        equity = account.equity(account.marked(j, price))
        if q0 == 0.0:
            return False
        if x == 0 or equity <= 0:
            return True
        return sign(x) == sign(q0) and abs(x) * equity < abs(q0) * price * account.markets[j].multiplier

    def target_bar(self) -> int:
        """The bar whose exposure rules: bar i-1 until the decisions of bar i are made."""
        return self.i if self.decided else self.i - 1

    decided = False

    def trade_target(self, now: Now, order: Order, price: float, *, late: bool) -> None:
        """Section 7, size of a target, then buying power, minimum notional and the cap."""
        account, j = self.account, order.instrument
        market, volume, q0 = account.markets[j], now.volume[j], account.position[j]
        x = self.exposure(self.target_bar(), j) * self.rules.leverage
        side, q1, p = account.target(j, x, price, volume)
        if side == 0:
            self.reached(order)
            return
        order.side = side  # had to trade: listed
        q1 = account.cut(j, side, q1, p)
        quantity = abs(q1 - q0)
        if quantity == 0.0:
            self.end(order, "rejected", "buying-power")
            return
        if quantity * p * market.multiplier < market.minimum_notional * (1 - 1e-9) and q1 != 0.0:
            self.end(order, "rejected", "minimum-notional")
            return
        fill = min(quantity, account.capacity(j, volume, now.used[j]))
        if fill <= 0:
            return
        filled_at = account.execute(now, j, side, fill, price, limit=False, maker=False, why="target", order=0, late=late)
        order.filled += fill
        if sign(account.position[j]) != sign(q0):
            self.extreme[j], self.trail_level[j] = filled_at, nan
            self.levels[j] = Levels() if late else self.protective(j, start=price)
        if quantity - fill <= DUST * quantity:
            self.reached(order)

    def reached(self, order: Order) -> None:
        order.status = "filled" if order.filled > 0 else "idle"
        self.working_target[order.instrument] = None

    # Section 8.
    def reached_liquidation(self, now: Now) -> float | None:
        q = self.account.position[0]
        if self.k > 1 or q == 0.0:
            return None
        price = self.account.liquidation_price()
        if price <= 0 or not (now.low[0] <= price if q > 0 else now.high[0] >= price):
            return None
        return worse(-sign(q), price, now.open[0] if isnan(self.newest) else self.newest)

    def test_worst(self, now: Now) -> None:
        """k > 1, after phase C: every position at its worst price of the bar."""
        worst = list(self.account.mark)
        for j, q in enumerate(self.account.position):
            if now.fillable[j] and q != 0.0:
                worst[j] = now.low[j] if q > 0 else now.high[j]
        if self.account.under_water(worst):
            self.liquidate(now, worst)

    def liquidate(self, now: Now, prices: list[float]) -> None:
        if not any(q != 0.0 and now.fillable[j] for j, q in enumerate(self.account.position)):
            return  # waits for a bar in which something that is held can trade
        self.flags["liquidation"] += 1
        for j, q in enumerate(self.account.position):
            if q != 0.0 and now.fillable[j]:
                self.account.execute(
                    now, j, -sign(q), abs(q), prices[j], limit=False, maker=False, why="liquidation", order=0, late=True
                )
        for order in self.orders:
            if order.alive:
                order.status, order.why = "cancelled", "liquidation"
        self.working_target, self.rest = [None] * self.k, [None] * self.k
        if self.account.equity() <= 0:
            self.flags["bankrupt"] = 1

    # Section 2, 7 to 9.
    def end_of_bar(self, now: Now) -> None:
        """Trailing extremes, IOC, what has rested, open results."""
        self.account.excursions(now)
        for j, q in enumerate(self.account.position):
            if now.fillable[j] and q != 0.0 and self.targets is not None:
                self.extreme[j] = max(self.extreme[j], now.high[j]) if q > 0 else min(self.extreme[j], now.low[j])
        for order in self.orders:
            j = order.instrument
            if order.origin != "explicit" or order.status != "working" or not now.fillable[j]:
                continue
            if order.kind == "trailing" and not order.triggered:
                inside = order.fresh in ("B", "C")
                if order.side < 0:
                    order.extreme = max(order.extreme, now.close[j] if inside else now.high[j])
                else:
                    order.extreme = min(order.extreme, now.close[j] if inside else now.low[j])
            order.rested = order.kind == "limit" or order.triggered
            waits_for_close = order.kind == "market" and self.rules.fill == "close"
            if order.tif == "IOC" and not order.fresh and not waits_for_close:
                self.end(order, "cancelled", "ioc")
        for order in self.orders:
            order.fresh, order.start, order.idle = "", nan, False

    def decide(self, coarse: Now) -> None:
        """Section 2, 9."""
        if self.flags["bankrupt"]:
            for intent in self.intents:
                if intent.bar == self.i and intent.action == "place":
                    self.record(intent, "rejected", "bankrupt")
            return
        for intent in self.intents:
            if intent.bar == self.i:
                {"place": self.place, "cancel": self.cancel, "replace": self.replace}[intent.action](intent)
        self.new_targets()
        if self.rules.fill == "close":
            self.decided = True
            self.phase_open(coarse, coarse.close, closing=True)
            self.decided = False
            self.account.excursions_at_close(coarse)

    def new_targets(self) -> None:
        if self.targets is None:
            return
        for j in range(self.k):
            if self.targets.exposure[self.i][j] == (self.targets.exposure[self.i - 1][j] if self.i > 0 else 0.0):
                continue
            for old in (self.working_target[j], self.rest[j]):
                if old is not None:
                    self.end(old, "cancelled", "changed")
            self.working_target[j] = Order(0, "target", self.i, j, 0, "target")
            self.orders.append(self.working_target[j])

    # Section 5.
    def record(self, intent: Intent, status: str, why: str = "") -> Order:
        order = Order(
            intent.id,
            "explicit",
            intent.bar,
            intent.instrument,
            intent.side,
            intent.kind,
            tif=intent.tif,
            reduce_only=intent.reduce_only,
            parent=intent.parent,
            group=intent.group,
            reason=intent.reason,
            status=status,
            why=why,
            day=-1 if status == "waiting" else self.i + 1,
        )
        self.orders.append(order)
        self.by_id[intent.id] = order
        return order

    def rounded(self, intent: Intent, kind: str, side: int, *, reduce_only: bool) -> tuple[float, float, float]:
        """Limit, stop and trail to the tick; NaN where not given or not used by the kind."""
        tick = self.account.markets[intent.instrument].tick
        limit, stop, trail = nan, nan, nan
        if kind in ("limit", "stop-limit") and not isnan(intent.limit):
            limit = round_limit(side, intent.limit, tick)
        if kind in ("stop", "stop-limit") and not isnan(intent.stop):
            stop = round_stop(side, intent.stop, tick, reducing=reduce_only)
        if kind == "trailing" and not isnan(intent.trail):
            trail = intent.trail
        return limit, stop, trail

    def place(self, intent: Intent) -> None:
        j, kind = intent.instrument, intent.kind
        quantity = round_down(intent.quantity, self.account.markets[j].lot) if intent.parent == 0 else 0.0
        if intent.parent == 0 and not quantity > 0:
            self.record(intent, "rejected", "lot")
            return
        limit, stop, trail = self.rounded(intent, kind, intent.side, reduce_only=intent.reduce_only)
        needed = {"market": (), "limit": (limit,), "stop": (stop,), "stop-limit": (limit, stop), "trailing": (trail,)}[kind]
        if any(not price > 0 for price in needed):
            self.record(intent, "rejected", "price")
            return
        if kind == "trailing" and intent.parent == 0 and isnan(self.account.mark[j]):
            self.record(intent, "rejected", "price")
            return
        status = "working"
        if intent.parent != 0:
            parent = self.by_id.get(intent.parent)
            if parent is None or parent.instrument != j or (not parent.alive and parent.filled == 0):
                self.record(intent, "cancelled", "parent")
                return
            quantity, status = parent.filled, "working" if parent.filled > 0 else "waiting"
        order = self.record(intent, status)
        order.quantity, order.limit, order.stop, order.trail = quantity, limit, stop, trail
        if kind == "trailing" and status == "working":
            order.extreme = self.account.mark[j]

    def cancel(self, intent: Intent) -> None:
        order = self.by_id.get(intent.id)
        if order is not None and order.alive:
            self.end(order, "cancelled", "cancel")

    def replace(self, intent: Intent) -> None:
        order = self.by_id.get(intent.id)
        if order is None or not order.alive:
            return
        limit, stop, trail = self.rounded(intent, order.kind, order.side, reduce_only=order.reduce_only)
        if any(price <= 0 for price in (limit, stop, trail)):
            return
        if order.parent == 0 and not isnan(intent.quantity):
            quantity = round_down(intent.quantity, self.account.markets[order.instrument].lot)
            if quantity - order.filled <= DUST * quantity:
                self.end(order, "cancelled", "cancel")
                return
            order.quantity = quantity
        if not isnan(limit):
            order.limit, order.rested = limit, False
        if not isnan(stop):
            order.stop = stop
        if not isnan(trail):
            order.trail = trail

    # Section 9.
    def listed(self) -> list[Order]:
        return [o for o in self.orders if o.origin != "target" or o.side != 0]

    def all_flags(self) -> dict[str, int]:
        flags = dict(self.flags)
        flags["ambiguous"] = sum(trade.ambiguous for trade in self.account.trades)
        flags["open"] = sum(trade.open for trade in self.account.trades)
        for order in self.listed():
            if order.status == "rejected":
                flags[f"rejected:{order.why}"] = flags.get(f"rejected:{order.why}", 0) + 1
        return flags


def simulate(
    bars: Bars | list[Bars],
    targets: Targets | None = None,
    *,
    intents: Sequence[Intent] | None = None,
    market: Market | list[Market] | None = None,
    costs: Costs | None = None,
    rules: Rules | None = None,
    cash: float = 10_000.0,
    detail: Bars | list[Bars] | None = None,
    funding: Rows | None = None,
    actions: Sequence[Action] = (),
    tradable: Sequence[Sequence[bool]] | None = None,
    session: Sequence[int] | None = None,
) -> Result:
    """Simulate by docs/engine.md; rows of ``targets``, ``funding`` and ``tradable`` are (n, k)."""
    many = bars if isinstance(bars, list) else [bars]
    markets = market if isinstance(market, list) else [market or Market() for _ in many]
    finer = detail if isinstance(detail, list) or detail is None else [detail]
    simulator = Simulator(
        many, targets, intents, markets, costs or Costs(), rules or Rules(), cash, finer, funding, actions, tradable, session
    )
    return simulator.run()
