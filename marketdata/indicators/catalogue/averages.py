"""Owns the registry entries of moving averages."""

from collections.abc import Callable

from marketdata.indicators import moving
from marketdata.indicators.arrays import Floats
from marketdata.indicators.catalogue.parts import length
from marketdata.indicators.definitions import Indicator, Memory, Output
from marketdata.indicators.memory import decay, exponential, wilder
from marketdata.indicators.signals import Cross

# The square of EMA 30's weight, at which an average without any direction moves.
_KAMA_SLOWEST = (2 / 31) ** 2


def _average(
    function: Callable[[Floats, int], Floats],
    label: str,
    default: int,
    summary: str,
    source: str,
    memory: Memory,
    needed: Callable[[int], int],
) -> Indicator:
    short = function.__name__.upper()
    return Indicator(
        name=function.__name__,
        label=label,
        group="Moving averages",
        inputs=("close",),
        parameters=(length(default),),
        outputs=(Output("value", short),),
        pane="price",
        source=source,
        summary=summary,
        memory=memory,
        bars_needed=lambda p, _: needed(p["window"]),
        compute=lambda bars, p: {"value": function(bars.close, p["window"])},
        signals=(Cross("close", "value", f"Close above {short}", f"Close below {short}"),),
    )


AVERAGES = (
    _average(
        moving.sma,
        "Simple moving average",
        20,
        "Mean of the last closes.",
        "TA-Lib SMA",
        "window",
        lambda window: window,
    ),
    _average(
        moving.ema,
        "Exponential moving average",
        20,
        "Average with weight 2 / (length + 1) on the newest close, seeded with a simple average.",
        "TA-Lib EMA",
        "decay",
        exponential,
    ),
    _average(
        moving.wma,
        "Weighted moving average",
        20,
        "Average with linearly falling weights.",
        "TA-Lib WMA",
        "window",
        lambda window: window,
    ),
    _average(
        moving.dema,
        "Double exponential moving average",
        20,
        "Twice the EMA less the EMA of the EMA.",
        "TA-Lib DEMA (Mulloy 1994)",
        "decay",
        lambda window: exponential(window, 2),
    ),
    _average(
        moving.tema,
        "Triple exponential moving average",
        20,
        "EMA with the lag of its first two smoothings taken out.",
        "TA-Lib TEMA (Mulloy 1994)",
        "decay",
        lambda window: exponential(window, 3),
    ),
    _average(
        moving.kama,
        "Kaufman adaptive moving average",
        10,
        "Average that runs with a trend (as EMA 2) and rests without one (as EMA 30 squared).",
        "TA-Lib KAMA (Kaufman 1995)",
        "decay",
        lambda window: window + decay(_KAMA_SLOWEST),
    ),
    _average(
        moving.hma,
        "Hull moving average",
        20,
        "Weighted average of twice the half-length WMA less the full one.",
        "TA-Lib HMA (Hull 2005)",
        "window",
        lambda window: window + round(window**0.5) + 1,
    ),
    _average(
        moving.smma,
        "Smoothed moving average",
        14,
        "Average with weight 1 / length on the newest close: Wilder's.",
        "TA-Lib RMA (Wilder 1978)",
        "decay",
        wilder,
    ),
    Indicator(
        name="vwma",
        label="Volume-weighted moving average",
        group="Moving averages",
        inputs=("close", "volume"),
        parameters=(length(20),),
        outputs=(Output("value", "VWMA"),),
        pane="price",
        source="TA-Lib VWMA",
        summary="Mean of the last closes, each weighted by its volume.",
        memory="window",
        bars_needed=lambda p, _: p["window"],
        compute=lambda b, p: {"value": moving.vwma(b.close, b.volume, p["window"])},
        signals=(Cross("close", "value", "Close above VWMA", "Close below VWMA"),),
    ),
)
