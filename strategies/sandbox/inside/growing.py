"""Owns an event-driven strategy over bars that come one at a time.

It decides on each what it would decide in ``run_events`` over all of them: the same context, the same kernel, the same
compiled code (Numba knows arrays that may not be written to as a type of their own, so these may not be either).
"""

from typing import Any, Final

import numpy as np

from marketdata.bars import Bars
from strategies.contract import EventStrategy, Parameters
from strategies.engine import layout as at
from strategies.engine.context import Context
from strategies.engine.series import INTENT_SIZE
from strategies.engine.simulation import series_of
from strategies.sandbox.inside import wire

ROOM: Final = 1024
DAY: Final = 86_400
UNKNOWN: Final = -1  # the session of a bar that is not there yet, as the kernel writes it


class Growing:
    """``account`` are the keyword arguments of ``Context``. What it decides on ``past`` is the first answer of ``decided``."""

    def __init__(self, strategy: EventStrategy, past: Bars, p: Parameters, account: dict[str, Any]) -> None:
        self.length = len(past)
        self._told = 0
        self._times = np.zeros(self.length + ROOM, np.int64)
        self._prices = np.zeros((5, self.length + ROOM))
        self._times[: self.length] = past.time
        for row, column in zip(self._prices, past.columns[1:], strict=True):
            row[: self.length] = column
        self._context = Context(self._bars(), p, **account)
        strategy.start(self._context)
        self._on_bar = strategy.on_bar
        for i, bar in enumerate(zip(*(column.tolist() for column in past.columns), strict=True)):
            self._step(i, bar)

    def decided(self) -> wire.Array:
        """The intents since the last answer, (m, 15)."""
        new = self._context._intents[self._told :]
        self._told += len(new)
        return np.array(new, dtype=np.float64).reshape(-1, INTENT_SIZE)

    def add(self, bar: tuple[Any, ...]) -> None:
        """One more bar: ``(time, open, high, low, close, volume)``."""
        i, context = self.length, self._context
        if i == len(self._times):
            self._times = np.concatenate([self._times, np.zeros(i, np.int64)])
            self._prices = np.concatenate([self._prices, np.zeros((5, i))], axis=1)
        self._times[i], self._prices[:, i] = bar[0], bar[1:]
        self.length += 1
        context._bars = self._bars()
        context._series = series_of([context._bars])
        if context._fresh:
            self._name_sessions(bar[0] // DAY)
        self._step(i, bar)

    def _step(self, i: int, bar: tuple[Any, ...]) -> None:
        """As ``run_events`` does it."""
        context = self._context
        context.time, context.open, context.high, context.low, context.close, context.volume = bar
        if context._fresh or bar[2] >= context._above or bar[3] <= context._below:
            context._simulate(i)
        context.index = i
        self._on_bar(context)

    def _name_sessions(self, session: int) -> None:
        """Orders placed at the last bar are good for the day of this one, which was not known then."""
        state = self._context._state
        for row in state.active[: int(state.counts[at.ACTIVE])]:
            if state.orders[row, at.SESSION] == UNKNOWN:
                state.orders[row, at.SESSION] = session

    def _bars(self) -> Bars:
        times, prices = self._times[: self.length], [row[: self.length] for row in self._prices]
        for column in (times, *prices):
            column.flags.writeable = False
        return Bars(times, *prices)
