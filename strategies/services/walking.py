"""Owns walk-forward of a study: the plan's windows, what was chosen in each, and the equity out of sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from strategies.contract import Value
from strategies.engine.sweep import day_ends
from strategies.metrics.curve import below_peak, daily_growth
from strategies.robustness.samples import InvalidPlan
from strategies.robustness.space import Space
from strategies.robustness.walkforward import Mode, Stitched, Window, drift, efficiency, planned, stitch
from strategies.services.tuning import Ground

MOST_WINDOWS: Final = 50
LEAST_BARS: Final = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How a span is cut: ``windows`` of them, tested on ``test_share`` of the bars that one covers; ``embargo`` in bars."""

    mode: Mode = "rolling"
    windows: int = 5
    test_share: float = 0.25
    embargo: int = 0

    def __post_init__(self) -> None:
        if self.mode not in ("anchored", "rolling"):
            raise InvalidPlan(f"mode must be anchored or rolling, was {self.mode!r}", field="plan.mode")
        if not 1 <= self.windows <= MOST_WINDOWS:
            raise InvalidPlan(f"windows must be 1..{MOST_WINDOWS}, was {self.windows}", field="plan.windows")
        if not 0 < self.test_share < 1:
            raise InvalidPlan(f"test_share must lie between 0 and 1, was {self.test_share}", field="plan.test_share")
        if self.embargo < 0:
            raise InvalidPlan(f"embargo must not be below 0, was {self.embargo}", field="plan.embargo")

    def to_json(self) -> dict[str, Any]:
        return {"version": 1, **asdict(self)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Plan:
        return cls(**{name: value for name, value in stored.items() if name != "version"})

    def over(self, bars: int) -> list[Window]:
        """Raises InvalidPlan where a window would have fewer than 20 bars to tune or to be judged in."""
        made = planned(bars, self.windows, test_share=self.test_share, mode=self.mode, embargo=self.embargo)
        least = min(min(one.train_stop - one.train_start, one.test_stop - one.test_start) for one in made)
        if least < LEAST_BARS:
            raise InvalidPlan(
                f"{bars} bars make windows of {least} bars, fewer than {LEAST_BARS}; take fewer windows or a longer span",
                field="plan.windows",
            )
        return made


@dataclass(frozen=True, slots=True)
class Chosen:
    """The winner of one window's training: its values, score and growth (final over first equity) in it."""

    values: dict[str, Value]
    score: float
    growth: float


@dataclass(frozen=True, eq=False)
class Walk:
    """What became of it: a line for each window, the stitched equity, and (days,) returns of it."""

    windows: list[dict[str, Any]]
    stitched: Stitched
    returns: np.ndarray[Any, np.dtype[np.float64]]
    efficiency: float | None
    drift: list[dict[str, Any]]


def walked(ground: Ground, space: Space, plan: Sequence[Window], chosen: Sequence[Chosen]) -> Walk:
    """Judge each window's winner on the bars after it, each test begun flat with the same cash. Raises Refused."""
    cash, time = ground.conditions.cash, ground.bars.time
    lines, equities, growths = [], [], []
    for window, winner in zip(plan, chosen, strict=True):
        result = ground.simulated(winner.values, window.test_start, window.test_stop)
        growth = float(result.equity[-1]) / cash
        equities.append(result.equity)
        growths.append(growth)
        lines.append(
            {
                **window.to_json(),
                "train_from": int(time[window.train_start]),
                "test_from": int(time[window.test_start]),
                "test_to": int(time[window.test_stop - 1]),
                "values": winner.values,
                "score": winner.score,
                "train_return": winner.growth - 1,
                "test_return": growth - 1,
                "test_drawdown": float(below_peak(result.equity, cash).min()),
                "test_trades": len(result.trades),
            }
        )
    joined = stitch(plan, equities, cash=cash)
    returns = daily_growth(joined.equity[day_ends(time[joined.bar])], cash)
    ratio = efficiency(
        [one.growth for one in chosen],
        [one.train_stop - one.train_start for one in plan],
        growths,
        [one.test_stop - one.test_start for one in plan],
    )
    moved = [one.to_json() for one in drift(space, [one.values for one in chosen])]
    return Walk(lines, joined, returns, None if math.isnan(ratio) else ratio, moved)
