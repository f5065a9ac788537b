"""How a library strategy is shown to trade: on which bars, with which numbers, and what the page is told meanwhile."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest
from django.test import Client

from marketdata.bars import Bars
from marketdata.store import write_bars
from strategies import demonstration as shown
from strategies import wording
from strategies.conditions import Conditions
from strategies.contract import PortfolioStrategy, validate
from strategies.demonstration import demonstrate
from strategies.drawn import DRAWN, drawing
from strategies.engine.model import Market
from strategies.library import CATALOGUE, find
from strategies.models import Run
from strategies.services.execution import execute_run
from strategies.views import demonstration
from strategies.views.grounds import grounds_for, span_on
from strategies.views.words import span_text
from tests.factories import START, InstrumentFactory
from tests.strategies.market import HOUR, listed, walk

DAY = 86_400
LONG = 900


def asked(client: Client, name: str, **query: str) -> dict[str, Any]:
    """The demonstration, asked for until it is there, as the page does."""
    while (response := client.get(f"/strategies/{name}/demonstration/", query)).status_code == 202:
        assert response.json()["later"]
    assert response.status_code == 200
    return response.json()


def series_for(name: str, n: int = LONG) -> list[Bars]:
    strategy = CATALOGUE[name]
    legs = strategy.legs if isinstance(strategy, PortfolioStrategy) else 1
    return [walk(n, seed=seed + 1) for seed in range(legs)]


# -- what is computed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_strategy_of_the_library_can_be_shown(name):
    series = series_for(name)
    told = demonstrate(find(name), series, Conditions(markets=(Market(),) * len(series)))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert [len(rows) for rows in told["rows"]] == [LONG] * len(series)
    columns = [told["equity"], told["benchmark"], told["exposure"], *(line["values"] for line in told["lines"])]
    columns += [one for one in (told["stops"], told["goals"], told["regimes"]) if one]
    assert {len(column) for column in columns} == {LONG}
    assert told["closed"] + told["open"] == len(told["trades"]["side"])
    # Somewhere in 900 bars each line is known; a chart of nothing explains nothing.
    assert all(any(value is not None for value in line["values"]) for line in told["lines"])
    assert bool(told["stops"]) == ("stop" in getattr(CATALOGUE[name], "levels", ()))
    assert bool(told["goals"]) == ("take_profit" in getattr(CATALOGUE[name], "levels", ()))


def test_what_is_held_follows_the_trades():
    told = demonstrate(find("sma-cross"), [walk(LONG)], Conditions())
    times = [row[0] for row in told["rows"][0]]
    held = np.zeros(LONG, bool)
    trades = told["trades"]
    for entry, exit_, still in zip(trades["entry_time"], trades["exit_time"], trades["open"], strict=True):
        held[times.index(entry) : None if still else times.index(exit_)] = True
    assert len(trades["side"]) > 5
    assert ((np.array(told["exposure"]) > 0.5) == held).all()


def test_stops_and_goals_stand_only_while_something_is_held():
    told = demonstrate(find("order-flow"), [walk(LONG)], Conditions())
    held = np.array(told["exposure"]) != 0
    assert held.any()
    assert all(stop is None for stop, here in zip(told["stops"], held, strict=True) if not here)
    assert any(stop is not None for stop in told["stops"])


# -- lines that decide -------------------------------------------------------------------------------------------------


def test_what_lines_are_called_is_gathered_for_translators():
    told = set(wording.texts())
    for name in DRAWN:
        drawn = drawing(name, series_for(name), validate(CATALOGUE[name], {}))
        assert {line.label for line in drawn.lines} <= told, name
    assert set(DRAWN) <= set(CATALOGUE)


def test_averages_that_are_drawn_are_those_whose_cross_decides():
    bars, strategy = walk(LONG), CATALOGUE["sma-cross"]
    p = validate(strategy, {})
    fast, slow = (line.values for line in drawing("sma-cross", [bars], p).lines)
    assert (strategy.signals(bars, p) == np.where(fast > slow, 1.0, 0.0)).all()


def test_a_break_begins_above_the_channel_that_is_drawn():
    bars, strategy = walk(LONG), CATALOGUE["breakout"]
    p = validate(strategy, {})
    top, _, floor = (line.values for line in drawing("breakout", [bars], p).lines)
    exposure = strategy.signals(bars, p).exposure
    entries = np.flatnonzero((exposure[1:] > 0) & (exposure[:-1] == 0)) + 1
    assert len(entries) > 3
    assert (bars.close[entries] > top[entries]).all()
    assert not (exposure[bars.close < floor] > 0).any()


@pytest.mark.parametrize(("name", "below"), [("zscore-reversion", True), ("statistical-momentum", False), ("vwap", False)])
def test_an_entry_lies_beyond_the_level_that_is_drawn(name, below):
    bars, strategy = walk(LONG), CATALOGUE[name]
    p = validate(strategy, {})
    drawn = drawing(name, [bars], p)
    (score,) = (line.values for line in drawn.lines if line.own)
    answer = strategy.signals(bars, p)
    exposure = answer.exposure if hasattr(answer, "exposure") else answer
    entries = np.flatnonzero((exposure[1:] > 0) & (exposure[:-1] == 0)) + 1
    assert len(entries) > 1
    beyond = score <= drawn.levels[0] if below else score >= drawn.levels[0]
    assert beyond[entries].all()
    assert not beyond[entries - 1].any()


# -- on which bars -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_first_market_is_that_of_the_form_and_another_may_be_chosen(client):
    first, second = listed(), listed(walk(seed=2))
    assert client.get("/strategies/runs/new/?strategy=sma-cross").context["form"]["instrument"].value() == first.ref
    told = asked(client, "sma-cross")
    assert (told["chosen"], [one["ref"] for one in told["choices"]]) == (first.ref, [first.ref, second.ref])
    assert asked(client, "sma-cross", instrument=second.ref)["chosen"] == second.ref
    assert asked(client, "sma-cross", instrument="nowhere:X-Y")["chosen"] == first.ref


@pytest.mark.django_db
def test_bars_are_cut_to_whole_days(client):
    one = listed(walk(400)[5:])
    (ground,) = grounds_for(find("sma-cross"))
    span = span_on(ground)
    assert span is not None
    assert span.whole
    assert (span.start.hour, span.end.hour) == (0, 0)
    assert (span.series[0].time[0] % DAY, (span.series[0].time[-1] + HOUR) % DAY) == (0, 0)
    assert len(span.series[0]) == 15 * 24
    assert asked(client, "sma-cross")["chosen"] == one.ref


@pytest.mark.django_db
def test_what_begins_anew_each_day_is_not_shown_on_days(client):
    days = walk(300)
    daily = Bars(days.time[0] - days.time[0] % DAY + np.arange(300) * DAY, *days.columns[1:])
    one = InstrumentFactory(base_timeframe="1d")
    write_bars(one.pk, "1d", daily, source=4)
    assert asked(client, "sma-cross")["choices"][0]["label"].startswith(f"{one.symbol} · 1d")
    assert asked(client, "vwap") == {"ok": False, "empty": True}


@pytest.mark.django_db
def test_two_instruments_are_of_one_venue_and_one_currency(client):
    first = listed()
    listed(walk(seed=2), quote="EUR")
    assert asked(client, "pairs") == {"ok": False, "empty": True}
    other = listed(walk(seed=3))
    told = asked(client, "pairs")
    assert [leg["symbol"] for leg in told["chart"]["legs"]] == [first.symbol, other.symbol]
    assert [len(rows) for rows in told["chart"]["rows"]] == [288, 288]


@pytest.mark.django_db
def test_where_there_are_no_bars_it_says_so(client):
    assert asked(client, "sma-cross") == {"ok": False, "empty": True}
    assert client.get("/strategies/nothing-of-it/demonstration/").status_code == 404


@pytest.mark.django_db
def test_order_flow_says_that_it_guesses(client):
    listed()
    assert "guessed from the bars" in asked(client, "order-flow")["note"]
    assert "guessed" not in asked(client, "sma-cross")["note"]


# -- the same numbers as a run -----------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["sma-cross", "bollinger-reversion", "pairs"])
def test_the_run_that_its_link_asks_for_finds_the_same_numbers(client, name):
    one, _other = listed(walk(500), base_timeframe="5m"), listed(walk(500, seed=2), base_timeframe="5m")
    # Finer bars decide what came first within a bar, for a run and for what is shown.
    coarse, rng = walk(500), np.random.default_rng(7)
    at = np.repeat(coarse.close, 12) * np.exp(np.cumsum(rng.normal(0, 0.002, 6000)) % 0.01)
    time = coarse.time[0] + np.arange(6000) * 300
    write_bars(one.pk, "5m", Bars(time, at, at * 1.001, at * 0.999, at, np.full(6000, 9.0)), source=4)
    told = asked(client, name)
    page = client.get(told["run"])
    form = page.context["form"]
    response = client.post(told["run"], {field.html_name: field.value() for field in form if field.value() is not None})
    assert response.status_code == 302, page.context["form"].errors
    run = execute_run(run_id=Run.objects.get().pk, at=START)
    assert run is not None
    assert run.status == Run.Status.DONE, run.message
    chart = told["chart"]
    assert run.bars == len(chart["rows"][0])
    assert run.headline["total_return"] == pytest.approx(chart["total_return"], rel=1e-12)
    assert run.headline["benchmark_return"] == pytest.approx(chart["benchmark_return"], rel=1e-12)
    assert run.headline["trades"] == chart["closed"] > 0
    assert told["figures"]["trades"]["value"] == str(chart["closed"])


# -- asked for by many -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_it_is_computed_once_for_all_who_ask(client, stranger, monkeypatch):
    listed()
    done = []
    monkeypatch.setattr(shown, "demonstrate", lambda *given: done.append(1) or demonstrate(*given))
    assert asked(client, "sma-cross") == asked(stranger, "sma-cross") == asked(Client(), "sma-cross")
    assert len(done) == 1


@pytest.mark.django_db
def test_while_it_is_computed_the_page_is_told_to_ask_again_and_no_second_one_begins(client, monkeypatch):
    listed()
    go, begun = threading.Event(), []

    def slow(*given: Any) -> dict[str, Any]:
        begun.append(1)
        assert go.wait(30)
        return demonstrate(*given)

    monkeypatch.setattr(shown, "demonstrate", slow)
    monkeypatch.setattr(demonstration, "PATIENCE", 0.01)
    for _ in range(2):
        response = client.get("/strategies/sma-cross/demonstration/")
        assert response.status_code == 202
        assert response.json()["later"]
        assert "getting ready" in response.json()["message"]
    # Where too many wait already, another one does not even queue.
    monkeypatch.setattr(demonstration, "WAITING", 1)
    assert client.get("/strategies/macd/demonstration/").status_code == 202
    assert len(demonstration._running) == 1
    go.set()
    monkeypatch.setattr(demonstration, "PATIENCE", 30)
    assert asked(client, "sma-cross")["ok"]
    assert len(begun) == 1


@pytest.mark.django_db
def test_the_page_comes_without_computing_anything(client, monkeypatch):
    listed()
    monkeypatch.setattr(demonstration, "_computed", lambda *given: pytest.fail("the page computed"))
    page = client.get("/strategies/pairs/").content.decode()
    assert 'data-url="/strategies/pairs/demonstration/"' in page
    assert "0.1\u00a0% + 0.05\u00a0%" in page


# -- dates -------------------------------------------------------------------------------------------------------------


def test_a_span_says_its_year_once_and_shortens_every_month_alike():
    january, april, next_year = 1_704_456_000, 1_712_318_400, 1_736_078_400
    assert span_text(january, april) == "Jan 5 – Apr 5, 2024"
    assert span_text(january, next_year) == "Jan 5, 2024 – Jan 5, 2025"
