"""Owns the shape of what is measured and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from strategies.metrics.by_regime import RegimeResult
from strategies.metrics.curve import Calendar, Drawdown
from strategies.metrics.errors import InvalidRun, Reason
from strategies.metrics.intervals import Interval
from strategies.metrics.tables import Distribution, MonthReturn, YearReturn

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the numbers were made: printed with them.

    ``span`` runs from the first bar's opening to the last one's close, in seconds. ``under_a_year`` says that nothing was
    compounded to a year and that what is scaled to one by √time (the catalogue marks it ``annualised``) reaches beyond
    the run. ``resamples`` of ``seed`` made the intervals. ``ruined`` says that equity fell to zero or below: days end
    there.
    """

    calendar: Calendar
    bar_seconds: int
    bars: int
    days: int
    days_per_year: float
    span: int
    under_a_year: bool
    ruined: bool
    start_cash: float
    risk_free: float
    seed: int
    resamples: int


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """All numbers of a run. The catalogue says what each is; None is explained in ``missing``; no number is NaN.

    Fractions are not percent: 0.12 is 12 %. Losses, drawdowns and excursions against a trade are negative. Money is in
    the account's currency, durations in seconds.
    """

    final_equity: float
    total_return: float
    annual_return: float | None
    best_day: float
    worst_day: float
    winning_days: float

    volatility: float | None
    daily_volatility: float | None
    value_at_risk: float | None
    expected_shortfall: float | None
    skew: float | None
    kurtosis: float | None

    sharpe: float | None
    probabilistic_sharpe: float | None
    sortino: float | None
    calmar: float | None
    omega: float | None

    max_drawdown: float
    max_drawdown_length: int
    max_drawdown_recovery: int | None
    ulcer_index: float

    trades: int
    open_trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    average_win: float | None
    average_loss: float | None
    best_trade: float | None
    worst_trade: float | None
    winning_streak: int
    losing_streak: int
    average_holding: float | None
    median_holding: float | None
    longest_holding: float | None
    average_mae: float | None
    worst_mae: float | None
    average_mfe: float | None
    best_mfe: float | None
    sqn: float | None
    kelly: float | None

    exposure: float
    long_exposure: float
    short_exposure: float
    turnover: float | None
    annual_turnover: float | None

    fees: float
    slippage: float | None
    funding: float | None
    borrow: float | None
    interest: float | None
    cost_share: float

    benchmark_return: float | None
    excess_return: float | None
    alpha: float | None
    beta: float | None
    correlation: float | None
    tracking_error: float | None
    information_ratio: float | None

    sampling: Sampling
    missing: Mapping[str, Reason]
    intervals: Mapping[str, Interval]
    drawdowns: tuple[Drawdown, ...]
    months: tuple[MonthReturn, ...]
    years: tuple[YearReturn, ...]
    distribution: Distribution
    regimes: tuple[RegimeResult, ...]

    def numbers(self) -> dict[str, float | None]:
        """Every number of the catalogue by its key, in the catalogue's order."""
        return {name: getattr(self, name) for name in NUMBERS}

    def to_json(self) -> dict[str, Any]:
        """As it is stored and sent; `from_json` reads it."""
        return {
            "version": VERSION,
            "numbers": self.numbers(),
            "missing": dict(self.missing),
            "intervals": {key: list(interval) for key, interval in self.intervals.items()},
            "sampling": asdict(self.sampling),
            "drawdowns": [asdict(row) for row in self.drawdowns],
            "months": [list(row) for row in self.months],
            "years": [list(row) for row in self.years],
            "distribution": {key: list(row) for key, row in asdict(self.distribution).items()},
            "regimes": [asdict(row) for row in self.regimes],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Metrics:
        """From what `to_json` gave, also after a journey through text.

        Raises
        ------
        InvalidRun
            If a version wrote it that is not known here.
        """
        if stored.get("version") != VERSION:
            raise InvalidRun(f"metrics must be of version {VERSION}, were of {stored.get('version')!r}")
        return cls(
            **stored["numbers"],
            missing=dict(stored["missing"]),
            intervals={key: Interval(*pair) for key, pair in stored["intervals"].items()},
            sampling=Sampling(**stored["sampling"]),
            drawdowns=tuple(Drawdown(**row) for row in stored["drawdowns"]),
            months=tuple(MonthReturn(*row) for row in stored["months"]),
            years=tuple(YearReturn(*row) for row in stored["years"]),
            distribution=Distribution(**{key: tuple(row) for key, row in stored["distribution"].items()}),
            regimes=tuple(RegimeResult(**row) for row in stored["regimes"]),
        )


_TABLES: Final = {"sampling", "missing", "intervals", "drawdowns", "months", "years", "distribution", "regimes"}
NUMBERS: Final = tuple(field.name for field in fields(Metrics) if field.name not in _TABLES)
