"""What a deployment's strategy says about a bar. Pure reading: no lock is held while it thinks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from clusterx.errors import DomainError
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe
from strategies import contract, library
from trading import selectors
from trading.models import Deployment, Evaluation

Outcome = Evaluation.Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What the strategy said about a bar: the exposure it wants, or why it has no say (``outcome`` is set then)."""

    close: float
    target: float | None = None
    outcome: str = ""
    code: str = ""
    reason: str = ""


def ask(deployment: Deployment, bar_time: datetime) -> Answer | None:
    """The strategy's answer for the bar, or None if the bar is not stored."""
    timeframe = Timeframe.of(deployment.timeframe)
    opened = int(bar_time.timestamp())
    try:
        strategy = library.get(deployment.strategy)
        parameters = contract.read(strategy, deployment.parameters)
    except DomainError as error:
        return Answer(math.nan, outcome=Outcome.FAILED, code=error.code, reason=error.message)
    history = strategy.history(parameters)
    bars = BarStore().read(deployment.instrument_id, deployment.timeframe, end=opened + timeframe.seconds, limit=history)
    if not len(bars) or bars.time[-1] != opened:
        return None
    close = float(bars.close[-1])
    if len(bars) < history:
        reason = f"{len(bars)} of {history} bars are there."
        return Answer(close, outcome=Outcome.WARMING_UP, code="not-enough-history", reason=reason)
    first = datetime.fromtimestamp(int(bars.time[0]), UTC)
    if selectors.has_open_gap(deployment.instrument_id, deployment.timeframe, first, bar_time):
        reason = "Bars are missing in the history and are being asked for."
        return Answer(close, outcome=Outcome.WARMING_UP, code="open-gap", reason=reason)
    try:
        target = float(contract.as_signals(strategy.signals(bars, parameters), len(bars)).exposure[-1])
    except contract.InvalidSignals as error:
        return Answer(close, outcome=Outcome.FAILED, code=error.code, reason=error.message)
    except Exception as error:
        # Whatever a strategy raises is the strategy's failure and stops this deployment alone.
        return Answer(close, outcome=Outcome.FAILED, code="strategy-raised", reason=f"{type(error).__name__}: {error}")
    return Answer(close, target=target)
