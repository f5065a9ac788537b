"""What a strategy is: declared parameters, the history it needs, and the exposure it wants.

Pure: no Django, no database. The same class runs in a backtest, on paper and live. Three styles belong to the contract:

* **vectorised**, ``Strategy``: ``signals(bars, p)`` answers for every bar of one instrument at once;
* **portfolio**, ``PortfolioStrategy``: the same for several instruments on one account;
* **event-driven**, ``EventStrategy``: ``on_bar(ctx)`` sees the bars up to now, its position and its open orders, and places
  orders. ``strategies.engine.context`` is what it is given.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt

from clusterx.errors import DomainError

if TYPE_CHECKING:
    from marketdata.bars import Bars
    from strategies.engine.context import Context

Floats = npt.NDArray[np.float64]
Value = int | float | str

VERSION: Final = 1


class InvalidParameter(DomainError):
    """A parameter is unknown, of the wrong kind, or outside its range."""

    code = "invalid-parameter"


class UnknownStrategy(DomainError):
    """The library has no strategy of that name."""

    code = "unknown-strategy"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number or a choice that whoever deploys the strategy may set.

    ``minimum`` and ``maximum`` are inclusive and belong to numbers; ``choices`` are ``(value, label)`` pairs.
    """

    name: str
    label: str
    kind: Literal["int", "float", "choice"]
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    help: str = ""

    def accept(self, value: object) -> Value:
        """``value`` as this parameter holds it.

        Raises InvalidParameter, naming the parameter and its range.
        """
        if self.kind == "choice":
            if value not in dict(self.choices):
                expected = " or ".join(name for name, _ in self.choices)
                raise InvalidParameter(f"{self.name} must be {expected}, was {value!r}", field=self.name)
            return str(value)
        # A bool is an int to Python and never a length to anybody else.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InvalidParameter(f"{self.name} must be a number, was {value!r}", field=self.name)
        if self.kind == "int" and value != int(value):
            raise InvalidParameter(f"{self.name} must be a whole number, was {value!r}", field=self.name)
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= value <= high:
            raise InvalidParameter(
                f"{self.name} must be {low:g}..{high:g}, was {value:g}", field=self.name, minimum=low, maximum=high
            )
        return int(value) if self.kind == "int" else float(value)


@dataclass(frozen=True, slots=True)
class Parameters(Mapping[str, Value]):
    """The values that a strategy runs with: checked, complete and unchangeable. ``p.fast`` reads one."""

    values_by_name: Mapping[str, Value]

    def __getattr__(self, name: str) -> Any:
        if name == "values_by_name" or name not in self.values_by_name:
            raise AttributeError(name)
        return self.values_by_name[name]

    def __getitem__(self, name: str) -> Value:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def to_json(self) -> dict[str, Any]:
        """As they are stored: ``{"version": 1, "values": {…}}``."""
        return {"version": VERSION, "values": dict(self.values_by_name)}


@dataclass(frozen=True, slots=True)
class Signals:
    """What a vectorised strategy wants after each of n closes.

    ``exposure`` (n,) in [-1, 1]. The others are (n,) float64 with NaN for none, and protect in the bar that follows: ``stop``
    and ``take_profit`` are prices, ``trail`` a distance in price (docs/engine.md, section 6).
    """

    exposure: Floats
    stop: Floats | None = None
    take_profit: Floats | None = None
    trail: Floats | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """The bars of k instruments on one time axis; NaN prices where an instrument has no bar."""

    bars: tuple[Bars, ...]

    def __len__(self) -> int:
        return len(self.bars[0])

    def __getitem__(self, part: slice) -> Panel:
        return Panel(tuple(one[part] for one in self.bars))


class Declared(ABC):
    """What every strategy says of itself. Instances hold no state: the same bars and parameters give the same answer."""

    name: ClassVar[str]
    label: ClassVar[str]
    summary: ClassVar[str]
    rationale: ClassVar[str] = ""
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def check(self, p: Parameters) -> None:  # noqa: B027  (most strategies have no rule between parameters)
        """Rules between parameters. Raises InvalidParameter; the ranges of each have been checked before."""

    @abstractmethod
    def history(self, p: Parameters) -> int:
        """How many closed bars the newest bar's answer needs, so that more of them would not change it."""


