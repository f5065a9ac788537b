"""Owns what a trial is: a strategy asked with one point of a space, simulated, scored; and what many trials show together.

No table and no queue: the command line and the workers use it alike. Vectorised strategies on one instrument only: the
others cannot be swept. A window's trials see its bars and those before it, never a later one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from clusterx.errors import DomainError
from marketdata.bars import Bars
from strategies.backtest import Decide, check_bars, tradable_volumes
from strategies.conditions import Conditions
from strategies.contract import Declared, InvalidParameter, Signals, Strategy, Value
from strategies.engine import Result, simulate
from strategies.engine.sweep import Outcome, day_ends, sweep
from strategies.errors import InvalidRunRequest, Refused
from strategies.metrics.curve import daily_growth
from strategies.robustness.evidence import evidence
from strategies.robustness.overfitting import overfitting
from strategies.robustness.samples import InvalidSample, InvalidSpace
from strategies.robustness.search import Method, Search
from strategies.robustness.space import Space
from strategies.robustness.stability import heat_map, stability

Floats = npt.NDArray[np.float64]
Point = Mapping[str, Value]

OBJECTIVES: Final = ("sharpe", "return", "recovery")
LEAST_FALL: Final = 0.01  # a recovery factor over no drawdown at all would be without end
MOST_KEPT: Final = 400  # trials whose returns are compared with each other: all pairs of them
MOST_MAPS: Final = 3
LEARNING_BATCH, PLAIN_BATCH = 16, 256
BLOCKS: Final = (16, 12, 8, 4)
TABLES: Final = ("score", "final", "drawdown", "fills", "returns")


@dataclass(frozen=True, eq=False)
class Ground:
    """What all trials of a study share. ``decide`` answers for a point: library code here, a user's in the sandbox."""

    bars: Bars
    conditions: Conditions
    decide: Callable[[Point], Decide]
    objective: str = "sharpe"

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InvalidRunRequest(
                f"objective must be one of {', '.join(OBJECTIVES)}, was {self.objective!r}", field="objective"
            )
        check_bars([self.bars])

    @cached_property
    def traded(self) -> Bars:
        return tradable_volumes([self.bars])[0][0]

    @property
    def days(self) -> int:
        """Days of a year in which the market trades."""
        return 365 if self.conditions.calendar == "crypto" else 252

    def answer(self, point: Point, start: int, stop: int) -> Signals:
        """What the strategy wants in bars ``start <= i < stop``, knowing all bars before ``stop``. Raises Refused."""
        signals = self.decide(point)([part(self.bars, 0, stop)], self.conditions).signals
        if signals is None:
            raise Refused("only vectorised strategies on one instrument can be searched", reason="not-vectorised")
        return cut(signals, start)

    def simulated(self, point: Point, start: int, stop: int) -> Result:
        """One trial in full. Raises Refused."""
        held = self.conditions
        return simulate(
            part(self.traded, start, stop), self.answer(point, start, stop), market=held.markets[0], costs=held.costs,
            rules=held.rules, cash=held.cash,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scores:
    """Of (k,) trials: ``score`` (NaN: it failed), ``final`` money, ``drawdown`` (at most 0), ``fills``, ``returns`` (k, days).

    ``failure`` is what the first that failed said, with its reason and line.
    """

    score: Floats
    final: Floats
    drawdown: Floats
    fills: npt.NDArray[np.int64]
    returns: npt.NDArray[np.float32]
    failure: Refused | None = None

    def tables(self) -> dict[str, npt.NDArray[Any]]:
        """As ``arrays.pack`` takes them."""
        return {name: getattr(self, name) for name in TABLES}

    @classmethod
    def of(cls, tables: Mapping[str, npt.NDArray[Any]]) -> Scores:
        """From what ``tables`` gave."""
        score, final, drawdown, fills, returns = (tables[name] for name in TABLES)
        return cls(score, final, drawdown, fills, returns)


def part(bars: Bars, start: int, stop: int) -> Bars:
    if start == 0 and stop == len(bars):
        return bars
    time, *rest = bars.columns
    return Bars(time[start:stop], *(column[start:stop] for column in rest))  # type: ignore[arg-type]


def cut(signals: Signals, start: int) -> Signals:
    if not start:
        return signals
    levels = (signals.stop, signals.take_profit, signals.trail)
    return Signals(signals.exposure[start:], *(None if level is None else level[start:] for level in levels))


def tried(ground: Ground, points: Sequence[Point], start: int = 0, stop: int | None = None) -> Scores:
    """Simulate every point over bars ``start <= i < stop``.

    A point that the strategy refuses has failed; the others go on.
    """
    stop = len(ground.bars) if stop is None else stop
    bars, held, k = part(ground.traded, start, stop), ground.conditions, len(points)
    score, final, drawdown = np.full(k, np.nan), np.full(k, held.cash), np.zeros(k)
    fills, returns = np.zeros(k, np.int64), np.zeros((k, len(day_ends(bars.time))), np.float32)
    failures: list[Refused] = []
    place = -1

    def answers() -> Iterator[Signals]:
        nonlocal place
        for at, point in enumerate(points):
            try:
                answer = ground.answer(point, start, stop)
            except Refused as error:
                failures.append(error)
            except InvalidParameter as error:
                failures.append(Refused(error.message, reason=error.code))
            else:
                place = at
                yield answer

    for outcome in sweep(bars, answers(), market=held.markets[0], costs=held.costs, rules=held.rules, cash=held.cash):
        daily = daily_growth(outcome.daily, held.cash)
        returns[place], final[place], drawdown[place] = daily, outcome.final_equity, outcome.drawdown
        fills[place], score[place] = outcome.fills, scored(ground, outcome, daily)
    return Scores(score, final, drawdown, fills, returns, failures[0] if failures else None)


def scored(ground: Ground, outcome: Outcome, returns: Floats) -> float:
    """Higher is better; NaN for an account that was ruined, which is no result to choose."""
    if outcome.bankrupt:
        return math.nan
    gain = outcome.final_equity / ground.conditions.cash - 1
    if ground.objective == "return":
        return gain
    if ground.objective == "recovery":
        return gain / max(-outcome.drawdown, LEAST_FALL)
    return sharpe(returns, ground.days)


def sharpe(returns: npt.ArrayLike, days: int) -> float:
    """Annual Sharpe ratio of daily returns; 0 where nothing moves."""
    values = np.asarray(returns, np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()) / spread * math.sqrt(days) if spread > 1e-12 else 0.0


def search_of(space: Space, method: Method, **more: Any) -> Search:
    """A search with generations as large as its method takes them: those that learn nothing may be planned far ahead."""
    stopping = more.get("stopping")
    learns = method == "bayesian" or (stopping is not None and stopping.learns)
    return Search(space, method, batch=LEARNING_BATCH if learns else PLAIN_BATCH, **more)


def searchable(declared: Declared, style: str | None = None) -> None:
    """Raises InvalidSpace unless the strategy is vectorised and trades one instrument."""
    if (style or ("Strategy" if isinstance(declared, Strategy) else "other")) != "Strategy":
        raise InvalidSpace(
            f"{declared.label} cannot be searched: only vectorised strategies on one instrument can", field="strategy"
        )


# -- what the trials show -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Trials:
    """Complete trials of one search, in their order: points, (n,) scores, final, drawdown, and (n, days) returns."""

    points: list[dict[str, Value]] = field(default_factory=list)
    score: Floats = field(default_factory=lambda: np.zeros(0))
    final: Floats = field(default_factory=lambda: np.zeros(0))
    drawdown: Floats = field(default_factory=lambda: np.zeros(0))
    returns: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @classmethod
    def of(cls, points: Sequence[Point], scores: Sequence[Scores]) -> Trials:
        """From points in the order of the scores' rows; those that failed are left out."""
        if not scores:
            return cls()
        score = np.concatenate([one.score for one in scores])
        good = np.isfinite(score)
        final, drawdown = (np.concatenate([getattr(one, name) for one in scores])[good] for name in ("final", "drawdown"))
        returns = np.concatenate([one.returns for one in scores])[good]
        return cls(
            [dict(point) for point, kept in zip(points, good, strict=True) if kept], score[good], final, drawdown, returns
        )

    @property
    def best(self) -> int:
        """The earliest with the highest score."""
        return int(np.argmax(self.score))

    def described(self, place: int) -> dict[str, Any]:
        return {
            "values": self.points[place],
            "score": float(self.score[place]),
            "final_equity": float(self.final[place]),
            "max_drawdown": float(self.drawdown[place]),
        }

    def sharpes(self) -> list[float]:
        """Daily Sharpe ratio of each, not of a year."""
        return [sharpe(line, 1) for line in self.returns]


def shown(returns: npt.ArrayLike, trials: int, kept: npt.NDArray[np.float32] | None = None) -> dict[str, Any]:
    """Evidence of daily returns after ``trials`` trials in all; PBO where ``kept`` (n, days) returns allow one.

    Where a number cannot be had, ``missing`` says why.
    """
    told: dict[str, Any] = {"version": 1, "trials": trials, "badge": None, "pbo": None, "missing": {}}
    matrix = None
    if kept is not None and len(kept) > 1:
        chosen = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MOST_KEPT)).astype(np.int64))
        matrix = kept[chosen].T.astype(np.float64)
    try:
        told |= evidence(returns, trials=max(trials, 1), kept=matrix).to_json()
    except InvalidSample as error:
        told["missing"]["badge"] = error.message
    if matrix is None:
        told["missing"]["pbo"] = "there are no two trials over the same days"
        return told
    blocks = next((one for one in BLOCKS if len(matrix) >= 4 * one), None)
    if blocks is None:
        told["missing"]["pbo"] = f"{len(matrix)} days are too few"
        return told
    found = overfitting(matrix, blocks=blocks)
    return told | {"pbo": found.pbo, "pbo_trials": found.trials, "pbo_blocks": blocks, "pbo_loss": found.loss}


