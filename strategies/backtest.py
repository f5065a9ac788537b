"""A backtest from bars to numbers: asks the strategy, simulates its orders, tries worse assumptions, measures.

No database and no queue: the command line, the worker and the tests use it alike. Who asks the strategy is handed in,
because a user's code is asked inside the sandbox only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from strategies.conditions import Conditions
from strategies.contract import (
    Declared,
    EventStrategy,
    InvalidSignals,
    Panel,
    Parameters,
    PortfolioStrategy,
    Signals,
    Strategy,
    as_signals,
)
from strategies.engine import InvalidSimulation, Result, simulate
from strategies.engine.checking import Fault, fault
from strategies.engine.context import InvalidOrder, run_events
from strategies.errors import InvalidBars, NoBars, Refused
from strategies.metrics.errors import InvalidRun
from strategies.metrics.measuring import measure
from strategies.metrics.result import Metrics
from strategies.metrics.trades import Paid

Floats = npt.NDArray[np.float64]

LEAST_BARS: Final = 2
FEW_TRADES: Final = 30
HEADLINE: Final = (
    "final_equity", "total_return", "annual_return", "sharpe", "max_drawdown", "trades", "win_rate", "profit_factor",
    "exposure", "benchmark_return",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """What a strategy wants: exposures with levels, exposures of a panel (n, k), or a table of intents."""

    signals: Signals | None = None
    exposures: Floats | None = None
    intents: Floats | None = None
    printed: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """The same decisions under a worse assumption, and the few numbers that come of it."""

    name: str
    numbers: dict[str, float | None]
    orders_hash: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a backtest came to. ``benchmark`` (n,) money, ``regimes`` (n,) int8, both None where there is none."""

    result: Result
    metrics: Metrics
    benchmark: Floats | None
    regimes: npt.NDArray[np.int8] | None
    sensitivity: tuple[Variant, ...]
    warnings: tuple[str, ...]
    printed: str
    timings: dict[str, float]

    @property
    def assumptions(self) -> dict[str, Any]:
        """The engine's own sheet, with what a reader must know besides."""
        return self.result.assumptions.to_json() | {
            "warnings": list(self.warnings),
            "flags": self.result.flags,
            "rejections": self.result.rejections,
            "costs_paid": self.result.costs,
        }

    @property
    def headline(self) -> dict[str, float | None]:
        return {name: getattr(self.metrics, name) for name in HEADLINE}


Decide = Callable[[Sequence[Bars], Conditions], Decision]
Told = Callable[[str], None]
Finer = Callable[[], Bars | None]


def backtest(
    bars: Sequence[Bars],
    decide: Decide,
    conditions: Conditions,
    *,
    seconds: int,
    seed: int = 1,
    told: Told = lambda stage: None,
    finer: Finer = lambda: None,
) -> Outcome:
    """Run one strategy over ``bars``.

    Parameters
    ----------
    bars : k Bars
        On one time axis (`on_one_axis`), one for each of ``conditions.markets``.
    decide : callable
        Asks the strategy; ``library_decision`` or one that asks the sandbox.
    seconds : int
        Length of a bar.
    seed : int
        Of the resamples behind the confidence intervals.
    told : callable
        Hears each stage as it begins: signals, simulating, sensitivity, measuring.
    finer : callable
        Gives finer bars of the only instrument, or None; asked only where they can make a difference.

    Raises
    ------
    InvalidBars, NoBars
        Where the bars are none to simulate on.
    Refused
        Where the strategy gave no answer, or one that makes no sense.
    """
    timings: dict[str, float] = {}
    began = time.perf_counter()

    def stage(name: str, before: str = "") -> None:
        nonlocal began
        now = time.perf_counter()
        if before:
            timings[before] = round(now - began, 6)
        began = now
        if name:
            told(name)

    stage("signals")
    check_bars(bars)
    decision = decide(bars, conditions)
    stage("simulating", "signals")
    traded, unknown = tradable_volumes(bars)
    detail = finer() if conditions.detail and asks_within(decision) else None
    if detail is not None:
        detail = tradable_volumes([detail])[0][0]
    result = simulated(traded, decision, conditions, detail)
    benchmark = buy_and_hold(bars, conditions.cash) if conditions.benchmark == "buy-and-hold" else None
    stage("sensitivity", "simulating")
    variants = sensitivity(traded, decision, conditions, result, seconds=seconds, detail=detail)
    stage("measuring", "sensitivity")
    labels = regimes_of(bars[0]) if len(bars) == 1 else None
    metrics = measured(result, conditions, seconds=seconds, benchmark=benchmark, regimes=labels, seed=seed)
    stage("", "measuring")
    return Outcome(
        result=result, metrics=metrics, benchmark=benchmark, regimes=labels, sensitivity=variants,
        warnings=warnings_of(result, bars, unknown=unknown), printed=decision.printed, timings=timings,
    )  # fmt: skip


# -- the bars -----------------------------------------------------------------------------------------------------


