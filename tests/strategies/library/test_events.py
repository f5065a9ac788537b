"""Grid and dollar-cost averaging: their orders on bars made by hand, and runs that end the same twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marketdata.bars import Bars
from strategies.contract import EventStrategy, validate
from strategies.engine import Costs, Result, simulate
from strategies.engine.context import run_events
from strategies.library import find
from tests.strategies.library.series import flat, poisoned, walk

FREE = Costs()


def run(name: str, bars: Bars, costs: Costs = FREE, **values: Any) -> tuple[np.ndarray, Result]:
    strategy = find(name)
    assert isinstance(strategy, EventStrategy)
    intents = run_events(strategy, bars, validate(strategy, values), costs=costs)
    return intents, simulate(bars, intents=intents, costs=costs)


def path(*closes: float, hours: int = 1) -> Bars:
    """Bars that open where the last one closed."""
    close = np.array(closes, dtype=float)
    opened = np.r_[close[0], close[:-1]]
    time = np.arange(len(close), dtype=np.int64) * 3600 * hours
    return Bars(time, opened, np.maximum(opened, close), np.minimum(opened, close), close, np.full(len(close), 1e6))


def test_a_grid_earns_a_step_each_time_price_swings_through_a_level() -> None:
    bars = path(100, 97.5, 99.5, 97.5, 99.5, 97.5, 99.5)
    _, result = run("grid", bars, levels=2, step=1, share=0.9, stop=5)
    # 4,500 for each level: bought at 99 and 98.01; the upper's sell waits at the centre, the lower's at 99.
    fills = [(int(fill["side"]), float(fill["price"])) for fill in result.fills]
    upper, lower = 99.0, 99 * 0.99
    assert fills[:2] == [(1, upper), (1, pytest.approx(lower))]
    assert fills[2:] == [(-1, upper), (1, pytest.approx(lower)), (-1, upper), (1, pytest.approx(lower)), (-1, upper)]
    assert result.final_equity == pytest.approx(10_000 + 4_500 * (3 * (upper / lower - 1) + (99.5 / upper - 1)))


def test_a_grid_that_price_falls_through_is_closed_and_laid_anew() -> None:
    bars = path(100, 97.5, 90, 90, 90, 89, 88)
    _, result = run("grid", bars, levels=2, step=1, share=0.9, stop=5)
    fills = [(int(fill["side"]), float(fill["price"])) for fill in result.fills]
    assert [side for side, _ in fills[:3]] == [1, 1, -1]
    assert fills[2][1] == 90
    assert fills[3] == (1, pytest.approx(90 * 0.99))  # the new ladder hangs from the close after it
    assert result.position[3, 0] == 0


def test_a_grid_that_price_leaves_upward_follows_it() -> None:
    intents, result = run("grid", path(100, 100.5, 103, 103, 102.5, 101.5), levels=1, step=1, share=0.5, stop=5)
    assert [float(fill["price"]) for fill in result.fills] == [pytest.approx(103 * 0.99)]
    assert len(intents) == 4  # laid, cancelled, laid anew, and the sell of what was bought


def test_dca_buys_by_the_calendar_and_more_in_a_dip() -> None:
    bars = path(*[100] * 24, *[90] * 24, *[100] * 24)
    _, result = run("dca", bars, interval=24, amount=10, fall=5, dip=2)
    fills = result.fills
    assert fills["bar"].tolist() == [1, 25, 49]
    np.testing.assert_allclose(fills["quantity"], [10, 2000 / 90, 10])


def test_dca_sells_all_at_its_gain_and_begins_anew() -> None:
    bars = path(*[100] * 24, *[102] * 4, *[112] * 20, *[112] * 24)
    _, result = run("dca", bars, interval=24, amount=10, gain=10)
    sells = result.fills[result.fills["side"] < 0]
    mean = (10 * 100 + 1000 / 102 * 102) / (10 + 1000 / 102)
    assert sells["price"].tolist() == [pytest.approx(1.1 * mean)]
    assert result.position[30, 0] == 0
    assert result.position[-1, 0] > 0


def test_dca_stops_when_the_money_is_spent() -> None:
    bars = path(*np.linspace(100, 50, 24 * 40))
    _, result = run("dca", bars, Costs.of(0.001), interval=24, amount=20)
    assert 4 <= len(result.fills) <= 12
    assert not result.rejections
    assert (result.equity > 0).all()


@pytest.mark.parametrize(
    ("name", "values"), [("grid", {}), ("dca", {"interval": 6, "gain": 3}), ("grid", {"levels": 20, "step": 0.3})]
)
def test_the_future_changes_no_order_and_twice_is_the_same(name: str, values: dict[str, Any]) -> None:
    bars, costs = walk(21, 1500, step=3600), Costs.of(0.001, 0.0005)
    intents, result = run(name, bars, costs, **values)
    again, twice = run(name, bars, costs, **values)
    np.testing.assert_array_equal(intents, again)
    assert result.orders_hash == twice.orders_hash
    assert len(result.fills) > 20
    for cut in (1, 2, 300, 977):
        early = intents[intents[:, 0] < cut]
        np.testing.assert_array_equal(run(name, bars[:cut], costs, **values)[0], early)
        later = run(name, poisoned(bars, cut, 5), costs, **values)[0]
        np.testing.assert_array_equal(later[later[:, 0] < cut], early)


@pytest.mark.parametrize("name", ["grid", "dca"])
def test_markets_that_do_nothing_are_survived(name: str) -> None:
    for bars in (Bars.empty(), flat(1), flat(200), flat(200, volume=0.0), path(100, np.nan, np.nan, 101, 99, 98)):
        intents, _ = run(name, bars)
        assert np.isfinite(intents[:, 0]).all()
    assert len(run("grid", flat(200))[1].fills) == 0
