"""Owns how each group of numbers is filled in: the value, or the reason why there is none."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from strategies.metrics import ratios
from strategies.metrics import trades as trading
from strategies.metrics.curve import Days, Drawdown, Floats
from strategies.metrics.errors import InvalidRun, Reason
from strategies.metrics.trades import Paid, Trades


class Numbers:
    """The numbers so far, each with its value or the reason why it has none."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.missing: dict[str, Reason] = {}

    def put(self, key: str, value: float | None, unless: Reason) -> None:
        """``value``, or None because of ``unless``."""
        if value is None:
            self.lack(unless, key)
        elif not isfinite(value):
            self.lack("not-finite", key)
        else:
            self.values[key] = value

    def lack(self, reason: Reason, *keys: str) -> None:
        for key in keys:
            self.values[key] = None
            self.missing[key] = reason


def returns(numbers: Numbers, sampled: Days, final: float, start: float, years: float | None) -> None:
    total = final / start - 1
    numbers.values |= {
        "final_equity": final,
        "total_return": total,
        "best_day": float(sampled.returns.max()),
        "worst_day": float(sampled.returns.min()),
        "winning_days": float((sampled.returns > 0).mean()),
    }
    if years is None:
        numbers.lack("under-a-year", "annual_return")
    elif sampled.ruined:
        numbers.lack("ruined", "annual_return")
    else:
        numbers.put("annual_return", (1 + total) ** (1 / years) - 1, "not-finite")


def risk(numbers: Numbers, sampled: Days, riskless: float, start: float, falls: tuple[Drawdown, ...]) -> None:
    returns, per_year = sampled.returns, sampled.per_year
    if returns.size < 2:
        numbers.lack("too-short", "volatility", "daily_volatility", "sharpe", "sortino", "omega")
    else:
        spread = ratios.deviation(returns)
        numbers.put("daily_volatility", spread, "no-variation")
        numbers.put("volatility", spread * per_year**0.5, "no-variation")
        numbers.put("sharpe", ratios.sharpe(returns, per_year, riskless), "no-variation")
        numbers.put("sortino", ratios.sortino(returns, per_year, riskless), "no-losing-day")
        numbers.put("omega", ratios.omega(returns), "no-losing-day")
    enough = returns.size >= ratios.FEWEST_FOR_TAIL
    numbers.put("value_at_risk", ratios.value_at_risk(returns) if enough else None, "too-short")
    numbers.put("expected_shortfall", ratios.expected_shortfall(returns) if enough else None, "too-short")
    for key, least, value in (
        ("skew", 3, ratios.skew(returns)),
        ("kurtosis", 4, ratios.kurtosis(returns)),
        ("probabilistic_sharpe", 4, ratios.probabilistic_sharpe(returns, riskless)),
    ):
        numbers.put(key, value, "too-short" if returns.size < least else "no-variation")

    deepest = falls[0] if falls else None
    numbers.values["max_drawdown"] = deepest.depth if deepest else 0.0
    numbers.values["max_drawdown_length"] = deepest.length if deepest else 0
    numbers.put("max_drawdown_recovery", deepest.recovery if deepest else 0, "not-recovered")
    numbers.put("ulcer_index", ratios.ulcer_index(sampled.equity, start), "not-finite")
    yearly = numbers.values["annual_return"]
    if yearly is None:
        numbers.lack(numbers.missing["annual_return"], "calmar")
    else:
        numbers.put("calmar", yearly / -deepest.depth if deepest else None, "no-drawdown")


