"""Every process is killed in turn while the demo trades: all come back, nothing is lost or doubled."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.conftest import recorded_data
from tests.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")
STEP = {"1m": 60, "5m": 300}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("chaos") / "clusterx"
    root.parent.chmod(0o755)
    running = Stack(root, FEED="recorded" if (recorded_data() / "MANIFEST.tsv").exists() else "simulated")
    running.start()
    yield running
    running.kill_everything()


def bars(stack: Stack) -> list[tuple[str, str, int]]:
    """How many closed bars of their finest timeframe the connected instruments have."""
    return stack.query(
        "select i.ref, c.timeframe, count(*) from marketdata_candle c join marketdata_instrument i on i.id = c.instrument_id"
        " join marketdata_venue v on v.id = i.venue_id where v.is_enabled and c.timeframe = i.base_timeframe group by 1, 2"
    )


def total_bars(stack: Stack) -> int:
    return sum(count for *_, count in bars(stack))


def fills(stack: Stack) -> int:
    return stack.query("select count(*) from trading_fill")[0][0]


def evaluations(stack: Stack) -> int:
    return stack.query("select count(*) from trading_evaluation")[0][0]


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_when_every_process_is_killed(stack: Stack) -> None:
    stack.wait(lambda: fills(stack), "the demo's first fill", seconds=120)
    for name in ("stream", "worker", "trading", "accounts", "backtests", "research", "web", "redis", "postgres"):
        stack.kill(name)
        stack.wait(lambda: stack.get("/readyz")[0] == 200, f"the site after {name}", seconds=60)
        stored, looked = total_bars(stack), evaluations(stack)
        stack.wait(lambda s=stored: total_bars(stack) > s, f"new bars after {name} was killed", seconds=90)
        stack.wait(lambda e=looked: evaluations(stack) > e, f"new evaluations after {name} was killed", seconds=90)

    stack.wait(lambda: not holes(stack), "the holes in the candles to be filled", seconds=120)
    assert candles_that_differ_from_the_venue(stack) == []
    assert evaluation_holes(stack) == []
    assert orders_and_fills_that_disagree(stack) == []
    assert accounts_that_do_not_add_up(stack) == []

    assert stack.stop() == 0
    assert stack.pid("postgres") is None
    assert stack.pid("redis") is None


def holes(stack: Stack) -> list[tuple]:
    """Pairs of neighbouring bars further apart than their timeframe, on the instruments that trade."""
    found = []
    for instrument, timeframe in stack.query(
        "select distinct instrument_id, timeframe from trading_deployment where status = 'running'"
    ):
        times = [
            row[0]
            for row in stack.query(
                "select extract(epoch from time)::bigint from marketdata_candle"
                " where instrument_id = %s and timeframe = %s order by 1",
                instrument,
                timeframe,
            )
        ]
        found += [(instrument, a, b) for a, b in itertools.pairwise(times) if b - a != STEP[timeframe]]
    return found


def candles_that_differ_from_the_venue(stack: Stack) -> list[tuple]:
    """Stored bars of the demo's instrument beside what the venue's REST answers for the same span."""
    import urllib.request

    wrong = []
    for instrument, symbol, timeframe, base in stack.query(
        "select distinct i.id, i.venue_symbol, d.timeframe, v.base_url from trading_deployment d"
        " join marketdata_instrument i on i.id = d.instrument_id join marketdata_venue v on v.id = i.venue_id"
    ):
        rows = stack.query(
            "select extract(epoch from time)::bigint, open, high, low, close, volume from marketdata_candle"
            " where instrument_id = %s and timeframe = %s order by 1 desc limit 60",
            instrument,
            timeframe,
        )
        start, end = rows[-1][0] * 1000, rows[0][0] * 1000
        url = f"{base}/api/v3/klines?symbol={symbol}&interval={timeframe}&startTime={start}&endTime={end}&limit=1000"
        with urllib.request.urlopen(url, timeout=10) as answer:
            theirs = {row[0] // 1000: tuple(float(value) for value in row[1:6]) for row in json.loads(answer.read())}
        wrong += [(row, theirs.get(row[0])) for row in rows if theirs.get(row[0]) != pytest.approx(row[1:], rel=1e-9)]
    return wrong


def evaluation_holes(stack: Stack) -> list[tuple]:
    """Closed bars after a deployment's first evaluation that it never looked at."""
    return stack.query(
        "select d.id, c.time from trading_deployment d join marketdata_candle c"
        " on c.instrument_id = d.instrument_id and c.timeframe = d.timeframe"
        " where c.time > (select min(bar_time) from trading_evaluation e where e.deployment_id = d.id)"
        " and c.time < (select max(bar_time) from trading_evaluation e where e.deployment_id = d.id)"
        " and not exists (select 1 from trading_evaluation e where e.deployment_id = d.id and e.bar_time = c.time)"
    )


def orders_and_fills_that_disagree(stack: Stack) -> list[tuple]:
    return stack.query(
        "select o.id, o.status, o.quantity, coalesce(sum(f.quantity), 0), count(f.id) from trading_order o"
        " left join trading_fill f on f.order_id = o.id group by o.id"
        " having (o.status = 'filled' and coalesce(sum(f.quantity), 0) <> o.quantity)"
        " or (o.status <> 'filled' and count(f.id) > 0)"
    )


def accounts_that_do_not_add_up(stack: Stack) -> list[tuple]:
    wrong = []
    for account, start, cash in stack.query("select id, starting_balance, cash from trading_account"):
        flow = stack.query(
            "select coalesce(sum(case side when 'buy' then -quantity * price else quantity * price end - fee), 0)"
            " from trading_fill where account_id = %s",
            account,
        )[0][0]
        if abs(start + flow - cash) > Decimal("1e-9"):
            wrong.append((account, start, flow, cash))
    wrong += stack.query(
        "select p.deployment_id, p.quantity, s.held from trading_position p join (select deployment_id,"
        " sum(case side when 'buy' then quantity else -quantity end) held from trading_fill group by 1) s"
        " using (deployment_id) where s.held <> p.quantity"
    )
    return wrong
