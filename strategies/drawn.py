"""What each strategy of the library looks at, as lines beside the price: for charts, never for decisions.

Pure. The lines are made of the indicators and parameters that the strategy itself uses; one that looks at nothing that is a
line (orders on a schedule, a vote of others) has none, and its chart shows what it holds instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars
from strategies.contract import Floats, Parameters

# Names that no parameter has; the others are labels of parameters, so that a line is called as what sets it.
MACD: Final = "MACD"
MOVE: Final = "Move, percent"
STRENGTH: Final = "Move in average ranges · √window"
FROM_VWAP: Final = "Average ranges from the VWAP"
FROM_MEAN: Final = "Deviations from the mean"
SPREAD: Final = "Deviations of the spread"
DELTA: Final = "Bought less sold over the window, guessed"
NAMES: Final = (MACD, MOVE, STRENGTH, FROM_VWAP, FROM_MEAN, SPREAD, DELTA, "VWAP", "RSI", "ADX", "Mean")


@dataclass(frozen=True, slots=True)
class Line:
    """``values`` (n,) float64, NaN where there is none: on the price, or in a pane of its own. Two ``edge``s make a band."""

    label: str
    values: Floats
    own: bool = False
    kind: Literal["line", "edge"] = "line"


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines, the levels that matter in the pane of their own, and (n,) int8 labels of the market's regime."""

    lines: tuple[Line, ...] = ()
    levels: tuple[float, ...] = ()
    regimes: npt.NDArray[np.int8] | None = None


def drawing(name: str, series: Sequence[Bars], p: Parameters) -> Drawing:
    """What the strategy called ``name`` looks at on ``series``, one Bars for each of its instruments, on one axis."""
    draw = DRAWN.get(name)
    return draw(series, p) if draw is not None else Drawing()


def names() -> Iterator[str]:
    """What lines are called that parameters do not name."""
    yield from NAMES


def _averages(series: Sequence[Bars], p: Parameters) -> Drawing:
    from marketdata.indicators.moving import sma

    close = series[0].close
    return Drawing((Line("Fast average", sma(close, p.fast)), Line("Slow average", sma(close, p.slow))))


def _exponential(series: Sequence[Bars], p: Parameters) -> Drawing:
    from marketdata.indicators.moving import ema

    close = series[0].close
    return Drawing((Line("Fast average", ema(close, p.fast)), Line("Slow average", ema(close, p.slow))))


def _macd(series: Sequence[Bars], p: Parameters) -> Drawing:
    from marketdata.indicators.momentum import macd

    line, signal, _ = macd(series[0].close, p.fast, p.slow, p.signal)
    return Drawing((Line(MACD, line, own=True), Line("Signal line", signal, own=True)), levels=(0.0,))


def _momentum(series: Sequence[Bars], p: Parameters) -> Drawing:
    close = series[0].close
    n, move = len(close), np.full(len(close), np.nan)
    if n > p.window:
        move[p.window :] = 100 * (close[p.window - p.skip : n - p.skip] / close[: n - p.window] - 1)
    return Drawing((Line(MOVE, move, own=True),), levels=(p.threshold,))


def _strength(series: Sequence[Bars], p: Parameters) -> Drawing:
    from marketdata.indicators.volatility import atr
    from strategies.library.kernels import drift

    bars = series[0]
    score = np.empty(len(bars))
    drift(bars.close, atr(bars.high, bars.low, bars.close, p.atr_window), p.window, score)
    return Drawing((Line(STRENGTH, score, own=True),), levels=(p.enter, p.leave))


def _channels(series: Sequence[Bars], p: Parameters) -> Drawing:
    from marketdata.indicators.volatility import donchian

    high, low = series[0].high, series[0].low
    top, _, bottom = donchian(high, low, p.enter)
    _, _, floor = donchian(high, low, p.leave)
    # A break is measured against the channel of the bars before.
    return Drawing(
        (
            Line("Entry channel", _before(top), kind="edge"),
            Line("Entry channel", _before(bottom), kind="edge"),
            Line("Exit channel", _before(floor)),
        )
    )


