"""Laws that any simulator of docs/engine.md obeys, tried on seeded random cases through each of them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from decimal import Decimal
from random import Random

import pytest

from tests.strategies.engine.cases import random_case
from tests.strategies.engine.engines import ENGINES, Engine
from tests.strategies.engine.reference_types import Action, Bars, Costs, Intent, Market, Result, Rules, Targets
from tests.strategies.engine.tables import Case

SEEDS = range(50_000, 50_100)


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def near(x: float | Decimal, y: float | Decimal, scale: float) -> bool:
    return abs(float(x) - float(y)) <= 1e-9 * max(scale, abs(float(x)), abs(float(y)))


def turnover(case: Case, result: Result) -> float:
    """The money that moved: what rounding errors grow with."""
    return case.cash + sum(f.quantity * f.price * case.markets[f.instrument].multiplier for f in result.fills)


def last_marks(case: Case) -> list[float]:
    """The last close of each instrument, in units after the splits that came later."""
    marks = []
    for j, bars in enumerate(case.bars):
        seen = [i for i, close in enumerate(bars.close) if close == close]
        mark = bars.close[seen[-1]] if seen else 0.0
        for action in case.actions:
            if action.kind == "split" and action.instrument == j and seen and action.bar > seen[-1]:
                mark /= action.value
        marks.append(mark)
    return marks


def test_money_is_conserved_to_the_last_digit(engine: Engine) -> None:
    for seed in SEEDS:
        case = random_case(seed)
        result = engine(case)
        money = Decimal(case.cash)
        for fill in result.fills:
            multiplier = Decimal(case.markets[fill.instrument].multiplier)
            money -= fill.side * Decimal(fill.quantity) * Decimal(fill.price) * multiplier + Decimal(fill.fee)
        paid = {name: Decimal(value) for name, value in result.costs.items()}
        carried = paid["dividends"] - paid["funding"] - paid["borrow"] - paid["interest"]
        worth = sum(
            Decimal(quantity) * Decimal(mark) * Decimal(market.multiplier)
            for quantity, mark, market in zip(result.position[-1], last_marks(case), case.markets, strict=True)
        )
        scale = turnover(case, result)
        assert near(result.equity[-1], money + carried + worth, scale), case.name
        assert near(paid["fees"], sum(Decimal(fill.fee) for fill in result.fills), scale), case.name
        assert near(paid["slippage"], sum(Decimal(fill.slippage) for fill in result.fills), scale), case.name


@pytest.mark.parametrize(
    "name",
    [
        "reference",
        "kernel",
    ],
)
def test_trades_and_carry_add_up_to_what_was_gained(name: str) -> None:
    engine = ENGINES[name]
    for seed in SEEDS:
        case = random_case(seed)
        result = engine(case)
        paid = result.costs
        gained = (
            sum(trade.pnl for trade in result.trades) + paid["dividends"] - paid["funding"] - paid["borrow"] - paid["interest"]
        )
        assert near(result.equity[-1], case.cash + gained, turnover(case, result)), case.name


def test_a_market_that_stands_still_takes_exactly_the_costs(engine: Engine) -> None:
    for seed in SEEDS:
        case = random_case(seed)
        case.actions, case.detail = [action for action in case.actions if action.kind != "split"], None
        for bars in case.bars:
            for column in (bars.open, bars.high, bars.low, bars.close):
                column[:] = [100.0] * len(column)
        case.markets = [Market(0.0, m.lot, m.minimum_notional, m.multiplier, m.short) for m in case.markets]
        result = engine(case)
        paid = result.costs
        lost = sum(paid[name] for name in ("fees", "slippage", "funding", "borrow", "interest")) - paid["dividends"]
        assert near(case.cash - result.equity[-1], lost, turnover(case, result)), case.name


def scaled_bars(bars: Bars, price: float, volume: float, since: float = float("-inf")) -> Bars:
    """Prices and volumes times a factor from a time on."""

    def times(column: list[float], factor: float) -> list[float]:
        return [x * factor if t >= since else x for t, x in zip(bars.time, column, strict=True)]

    return Bars(bars.time, *(times(c, price) for c in (bars.open, bars.high, bars.low, bars.close)), times(bars.volume, volume))


def scaled_intents(intents: Iterable[Intent], price: float, quantity: float, since: int = -1) -> list[Intent]:
    scaled = [deepcopy(intent) for intent in intents]
    for intent in scaled:
        if intent.bar >= since:
            intent.limit, intent.stop, intent.trail = intent.limit * price, intent.stop * price, intent.trail * price
            intent.quantity *= quantity
    return scaled


def scaled_targets(targets: Targets, price: float, since: int = -1) -> Targets:
    rows = (
        None if level is None else [[x * price if i >= since else x for x in row] for i, row in enumerate(level)]
        for level in (targets.stop, targets.take_profit, targets.trail)
    )
    return Targets(targets.exposure, *rows)


def scaled(case: Case, price: float, quantity: float) -> Case:
    """The same market in other money and other units."""
    money = price * quantity
    other = deepcopy(case)
    other.bars = [scaled_bars(bars, price, quantity) for bars in case.bars]
    other.detail = None if case.detail is None else [scaled_bars(bars, price, quantity) for bars in case.detail]
    other.markets = [
        Market(m.tick * price, m.lot * quantity, m.minimum_notional * money, m.multiplier, m.short) for m in case.markets
    ]
    costs = other.costs
    costs.per_unit, costs.minimum = costs.per_unit * price, costs.minimum * money
    if costs.slippage == "fixed":
        costs.slip *= price
    for action in other.actions:
        if action.kind == "dividend":
            action.value *= price
    other.cash *= money
    if case.intents is not None:
        other.intents = scaled_intents(case.intents, price, quantity)
    if case.targets is not None:
        other.targets = scaled_targets(case.targets, price)
    return other


@pytest.mark.parametrize(("price", "quantity"), [(4.0, 1.0), (1.0, 8.0), (0.5, 2.0)])
def test_other_units_change_nothing(engine: Engine, price: float, quantity: float) -> None:
    for seed in SEEDS:
        case = random_case(seed)
        plain, other = engine(case), engine(scaled(case, price, quantity))
        assert [(f.bar, f.order, f.side, f.why) for f in plain.fills] == [(f.bar, f.order, f.side, f.why) for f in other.fills]
        for a, b in zip(plain.equity, other.equity, strict=True):
            assert near(a * price * quantity, b, turnover(case, plain)), case.name


def smooth(case: Case) -> Case:
    """Without what a split does not scale: ticks, lots, money a unit, a fixed slip; without other splits."""
    case.markets = [Market(0.0, 0.0, m.minimum_notional, m.multiplier, m.short) for m in case.markets]
    case.costs.per_unit = 0.0
    if case.costs.slippage == "fixed":
        case.costs.slippage = "percentage"
        case.costs.slip = 0.002
    case.actions = []
    return case


def test_a_split_leaves_equity_as_it_was(engine: Engine) -> None:
    for seed in SEEDS:
        case = smooth(random_case(seed))
        n = len(case.bars[0].time)
        at, ratio, j = Random(seed).randrange(1, n), Random(seed).choice((2.0, 0.5)), 0
        split = deepcopy(case)
        split.actions = [Action(at, j, "split", ratio)]
        since = case.bars[j].time[at]
        split.bars[j] = scaled_bars(case.bars[j], 1 / ratio, ratio, since)
        if case.detail is not None:
            split.detail = [scaled_bars(case.detail[0], 1 / ratio, ratio, since)]
        if case.intents is not None:
            own = {intent.id for intent in case.intents if intent.instrument == j and intent.action == "place"}
            split.intents = [
                scaled_intents([intent], 1 / ratio, ratio, at)[0] if intent.id in own else intent for intent in case.intents
            ]
        if case.targets is not None:
            whole = scaled_targets(case.targets, 1 / ratio, at)
            for name in ("stop", "take_profit", "trail"):
                before, after = getattr(case.targets, name), getattr(whole, name)
                rows = [
                    [new if c == j else old for c, (old, new) in enumerate(zip(x, y, strict=True))]
                    for x, y in zip(before, after, strict=True)
                ]
                setattr(split.targets, name, rows)
        plain, other = engine(case), engine(split)
        for i, (a, b) in enumerate(zip(plain.equity, other.equity, strict=True)):
            assert near(a, b, turnover(case, plain)), f"{case.name}, bar {i}"


def cut(case: Case, t: int) -> Case:
    """What was known before bar t."""
    end = case.bars[0].time[t]

    def first(bars: Bars) -> Bars:
        rows = sum(time < end for time in bars.time)
        return Bars(*(getattr(bars, name)[:rows] for name in ("time", "open", "high", "low", "close", "volume")))

    known = deepcopy(case)
    known.bars = [first(bars) for bars in case.bars]
    known.detail = None if case.detail is None else [first(bars) for bars in case.detail]
    if known.detail is not None and not known.detail[0].time:
        known.detail = None
    known.actions = [action for action in case.actions if action.bar < t]
    for name in ("funding", "tradable", "session"):
        if getattr(case, name) is not None:
            setattr(known, name, getattr(case, name)[:t])
    if case.intents is not None:
        known.intents = [intent for intent in case.intents if intent.bar < t]
    if case.targets is not None:
        levels = (case.targets.stop, case.targets.take_profit, case.targets.trail)
        known.targets = Targets(case.targets.exposure[:t], *(None if rows is None else rows[:t] for rows in levels))
    return known


def test_what_comes_later_changes_nothing_before(engine: Engine) -> None:
    for seed in SEEDS:
        case = random_case(seed)
        t = Random(seed).randrange(1, len(case.bars[0].time))
        whole, known = engine(case), engine(cut(case, t))
        assert [f for f in whole.fills if f.bar < t] == known.fills, case.name
        assert whole.equity[:t] == known.equity, case.name
        assert whole.position[:t] == known.position, case.name


def bracketed(rng: Random) -> Case:
    """One position with a stop and a take-profit; coarse bars made of finer ones without gaps."""
    price, finer, coarse = 100.0, Bars([], [], [], [], [], []), Bars([], [], [], [], [], [])
    for i in range(12):
        opening, highest, lowest = price, price, price
        for m in range(4):
            close = price + rng.randint(-3, 3)
            high, low = max(price, close) + rng.randint(0, 2), min(price, close) - rng.randint(0, 2)
            for column, value in zip(vars(finer).values(), (i * 3600 + m * 900, price, high, low, close, 1e6), strict=True):
                column.append(value)
            price, highest, lowest = close, max(highest, high), min(lowest, low)
        for column, value in zip(vars(coarse).values(), (i * 3600, opening, highest, lowest, price, 1e6), strict=True):
            column.append(value)
    side, n = rng.choice((-1.0, 1.0)), len(coarse.time)
    entry = coarse.open[1]
    near_stop, near_take = entry - side * rng.randint(1, 4), entry + side * rng.randint(1, 4)
    targets = Targets([[side]] * n, [[near_stop]] * n, [[near_take]] * n, None)
    return Case("bracket", [coarse], [finer], targets, markets=[Market()], costs=Costs(), rules=Rules())


def test_finer_bars_end_between_the_pessimist_and_the_optimist(engine: Engine) -> None:
    between = 0
    for seed in range(300):
        fine = bracketed(Random(seed))
        worst, best = deepcopy(fine), deepcopy(fine)
        worst.detail = best.detail = None
        best.rules = Rules(intrabar="optimistic")
        low, middle, high = (engine(case).equity[-1] for case in (worst, fine, best))
        assert low - 1e-6 <= middle <= high + 1e-6, seed
        between += low < high - 1e-6
    assert between > 20


def test_every_law_sees_enough_fills(engine: Engine) -> None:
    assert sum(len(engine(random_case(seed)).fills) for seed in SEEDS) > 500