def trades(numbers: Numbers, closed: trading.Closed, open_trades: int) -> None:
    pnl = closed.pnl
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    streaks = trading.streaks(pnl)
    numbers.values |= {"trades": int(pnl.size), "open_trades": open_trades}
    numbers.values |= {"winning_streak": int(streaks[0]), "losing_streak": int(streaks[1])}
    gains, losses = float(won.sum()), -float(lost.sum())
    empty: Reason = "no-trades"
    any_trade = pnl.size > 0
    for key, value in (
        ("win_rate", won.size / pnl.size if any_trade else None),
        ("expectancy", float(pnl.mean()) if any_trade else None),
        ("best_trade", float(pnl.max()) if any_trade else None),
        ("worst_trade", float(pnl.min()) if any_trade else None),
        ("average_holding", float(closed.held.mean()) if any_trade else None),
        ("median_holding", float(np.median(closed.held)) if any_trade else None),
        ("longest_holding", float(closed.held.max()) if any_trade else None),
        ("average_mae", float(closed.mae.mean()) if any_trade else None),
        ("worst_mae", float(closed.mae.min()) if any_trade else None),
        ("average_mfe", float(closed.mfe.mean()) if any_trade else None),
        ("best_mfe", float(closed.mfe.max()) if any_trade else None),
    ):
        numbers.put(key, value, empty)
    without_win: Reason = "no-wins" if any_trade else empty
    without_loss: Reason = "no-losses" if any_trade else empty
    numbers.put("average_win", float(won.mean()) if won.size else None, without_win)
    numbers.put("average_loss", float(lost.mean()) if lost.size else None, without_loss)
    numbers.put("profit_factor", gains / losses if losses else None, without_loss)
    numbers.put(
        "kelly", trading.kelly(won.size, lost.size, gains, losses), without_loss if won.size or not any_trade else without_win
    )
    numbers.put("sqn", trading.system_quality(pnl), "few-trades" if any_trade else empty)


def activity(
    numbers: Numbers,
    equity: Floats,
    trades: Trades,
    position: npt.NDArray[Any] | None,
    paid: Paid,
    start: float,
    years: float | None,
) -> None:
    bars = equity.size
    if position is None:
        held = list(trading.bars_held(trades, bars))
    else:
        if position.shape[:1] != (bars,) or position.ndim > 2 or position.dtype.kind not in "iuf":
            raise InvalidRun(f"position must be numbers as long as time ({bars}), was {position.dtype}, {position.shape}")
        if position.ndim == 2 and position.shape[1] == 1:
            position = position[:, 0]
        sides = (position != 0, position > 0, position < 0)
        held = [int(np.count_nonzero(side if side.ndim == 1 else side.any(axis=1))) for side in sides]
    numbers.values |= {
        key: count / bars for key, count in zip(("exposure", "long_exposure", "short_exposure"), held, strict=True)
    }
    notional = trading.traded(trades) if paid.traded is None else paid.traded
    middle = float(equity.mean())
    turnover = notional / middle if middle > 0 else None
    numbers.put("turnover", turnover, "ruined")
    if years is None:
        numbers.lack("under-a-year", "annual_turnover")
    else:
        numbers.put("annual_turnover", None if turnover is None else turnover / years, "ruined")

    fees = float(trades["fees"].sum()) if paid.fees is None else paid.fees
    known = (fees, paid.slippage, paid.funding, paid.borrow, paid.interest)
    if not all(isfinite(amount) for amount in known if amount is not None):
        raise InvalidRun(f"what was paid must be finite, was {known}")
    numbers.values |= {"fees": fees, "cost_share": sum(amount for amount in known if amount is not None) / start}
    for key, amount in zip(("slippage", "funding", "borrow", "interest"), known[1:], strict=True):
        numbers.put(key, amount, "not-given")


def against(numbers: Numbers, sampled: Days, benchmark: Floats | None, start: float | None, riskless: float) -> Floats | None:
    """The benchmark's daily returns, on the last days of the run."""
    regression = ("alpha", "beta", "correlation")
    difference = ("tracking_error", "information_ratio")
    if benchmark is None or sampled.benchmark is None:
        numbers.lack("no-benchmark", "benchmark_return", "excess_return", *regression, *difference)
        return None
    total = float(benchmark[-1] / (benchmark[0] if start is None else start)) - 1
    numbers.values |= {"benchmark_return": total, "excess_return": numbers.values["total_return"] - total}
    values = sampled.benchmark[: sampled.returns.size]
    if start is None:
        own, other = sampled.returns[1:], values[1:] / values[:-1] - 1
    else:
        own, other = sampled.returns, values / np.concatenate(([start], values[:-1])) - 1
    if own.size < 2:
        numbers.lack("too-short", *regression, *difference)
        return None
    compared = ratios.compare(own, other, sampled.per_year, riskless)
    for key in regression:
        numbers.put(key, getattr(compared, key), "no-variation" if compared.beta is not None else "still-benchmark")
    numbers.put("tracking_error", compared.tracking_error, "no-variation")
    numbers.put("information_ratio", compared.information_ratio, "no-variation")
    return other
