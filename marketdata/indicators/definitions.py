"""Owns the shape of a registry entry: what an indicator takes, gives, needs and says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from marketdata.indicators.arrays import Floats, IndicatorError, Times, real, whole
from marketdata.indicators.signals import Rule
from marketdata.indicators.zones import Zone

Value = int | float | str
Params = Mapping[str, Any]
Group = Literal["Moving averages", "Momentum", "Volatility", "Trend", "Volume", "Statistics", "Smart money"]
Input = Literal["time", "open", "high", "low", "close", "volume"]
Pane = Literal["price", "own"]
Style = Literal["line", "histogram", "band", "markers", "zones", "dots", "hidden"]
Unit = Literal["price", "volume", "index", "code", "bars"]
Tone = Literal["primary", "secondary", "tertiary", "positive", "negative", "muted"]
Memory = Literal["window", "decay", "reset", "session", "series"]


class Bars(Protocol):
    """Bars of one instrument and timeframe, oldest first: (n,) arrays of one length."""

    @property
    def time(self) -> Times: ...
    @property
    def open(self) -> Floats: ...
    @property
    def high(self) -> Floats: ...
    @property
    def low(self) -> Floats: ...
    @property
    def close(self) -> Floats: ...
    @property
    def volume(self) -> Floats: ...


class Tail(NamedTuple):
    """The newest bars of a longer series."""

    time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting of an indicator with its range; ``choices`` only for kind ``choice``."""

    name: str
    label: str
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    kind: Literal["int", "float", "choice"] = "int"
    choices: tuple[str, ...] = ()

    def take(self, value: object) -> Value:
        """``value`` as this parameter holds it. Raises IndicatorError if it is out of range."""
        if self.kind == "choice":
            if value not in self.choices:
                raise IndicatorError(f"{self.name} must be one of {', '.join(self.choices)}, was {value!r}")
            return str(value)
        assert self.minimum is not None
        assert self.maximum is not None
        if self.kind == "int":
            return whole(self.name, value, int(self.minimum), int(self.maximum))
        return real(self.name, value, self.minimum, self.maximum)


@dataclass(frozen=True, slots=True)
class Output:
    """A line that an indicator gives: (n,) float64, NaN where there is nothing.

    ``pane`` overrides the indicator's. ``shift`` names the parameter by which the line is drawn ahead of its bars.
    ``unit`` says how the number reads: a price, a volume, a plain index, a code (−1, 0, 1…) or a count of bars.
    """

    name: str
    label: str
    style: Style = "line"
    unit: Unit = "price"
    tone: Tone = "primary"
    pane: Pane | None = None
    shift: str = ""


@dataclass(frozen=True, slots=True)
class Indicator:
    """An entry of the registry.

    ``memory`` says why ``history`` is enough: the value uses a fixed ``window`` of bars; the past ``decay``s below
    1e-12; two runs fall together at a ``reset`` such as a reversal (measured, see the docs page); the value starts
    anew with each ``session``; or it needs the whole ``series``. ``ascending`` names parameters of which each must be
    larger than the one before; ``levels`` are lines to draw across the pane.
    """

    name: str
    label: str
    group: Group
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    pane: Pane
    source: str
    summary: str
    memory: Memory
    bars_needed: Callable[[Params, int], int | None]
    compute: Callable[[Bars, Params], dict[str, Floats]]
    signals: tuple[Rule, ...] = ()
    zones: Callable[[Bars, Params], tuple[Zone, ...]] | None = None
    ascending: tuple[str, ...] = ()
    levels: tuple[float, ...] = field(default=())

    def history(self, params: Params, bar_seconds: int = 60) -> int | None:
        """Bars after which the newest value equals that of the whole series to 1e-9; None: all of them.

        ``bar_seconds`` counts only for what starts anew each session; the default is right for one minute and longer.
        """
        return self.bars_needed(params, bar_seconds)

    def defaults(self) -> dict[str, Value]:
        """Every parameter at its default."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def take(self, given: Mapping[str, object]) -> dict[str, Value]:
        """All parameters in order, those not in ``given`` at their default.

        Raises
        ------
        IndicatorError
            If a name is unknown, a value out of range, or an order is wrong.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise IndicatorError(f"{self.name} takes {', '.join(names) or 'no parameters'}, not {name}")
        taken = {p.name: p.take(given.get(p.name, p.default)) for p in self.parameters}
        for lower, upper in zip(self.ascending, self.ascending[1:], strict=False):
            if taken[lower] >= taken[upper]:  # type: ignore[operator]
                raise IndicatorError(f"{self.name}: {lower} must be below {upper}, were {taken[lower]} and {taken[upper]}")
        return taken
