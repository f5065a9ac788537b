"""What the reference simulator takes and gives: plain dataclasses with the names of docs/engine.md, plain floats and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan

Row = Sequence[float]
Rows = Sequence[Row]


@dataclass
class Bars:
    """One instrument's bars; NaN prices where it is absent, NaN volume where it is unknown."""

    time: list[float]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


@dataclass
class Market:
    """One instrument (section 1)."""

    tick: float = 0.0
    lot: float = 0.0
    minimum_notional: float = 0.0
    multiplier: float = 1.0
    short: bool = True


@dataclass
class Costs:
    """Section 7; ``slippage`` names the model, ``slip`` is its number."""

    maker: float = 0.0
    taker: float = 0.0
    per_unit: float = 0.0
    minimum: float = 0.0
    slippage: str = "none"
    slip: float = 0.0
    borrow: float = 0.0
    interest: float = 0.0


@dataclass
class Rules:
    """Section 1."""

    fill: str = "next-open"
    leverage: float = 1.0
    maintenance: float = 0.0
    volume_share: float | None = None
    touch: bool = False
    intrabar: str = "pessimistic"


@dataclass
class Intent:
    """One explicit order, cancel or replacement, decided at the close of ``bar`` (section 5)."""

    bar: int
    id: int
    instrument: int = 0
    action: str = "place"
    side: int = 1
    kind: str = "market"
    quantity: float = nan
    limit: float = nan
    stop: float = nan
    trail: float = nan
    tif: str = "GTC"
    reduce_only: bool = False
    parent: int = 0
    group: int = 0
    reason: int = 0


@dataclass
class Action:
    """A corporate action at the beginning of ``bar``: a split of ratio ``value`` or a dividend of ``value`` a unit."""

    bar: int
    instrument: int
    kind: str
    value: float


@dataclass
class Targets:
    """Exposures (n, k) with optional protective levels (n, k); NaN is no level (section 6)."""

    exposure: Rows
    stop: Rows | None = None
    take_profit: Rows | None = None
    trail: Rows | None = None


@dataclass
class Order:
    """An explicit order, a target order or a protective exit, and what became of it."""

    id: int  # an explicit order's own id; 0 for target orders and protective exits
    origin: str  # "explicit", "target", "protective"
    bar: int
    instrument: int
    side: int
    kind: str  # explicit kinds; "target"; "stop", "trailing", "take-profit" of protective exits
    quantity: float = 0.0
    limit: float = nan
    stop: float = nan
    trail: float = nan
    tif: str = "GTC"
    reduce_only: bool = False
    parent: int = 0
    group: int = 0
    reason: int = 0
    status: str = "working"  # waiting, working, filled, cancelled, rejected, expired
    why: str = ""
    filled: float = 0.0
    triggered: bool = False
    rested: bool = False
    fresh: str = ""  # the phase in which its parent first filled in the bar being matched
    start: float = nan  # the price a at which it began to work inside a bar (section 3)
    parent_side: int = 0
    extreme: float = nan
    born: int = -1  # bar of its parent's first fill
    day: int = -1  # the bar whose session is its day
    idle: bool = False  # triggered within this bar's range, waits for the next

    @property
    def left(self) -> float:
        return self.quantity - self.filled

    @property
    def alive(self) -> bool:
        return self.status in ("working", "waiting")


@dataclass
class Fill:
    """One fill; ``order`` is the explicit order's id or 0."""

    bar: int
    order: int
    instrument: int
    side: int
    quantity: float
    price: float
    fee: float
    slippage: float
    maker: bool
    why: str


@dataclass
class Trade:
    """From flat to flat, or through zero (section 9)."""

    instrument: int
    side: int
    entry_bar: int
    entry_reason: str
    exit_bar: int = -1
    exit_reason: str = ""
    entry_quantity: float = 0.0
    entry_value: float = 0.0
    exit_quantity: float = 0.0
    exit_value: float = 0.0
    fees: float = 0.0
    pnl: float = 0.0
    mae: float = 0.0
    mfe: float = 0.0
    ambiguous: bool = False
    open: bool = True
    held: float = 0.0  # units now held, and what they cost on average
    cost: float = 0.0
    peak: float = 0.0
    late: bool = False  # opened in this bar in phase B or C, or at the close

    @property
    def quantity(self) -> float:
        return self.peak

    @property
    def entry_price(self) -> float:
        return self.entry_value / self.entry_quantity

    @property
    def exit_price(self) -> float:
        return self.exit_value / self.exit_quantity


@dataclass
class Result:
    """What section 9 asks for, in plain Python."""

    equity: list[float]
    position: list[list[float]]
    cash: float
    orders: list[Order]
    fills: list[Fill]
    trades: list[Trade]
    costs: dict[str, float]
    flags: dict[str, int] = field(default_factory=dict)
