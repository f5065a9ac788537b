"""A market that a test moves by hand, and what is needed around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection

from marketdata.bars import Bar
from marketdata.models import Instrument, LatestPrice
from marketdata.store import write_candles
from tests.factories import START, InstrumentFactory
from trading.brokers.paper.venue import match
from trading.lifecycle import OPEN
from trading.models import Account, Deployment, Evaluation, Order
from trading.services.deployments import deploy
from trading.services.dispatch import dispatch
from trading.services.evaluation import evaluate
from trading.watched import watched

MINUTE = timedelta(minutes=1)


class Market:
    """One instrument's 1m bars and newest price. Time is the venue's and ours at once, and moves when a bar closes."""

    def __init__(self, instrument: Instrument, timeframe: str = "1m") -> None:
        self.instrument = instrument
        self.timeframe = timeframe
        self.now = START

    def close(self, *closes: float, priced: bool = True) -> datetime:
        """Close one bar at each price; the opening time of the last one."""
        for close in closes:
            bar = Bar(int(self.now.timestamp()), close, close * 1.001, close * 0.999, close, 1.0)
            write_candles([(self.instrument.pk, self.timeframe, bar)])
            self.now += MINUTE
            if priced:
                self.price(close)
        return self.now - MINUTE

    def price(
        self,
        price: float,
        *,
        bid: float | None = None,
        ask: float | None = None,
        time: datetime | None = None,
        received_at: datetime | None = None,
    ) -> None:
        LatestPrice.objects.update_or_create(
            instrument=self.instrument,
            defaults={
                "price": price,
                "bid": bid,
                "ask": ask,
                "time": time or self.now,
                "received_at": received_at or self.now,
            },
        )

    def evaluate(self, deployment: Deployment, bar_time: datetime) -> Evaluation | None:
        return evaluate(deployment_id=deployment.pk, bar_time=bar_time, at=self.now)

    def work(self) -> list[Order]:
        """Tell the venues what waits, let the paper venue match, and see what came of it: the orders that were open before."""
        open_ones = list(Order.objects.filter(status__in=OPEN).order_by("pk").values_list("pk", flat=True))
        for account in Account.objects.order_by("pk"):
            dispatch(account_id=account.pk, clock=lambda: self.now)
            match(at=self.now, accounts=[account.pk])
            dispatch(account_id=account.pk, clock=lambda: self.now, look=True)
        return [Order.objects.get(pk=pk) for pk in open_ones]

    def trade(self, deployment: Deployment, *closes: float) -> list[Evaluation]:
        """Close bars and do what follows from each."""
        done = []
        for close in closes:
            evaluation = self.evaluate(deployment, self.close(close))
            assert evaluation is not None
            done.append(evaluation)
            self.work()
        return done


@pytest.fixture
def market(db: None) -> Market:
    return Market(InstrumentFactory(base="BTC", lot_size=Decimal("0.001"), tick_size=Decimal("0.01")))


def deployed(
    account: Account, market: Market, *, allocation: str = "0.2", strategy: str = "sma-cross", **values: object
) -> Deployment:
    if strategy == "sma-cross":
        values = {"fast": 2, "slow": 3} | values
    return deploy(
        account_id=account.pk,
        strategy=strategy,
        values=values,
        instrument_id=market.instrument.pk,
        timeframe=market.timeframe,
        allocation=Decimal(allocation),
        at=market.now,
    )


@pytest.fixture(autouse=True, scope="session")
def _french() -> None:
    """Before anything is said: a process reads a language once."""
    call_command("compile_translations")


RISING: Sequence[float] = (100.0, 101.0, 102.0, 103.0)
FALLING: Sequence[float] = (103.0, 102.0, 101.0, 100.0)


@pytest.fixture
def emptied(transactional_db: None) -> Iterator[None]:
    """For tests that commit: afterwards even the tables that only grow may be emptied."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("set clusterx.append_only = 'off'")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    watched.forget()


@pytest.fixture(autouse=True)
def _append_only_again(request: pytest.FixtureRequest) -> None:
    if {"db", "transactional_db"} & set(request.fixturenames):
        request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
        with connection.cursor() as cursor:
            cursor.execute("reset clusterx.append_only")


def at_once(*jobs: Callable[[], object]) -> list[object]:
    """What ``jobs`` return when each runs on its own connection, all beginning together. Raises what one of them raised."""
    together = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> object:
        try:
            together.wait()
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def at(second: float) -> datetime:
    return datetime.fromtimestamp(START.timestamp() + second, UTC)
