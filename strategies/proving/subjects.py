"""What is proved, as a callable from bars to decisions: a strategy of ours, or a file in the sandbox.

Any callable will do for ``prove``. These know more: how to answer many prefixes in one request, how the strategy answers bar
by bar as it does live, and how to be asked somewhere else.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from marketdata.bars import Bar, Bars
from strategies.contract import Declared, EventStrategy, Panel, Parameters, PortfolioStrategy, Strategy, Value, validate
from strategies.engine.context import Context, run_events
from strategies.proving.decisions import LEVELS, Floats, Given, Intents

Answering = Callable[[Any], object]
# What a strategy prints must not come between the bytes of its answer.
PROGRAM: Final = """
import pickle, sys
answer, given = pickle.load(sys.stdin.buffer)
out, sys.stdout = sys.stdout.buffer, sys.stderr
pickle.dump(answer(given), out)
"""


class Stopped(Exception):
    """The strategy gave no answer: what it said, and the line of its source where that is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message, self.line = message, line


@dataclass(frozen=True)
class Ours:
    """A strategy in this process. One instance answers all questions, as it does live; an event-driven one gets a new one."""

    strategy: Declared
    values: Mapping[str, Value]

    def __call__(self, given: Given) -> object:
        strategy, p = self.strategy, self.parameters
        if isinstance(strategy, EventStrategy):
            assert isinstance(given, Bars)
            return Intents(run_events(type(strategy)(), given, p))
        if isinstance(strategy, PortfolioStrategy):
            return strategy.signals(given if isinstance(given, Panel) else Panel((given,)), p)
        assert isinstance(strategy, Strategy)
        assert isinstance(given, Bars)
        return strategy.signals(given, p)

    @property
    def parameters(self) -> Parameters:
        return validate(self.strategy, self.values)

    @property
    def declared(self) -> int:
        """Bars of history that the strategy says it needs."""
        return int(self.strategy.history(self.parameters))

    @property
    def narrowed(self) -> Callable[[int], Answering] | None:
        """For an event-driven strategy: the same with so many bars in ``ctx.bars`` at most."""
        if not isinstance(self.strategy, EventStrategy):
            return None
        made, p = type(self.strategy), self.parameters
        return lambda history: lambda given: Intents(run_events(_Narrowed(made(), history), given, p))


class _Narrowed(EventStrategy):
    """An event-driven strategy whose ``ctx.bars`` are the newest ``history`` bars."""

    name = label = summary = "narrowed"

    def __init__(self, strategy: EventStrategy, history: int) -> None:
        self.strategy, self.kept = strategy, history

    def history(self, p: Parameters) -> int:
        return self.kept

    def start(self, ctx: Context) -> None:
        self.strategy.start(_Narrow(ctx, self.kept))  # type: ignore[arg-type]

    def on_bar(self, ctx: Context) -> None:
        self.strategy.on_bar(_Narrow(ctx, self.kept))  # type: ignore[arg-type]


class _Narrow:
    def __init__(self, ctx: Context, history: int) -> None:
        self._ctx, self._history = ctx, history

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    @property
    def bars(self) -> Bars:
        return self._ctx.bars.tail(self._history)


class Reply(Protocol):
    """``strategies.sandbox.answers.Answer``, as far as it is needed here."""

    @property
    def ok(self) -> bool: ...
    @property
    def reason(self) -> object: ...
    @property
    def message(self) -> str: ...
    @property
    def line(self) -> int | None: ...
    @property
    def signals(self) -> Any: ...
    @property
    def intents(self) -> Floats | None: ...
    @property
    def exposures(self) -> Floats | None: ...


class Sandbox(Protocol):
    """``strategies.sandbox.pool.Pool``, which lies above this package."""

    def signals(self, code: str, bars: Any, parameters: Any, /) -> Reply: ...
    def events(self, code: str, bars: Any, parameters: Any, /) -> Reply: ...
    def prefixes(self, code: str, bars: Given, parameters: Any, cuts: Sequence[int], /) -> Iterator[Reply]: ...
    def live(self, code: str, parameters: Any, /, *, history: Bars | None) -> AbstractContextManager[Any]: ...


@dataclass(frozen=True)
class Sandboxed:
    """A user's file. Every question gets a process of its own that never holds more than the question.

    ``events``: it is an ``EventStrategy``.
    """

    pool: Sandbox
    code: str
    values: Mapping[str, Value]
    events: bool = False

    apart = True  # nothing can be kept from one question to the next, and nothing lies behind an array

    def __call__(self, given: Given) -> object:
        ask = self.pool.events if self.events else self.pool.signals
        return self._read(ask(self.code, given, self.values))

    def prefixes(self, given: Given, cuts: Sequence[int]) -> Iterator[object]:
        """One request for all; the process is sent the bars of a cut when it has answered for the one before."""
        if cuts:
            for reply in self.pool.prefixes(self.code, given, self.values, cuts):
                yield self._read(reply)

    def newest(self, bars: Bars, start: int) -> Iterator[Floats]:
        """(4,) exposure, stop, take-profit and trail after each bar from ``start`` on, as a live session answers.

        The session gives the strategy as many bars as it declares and no more.
        """
        try:
            with self.pool.live(self.code, self.values, history=bars[:start]) as session:
                for row in bars[start:].rows():
                    levels = session.bar(Bar(*row))
                    yield np.array([levels.exposure, *(none_is_nan(getattr(levels, name)) for name in LEVELS)])
        except RuntimeError:
            raise
        except Exception as error:
            if hasattr(error, "reason"):
                raise Stopped(str(error), getattr(error, "line", None)) from None
            raise

    def _read(self, reply: Reply) -> object:
        if not reply.ok:
            raise Stopped(f"{reply.reason}: {reply.message}".removesuffix(": "), reply.line)
        if reply.intents is not None:
            return Intents(reply.intents)
        return reply.exposures if reply.exposures is not None else reply.signals


def none_is_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def in_time_zone(answer: Answering, zone: str) -> Answering:
    """``answer``, asked while this process is in ``zone``. The whole process is: for commands and tests, not for threads."""

    def asked(given: Given) -> object:
        before = os.environ.get("TZ")
        os.environ["TZ"] = zone
        time.tzset()
        try:
            return answer(given)
        finally:
            if before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = before
            time.tzset()

    return asked


def in_fresh_process(answer: Answering, *, zone: str = "UTC", hash_seed: int = 1) -> Answering:
    """``answer``, asked in a new Python with another hash seed and time zone. It must be picklable; ours are.

    Raises Stopped with the last line of what the process wrote if it gives no answer.
    """

    def asked(given: Given) -> object:
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=pickle.dumps((answer, given)),
            capture_output=True,
            env=environment,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise Stopped((done.stderr.decode(errors="replace").strip().splitlines() or ["it ended"])[-1])
        return pickle.loads(done.stdout)  # noqa: S301  (our own process)

    return asked
