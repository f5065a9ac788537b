"""A market of candles to run strategies on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from marketdata.bars import Bars
from marketdata.models import Instrument
from marketdata.store import write_bars
from strategies.models import Run
from strategies.services.execution import execute_run
from strategies.services.runs import RunRequest, request_run
from tests.factories import START, InstrumentFactory

HOUR = 3600
FIRST = int(START.timestamp())


def walk(n: int = 300, seed: int = 1) -> Bars:
    """Hourly bars of a random walk, prices in cents."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, n))), 2)
    start = np.r_[100.0, close[:-1]]
    high, low = np.round(np.maximum(start, close) * 1.002, 2), np.round(np.minimum(start, close) * 0.998, 2)
    time = FIRST + np.arange(n, dtype=np.int64) * HOUR
    return Bars(time, start, high, low, close, np.round(rng.uniform(100, 1000, n), 3))


def listed(bars: Bars | None = None, **more: Any) -> Instrument:
    """An instrument with those candles."""
    instrument = InstrumentFactory(**more)
    write_bars(instrument.pk, "1h", walk() if bars is None else bars, source=4)
    return instrument


def asked_for(instrument: Instrument, **more: Any) -> RunRequest:
    wanted = {
        "strategy": "" if "version" in more else "sma-cross",
        "parameters": {} if "version" in more or "strategy" in more else {"fast": 5, "slow": 20},
        "instruments": [instrument.ref],
        "timeframe": "1h",
        "costs": {"fee": 0.001, "slippage": 0.0005},
        "end": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return RunRequest(**(wanted | more))


def done(owner: Any, instrument: Instrument, **more: Any) -> Run:
    """A run that was asked for and done."""
    run = request_run(owner=owner, asked=asked_for(instrument, **more), at=START)
    finished = execute_run(run_id=run.pk, at=START)
    assert finished is not None
    return finished
