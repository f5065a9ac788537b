"""Owns what every number is called, how it is made and how it is read: one registry for the docs, the pages and the API.

It imports nothing but the standard library, so that a page may list numbers without compiling what computes them. Labels
and formulas are English, the keys of their translations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Group = Literal["Return", "Risk", "Reward for risk", "Drawdown", "Trades", "Activity", "Costs", "Benchmark"]
Unit = Literal["fraction", "number", "money", "count", "seconds"]
Sampling = Literal["run", "bars", "days", "trades"]
Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class Metric:
    """An entry: the field of `Metrics` named ``key``.

    ``unit`` fraction is shown as percent with ``decimals`` places; money is in the account's currency; seconds are shown
    as a duration. ``sampling`` says of what it is made: the run's ends, bar closes, UTC days, closed trades.
    ``annualised`` numbers are scaled to a year by the square root of time (alpha: by time), ``compounded`` ones need a
    year and are left out of a shorter run. ``interval``: it comes with a 95 % bootstrap interval where the run is long
    enough.
    """

    key: str
    label: str
    group: Group
    unit: Unit
    decimals: int
    sampling: Sampling
    better: Better
    formula: str
    annualised: bool = False
    compounded: bool = False
    interval: bool = False


# fmt: off
CATALOGUE: Final[tuple[Metric, ...]] = (
    Metric("final_equity", "Final equity", "Return", "money", 2, "run", "higher",
           "equity at the last close, open positions at the last price"),
    Metric("total_return", "Total return", "Return", "fraction", 2, "run", "higher",
           "final equity ÷ start cash − 1", interval=True),
    Metric("annual_return", "Annual return", "Return", "fraction", 2, "run", "higher",
           "(1 + total return)^(1 ÷ years) − 1, a year being 365.25 days", compounded=True, interval=True),
    Metric("best_day", "Best day", "Return", "fraction", 2, "days", "higher",
           "largest daily return"),
    Metric("worst_day", "Worst day", "Return", "fraction", 2, "days", "higher",
           "smallest daily return"),
    Metric("winning_days", "Winning days", "Return", "fraction", 1, "days", "higher",
           "days with a return above 0 ÷ all days"),
    Metric("volatility", "Volatility", "Risk", "fraction", 2, "days", "lower",
           "daily volatility × √days per year", annualised=True, interval=True),
    Metric("daily_volatility", "Daily volatility", "Risk", "fraction", 2, "days", "lower",
           "standard deviation of daily returns, divisor days − 1"),
    Metric("value_at_risk", "Value at risk, 95 %", "Risk", "fraction", 2, "days", "higher",
           "5 % quantile of daily returns, linear between two days; from 20 days"),
    Metric("expected_shortfall", "Expected shortfall, 95 % (CVaR)", "Risk", "fraction", 2, "days", "higher",
           "mean of the daily returns at or below the value at risk; from 20 days"),
    Metric("skew", "Skew", "Risk", "number", 2, "days", "higher",
           "third standardised moment of daily returns, adjusted for the sample (G1)"),
    Metric("kurtosis", "Excess kurtosis", "Risk", "number", 2, "days", "lower",
           "fourth standardised moment of daily returns − 3, adjusted for the sample (G2)"),
    Metric("sharpe", "Sharpe ratio", "Reward for risk", "number", 2, "days", "higher",
           "mean of (daily return − riskless) ÷ daily volatility × √days per year", annualised=True, interval=True),
    Metric("probabilistic_sharpe", "Probabilistic Sharpe ratio", "Reward for risk", "fraction", 1, "days", "higher",
           "probability that the true Sharpe ratio is above 0: Φ(SR × √(days − 1) ÷ √(1 − γ₃ × SR + (γ₄ − 1) ÷ 4 × SR²)), "
           "SR being the mean of (daily return − riskless) ÷ daily volatility, γ₃ and γ₄ skew and kurtosis with divisor days"),
    Metric("sortino", "Sortino ratio", "Reward for risk", "number", 2, "days", "higher",
           "mean of (daily return − riskless) ÷ √mean of min(daily return − riskless, 0)² × √days per year",
           annualised=True, interval=True),
    Metric("calmar", "Calmar ratio", "Reward for risk", "number", 2, "bars", "higher",
           "annual return ÷ −max drawdown", compounded=True, interval=True),
    Metric("omega", "Omega ratio", "Reward for risk", "number", 2, "days", "higher",
           "sum of daily gains ÷ sum of daily losses, threshold 0", interval=True),
    Metric("max_drawdown", "Max drawdown", "Drawdown", "fraction", 2, "bars", "higher",
           "smallest of equity ÷ highest equity before − 1, start cash included; the interval is of daily closes",
           interval=True),
    Metric("max_drawdown_length", "Length of max drawdown", "Drawdown", "seconds", 0, "bars", "lower",
           "from its peak to the first close at that peak or above, or to the end"),
    Metric("max_drawdown_recovery", "Recovery from max drawdown", "Drawdown", "seconds", 0, "bars", "lower",
           "from its trough to the first close at the old peak or above"),
    Metric("ulcer_index", "Ulcer index", "Drawdown", "fraction", 2, "days", "lower",
           "root mean square of the drawdown at each day's close"),
    Metric("trades", "Closed trades", "Trades", "count", 0, "trades", "neither",
           "number of closed trades"),
    Metric("open_trades", "Open trades", "Trades", "count", 0, "trades", "neither",
           "trades still open at the end; no other number of this group counts them"),
    Metric("win_rate", "Win rate", "Trades", "fraction", 1, "trades", "higher",
           "trades with a net result above 0 ÷ closed trades", interval=True),
    Metric("profit_factor", "Profit factor", "Trades", "number", 2, "trades", "higher",
           "sum of winning results ÷ −sum of losing results, net of fees", interval=True),
    Metric("expectancy", "Expectancy", "Trades", "money", 2, "trades", "higher",
           "mean net result of a trade", interval=True),
    Metric("average_win", "Average win", "Trades", "money", 2, "trades", "higher",
           "mean net result of the trades above 0", interval=True),
    Metric("average_loss", "Average loss", "Trades", "money", 2, "trades", "higher",
           "mean net result of the trades below 0", interval=True),
    Metric("best_trade", "Best trade", "Trades", "money", 2, "trades", "higher",
           "largest net result"),
    Metric("worst_trade", "Worst trade", "Trades", "money", 2, "trades", "higher",
           "smallest net result"),
    Metric("winning_streak", "Longest winning streak", "Trades", "count", 0, "trades", "higher",
           "most wins in a row, by time of exit; a result of exactly 0 ends a streak"),
    Metric("losing_streak", "Longest losing streak", "Trades", "count", 0, "trades", "lower",
           "most losses in a row, by time of exit; a result of exactly 0 ends a streak"),
    Metric("average_holding", "Average holding time", "Trades", "seconds", 0, "trades", "neither",
           "mean time from entry to exit"),
    Metric("median_holding", "Median holding time", "Trades", "seconds", 0, "trades", "neither",
           "median time from entry to exit"),
    Metric("longest_holding", "Longest holding time", "Trades", "seconds", 0, "trades", "neither",
           "longest time from entry to exit"),
    Metric("average_mae", "Average adverse excursion", "Trades", "money", 2, "trades", "higher",
           "mean of each trade's worst unrealised result (MAE)"),
    Metric("worst_mae", "Worst adverse excursion", "Trades", "money", 2, "trades", "higher",
           "smallest unrealised result of any trade (MAE)"),
    Metric("average_mfe", "Average favourable excursion", "Trades", "money", 2, "trades", "higher",
           "mean of each trade's best unrealised result (MFE)"),
    Metric("best_mfe", "Best favourable excursion", "Trades", "money", 2, "trades", "higher",
           "largest unrealised result of any trade (MFE)"),
    Metric("sqn", "System quality number", "Trades", "number", 2, "trades", "higher",
           "√trades × mean net result ÷ standard deviation of net results, divisor trades − 1", interval=True),
    Metric("kelly", "Kelly fraction", "Trades", "fraction", 1, "trades", "higher",
           "share of wins − share of losses ÷ (average win ÷ −average loss), of the trades that won or lost", interval=True),
    Metric("exposure", "Time in the market", "Activity", "fraction", 1, "bars", "neither",
           "closes with a position ÷ all closes"),
    Metric("long_exposure", "Time long", "Activity", "fraction", 1, "bars", "neither",
           "closes with a long position ÷ all closes"),
    Metric("short_exposure", "Time short", "Activity", "fraction", 1, "bars", "neither",
           "closes with a short position ÷ all closes"),
    Metric("turnover", "Turnover", "Activity", "number", 1, "bars", "lower",
           "notional of all fills ÷ mean equity"),
    Metric("annual_turnover", "Turnover a year", "Activity", "number", 1, "bars", "lower",
           "turnover ÷ years", compounded=True),
    Metric("fees", "Fees", "Costs", "money", 2, "run", "lower",
           "sum of fees paid, those of open trades included"),
    Metric("slippage", "Slippage", "Costs", "money", 2, "run", "lower",
           "sum over fills of quantity × distance from the unslipped price"),
    Metric("funding", "Funding", "Costs", "money", 2, "run", "lower",
           "sum of funding paid, less what was received"),
    Metric("borrow", "Borrow", "Costs", "money", 2, "run", "lower",
           "sum of interest paid for what was sold short"),
    Metric("interest", "Interest", "Costs", "money", 2, "run", "lower",
           "sum of interest paid for borrowed money"),
    Metric("cost_share", "Costs of start cash", "Costs", "fraction", 2, "run", "lower",
           "(fees + slippage + funding + borrow + interest, those known) ÷ start cash"),
    Metric("benchmark_return", "Benchmark return", "Benchmark", "fraction", 2, "run", "neither",
           "benchmark's last value ÷ its first − 1"),
    Metric("excess_return", "Excess return", "Benchmark", "fraction", 2, "run", "higher",
           "total return − benchmark return"),
    Metric("alpha", "Alpha", "Benchmark", "fraction", 2, "days", "higher",
           "(mean daily return − riskless − beta × (benchmark's mean − riskless)) × days per year",
           annualised=True, interval=True),
    Metric("beta", "Beta", "Benchmark", "number", 2, "days", "neither",
           "covariance of daily returns with the benchmark's ÷ variance of the benchmark's", interval=True),
    Metric("correlation", "Correlation", "Benchmark", "number", 2, "days", "neither",
           "of daily returns with the benchmark's"),
    Metric("tracking_error", "Tracking error", "Benchmark", "fraction", 2, "days", "lower",
           "standard deviation of (daily return − benchmark's) × √days per year", annualised=True, interval=True),
    Metric("information_ratio", "Information ratio", "Benchmark", "number", 2, "days", "higher",
           "mean of (daily return − benchmark's) ÷ their standard deviation × √days per year", annualised=True, interval=True),
)
# fmt: on

METRICS: Final[Mapping[str, Metric]] = MappingProxyType({metric.key: metric for metric in CATALOGUE})
