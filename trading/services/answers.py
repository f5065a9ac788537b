"""What a deployment's strategy says about a bar. Pure reading: no lock is held while it thinks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from clusterx.errors import DomainError
from marketdata.bars import Bars
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe
from strategies import contract, library
from trading import selectors
from trading.models import Deployment, Evaluation

Outcome = Evaluation.Outcome

RANGE: Final = 14
RANGED: Final = 60
"""Bars that are read at least: with so many, Wilder's smoothing has forgotten how it began."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the strategy said about a bar: the exposure it wants, or why it has no say (``outcome`` is set then)."""

    close: float
    target: float | None = None
    stop: float | None = None
    atr: float | None = None
    outcome: str = ""
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """A bar that closed, with all the history that those who look at it need, read once."""

    bars: Bars
    has_gap_since: datetime | None
    atr: float | None

    @classmethod
    def read(cls, deployments: Sequence[Deployment], bar_time: datetime) -> Self | None:
        """None if the bar is not stored. The deployments are on one instrument and timeframe."""
        one = deployments[0]
        opened = int(bar_time.timestamp())
        longest = max([RANGED, *(_history(deployment) or 0 for deployment in deployments)])
        end = opened + Timeframe.of(one.timeframe).seconds
        bars = BarStore().read(one.instrument_id, one.timeframe, end=end, limit=longest)
        if not len(bars) or bars.time[-1] != opened:
            return None
        first = datetime.fromtimestamp(int(bars.time[0]), UTC)
        return cls(bars, selectors.last_open_gap(one.instrument_id, one.timeframe, first, bar_time), _range(bars))


def ask(deployment: Deployment, closed: Closed) -> Answer:
    """The deployment's answer for the bar that closed."""
    try:
        strategy = library.get(deployment.strategy)
        parameters = contract.read(strategy, deployment.parameters)
    except DomainError as error:
        return Answer(math.nan, outcome=Outcome.FAILED, code=error.code, reason=error.message)
    history = strategy.history(parameters)
    bars = closed.bars[-history:] if len(closed.bars) > history else closed.bars
    close = float(bars.close[-1])
    if len(bars) < history:
        reason = f"{len(bars)} of {history} bars are there."
        return Answer(close, outcome=Outcome.WARMING_UP, code="not-enough-history", reason=reason)
    if closed.has_gap_since is not None and closed.has_gap_since > datetime.fromtimestamp(int(bars.time[0]), UTC):
        reason = "Bars are missing in the history and are being asked for."
        return Answer(close, outcome=Outcome.WARMING_UP, code="open-gap", reason=reason)
    try:
        signals = contract.as_signals(strategy.signals(bars, parameters), len(bars))
    except contract.InvalidSignals as error:
        return Answer(close, outcome=Outcome.FAILED, code=error.code, reason=error.message)
    except Exception as error:
        # Whatever a strategy raises is the strategy's failure and stops this deployment alone.
        return Answer(close, outcome=Outcome.FAILED, code="strategy-raised", reason=f"{type(error).__name__}: {error}")
    return Answer(close, target=float(signals.exposure[-1]), stop=_level(signals.stop), atr=closed.atr)


def _history(deployment: Deployment) -> int | None:
    try:
        strategy = library.get(deployment.strategy)
        return strategy.history(contract.read(strategy, deployment.parameters))
    except DomainError:
        return None


def _level(levels: contract.Floats | None) -> float | None:
    return None if levels is None or math.isnan(levels[-1]) else float(levels[-1])


def _range(bars: Bars) -> float | None:
    """The average true range of the last 14 bars; None where there are not so many."""
    if len(bars) <= RANGE:
        return None
    # Here, because it brings numeric libraries, which who only imports this module does without.
    from marketdata.indicators.volatility import atr

    value = float(atr(bars.high, bars.low, bars.close, RANGE)[-1])
    return value if math.isfinite(value) and value > 0 else None