def _filters(series: Sequence[Bars], p: Parameters) -> Drawing:
    import talib

    from marketdata.indicators.momentum import rsi
    from marketdata.indicators.moving import sma

    bars = series[0]
    trend = talib.ADX(bars.high, bars.low, bars.close, p.adx)
    return Drawing(
        (
            Line("Average", sma(bars.close, p.average)),
            Line("RSI", rsi(bars.close, p.rsi), own=True),
            Line("ADX", trend, own=True),
        ),
        levels=(p.ceiling, p.strength),
    )


def _vwap(series: Sequence[Bars], p: Parameters) -> Drawing:
    from marketdata.indicators.volatility import atr
    from marketdata.indicators.volume import vwap
    from strategies.library.kernels import standardised

    bars = series[0]
    middle, _, _ = vwap(bars.time, bars.high, bars.low, bars.close, bars.volume, "day", p.start, 1.0)
    score = np.empty(len(bars))
    standardised(bars.close, middle, atr(bars.high, bars.low, bars.close, p.atr_window), score)
    return Drawing((Line("VWAP", middle), Line(FROM_VWAP, score, own=True)), levels=(p.enter, p.leave))


def _bands(series: Sequence[Bars], p: Parameters) -> Drawing:
    return Drawing(_around(series[0].close, p.window, p.width))


def _deviations(series: Sequence[Bars], p: Parameters) -> Drawing:
    from strategies.library.kernels import moments, standardised

    close = series[0].close
    sample, score = np.empty((2, len(close))), np.empty(len(close))
    moments(close, p.window, sample)
    standardised(close, sample[0], sample[1], score)
    # It buys what is cheap: the score that it waits for lies below the mean.
    return Drawing((Line("Mean", sample[0]), Line(FROM_MEAN, score, own=True)), levels=(-p.enter, -p.leave))


def _flow(series: Sequence[Bars], p: Parameters) -> Drawing:
    from strategies.library.flow import Flow

    bars = series[0]
    flow = Flow.of_bars(bars, p.ratio)
    total = np.cumsum(flow.buy - flow.sell)
    delta = np.full(len(bars), np.nan)
    if len(bars) > p.window:
        delta[p.window :] = total[p.window :] - total[: -p.window]
    return Drawing((Line(DELTA, delta, own=True),), levels=(0.0,))


def _regimes(series: Sequence[Bars], p: Parameters) -> Drawing:
    from strategies.regimes import RegimeRules, regimes

    labels = regimes(series[0], RegimeRules(window=p.window, past=p.past))
    return Drawing(_around(series[0].close, p.band, 2.0), regimes=labels)


def _spread(series: Sequence[Bars], p: Parameters) -> Drawing:
    from strategies.library.pairs import logarithms
    from strategies.library.spread_kernel import regress

    first, second = (logarithms(bars.close) for bars in series)
    slope, score = np.empty(len(first)), np.empty(len(first))
    regress(first, second, p.window, slope, score)
    return Drawing((Line(SPREAD, score, own=True),), levels=(p.enter, p.leave, -p.leave, -p.enter))


def _around(close: Floats, window: int, width: float) -> tuple[Line, ...]:
    from strategies.library.kernels import moments

    sample = np.empty((2, len(close)))
    moments(close, window, sample)
    mean, deviation = sample
    return (
        Line("Bands", mean + width * deviation, kind="edge"),
        Line("Bands", mean - width * deviation, kind="edge"),
        Line("Mean", mean),
    )


def _before(values: Floats) -> Floats:
    moved = np.full_like(values, np.nan)
    moved[1:] = values[:-1]
    return moved


DRAWN: Final[Mapping[str, Callable[[Sequence[Bars], Parameters], Drawing]]] = MappingProxyType(
    {
        "sma-cross": _averages,
        "macd": _macd,
        "trend-riding": _exponential,
        "momentum": _momentum,
        "statistical-momentum": _strength,
        "breakout": _channels,
        "triple-filter": _filters,
        "vwap": _vwap,
        "bollinger-reversion": _bands,
        "zscore-reversion": _deviations,
        "order-flow": _flow,
        "regime-adaptive": _regimes,
        "pairs": _spread,
    }
)
