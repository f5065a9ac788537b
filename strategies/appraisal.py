"""A finished backtest put to the tests of robustness: chance, other orders of its trades, other markets, noise, size.

No database and no queue, like ``backtest``: the worker, the command line and the tests use it alike. What a test cannot be
made of is not left out silently: ``missing`` says why. Every draw follows from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from strategies.backtest import Decide, check_bars, simulated, tradable_volumes
from strategies.conditions import Conditions
from strategies.engine import Result
from strategies.engine.sweep import day_ends
from strategies.errors import InvalidBars, Refused
from strategies.metrics.curve import below_peak, daily_growth
from strategies.robustness.capacity import capacity
from strategies.robustness.markets import resample_bars
from strategies.robustness.montecarlo import QUANTILES, simulate_paths
from strategies.robustness.noise import jitter, judge
from strategies.robustness.samples import InvalidSample
from strategies.robustness.significance import random_entries

Floats = npt.NDArray[np.float64]

VERSION: Final = 1
PATHS: Final = 2_000
ENTRIES: Final = 2_000
FEWEST_TRADES: Final = 10  # of fewer nothing can be shuffled that would tell anything
RUNS: Final = (20, 200)  # how often the strategy is asked anew, at least and at most
BARS_IN_ALL: Final = 5_000_000
NOISE: Final = 0.05
RUIN: Final = 0.5

# Why a test was not made; the pages have the words.
FEW_TRADES, SEVERAL_INSTRUMENTS, NO_VOLUME, NOT_POSSIBLE = "few-trades", "several-instruments", "no-volume", "not-possible"


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What the tests came to, of plain values, by name: chance, paths, markets, noise, capacity. ``missing`` has the rest."""

    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"version": VERSION, "tests": self.tests, "missing": self.missing}


class Missing(Exception):
    """A test cannot be made; the argument is the reason."""


def appraise(
    bars: Sequence[Bars], decide: Decide, conditions: Conditions, result: Result, *, seed: int = 1,
    told: Callable[[str], None] = lambda test: None,
) -> Appraisal:  # fmt: skip
    """Put ``result``, which came of asking ``decide`` about ``bars``, to every test that it allows.

    ``told`` hears the name of each test as it begins.
    """
    tests: dict[str, Callable[[], dict[str, Any]]] = {
        "chance": lambda: chance(bars, result, seed),
        "paths": lambda: paths(result, conditions, seed),
        "capacity": lambda: size(bars, result, conditions),
        "markets": lambda: other_markets(bars, decide, conditions, seed),
        "noise": lambda: noise(bars, decide, conditions, result, seed),
    }
    found = Appraisal()
    for name, test in tests.items():
        told(name)
        try:
            found.tests[name] = test()
        except Missing as error:
            found.missing[name] = str(error)
        except (InvalidSample, Refused, InvalidBars):
            found.missing[name] = NOT_POSSIBLE
    return found


# -- from the result alone ------------------------------------------------------------------------------------------


def daily_returns(time: npt.NDArray[np.int64], equity: Floats, cash: float) -> Floats:
    """(d,) return of each UTC day, up to the first on which nothing was left."""
    closes = equity[day_ends(time)]
    alive = int(np.argmax(closes <= 0)) if (closes <= 0).any() else len(closes)
    return daily_growth(closes[:alive], cash)


def trade_returns(trades: npt.NDArray[Any], time: npt.NDArray[np.int64], equity: Floats, cash: float) -> Floats:
    """(t,) profit of each closed trade as a share of the account at the bar before it began. Raises Missing."""
    closed = trades[~trades["open"].astype(bool)]
    before = np.where(closed["entry_bar"] > 0, equity[np.maximum(closed["entry_bar"] - 1, 0)], cash)
    if len(closed) < FEWEST_TRADES or (before <= 0).any():
        raise Missing(FEW_TRADES)
    made: Floats = closed["pnl"] / before
    return made


def chance(bars: Sequence[Bars], result: Result, seed: int) -> dict[str, Any]:
    """As many trades, as long, at random places: how often they do as well."""
    trades = result.trades
    if len(bars) != 1:
        raise Missing(SEVERAL_INSTRUMENTS)
    if len(trades) < FEWEST_TRADES:
        raise Missing(FEW_TRADES)
    found = random_entries(
        bars[0].open, trades["entry_bar"], trades["exit_bar"], np.sign(trades["side"]), runs=ENTRIES, seed=seed
    )
    return {"runs": ENTRIES, "trades": len(trades), "as_good": round(found.p * (ENTRIES + 1)) - 1, "p": found.p}


