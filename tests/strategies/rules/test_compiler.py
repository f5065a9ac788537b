"""A compiled rule decides as worked out by hand, sees no future, and needs no more history than it says."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as settings_of_django
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata.bars import Bars
from strategies.contract import InvalidSignals, Signals, as_signals, validate
from strategies.rules import EXAMPLES, compile_rule, digest
from tests.strategies.library.series import flat, poisoned, walk
from tests.strategies.rules.documents import CLOSE, above, below, constant, documents, rule

RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
START = 1_699_999_200  # opens a bar of 4h
N = float("nan")


def bars_of(*closes: float, step: int = 900, span: float = 0.0) -> Bars:
    """Bars that open and close at ``closes`` and reach ``span`` beyond them."""
    close = np.array(closes, dtype=np.float64)
    return Bars(START + np.arange(len(close)) * step, close, close + span, close - span, close, np.ones(len(close)))


def table(document: dict[str, Any], bars: Bars, **values: Any) -> np.ndarray:
    """(n, 3): exposure, stop, take-profit."""
    strategy = compile_rule(document)
    given = strategy.signals(bars, validate(strategy, values))
    signals = as_signals(given, len(bars))
    names = tuple(
        name for name in ("stop", "take_profit", "trail") if isinstance(given, Signals) and getattr(given, name) is not None
    )
    assert names == strategy.levels
    none = np.full(len(bars), N)
    columns = (none if level is None else level for level in (signals.stop, signals.take_profit))
    return np.column_stack([signals.exposure, *columns])


def exposure(document: dict[str, Any], *closes: float) -> list[float]:
    return table(document, bars_of(*closes))[:, 0].tolist()


def test_a_position_begins_when_the_entry_becomes_true_and_ends_with_the_exit() -> None:
    document = rule(above(10), exit={"long": below(8)})
    # The first bar has nothing before it; 9 is no exit; 7 is; at 12 the entry has become true again.
    assert exposure(document, 11, 12, 9, 11, 9, 7, 12, 12) == [0, 0, 0, 1, 1, 0, 1, 1]


def test_the_table_of_the_docs_is_what_happens() -> None:
    lines = (Path(settings_of_django.BASE_DIR) / "docs" / "rules.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ") and line[2].isdigit()]
    document = rule(above(10), exit={"long": below(8)})
    assert len(rows) == 7
    assert exposure(document, *(float(row[1]) for row in rows)) == [float(row[-1]) for row in rows]


def test_a_position_is_given_up_after_its_bars_and_a_new_signal_renews_them() -> None:
    document = rule(above(10), hold=3)
    assert exposure(document, 9, 11, 11, 11, 11, 11) == [0, 1, 1, 1, 0, 0]
    assert exposure(document, 9, 11, 9, 11, 11, 11, 11) == [0, 1, 1, 1, 1, 1, 0]


def test_an_opposite_signal_reverses_and_two_at_once_are_none() -> None:
    document = rule(above(10), direction="both", entry={"long": above(10), "short": below(8)})
    assert exposure(document, 9, 11, 7, 9, 11) == [0, 1, -1, -1, 1]
    both = rule(above(10), direction="both", entry={"long": above(10), "short": above(10)})
    assert exposure(both, 9, 11, 11) == [0, 0, 0]
    short = rule(above(1), direction="short", entry={"short": below(8)}, exit={"short": above(10)})
    assert exposure(short, 9, 7, 7, 11) == [0, -1, -1, 0]


def test_a_filter_lets_a_signal_pass_and_ends_nothing() -> None:
    volume = {"op": "above", "left": {"price": "volume"}, "right": constant(5)}
    document = rule(above(10), filters=volume)
    bars = bars_of(9, 11, 9, 11, 11)
    loud = Bars(*bars.columns[:5], np.array([1.0, 1, 1, 9, 1]))
    assert table(document, loud)[:, 0].tolist() == [0, 0, 0, 1, 1]


def test_no_signal_counts_while_its_exit_holds() -> None:
    document = rule(above(10), exit={"long": above(12)})
    assert exposure(document, 9, 13, 11, 9, 11) == [0, 0, 0, 0, 1]


def test_a_cool_down_counts_from_the_end_of_a_trade_taken_or_not() -> None:
    document = rule(above(10), exit={"long": below(10)}, cooldown=2)
    # The trade ends after bar 2; the signal of bar 4 is two bars later and does not count, nor does that of bar 6, two
    # bars after the trade that was left out would have ended; that of bar 10 does.
    closes = (9, 11, 9, 9, 11, 9, 11, 9, 9, 9, 11)
    assert exposure(document, *closes) == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert exposure(rule(above(10), exit={"long": below(10)}), *closes) == [0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1]


def test_a_stop_and_a_goal_are_prices_from_the_signal_and_end_the_position_when_touched() -> None:
    document = rule(above(99), stop={"kind": "percent", "value": 5}, profit={"kind": "percent", "value": 10})
    closes = (90.0, 100.0, 97.0, 96.0, 94.0, 100.0, 110.0, 110.5)
    found = table(document, bars_of(*closes))
    assert found[:, 0].tolist() == [0, 1, 1, 1, 0, 1, 1, 0]  # a goal that is touched is not passed
    np.testing.assert_allclose(found[1:4, 1:], [[95, 110]] * 3)
    assert np.isnan(found[[0, 4, 7], 1:]).all()


def test_the_levels_of_a_short_position_are_mirrored() -> None:
    stop, profit = {"kind": "percent", "value": 5}, {"kind": "percent", "value": 10}
    document = rule(above(1), direction="short", entry={"short": below(101)}, stop=stop, profit=profit)
    found = table(document, bars_of(105.0, 100.0, 104.0, 105.0))
    assert found[:, 0].tolist() == [0, -1, -1, 0]
    np.testing.assert_allclose(found[1:3, 1:], [[105, 90]] * 2)


def test_a_trailing_stop_follows_the_best_price_and_never_loosens() -> None:
    document = rule(above(99), trail={"kind": "percent", "value": 10})
    found = table(document, bars_of(90.0, 100.0, 120.0, 111.0, 109.0))
    # 10 % of 100 from the signal's close on: 90; behind the high of 120: 110; 109 touches it.
    assert found[:, 0].tolist() == [0, 1, 1, 1, 0]
    np.testing.assert_allclose(found[1:4, 1], [90, 110, 110])
    tighter = rule(above(99), trail={"kind": "percent", "value": 10}, stop={"kind": "percent", "value": 2})
    np.testing.assert_allclose(table(tighter, bars_of(90.0, 100.0, 101.0, 120.0))[1:, 1], [98, 98, 110])


def test_a_distance_in_average_ranges_is_that_of_the_signal() -> None:
    document = rule(above(99), stop={"kind": "atr", "value": 2, "window": 2})
    found = table(document, bars_of(90.0, 90.0, 90.0, 100.0, 100.0, span=1.0))
    # True ranges 2, 2, then 11 with the jump from 90 to a high of 101; Wilder's average of two: 2, then 6.5.
    np.testing.assert_allclose(found[3:, 1], [87, 87])


def test_sizes() -> None:
    bars = bars_of(90.0, 99.0, 90.0, 100.0, 100.0)
    assert table(rule(above(99.5), size={"kind": "fixed", "value": 40}), bars)[-1, 0] == 0.4
    risk = rule(above(99.5), stop={"kind": "percent", "value": 4}, size={"kind": "risk", "value": 1})
    assert table(risk, bars)[-1, 0] == pytest.approx(0.25)
    much = rule(above(99.5), stop={"kind": "percent", "value": 4}, size={"kind": "risk", "value": 10, "most": 60})
    assert table(much, bars)[-1, 0] == pytest.approx(0.6)


def test_a_volatility_target_sizes_by_the_deviation_of_the_last_returns() -> None:
    closes = 100 * np.exp(np.cumsum(np.tile([0.01, -0.01], 10)))
    closes[-1] = 200.0
    document = rule(above(150), size={"kind": "volatility", "value": 50, "window": 6})
    returns = np.diff(np.log(closes))[-6:]
    wanted = 0.5 / (returns.std(ddof=1) * np.sqrt(365 * 96))
    assert wanted < 1
    assert exposure(document, *closes)[-1] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("condition", "closes", "answers"),
    [
        ({"op": "crosses_above", "left": CLOSE, "right": constant(10)}, (9, 11, 9, 10, 9, 10, 11), [0, 1, 0, 0, 0, 0, 1]),
        ({"op": "crosses_above", "left": CLOSE, "right": constant(10)}, (11, 10, 11, 12), [0, 0, 0, 0]),
        ({"op": "crosses_below", "left": CLOSE, "right": constant(10)}, (11, 10, 9, 8), [0, 0, 1, 0]),
        ({"op": "rising", "left": CLOSE, "bars": 2}, (1, 2, 3, 4, 4, 5, 6), [0, 0, 1, 1, 0, 0, 1]),
        ({"op": "falling", "left": CLOSE, "bars": 1}, (5, 4, 4, 3), [0, 1, 0, 1]),
        ({"op": "within", "left": CLOSE, "right": constant(100), "percent": 1}, (98, 99, 100, 101, 102), [0, 1, 1, 1, 0]),
        ({"op": "between", "left": CLOSE, "low": constant(2), "high": constant(3)}, (1, 2, 3, 4), [0, 1, 1, 0]),
        ({"op": "above", "left": CLOSE, "right": {**CLOSE, "ago": 2}}, (5, 4, 6, 3, 7), [0, 0, 1, 0, 1]),
        ({"not": {"op": "above", "left": CLOSE, "right": {**CLOSE, "ago": 2}}}, (5, 4, 6, 3, 7), [0, 0, 0, 1, 0]),
        ({"op": "above", "left": CLOSE, "right": {"indicator": "sma", "params": {"window": 2}}}, (4, 2, 4, 5), [0, 0, 1, 1]),
        ({"any": [above(9), {"all": [above(3), below(5)]}]}, (4, 6, 10, 1), [1, 0, 1, 0]),
    ],
)  # fmt: skip
def test_conditions(condition: dict[str, Any], closes: tuple[float, ...], answers: list[int]) -> None:
    """As filters they show: a signal on every second bar, held for one."""
    found = []
    for end in range(1, len(closes) + 1):
        # Two signals a bar apart, so that each bar has one.
        strategy = compile_rule(rule(above(0), filters=condition, hold=1))
        from strategies.rules.conditions import Reading

        p = validate(strategy, {})
        bars = bars_of(*closes[:end])
        found.append(max(0, int(Reading(bars, strategy.timeframe, p).answer(strategy.rule.filters)[-1])))  # type: ignore[arg-type]
    assert found == answers


def test_a_condition_on_a_higher_timeframe_answers_as_its_newest_closed_bar() -> None:
    hourly = {"op": "above", "left": {**CLOSE, "timeframe": "1h"}, "right": constant(10)}
    document = rule(hourly, exit={"long": {"not": hourly}})
    # Hours close at 9, 11 and 8: known from the bars that end them, 3, 7 and 11; 20 and 30 within an hour say nothing.
    closes = (1, 20, 20, 9, 30, 1, 1, 11, 1, 1, 1, 8)
    assert exposure(document, *closes) == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0]


def test_lines_of_two_timeframes_compare_the_newest_values() -> None:
    mixed = {"op": "above", "left": CLOSE, "right": {**CLOSE, "timeframe": "1h"}}
    document = rule(mixed, hold=2)
    assert exposure(document, 5, 5, 5, 10, 9, 11, 12, 3, 4) == [0, 0, 0, 0, 0, 1, 1, 0, 1]


def test_shorter_bars_than_the_rule_is_for_are_refused() -> None:
    strategy = compile_rule(rule(above(1)))
    with pytest.raises(InvalidSignals, match="bars of 15m, these are shorter"):
        strategy.signals(bars_of(1, 2, 3, step=300), validate(strategy, {}))
    assert compile_rule(rule(above(1)), timeframe="5m").timeframe.seconds == 300


def test_bars_with_a_hole_in_their_numbers_are_refused_with_the_bar() -> None:
    strategy = compile_rule(rule({"op": "above", "left": {"indicator": "ema"}, "right": CLOSE}))
    with pytest.raises(InvalidSignals, match="index 1"):
        strategy.signals(bars_of(1, N, 3), validate(strategy, {}))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


@RELAXED
@given(document=documents(), seed=st.integers(0, 10**6), cut=st.integers(1, 399), holes=st.booleans())
def test_the_future_changes_no_decision(document: dict[str, Any], seed: int, cut: int, holes: bool) -> None:
    bars = walk(seed, 400)
    if holes:
        kept = np.random.default_rng(seed).random(400) < 0.8
        bars, cut = bars[kept], min(cut, int(kept.sum()) - 1)  # type: ignore[index]
    full = table(document, bars)
    assert same(table(document, bars), full)
    assert same(table(document, bars[:cut]), full[:cut])
    assert same(table(document, poisoned(bars, cut, seed + 1))[:cut], full[:cut])


@settings(RELAXED, max_examples=25)
@given(document=documents(), seed=st.integers(0, 10**6))
def test_the_declared_history_decides_as_the_full_series_does(document: dict[str, Any], seed: int) -> None:
    strategy = compile_rule(document)
    history = strategy.history(validate(strategy, {}))
    if history > 20_000:  # half a year of 15m bars, from a monthly anchor or a slow decay on 4h
        return
    bars = walk(seed, history + 200)
    full = table(document, bars)
    for end in range(history, len(bars), 17):
        np.testing.assert_allclose(table(document, bars[end - history : end])[-1], full[end - 1], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_trade_and_see_no_future(name: str) -> None:
    document: Any = EXAMPLES[name]
    strategy = compile_rule(document)
    bars = walk(5, 20_000, step=strategy.timeframe.seconds)
    full = table(document, bars)
    assert (np.diff(np.sign(full[:, 0])) != 0).sum() > 10
    assert full[:, 0].max() > 0
    assert (full[:, 0].min() < 0) == (document["direction"] == "both")
    for cut in (1, 2, 777, 9_999):
        assert same(table(document, bars[:cut]), full[:cut])
    history = strategy.history(validate(strategy, {}))
    for end in range(12_000, 20_000, 797):
        np.testing.assert_allclose(table(document, bars[end - history : end])[-1], full[end - 1], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("length", [0, 1, 2, 30])
def test_few_bars_get_an_answer(name: str, length: int) -> None:
    assert len(table(EXAMPLES[name], walk(1, length, step=14_400))) == length  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("price", [0.1 + 0.2, 60_000.1, 1.3e-5])
def test_a_flat_market_is_no_reason_to_trade(name: str, price: float) -> None:
    bars = flat(3000, price)
    slow = Bars(bars.time * 16, *bars.columns[1:])
    assert not table(EXAMPLES[name], slow)[:, 0].any()  # type: ignore[arg-type]


def test_a_strategy_travels_and_a_document_has_one_digest() -> None:
    document = EXAMPLES["two-timeframes"]
    strategy = compile_rule(document)
    twin = pickle.loads(pickle.dumps(strategy))
    bars = walk(2, 2000)
    p = validate(strategy, {})
    assert same(as_signals(twin.signals(bars, p), 2000).exposure, as_signals(strategy.signals(bars, p), 2000).exposure)
    assert digest(dict(reversed(document.items()))) == strategy.digest
    assert digest({**document, "hold": 1}) != strategy.digest
