"""Every number that empyrical or quantstats also has agrees with theirs on random series; differences of rule are named."""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas as pd
import pytest
import quantstats.stats as quantstats

from strategies.robustness import sharpe as robustness
from tests.strategies.metrics.runs import START, daily, random_returns, trade_list

SEEDS = range(1, 9)
PERIODS = {"crypto": 365, "exchange": 252}


def series(values: np.ndarray) -> pd.Series:
    index = pd.to_datetime(START + 86_400 * np.arange(values.size), unit="s")
    return pd.Series(values, index)


@pytest.mark.parametrize("calendar", ["crypto", "exchange"])
@pytest.mark.parametrize("seed", SEEDS)
def test_empyrical_says_the_same_of_daily_returns(seed: int, calendar: str) -> None:
    returns = random_returns(300 + 97 * seed, seed)
    m = daily(returns).measure(calendar=calendar, resamples=0)
    more = {"annualization": PERIODS[calendar]}
    theirs = {
        "total_return": empyrical.cum_returns_final(returns),
        "volatility": empyrical.annual_volatility(returns, **more),
        "sharpe": empyrical.sharpe_ratio(returns, **more),
        "sortino": empyrical.sortino_ratio(returns, **more),
        "omega": empyrical.omega_ratio(returns),
        "max_drawdown": empyrical.max_drawdown(returns),
        "value_at_risk": empyrical.value_at_risk(returns),
        "expected_shortfall": empyrical.conditional_value_at_risk(returns),
    }
    assert {key: getattr(m, key) for key in theirs} == pytest.approx(theirs, rel=1e-9)
    if m.annual_return is not None:
        # empyrical counts the years in days of its calendar, we on the clock.
        assert m.calmar == pytest.approx(m.annual_return / -empyrical.max_drawdown(returns))
        years = returns.size / 365.25
        assert m.annual_return == pytest.approx(empyrical.annual_return(returns, annualization=returns.size / years))


