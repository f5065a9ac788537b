"""Owns the registry entries of direction and its strength."""

from math import ceil

from marketdata.indicators import trend
from marketdata.indicators.catalogue.parts import bars, factor, length, named
from marketdata.indicators.definitions import Indicator, Output, Params
from marketdata.indicators.memory import exponential, wilder
from marketdata.indicators.signals import Cross, Event, Turn, trend_start


def _supertrend_history(params: Params, _: int) -> int:
    # Two runs agree once both have turned at the same bar. A turn takes a walk of about twice the multiplier in
    # ranges, whose length goes with its square; the factor is measured with a margin.
    return wilder(params["window"]) + ceil(20 * (1 + params["multiplier"]) ** 2)


def _psar_history(params: Params, _: int) -> int:
    # Turns come the faster the higher the acceleration may grow; the factors are measured with a margin.
    return ceil(100 + 40 / params["limit"] + 8 / params["step"])


TREND = (
    Indicator(
        name="adx",
        label="Average directional index",
        group="Trend",
        inputs=("high", "low", "close"),
        parameters=(length(14),),
        outputs=(
            Output("adx", "ADX", unit="index"),
            Output("plus", "+DI", unit="index", tone="positive"),
            Output("minus", "-DI", unit="index", tone="negative"),
        ),
        pane="own",
        source="TA-Lib ADX, PLUS_DI, MINUS_DI (Wilder 1978)",
        summary="Strength of the trend, and of movement up and down, 0 to 100.",
        memory="decay",
        bars_needed=lambda p, _: wilder(p["window"], 2),
        compute=lambda b, p: named(("adx", "plus", "minus"), trend.adx(b.high, b.low, b.close, p["window"])),
        signals=(Cross("plus", "minus", "+DI above -DI", "+DI below -DI"),),
        levels=(20,),
    ),
    Indicator(
        name="aroon",
        label="Aroon",
        group="Trend",
        inputs=("high", "low"),
        parameters=(length(25),),
        outputs=(
            Output("up", "Up", unit="index", tone="positive"),
            Output("down", "Down", unit="index", tone="negative"),
        ),
        pane="own",
        source="TA-Lib AROON (Chande 1995)",
        summary="How recent the highest high and the lowest low are, 0 to 100.",
        memory="window",
        bars_needed=lambda p, _: p["window"] + 1,
        compute=lambda b, p: named(("up", "down"), trend.aroon(b.high, b.low, p["window"])),
        signals=(Cross("up", "down", "Aroon up above down", "Aroon up below down"),),
        levels=(30, 70),
    ),
    Indicator(
        name="psar",
        label="Parabolic SAR",
        group="Trend",
        inputs=("high", "low"),
        parameters=(
            factor("step", "Acceleration", 0.02, 0.005, 0.2, 0.005),
            factor("limit", "Maximum", 0.2, 0.05, 1.0, 0.05),
        ),
        outputs=(Output("value", "SAR", "dots"), Output("side", "Side", "hidden", "code")),
        pane="price",
        source="TA-Lib SAR (Wilder 1978)",
        summary="Stop that closes in on price with each new extreme and changes sides when hit.",
        memory="reset",
        bars_needed=_psar_history,
        compute=lambda b, p: named(("value", "side"), trend.psar(b.high, b.low, p["step"], p["limit"])),
        signals=(Turn("side", "SAR turns up", "SAR turns down"),),
        ascending=("step", "limit"),
    ),
    Indicator(
        name="supertrend",
        label="Supertrend",
        group="Trend",
        inputs=("high", "low", "close"),
        parameters=(length(10, 2, 100), factor("multiplier", "Multiplier", 3.0, 0.5, 10.0)),
        outputs=(Output("value", "Supertrend"), Output("side", "Side", "hidden", "code")),
        pane="price",
        source="TA-Lib SUPERTREND (Seban)",
        summary="Band of average true ranges that trails price and changes sides when a close crosses it.",
        memory="reset",
        bars_needed=_supertrend_history,
        compute=lambda b, p: named(("value", "side"), trend.supertrend(b.high, b.low, b.close, p["window"], p["multiplier"])),
        signals=(Turn("side", "Supertrend turns up", "Supertrend turns down"),),
    ),
    Indicator(
        name="ichimoku",
        label="Ichimoku cloud",
        group="Trend",
        inputs=("high", "low"),
        parameters=(
            bars("conversion", "Conversion", 9),
            bars("base", "Base", 26),
            bars("span", "Span B", 52),
            bars("displacement", "Displacement", 26, 1),
        ),
        outputs=(
            Output("tenkan", "Conversion"),
            Output("kijun", "Base", tone="secondary"),
            Output("span_a", "Cloud A here", "hidden"),
            Output("span_b", "Cloud B here", "hidden"),
            Output("lead_a", "Span A", "band", tone="positive", shift="displacement"),
            Output("lead_b", "Span B", "band", tone="negative", shift="displacement"),
        ),
        pane="price",
        source="TA-Lib MIDPRICE (Hosoda 1969)",
        summary=(
            "Middles of highs and lows over three lengths, and a cloud drawn ahead. The lagging line is the close "
            "itself and is not computed."
        ),
        memory="window",
        bars_needed=lambda p, _: p["span"] + p["displacement"],
        compute=lambda b, p: trend.ichimoku(b.high, b.low, p["conversion"], p["base"], p["span"], p["displacement"])._asdict(),
        signals=(Cross("tenkan", "kijun", "Conversion above base", "Conversion below base"),),
        ascending=("conversion", "base", "span"),
    ),
    Indicator(
        name="trend_start",
        label="Trend starts",
        group="Trend",
        inputs=("high", "low", "close"),
        parameters=(
            bars("fast", "Fast EMA", 20),
            bars("slow", "Slow EMA", 50),
            length(14),
            factor("threshold", "Least ADX", 25.0, 0.0, 100.0, 1.0),
            bars("quiet", "Quiet bars before", 10, 1),
        ),
        outputs=(
            Output("state", "Trend", "hidden", "code"),
            Output("start", "Trend start", "markers", "code"),
        ),
        pane="price",
        source="TA-Lib EMA, ADX, PLUS_DI, MINUS_DI",
        summary="Bars at which two averages, directional movement and its strength begin to agree on a trend.",
        memory="decay",
        bars_needed=lambda p, _: p["quiet"] + max(exponential(p["slow"]), wilder(p["window"], 2)) + 1,
        compute=lambda b, p: named(
            ("state", "start"),
            trend_start(b.high, b.low, b.close, p["fast"], p["slow"], p["window"], p["threshold"], p["quiet"]),
        ),
        signals=(Event("start", 1, "Up trend starts", "Down trend starts", "trend_start"),),
        ascending=("fast", "slow"),
    ),
)
