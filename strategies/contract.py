"""What a strategy is: declared parameters, the history it needs, and the exposure it wants.

Pure: no Django, no database. The same class runs in a backtest, on paper and live. Two styles belong to the contract:

* **vectorised**, which this module holds: ``signals(bars, p)`` answers for every bar at once;
* **event-driven**: ``on_bar(ctx)`` sees the bars up to now, its position and its open orders, and places orders. It
  will be a second base class beside ``Strategy`` with the same declarations above it; the engine tells the two apart
  by their class.
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


class Strategy(ABC):
    """A vectorised strategy. Instances hold no state: the same bars and parameters give the same answer."""

    name: ClassVar[str]
    label: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]

    def check(self, p: Parameters) -> None:  # noqa: B027  (most strategies have no rule between parameters)
        """Rules between parameters. Raises InvalidParameter; the ranges of each have been checked before."""

    @abstractmethod
    def history(self, p: Parameters) -> int:
        """How many closed bars the newest bar's answer needs, so that more of them would not change it."""

    @abstractmethod
    def signals(self, bars: Bars, p: Parameters) -> Floats:
        """The exposure wanted after each bar's close.

        Parameters
        ----------
        bars : Bars
            n closed bars, oldest first.
        p : Parameters
            From ``validate``.

        Returns
        -------
        (n,) float64
            In [-1, 1], never NaN; -1 is wholly short, 0 flat, 1 wholly long. Element i uses bars 0..i alone.
            0 where there is not enough history yet.
        """


def validate(strategy: Strategy, values: Mapping[str, object]) -> Parameters:
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


def read(strategy: Strategy, stored: Mapping[str, Any]) -> Parameters:
    """Parameters from what ``Parameters.to_json`` stored.

    Raises InvalidParameter if they were written by a version that is not known here.
    """
    if stored.get("version") != VERSION or not isinstance(stored.get("values"), dict):
        raise InvalidParameter(f"parameters must be of version {VERSION}, were {stored!r}", field="version")
    return validate(strategy, stored["values"])