def check_bars(bars: Sequence[Bars]) -> None:
    """Raises NoBars, or InvalidBars naming the first bar that is wrong. A hole of a panel (all four prices NaN) is none."""
    if not bars or len(bars[0]) < LEAST_BARS:
        found = len(bars[0]) if bars else 0
        raise NoBars(f"a run needs {LEAST_BARS} bars or more, had {found}", found=found)
    for one in bars:
        if (np.diff(one.time) <= 0).any():
            at = int(np.argmax(np.diff(one.time) <= 0)) + 1
            raise InvalidBars(f"times must ascend; bar {at} does not come after the one before it", bar=at)
        gone = np.isnan([one.open, one.high, one.low, one.close])
        partly = gone.any(axis=0) & ~(gone.all(axis=0) if len(bars) > 1 else False)
        wrong = fault(one)
        if partly.any():
            wrong = Fault(int(np.argmax(partly)), "a price is not a number", int(partly.sum()))
        if wrong:
            moment = np.datetime64(int(one.time[wrong.bar]), "s")
            text = f"bar {wrong.bar} ({moment} UTC): {wrong.why}"
            raise InvalidBars(text, bar=wrong.bar, time=int(one.time[wrong.bar]), count=wrong.count)


def on_one_axis(bars: Sequence[Bars]) -> list[Bars]:
    """All of them on the union of their times, NaN where one has no bar."""
    if len(bars) == 1 or all(np.array_equal(one.time, bars[0].time) for one in bars[1:]):
        return list(bars)
    times = np.unique(np.concatenate([one.time for one in bars]))

    def spread(one: Bars) -> Bars:
        places = np.searchsorted(times, one.time)
        columns = []
        for column in one.columns[1:]:
            whole = np.full(len(times), np.nan)
            whole[places] = column
            columns.append(whole)
        return Bars(times, *columns)

    return [spread(one) for one in bars]


def tradable_volumes(bars: Sequence[Bars]) -> tuple[list[Bars], bool]:
    """Where a series has no volume at all it is unknown, not zero: else nothing would ever fill."""
    known = [bool((one.volume > 0).any()) for one in bars]
    traded = [one if knows else replace(one, volume=np.full(len(one), np.nan)) for one, knows in zip(bars, known, strict=True)]
    return traded, not all(known)


def buy_and_hold(bars: Sequence[Bars], cash: float) -> Floats:
    """(n,) what the cash would be worth, put into equal parts of the instruments at their first opens, without costs."""
    parts = []
    for one in bars:
        present = np.isfinite(one.close)
        first = int(np.argmax(present))
        newest = np.maximum.accumulate(np.where(present, np.arange(len(one)), -1))
        parts.append(np.where(newest >= 0, one.close[newest] / one.open[first], 1.0))
    worth: Floats = cash * np.mean(parts, axis=0)
    return worth


def regimes_of(bars: Bars) -> npt.NDArray[np.int8]:
    from strategies.regimes import regimes

    return regimes(bars)


# -- the strategy -------------------------------------------------------------------------------------------------


def library_decision(strategy: Declared, p: Parameters) -> Decide:
    """Asks a strategy of ours, in this process."""

    def decide(bars: Sequence[Bars], conditions: Conditions) -> Decision:
        n, k = len(bars[0]), len(bars)
        try:
            if isinstance(strategy, PortfolioStrategy):
                answer = np.ascontiguousarray(strategy.signals(Panel(tuple(bars)), p), dtype=np.float64)
                if answer.shape != (n, k):
                    raise InvalidSignals(f"exposure must be of shape {(n, k)}, was of {answer.shape}", field="exposure")
                return Decision(exposures=np.column_stack([as_signals(column, n).exposure for column in answer.T]))
            if isinstance(strategy, EventStrategy):
                # State is kept on the instance: one instance, one run.
                table = run_events(
                    type(strategy)(), bars[0], p, market=conditions.markets[0], costs=conditions.costs,
                    rules=conditions.rules, cash=conditions.cash,
                )  # fmt: skip
                return Decision(intents=table)
            assert isinstance(strategy, Strategy)
            return Decision(signals=as_signals(strategy.signals(bars[0], p), n))
        except (InvalidSignals, InvalidOrder) as error:
            raise Refused(error.message, reason=error.code) from None
        except (ValueError, ArithmeticError, IndexError) as error:
            raise Refused(f"{strategy.label} cannot answer to these bars: {error}", reason="error") from error

    return decide


# -- what comes of it -----------------------------------------------------------------------------------------------


def asks_within(decision: Decision) -> bool:
    """Whether it matters what comes first within a bar: a single instrument with protective levels.

    Not for explicit orders: those who place them bar by bar saw the fills that whole bars give.
    """
    signals = decision.signals
    return signals is not None and any(level is not None for level in (signals.stop, signals.take_profit, signals.trail))


