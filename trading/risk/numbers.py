"""Numbers that people are shown, each with its unit, and how they are written in English."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final, Self


class Unit(StrEnum):
    """What a number counts. A share is written in percent; money carries its currency."""

    SHARE = "share"
    MONEY = "money"
    PRICE = "price"
    QUANTITY = "quantity"
    TIMES = "times"
    ATR = "atr"
    COUNT = "count"
    RATE = "rate"
    SECONDS = "seconds"
    POINTS = "points"
    CHOICE = "choice"


_FEWEST_PLACES: Final = {Unit.SHARE: 1, Unit.MONEY: 2}
_MOST_PLACES: Final = {Unit.SHARE: 2, Unit.MONEY: 2, Unit.TIMES: 2, Unit.SECONDS: 0, Unit.POINTS: 1, Unit.ATR: 2}
_EXACT: Final = 12
_MANY: Final = 24


@dataclass(frozen=True, slots=True)
class Number:
    """``amount`` of ``unit``; ``currency`` belongs to money."""

    amount: Decimal
    unit: Unit
    currency: str = ""

    @property
    def text(self) -> str:
        return self.written()

    def written(self, places: int | None = None) -> str:
        """In English, with at most ``places`` digits behind the point; as many as its unit is used to where None."""
        if not self.amount.is_finite():
            return "∞ %" if self.unit == Unit.SHARE else "∞"
        amount = self.amount * 100 if self.unit == Unit.SHARE else self.amount
        digits = trimmed(amount, _FEWEST_PLACES.get(self.unit, 0), self._places() if places is None else places)
        match self.unit:
            case Unit.SHARE:
                return f"{digits} %"
            case Unit.MONEY:
                return f"{digits} {self.currency}".rstrip()
            case Unit.TIMES:
                return f"{digits}×"
            case Unit.ATR:
                return f"{digits} ATR"
            case Unit.RATE:
                return f"{digits} a minute"
            case Unit.SECONDS:
                return f"{digits} s"
            case _:
                return digits

    def to_json(self) -> dict[str, str]:
        told = {"amount": plain(self.amount), "unit": self.unit.value}
        return told | {"currency": self.currency} if self.currency else told

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(Decimal(told["amount"]), Unit(told["unit"]), told.get("currency", ""))

    def _places(self) -> int:
        return _MOST_PLACES.get(self.unit, _EXACT)


def told_apart(first: Number, second: Number) -> tuple[str, str]:
    """Both in writing, with digits enough to see which is larger: 50.003 % is not 50.0 %."""
    one, other = first.written(), second.written()
    if one != other or first.amount == second.amount or first.unit != second.unit:
        return one, other
    for places in range(first._places() + 1, _MANY + 1):
        one, other = first.written(places), second.written(places)
        if one != other:
            break
    return one, other


def trimmed(amount: Decimal, fewest: int, most: int) -> str:
    """``amount`` with thousands set apart and no zeros at the end beyond ``fewest`` places."""
    digits = f"{amount.quantize(Decimal(1).scaleb(-most), rounding=ROUND_HALF_UP):,f}"
    if most == 0:
        return digits
    whole, _, part = digits.partition(".")
    part = part.rstrip("0").ljust(fewest, "0")
    return f"{whole}.{part}" if part else whole


def plain(number: Decimal) -> str:
    """All its digits, no exponent and no zeros at the end."""
    return f"{number.normalize() + 0:f}" if number.is_finite() else str(number)