class Strategy(Declared):
    """A vectorised strategy for one instrument. ``levels`` names the protective levels that its signals have."""

    levels: ClassVar[tuple[Literal["stop", "take_profit", "trail"], ...]] = ()

    @abstractmethod
    def signals(self, bars: Bars, p: Parameters) -> Floats | Signals:
        """The exposure wanted after each bar's close, with protective levels where the strategy has them.

        Parameters
        ----------
        bars : Bars
            n closed bars, oldest first.
        p : Parameters
            From ``validate``.

        Returns
        -------
        (n,) float64, or Signals
            In [-1, 1], never NaN; -1 is wholly short, 0 flat, 1 wholly long. Element i uses bars 0..i alone.
            0 where there is not enough history yet.
        """


class PortfolioStrategy(Declared):
    """A vectorised strategy for ``legs`` instruments on one account."""

    legs: ClassVar[int] = 2

    @abstractmethod
    def signals(self, panel: Panel, p: Parameters) -> Floats:
        """(n, k) exposures as of ``Strategy.signals``; the sum of their sizes should stay within 1."""


class EventStrategy(Declared):
    """A strategy that is called bar by bar and places orders. ``on_bar`` may keep state on ``self``: one instance, one run."""

    def start(self, ctx: Context) -> None:
        """Called once, before the first bar."""

    @abstractmethod
    def on_bar(self, ctx: Context) -> None:
        """Called after each close; orders placed here work from the next bar on (docs/strategies.md)."""


class InvalidSignals(DomainError):
    """A strategy answered with something that is no signal; ``facts`` say where."""

    code = "invalid-result"


def as_signals(answer: object, n: int) -> Signals:
    """A strategy's answer, checked: shape, numbers, range.

    Raises InvalidSignals, naming the first bar where it is wrong.
    """
    signals = answer if isinstance(answer, Signals) else Signals(answer)  # type: ignore[arg-type]
    exposure = column("exposure", signals.exposure, n)
    wrong = ~(np.abs(exposure) <= 1.0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidSignals(f"exposure must be in -1..1, was {exposure[at]:g} after bar {at}", field="exposure", bar=at)
    levels: dict[str, Floats | None] = {"stop": None, "take_profit": None, "trail": None}
    for name in levels:
        if (level := getattr(signals, name)) is not None:
            levels[name] = values = column(name, level, n)
            wrong = np.isinf(values) | (values <= 0)
            if wrong.any():
                at = int(np.argmax(wrong))
                raise InvalidSignals(f"{name} must be above 0 or NaN, was {values[at]:g} after bar {at}", field=name, bar=at)
    return Signals(exposure, **levels)


def column(name: str, values: object, n: int) -> Floats:
    """(n,) float64 from what a strategy gave. Raises InvalidSignals if it is something else."""
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidSignals(f"{name} must be {n} numbers, was {type(values).__name__}", field=name) from None
    if array.shape != (n,):
        raise InvalidSignals(f"{name} must be {n} numbers, one for each bar, was of shape {array.shape}", field=name)
    return array


def validate(strategy: Declared, values: Mapping[str, object]) -> Parameters:
    """``values`` checked against what ``strategy`` declares; what is left out takes its default.

    Raises
    ------
    InvalidParameter
        If a name is unknown, a value is of the wrong kind or out of range, or two of them do not fit together.
        ``facts["field"]`` names the parameter.
    """
    declared = {parameter.name: parameter for parameter in strategy.parameters}
    for name in values:
        if name not in declared:
            raise InvalidParameter(f"{strategy.name} has no parameter {name!r}; it has {', '.join(declared)}", field=str(name))
    accepted = {name: parameter.accept(values.get(name, parameter.default)) for name, parameter in declared.items()}
    parameters = Parameters(MappingProxyType(accepted))
    strategy.check(parameters)
    return parameters


def validate_asked(strategy: Declared, values: Mapping[str, object]) -> Parameters:
    """As ``validate``, for values that stand under ``parameters`` in what was asked: the field is named by that path."""
    try:
        return validate(strategy, values)
    except InvalidParameter as error:
        facts = error.facts | {"field": f"parameters.{error.facts.get('field', '')}".rstrip(".")}
        raise InvalidParameter(error.message, **facts) from None


def read(strategy: Declared, stored: Mapping[str, Any]) -> Parameters:
    """Parameters from what ``Parameters.to_json`` stored.

    Raises InvalidParameter if they were written by a version that is not known here.
    """
    if stored.get("version") != VERSION or not isinstance(stored.get("values"), dict):
        raise InvalidParameter(f"parameters must be of version {VERSION}, were {stored!r}", field="version")
    return validate(strategy, stored["values"])
