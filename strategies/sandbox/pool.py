"""Owns the warm zygotes of one worker and the runs that they make: the way in for everybody else."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from marketdata.bars import Bars
from strategies.sandbox.answers import Answer, Declaration, Unfit, check_declaration, check_failure, check_levels
from strategies.sandbox.counters import RUNS, SECONDS
from strategies.sandbox.image import Image, image
from strategies.sandbox.inside import wire
from strategies.sandbox.launch import Launcher, chosen
from strategies.sandbox.limits import Limits, NoBoundary, Reason
from strategies.sandbox.live import Session
from strategies.sandbox.runs import Child, Ended
from strategies.sandbox.sealed import SealedBars, sealed
from strategies.sandbox.zygotes import Zygote

LARGEST_TABLE: Final = 8  # float64 columns that an answer may have beside the limit
Values = Mapping[str, int | float | str]

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """Runs of user code, at most ``size`` at a time, each in a process of its own inside a jail.

    Thread-safe. Zygotes are started when they are first needed (about a second) and again when one has died; ``warm``
    starts the first one now. No method raises for what user code does; an answer says how it ended. Where the boundary
    cannot be made, every answer has the reason ``boundary`` and the code was not run.
    """

    def __init__(
        self, size: int = 2, limits: Limits | None = None, *, image: Image | None = None, launcher: Launcher | None = None
    ):
        if not 1 <= size <= 256:
            raise ValueError(f"size must be 1..256, was {size}")
        self.size, self.limits = size, limits or Limits()
        self._image, self._launcher = image, launcher
        self._zygotes: list[Zygote] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(size)
        self._closed = False
        _pools.add(self)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def warm(self) -> None:
        """Start the first zygote. Raises NoBoundary where this host does not allow the sandbox."""
        self._leave(self._take())

    def close(self) -> None:
        """End every zygote, and with them every run and session."""
        with self._lock:
            self._closed = True
            zygotes, self._zygotes = self._zygotes, []
        for zygote in zygotes:
            zygote.close()

    def signals(
        self, code: str, bars: Bars | SealedBars, parameters: Values, *, name: str | None = None, limits: Limits | None = None
    ) -> Answer:
        """What the vectorised strategy in ``code`` answers to ``bars``. ``name`` is for logs alone."""
        return self._levels("signals", code, bars, parameters, limits or self.limits)

    def events(
        self, code: str, bars: Bars | SealedBars, parameters: Values, *, name: str | None = None, limits: Limits | None = None
    ) -> Answer:
        """What the event-driven strategy in ``code`` asks for, bar by bar, in one batch."""
        return self._levels("events", code, bars, parameters, limits or self.limits)

    def declaration(self, code: str, *, limits: Limits | None = None) -> Declaration:
        """What the file declares, or what is wrong with it and where."""
        limits = limits or self.limits
        with _measured("declaration") as ended:
            try:
                with self._child("declaration", code, {}, None, limits, longest=0) as child:
                    answer = _answered(child, "declaration")
                    if answer.ok:
                        return check_declaration(answer.facts)
            except (Ended, Unfit, NoBoundary) as error:
                answer = _failed(error)
            ended.append(answer)
        return Declaration(
            reason=answer.reason, message=answer.message, line=answer.line, column=answer.column, printed=answer.printed
        )

    def prefixes(
        self, code: str, bars: Bars, parameters: Values, cuts: Sequence[int], *, limits: Limits | None = None
    ) -> Iterator[Answer]:
        """The answer to the first ``cuts[0]`` bars, then to the first ``cuts[1]``, …, from one run.

        The process is sent the bars up to a cut when it has answered for the one before, so it never holds the future.
        Each cut has ``limits.seconds``. The first answer that is none is the last. Raises ValueError if ``cuts`` do not
        ascend within the bars.
        """
        limits = limits or self.limits
        if any(a >= b for a, b in zip((0, *cuts), (*cuts, len(bars) + 1), strict=False)):
            raise ValueError(f"cuts must ascend within 1..{len(bars)}, were {list(cuts)[:10]}")
        return self._prefixes(code, bars, parameters, cuts, limits)

    def _prefixes(self, code: str, bars: Bars, parameters: Values, cuts: Sequence[int], limits: Limits) -> Iterator[Answer]:
        longest = limits.result + 8 * LARGEST_TABLE * len(bars)
        try:
            with self._child("prefixes", code, parameters, None, limits, longest=longest, conversation=True) as child:
                for start, end in zip((0, *cuts), cuts, strict=False):
                    with _measured("prefixes") as ended:
                        child.deadline = time.monotonic() + limits.seconds
                        part = bars[start:end]
                        child.send(wire.encode({}, dict(zip(wire.COLUMNS, part.columns, strict=True))))
                        ended.append(answer := _answered(child, "prefixes", end))
                    yield answer
                    if not answer.ok:
                        return
        except NoBoundary as error:
            yield _failed(error)

    def live(self, code: str, parameters: Values, *, history: Bars | None = None, limits: Limits | None = None) -> Session:
        """A strategy that stays: one bar in, one answer out. The caller closes it.

        Raises Refused if the strategy does not come to life, NoBoundary if there is no sandbox.
        """
        limits = limits or self.limits
        zygote = self._take()
        try:
            with contextlib.ExitStack() as until_started:
                child = self._start(zygote, "live", code, parameters, history, limits, limits.result, True)
                until_started.callback(child.close)
                session = Session(child, limits, lambda: self._leave(zygote))
                until_started.pop_all()
        except BaseException:
            self._leave(zygote)
            raise
        return session

    def _levels(self, kind: str, code: str, bars: Bars | SealedBars, parameters: Values, limits: Limits) -> Answer:
        length = bars.length if isinstance(bars, SealedBars) else len(bars)
        longest = limits.result + 8 * LARGEST_TABLE * length
        with _measured(kind) as ended:
            try:
                with self._child(kind, code, parameters, bars, limits, longest=longest) as child:
                    answer = _answered(child, kind, length)
            except (Ended, NoBoundary) as error:
                answer = _failed(error)
            ended.append(answer)
        return ended[-1]

    @contextmanager
    def _child(
        self,
        kind: str,
        code: str,
        parameters: Values,
        bars: Bars | SealedBars | None,
        limits: Limits,
        *,
        longest: int,
        conversation: bool = False,
    ) -> Iterator[Child]:
        with self._places:
            zygote = self._take()
            try:
                with self._start(zygote, kind, code, parameters, bars, limits, longest or limits.result, conversation) as child:
                    yield child
            finally:
                self._leave(zygote)

    def _start(
        self,
        zygote: Zygote,
        kind: str,
        code: str,
        parameters: Values,
        bars: Bars | SealedBars | None,
        limits: Limits,
        longest: int,
        conversation: bool,
    ) -> Child:
        task = json.dumps({"code": code, "parameters": dict(parameters)}).encode()
        if len(task) > limits.code:
            raise Ended(Reason.ERROR, f"the file and its parameters have {len(task):,} bytes, more than {limits.code:,}")
        own = SealedBars(bars) if isinstance(bars, Bars) else None
        descriptor = sealed("task", [task])
        try:
            given = own or (bars if isinstance(bars, SealedBars) else None)
            return Child(
                zygote,
                kind,
                task=descriptor,
                bars=given.descriptor if given else None,
                limits=limits,
                longest=longest,
                conversation=conversation,
            )
        except OSError as error:
            raise Ended(Reason.BOUNDARY, f"the sandbox was ended: {error.strerror}") from None
        finally:
            os.close(descriptor)
            if own:
                own.close()

    def _take(self) -> Zygote:
        """A living zygote, the least busy; another one while all are busy and there is room. Raises NoBoundary."""
        with self._lock:
            if self._closed:
                raise NoBoundary("the pool is closed")
            for dead in [zygote for zygote in self._zygotes if not zygote.alive]:
                self._zygotes.remove(dead)
                dead.close()
            least = min(self._zygotes, key=lambda zygote: zygote.children, default=None)
            if least is None or (least.children and len(self._zygotes) < self.size):
                least = Zygote(self._image or image(), self._launcher or chosen())
                self._zygotes.append(least)
            least.children += 1
            return least

    def _leave(self, zygote: Zygote) -> None:
        with self._lock:
            zygote.children -= 1

    def _forget(self) -> None:
        """In a forked process: the zygotes are the parent's; this one starts its own."""
        for zygote in self._zygotes:
            zygote.forget()
        self._zygotes = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(self.size)


