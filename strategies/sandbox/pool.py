"""Owns the warm zygotes of one worker and the runs that they make: the way in for everybody else."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import TracebackType
from typing import TypeVar

from marketdata.bars import Bars
from strategies.contract import Panel
from strategies.sandbox.answers import Answer, Declaration, Unfit, check_declaration
from strategies.sandbox.image import Image, image
from strategies.sandbox.launch import Launcher, chosen
from strategies.sandbox.limits import Limits, NoBoundary, Reason
from strategies.sandbox.live import OrderSession, Refused, Session
from strategies.sandbox.printed import one_line
from strategies.sandbox.runs import Child, Ended
from strategies.sandbox.tasks import LARGEST_ROW, Account, Given, Task, Values, answered, begin, continued, failed, measured
from strategies.sandbox.zygotes import Zygote

logger = logging.getLogger(__name__)

S = TypeVar("S", Session, OrderSession)

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """Runs of user code, at most ``size`` at a time, each in a process of its own inside a jail.

    Thread-safe. The first zygote is started when it is first needed (about a second), or by ``warm`` and ``warm_aside``, and
    again when it has died; the others beside the work, while there is more than one run. No method raises for what user
    code does; an answer says how it ended. Where the boundary cannot be made, every answer has the reason ``boundary`` and
    the code was not run.
    """

    def __init__(
        self, size: int = 2, limits: Limits | None = None, *, image: Image | None = None, launcher: Launcher | None = None
    ):
        if not 1 <= size <= 256:
            raise ValueError(f"size must be 1..256, was {size}")
        self.size, self.limits = size, limits or Limits()
        self._image, self._launcher = image, launcher
        self._zygotes: list[Zygote] = []
        self._coming: list[threading.Thread] = []
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

    def warm_aside(self) -> threading.Thread:
        """The same in the background, for a worker that starts; what fails there is the first run's to tell."""

        def warm() -> None:
            try:
                self.warm()
            except NoBoundary as error:
                logger.warning("the sandbox is not ready: %s", error)

        thread = threading.Thread(target=warm, name="sandbox-warm", daemon=True)
        thread.start()
        return thread

    @property
    def is_warm(self) -> bool:
        """Whether a run begins at once, and does not wait for the image and the first zygote."""
        return bool(self._zygotes)

    def close(self) -> None:
        """End every zygote, and with them every run and session."""
        with self._lock:
            self._closed = True
            zygotes, self._zygotes = self._zygotes, []
            coming = list(self._coming)
        for zygote in zygotes:
            zygote.close()
        for thread in coming:
            thread.join()

    def signals(self, code: str, bars: Given, parameters: Values, *, limits: Limits | None = None) -> Answer:
        """What the vectorised strategy in ``code`` answers to ``bars``; a Panel for a PortfolioStrategy."""
        return self._once(Task("signals", code, parameters, bars), limits)

    def events(
        self, code: str, bars: Given, parameters: Values, *, account: Account | None = None, limits: Limits | None = None
    ) -> Answer:
        """What the event-driven strategy in ``code`` decides bar by bar on ``account``, in one batch, as a table of intents.

        The context inside is the engine's own, so that ``simulate(bars, intents=…)`` with the same market, costs, rules
        and cash comes to the fills that the strategy saw.
        """
        return self._once(Task("events", code, parameters, bars, account or Account()), limits)

    def declaration(self, code: str, parameters: Values | None = None, *, limits: Limits | None = None) -> Declaration:
        """What the file declares, or what is wrong with it and where; ``history`` is for ``parameters``, or the defaults."""
        answer = self._once(Task("declaration", code, parameters or {}), limits)
        try:
            if answer.ok:
                return replace(check_declaration(answer.facts), printed=answer.printed)
        except Unfit as error:
            answer = failed(error)
        return Declaration(
            reason=answer.reason, message=answer.message, line=answer.line, column=answer.column, printed=answer.printed
        )

    def prefixes(
        self,
        code: str,
        bars: Bars | Panel,
        parameters: Values,
        cuts: Sequence[int],
        *,
        account: Account | None = None,
        limits: Limits | None = None,
    ) -> Iterator[Answer]:
        """The answer to the first ``cuts[0]`` bars, then to the first ``cuts[1]``, …, from one run.

        The process is sent the bars up to a cut when it has answered for the one before, so it never holds the future.
        Each cut has ``limits.seconds``. The first answer that is none is the last. Raises ValueError if ``cuts`` do not
        ascend within the bars.
        """
        if not cuts or any(a >= b for a, b in pairwise((0, *cuts, len(bars) + 1))):
            raise ValueError(f"cuts must ascend within 1..{len(bars)}, were {list(cuts)[:10]}")
        legs = len(bars.bars) if isinstance(bars, Panel) else 0
        task = Task("prefixes", code, parameters, account=account or Account(), instruments=legs)
        return self._prefixes(task, bars, cuts, limits or self.limits)

    def live(self, code: str, parameters: Values, *, history: Bars | None = None, limits: Limits | None = None) -> Session:
        """A vectorised strategy that stays: one bar in, one answer out; ``limits.seconds`` for each. The caller closes it.

        Sessions do not count towards ``size``. Raises Refused if the strategy does not come to life or there is no sandbox.
        """
        return self._stay(Task("live", code, parameters, history), limits or self.limits, Session)

    def orders(
        self,
        code: str,
        parameters: Values,
        *,
        history: Bars | None = None,
        account: Account | None = None,
        limits: Limits | None = None,
    ) -> OrderSession:
        """An event-driven strategy that stays: one bar in, its orders out; else as ``live``.

        It first goes through the history bar by bar on ``account``, so that together the orders are those of ``events`` over
        the history and every bar since.
        """
        length = 0 if history is None else len(history)
        task = Task("orders", code, parameters, history, account or Account())
        return self._stay(task, limits or self.limits, partial(OrderSession, length=length))

    def _stay(self, task: Task, limits: Limits, made: Callable[[Child, Limits, Callable[[], None]], S]) -> S:
        try:
            zygote = self._take()
        except NoBoundary as error:
            raise Refused(Reason.BOUNDARY, one_line(str(error))) from None
        try:
            with ExitStack() as until_started:
                child = begin(zygote, task, limits)
                until_started.callback(child.close)
                session = made(child, limits, lambda: self._leave(zygote))
                until_started.pop_all()
        except BaseException as error:
            self._leave(zygote)
            if isinstance(error, Ended):
                raise Refused(error.reason, error.message, error.line) from None
            raise
        return session

    def _once(self, task: Task, limits: Limits | None) -> Answer:
        with measured(task.kind) as ended:
            try:
                with self._child(task, limits or self.limits) as child:
                    answer = answered(child, task.kind, task.length, task.legs)
            except (Ended, NoBoundary) as error:
                if isinstance(error, NoBoundary):
                    logger.warning("nothing is run: %s", error)  # with the paths that the author is not told
                answer = failed(error)
            ended.append(answer)
        return ended[-1]

    def _prefixes(self, task: Task, bars: Bars | Panel, cuts: Sequence[int], limits: Limits) -> Iterator[Answer]:
        try:
            with self._child(task, limits, longest=LARGEST_ROW * len(bars) * max(1, task.legs)) as child:
                for start, end in pairwise((0, *cuts)):
                    with measured(task.kind) as ended:
                        child.deadline = time.monotonic() + limits.seconds
                        ended.append(answer := continued(child, bars[start:end], task.kind, end))
                    yield answer
                    if not answer.ok:
                        return
        except (Ended, NoBoundary) as error:
            yield failed(error)

    @contextmanager
    def _child(self, task: Task, limits: Limits, *, longest: int = 0) -> Iterator[Child]:
        with self._places:
            zygote = self._take()
            try:
                with begin(zygote, task, limits, longest=longest) as child:
                    yield child
            finally:
                self._leave(zygote)

    def _take(self) -> Zygote:
        """A living zygote, the least busy. While all are busy and there is room another one is started, which nobody waits for.

        Raises NoBoundary.
        """
        with self._lock:
            if self._closed:
                raise NoBoundary("the pool is closed")
            for dead in [zygote for zygote in self._zygotes if not zygote.alive]:
                self._zygotes.remove(dead)
                dead.close()
            least = min(self._zygotes, key=lambda zygote: zygote.children, default=None)
            if least is None:
                least = self._started()
                self._zygotes.append(least)
            elif least.children and len(self._zygotes) + len(self._coming) < self.size:
                self._coming.append(threading.Thread(target=self._another, name="sandbox-zygote", daemon=True))
                self._coming[-1].start()
            least.children += 1
            return least

    def _started(self) -> Zygote:
        return Zygote(self._image or image(), self._launcher or chosen())

    def _another(self) -> None:
        """In a thread of its own."""
        started = None
        try:
            started = self._started()
        except NoBoundary as error:
            logger.warning("another zygote does not start: %s", error)
        with self._lock:
            self._coming.remove(threading.current_thread())
            if started is not None and not self._closed:
                self._zygotes.append(started)
                return
        if started is not None:
            started.close()

    def _leave(self, zygote: Zygote) -> None:
        with self._lock:
            zygote.children -= 1

    def _forget(self) -> None:
        """In a forked process: the zygotes are the parent's; this one starts its own."""
        for zygote in self._zygotes:
            zygote.forget()
        self._zygotes, self._coming = [], []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(self.size)


def _after_fork() -> None:
    for pool in list(_pools):
        pool._forget()


os.register_at_fork(after_in_child=_after_fork)
