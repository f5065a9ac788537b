"""Putting a version to the proof: what is asked, on which bars, and what is kept of the answers. See docs/proofs.md."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Final

import numpy as np

from marketdata.bars import Bars
from marketdata.models import Instrument
from marketdata.store import BarStore
from marketdata.timeframes import TIMEFRAMES
from strategies.contract import Declared, EventStrategy, Panel, PortfolioStrategy, Value, validate
from strategies.errors import Refused
from strategies.models import UserStrategy, Version
from strategies.proving import Verdict, prove, warm_up
from strategies.proving.decisions import Given, decisions_of
from strategies.proving.series import markets
from strategies.proving.subjects import Answering, Ours, Reply, Sandbox, Sandboxed
from strategies.proving.verdict import Check, Failure
from strategies.services import subjects

BARS: Final = 1_500
EVENT_BARS: Final = 600  # they answer bar by bar
MOST_BARS: Final = 10_000
FEWEST_STORED: Final = 1_000
LIVELY: Final = 10
SECONDS: Final = 60.0
SLOWEST: Final = 5.0
HOUR: Final = 3_600
MOST_OTHERS: Final = 12
AHEAD: Final = ("prefix", "poison", "last-bar", "repeat")
BOUNDARY: Final = "boundary"
# Real candles, where a file cannot know that it is being asked: the ones most likely to be stored.
STORED: Final = ("binance:BTC-USDT", "binance:ETH-USDT")


@dataclass(frozen=True)
class Candidate:
    """What is proved, and what kind of bars it takes. ``seed`` says which invented markets, and where is cut.

    ``others`` are further parameters with which it must not look ahead, in few questions.
    """

    answer: Answering
    source: str = ""
    legs: int = 1
    seconds: int = HOUR
    length: int = BARS
    seed: int = 1
    events: bool = False
    others: Sequence[Mapping[str, Value]] = ()


@dataclass(frozen=True)
class Asked:
    """The verdict on one series of bars, and which that was; ``values`` where they were not those of the candidate."""

    on: str
    bars: Given
    verdict: Verdict
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How far a proof is: the checks that were made on the series with the number ``place`` of ``places``."""

    on: str
    place: int
    places: int
    checks: tuple[Check, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    expected: int = 8

    @property
    def share(self) -> float:
        """0 to 1, of all that is asked."""
        return min(1.0, (self.place + min(1.0, len(self.checks) / self.expected)) / self.places)


Heard = Callable[[Progress], None]


def listening(heard: Heard | None, progress: Progress) -> Callable[[Check], None] | None:
    """What a proof tells of its checks, as progress."""
    if heard is None:
        return None
    heard(progress)
    checks: list[Check] = []

    def made(check: Check) -> None:
        checks.append(check)
        heard(replace(progress, checks=tuple(checks)))

    return made


@dataclass(frozen=True)
class Proof:
    """All verdicts on one candidate. ``warm_up`` is in bars; None where it was not found."""

    asked: tuple[Asked, ...]
    warm_up: int | None = None

    @property
    def passed(self) -> bool:
        return all(one.verdict.passed for one in self.asked)

    @property
    def leading(self) -> Asked:
        """The first that failed, else the first."""
        return next((one for one in self.asked if not one.verdict.passed), self.asked[0])

    def to_json(self) -> dict[str, Any]:
        """``Verdict.to_json`` of the leading one, with ``on`` and, as ``series``, all that it was asked on."""
        series = [
            {
                "on": one.on,
                "values": dict(one.values),
                "bars": len(one.bars),
                "first": stamp(one.bars, 0),
                "last": stamp(one.bars, -1),
                "passed": one.verdict.passed,
                "summary": one.verdict.summary,
                "questions": one.verdict.questions,
            }
            for one in self.asked
        ]
        leading = self.leading
        return leading.verdict.to_json() | {"on": leading.on, "values": dict(leading.values), "series": series}


def prove_version(
    version: Version,
    declaration: Mapping[str, Any],
    values: Mapping[str, Value] | None = None,
    *,
    heard: Heard | None = None,
) -> Proof:
    """Ask a version what ``proving`` asks, a user's code inside the sandbox, on invented bars and on stored ones.

    Without ``values`` it has its defaults, and is asked a little with others of what it declares too. Raises Refused with
    the reason ``boundary`` where this host cannot make the sandbox, and where rules describe no strategy.
    """
    # Which markets are invented hangs on the text, so that no file can hold the answers for them.
    seed = int(version.sha256[:8], 16)
    if version.strategy.kind == UserStrategy.Kind.RULES:
        # What rules can say cannot look ahead with one parameter and not with another.
        return proof_of(ours(subjects.rules_strategy(version.rules), values or {}, seed=seed), stored=True, heard=heard)
    with noticing() as pool:
        candidate = file_of(pool, version.source, declaration, values or {}, seed=seed)
        return proof_of(replace(candidate, others=() if values else others_of(declaration)), stored=True, heard=heard)


def others_of(declaration: Mapping[str, Any]) -> list[dict[str, Value]]:
    """Each choice, and both ends of each number, one parameter at a time; a look ahead could hide behind any of them."""
    found: list[dict[str, Value]] = []
    for one in sorted(declaration["parameters"], key=lambda one: one["kind"] != "choice"):
        if one["kind"] == "choice":
            levels = [value for value, _label in one["choices"]]
        else:
            whole = int if one["kind"] == "int" else float
            levels = [whole(one[end]) for end in ("minimum", "maximum") if one[end] is not None]
        found += [{one["name"]: level} for level in levels if level != one["default"]]
    return found[:MOST_OTHERS]


@contextmanager
def noticing() -> Iterator[Noticing]:
    """The pool; afterwards Refused with ``boundary`` is raised if this host could not ask every question.

    What was not asked is no failure of the version, and no proof.
    """
    pool = Noticing(subjects.pool())
    yield pool
    if pool.missing:
        raise Refused(pool.missing, reason=BOUNDARY)


class Noticing:
    """A sandbox that keeps in mind whether it was missing."""

    def __init__(self, pool: Sandbox) -> None:
        self.pool, self.missing = pool, ""

    def signals(self, code: str, bars: Any, parameters: Any) -> Reply:
        return self._noticed(self.pool.signals(code, bars, parameters))

    def events(self, code: str, bars: Any, parameters: Any) -> Reply:
        return self._noticed(self.pool.events(code, bars, parameters))

    def prefixes(self, code: str, bars: Given, parameters: Any, cuts: Sequence[int]) -> Iterator[Reply]:
        for reply in self.pool.prefixes(code, bars, parameters, cuts):
            yield self._noticed(reply)

    def live(self, code: str, parameters: Any, *, history: Bars | None) -> Any:
        try:
            return self.pool.live(code, parameters, history=history)
        except Exception as error:
            if str(getattr(error, "reason", "")) == BOUNDARY:
                self.missing = str(error)
            raise

    def _noticed(self, reply: Reply) -> Reply:
        if str(reply.reason) == BOUNDARY:
            self.missing = reply.message or BOUNDARY
        return reply


def ours(strategy: Declared, values: Mapping[str, Value], *, seed: int = 1) -> Candidate:
    """A strategy of this process: of the library, or made of rules. Raises InvalidParameter."""
    history = int(strategy.history(validate(strategy, values)))
    events = isinstance(strategy, EventStrategy)
    return Candidate(
        Ours(strategy, values),
        legs=strategy.legs if isinstance(strategy, PortfolioStrategy) else 1,
        seconds=strategy.timeframe.seconds if getattr(strategy, "timeframe", None) else HOUR,  # type: ignore[attr-defined]
        length=min(MOST_BARS, max(EVENT_BARS if events else BARS, 2 * history + 500)),
        seed=seed,
        events=events,
    )


def file_of(
    pool: Sandbox, source: str, declaration: Mapping[str, Any], values: Mapping[str, Value], *, seed: int = 1
) -> Candidate:
    """A user's file, which runs in the sandbox and nowhere else; ``declaration`` is what an inspection keeps."""
    events = declaration["style"] == "EventStrategy"
    history = int(declaration.get("history", 0))  # an older inspection did not ask
    return Candidate(
        Sandboxed(pool, source, dict(values), events=events),
        source=source,
        legs=declaration.get("legs", 2) if declaration["style"] == "PortfolioStrategy" else 1,
        length=min(MOST_BARS, max(EVENT_BARS if events else BARS, 2 * history + 500)),
        seed=seed,
        events=events,
    )


def proof_of(candidate: Candidate, *, stored: bool = False, heard: Heard | None = None) -> Proof:
    """Ask on the liveliest of the invented markets, and with ``stored`` on real candles too, where there are enough.

    ``heard`` hears how far it is.
    """
    invented = markets(candidate.length, candidate.seconds, legs=candidate.legs, seed=candidate.seed)
    on, bars, busy, took = liveliest(candidate.answer, invented)
    chosen = [(on, bars, busy, took)]
    if stored and (real := stored_bars(candidate)) is not None and (found := liveliest(candidate.answer, [real]))[2] != 0:
        chosen = [found] if busy == 0 else [*chosen, found]
    asked: list[Asked] = []
    places, expected = len(chosen) + len(candidate.others), 6 if candidate.source else 8
    for place, (on, bars, _busy, took) in enumerate(chosen):
        if took > SLOWEST:  # a worker would be at it for longer than a task may take
            return Proof((*asked, Asked(on, bars, too_slow(bars, took, candidate.seed))))
        told = listening(heard, Progress(on, place, places, expected=expected))
        asked.append(Asked(on, bars, proved_on(candidate, bars, took=took, heard=told)))
        if not asked[-1].verdict.passed:
            return Proof(tuple(asked))
    for place, values in enumerate(candidate.others, start=len(chosen)):
        told = listening(heard, Progress(asked[0].on, place, places, values=values, expected=expected))
        verdict = with_others(candidate, asked[0].bars, values, chosen[0][3], heard=told)
        asked.append(Asked(asked[0].on, asked[0].bars, verdict, values))
        if not asked[-1].verdict.passed:
            return Proof(tuple(asked))
    return Proof(tuple(asked), _warm_up(candidate, asked[0]))


def too_slow(bars: Given, took: float, seed: int) -> Verdict:
    message = (
        f"It takes {took:.1f} seconds to answer {len(bars):,} bars; "
        f"a proof asks hundreds of times and needs it to take {SLOWEST:g} at most"
    )
    return Verdict(len(bars), seed, (Check("activity", 1, False),), (Failure("activity", message),))


def with_others(
    candidate: Candidate, bars: Given, values: Mapping[str, Value], took: float, *, heard: Callable[[Check], None] | None = None
) -> Verdict:
    """Whether a decision changes with what comes later, with other parameters and in few questions.

    That it decides nothing with them, or gives no answer, is allowed: not every combination makes sense.
    """
    assert isinstance(candidate.answer, Sandboxed)
    other = replace(candidate.answer, values={**candidate.answer.values, **values})
    verdict = prove(
        other, bars, source=candidate.source, declared=None, cuts=24 if took > 1 else 40, poisons=3, seed=candidate.seed,
        heard=heard,
    )  # fmt: skip
    return replace(verdict, failures=tuple(one for one in verdict.failures if one.bar is not None and one.check in AHEAD))


def proof_on(candidate: Candidate, on: str, bars: Given) -> Proof:
    """Ask on these bars, whatever it decides on them."""
    *_, took = liveliest(candidate.answer, [(on, bars)])
    asked = Asked(on, bars, proved_on(candidate, bars, took=took))
    return Proof((asked,), _warm_up(candidate, asked) if asked.verdict.passed else None)


def proved_on(candidate: Candidate, bars: Given, *, took: float = 0.0, heard: Callable[[Check], None] | None = None) -> Verdict:
    """One verdict. What takes long to answer is asked less often, but never less than 24 times."""
    many, few = (40, 7) if candidate.events else (240, 7 if candidate.source else 28)
    most = int(SECONDS / took) if took > 0 else many
    return prove(
        candidate.answer,
        bars,
        source=candidate.source,
        cuts=max(24, min(many, most)),
        poisons=max(3, min(few, most // 8)),
        seed=candidate.seed,
        heard=heard,
    )


def liveliest(answer: Answering, series: Sequence[tuple[str, Given]]) -> tuple[str, Given, int | None, float]:
    """The first series on which it decides often, else the one with the most decisions.

    Its name, the bars, how many decisions, and the seconds that the answer took. None decisions: it gave no answer, which is
    for the proof to tell.
    """
    best: tuple[str, Given, int | None, float] | None = None
    for on, bars in series:
        start = time.monotonic()
        try:
            found = len(decisions_of(answer(bars), len(bars)).events)
        except Exception:
            return on, bars, None, 0.0
        if best is None or found > (best[2] or 0):
            best = on, bars, found, time.monotonic() - start
        if found >= LIVELY:
            break
    assert best is not None
    return best


def stored_bars(candidate: Candidate) -> tuple[str, Given] | None:
    """The newest stored candles of instruments that everybody has; None where there are too few."""
    timeframe = next((one for one in TIMEFRAMES.values() if one.seconds == candidate.seconds), None)
    known = {one.ref: one.pk for one in Instrument.objects.filter(ref__in=STORED)}
    refs = [ref for ref in STORED if ref in known][: candidate.legs]
    if timeframe is None or len(refs) < candidate.legs:
        return None
    series = [BarStore().read(known[ref], timeframe.name, limit=candidate.length) for ref in refs]
    shared = reduce(np.intersect1d, [bars.time for bars in series])
    if len(shared) < FEWEST_STORED:
        return None
    both = [_at(bars, shared) for bars in series]
    return f"{', '.join(refs)} {timeframe}", Panel(tuple(both)) if candidate.legs > 1 else both[0]


def _at(bars: Bars, times: Any) -> Bars:
    time, *prices = bars.columns
    kept = np.isin(time, times)
    return Bars(time[kept], *(column[kept] for column in prices))  # type: ignore[arg-type]


def stamp(given: Given, at: int) -> str:
    bars = given if isinstance(given, Bars) else given.bars[0]
    return datetime.fromtimestamp(int(bars.time[at]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _warm_up(candidate: Candidate, asked: Asked) -> int | None:
    """Bars of history that its answers were found to need; orders in the sandbox cannot be asked with less."""
    if asked.verdict.needed is not None or (candidate.events and candidate.source):
        return asked.verdict.needed
    if not candidate.source:
        return asked.verdict.declared
    try:
        return warm_up(candidate.answer, asked.bars, samples=3, seed=candidate.seed)
    except Exception:  # its answers are proved; that it stops with very few bars is no failure
        return None
