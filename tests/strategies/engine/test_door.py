"""What makes no sense is refused at the door of the engine, by name: behind it nothing looks at bounds any more."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import engine
from strategies.contract import Signals
from strategies.engine import Bars, CorporateAction, Costs, Intent, InvalidSimulation, Kind, Market, Rules, simulate
from strategies.engine import simulation as module
from strategies.engine.checking import fault
from strategies.engine.context import Context
from strategies.engine.sweep import sweep
from strategies.errors import InvalidBars

N = 50


def bars(n: int = N) -> Bars:
    close = np.linspace(100, 120, n)
    return Bars(np.arange(n) * 86_400, close.copy(), close + 1, close - 1, close, np.full(n, 1e6))


def changed(column: str, at: int, value: float) -> Bars:
    one = bars()
    array = getattr(one, column).copy()
    array[at] = value
    return replace(one, **{column: array})


def table(**columns: float) -> np.ndarray:
    row = dict(zip(
        ("bar", "id", "instrument", "action", "side", "kind", "quantity", "limit", "stop", "trail", "tif", "reduce_only",
         "parent", "group", "reason"),
        (3.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, np.nan, np.nan, np.nan, 0.0, 0.0, 0.0, 0.0, 0.0),
        strict=True,
    ))  # fmt: skip
    return np.array([list((row | columns).values())])


def split(bar: Any, instrument: Any) -> list[CorporateAction]:
    return [CorporateAction(bar, instrument, "split", 2.0)]


ONES = np.ones(N)
# How it is called, the field that is named, and what the message says.
REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a split of an instrument that is not there": (
        lambda: simulate(bars(), ONES, actions=split(5, 1)), "actions", r"instrument must be a whole number in 0\.\.0, was 1"),
    "a split far beyond": (lambda: simulate(bars(), ONES, actions=split(5, 1000)), "actions", "was 1000"),
    "a split of a negative instrument": (lambda: simulate(bars(), ONES, actions=split(5, -1)), "actions", "was -1"),
    "a split of half an instrument": (lambda: simulate(bars(), ONES, actions=split(5, 0.5)), "actions", "was 0.5"),
    "a split before the first bar": (
        lambda: simulate(bars(), ONES, actions=split(-1, 0)), "actions", r"bar must be a whole number in 0\.\.49, was -1"),
    "a split after the last bar": (lambda: simulate(bars(), ONES, actions=split(N, 0)), "actions", "was 50"),
    "a split on bar NaN": (lambda: simulate(bars(), ONES, actions=split(np.nan, 0)), "actions", "was nan"),
    "splits in no order": (
        lambda: simulate(bars(), ONES, actions=[*split(5, 0), *split(4, 0)]), "actions", r"was 'bar 4 after bar 5'"),
    "a split that is a tuple": (lambda: simulate(bars(), ONES, actions=[(5, 0, "split", 2.0)]), "actions", "CorporateActions"),
    "a split by infinity": (lambda: CorporateAction(5, 0, "split", np.inf), "value", "was inf"),
    "a negative price": (lambda: simulate(changed("low", 7, -1.0), ONES), "bars", "bar 7 .*not above 0"),
    "an infinite price": (lambda: simulate(changed("high", 7, np.inf), ONES), "bars", "bar 7 .*not a number"),
    "a price beyond any market": (lambda: simulate(changed("high", 7, 1e16), ONES), "bars", "bar 7 .*beyond any market"),
    "a high below the low": (lambda: simulate(changed("high", 7, 1.0), ONES), "bars", "bar 7 .*do not hold"),
    "an open above the high": (lambda: simulate(changed("open", 7, 500.0), ONES), "bars", "bar 7 .*do not hold"),
    "a close below the low": (lambda: simulate(changed("close", 49, 5.0), ONES), "bars", "bar 49 .*do not hold"),
    "a negative volume": (lambda: simulate(changed("volume", 7, -5.0), ONES), "bars", "bar 7 .*volume"),
    "an infinite volume": (lambda: simulate(changed("volume", 7, np.inf), ONES), "bars", "bar 7 .*volume"),
    "a time that stands still": (lambda: simulate(changed("time", 7, 6 * 86_400), ONES), "bars", "ascending order.*bar 7"),
    "milliseconds": (lambda: simulate(replace(bars(), time=bars().time + 1_700_000_000_000), ONES), "bars", "epoch seconds"),
    "dates": (
        lambda: simulate(replace(bars(), time=np.arange(N).astype("M8[s]")), ONES), "bars", "time must be whole numbers"),
    "half seconds": (lambda: simulate(replace(bars(), time=np.arange(N) + 0.5), ONES), "bars", "whole numbers, was 0.5"),
    "prices in a matrix": (
        lambda: simulate(replace(bars(), low=np.ones((N, 2))), ONES), "bars", r"low must be of shape \(50,\), was \(50, 2\)"),
    "prices in a matrix without columns": (lambda: simulate(replace(bars(), low=np.ones((N, 0))), ONES), "bars", "of shape"),
    "prices in words": (lambda: simulate(replace(bars(), low=np.array(["a"] * N)), ONES), "bars", "low must be numbers"),
    "a table for bars": (lambda: simulate({"close": ONES}, ONES), "bars", "must be Bars"),  # type: ignore[arg-type]
    "no bars at all": (lambda: simulate([], ONES), "bars", "one or more instruments"),
    "columns for bars": (lambda: simulate(["open", "close"], ONES), "bars", "was 'str'"),  # type: ignore[list-item]
    "two time axes": (
        lambda: simulate([bars(), replace(bars(), time=bars().time + 1)], np.ones((N, 2))), "bars", "one time axis"),
    "nothing decided": (lambda: simulate(bars()), "targets", "neither"),
    "decided twice": (lambda: simulate(bars(), ONES, intents=[]), "targets", "both"),
    "a word for targets": (lambda: simulate(bars(), "long"), "targets", "must be numbers, was 'long'"),  # type: ignore[arg-type]
    "targets of another length": (lambda: simulate(bars(), np.ones(N - 1)), "targets", r"\(50,\), was \(49,\)"),
    "targets of one instrument for two": (lambda: simulate([bars(), bars()], ONES), "targets", r"\(50, 2\), was \(50,\)"),
    "no targets": (lambda: simulate(bars(), np.zeros(0)), "targets", "of shape"),
    "complex targets": (lambda: simulate(bars(), ONES * 1j), "targets", "complex"),
    "a target of 2": (lambda: simulate(bars(), ONES * 2), "targets", r"in -1\.\.1, and never NaN, was 2.0 \(bar 0\)"),
    "a target of NaN": (lambda: simulate(bars(), np.where(np.arange(N) == 9, np.nan, 1.0)), "targets", r"was nan \(bar 9\)"),
    "a stop of infinity": (lambda: simulate(bars(), Signals(ONES, stop=-np.inf * ONES)), "stop", "NaN for none, was -inf"),
    "a trail of infinity": (lambda: simulate(bars(), Signals(ONES, trail=ONES * np.inf)), "trail", "was inf"),
    "a take-profit of another length": (
        lambda: simulate(bars(), Signals(ONES, take_profit=np.ones(3))), "take_profit", "shape"),
    "infinite funding": (lambda: simulate(bars(), ONES, funding=ONES * np.inf), "funding", r"rates in -1\.\.1.*was inf"),
    "funding of another shape": (lambda: simulate(bars(), ONES, funding=np.ones((N, 3))), "funding", r"was \(50, 3\)"),
    "funding in one number": (lambda: simulate(bars(), ONES, funding=0.1), "funding", "shape"),  # type: ignore[arg-type]
    "tradable in NaN": (lambda: simulate(bars(), ONES, tradable=ONES * np.nan), "tradable", "true or false, was nan"),
    "tradable of another length": (lambda: simulate(bars(), ONES, tradable=np.ones(3)), "tradable", "shape"),
    "sessions of another length": (lambda: simulate(bars(), ONES, session=np.zeros(3)), "session", "shape"),
    "sessions in a matrix": (lambda: simulate(bars(), ONES, session=np.zeros((N, 2))), "session", "shape"),
    "sessions in words": (lambda: simulate(bars(), ONES, session=["a"] * N), "session", "whole numbers"),
    "detail in disorder": (
        lambda: simulate(bars(), ONES, detail=replace(bars(), time=bars().time[::-1])), "detail", "ascending"),
    "detail that is wrong": (lambda: simulate(bars(), ONES, detail=changed("low", 3, -1.0)), "detail", "bar 3 .*not above 0"),
    "detail of two instruments": (
        lambda: simulate([bars()] * 2, np.ones((N, 2)), detail=bars()), "detail", "single instrument"),
    "detail that is no Bars": (lambda: simulate(bars(), ONES, detail=ONES), "detail", "must be Bars"),  # type: ignore[arg-type]
    "a market for each of three": (lambda: simulate(bars(), ONES, market=[Market()] * 3), "market", "each of 1 instruments"),
    "a market in a word": (lambda: simulate(bars(), ONES, market="spot"), "market", "one Market"),  # type: ignore[arg-type]
    "costs in one number": (lambda: simulate(bars(), ONES, costs=0.001), "costs", r"Costs\.of"),  # type: ignore[arg-type]
    "rules in a word": (lambda: simulate(bars(), ONES, rules="close"), "rules", "must be Rules"),  # type: ignore[arg-type]
    "slippage in one number": (lambda: Costs(slippage=0.1), "slippage", "must be Slippage"),  # type: ignore[arg-type]
    "cash of infinity": (lambda: simulate(bars(), ONES, cash=np.inf), "cash", "was inf"),
    "cash that is true": (lambda: simulate(bars(), ONES, cash=True), "cash", "was True"),
    "touch in a word": (lambda: Rules(touch="yes"), "touch", "True or False"),  # type: ignore[arg-type]
    "a sweep over wrong bars": (lambda: list(sweep(changed("low", 7, -1.0), [ONES])), "bars", "bar 7"),
    "a sweep of wrong targets": (lambda: list(sweep(bars(), [np.ones(3)])), "targets", "shape"),
    "a context over a matrix": (lambda: Context(replace(bars(), low=np.ones((N, 0))), None), "bars", "one dimension"),  # type: ignore[arg-type]
    "intents that are none": (lambda: simulate(bars(), intents=[(3, 1)]), "intents", "must be Intents"),  # type: ignore[list-item]
    "intents in a word": (lambda: simulate(bars(), intents="buy"), "intents", "was 'str'"),  # type: ignore[arg-type]
    "intents with too few columns": (lambda: simulate(bars(), intents=np.ones((2, 3))), "intents", "15 columns"),
    "intents in words": (lambda: simulate(bars(), intents=np.array([["a"] * 15])), "intents", "numbers"),
    "an intent of later": (lambda: simulate(bars(), intents=table(bar=N)), "intents: bar", r"0\.\.49, was 50.0 \(row 0\)"),
    "an intent on bar -1": (lambda: simulate(bars(), intents=table(bar=-1)), "intents: bar", "was -1.0"),
    "an intent on bar NaN": (lambda: simulate(bars(), intents=table(bar=np.nan)), "intents: bar", "whole number, was nan"),
    "intents in no order": (
        lambda: simulate(bars(), intents=np.r_[table(), table(bar=2, id=2)]), "intents: bar", r"was 2.0 \(row 1\)"),
    "an intent on another instrument": (
        lambda: simulate(bars(), intents=table(instrument=1)), "intents: instrument", r"0\.\.0, was 1.0 \(row 0\)"),
    "an intent on a negative instrument": (
        lambda: simulate(bars(), intents=table(instrument=-1)), "intents: instrument", "-1.0"),
    "an unknown kind": (lambda: simulate(bars(), intents=table(kind=9)), "intents: kind", "was 9.0"),
    "an unknown action": (lambda: simulate(bars(), intents=table(action=9)), "intents: action", "was 9.0"),
    "a side of 0": (lambda: simulate(bars(), intents=table(side=0)), "intents: side", "was 0.0"),
    "an unknown time in force": (lambda: simulate(bars(), intents=table(tif=3)), "intents: tif", "was 3.0"),
    "an id twice": (lambda: simulate(bars(), intents=np.r_[table(), table(bar=4)]), "intents: id", r"was 1.0 \(row 1\)"),
    "an endless id": (lambda: simulate(bars(), intents=table(id=1e300)), "intents: id", "whole number"),
    "an endless reason": (lambda: simulate(bars(), intents=table(reason=1e12)), "intents: reason", "whole number"),
    "a quantity of 0": (
        lambda: simulate(bars(), intents=table(quantity=0)), "intents: quantity", r"above 0, was 0.0 \(row 0\)"),
    "an infinite limit": (lambda: simulate(bars(), intents=table(limit=np.inf)), "intents: limit", "was inf"),
    "an intent of words": (lambda: simulate(bars(), intents=[Intent("a", 1)]), "intents", "numbers"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_by_name(case: str) -> None:
    call, field, message = REFUSED[case]
    with pytest.raises(InvalidSimulation, match=message) as caught:
        call()
    assert caught.value.facts["field"] == field
    assert "others" not in caught.value.message


def test_an_instrument_far_beyond_does_not_end_the_process() -> None:
    """As it was found: in a process of its own, since what fails here takes the process along."""
    code = (
        "import numpy as np\n"
        "from strategies.engine import Bars, CorporateAction, InvalidSimulation, simulate\n"
        "c = np.full(50, 100.0)\n"
        "bars = Bars(np.arange(50) * 86400, c, c, c, c, c)\n"
        "for j in (1, 1000, 10**8):\n"
        "    try: simulate(bars, np.ones(50), actions=[CorporateAction(5, j, 'split', 2.0)])\n"
        "    except InvalidSimulation: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["refused"] * 3), done.stderr[-500:]


def test_other_ways_to_lay_out_the_same_numbers_come_to_the_same() -> None:
    """Neither compiled anew nor misread: not contiguous, read-only, big-endian, float32, whole numbers, lists."""
    plain, exposure = bars(), np.where(np.arange(N) // 5 % 2 == 0, 1.0, 0.0)
    expected = simulate(plain, exposure)
    compiled = len(module.run.signatures)
    wide = np.zeros((N, 12))
    wide[:, ::2] = np.stack(plain.columns, axis=1)
    strided = Bars(wide[:, 0].astype(np.int64), *(wide[:, 2 * j] for j in range(1, 6)))
    frozen = Bars(*(column.copy() for column in plain.columns))
    for column in frozen.columns:
        column.flags.writeable = False
    locked = exposure.copy()
    locked.flags.writeable = False
    for same, targets in (
        (strided, np.repeat(exposure, 2)[::2]),
        (frozen, locked),
        (Bars(*(column.astype(column.dtype.newbyteorder(">")) for column in plain.columns)), exposure.astype(">f8")),
        (Bars(plain.time.astype(np.float64), *plain.columns[1:]), exposure.astype(np.int8)),
        (Bars(*(column.tolist() for column in plain.columns)), exposure.tolist()),
        ([plain], exposure.astype(bool).reshape(-1, 1)),
    ):
        result = simulate(same, targets)
        assert result.orders_hash == expected.orders_hash
        np.testing.assert_array_equal(result.equity, expected.equity)
    assert len(module.run.signatures) == compiled


def test_no_bars_and_holes_are_no_fault() -> None:
    assert simulate(bars(0), np.zeros(0)).final_equity == 10_000
    gone = bars()
    for column in gone.columns[1:]:
        column[3:6] = np.nan
    assert fault(gone) is None
    assert len(simulate(gone, ONES, funding=ONES * np.nan)) == N


def test_numbers_of_numpy_are_numbers() -> None:
    result = simulate(bars(), ONES, cash=np.int64(10), market=Market(lot=np.float32(0.5)), costs=Costs(taker=np.float64(0.001)))
    sheet = result.assumptions.to_json()
    assert (type(sheet["cash"]), type(sheet["markets"][0]["lot"]), type(sheet["costs"]["taker"])) == (float, float, float)


ANY = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([-1.0, 0.0, 1.0, 2.0, 7.0, 49.0, 50.0, 1e9]))


@settings(max_examples=300, deadline=None)
@given(row=st.lists(ANY, min_size=15, max_size=15), place=st.booleans())
def test_any_numbers_for_an_intent_are_refused_or_simulated(row: list[float], place: bool) -> None:
    given_ = np.array([row])
    if place:
        given_[0, [0, 1, 2, 3]] = 3, 1, 0, 0
    with suppress(InvalidSimulation):
        assert np.isfinite(simulate(bars(), intents=given_).equity).all()


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.tuples(*[st.one_of(st.floats(), st.floats(50, 150))] * 5), min_size=2, max_size=6),
)
def test_the_fast_look_and_the_slow_one_see_the_same(values: list[tuple[float, ...]]) -> None:
    columns = np.array(values).T
    one = Bars(np.arange(len(values)) * 60, *columns)
    prices, volume = columns[:4], columns[4]
    with np.errstate(invalid="ignore"):
        wrong = (prices <= 0) | (prices >= 1e15) | (prices > columns[1]) | (prices < columns[2])
        bad = wrong.any(axis=0) | (volume < 0) | (volume >= 1e30)
    found = fault(one)
    assert (found is None) == (not bad.any())
    if found is not None:
        assert bad[found.bar]


def test_a_backtest_refuses_by_the_same_rule() -> None:
    from strategies.backtest import check_bars

    with pytest.raises(InvalidBars, match=r"bar 7 .*volume is below 0 or infinite"):
        check_bars([changed("volume", 7, 1e31)])


def test_the_example_of_the_docstring_holds_and_its_names_can_be_imported() -> None:
    found = doctest.DocTestFinder().find(module.simulate, "simulate", globs={})
    assert sum(len(one.examples) for one in found) > 5
    runner = doctest.DocTestRunner()
    for one in found:
        runner.run(one)
    assert runner.failures == 0
    text = module.simulate.__doc__ or ""
    for name in ("Bars", "Intent", "Kind", "Costs", "Rules", "Market", "CorporateAction", "Status", "Why", "Origin"):
        assert name in text
        assert name in engine.__all__
        assert hasattr(engine, name)
    assert Kind.LIMIT == 1
    for name in (
        "equity",
        "final_equity",
        "position",
        "trades",
        "fills",
        "orders",
        "costs",
        "rejections",
        "flags",
        "orders_hash",
    ):
        assert f"``{name}``" in text
        assert hasattr(engine.Result, name) or name in engine.Result.__dataclass_fields__
