"""One seeded scenario: an account trades at an exchange while requests are lost, workers are killed and messages come twice.

All that is random comes from the seed, and time is the scenario's own, so a seed that fails fails again. The database is real
and every transaction is committed or lost as it would be when the process dies; the exchange is the truth that the books are
compared with at the end.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Sum

from clusterx.events.models import Event
from marketdata.models import Instrument
from tests.factories import AccountFactory, DeploymentFactory, InstrumentFactory, VenueFactory
from tests.venues.direct import DirectBroker, fill_of, order_of
from tests.venues.exchange import Exchange, Execution, Listed, Refusal, Resting
from tests.venues.faults import Fault, Faults
from trading import events
from trading.models import Account, CashFlow, Connection, Deployment, Fill, Instruction, Order, Position
from trading.services.dispatch import dispatch
from trading.services.journal import stream_of
from trading.services.leases import LeaseLost
from trading.services.locks import lock_account
from trading.services.orders import Why, client_id, give_up, open_orders, place_order
from trading.services.reconciliation import reconcile
from trading.services.reports import fill_told, order_told

D = Decimal
BEGIN: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
STEPS: Final = (6, 14)
MONEY: Final = D(100_000)

CHANGING: Final = (
    Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.LATE, Fault.REJECT, Fault.RATE_LIMIT, Fault.BROKEN, Fault.BROKEN_AFTER,
    Fault.SLOW,
)  # fmt: skip


class Killed(BaseException):
    """The process is gone. Nothing catches it, as nothing catches a kill -9."""


class Broken(AssertionError):
    """A law was broken; the message says which, and by what."""


class Scenario:
    def __init__(self, seed: int) -> None:
        self.seed, self.random = seed, random.Random(seed)
        self.now = BEGIN
        self.margin = self.random.random() < 0.4
        self.log: list[str] = []
        self.faults = Faults(seconds=self.random.choice([0.5, 3.0, 8.0]))
        self.account, self.instruments, self.deployments = self._accounts()
        self.exchange = self._exchange()
        self.broker = DirectBroker(self.exchange, self.faults)
        self.heard: list[tuple[Any, Any]] = []  # what the account stream would tell
        self.broker.names_fills = bool(seed % 2)
        self.exchange.listeners.append(self._happened)
        self.placed = 0

    def _accounts(self) -> tuple[Account, list[Instrument], list[Deployment]]:
        facts = {"venue": VenueFactory(code=f"faults-{self.seed}"), "lot_size": D("0.0001")}
        facts["kind"] = "perpetual" if self.margin else "spot"
        first = InstrumentFactory(base="BTC", venue_symbol="BTCUSDT", **facts)
        second = InstrumentFactory(base="ETH", venue_symbol="ETHUSDT", **facts)
        account = AccountFactory(kind="broker", starting_balance=MONEY, created_at=BEGIN - timedelta(hours=1))
        Connection.objects.create(account=account, broker="binance", market=facts["kind"], venue=first.venue, created_at=BEGIN)
        deployments = [DeploymentFactory(account=account, instrument=one) for one in (first, first, second)]
        return account, [first, second], deployments

    def _exchange(self) -> Exchange:
        exchange = Exchange(
            Listed("BTCUSDT", "BTC", "USDT"),
            Listed("ETHUSDT", "ETH", "USDT"),
            money={"USDT": MONEY},
            margin=self.margin,
            holds_coins=not self.margin,
            unique_ids=self.random.choice(["ever", "open"]),
            clock=lambda: self.now,
        )
        exchange.move("BTCUSDT", "100")
        exchange.move("ETHUSDT", "10")
        return exchange

    def _happened(self, order: Resting, execution: Execution | None) -> None:
        self.heard.append((order_of(order), fill_of(execution, named=self.broker.names_fills)))

    def clock(self) -> datetime:
        return self.now

    # -- what happens ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Raises Broken."""
        happenings: list[tuple[Callable[[], None], int]] = [
            (self.decide, 6), (self.work, 6), (self.move, 4), (self.go_wrong, 4), (self.die, 4), (self.hear, 3),
            (self.give_one_up, 2), (self.look, 2), (self.compare, 2), (self.zombie, 2), (self.by_hand, 1), (self.flow, 1),
            (self.wait, 2),
        ]  # fmt: skip
        acts, weights = zip(*happenings, strict=True)
        for _ in range(self.random.randint(*STEPS)):
            act = self.random.choices(acts, weights)[0]
            self.say(act.__name__)
            act()
        self.come_to_rest()
        self.check()

    def say(self, what: str) -> None:
        self.log.append(f"{(self.now - BEGIN).total_seconds():6.1f} {what}")

    def decide(self) -> None:
        """A deployment wants to trade: an order is written down, and perhaps nobody sends it yet."""
        deployment = self.random.choice(self.deployments)
        self.placed += 1
        with transaction.atomic():
            account = lock_account(self.account.pk)
            held = Position.objects.filter(deployment=deployment).aggregate(q=Sum("quantity"))["q"] or D(0)
            if open_orders(account.pk).filter(deployment=deployment).exists():
                return
            size = D(self.random.randint(1, 50)) / 10
            quantity = (
                size if not held or (self.margin and self.random.random() < 0.5) else -min(held, size) if held > 0 else size
            )
            last = self.exchange.prices[deployment.instrument.venue_symbol]
            kind = self.random.choices(["market", "limit", "stop"], [6, 3, 1])[0]
            worse, better = (last * D("1.02"), last * D("0.99")) if quantity > 0 else (last * D("0.98"), last * D("1.01"))
            cents = D("0.01")
            place_order(
                account=account,
                deployment=deployment,
                client_order_id=client_id(deployment.public_id, self.placed),
                instrument_id=deployment.instrument_id,
                quantity=quantity,
                reference_price=float(last),
                decided_at=self.now,
                correlation_id=uuid.UUID(int=self.placed),
                at=self.now,
                type=kind,
                limit_price=better.quantize(cents) if kind == "limit" else None,
                stop_price=worse.quantize(cents) if kind == "stop" else None,
                time_in_force=self.random.choice(["gtc", "gtc", "ioc"]) if kind == "limit" else "gtc",
            )
        if self.random.random() < 0.8:
            self.work()

    def work(self, *, look: bool = False) -> None:
        dispatch(account_id=self.account.pk, clock=self.clock, broker=self.broker, look=look)

    def look(self) -> None:
        self.work(look=True)

    def compare(self) -> None:
        reconcile(account_id=self.account.pk, clock=self.clock, broker=self.broker)

    def move(self) -> None:
        self.wait()
        symbol = self.random.choice(list(self.exchange.prices))
        self.exchange.liquidity[symbol] = self.random.choice([None, None, D("0.7"), D(0)])
        factor = D(self.random.randint(960, 1040)) / 1000
        self.exchange.move(symbol, (self.exchange.prices[symbol] * factor).quantize(D("0.01")))

    def wait(self) -> None:
        self.now += timedelta(seconds=self.random.choice([0.1, 1, 4, 12]))
        self.broker.deliver()

    def go_wrong(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            operation = self.random.choices(["submit", "cancel", "ask"], [5, 2, 2])[0]
            fault = Fault.BROKEN if operation == "ask" else self.random.choice(CHANGING)
            self.say(f"  {operation}: {fault}")
            self.faults.next(operation, fault)

    def give_one_up(self) -> None:
        with transaction.atomic():
            account = lock_account(self.account.pk)
            working = list(open_orders(account.pk).exclude(deployment=None).select_related("deployment", "instrument"))
            if working:
                order = self.random.choice(working)
                order.account = account
                give_up(order, Why("test", "Not wanted any more."), at=self.now)
        if self.random.random() < 0.7:
            self.work()

    def hear(self) -> None:
        """The account stream tells what it has: in another order, twice, and not all of it."""
        told, self.heard = self.heard, []
        if self.random.random() < 0.5:
            self.random.shuffle(told)
        for order, fill in told:
            if self.random.random() < 0.2:
                continue
            for _ in range(self.random.choice([1, 1, 2])):
                if fill is not None:
                    fill_told(account_id=self.account.pk, told=fill, at=self.now)
                if self.random.random() < 0.7:
                    order_told(account_id=self.account.pk, told=order, at=self.now)

    def die(self) -> None:
        """The process is killed somewhere within its work, and another one starts."""
        doing = self.random.choice([self.work, self.look, self.compare, self.hear, self.decide])
        self.say(f"  killed in {doing.__name__}")
        heard = list(self.heard)
        with self.killed_after(self.random.randint(1, 60)):
            doing()
        self.heard = self.heard or heard
        self.restart()

    def zombie(self) -> None:
        """A worker stands still with a request in its hands, another one takes over, then the first one goes on."""
        stale = DirectBroker(self.exchange, self.faults)
        stale.late, stale.names_fills = self.broker.late, self.broker.names_fills

        def stands_still() -> None:
            stale.arriving = lambda: None
            self.now += timedelta(seconds=self.random.choice([1, 20]))
            self.expire()
            dispatch(account_id=self.account.pk, clock=self.clock, broker=self.broker)

        stale.arriving = stands_still
        with suppress(LeaseLost):
            dispatch(account_id=self.account.pk, clock=self.clock, broker=stale)

    def by_hand(self) -> None:
        """The owner trades at the venue itself."""
        try:
            self.exchange.submit(
                client_order_id="", symbol="BTCUSDT", side="buy", type="market", quantity=D(self.random.randint(1, 5)) / 10
            )
        except Refusal:
            return

    def flow(self) -> None:
        self.exchange.flow(self.random.choice(["deposit", "funding"]), "USDT", D(self.random.randint(1, 500)))

    # -- death and restart -----------------------------------------------------------------------------------------

    @contextmanager
    def killed_after(self, statements: int) -> Iterator[None]:
        """From the n-th statement to the database on, nothing this process wants happens any more."""
        left = statements

        def execute(run: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                raise Killed
            return run(sql, parameters, many, context)

        def dead() -> None:
            if left <= 0:
                raise Killed

        self.broker.arriving = dead
        try:
            with connection.execute_wrapper(execute):
                yield
        except Killed:
            pass
        finally:
            self.broker.arriving = lambda: None
            connection.close()  # what it had not committed is lost

    def restart(self) -> None:
        """Warm: at once, the lease still taken. Partial: after a while. Cold: when the lease ran out, comparing first."""
        how = self.random.choice(["warm", "partial", "cold"])
        self.say(f"  {how} restart")
        if how == "warm":
            self.work()
        self.now += timedelta(seconds=self.random.choice([0.5, 5, 20]))
        self.expire()
        self.broker.deliver()
        if how == "cold":
            self.heard = []
            self.compare()
        self.work()

    def expire(self) -> None:
        """The lease runs out, as if time had passed."""
        with connection.cursor() as cursor:
            cursor.execute(
                "update trading_lease set expires_at = clock_timestamp() - interval '1 second' where account_id = %s",
                [self.account.pk],
            )

    # -- the end ---------------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more, and time passes."""
        self.faults.waiting.clear()
        for _ in range(4):
            self.now += timedelta(seconds=15)
            self.expire()
            self.broker.deliver()
            self.work(look=True)
            self.compare()

    def check(self) -> None:
        self._orders_agree()
        self._fills_agree()
        self._positions_agree()
        self._cash_agrees()
        self._nothing_changes_any_more()

    def require(self, law: bool, what: str) -> None:
        if not law:
            raise Broken(f"seed {self.seed}: {what}\n" + "\n".join(self.log))

    def _orders_agree(self) -> None:
        ours = {order.client_order_id: order for order in Order.objects.filter(account=self.account)}
        for name, count in self.exchange.seen.items():
            self.require(not name or count == 1, f"{count} orders of one client order id at the venue")
        there = {str(one.id): one for one in self.exchange.orders.values()}
        settled = Event.objects.filter(stream=stream_of(self.account), type=events.ORDER_SETTLED)
        for event in settled:
            order = next(one for one in ours.values() if str(one.public_id) == event.payload["order"])
            self.require(not order.venue_order_id, f"{order} was said to have never arrived, and did")
        for order in ours.values():
            found = there.get(order.venue_order_id)
            self.require(order.status != "unknown", f"{order} is unknown for ever")
            self.require(order.is_over or found is not None, f"{order} works here and not at the venue")
            if found is None:
                self.require(not order.filled_quantity, f"{order} is filled here and unknown at the venue")
                continue
            self.require(order.filled_quantity == found.filled, f"{order}: {order.filled_quantity} here, {found.filled} there")
            self.require(order.is_open == (found.status == "open"), f"{order} is {order.status} here, {found.status} there")
        known = {order.venue_order_id for order in ours.values()}
        for number, one in there.items():
            self.require(number in known or (one.status != "open" and not one.filled), f"the venue's order {number} is unknown")
        waiting = Instruction.objects.filter(account=self.account, outcome__in=["waiting", "sending"])
        self.require(not waiting.exists(), f"left in the outbox: {list(waiting)}")

    def _fills_agree(self) -> None:
        ours = {
            (one.venue_fill_id, one.instrument.venue_symbol, one.side, one.quantity, one.price)
            for one in Fill.objects.filter(account=self.account).select_related("instrument")
        }
        theirs = {(str(one.id), one.order.symbol, one.order.side, one.quantity, one.price) for one in self.exchange.fills}
        self.require(ours == theirs, f"fills differ: {ours ^ theirs}")

    def _positions_agree(self) -> None:
        for instrument in self.instruments:
            rows = Position.objects.filter(account=self.account, instrument=instrument)
            held = rows.aggregate(q=Sum("quantity"))["q"] or D(0)
            books = self.exchange.positions[instrument.venue_symbol] if self.margin else self.exchange.balances[instrument.base]
            self.require(held == books, f"{instrument.base}: {held} here, {books} there")
        for position in Position.objects.filter(account=self.account):
            fills = Fill.objects.filter(account=self.account, instrument=position.instrument, deployment=position.deployment)
            total = sum((one.quantity if one.side == "buy" else -one.quantity for one in fills), D(0))
            self.require(position.quantity == total, f"a position is {position.quantity}, its fills come to {total}")

    def _cash_agrees(self) -> None:
        account = Account.objects.get(pk=self.account.pk)
        cash = account.starting_balance + (CashFlow.objects.filter(account=account).aggregate(a=Sum("amount"))["a"] or D(0))
        for fill in Fill.objects.filter(account=account):
            cash += (-1 if fill.side == "buy" else 1) * fill.quantity * fill.price - fill.fee
        self.require(account.cash == cash, f"cash is {account.cash}, fills and flows come to {cash}")
        wallet = account.cash
        if self.margin:
            wallet += Position.objects.filter(account=account).aggregate(c=Sum("cost"))["c"] or D(0)
        there = self.exchange.balances["USDT"]
        self.require(abs(wallet - there) <= D("1e-8"), f"cash: {wallet} here, {there} there")
        self.require(account.state == "active", f"the account was halted: {account.state_reason}")

    def _nothing_changes_any_more(self) -> None:
        """A comparison that is made again changes nothing."""
        before = self._fingerprint()
        self.compare()
        self.require(self._fingerprint() == before, "a second comparison changed something")

    def _fingerprint(self) -> tuple[Any, ...]:
        orders = (
            Order.objects.filter(account=self.account).order_by("pk").values_list("status", "filled_quantity", "venue_order_id")
        )
        fills = Fill.objects.filter(account=self.account).count()
        positions = Position.objects.filter(account=self.account).order_by("pk").values_list("quantity", "cost")
        return tuple(orders), fills, tuple(positions), Account.objects.get(pk=self.account.pk).cash