def simulated(bars: Sequence[Bars], decision: Decision, conditions: Conditions, detail: Bars | None = None) -> Result:
    """The engine's result. Raises Refused where it cannot make sense of what the strategy asked for."""
    try:
        return simulate(
            list(bars),
            decision.signals if decision.signals is not None else decision.exposures,
            intents=decision.intents,
            market=conditions.markets,
            costs=conditions.costs,
            rules=conditions.rules,
            cash=conditions.cash,
            detail=detail,
        )
    except InvalidSimulation as error:
        raise Refused(error.message, reason="invalid-result") from None


def measured(
    result: Result, conditions: Conditions, *, seconds: int, benchmark: Floats | None = None,
    regimes: npt.NDArray[np.int8] | None = None, seed: int = 1, resamples: int | None = None,
) -> Metrics:  # fmt: skip
    """All numbers of ``result``. Raises Refused where they cannot be made."""
    costs = result.costs
    notional = result.fills["quantity"] * result.fills["price"]
    multipliers = np.array([market.multiplier for market in conditions.markets])
    paid = Paid(
        fees=costs["fees"], slippage=costs["slippage"], funding=costs["funding"], borrow=costs["borrow"],
        interest=costs["interest"], traded=float((notional * multipliers[result.fills["instrument"]]).sum()),
    )  # fmt: skip
    more = {} if resamples is None else {"resamples": resamples}
    try:
        return measure(
            result.time,
            result.equity,
            result.trades,
            result.position,
            start_cash=conditions.cash,
            bar_seconds=seconds,
            calendar=conditions.calendar,
            benchmark=benchmark,
            benchmark_start=conditions.cash if benchmark is not None else None,
            paid=paid,
            regimes=regimes,
            seed=seed,
            **more,
        )
    except InvalidRun as error:
        raise Refused(f"the result cannot be measured: {error.message}", reason="invalid-result") from None


def sensitivity(
    bars: Sequence[Bars],
    decision: Decision,
    conditions: Conditions,
    result: Result,
    *,
    seconds: int,
    detail: Bars | None = None,
) -> tuple[Variant, ...]:
    """The same decisions with costs doubled, one bar later, and filled with no benefit of the doubt where that differs."""
    careful = replace(conditions.rules, fill="next-open", touch=False, intrabar="pessimistic")
    variants: list[tuple[str, Callable[[], tuple[Decision, Conditions]]]] = [
        ("costs-doubled", lambda: (decision, conditions.worse(2.0))),
        ("one-bar-later", lambda: (one_bar_later(decision, len(bars[0])), conditions)),
    ]
    if careful != conditions.rules:
        variants.append(("pessimistic-fills", lambda: (decision, replace(conditions, rules=careful))))
    answers = [Variant("as-asked", few(result, conditions, seconds), result.orders_hash)]
    for name, made in variants:
        try:
            other, under = made()
        except InvalidSimulation:
            continue  # twice the costs is beyond what any market takes
        worse = simulated(bars, other, under, detail)
        answers.append(Variant(name, few(worse, under, seconds), worse.orders_hash))
    return tuple(answers)


def few(result: Result, conditions: Conditions, seconds: int) -> dict[str, float | None]:
    metrics = measured(result, conditions, seconds=seconds, resamples=0)
    return {name: getattr(metrics, name) for name in HEADLINE if name != "benchmark_return"}


def one_bar_later(decision: Decision, n: int) -> Decision:
    """Each decision made one bar after it was; those of the last bar fall away."""

    def later(column: Floats | None, first: float) -> Floats | None:
        if column is None:
            return None
        moved = np.full_like(column, first)
        moved[1:] = column[:-1]
        return moved

    if decision.signals is not None:
        given = decision.signals
        moved = later(given.exposure, 0.0)
        assert moved is not None
        levels = (later(level, np.nan) for level in (given.stop, given.take_profit, given.trail))
        return Decision(signals=Signals(moved, *levels))
    if decision.exposures is not None:
        return Decision(exposures=later(decision.exposures, 0.0))
    assert decision.intents is not None
    table = decision.intents.copy()
    table[:, 0] += 1
    return Decision(intents=table[table[:, 0] < n])


def warnings_of(result: Result, bars: Sequence[Bars], *, unknown: bool) -> tuple[str, ...]:
    """Codes of what a reader should know before believing the numbers."""
    trades = result.trades
    found = {
        "bankrupt": result.flags["bankrupt"],
        "liquidations": result.flags["liquidations"] > 0,
        "short-not-allowed": result.flags["short_not_allowed"] > 0,
        "open-positions": result.flags["open_positions"] > 0,
        "ambiguous-trades": bool(len(trades)) and bool(trades["ambiguous"].any()),
        "no-trades": not len(trades),
        "few-trades": 0 < len(trades) < FEW_TRADES,
        "rejected-orders": bool(result.rejections),
        "volume-unknown": unknown,
        "silent-bars": any(bool((one.volume == 0).any()) and bool((one.volume > 0).any()) for one in bars),
    }
    return tuple(name for name, here in found.items() if here)