def _answered(child: Child, kind: str, length: int = 0) -> Answer:
    """The child's next frame, checked; what went wrong is an answer too."""
    try:
        header, arrays = child.frame()
        child.drain()
        if header.get("kind") == "error":
            reason, message, line, column = check_failure(header)
            return Answer(reason=reason, message=message, line=line, column=column, printed=child.text())
        if header.get("kind") != kind:
            raise Unfit("the answer is to another question")
        if kind == "declaration":
            return Answer(facts=header, printed=child.text())
        return Answer(levels=check_levels(arrays, length), printed=child.text())
    except Unfit as error:
        return Answer(reason=Reason.INVALID_RESULT, message=str(error), printed=child.text())
    except Ended as error:
        return Answer(reason=error.reason, message=error.message, line=error.line, printed=child.text())


def _failed(error: Ended | Unfit | NoBoundary) -> Answer:
    if isinstance(error, Ended):
        return Answer(reason=error.reason, message=error.message, line=error.line)
    return Answer(reason=Reason.INVALID_RESULT if isinstance(error, Unfit) else Reason.BOUNDARY, message=str(error))


@contextmanager
def _measured(kind: str) -> Iterator[list[Answer]]:
    """Takes the answer, gives it its seconds, tells Prometheus."""
    began = time.perf_counter()
    ended: list[Answer] = []
    try:
        yield ended
    finally:
        seconds = time.perf_counter() - began
        reason = ended[-1].reason if ended else None
        if ended:
            object.__setattr__(ended[-1], "seconds", seconds)
        RUNS.labels(kind, reason or "ok").inc()
        SECONDS.labels(kind).observe(seconds)


def _after_fork() -> None:
    for pool in list(_pools):
        pool._forget()


os.register_at_fork(after_in_child=_after_fork)
