"""Owns what comes back from the jail, and the checks before a value of it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from strategies.contract import Signals
from strategies.engine.intents import intent_rows
from strategies.engine.model import InvalidSimulation
from strategies.engine.series import INTENT_SIZE
from strategies.sandbox.inside.wire import Array
from strategies.sandbox.limits import Reason
from strategies.sandbox.printed import one_line

Floats = npt.NDArray[np.float64]
LEVELS = ("exposure", "stop", "take_profit", "trail")
LARGEST_PRICE = 1e15
_KINDS = ("int", "float", "choice")


class Unfit(ValueError):
    """What came back is not what was asked for."""


@dataclass(frozen=True)
class Answer:
    """How a run ended: ``signals`` or ``intents`` if it went well, else ``reason`` and, for its author, the rest.

    ``signals`` has (n,) float64 columns, ``intents`` is the (m, 15) table that ``simulate`` takes,
    ``exposures`` (n, k) of a portfolio; all are checked. ``line`` is in the user's file. ``message`` and ``printed`` hold no
    control characters; they are the author's words, so escape them for HTML, and show buyers ``reason`` alone.
    """

    signals: Signals | None = None
    intents: Floats | None = None
    exposures: Floats | None = None
    reason: Reason | None = None
    message: str = ""
    line: int | None = None
    column: int | None = None
    printed: str = ""
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.reason is None

    @property
    def exposure(self) -> Floats:
        """(n,) float64. Raises ValueError if there is none."""
        if self.signals is None:
            raise ValueError(f"the run has no signals: {self.reason or 'it was asked for something else'}")
        return self.signals.exposure


@dataclass(frozen=True)
class Declared:
    """One parameter as the file declares it: plain values, bounded."""

    name: str
    label: str
    kind: str
    default: int | float | str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    help: str = ""


@dataclass(frozen=True)
class Declaration:
    """What a file declares, or why it is no strategy (``reason``, ``message``, ``line``, ``column``).

    ``history``: closed bars that its newest answer needs, with the parameters that were asked about. ``legs``: instruments.
    """

    name: str = ""
    label: str = ""
    summary: str = ""
    rationale: str = ""
    style: str = ""
    parameters: tuple[Declared, ...] = ()
    history: int = 0
    legs: int = 1
    reason: Reason | None = None
    message: str = ""
    line: int | None = None
    column: int | None = None
    printed: str = ""

    @property
    def ok(self) -> bool:
        return self.reason is None


def check_signals(arrays: Mapping[str, Array], length: int) -> Signals:
    """``arrays`` as they may be used: names, types, lengths, finiteness and bounds have been looked at.

    Raises Unfit.
    """
    if "exposure" not in arrays or set(arrays) - set(LEVELS):
        raise Unfit(f"signals must be exposure and levels, were {', '.join(sorted(map(one_line, arrays))) or 'none'}")
    for name, values in arrays.items():
        if values.dtype != np.float64 or values.shape != (length,):
            raise Unfit(f"{name} must be {length} numbers, was {values.size} of {values.dtype}")
    exposure = arrays["exposure"]
    if not bool(np.isfinite(exposure).all()):
        raise Unfit(f"exposure is not finite at bar {int(np.argmin(np.isfinite(exposure)))}")
    if length and float(np.abs(exposure).max()) > 1:
        raise Unfit(f"exposure must be -1..1, was {float(exposure[np.abs(exposure).argmax()]):g}")
    for name in LEVELS[1:]:
        # NaN says that there is no such order, and passes both comparisons.
        if name in arrays and bool(((arrays[name] <= 0) | (arrays[name] > LARGEST_PRICE)).any()):
            raise Unfit(f"{name} must be a price above 0 and below {LARGEST_PRICE:g}, or NaN")
    return Signals(**arrays)


def check_exposures(arrays: Mapping[str, Array], length: int, legs: int) -> Floats:
    """(n, k) exposures of a portfolio. Raises Unfit."""
    return check_signals(arrays, length * legs).exposure.reshape(length, legs)


def check_intents(values: Array, length: int) -> Floats:
    """The table of intents as ``simulate`` may have it. Raises Unfit, for orders dated in the future too."""
    if values.dtype != np.float64 or values.size % INTENT_SIZE:
        raise Unfit(f"intents must be rows of {INTENT_SIZE} numbers")
    try:
        return intent_rows(values.reshape(-1, INTENT_SIZE), length, 1)
    except InvalidSimulation as error:
        raise Unfit(error.message) from None


def check_declaration(header: Mapping[str, Any]) -> Declaration:
    """The declaration in ``header``. Raises Unfit."""
    texts: dict[str, Any] = {}
    for name, longest in (("name", 64), ("label", 120), ("summary", 2000), ("rationale", 4000), ("style", 32)):
        value = header.get(name, "")
        if type(value) is not str or len(value) > longest:
            raise Unfit(f"{name} must be text of at most {longest} characters")
        texts[name] = one_line(value, longest)
    if texts["style"] not in ("Strategy", "PortfolioStrategy", "EventStrategy"):
        raise Unfit("style is none of ours")
    parameters = header.get("parameters")
    if type(parameters) is not list or len(parameters) > 64:
        raise Unfit("parameters must be at most 64")
    read = tuple(_parameter(entry) for entry in parameters)
    if len({p.name for p in read}) != len(read):
        raise Unfit("two parameters have one name")
    for name, most in (("history", 10**6), ("legs", 8)):
        if type(header.get(name)) is not int or not 0 <= header[name] <= most:
            raise Unfit(f"{name} must be a whole number in 0..{most:,}")
    return Declaration(**texts, parameters=read, history=header["history"], legs=header["legs"])


def _parameter(entry: Any) -> Declared:
    if type(entry) is not dict:
        raise Unfit("a parameter is not described")
    name = entry.get("name")
    if type(name) is not str or not name.isidentifier() or len(name) > 64:
        raise Unfit(f"a parameter's name must be a Python name, was {one_line(str(name), 40)!r}")
    kind = entry.get("kind")
    default: Any = entry.get("default")
    if kind not in _KINDS or type(default) not in ((str,) if kind == "choice" else (int, float)):
        raise Unfit(f"{name} must be int, float or choice with a default of that kind")
    if default != default or (kind != "choice" and not abs(default) < LARGEST_PRICE):
        raise Unfit(f"{name}: default must be a finite number")
    bounds: dict[str, float | None] = {}
    for bound in ("minimum", "maximum", "step"):
        value = entry.get(bound)
        if value is not None and (type(value) not in (int, float) or not abs(value) < 1e15):
            raise Unfit(f"{name}: {bound} must be a finite number")
        bounds[bound] = value
    choices = entry.get("choices", [])
    if type(choices) is not list or len(choices) > 100:
        raise Unfit(f"{name} has too many choices")
    pairs = []
    for pair in choices:
        if type(pair) is not list or len(pair) != 2 or not all(type(part) is str and len(part) <= 120 for part in pair):
            raise Unfit(f"{name}: a choice is a value and a label")
        pairs.append((one_line(pair[0], 120), one_line(pair[1], 120)))
    label, help_ = (entry.get(text, "") for text in ("label", "help"))
    if type(label) is not str or type(help_) is not str:
        raise Unfit(f"{name}: label and help must be text")
    return Declared(
        name=name,
        label=one_line(label, 120),
        kind=kind,
        default=default,
        choices=tuple(pairs),
        help=one_line(help_, 500),
        **bounds,
    )


def check_failure(header: Mapping[str, Any]) -> tuple[Reason, str, int | None, int | None]:
    """Reason, message, line and column of an error that the child reported. Raises Unfit."""
    reason = header.get("reason")
    if reason not in (Reason.ERROR, Reason.MEMORY, Reason.FORBIDDEN, Reason.INVALID_RESULT):
        raise Unfit("the reason is none of ours")
    message = header.get("message")
    places = [
        value if type(value) is int and 0 < value < 10**6 else None for value in (header.get("line"), header.get("column"))
    ]
    return Reason(reason), one_line(message) if type(message) is str else "", places[0], places[1]
