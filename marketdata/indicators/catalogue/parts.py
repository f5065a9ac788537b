"""Owns the pieces that many entries share: parameters, band outputs, and what they signal."""

from marketdata.indicators.arrays import Floats
from marketdata.indicators.definitions import Output, Parameter
from marketdata.indicators.signals import Cross

BAND = ("upper", "middle", "lower")

BREAKOUT = (
    Cross("close", "upper", "Close above the upper band", "", "breakout", "up"),
    Cross("close", "lower", "", "Close below the lower band", "breakout", "down"),
)


def bars(name: str, label: str, default: int, minimum: int = 2, maximum: int = 500) -> Parameter:
    """A parameter that counts bars."""
    return Parameter(name, label, default, minimum, maximum, 1)


def length(default: int, minimum: int = 2, maximum: int = 500) -> Parameter:
    """The parameter ``window`` of an indicator that has one."""
    return bars("window", "Length", default, minimum, maximum)


def factor(name: str, label: str, default: float, minimum: float, maximum: float, step: float = 0.1) -> Parameter:
    """A parameter that is not a count."""
    return Parameter(name, label, default, minimum, maximum, step, "float")


def band(middle: str) -> tuple[Output, ...]:
    """Upper, middle and lower line on the price."""
    return (
        Output("upper", "Upper", "band", tone="muted"),
        Output("middle", middle),
        Output("lower", "Lower", "band", tone="muted"),
    )


def left_extreme(line: str, label: str, low: float, high: float) -> tuple[Cross, ...]:
    """Signals of an oscillator that comes back from below ``low`` or from above ``high``."""
    return (
        Cross(line, low, f"{label} back above {low:g}", "", "level", "up"),
        Cross(line, high, "", f"{label} back below {high:g}", "level", "down"),
    )


def named(names: tuple[str, ...], arrays: tuple[Floats, ...]) -> dict[str, Floats]:
    """Arrays by output name."""
    return dict(zip(names, arrays, strict=True))
