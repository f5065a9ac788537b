"""Reads the worked tables at the end of docs/engine.md; their notation is explained there."""

from __future__ import annotations

import ast
import operator
import re
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path

from tests.strategies.engine.reference_types import Action, Bars, Costs, Intent, Market, Rules, Targets

PAGE = Path(__file__).resolve().parents[3] / "docs" / "engine.md"
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@dataclass
class Expected:
    """One fill as the table has it."""

    bar: int
    side: int
    quantity: float
    instrument: int
    price: float
    fee: float
    why: str


@dataclass
class Case:
    """One row of a table: what goes in, what comes out."""

    name: str
    bars: list[Bars]
    detail: list[Bars] | None = None
    targets: Targets | None = None
    intents: list[Intent] | None = None
    markets: list[Market] = field(default_factory=list)
    costs: Costs = field(default_factory=Costs)
    rules: Rules = field(default_factory=Rules)
    cash: float = 10_000.0
    funding: list[list[float]] | None = None
    actions: list[Action] = field(default_factory=list)
    tradable: list[list[bool]] | None = None
    session: list[int] | None = None
    fills: list[Expected] = field(default_factory=list)
    end: dict[str, float] = field(default_factory=dict)
    orders: dict[int, tuple[str, str]] = field(default_factory=dict)


def number(text: str) -> float:
    """A decimal, ``-`` for none, or the arithmetic by which it was worked out."""
    if text == "-":
        return nan

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        raise ValueError(f"not a number: {text!r}")

    return value(ast.parse(text, mode="eval").body)


def row_of(text: str) -> list[float]:
    """``O H L C [V]``, one price for all four, or ``-`` where the instrument is absent."""
    values = [number(word) for word in text.split()]
    if len(values) == 1:
        values = values * 4
    return values if len(values) == 5 else [*values, nan]


def bars_of(text: str, step: float) -> tuple[list[Bars], list[Bars] | None]:
    """Coarse bars, and the finer ones in braces; an instrument without them is absent there."""
    grid = [[piece.partition("{") for piece in instrument.split(";")] for instrument in text.split("//")]
    inner = [[[part for part in cell[2].rstrip(" }").split(",") if part.strip()] for cell in line] for line in grid]
    counts = [max(len(line[n]) for line in inner) for n in range(len(grid[0]))]
    coarse = [struct([(n * step, row_of(cell[0])) for n, cell in enumerate(line)]) for line in grid]
    if not any(counts):
        return coarse, None
    finer = [
        struct(
            [
                (n * step + m * step / count, row_of(line[n][m] if line[n] else "-"))
                for n, count in enumerate(counts)
                for m in range(count)
            ]
        )
        for line in inner
    ]
    return coarse, finer


def struct(rows: list[tuple[float, list[float]]]) -> Bars:
    return Bars([time for time, _ in rows], *([row[column] for _, row in rows] for column in range(5)))


SIDES = {"buy": 1, "sell": -1}
WORDS = {"limit": "limit", "stop": "stop", "trail": "trail", "quantity": "quantity"}


def intent_of(text: str, number_of_order: int) -> Intent:
    """``bar: buy 10 limit 99 …``, ``bar: cancel 1``, ``bar: replace 1 limit 98``."""
    bar, _, rest = text.partition(":")
    words = rest.split()
    head = words.pop(0)
    if head in ("cancel", "replace"):
        intent = Intent(int(bar), int(words.pop(0)), action=head)
    else:
        quantity = nan if words and words[0] == "-" else number(words[0])
        intent = Intent(int(bar), number_of_order, side=SIDES[head], quantity=quantity)
        words.pop(0)
    kinds = set()
    while words:
        word = words.pop(0)
        if word in WORDS:
            setattr(intent, WORDS[word], number(words.pop(0)))
            kinds.add(word)
        elif word in ("parent", "group"):
            setattr(intent, word, int(words.pop(0)))
        elif word == "reduce-only":
            intent.reduce_only = True
        elif word in ("IOC", "DAY"):
            intent.tif = word
        elif word.startswith("#"):
            intent.instrument = int(word[1:])
        else:
            raise ValueError(f"{word!r} in {text!r}")
    if intent.action == "place":
        kind = ({"limit", "stop"} <= kinds and "stop-limit") or next(iter(kinds - {"quantity"}), "market")
        intent.kind = "trailing" if kind == "trail" else kind
    return intent


