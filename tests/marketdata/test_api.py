"""REST of market data as docs/api.md tells it: spans and pages of bars, refusals, lists, other people's watchlists."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusterx.live.publish import publish
from marketdata.bars import Bar, Bars
from marketdata.indicators import registry
from marketdata.models import Instrument, LatestPrice, Signal, Trade
from marketdata.services import indicators, watchlists
from marketdata.store import write_candles
from marketdata.wording import said
from tests.factories import InstrumentFactory, UserFactory, VenueFactory

pytestmark = pytest.mark.django_db

FIRST = 1_790_000_400 // 86400 * 86400
MINUTE = 60


@pytest.fixture
def instrument() -> Instrument:
    return InstrumentFactory()


def fill(instrument: Instrument, count: int, *, timeframe: str = "1m", seconds: int = MINUTE) -> list[list[float]]:
    """``count`` bars, each unlike the others, as the API writes them."""
    bars = [
        Bar(FIRST + n * seconds, 100.0 + n, 103.5 + n + math.sin(n), 99.25 + n, 101.0 + n + math.sin(n), 1 + n / 8)
        for n in range(count)
    ]
    write_candles((instrument.pk, timeframe, bar) for bar in bars)
    return [bar.row for bar in bars]


def asked(instrument: Instrument | str, what: str, **query: Any) -> Any:
    ref = instrument if isinstance(instrument, str) else instrument.ref
    usual = {"indicators": {"timeframe": "1m", "spec": "ema(20)"}, "trades": {}, "book": {}}.get(what, {"timeframe": "1m"})
    return Client().get(f"/api/v1/instruments/{ref}/{what}/", usual | query)


def candles(instrument: Instrument, **query: Any) -> dict[str, Any]:
    answer = asked(instrument, "candles", **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


# -- spans and pages ------------------------------------------------------------------------------------------------------


def test_the_newest_bars_come_oldest_first_with_what_is_needed_to_go_on(instrument: Instrument) -> None:
    rows = fill(instrument, 10)
    fill(InstrumentFactory(), 20)
    fill(instrument, 3, timeframe="5m", seconds=300)
    assert candles(instrument, limit=4) == {
        "instrument": instrument.ref, "timeframe": "1m", "candles": rows[6:], "forming": None,
        "sequence": rows[-1][0] // MINUTE, "before": rows[6][0], "after": None,
    }  # fmt: skip


@pytest.mark.parametrize("limit", [1, 7, 10, 23, 24, 25])
def test_pages_back_and_forward_hold_every_bar_once(instrument: Instrument, limit: int) -> None:
    rows = fill(instrument, 24)
    back: list[list[float]] = []
    before: dict[str, int] = {}
    while True:
        page = candles(instrument, limit=limit, **before)
        assert 0 < len(page["candles"]) <= limit
        assert page["after"] is None
        back = page["candles"] + back
        if page["before"] is None:
            break
        before = {"before": page["before"]}
    assert back == rows
    forward, start = [], rows[0][0]
    while start is not None:
        page = candles(instrument, limit=limit, start=start, end=rows[-1][0] + 1)
        assert page["before"] is None
        forward += page["candles"]
        start = page["after"]
    assert forward == rows


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(-3, 33), length=st.integers(1, 40), limit=st.integers(1, 40), aside=st.integers(0, 59))
def test_a_span_is_half_open_and_holds_the_first_of_it(
    instrument: Instrument, first: int, length: int, limit: int, aside: int
) -> None:
    rows = fill(instrument, 30)
    start, end = FIRST + first * MINUTE + aside, FIRST + (first + length) * MINUTE
    if end <= start:
        return
    inside = [row for row in rows if start <= row[0] < end]
    page = candles(instrument, start=start, end=end, limit=limit)
    assert page["candles"] == inside[:limit]
    assert page["after"] == (inside[limit][0] if len(inside) > limit else None)
    assert candles(instrument, end=end, limit=limit)["candles"] == [row for row in rows if row[0] < end][-limit:]


def test_a_thousand_bars_come_unless_told_otherwise(instrument: Instrument) -> None:
    rows = fill(instrument, 1005)
    assert candles(instrument)["candles"] == rows[5:]
    assert len(candles(instrument, limit=5000)["candles"]) == 1005


def test_without_bars_there_is_nothing_to_go_back_to(instrument: Instrument) -> None:
    empty = {"candles": [], "forming": None, "sequence": None, "before": None, "after": None}
    assert candles(instrument).items() >= empty.items()
    fill(instrument, 3)
    assert candles(instrument, before=FIRST).items() >= empty.items()


def test_the_forming_bar_follows_the_newest_closed_one_alone(instrument: Instrument) -> None:
    rows = fill(instrument, 5)
    forming = [FIRST + 5 * MINUTE, 5.0, 6.0, 4.0, 5.5, 0.25]
    publish(f"candles/{instrument.ref}/1m", {"forming": forming})
    assert candles(instrument, limit=2)["forming"] == forming
    assert candles(instrument, start=rows[2][0])["forming"] == forming
    assert candles(instrument, start=rows[2][0], limit=2)["forming"] is None  # bars lie between
    assert candles(instrument, before=rows[3][0])["forming"] is None
    assert candles(instrument, end=rows[3][0])["forming"] is None
    assert candles(instrument, timeframe="5m")["forming"] is None
    write_candles([(instrument.pk, "1m", Bar(*forming))])
    assert candles(instrument)["forming"] is None


def test_pages_of_the_past_may_be_kept_and_news_may_not(instrument: Instrument) -> None:
    fill(instrument, 9)
    kept = {"before": FIRST + 8 * MINUTE, "limit": 2}, {"start": FIRST, "limit": 2}, {"end": FIRST + 300, "limit": 2}
    for query in kept:
        assert asked(instrument, "candles", **query)["Cache-Control"] == "public, max-age=60", query
    for query in ({}, {"start": FIRST}, {"before": FIRST + 240}):
        assert asked(instrument, "candles", **query)["Cache-Control"] == "no-store", query


# -- refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field", "expected"),
    [
        ({"timeframe": "7m"}, "timeframe", "must be one of 1m, 5m, 15m, 1h, 4h, 1d, was '7m'."),
        ({"limit": "0"}, "limit", "greater than or equal to 1"),
        ({"limit": "5001"}, "limit", "less than or equal to 5000"),
        ({"limit": "many"}, "limit", "integer"),
        ({"before": "-1"}, "before", "greater than or equal to 0"),
        ({"start": "yesterday"}, "start", "integer"),
        ({"end": str(2**41)}, "end", "less than or equal to"),
        ({"start": "60", "end": "60"}, "end", "end must be after start"),
        ({"before": "60", "start": "0"}, "before", "not both"),
    ],
)
@pytest.mark.parametrize("what", ["candles", "signals", "indicators"])
def test_a_wrong_parameter_is_named_with_what_was_expected(
    instrument: Instrument, what: str, query: dict[str, str], field: str, expected: str
) -> None:
    answer = asked(instrument, what, **query)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert [one["field"] for one in problem["errors"]] == [field]
    assert expected in problem["errors"][0]["detail"]
    assert expected in problem["detail"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("nonsense(3)", "nonsense"), ("ema(0)", "2"), ("ema(x)", "x"), ("ema(20", "ema(20"), ("macd(1,2,3,4,5)", "macd")],
)
def test_a_wrong_indicator_is_named_with_what_was_expected(instrument: Instrument, spec: str, expected: str) -> None:
    answer = asked(instrument, "indicators", spec=["ema(20)", spec])
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "spec"
    assert expected in error["detail"]


@pytest.mark.parametrize("spec", [[], ["ema(20)"] * 13, ["x" * 121]])
def test_one_to_twelve_indicators_are_asked_for(instrument: Instrument, spec: list[str]) -> None:
    answer = asked(instrument, "indicators", spec=spec)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].startswith("spec")


@pytest.mark.parametrize("what", ["candles", "signals", "trades", "book", "indicators"])
def test_an_instrument_that_there_is_not_is_not_found(what: str) -> None:
    off = InstrumentFactory(is_active=False)
    for ref in ("nowhere:NONE", off.ref):
        answer = asked(ref, what)
        assert answer.status_code == 404
        assert answer.json()["code"] == "not-found"
        assert ref in answer.json()["detail"]
    assert Client().get(f"/api/v1/instruments/{off.ref}/").status_code == 404


def test_the_far_future_is_empty_and_no_error(instrument: Instrument) -> None:
    fill(instrument, 3)
    for query in ({"start": 2**40 - 1}, {"start": 2**39, "end": 2**40}, {"before": 2**40}):
        for what in ("candles", "signals", "indicators"):
            assert asked(instrument, what, **query).status_code == 200, (what, query)
    assert candles(instrument, start=2**40 - 1)["candles"] == []


# -- indicators, signals, trades, books -------------------------------------------------------------------------------------


@pytest.mark.parametrize("span", [{"limit": 50}, {"before": FIRST + 700 * MINUTE, "limit": 30}, {"start": FIRST, "limit": 90}])
def test_indicators_are_the_registrys_on_the_bars_that_candles_answers(instrument: Instrument, span: dict[str, int]) -> None:
    whole = Bars.of(fill(instrument, 900))
    specs = ["macd(12,26,9)", "rsi(14)", "bollinger(20,2)", "sma(50)"]
    answer = asked(instrument, "indicators", spec=specs, **span).json()
    times = [row[0] for row in candles(instrument, **span)["candles"]]
    assert answer["time"] == times
    place = np.searchsorted(whole.time, times)
    assert [one["spec"] for one in answer["indicators"]] == [str(registry.parse_spec(spec)) for spec in specs]
    for spec, one in zip(specs, answer["indicators"], strict=True):
        values = registry.compute(registry.parse_spec(spec), whole)
        assert {output["name"] for output in one["outputs"]} == set(values)
        for output in one["outputs"]:
            got = np.array([np.nan if value is None else value for value in output["values"]])
            np.testing.assert_allclose(got, values[output["name"]][place], rtol=1e-9, atol=1e-9)


def test_the_registry_names_every_indicator_and_may_be_kept() -> None:
    answer = Client().get("/api/v1/indicators/")
    listed = answer.json()["indicators"]
    assert {one["name"] for one in listed} == set(registry.INDICATORS)
    assert all(indicators.parse(one["name"]) for one in listed)
    assert answer["Cache-Control"] == "public, max-age=300"


def test_the_registry_speaks_the_readers_language_and_keeps_its_values() -> None:
    call_command("compile_translations")
    with override("en"):  # afterwards the thread speaks what it spoke before
        answer = Client().get("/api/v1/indicators/", headers={"Accept-Language": "fr"})
    assert {"Accept-Language", "Cookie"} <= {one.strip() for one in answer["Vary"].split(",")}
    (obv,) = (one for one in answer.json()["indicators"] if one["name"] == "obv")
    (anchor,) = obv["parameters"]
    assert anchor["label"] == "Recommence chaque"
    assert anchor["choices"] == ["series", "day", "week", "month"]
    assert anchor["choice_labels"] == {"series": "série", "day": "jour", "week": "semaine", "month": "mois"}
    with override("fr"):
        every = {choice for entry in registry.INDICATORS.values() for p in entry.parameters for choice in p.choices}
        assert [choice for choice in every if said(choice) == choice] == []


def test_signals_come_newest_first_and_within_their_span(instrument: Instrument) -> None:
    for n, kind in enumerate(["a", "b", "c", "d"]):
        Signal.objects.create(
            instrument=instrument, timeframe="1m", time=datetime.fromtimestamp(FIRST + n * MINUTE, UTC),
            indicator="supertrend", kind=kind, direction="up", label="Up", price=10.0 + n,
        )  # fmt: skip

    def kinds(**query: Any) -> str:
        return "".join(one["kind"] for one in asked(instrument, "signals", **query).json()["results"])

    assert kinds() == "dcba"
    assert kinds(limit=2) == "dc"
    assert kinds(before=FIRST + 2 * MINUTE) == "ba"
    assert kinds(start=FIRST + MINUTE, end=FIRST + 3 * MINUTE) == "cb"
    assert kinds(timeframe="5m") == ""
    (first,) = asked(instrument, "signals", before=FIRST + 1).json()["results"]
    del first["id"]
    assert first == {
        "time": FIRST, "indicator": "supertrend", "kind": "a", "direction": "up", "label": "Up", "price": 10.0
    }  # fmt: skip


def test_trades_are_the_newest_with_the_newest_last(instrument: Instrument) -> None:
    for n in range(5):
        at = datetime.fromtimestamp(FIRST + n // 2, UTC)  # two at a time
        Trade.objects.create(instrument=instrument, time=at, trade_id=n, price=10 + n, quantity=0.5, side=-1)
    answer = asked(instrument, "trades", limit=3)
    assert answer.json()["trades"] == [[(FIRST + n // 2) * 1000, 10.0 + n, 0.5, -1, n] for n in (2, 3, 4)]
    assert answer["Cache-Control"] == "no-store"
    for limit in ("0", "501"):
        refused = asked(instrument, "trades", limit=limit)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "limit")


def test_the_book_is_the_newest_or_empty(instrument: Instrument) -> None:
    empty = {"instrument": instrument.ref, "time": None, "sequence": None, "bids": [], "asks": []}
    assert asked(instrument, "book").json() == empty
    book = {"time": FIRST * 1000, "sequence": 9, "bids": [[99.0, 1.0]], "asks": [[101.0, 2.0]]}
    publish(f"book/{instrument.ref}", book)
    assert asked(instrument, "book").json() == {"instrument": instrument.ref} | book


# -- the list of instruments ------------------------------------------------------------------------------------------------


def listed(**query: Any) -> dict[str, Any]:
    answer = Client().get("/api/v1/instruments/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def refs(page: dict[str, Any]) -> list[str]:
    return [one["ref"] for one in page["results"]]


def test_pages_of_instruments_hold_each_once_and_link_to_each_other() -> None:
    off = VenueFactory(code="a-venue", is_enabled=False)
    wanted = [InstrumentFactory().ref for _ in range(5)] + [InstrumentFactory(venue=off).ref for _ in range(2)]
    InstrumentFactory(is_active=False)
    first = listed(page_size=3)
    second = Client().get(first["next"]).json()
    third = Client().get(second["next"]).json()
    assert [*refs(first), *refs(second), *refs(third)] == wanted  # connected venues first
    assert (first["previous"], third["next"]) == (None, None)
    assert refs(Client().get(third["previous"]).json()) == refs(second)
    assert refs(listed(page=9)) == []
    assert listed(page_size=7)["next"] is None


def test_instruments_are_found_by_name_venue_and_kind() -> None:
    bitcoin = InstrumentFactory(base="BTC", name="Bitcoin")
    apple = InstrumentFactory(venue=VenueFactory(code="sample"), base="AAPL", symbol="AAPL", kind="stock", name="Apple")
    assert refs(listed(q="bitc")) == refs(listed(q="recorded:btc")) == refs(listed(kind="spot")) == [bitcoin.ref]
    assert refs(listed(venue="sample")) == refs(listed(kind="stock", q="apple")) == [apple.ref]
    assert refs(listed(venue="nowhere")) == refs(listed(q="%")) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"kind": "banana"}, "one of spot, perpetual, future, stock, index, forex, was 'banana'"),
        ({"page": "0"}, "greater than or equal to 1"),
        ({"page_size": "201"}, "less than or equal to 200"),
        ({"q": "x" * 61}, "60"),
    ],
)
def test_a_wrong_filter_is_named(query: dict[str, str], expected: str) -> None:
    answer = Client().get("/api/v1/instruments/", query)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == next(iter(query))
    assert expected in error["detail"]


def test_an_instrument_tells_its_price_change_and_sparkline() -> None:
    instrument = InstrumentFactory(base="BTC")
    rows = fill(instrument, 30, timeframe="1h", seconds=3600)
    at = datetime.fromtimestamp(FIRST + 30 * 3600, UTC)
    LatestPrice.objects.create(instrument=instrument, price=150.0, time=at, received_at=at)
    one = Client().get(f"/api/v1/instruments/{instrument.ref}/").json()
    assert one["spark"] == [*(row[4] for row in rows[-24:]), 150.0]
    assert one["price"] == 150.0
    assert one["reference"] == rows[5][4]  # closes at 06:00
    assert one["change_24h"] == pytest.approx(150 / rows[5][4] - 1)
    assert one["change_since"] == "24h"
    assert (one["tick_size"], one["lot_size"], one["price_decimals"]) == ("0.01", "0.00001", 2)
    assert datetime.fromisoformat(one["time"]) == at
    assert one == listed()["results"][0]


def queries(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as made:
        assert ask().status_code == 200
    return len(made)


def test_four_rows_cost_as_many_queries_as_one() -> None:
    owner = UserFactory()
    client = Client()
    client.force_login(owner)

    def counts() -> list[int]:
        return [
            queries(lambda path=path: client.get(path))
            for path in (
                "/api/v1/instruments/",
                "/api/v1/watchlists/",
                f"/api/v1/instruments/{instrument.ref}/candles/?timeframe=1m",
                f"/api/v1/instruments/{instrument.ref}/signals/?timeframe=1m",
                f"/api/v1/instruments/{instrument.ref}/trades/",
            )
        ]

    def more() -> Instrument:
        made = InstrumentFactory(venue=VenueFactory(code=f"venue-{Instrument.objects.count()}"))
        fill(made, 5, timeframe="1h", seconds=3600)
        fill(made, 5)
        watchlists.create(owner=owner, name=made.ref, refs=[made.ref])
        return made

    instrument = more()
    one = counts()
    one = counts()  # the first of all requests looks up a few things that stay
    for _ in range(3):
        more()
    assert counts() == one


# -- watchlists -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def person() -> Client:
    client = Client()
    client.force_login(UserFactory())
    return client


def sent(client: Client, method: str, path: str, body: Any = None) -> Any:
    return getattr(client, method)(f"/api/v1/watchlists/{path}", body, content_type="application/json")


def test_a_watchlist_is_made_changed_and_deleted(person: Client) -> None:
    one, two = InstrumentFactory().ref, InstrumentFactory().ref
    answer = sent(person, "post", "", {"name": "Majors", "instruments": [two, one]})
    assert answer.status_code == 201
    made = answer.json()
    assert made == {"id": made["id"], "name": "Majors", "instruments": [two, one]}
    assert sent(person, "patch", f"{made['id']}/", {"instruments": [one, two]}).json()["instruments"] == [one, two]
    assert sent(person, "patch", f"{made['id']}/", {"name": "Both"}).json() == made | {
        "name": "Both",
        "instruments": [one, two],
    }
    assert person.get("/api/v1/watchlists/").json()["results"] == [made | {"name": "Both", "instruments": [one, two]}]
    assert person.get(f"/api/v1/watchlists/{made['id']}/").json()["name"] == "Both"
    assert person.delete(f"/api/v1/watchlists/{made['id']}/").status_code == 204
    assert person.get(f"/api/v1/watchlists/{made['id']}/").status_code == 404
    assert person.get("/api/v1/watchlists/").json()["results"] == []


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "invalid", "name"),
        ({"name": ""}, 400, "invalid", "name"),
        ({"name": "x" * 61}, 400, "invalid", "name"),
        ({"name": "Majors"}, 409, "name-taken", "name"),
        ({"name": "New", "instruments": ["nowhere:NONE"]}, 400, "unknown-instrument", "instruments"),
        ({"name": "New", "instruments": "BTC"}, 400, "invalid", "instruments"),
        ({"name": "New", "instruments": ["a:b"] * 201}, 400, "invalid", "instruments"),
        ({"name": "New", "instruments": [None]}, 400, "invalid", "instruments.0"),
    ],
)
def test_a_watchlist_that_cannot_be_is_refused(person: Client, body: Any, status: int, code: str, field: str) -> None:
    sent(person, "post", "", {"name": "Majors"})
    answer = sent(person, "post", "", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"][0]["field"] == field
    assert [one["name"] for one in person.get("/api/v1/watchlists/").json()["results"]] == ["Majors"]


def test_watchlists_are_their_owners_alone(person: Client) -> None:
    theirs = watchlists.create(owner=UserFactory(), name="Theirs", refs=[InstrumentFactory().ref])
    assert person.get("/api/v1/watchlists/").json()["results"] == []
    for path in (f"{theirs.public_id}/", f"{uuid.uuid4()}/"):
        for method in ("get", "patch", "delete"):
            answer = sent(person, method, path, {"name": "Mine"})
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), (method, path)
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


def test_nobody_has_no_watchlists() -> None:
    for method in ("get", "post"):
        answer = sent(Client(), method, "", {"name": "Mine"})
        assert answer.status_code in {401, 403}
        assert answer.json()["code"] == "not-authenticated"


def test_market_data_can_be_read_by_everybody_and_changed_by_nobody(instrument: Instrument, person: Client) -> None:
    for path in ("", f"{instrument.ref}/", f"{instrument.ref}/candles/", f"{instrument.ref}/book/"):
        assert Client().get(f"/api/v1/instruments/{path}").status_code == 200
        answer = person.post(f"/api/v1/instruments/{path}")
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
