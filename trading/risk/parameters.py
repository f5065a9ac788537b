"""The table behind the risk appetite: every parameter, its meaning, its range, and its value at 1, 2, … 10.

This is the only place where it stands: ``profile`` reads it, pages and docs/risk.md are made from it. No value is interpolated,
and no row ever turns: a higher appetite is never stricter in any parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final, Literal

from clusterx.errors import DomainError
from trading.risk.numbers import Number, Unit, plain

Value = Decimal | int | str

APPETITES: Final = range(1, 11)
POLICIES: Final = (
    ("liquidate", "Close every position"),
    ("reduce-only", "Cancel what would open, open nothing"),
    ("block", "Open nothing"),
)


class InvalidProfile(DomainError):
    """An appetite or a parameter of a risk profile is unknown, of the wrong kind, or outside its range."""

    code = "invalid-risk-profile"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table.

    ``direction`` says where the value goes as the appetite grows; choices are ordered from the strictest to the loosest and
    rise along that order. ``minimum`` and ``maximum`` are inclusive and hold for values set by hand.
    """

    name: str
    label: str
    unit: Unit
    direction: Literal["rises", "falls"]
    columns: tuple[Value, ...]
    minimum: Decimal
    maximum: Decimal
    help: str
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.unit in {Unit.COUNT, Unit.RATE, Unit.SECONDS}

    def at(self, appetite: int) -> Value:
        return self.columns[appetite - 1]

    def accept(self, value: object) -> Value:
        """``value`` as this parameter holds it.

        Raises InvalidProfile, naming the parameter and its range.
        """
        if self.choices:
            names = [name for name, _ in self.choices]
            if value not in names:
                raise InvalidProfile(f"{self.name} must be {' or '.join(names)}, was {value!r}", field=self.name)
            return str(value)
        number = _number(value)
        if number is None:
            raise InvalidProfile(f"{self.name} must be a number, was {value!r}", field=self.name)
        if self.is_whole and number != number.to_integral_value():
            raise InvalidProfile(f"{self.name} must be a whole number, was {plain(number)}", field=self.name)
        if not self.minimum <= number <= self.maximum:
            low, high = plain(self.minimum), plain(self.maximum)
            raise InvalidProfile(
                f"{self.name} must be {low}..{high}, was {plain(number)}", field=self.name, minimum=low, maximum=high
            )
        return int(number) if self.is_whole else number

    def within(self, value: object) -> Decimal:
        """The nearest to ``value`` that may be set by hand."""
        return min(max(Decimal(str(value)), self.minimum), self.maximum)

    def said(self, value: Value) -> str:
        """``value`` with its unit, in English."""
        return str(value) if isinstance(value, str) else Number(Decimal(value), self.unit).text

    def rank(self, value: Value) -> Decimal:
        """What grows with the risk that ``value`` allows."""
        if self.choices:
            return Decimal([name for name, _ in self.choices].index(str(value)))
        return Decimal(value) if self.direction == "rises" else -Decimal(value)


def _number(value: object) -> Decimal | None:
    # A bool is an int to Python and never a limit to anybody else; a float has lost the digits that somebody typed.
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _row(
    name: str,
    label: str,
    unit: Unit,
    columns: str,
    span: tuple[str, str],
    help: str,
    *,
    falls: bool = False,
) -> Parameter:
    whole = unit in {Unit.COUNT, Unit.RATE, Unit.SECONDS}
    values: tuple[Value, ...] = tuple(int(one) if whole else Decimal(one) for one in columns.split())
    return Parameter(name, label, unit, "falls" if falls else "rises", values, Decimal(span[0]), Decimal(span[1]), help)


def _policy(name: str, label: str, columns: str, help: str, choices: tuple[tuple[str, str], ...] = POLICIES) -> Parameter:
    zero = Decimal(0)
    return Parameter(name, label, Unit.CHOICE, "rises", tuple(columns.split()), zero, zero, help, choices)


