"""Searches that are asked for trials and told their scores: by grid, at random, or Bayesian; stopped early, stored, resumed.

Trials come in *generations* of ``batch``. Everything that learns from results (the Bayesian sampler, pruning, patience)
looks only at generations that are wholly finished, so the trials of a search, and its winner, follow from its space and
seed alone: not from how many workers there were, in which order they answered, or how often the search was stopped and
resumed. Whoever runs trials may take any number of them at once; ``ask`` gives nothing while a generation has to be
waited for.

A search holds no clock, no thread and no random state: ``to_json`` is all of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from strategies.contract import Declared, Value
from strategies.robustness.bayesian import propose
from strategies.robustness.samples import InvalidSpace
from strategies.robustness.space import Space, Values, key

Method = Literal["grid", "random", "bayesian"]
State = Literal["planned", "asked", "complete", "pruned", "failed"]

LETTERS: Final[dict[State, str]] = {"planned": ".", "asked": "?", "complete": "c", "pruned": "p", "failed": "f"}
STATES: Final[dict[str, State]] = {letter: state for state, letter in LETTERS.items()}
VERSION: Final = 2
MOST_TRIALS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Stopping:
    """When a search, or one of its trials, is not worth going on with. None turns a rule off.

    ``patience`` ends the search after so many trials without the best score rising by more than ``least_gain``;
    ``target`` ends it once a score reaches it. ``hopeless`` prunes a trial whose reported score lies below that
    quantile (0.25: the worst quarter) of what earlier generations reported at the same step, once ``warm_up`` trials
    have reported there.
    """

    patience: int | None = None
    least_gain: float = 0.0
    target: float | None = None
    hopeless: float | None = None
    warm_up: int = 10

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise InvalidSpace(f"patience must be at least 1, was {self.patience}")
        if self.hopeless is not None and not 0 < self.hopeless < 1:
            raise InvalidSpace(f"hopeless must lie between 0 and 1, was {self.hopeless}")
        if self.least_gain < 0 or self.warm_up < 1:
            raise InvalidSpace("least_gain must not be below 0, nor warm_up below 1")

    @property
    def learns(self) -> bool:
        return self.patience is not None or self.target is not None or self.hopeless is not None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Trial:
    """One point of the space and what came of it. ``reports`` are ``(step, score so far)``, steps ascending."""

    number: int
    values: Values
    state: State = "planned"
    score: float | None = None
    reports: list[tuple[int, float]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return self.state in ("complete", "pruned", "failed")


@dataclass(frozen=True, slots=True)
class Columns:
    """A search's trials as they are stored, a column each: thousands are read and written in a few milliseconds.

    ``states`` holds a letter of ``LETTERS`` for each trial, ``reports`` those of the trials that made any, by number.
    """

    values: Mapping[str, Sequence[Value]]
    states: str
    scores: Sequence[float | None]
    reports: Mapping[str, Sequence[Sequence[float]]]

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Columns:
        names = tuple(trials[0].values) if trials else ()
        return cls(
            {name: [trial.values[name] for trial in trials] for name in names},
            "".join(LETTERS[trial.state] for trial in trials),
            [trial.score for trial in trials],
            {str(trial.number): [list(report) for report in trial.reports] for trial in trials if trial.reports},
        )

    @classmethod
    def stored(cls, search: Mapping[str, Any]) -> Columns:
        """Of what ``Search.to_json`` gave."""
        return cls(**search["trials"])

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __len__(self) -> int:
        return len(self.states)

    @property
    def scored(self) -> bool:
        """Whether any trial came to a score."""
        return any(score is not None for score in self.scores)

    def point(self, number: int) -> Values:
        return {name: column[number] for name, column in self.values.items()}

    def trials(self) -> list[Trial]:
        made = [
            Trial(number, self.point(number), STATES[letter], score)
            for number, (letter, score) in enumerate(zip(self.states, self.scores, strict=True))
        ]
        for number, reports in self.reports.items():
            made[int(number)].reports = [(int(step), float(score)) for step, score in reports]
        return made


class Search:
    """A search in progress. Scores are maximised.

    Parameters
    ----------
    space : Space
        What is searched.
    method : "grid", "random" or "bayesian"
        Bayesian is Optuna's multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018), see ``bayesian``.
    trials : int
        How many trials at most. A grid with more combinations is refused, not cut.
    seed : int
        The grid does not use it.
    batch : int
        Trials in a generation.
    stopping : Stopping
        When to end early.
    most : int
        How many trials there can be, where they were counted before.

    Raises
    ------
    InvalidSpace
        If the number of trials or of the grid's combinations is out of range, or the constraints allow nothing.
    """

    def __init__(
        self,
        space: Space,
        method: Method,
        *,
        trials: int,
        seed: int = 0,
        batch: int = 16,
        stopping: Stopping | None = None,
        most: int | None = None,
    ) -> None:
        if method not in ("grid", "random", "bayesian"):
            raise InvalidSpace(f"method must be grid, random or bayesian, was {method!r}")
        if not 1 <= trials <= MOST_TRIALS:
            raise InvalidSpace(f"trials must be 1..{MOST_TRIALS:,}, was {trials}")
        if not 1 <= batch <= 1024 or not 0 <= seed < 2**32:
            raise InvalidSpace(f"batch must be 1..1024 and seed 0..2^32-1, were {batch} and {seed}")
        self.space, self.method, self.limit = space, method, trials
        self.seed, self.batch, self.stopping = seed, batch, stopping or Stopping()
        self.trials: list[Trial] = []
        self._exhausted = False
        self._next = 0  # no trial before this one is planned
        self._most = most or (len(self._grid) if method == "grid" else trials)

    @cached_property
    def _grid(self) -> list[Values]:
        return self.space.grid_within(self.limit)

    @cached_property
    def _keys(self) -> set[str]:
        return {key(trial.values) for trial in self.trials}

    # -- asking and telling --------------------------------------------------------------------------------------------

    def ask(self, count: int) -> list[Trial]:
        """Up to ``count`` trials to run now. Fewer, or none, where the search waits, is stopped or has no more."""
        given: list[Trial] = []
        while len(given) < count:
            while self._next < len(self.trials) and self.trials[self._next].state != "planned":
                self._next += 1
            if self._next == len(self.trials):
                if not self._plan():
                    break
                continue
            self.trials[self._next].state = "asked"
            given.append(self.trials[self._next])
        return given

    def report(self, number: int, step: int, score: float) -> bool:
        """Note a trial's score after ``step`` (say, windows done). True if the trial is hopeless: then stop it and ``prune``.

        Raises InvalidSpace if the trial is not running or the step does not ascend.
        """
        trial = self._running(number)
        if trial.reports and step <= trial.reports[-1][0]:
            raise InvalidSpace(f"steps must ascend: trial {number} reported {trial.reports[-1][0]} and then {step}")
        if not math.isfinite(score):
            return self.stopping.hopeless is not None
        trial.reports.append((step, float(score)))
        if self.stopping.hopeless is None:
            return False
        first = number - number % self.batch
        peers = [value for other in self.trials[:first] for at, value in other.reports if at == step]
        if len(peers) < self.stopping.warm_up:
            return False
        return bool(score < np.quantile(peers, self.stopping.hopeless))

    def tell(self, number: int, score: float | None) -> None:
        """The final score of a trial; None or a score that is not finite means that it failed. Twice the same changes nothing.

        Raises InvalidSpace if the trial was never asked for, or told something else before.
        """
        good = score is not None and math.isfinite(score)
        self._finish(number, "complete" if good else "failed", float(score) if good and score is not None else None)

    def prune(self, number: int) -> None:
        """A trial was given up as hopeless; its last report stays."""
        self._finish(number, "pruned", None)

    def requeue(self) -> int:
        """Give out again what was asked for and never told (a worker died, the search was paused). How many those are."""
        lost = [trial for trial in self.trials if trial.state == "asked"]
        for trial in lost:
            trial.state, trial.reports = "planned", []
        self._next = 0
        return len(lost)

    def _finish(self, number: int, state: State, score: float | None) -> None:
        if 0 <= number < len(self.trials) and (done := self.trials[number]).finished:
            if (done.state, done.score) != (state, score):
                raise InvalidSpace(f"trial {number} is {done.state} ({done.score}) and was told again as {state} ({score})")
            return
        trial = self._running(number)
        trial.state, trial.score = state, score

    def _running(self, number: int) -> Trial:
        if not 0 <= number < len(self.trials) or self.trials[number].state != "asked":
            raise InvalidSpace(f"trial {number} is not running")
        return self.trials[number]

    # -- generations ---------------------------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether a generation must be finished before the next is planned."""
        return self.method == "bayesian" or self.stopping.learns

    def _plan(self) -> bool:
        """Add the next generation. False if there is none, or not yet."""
        if self._exhausted or len(self.trials) >= self.limit or self.stopped is not None:
            return False
        if self.waits and not all(trial.finished for trial in self.trials[-self.batch :]):
            return False
        start = len(self.trials)
        wanted = min(self.batch, self.limit - start)
        if self.method == "grid":
            points = self._grid[start : start + wanted]
        elif self.method == "random":
            points = self._random(start, wanted)
        else:
            points = propose(self.space, self.seed, self.trials, wanted, self._keys)
        self._exhausted = len(points) < wanted
        self.trials += [Trial(start + i, point) for i, point in enumerate(points)]
        if self.method != "grid":
            self._keys.update(map(key, points))
        return bool(points)

    def _random(self, start: int, wanted: int) -> list[Values]:
        points: list[Values] = []
        taken = set(self._keys)
        for number in range(start, start + wanted):
            point = self.space.sample(self.seed, number, taken)
            if point is None:
                break
            points.append(point)
            taken.add(key(point))
        return points

    # -- what it has come to -------------------------------------------------------------------------------------------

    @property
    def best(self) -> Trial | None:
        """The complete trial with the highest score; the earliest of equals."""
        complete = [trial for trial in self.trials if trial.score is not None]
        return max(complete, key=lambda trial: (trial.score or 0.0, -trial.number), default=None)

    @property
    def stopped(self) -> Literal["patience", "target"] | None:
        """Why the search ended early, or None. Judged on finished generations alone."""
        if not self.stopping.learns:
            return None
        best, at = -math.inf, -1
        whole = next((t.number for t in self.trials if not t.finished), len(self.trials))
        whole = whole if whole == self.limit else whole - whole % self.batch
        for trial in self.trials[:whole]:
            if trial.score is not None and (at < 0 or trial.score > best + self.stopping.least_gain):
                best, at = trial.score, trial.number
        if self.stopping.target is not None and best >= self.stopping.target:
            return "target"
        if self.stopping.patience is not None and whole - 1 - at >= self.stopping.patience:
            return "patience"
        return None

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask for or to wait for."""
        if not all(trial.finished for trial in self.trials):
            return False
        full = len(self.trials) >= self._most
        return full or self._exhausted or self.stopped is not None

    @property
    def total(self) -> int:
        """How many trials there will be at most; fewer if it stops early or the space runs out."""
        return len(self.trials) if self._exhausted else self._most

    # -- storing -------------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """All of the search, of plain JSON values."""
        return {
            "version": VERSION,
            "space": self.space.to_json(),
            "method": self.method,
            "limit": self.limit,
            "seed": self.seed,
            "batch": self.batch,
            "stopping": self.stopping.to_json(),
            "exhausted": self._exhausted,
            "most": self._most,
            "trials": Columns.of(self.trials).to_json(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], strategy: Declared | None = None) -> Search:
        """The search as it was stored. Trials then running are still running: ``requeue`` gives them out again.

        Raises InvalidSpace if it was stored by a version that is not known here.
        """
        if stored.get("version") != VERSION:
            raise InvalidSpace(f"a search must be of version {VERSION}, was {stored.get('version')!r}")
        search = cls(
            Space.from_json(stored["space"], strategy),
            stored["method"],
            trials=stored["limit"],
            seed=stored["seed"],
            batch=stored["batch"],
            stopping=Stopping(**stored["stopping"]),
            most=stored.get("most"),
        )
        search.trials = Columns.stored(stored).trials()
        search._exhausted = stored["exhausted"]
        return search


def chunks(trials: Iterable[Trial], size: int) -> Iterator[list[Trial]]:
    """``trials`` in lists of ``size``, for one task of a queue each. Raises InvalidSpace if ``size`` is below 1."""
    if size < 1:
        raise InvalidSpace(f"a chunk must hold at least 1 trial, was {size}")
    chunk: list[Trial] = []
    for trial in trials:
        chunk.append(trial)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def chunk_size(trials: int, workers: int, seconds_each: float, seconds_wanted: float = 1.0) -> int:
    """How many trials a task should hold: about ``seconds_wanted`` of work, and at least four tasks for each worker.

    Four, so that a slow chunk at the end leaves the other workers idle for an eighth of the run on average, not for half.
    Where a fourth would be less than a third of ``seconds_wanted`` that much is taken, so that handing out costs little
    beside the work; but every worker gets a chunk.
    """
    if trials < 1 or workers < 1 or not seconds_each >= 0:
        raise InvalidSpace("a chunk needs trials, workers and a duration")
    by_time = trials if seconds_each == 0 else max(1, int(seconds_wanted / seconds_each))
    fair = math.ceil(trials / (4 * workers))
    return max(1, min(by_time, max(fair, min(by_time // 3, math.ceil(trials / workers)))))