def decisions(case: Case, text: str) -> None:
    """Intents, or ``target 1 1 0 stop 95 …`` (``#1`` begins the next instrument's; the last value goes on)."""
    if not text.startswith("target"):
        parts = [part.strip() for part in text.split(";") if part.strip()]
        case.intents, placed = [], 0
        for part in parts:
            intent = intent_of(part, placed + 1)
            placed += intent.action == "place"
            case.intents.append(intent)
        return
    n, k = len(case.bars[0].time), len(case.bars)
    rows = {name: [[nan] * k for _ in range(n)] for name in ("target", "stop", "take", "trail")}
    for j, part in enumerate(text.split("//")):
        for match in re.finditer(r"(target|stop|take|trail)((?: \S+)+?)(?= (?:target|stop|take|trail)|$)", part.strip()):
            values = [number(word) for word in match[2].split()]
            for i in range(n):
                rows[match[1]][i][j] = values[min(i, len(values) - 1)]
    case.targets = Targets(rows["target"], rows["stop"], rows["take"], rows["trail"])


def settings(case: Case, text: str) -> None:
    """``name=value`` words; a list has commas, an instrument's own value stands behind ``#j``."""
    n, k = len(case.bars[0].time), len(case.bars)
    case.markets = [Market() for _ in range(k)]
    for word in text.split():
        name, _, value = word.partition("=")
        name, _, at = name.partition("#")
        if name in ("tick", "lot", "minimum_notional", "multiplier", "short"):
            for j in range(k) if at == "" else [int(at)]:
                given = value != "no" if name == "short" else number(value)
                case.markets[j] = replace(case.markets[j], **{name: given})
        elif name in ("maker", "taker", "per_unit", "minimum", "borrow", "interest"):
            case.costs = replace(case.costs, **{name: number(value)})
        elif name == "slippage":
            model, _, slip = value.partition(":")
            case.costs = replace(case.costs, slippage=model, slip=number(slip))
        elif name in ("fill", "intrabar"):
            case.rules = replace(case.rules, **{name: value})
        elif name == "touch":
            case.rules = replace(case.rules, touch=True)
        elif name in ("leverage", "maintenance", "volume_share"):
            case.rules = replace(case.rules, **{name: number(value)})
        elif name == "cash":
            case.cash = number(value)
        elif name in ("split", "dividend"):
            bar, _, amount = value.partition(":")
            case.actions.append(Action(int(bar), int(at or 0), name, number(amount)))
        elif name in ("funding", "tradable"):
            values = [number(part) for part in value.split(",")]
            rows = getattr(case, name) or [[float(name == "tradable")] * k for _ in range(n)]
            for i in range(n):
                rows[i][int(at or 0)] = values[i] if name == "funding" else bool(values[i])
            setattr(case, name, rows)
        elif name == "session":
            case.session = [int(part) for part in value.split(",")]
        elif name != "step":
            raise ValueError(f"{word!r} is no setting")


FILL = re.compile(r"(\d+): (buy|sell) (\S+)(?: #(\d))? @ (\S+)(?: fee (\S+))? (\S+)")


def outcome(case: Case, fills: str, end: str) -> None:
    for part in fills.split(";"):
        if part.strip() in ("", "none"):
            continue
        match = FILL.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is no fill ({case.name})")
        bar, side, quantity, at, price, fee, why = match.groups()
        case.fills.append(
            Expected(int(bar), SIDES[side], number(quantity), int(at or 0), number(price), number(fee or "0"), why)
        )
    for part in end.split(","):
        words = part.split()
        if words[0].isdigit():
            case.orders[int(words[0])] = (words[1], words[2] if len(words) > 2 else "")
        else:
            case.end[words[0]] = number(words[1])


def read(path: Path = PAGE) -> list[Case]:
    """Every row of the worked tables, in order."""
    _, _, text = path.read_text().partition("## 10. Worked tables")
    cases = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 6 or cells[0] in ("name", "") or set(cells[0]) <= set("-:"):
            continue
        name, bars, orders, rules, fills, end = cells
        step = next((number(word[5:]) for word in rules.split() if word.startswith("step=")), 86400.0)
        coarse, finer = bars_of(bars, step)
        case = Case(name, coarse, finer)
        settings(case, rules)
        decisions(case, orders)
        outcome(case, fills, end)
        cases.append(case)
    return cases