def surroundings(space: Space, trials: Trials) -> dict[str, Any]:
    """Heat maps of the first pairs of parameters, and how the best stands among its neighbours."""
    names = [dimension.name for dimension in space.dimensions]
    pairs = list(combinations(names, 2))[:MOST_MAPS]
    maps = [heat_map(space, trials.points, trials.score, x, y).to_json() for x, y in pairs]
    found = stability(space, trials.points, trials.score)
    steady: dict[str, Any] = {
        name: None if math.isnan(value := getattr(found, name)) else value for name in ("kept", "close", "worst")
    }
    return {
        "heat_maps": maps,
        "stability": steady | {"neighbours": found.neighbours, "plateau": trials.described(found.plateau)},
    }


def every(ground: Ground, search: Search, start: int = 0, stop: int | None = None) -> tuple[Trials, DomainError | None]:
    """Do all trials of a search here and now; and what the first that failed said."""
    points, done, failure = [], [], None
    while asked := search.ask(search.batch):
        found = tried(ground, [trial.values for trial in asked], start, stop)
        for trial, score in zip(asked, found.score.tolist(), strict=True):
            search.tell(trial.number, score)
        points += [trial.values for trial in asked]
        done.append(found)
        failure = failure or found.failure
    return Trials.of(points, done), failure