@pytest.mark.parametrize("seed", SEEDS)
def test_quantstats_says_the_same_of_daily_returns(seed: int) -> None:
    returns = random_returns(400 + 31 * seed, seed)
    m, given = daily(returns).measure(resamples=0), series(returns)
    theirs = {
        "volatility": quantstats.volatility(given, periods=365),
        "sharpe": quantstats.sharpe(given, periods=365),
        "sortino": quantstats.sortino(given, periods=365),
        "omega": quantstats.omega(given),
        "max_drawdown": quantstats.max_drawdown(given),
        "skew": quantstats.skew(given),
        "kurtosis": quantstats.kurtosis(given),
        "best_day": quantstats.best(given),
        "worst_day": quantstats.worst(given),
        "expected_shortfall": quantstats.cvar(given, method="historical"),
        # It divides the squares by a day less.
        "ulcer_index": quantstats.ulcer_index(given) * math.sqrt((returns.size - 1) / returns.size),
    }
    assert {key: getattr(m, key) for key in theirs} == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_say_the_same_of_a_benchmark(seed: int) -> None:
    other = random_returns(500, seed + 100)
    returns = 0.4 * other + random_returns(500, seed, spread=0.01)
    run = daily(returns)
    m = run.measure(benchmark=50 * np.cumprod(1 + other), benchmark_start=50.0, resamples=0)
    greeks = quantstats.greeks(series(returns), series(other), periods=365)
    theirs = {
        "alpha": greeks["alpha"],
        "beta": greeks["beta"],
        "information_ratio": quantstats.information_ratio(series(returns), series(other)) * math.sqrt(365),
        "tracking_error": empyrical.annual_volatility(returns - other, annualization=365),
        "correlation": np.corrcoef(returns, other)[0, 1],
    }
    assert {key: getattr(m, key) for key in theirs} == pytest.approx(theirs, rel=1e-9)
    alpha, beta = empyrical.alpha_beta(returns, other, annualization=365)
    assert m.beta == pytest.approx(beta)
    assert m.alpha is not None
    # empyrical compounds the daily intercept where we, like quantstats, multiply it.
    assert (1 + m.alpha / 365) ** 365 - 1 == pytest.approx(alpha)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_riskless_return_is_taken_off_as_empyrical_does(seed: int) -> None:
    returns, riskless = random_returns(400, seed), 1.04 ** (1 / 365) - 1
    m = daily(returns).measure(risk_free=0.04, resamples=0)
    assert m.sharpe == pytest.approx(empyrical.sharpe_ratio(returns, riskless, annualization=365))
    assert m.sortino == pytest.approx(empyrical.sortino_ratio(returns, riskless, annualization=365))
    other = 0.3 * returns + random_returns(400, seed + 50)
    m = daily(returns).measure(risk_free=0.04, benchmark=np.cumprod(1 + other), benchmark_start=1.0, resamples=0)
    assert m.alpha is not None
    alpha = empyrical.alpha(returns, other, riskless, annualization=365)
    assert (1 + m.alpha / 365) ** 365 - 1 == pytest.approx(alpha)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_probabilistic_sharpe_ratio_is_that_of_the_robustness_tests(seed: int) -> None:
    returns = random_returns(200, seed)
    assert daily(returns).measure(resamples=0).probabilistic_sharpe == pytest.approx(
        robustness.probabilistic_sharpe(robustness.moments(returns))
    )
    riskless = 1.1 ** (1 / 365) - 1
    assert daily(returns).measure(resamples=0, risk_free=0.1).probabilistic_sharpe == pytest.approx(
        robustness.probabilistic_sharpe(robustness.moments(returns, riskless))
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_quantstats_says_the_same_of_trades(seed: int) -> None:
    pnl = np.random.default_rng(seed).normal(1, 20, 60)
    m, given = daily(np.zeros(200)).measure(trade_list(pnl), resamples=0), series(pnl)
    theirs = {
        "win_rate": quantstats.win_rate(given),
        "profit_factor": quantstats.profit_factor(given),
        "average_win": quantstats.avg_win(given),
        "average_loss": quantstats.avg_loss(given),
        "expectancy": quantstats.avg_return(given),
        "kelly": quantstats.kelly_criterion(given),
        "winning_streak": quantstats.consecutive_wins(given),
        "losing_streak": quantstats.consecutive_losses(given),
        "best_trade": pnl.max(),
        "worst_trade": pnl.min(),
        "sqn": math.sqrt(60) * pnl.mean() / pnl.std(ddof=1),
    }
    assert {key: getattr(m, key) for key in theirs} == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_quantstats_says_the_same_of_months(seed: int) -> None:
    returns = random_returns(500, seed)
    m = daily(returns).measure(resamples=0)
    theirs = quantstats.monthly_returns(series(returns), eoy=True)
    months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    assert [row.value for row in m.months] == pytest.approx(
        [theirs.loc[str(row.year), months[row.month - 1]] for row in m.months]
    )
    assert [row.value for row in m.years] == pytest.approx([theirs.loc[str(row.year), "EOY"] for row in m.years])
    assert [(row.year, row.month) for row in m.months][:13:12] == [(2020, 1), (2021, 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_quantstats_finds_the_same_drawdowns(seed: int) -> None:
    returns = random_returns(500, seed, drift=0.005)
    found = daily(returns).measure(resamples=0).drawdowns
    table = quantstats.drawdown_details(quantstats.to_drawdown_series(series(returns)))
    theirs = table.sort_values("max drawdown").head(10)
    assert [fall.depth for fall in found] == pytest.approx([value / 100 for value in theirs["max drawdown"]])
    troughs = [pd.Timestamp(fall.trough_time - 86_400, unit="s").strftime("%Y-%m-%d") for fall in found]
    assert troughs == [str(day)[:10] for day in theirs["valley"]]
    begins = [pd.Timestamp(fall.peak_time, unit="s").strftime("%Y-%m-%d") for fall in found]
    assert begins == [str(day)[:10] for day in theirs["start"]]
    assert len(found) == min(10, len(table)) > 3
