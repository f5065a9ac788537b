"""What a run assumes beside the strategy and its bars: cash, costs, fill rules, markets, benchmark.

Pure. The engine's own frozen values, with a form in which they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeVar

from clusterx.errors import DomainError
from strategies.engine.model import Costs, InvalidSimulation, Market, Rules, Slippage, number

VERSION: Final = 1
BENCHMARKS: Final = ("buy-and-hold", "none")
CALENDARS: Final = ("crypto", "exchange")
MOST_CASH: Final = 1e12
MOST_SLIPPAGE: Final = 0.5
BORROWED: Final = ("spot", "stock")  # kinds of instruments; futures and perpetuals are sold short as they are bought
Made = TypeVar("Made")


class InvalidConditions(DomainError):
    """A condition of a run makes no sense; ``facts["field"]`` names it."""

    code = "invalid-conditions"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a run assumes. ``markets`` has one entry for each instrument; ``calendar`` says how many days a year has."""

    cash: float = 10_000.0
    costs: Costs = Costs()  # noqa: RUF009  (frozen)
    rules: Rules = Rules()  # noqa: RUF009
    markets: tuple[Market, ...] = (Market(),)
    benchmark: Literal["buy-and-hold", "none"] = "buy-and-hold"
    calendar: Literal["crypto", "exchange"] = "crypto"
    detail: bool = False  # finer bars, where there are, decide what happened within a bar

    def __post_init__(self) -> None:
        try:
            number("cash", self.cash, 1.0, MOST_CASH)
        except InvalidSimulation as error:
            raise InvalidConditions(error.message, **error.facts) from None
        if self.benchmark not in BENCHMARKS:
            raise InvalidConditions(f"benchmark must be {' or '.join(BENCHMARKS)}, was {self.benchmark!r}", field="benchmark")
        if self.calendar not in CALENDARS:
            raise InvalidConditions(f"calendar must be {' or '.join(CALENDARS)}, was {self.calendar!r}", field="calendar")

    def to_json(self) -> dict[str, Any]:
        """As they are stored; `from_json` reads them."""
        return {
            "version": VERSION,
            "cash": self.cash,
            "costs": asdict(self.costs),
            "rules": asdict(self.rules),
            "markets": [asdict(market) for market in self.markets],
            "benchmark": self.benchmark,
            "calendar": self.calendar,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Conditions:
        """Raises InvalidConditions if a version wrote them that is not known here, or a value makes no sense."""
        if stored.get("version") != VERSION:
            raise InvalidConditions(
                f"conditions must be of version {VERSION}, were of {stored.get('version')!r}", field="version"
            )
        return cls(
            cash=stored["cash"],
            costs=read_costs(stored["costs"]),
            rules=read_rules(stored["rules"]),
            markets=tuple(Market(**market) for market in stored["markets"]),
            benchmark=stored["benchmark"],
            calendar=stored["calendar"],
            detail=stored.get("detail", False),
        )

    def worse(self, factor: float) -> Conditions:
        """The same with costs ``factor`` times as high."""
        return replace(self, costs=self.costs.times(factor))


def is_borrowed(kind: str) -> bool:
    """Whether what is sold short of an instrument of this kind has to be borrowed, and be paid for."""
    return kind in BORROWED


def read_costs(given: Mapping[str, Any]) -> Costs:
    """Costs from names and numbers; ``fee`` sets maker and taker at once, ``slippage`` may be a share of price.

    Raises
    ------
    InvalidConditions
        Where a name is unknown or a value out of its range; ``facts["field"]`` is ``costs.<name>``.
    """
    named = dict(given)
    if "fee" in named:
        fee = named.pop("fee")
        try:
            built(Costs, {"maker": fee, "taker": fee}, "costs")
        except InvalidConditions as error:  # as it was written
            raise InvalidConditions(error.message.replace("maker", "fee", 1), field="costs.fee") from None
        named = {"maker": fee, "taker": fee} | named
    slippage = named.get("slippage")
    if isinstance(slippage, (int, float)) and not isinstance(slippage, bool):
        named["slippage"] = {"kind": "percentage", "size": slippage} if slippage else {"kind": "none"}
    if isinstance(named.get("slippage"), Mapping):
        named["slippage"] = built(Slippage, named["slippage"], "costs.slippage")
        if named["slippage"].kind == "percentage" and named["slippage"].size > MOST_SLIPPAGE:
            raise InvalidConditions(f"slippage must be at most {MOST_SLIPPAGE:g}, was {slippage!r}", field="costs.slippage")
    elif slippage is not None:
        raise InvalidConditions(f"slippage must be a number, or kind and size, was {slippage!r}", field="costs.slippage")
    return built(Costs, named, "costs")


def read_rules(given: Mapping[str, Any]) -> Rules:
    """Fill rules from names and values. Raises InvalidConditions, naming ``rules.<name>``."""
    return built(Rules, dict(given), "rules")


def built(kind: type[Made], given: Mapping[str, Any], path: str) -> Made:
    """A frozen value from names and plain values; its own errors with the path of the field."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    for name, value in given.items():
        if name not in names:
            raise InvalidConditions(f"{path} has no {name!r}; it has {', '.join(names)}", field=f"{path}.{name}")
        wanted = names[name].type
        if "float" in str(wanted) and (isinstance(value, bool) or not isinstance(value, (int, float, type(None)))):
            raise InvalidConditions(f"{name} must be a number, was {value!r}", field=f"{path}.{name}")
        if str(wanted) == "bool" and not isinstance(value, bool):
            raise InvalidConditions(f"{name} must be true or false, was {value!r}", field=f"{path}.{name}")
    try:
        return kind(**given)
    except InvalidSimulation as error:
        field = str(error.facts.get("field", ""))
        raise InvalidConditions(error.message, field=f"{path}.{field}".rstrip(".")) from None
    except TypeError:
        raise InvalidConditions(f"{path} must be numbers and names, were {dict(given)!r}", field=path) from None
