"""Random cases for two simulators: coarse price grids, gaps, holes, levels near the price, so that edges are met often."""

from __future__ import annotations

from math import nan
from random import Random

from tests.strategies.engine.reference_types import Action, Bars, Costs, Intent, Market, Rules, Targets
from tests.strategies.engine.tables import Case

KINDS = ("market", "limit", "stop", "stop-limit", "trailing")
SLIPPAGES = (
    ("none", 0.0),
    ("none", 0.0),
    ("fixed", 0.3),
    ("percentage", 0.002),
    ("half-spread", 0.004),
    ("volume-share", 0.05),
)


def random_case(seed: int) -> Case:
    """The case of a seed: the same on every machine."""
    rng = Random(seed)
    k, n = rng.choice((1, 1, 1, 2, 2, 3)), rng.randint(3, 24)
    grid = rng.choice((1.0, 1.0, 0.5, 0.25, 0.01))
    step = rng.choice((86400, 3600))
    finer = k == 1 and rng.random() < 0.25
    bars, detail = [], None
    for _ in range(k):
        one, inside = walk(rng, n, grid, step, finer=finer)
        bars.append(one)
        detail = [inside] if finer and inside.time else None
    case = Case(f"seed {seed}", bars, detail)
    case.cash = rng.choice((10_000.0, 1_000.0))
    case.markets = [random_market(rng, grid) for _ in range(k)]
    case.costs, case.rules = random_costs(rng), random_rules(rng)
    if rng.random() < 0.3:
        case.funding = [[rng.choice((0.0, nan, 0.001, -0.002)) for _ in range(k)] for _ in range(n)]
    if rng.random() < 0.15:
        case.tradable = [[rng.random() < 0.85 for _ in range(k)] for _ in range(n)]
    if rng.random() < 0.3:
        case.session = [i // rng.choice((1, 3)) for i in range(n)]
    if rng.random() < 0.25:
        for bar in sorted(rng.choices(range(n), k=2)):
            kind = rng.choice(("split", "dividend"))
            case.actions.append(Action(bar, rng.randrange(k), kind, rng.choice((2.0, 0.5)) if kind == "split" else 0.75))
    if rng.random() < 0.5:
        case.targets = random_targets(rng, case, grid)
    else:
        case.intents = random_intents(rng, case, grid)
    return case


def walk(rng: Random, n: int, grid: float, step: int, *, finer: bool) -> tuple[Bars, Bars]:
    """A walk on the grid with gaps, absent bars and bars without volume; finer bars where asked for."""
    coarse, inside = Bars([], [], [], [], [], []), Bars([], [], [], [], [], [])
    price = float(round(rng.uniform(20, 120)))
    known, wild = rng.random() < 0.8, rng.choice((2, 4, 8))
    for i in range(n):
        count = rng.choice((2, 3, 4)) if finer else 1
        rows = []
        for _ in range(count):
            rows.append(one_bar(rng, price, grid, wild, known=known))
            if rows[-1][3] == rows[-1][3]:
                price = rows[-1][3]
        present = [row for row in rows if row[3] == row[3]]
        if present:
            volume = sum(row[4] for row in present)
            coarse_row = (
                present[0][0],
                max(row[1] for row in present),
                min(row[2] for row in present),
                present[-1][3],
                volume,
            )
        else:
            coarse_row = rows[0]
        append(coarse, i * step, coarse_row)
        if finer and rng.random() < 0.8:
            for m, row in enumerate(rows):
                append(inside, i * step + m * step // count, row)
    return coarse, inside


def one_bar(rng: Random, price: float, grid: float, wild: int, *, known: bool) -> tuple[float, float, float, float, float]:
    if rng.random() < 0.06:
        return nan, nan, nan, nan, nan
    gap = rng.randint(-3 * wild, 3 * wild) if rng.random() < 0.2 else rng.randint(-1, 1)

    def at(base: float, move: int) -> float:
        return max(round((base + move * grid) / grid) * grid, grid)

    opening = at(price, gap)
    close = at(opening, rng.randint(-wild, wild))
    high = at(max(opening, close), rng.choice((0, 0, 1, rng.randint(0, wild))))
    low = at(min(opening, close), -rng.choice((0, 0, 1, rng.randint(0, wild))))
    volume = (0.0 if rng.random() < 0.06 else float(rng.randint(1, 60))) if known else nan
    return opening, high, low, close, volume


def append(bars: Bars, time: float, row: tuple[float, float, float, float, float]) -> None:
    bars.time.append(time)
    for column, value in zip((bars.open, bars.high, bars.low, bars.close, bars.volume), row, strict=True):
        column.append(value)


def random_market(rng: Random, grid: float) -> Market:
    return Market(
        rng.choice((0.0, grid, grid, 2 * grid)),
        rng.choice((0.0, 0.0, 1.0, 0.1)),
        rng.choice((0.0, 0.0, 0.0, 150.0)),
        rng.choice((1.0, 1.0, 10.0, 0.5)),
        rng.random() < 0.85,
    )


def random_costs(rng: Random) -> Costs:
    if rng.random() < 0.3:
        return Costs()
    model, slip = rng.choice(SLIPPAGES)
    return Costs(
        rng.choice((0.0, 0.001, -0.0002)),
        rng.choice((0.0, 0.001, 0.01)),
        rng.choice((0.0, 0.0, 0.02)),
        rng.choice((0.0, 0.0, 1.0, 5.0)),
        model,
        slip,
        rng.choice((0.0, 0.5)),
        rng.choice((0.0, 0.5)),
    )


def random_rules(rng: Random) -> Rules:
    return Rules(
        rng.choice(("next-open", "next-open", "close")),
        rng.choice((1.0, 1.0, 2.0, 5.0, 20.0)),
        rng.choice((0.0, 0.01, 0.05, 0.2)),
        rng.choice((None, None, 0.1, 0.5, 1.0)),
        rng.random() < 0.3,
        rng.choice(("pessimistic", "pessimistic", "optimistic")),
    )


def random_targets(rng: Random, case: Case, grid: float) -> Targets:
    n, k = len(case.bars[0].time), len(case.bars)
    rows: dict[str, list[list[float]]] = {name: [[nan] * k for _ in range(n)] for name in ("e", "stop", "take", "trail")}
    for j, bars in enumerate(case.bars):
        e, price = 0.0, 50.0
        use = {name: rng.random() < 0.5 for name in ("stop", "take", "trail")}
        for i in range(n):
            price = bars.close[i] if bars.close[i] == bars.close[i] else price
            if rng.random() < 0.35:
                e = rng.choice((-1.0, -0.5, 0.0, 0.0, 0.3, 0.5, 0.8, 1.0)) / rng.choice((1, 1, k))
            rows["e"][i][j] = e
            away = (1 if e >= 0 else -1) * rng.choice((-1, 1, 1, 1, 1, 1, 1))
            if use["stop"] and rng.random() < 0.9:
                rows["stop"][i][j] = price - away * rng.uniform(0.5, 6) * grid
            if use["take"] and rng.random() < 0.9:
                rows["take"][i][j] = price + away * rng.choice((1, 2, 3, rng.uniform(0.5, 6))) * grid
            if use["trail"] and rng.random() < 0.9:
                rows["trail"][i][j] = rng.choice((1, 2, 3, rng.uniform(0.5, 6))) * grid
    return Targets(rows["e"], rows["stop"], rows["take"], rows["trail"])


def random_intents(rng: Random, case: Case, grid: float) -> list[Intent]:
    n, k = len(case.bars[0].time), len(case.bars)
    intents: list[Intent] = []
    newest = 0
    prices = [50.0] * k
    for i in range(n):
        for j, bars in enumerate(case.bars):
            prices[j] = bars.close[i] if bars.close[i] == bars.close[i] else prices[j]
        for _ in range(rng.choice((0, 1, 1, 2))):
            j, choice = rng.randrange(k), rng.random()
            if newest and choice < 0.12:
                intents.append(Intent(i, rng.randint(max(1, newest - 4), newest), action="cancel"))
            elif newest and choice < 0.24:
                intents.append(replacement(rng, i, rng.randint(max(1, newest - 4), newest), intents, prices, grid))
            elif choice < 0.55:
                for intent in bracket(rng, case, i, j, newest, prices[j], grid):
                    intents.append(intent)
                    newest = intent.id
            else:
                newest += 1
                intents.append(random_order(rng, case, i, j, newest, prices[j], grid))
                if newest > 1 and rng.random() < 0.2:
                    intents[-1].parent = rng.randint(max(1, newest - 3), newest - 1)
                if rng.random() < 0.25:
                    intents[-1].group = rng.randint(1, 3)
    return intents


def quantity(rng: Random, case: Case, j: int, price: float) -> float:
    whole = case.cash / (price * case.markets[j].multiplier)
    return rng.choice((0.1, 0.3, 0.5, 0.9, 1.5)) * whole * rng.choice((1.0, 1.0, case.rules.leverage))


def levels(rng: Random, intent: Intent, price: float, grid: float, *, near: int = 4) -> None:
    def around() -> float:
        return price + rng.choice((rng.randint(-near, near), rng.uniform(-near, near))) * grid

    if intent.kind in ("limit", "stop-limit"):
        intent.limit = around()
    if intent.kind in ("stop", "stop-limit"):
        intent.stop = around()
    if intent.kind == "trailing":
        intent.trail = rng.choice((1, 2, 3, rng.uniform(0.3, 5))) * grid


def random_order(rng: Random, case: Case, i: int, j: int, number: int, price: float, grid: float) -> Intent:
    intent = Intent(i, number, j, side=rng.choice((-1, 1)), kind=rng.choice(KINDS), quantity=quantity(rng, case, j, price))
    levels(rng, intent, price, grid)
    intent.tif = rng.choice(("GTC", "GTC", "GTC", "IOC", "DAY"))
    intent.reduce_only = rng.random() < 0.25
    intent.reason = rng.randint(0, 3)
    return intent


def bracket(rng: Random, case: Case, i: int, j: int, newest: int, price: float, grid: float) -> list[Intent]:
    """An entry with a stop of some kind and a take-profit, in one group, around its price."""
    side = rng.choice((-1, 1))
    kind = rng.choice(("market", "market", "limit", "limit", "stop", "stop", "stop-limit"))
    entry = Intent(i, newest + 1, j, side=side, kind=kind, quantity=quantity(rng, case, j, price))
    levels(rng, entry, price, grid, near=2)
    group = 10 + newest
    stop = Intent(i, newest + 2, j, side=-side, kind=rng.choice(("stop", "stop", "stop-limit", "trailing")), parent=newest + 1)
    levels(rng, stop, price - side * 3 * grid, grid, near=2)
    take = Intent(
        i, newest + 3, j, side=-side, kind="limit", limit=price + side * rng.choice((1, 2, 3)) * grid, parent=newest + 1
    )
    children = [child for child in (stop, take) if rng.random() < 0.85]
    for number, child in enumerate(children):
        child.id, child.group, child.reduce_only = newest + 2 + number, group, rng.random() < 0.85
    return [entry, *children]


def replacement(rng: Random, i: int, number: int, intents: list[Intent], prices: list[float], grid: float) -> Intent:
    original = next(intent for intent in intents if intent.id == number and intent.action == "place")
    intent = Intent(i, number, original.instrument, action="replace", kind=original.kind)
    levels(rng, intent, prices[original.instrument], grid)
    for name in ("limit", "stop", "trail"):
        if rng.random() < 0.3:
            setattr(intent, name, nan)
    if rng.random() < 0.4:
        intent.quantity = original.quantity * rng.choice((0.3, 0.8, 1.5))
    return intent
