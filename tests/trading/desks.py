"""An account that is connected to a local venue as a person's is to a real one: with sealed keys, through our services."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from marketdata.models import Instrument
from tests.factories import InstrumentFactory, UserFactory
from tests.venues.alpaca import AlpacaVenue
from tests.venues.binance import BinanceVenue
from tests.venues.exchange import Exchange, Resting
from tests.venues.topstepx import TopstepXVenue
from tests.venues.venue import LocalVenue
from trading.agent.service import AccountsService
from trading.models import Account, Fill, Order, Position
from trading.services.connecting import connect_broker
from trading.services.connection_checks import check_connection
from trading.services.dispatch import dispatch
from trading.services.locks import lock_account
from trading.services.orders import client_id, place_order
from trading.services.reconciliation import Compared, reconcile

D = Decimal
OURS = ("facts", "asking", "clock", "turn")  # threads of the accounts process


@dataclass(frozen=True)
class Kind:
    """What differs from venue to venue. ``unit`` is an ordinary size, ``limit`` a price below the market's."""

    name: str
    broker: str
    make: Callable[[], LocalVenue]
    market: str
    kind: str
    base: str
    quote: str
    unit: Decimal
    limit: Decimal

    def __str__(self) -> str:
        return self.name


# Assumption, here and in the books: one contract is worth its price. The venue's own contract is worth twice of it.
KINDS = (
    Kind("binance-spot", "binance", BinanceVenue, "spot", "spot", "BTC", "USDT", D("0.01"), D(49_000)),
    Kind(
        "binance-perpetual", "binance", lambda: BinanceVenue("perpetual"), "perpetual", "perpetual", "BTC", "USDT", D("0.01"),
        D(49_000),
    ),
    Kind("alpaca", "alpaca", AlpacaVenue, "spot", "stock", "AAPL", "USD", D(4), D(190)),
    Kind(
        "topstepx", "topstepx", lambda: TopstepXVenue(multiplier=D(1)), "future", "future", "MNQ", "USD", D(2), D(20_900)
    ),
)  # fmt: skip


class Desk:
    def __init__(self, kind: Kind, venue: LocalVenue) -> None:
        self.kind, self.venue, self.exchange = kind, venue, venue.exchange
        listed = self.exchange.listed[venue.symbol]
        self.account: Account = connect_broker(
            owner=UserFactory(),
            name=kind.name,
            broker=kind.broker,
            market=kind.market,
            is_paper=True,
            fields=self.fields(),
            at=timezone.now(),
            currency=kind.quote if kind.broker == "binance" else "",
        )
        facts = {"venue": self.account.connection.venue, "venue_symbol": venue.symbol, "base": kind.base, "quote": kind.quote}
        facts |= {"tick_size": listed.tick, "lot_size": listed.lot}
        if kind.broker == "binance":  # which calls both the same
            other = "perpetual" if kind.kind == "spot" else "spot"
            InstrumentFactory(kind=other, symbol=f"{kind.base}-{kind.quote}.{other}", **facts)
        self.instrument: Instrument = InstrumentFactory(kind=kind.kind, symbol=f"{kind.base}-{kind.quote}", **facts)
        self.beside = self.exchange.balances[kind.base] if self.exchange.holds_coins else D(0)
        self.checked = check_connection(account_id=self.account.pk)

    def fields(self) -> dict[str, str]:
        """The credentials in the words of the registry."""
        given = dict(self.venue.credentials.fields)
        return {"key": given.pop("api_key"), **given} if "api_key" in given else given

    # -- what is done ----------------------------------------------------------------------------------------------

    def place(self, quantity: Decimal, **said: Any) -> Order:
        """Written down, and not sent yet."""
        at = timezone.now()
        with transaction.atomic():
            return place_order(
                account=lock_account(self.account.pk),
                deployment=None,
                purpose=Order.Purpose.MANUAL,
                client_order_id=client_id(self.account.public_id, uuid.uuid4()),
                instrument_id=self.instrument.pk,
                quantity=quantity,
                reference_price=float(self.exchange.prices[self.venue.symbol]),
                decided_at=at,
                correlation_id=uuid.uuid4(),
                at=at,
                **said,
            )

    def send(self, order: Order, *, later: timedelta = timedelta(0)) -> Order:
        """The order after a worker was at it, ``later`` than now."""
        wait(lambda: dispatch(account_id=self.account.pk, clock=lambda: timezone.now() + later), "the account's lease")
        return Order.objects.get(pk=order.pk)

    def trade(self, quantity: Decimal) -> Order:
        order = self.send(self.place(quantity))
        if order.status != "filled":  # some venues answer before they execute
            self.look()
        return Order.objects.get(pk=order.pk)

    def look(self) -> None:
        assert dispatch(account_id=self.account.pk, look=True)

    def compare(self, *, later: timedelta = timedelta(0)) -> Compared:
        return reconcile(account_id=self.account.pk, clock=lambda: timezone.now() + later)

    def by_hand(self, side: str, quantity: Decimal, **said: Any) -> Resting:
        """The owner trades at the venue itself."""
        order = {"symbol": self.venue.symbol, "type": "market", "client_order_id": f"web-{uuid.uuid4()}"} | said
        return self.exchange.submit(side=side, quantity=quantity, **order)

    # -- what is there ---------------------------------------------------------------------------------------------

    def at_venue(self, order: Order) -> Resting | None:
        return self.exchange.by_client_id(order.client_order_id)

    def now(self) -> Account:
        return Account.objects.select_related("connection").get(pk=self.account.pk)

    @property
    def held(self) -> Decimal:
        rows = Position.objects.filter(account=self.account, instrument=self.instrument)
        return rows.aggregate(held=Sum("quantity"))["held"] or D(0)

    def assert_books_are_the_venues(self) -> None:
        """Position, money and executions are what the venue has, to the last digit."""
        exchange: Exchange = self.exchange
        there = (
            exchange.balances[self.kind.base] - self.beside
            if exchange.holds_coins
            else exchange.positions[self.venue.symbol]
        )  # fmt: skip
        assert self.held == there
        money = self.now().cash
        if exchange.margin:
            money += Position.objects.filter(account=self.account).aggregate(cost=Sum("cost"))["cost"] or D(0)
        assert money == pytest.approx(exchange.balances[self.kind.quote], abs=D("1e-8"))
        ours = Fill.objects.filter(account=self.account).values_list("side", "quantity", "price")
        assert sorted(ours) == sorted((one.order.side, one.quantity, one.price) for one in exchange.fills)
        rows = Order.objects.filter(account=self.account, status="unknown")
        assert not rows.exists()


@contextmanager
def desk_of(kind: Kind, settings: Any) -> Iterator[Desk]:
    with kind.make() as venue:
        settings.BROKER_URLS = {kind.broker: venue.endpoint.base_url}
        yield Desk(kind, venue)


@contextmanager
def process() -> Iterator[AccountsService]:
    """The accounts process, in a thread of this one."""
    made: list[AccountsService] = []
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def run() -> bool:
        made.append(AccountsService())
        ready.set()
        return await made[0].run()

    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(loop.run_until_complete(run())), name="accounts")
    thread.start()
    assert ready.wait(5)
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(made[0].stop)
        thread.join(15)
        loop.close()
        wait(lambda: not any(one.name.startswith(OURS) for one in threading.enumerate()), "its threads to end")
        gc.collect()  # the connections of its threads, which nobody closes
        assert ended == [True]


def wait(condition: Callable[[], object], what: str, seconds: float = 15) -> float:
    """Seconds that passed until ``condition`` held."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return time.monotonic() - began
