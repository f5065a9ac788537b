"""What a simulation is told: markets, costs, rules, intents, corporate actions. See docs/engine.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from clusterx.errors import DomainError
from strategies.engine import layout as at
from strategies.engine.layout import Action, Kind, SlippageKind, TimeInForce
from strategies.engine.series import INTENT_SIZE

Floats = npt.NDArray[np.float64]
ENGINE_VERSION: Final = 1
NAN: Final = math.nan


class InvalidSimulation(DomainError):
    """What a simulation was told makes no sense; ``facts["field"]`` names what."""

    code = "invalid-simulation"


def refuse(name: str, expected: str, value: object) -> None:
    raise InvalidSimulation(f"{name} must be {expected}, was {value!r}", field=name)


def number(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Raises InvalidSimulation unless ``value`` is a finite number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not low <= value <= high:
        refuse(name, f"{low:g} or more" if math.isinf(high) else f"{low:g}..{high:g}", value)


@dataclass(frozen=True, slots=True)
class Market:
    """How an instrument is traded. ``tick`` and ``lot`` 0 mean any price, any quantity."""

    tick: float = 0.0
    lot: float = 0.0
    minimum_notional: float = 0.0
    multiplier: float = 1.0
    short: bool = True

    def __post_init__(self) -> None:
        for name in ("tick", "lot", "minimum_notional"):
            number(name, getattr(self, name), 0.0)
        number("multiplier", self.multiplier, 1e-12)

    def row(self) -> list[float]:
        return [self.tick, self.lot, self.minimum_notional, self.multiplier, float(self.short)]


@dataclass(frozen=True, slots=True)
class Slippage:
    """How far market and stop fills move against the trader; ``size`` means what ``kind`` says (section 7)."""

    kind: Literal["none", "fixed", "percentage", "half-spread", "volume-share"] = "none"
    size: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in SLIPPAGES:
            refuse("slippage", " or ".join(SLIPPAGES), self.kind)
        number("slippage size", self.size, 0.0)


SLIPPAGES: Final = {
    "none": SlippageKind.NONE,
    "fixed": SlippageKind.FIXED,
    "percentage": SlippageKind.PERCENTAGE,
    "half-spread": SlippageKind.HALF_SPREAD,
    "volume-share": SlippageKind.VOLUME_SHARE,
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading and holding cost. ``maker`` and ``taker`` are rates of notional (0.001 is 0.1 %)."""

    maker: float = 0.0
    taker: float = 0.0
    per_unit: float = 0.0
    minimum: float = 0.0
    slippage: Slippage = Slippage()
    borrow: float = 0.0
    interest: float = 0.0

    def __post_init__(self) -> None:
        number("maker", self.maker, -0.01, 0.5)
        number("taker", self.taker, 0.0, 0.5)
        for name in ("per_unit", "minimum"):
            number(name, getattr(self, name), 0.0)
        for name in ("borrow", "interest"):
            number(name, getattr(self, name), 0.0, 10.0)

    @classmethod
    def of(cls, fee: float = 0.0, slippage: float = 0.0) -> Costs:
        """The usual two: a fee rate for every fill, and slippage as a share of price."""
        return cls(maker=fee, taker=fee, slippage=Slippage("percentage", slippage) if slippage else Slippage())

    def times(self, factor: float) -> Costs:
        """The same costs, ``factor`` times as high."""
        return Costs(
            self.maker * factor, self.taker * factor, self.per_unit * factor, self.minimum * factor,
            Slippage(self.slippage.kind, self.slippage.size * factor), self.borrow * factor, self.interest * factor,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rules:
    """How orders are filled. The defaults are the careful ones."""

    fill: Literal["next-open", "close"] = "next-open"
    leverage: float = 1.0
    maintenance: float = 0.0
    volume_share: float | None = None
    touch: bool = False
    intrabar: Literal["pessimistic", "optimistic"] = "pessimistic"

    def __post_init__(self) -> None:
        if self.fill not in ("next-open", "close"):
            refuse("fill", "next-open or close", self.fill)
        if self.intrabar not in ("pessimistic", "optimistic"):
            refuse("intrabar", "pessimistic or optimistic", self.intrabar)
        number("leverage", self.leverage, 0.01, 1000)
        number("maintenance", self.maintenance, 0.0, 0.99)
        if self.volume_share is not None:
            number("volume_share", self.volume_share, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """At the open of bar ``bar``: a split (``value`` new units for one) or a dividend (``value`` money a unit)."""

    bar: int
    instrument: int
    kind: Literal["split", "dividend"]
    value: float

    def __post_init__(self) -> None:
        if self.kind not in ("split", "dividend"):
            refuse("kind", "split or dividend", self.kind)
        number("value", self.value, 1e-9 if self.kind == "split" else 0.0)

    def row(self) -> list[float]:
        split = self.kind == "split"
        return [self.bar, self.instrument, self.value if split else 1.0, 0.0 if split else self.value]


@dataclass(frozen=True, slots=True)
class Intent:
    """An explicit order, cancel or replacement, decided at the close of ``bar`` (section 5)."""

    bar: int
    id: int
    instrument: int = 0
    action: Action = Action.PLACE
    side: int = 1
    kind: Kind = Kind.MARKET
    quantity: float = NAN
    limit: float = NAN
    stop: float = NAN
    trail: float = NAN
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    parent: int = 0
    group: int = 0
    reason: int = 0

    def row(self) -> tuple[float, ...]:
        return (
            self.bar, self.id, self.instrument, self.action, self.side, self.kind, self.quantity, self.limit, self.stop,
            self.trail, self.tif, self.reduce_only, self.parent, self.group, self.reason,
        )  # fmt: skip


def rules_row(costs: Costs, rules: Rules) -> Floats:
    row = np.zeros(at.RULES_SIZE)
    row[at.MAKER], row[at.TAKER], row[at.PER_UNIT], row[at.MINIMUM_FEE] = (
        costs.maker,
        costs.taker,
        costs.per_unit,
        costs.minimum,
    )
    row[at.SLIPPAGE_KIND], row[at.SLIPPAGE_SIZE] = SLIPPAGES[costs.slippage.kind], costs.slippage.size
    row[at.BORROW_RATE], row[at.INTEREST_RATE] = costs.borrow, costs.interest
    row[at.CARRIES] = bool(costs.borrow or costs.interest)
    row[at.FILL_AT_CLOSE], row[at.LEVERAGE], row[at.MAINTENANCE] = rules.fill == "close", rules.leverage, rules.maintenance
    row[at.VOLUME_SHARE] = NAN if rules.volume_share is None else rules.volume_share
    row[at.TOUCH], row[at.OPTIMISTIC] = rules.touch, rules.intrabar == "optimistic"
    return row


def intent_rows(intents: Iterable[Intent] | Floats, n: int, k: int) -> Floats:
    """Intents as the kernel reads them, checked: (m, 15) float64 in the order they were decided.

    Raises InvalidSimulation for what no order can be: an unknown code, an id that is not new, a bar that is not there.
    """
    if isinstance(intents, np.ndarray):
        table = np.ascontiguousarray(intents, dtype=np.float64)
    else:
        table = np.array([intent.row() for intent in intents], dtype=np.float64).reshape(-1, INTENT_SIZE)
    if table.ndim != 2 or table.shape[1] != INTENT_SIZE:
        refuse("intents", f"a table of {INTENT_SIZE} columns", table.shape)
    if not len(table):
        return table
    bar, name, instrument, action, side, kind = table[:, :6].T
    tif, reduce_only, parent, group = table[:, 10:14].T
    whole = table[:, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14]]
    if not np.isfinite(whole).all() or (whole != np.floor(whole)).any() or np.isinf(table).any():
        refuse("intents", "whole numbers in their codes, and nothing infinite", "others")
    placing = action == Action.PLACE
    checks: list[tuple[str, str, Any]] = [
        ("bar", f"ascending in 0..{n - 1}", (bar < 0).any() or (bar >= n).any() or (np.diff(bar) < 0).any()),
        ("instrument", f"0..{k - 1}", (instrument < 0).any() or (instrument >= k).any()),
        ("action", "place, cancel or replace", not np.isin(action, list(Action)).all()),
        ("side", "1 or -1", not np.isin(side[placing], (1, -1)).all()),
        ("kind", "market, limit, stop, stop-limit or trailing", not np.isin(kind, list(Kind)).all()),
        ("tif", "GTC, IOC or DAY", not np.isin(tif, list(TimeInForce)).all()),
        ("reduce_only", "0 or 1", not np.isin(reduce_only, (0, 1)).all()),
        ("id", "positive and ascending", (name <= 0).any() or (np.diff(name[placing]) <= 0).any()),
        ("parent and group", "0 or more", (parent < 0).any() or (group < 0).any()),
        ("quantity", "above 0", (~(table[placing & (parent == 0), 6] > 0)).any()),
    ]
    for column, expected, bad in checks:
        if bad:
            refuse(f"intents: {column}", expected, "others")
    return table


@dataclass(frozen=True)
class Assumptions:
    """The assumption sheet of a result: what it was told."""

    engine_version: int
    markets: tuple[Market, ...]
    costs: Costs
    rules: Rules
    cash: float
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "engine_version": self.engine_version,
            "markets": [asdict(market) for market in self.markets],
            "costs": asdict(self.costs),
            "rules": asdict(self.rules),
            "cash": self.cash,
            **self.facts,
        }


def markets_table(markets: Market | Sequence[Market], k: int) -> tuple[tuple[Market, ...], Floats]:
    chosen = (markets,) * k if isinstance(markets, Market) else tuple(markets)
    if len(chosen) != k:
        refuse("market", f"one, or one for each of {k} instruments", len(chosen))
    return chosen, np.array([market.row() for market in chosen], dtype=np.float64)
