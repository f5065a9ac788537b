"""What a simulation is told: markets, costs, rules, intents, corporate actions. See docs/engine.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from clusterx.errors import DomainError
from strategies.engine import layout as at
from strategies.engine.layout import Action, Kind, SlippageKind, TimeInForce

Floats = npt.NDArray[np.float64]
ENGINE_VERSION: Final = 1
NAN: Final = math.nan


class InvalidSimulation(DomainError):
    """What a simulation was told makes no sense; ``facts["field"]`` names what."""

    code = "invalid-simulation"


def refuse(name: str, expected: str, value: object, field: str | None = None, *, where: str = "") -> NoReturn:
    """``field`` is what the fact names, where that is not ``name``; ``where`` says which of many it is."""
    place = f" ({where})" if where else ""
    raise InvalidSimulation(f"{name} must be {expected}, was {value!r}{place}", field=field or name)


def number(name: str, value: Any, low: float, high: float = math.inf) -> Any:
    """``value`` as a number of Python. Raises InvalidSimulation unless it is finite and in [low, high]."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool) or not isinstance(plain, (int, float)) or not math.isfinite(plain) or not low <= plain <= high:
        refuse(name, f"{low:g} or more" if math.isinf(high) else f"{low:g}..{high:g}", plain)
    return plain


def settle(told: object, name: str, low: float, high: float = math.inf, called: str = "") -> None:
    """Check a number of a frozen dataclass, and keep it as Python's own: it goes into JSON."""
    object.__setattr__(told, name, number(called or name, getattr(told, name), low, high))


def settle_flag(told: object, name: str) -> None:
    value = getattr(told, name)
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, "True or False", value)
    object.__setattr__(told, name, bool(value))


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
            settle(self, name, 0.0)
        settle(self, "multiplier", 1e-12)
        settle_flag(self, "short")

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
        settle(self, "size", 0.0, called="slippage size")


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
        settle(self, "maker", -0.01, 0.5)
        settle(self, "taker", 0.0, 0.5)
        for name in ("per_unit", "minimum"):
            settle(self, name, 0.0)
        for name in ("borrow", "interest"):
            settle(self, name, 0.0, 10.0)
        if not isinstance(self.slippage, Slippage):
            refuse("slippage", "Slippage", self.slippage)

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
        settle(self, "leverage", 0.01, 1000)
        settle(self, "maintenance", 0.0, 0.99)
        if self.volume_share is not None:
            settle(self, "volume_share", 0.0, 1.0)
        settle_flag(self, "touch")


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
        split = self.kind == "split"
        settle(self, "value", 1e-9 if split else 0.0, 1e9 if split else 1e15)

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
    chosen = (markets,) * k if isinstance(markets, Market) else tuple(markets) if isinstance(markets, Iterable) else ()
    if len(chosen) != k or not all(isinstance(market, Market) for market in chosen):
        refuse("market", f"one Market, or one for each of {k} instruments", chosen or markets)
    return chosen, np.array([market.row() for market in chosen], dtype=np.float64)
