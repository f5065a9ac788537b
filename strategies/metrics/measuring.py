"""Owns `measure`: from a run's arrays to all its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from strategies.metrics import intervals, sections, tables
from strategies.metrics import trades as trading
from strategies.metrics.by_regime import by_regime
from strategies.metrics.curve import DAYS_A_YEAR, YEAR, YEAR_AT_LEAST, Calendar, Floats, Times, check, days, drawdowns
from strategies.metrics.errors import InvalidRun
from strategies.metrics.result import Metrics, Sampling
from strategies.metrics.trades import Paid, Trades

_LEAST, _MOST = 1e-30, 1e30  # of a benchmark


def measure(
    time: Times,
    equity: Floats,
    trades: Trades | None = None,
    position: npt.NDArray[Any] | None = None,
    *,
    start_cash: float,
    bar_seconds: int,
    calendar: Calendar = "crypto",
    benchmark: Floats | None = None,
    benchmark_start: float | None = None,
    paid: Paid | None = None,
    regimes: npt.NDArray[np.int8] | None = None,
    risk_free: float = 0.0,
    seed: int = 1,
    resamples: int = intervals.RESAMPLES,
) -> Metrics:
    """Everything in the catalogue, with tables and confidence intervals.

    Parameters
    ----------
    time : (n,) int64
        Epoch seconds UTC of each bar's opening, ascending.
    equity : (n,) float64
        Account value at each bar's close, account currency, no NaN; it may fall below 0.
    trades : (k,) structured array, optional
        With the fields `trades.FIELDS`; ``pnl`` net of fees, ``mae`` ≤ 0 ≤ ``mfe``, all in account currency.
    position : (n,) or (n, instruments), optional
        Position at each bar's close, for exposure; left out it follows from the trades.
    start_cash : float
        Account value before the first bar, above 0.
    bar_seconds : int
        Length of a bar: a bar counts at ``time + bar_seconds``.
    calendar : "crypto" | "exchange"
        365 days a year, each of which counts, or 252, those with bars.
    benchmark : (n,) float64, optional
        Price or value of the benchmark at each bar's close, above 0.
    benchmark_start : float, optional
        Its value at the first bar's opening. Without it the benchmark begins at the first close, and the comparison of
        daily returns on the second day.
    regimes : (n,) int8, optional
        A label for each bar, known at its close.
    risk_free : float
        Riskless return of a year, as a fraction.
    seed, resamples : int
        Of the bootstrap; 0 resamples leave the intervals out.

    Raises
    ------
    InvalidRun
        If the arrays do not fit together, hold NaN, or ``risk_free`` is not above −1.
    """
    time, equity = _row("time", time, np.int64), _row("equity", equity, np.float64)
    check(time, equity, start_cash, bar_seconds)
    if calendar not in DAYS_A_YEAR:
        raise InvalidRun(f"calendar must be {' or '.join(DAYS_A_YEAR)}, was {calendar!r}")
    if not -1 < risk_free < 10:
        raise InvalidRun(f"risk_free must be a fraction above -1, was {risk_free:g}")
    trades = trading.NO_TRADES if trades is None else trades
    trading.check_trades(trades, time.size)
    if benchmark is not None:
        benchmark = _benchmark(benchmark, time.size, benchmark_start)
    sampled = days(time, equity, start_cash=start_cash, bar_seconds=bar_seconds, calendar=calendar, benchmark=benchmark)
    riskless = (1 + risk_free) ** (1 / sampled.per_year) - 1
    span = int(time[-1] - time[0]) + bar_seconds
    falls = drawdowns(time, equity, start_cash=start_cash, bar_seconds=bar_seconds)
    years = span / YEAR if span >= YEAR_AT_LEAST else None

    numbers = sections.Numbers()
    sections.returns(numbers, sampled, float(equity[-1]), start_cash, years)
    sections.risk(numbers, sampled, riskless, start_cash, falls)
    closed = trading.closed(trades)
    sections.trades(numbers, closed, int(trades.size - closed.pnl.size))
    sections.activity(numbers, equity, trades, position, paid or Paid(), start_cash, years)
    others = sections.against(numbers, sampled, benchmark, benchmark_start, riskless)
    spans = {}
    if resamples > 0:
        spans = intervals.of_days(
            sampled.returns,
            sampled.per_year,
            years or 1.0,  # what is made per year is left out below where there is no year
            risk_free=riskless,
            benchmark=others,
            seed=seed,
            resamples=resamples,
        ) | intervals.of_trades(closed.pnl, seed=seed, resamples=resamples)
    return Metrics(
        **numbers.values,
        missing=numbers.missing,
        intervals={key: spans[key] for key in numbers.values if key in spans and key not in numbers.missing},
        sampling=Sampling(
            calendar=calendar,
            bar_seconds=bar_seconds,
            bars=time.size,
            days=sampled.returns.size,
            days_per_year=sampled.per_year,
            span=span,
            under_a_year=years is None,
            ruined=sampled.ruined,
            start_cash=float(start_cash),
            risk_free=float(risk_free),
            seed=seed,
            resamples=resamples,
        ),
        drawdowns=falls,
        months=tables.by_month(sampled, start_cash),
        years=tables.by_year(sampled, start_cash),
        distribution=tables.distribution(sampled.returns),
        regimes=()
        if regimes is None
        else by_regime(
            regimes, time, equity, sampled, trades, start_cash=start_cash, bar_seconds=bar_seconds, risk_free=riskless
        ),
    )


def _row(name: str, values: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    array = np.asarray(values)
    kinds = "iu" if dtype is np.int64 else "iuf"
    if array.dtype.kind not in kinds:
        raise InvalidRun(f"{name} must be a row of {'whole ' if kinds == 'iu' else ''}numbers, was {array.dtype}")
    return np.ascontiguousarray(array, dtype=dtype) if array.ndim else array


def _benchmark(values: Any, bars: int, start: float | None) -> Floats:
    benchmark = _row("benchmark", values, np.float64)
    if benchmark.shape != (bars,):
        raise InvalidRun(f"benchmark must be as long as time ({bars}), had shape {benchmark.shape}")
    if not (benchmark.min() > _LEAST and benchmark.max() < _MOST and (start is None or _LEAST < start < _MOST)):
        raise InvalidRun(f"benchmark must hold values above {_LEAST:g} and below {_MOST:g}")
    return benchmark
