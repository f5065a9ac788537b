"""What a strategy decided, in one shape for every style, and where two answers part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from strategies.contract import InvalidSignals, Panel, Signals, as_signals
from strategies.engine.intents import intent_rows
from strategies.engine.model import Intent, InvalidSimulation
from strategies.engine.series import INTENT_SIZE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Given = Bars | Panel

# Rounding of one and the same calculation; an answer that moves by more has learnt something.
TOLERANCE: Final = 1e-12
LEVELS: Final = ("stop", "take_profit", "trail")
INTENT_FIELDS: Final = (
    "bar", "id", "instrument", "action", "side", "kind", "quantity", "limit", "stop", "trail", "time in force", "reduce only",
    "parent", "group", "reason",
)  # fmt: skip


class Intents(NamedTuple):
    """The answer of an event-driven strategy: the (m, 15) table that ``simulate`` takes."""

    table: Floats


class Parting(NamedTuple):
    """Where two answers part: the bar, what of the decision, and both values (NaN: no such order)."""

    bar: int
    what: str
    one: float
    other: float


@dataclass(frozen=True, eq=False)
class Decisions:
    """``rows`` (m, c) float64, decided at the closes of ``bar`` (m,), ascending; ``names`` (c,) say what the columns are.

    ``dense``: one row for each of ``length`` bars. Intents are not dense.
    """

    length: int
    bar: Ints
    rows: Floats
    names: tuple[str, ...]
    dense: bool
    exposures: int = 1

    @property
    def bytes(self) -> bytes:
        return self.bar.tobytes() + self.rows.tobytes()

    @property
    def events(self) -> Ints:
        """The bars on which something is decided anew: exposure changes, an order is placed. Ascending."""
        if not self.dense:
            return np.unique(self.bar)
        exposure = self.rows[:, : self.exposures]
        changed = np.r_[(exposure[:1] != 0).any(axis=1), (exposure[1:] != exposure[:-1]).any(axis=1)]
        return np.flatnonzero(changed).astype(np.int64)

    @property
    def kinds(self) -> Ints:
        """What kind of event each of ``events`` is: from which exposure to which; what was ordered first. Numbers from 0."""
        if self.dense:
            exposure = self.rows[:, : self.exposures]
            before = np.vstack([np.zeros((1, self.exposures)), exposure[:-1]])
            told = np.column_stack([before, exposure])[self.events]
        else:
            first = np.unique(self.bar, return_index=True)[1]
            told = self.rows[first][:, [INTENT_FIELDS.index(name) for name in ("action", "side", "kind")]]
        return np.unique(told, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def decisions_of(answer: object, length: int) -> Decisions:
    """``answer`` to ``length`` bars, checked.

    (n,) or (n, k) float64 and ``Signals`` are exposures after each bar; ``Intents`` and an iterable of ``engine.Intent`` are
    orders.

    Raises
    ------
    InvalidSignals, InvalidSimulation
        If it is neither.
    """
    if isinstance(answer, Intents):
        return _orders(answer.table, length)
    if isinstance(answer, (list, tuple)) and all(isinstance(one, Intent) for one in answer) and (answer or not length):
        return _orders(answer, length)
    if isinstance(answer, np.ndarray) and answer.ndim == 2:
        if len(answer) != length:
            raise InvalidSignals(f"exposures must be for {length} bars, were for {len(answer)}", field="exposure")
        columns = [as_signals(column, length).exposure for column in answer.T]
        names = tuple(f"exposure of instrument {leg + 1}" for leg in range(len(columns)))
        return Decisions(length, np.arange(length), np.column_stack(columns), names, True, len(columns))
    signals: Signals = as_signals(answer, length)
    levels = {name: level for name in LEVELS if (level := getattr(signals, name)) is not None}
    rows = np.column_stack([signals.exposure, *levels.values()])
    return Decisions(length, np.arange(length), rows, ("exposure", *(name.replace("_", " ") for name in levels)), True)


def _orders(intents: Iterable[Intent] | Floats, length: int) -> Decisions:
    if not length:
        rows = np.zeros((0, INTENT_SIZE))
    else:
        try:
            rows = intent_rows(intents, length, 64)
        except InvalidSimulation as error:
            raise InvalidSignals(error.message, **error.facts) from None
    return Decisions(length, rows[:, 0].astype(np.int64), rows, INTENT_FIELDS, False)


def parting(one: Decisions, other: Decisions, until: int, tolerance: float = TOLERANCE) -> Parting | None:
    """Where the decisions of bars 0..until-1 part, or None.

    For exposures the last such bar, which is nearest to what was changed; for orders the first one, because an order more or
    less moves all that follow.
    """
    if one.names != other.names:
        return Parting(0, "the levels given", float(len(one.names)), float(len(other.names)))
    first, second = (whole.rows[: np.searchsorted(whole.bar, until)] for whole in (one, other))
    both = min(len(first), len(second))
    unlike = ~alike(first[:both], second[:both], tolerance)
    wrong = unlike.any(axis=1)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[-1 if one.dense else 0])
        column = int(np.argmax(unlike[at]))
        bar = int(min(one.bar[at], other.bar[at]))
        return Parting(bar, one.names[column], float(first[at, column]), float(second[at, column]))
    if len(first) == len(second):
        return None
    longer, mine = (one, True) if len(first) > len(second) else (other, False)
    there = float(longer.rows[both, INTENT_FIELDS.index("side")]) if not one.dense else np.nan
    return Parting(int(longer.bar[both]), "an order", there if mine else np.nan, np.nan if mine else there)


def alike(one: Any, other: Any, tolerance: float) -> npt.NDArray[np.bool_]:
    """Equal within ``tolerance``, absolute below 1 and relative above; NaN equals NaN."""
    close = np.abs(one - other) <= tolerance * np.maximum(1.0, np.minimum(np.abs(one), np.abs(other)))
    answer: npt.NDArray[np.bool_] = close | (np.isnan(one) & np.isnan(other))
    return answer