PARAMETERS: Final[tuple[Parameter, ...]] = (
    _row(
        "stop_distance", "Stop distance", Unit.ATR, "1.5 2 2.5 3 3.5 4 5 6 7 8", ("0.25", "20"),
        "How far from the entry the stop lies, in average true ranges; a strategy's own stop counts where it is nearer.",
    ),
    _row(
        "maximum_position", "Largest position", Unit.SHARE, "0.005 0.01 0.02 0.03 0.05 0.075 0.1 0.15 0.2 0.25",
        ("0.0001", "5"), "The most that one position may be worth, as a share of equity.",
    ),
    _row(
        "risk_per_trade", "Risk per trade", Unit.SHARE, "0.001 0.002 0.003 0.004 0.005 0.0075 0.01 0.015 0.02 0.03",
        ("0.0001", "0.2"), "The share of equity that is lost when a position is closed at its stop.",
    ),
    _row(
        "exposure_symbol", "Exposure to one symbol", Unit.SHARE, "0.01 0.02 0.03 0.05 0.075 0.1 0.15 0.2 0.3 0.4",
        ("0.0001", "5"), "The most that all positions in one symbol may be worth together, as a share of equity.",
    ),
    _row(
        "exposure_sector", "Exposure to one sector", Unit.SHARE, "0.05 0.08 0.12 0.16 0.2 0.3 0.4 0.5 0.75 1",
        ("0.0001", "10"), "The most that all positions in one sector may be worth together, as a share of equity.",
    ),
    _row(
        "exposure_cluster", "Exposure to one correlation cluster", Unit.SHARE,
        "0.04 0.06 0.09 0.12 0.16 0.25 0.35 0.45 0.6 0.8", ("0.0001", "10"),
        "The most that all positions which move together may be worth, as a share of equity.",
    ),
    _row(
        "leverage", "Leverage", Unit.TIMES, "0.2 0.3 0.5 0.75 1 1 1.5 2 2.5 3", ("0.01", "20"),
        "The most that all positions may be worth together, long and short added, in multiples of equity.",
    ),
    _row(
        "daily_loss", "Daily loss", Unit.SHARE, "0.0025 0.005 0.01 0.015 0.02 0.025 0.03 0.04 0.05 0.06", ("0.0005", "1"),
        "After losing this share of the equity that the day began with, nothing new is opened until the next day.",
    ),
    _row(
        "drawdown", "Drawdown", Unit.SHARE, "0.01 0.02 0.03 0.04 0.05 0.075 0.1 0.15 0.2 0.3", ("0.001", "1"),
        "After falling this far below the highest equity, nothing new is opened until you allow it again.",
    ),
    _row(
        "consecutive_losses", "Losses in a row", Unit.COUNT, "2 2 2 3 3 4 5 6 8 10", ("1", "50"),
        "After so many losing trades one after another, nothing new is opened until you allow it again.",
    ),
    _row(
        "infrastructure_failures", "Failures in a window", Unit.COUNT, "2 3 3 4 5 5 6 8 10 12", ("1", "50"),
        "After so many errors, stale feeds and lost connections within the window, nothing new is opened until you allow it.",
    ),
    _row(
        "infrastructure_window", "Window for failures", Unit.SECONDS, "1800 1200 900 900 600 600 450 300 240 180",
        ("10", "86400"), "How far back failures count.", falls=True,
    ),
    _row(
        "price_collar", "Price collar", Unit.SHARE, "0.002 0.003 0.005 0.0075 0.01 0.015 0.02 0.03 0.04 0.05",
        ("0.0001", "0.5"), "How much worse than the last price an order's limit or expected price may be.",
    ),
    _row(
        "orders_per_minute", "Orders a minute", Unit.RATE, "2 4 6 8 10 15 20 30 45 60", ("1", "600"),
        "The most orders that the account sends within a minute; what only closes is never held back.",
    ),
    _row(
        "open_positions", "Open positions", Unit.COUNT, "1 2 3 4 6 8 10 15 20 30", ("1", "500"),
        "The most positions that may be open at once.",
    ),
    _row(
        "bad_regime_scale", "Size in bad regimes", Unit.SHARE, "0 0 0.1 0.25 0.5 0.5 0.6 0.75 0.9 1", ("0", "1"),
        "How much of a position's size is left where the market's regime does not suit the strategy.",
    ),
    _row(
        "extreme_fear", "Extreme fear", Unit.POINTS, "40 35 30 25 20 15 12 10 5 0", ("0", "100"),
        "Below this value of the sentiment index (0 to 100) nothing new is bought.", falls=True,
    ),
    _row(
        "signal_scale", "Signal threshold", Unit.TIMES, "2 1.6 1.3 1 1 1 1 1 1 1", ("1", "10"),
        "A strategy's threshold is multiplied by this: above 1 only strong signals are traded.", falls=True,
    ),
    _row(
        "price_age", "Patience with a price", Unit.SECONDS, "15 20 30 45 60 60 75 90 105 120", ("1", "3600"),
        "How old the newest price may be; where prices come by the bar, one bar more.",
    ),
    _policy(
        "daily_loss_policy", "On a daily loss", "reduce-only " * 5 + "block " * 5,
        "What happens at the limit of the daily loss.",
    ),
    _policy(
        "drawdown_policy", "On a drawdown", "liquidate " * 3 + "reduce-only " * 4 + "block " * 3,
        "What happens at the limit of the drawdown.",
    ),
    _policy(
        "losses_policy", "On losses in a row", "reduce-only " * 5 + "block " * 5,
        "What happens at the limit of losses in a row.",
    ),
    _policy(
        "infrastructure_policy", "On failures", "reduce-only " * 5 + "block " * 5,
        "What happens at the limit of failures. Positions stay: what fails cannot be trusted to close them well.",
        POLICIES[1:],
    ),
)  # fmt: skip

BY_NAME: Final[Mapping[str, Parameter]] = MappingProxyType({parameter.name: parameter for parameter in PARAMETERS})