def paths(result: Result, conditions: Conditions, seed: int) -> dict[str, Any]:
    """The trades in other orders, and other trades of the same kind."""
    returns = trade_returns(result.trades, result.time, result.equity, conditions.cash)
    ordered = simulate_paths(returns, method="shuffle", runs=PATHS, seed=seed, cash=conditions.cash)
    drawn = simulate_paths(returns, method="resample", runs=PATHS, seed=seed, cash=conditions.cash)
    return {
        "runs": PATHS,
        "trades": len(returns),
        "reordered": {"drawdown": ordered.quantiles()["drawdown"]},
        "resampled": drawn.quantiles() | {"loss": float((drawn.final < conditions.cash).mean())},
        "ruin": drawn.risk_of_ruin(RUIN),
        "fan": {f"{q:g}": [round(float(v), 2) for v in line] for q, line in zip(QUANTILES, drawn.fan, strict=True)},
    }


def size(bars: Sequence[Bars], result: Result, conditions: Conditions) -> dict[str, Any]:
    """The capital that the strategy carries, by the volume that its fills met."""
    fills, traded = result.fills, _traded(bars)
    if not len(fills):
        raise Missing(FEW_TRADES)
    if not any((volume > 0).any() for volume in traded):
        raise Missing(NO_VOLUME)
    places, rows = fills["instrument"], fills["bar"]
    unit = np.array([market.multiplier for market in conditions.markets])[places]
    notional = fills["quantity"] * fills["price"] * unit
    met = np.array([traded[place][row] for place, row in zip(places, rows, strict=True)])
    moves = np.array([_deviation(one) for one in bars])[places]
    profit = float(result.equity[-1]) - conditions.cash
    return capacity(notional, met, moves, profit=profit, capital=conditions.cash).to_json()


def _traded(bars: Sequence[Bars]) -> list[Floats]:
    """Value traded in each bar."""
    return [np.nan_to_num(one.volume * (one.high + one.low + one.close) / 3) for one in bars]


def _deviation(bars: Bars) -> float:
    close = bars.close[np.isfinite(bars.close)]
    return float(np.diff(np.log(close)).std()) if len(close) > 2 else 0.0


# -- the strategy asked again ---------------------------------------------------------------------------------------


def other_markets(bars: Sequence[Bars], decide: Decide, conditions: Conditions, seed: int) -> dict[str, Any]:
    """The strategy on markets drawn from blocks of the same bars."""
    if len(bars) != 1:
        raise Missing(SEVERAL_INSTRUMENTS)
    runs = _runs(bars)
    made = np.array([_again(resample_bars(bars[0], seed=seed, run=run), decide, conditions) for run in range(runs)])
    told = {name: float(value) for name, value in zip(("low", "median", "high"), np.quantile(made[:, 0], (0.05, 0.5, 0.95)))}  # noqa: B905
    return {
        "runs": runs,
        "return": told,
        "loss": float((made[:, 0] < 0).mean()),
        "drawdown": {"median": float(np.median(made[:, 1])), "high": float(np.quantile(made[:, 1], 0.95))},
    }


def noise(bars: Sequence[Bars], decide: Decide, conditions: Conditions, result: Result, seed: int) -> dict[str, Any]:
    """The strategy on the same bars, each price a little off."""
    if len(bars) != 1:
        raise Missing(SEVERAL_INSTRUMENTS)
    runs, score = _runs(bars), float(result.equity[-1]) / conditions.cash - 1
    noisy = [_again(jitter(bars[0], seed=seed, run=run, scale=NOISE), decide, conditions)[0] for run in range(runs)]
    found = judge(score, noisy)
    told = {name: getattr(found, name) for name in ("score", "median", "low", "high", "worse", "rank")}
    return {"runs": runs, "scale": NOISE, "kept": found.kept if np.isfinite(found.kept) else None} | told


def _runs(bars: Sequence[Bars]) -> int:
    least, most = RUNS
    return max(least, min(most, BARS_IN_ALL // max(1, len(bars[0]))))


def _again(bars: Bars, decide: Decide, conditions: Conditions) -> tuple[float, float]:
    """Total return and deepest drawdown (0..1) on other bars."""
    check_bars([bars])
    result = simulated(tradable_volumes([bars])[0], decide([bars], conditions), conditions)
    return float(result.equity[-1]) / conditions.cash - 1, -float(below_peak(result.equity, conditions.cash).min())
