"""Timeframes: their names, their lengths, and where a bar begins."""

from __future__ import annotations

from dataclasses import dataclass


class UnknownTimeframe(ValueError):
    """The name is none of ours."""


@dataclass(frozen=True, order=True)
class Timeframe:
    """A bar length that divides the day, aligned to midnight UTC."""

    seconds: int
    name: str

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of(cls, name: str) -> Timeframe:
        """The timeframe called ``name``.

        Raises UnknownTimeframe, naming those there are.
        """
        try:
            return TIMEFRAMES[name]
        except (KeyError, TypeError):
            raise UnknownTimeframe(f"timeframe must be one of {', '.join(TIMEFRAMES)}, was {name!r}") from None

    def floor(self, epoch: int) -> int:
        """The opening time of the bar that holds ``epoch`` (both in seconds UTC)."""
        return epoch - epoch % self.seconds


TIMEFRAMES: dict[str, Timeframe] = {
    name: Timeframe(seconds, name)
    for name, seconds in {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400}.items()
}
