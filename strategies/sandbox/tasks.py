"""Owns one task between the pool and a child: written down for the jail, started, its answer read, checked and counted."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from marketdata.bars import Bars
from strategies.contract import Panel
from strategies.engine.model import Costs, Market, Rules
from strategies.sandbox.answers import Answer, Unfit, check_exposures, check_failure, check_intents, check_signals
from strategies.sandbox.counters import RUNS, SECONDS
from strategies.sandbox.inside import wire
from strategies.sandbox.limits import Limits, NoBoundary, Reason
from strategies.sandbox.printed import one_line
from strategies.sandbox.runs import Child, Ended
from strategies.sandbox.sealed import SealedBars, sealed
from strategies.sandbox.zygotes import Zygote

LARGEST_ROW: Final = 8 * 60  # bytes of an answer for each bar and leg: four intents
CONVERSATIONS: Final = ("live", "orders", "prefixes")
Values = Mapping[str, int | float | str]
Given = Bars | Panel | SealedBars


@dataclass(frozen=True)
class Account:
    """What an event-driven strategy trades on while it decides."""

    market: Market = field(default_factory=Market)
    costs: Costs = field(default_factory=Costs)
    rules: Rules = field(default_factory=Rules)
    cash: float = 10_000.0


@dataclass(frozen=True)
class Task:
    """One run: what kind of, whose code, with what. ``instruments`` is for bars that come later; 0 is one alone."""

    kind: str
    code: str
    parameters: Values
    bars: Given | None = None
    account: Account = field(default_factory=Account)
    instruments: int = 0

    @property
    def length(self) -> int:
        return 0 if self.bars is None else len(self.bars)

    @property
    def legs(self) -> int:
        """0 for one instrument alone."""
        if isinstance(self.bars, Panel):
            return len(self.bars.bars)
        return self.bars.legs if isinstance(self.bars, SealedBars) else self.instruments

    def text(self) -> bytes:
        """As the jail reads it. Raises Ended if it cannot be written down."""
        try:
            told = {"code": self.code, "parameters": dict(self.parameters), "account": asdict(self.account), "legs": self.legs}
            return json.dumps(told, allow_nan=False).encode()
        except (TypeError, ValueError):
            raise Ended(Reason.ERROR, "parameters must be finite numbers and texts") from None


def begin(zygote: Zygote, task: Task, limits: Limits, *, longest: int = 0) -> Child:
    """A child at work. Raises Ended if the task is none or the zygote has just died."""
    text = task.text()
    if len(text) > limits.code:
        raise Ended(Reason.ERROR, f"the file and its parameters have {len(text):,} bytes, more than {limits.code:,}")
    own = SealedBars(task.bars) if isinstance(task.bars, (Bars, Panel)) else None
    given = task.bars if isinstance(task.bars, SealedBars) else own
    descriptor = sealed("task", [text])
    try:
        return Child(
            zygote,
            task.kind,
            task=descriptor,
            bars=given.descriptor if given is not None else None,
            limits=limits,
            longest=limits.result + (longest or LARGEST_ROW * task.length * max(1, task.legs)),
            conversation=task.kind in CONVERSATIONS,
        )
    except OSError as error:
        raise Ended(Reason.BOUNDARY, f"the sandbox was ended: {error.strerror}") from None
    finally:
        os.close(descriptor)
        if own is not None:
            own.close()


def continued(child: Child, bars: Bars | Panel, kind: str, length: int) -> Answer:
    """The answer after ``bars`` more, ``length`` in all."""
    tables = bars.bars if isinstance(bars, Panel) else (bars,)
    columns = {
        f"{leg}.{name}": column
        for leg, table in enumerate(tables)
        for name, column in zip(wire.COLUMNS, table.columns, strict=True)
    }
    try:
        child.send(wire.encode({}, columns))
    except Ended as error:
        return replace(failed(error), printed=child.text())
    return answered(child, kind, length, len(tables) if isinstance(bars, Panel) else 0)


def answered(child: Child, kind: str, length: int, legs: int = 0) -> Answer:
    """The child's next frame, checked; what went wrong is an answer too."""
    try:
        header, arrays = child.frame()
        child.drain()
        if header.get("kind") == "error":
            reason, message, line, column = check_failure(header)
            answer = Answer(reason=reason, message=message, line=line, column=column)
        elif header.get("kind") != kind:
            raise Unfit("the answer is to another question")
        elif kind == "declaration":
            answer = Answer(facts=header)
        elif set(arrays) == {"intents"}:
            answer = Answer(intents=check_intents(arrays["intents"], length))
        elif legs:
            answer = Answer(exposures=check_exposures(arrays, length, legs))
        else:
            answer = Answer(signals=check_signals(arrays, length))
    except (Unfit, Ended) as error:
        answer = failed(error)
    return replace(answer, printed=child.text())


def failed(error: Ended | Unfit | NoBoundary) -> Answer:
    if isinstance(error, Ended):
        return Answer(reason=error.reason, message=error.message, line=error.line)
    # What this host lacks is said with its paths, which are for its keeper.
    return Answer(reason=Reason.INVALID_RESULT if isinstance(error, Unfit) else Reason.BOUNDARY, message=one_line(str(error)))


@contextmanager
def measured(kind: str) -> Iterator[list[Answer]]:
    """Takes the answer, gives it its seconds, tells Prometheus."""
    began = time.perf_counter()
    ended: list[Answer] = []
    yield ended
    seconds = time.perf_counter() - began
    object.__setattr__(ended[-1], "seconds", seconds)  # it is not out of this package yet
    RUNS.labels(kind, ended[-1].reason or "ok").inc()
    SECONDS.labels(kind).observe(seconds)
