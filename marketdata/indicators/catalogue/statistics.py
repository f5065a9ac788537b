"""Owns the registry entries of what treats prices as a sample."""

from marketdata.indicators import statistics
from marketdata.indicators.catalogue.parts import BAND, BREAKOUT, band, factor, length, named
from marketdata.indicators.definitions import Indicator, Output
from marketdata.indicators.signals import Cross

STATISTICS = (
    Indicator(
        name="linreg_slope",
        label="Linear regression slope",
        group="Statistics",
        inputs=("close",),
        parameters=(length(100),),
        outputs=(Output("value", "Slope"),),
        pane="own",
        source="TA-Lib LINEARREG_SLOPE",
        summary="Slope of the least-squares line through the last closes, price a bar.",
        memory="window",
        bars_needed=lambda p, _: p["window"],
        compute=lambda b, p: {"value": statistics.linreg_slope(b.close, p["window"])},
        signals=(Cross("value", 0, "Slope turns up", "Slope turns down"),),
        levels=(0,),
    ),
    Indicator(
        name="linreg_channel",
        label="Linear regression channel",
        group="Statistics",
        inputs=("close",),
        parameters=(length(100, 3), factor("deviations", "Deviations", 2.0, 0.1, 10.0)),
        outputs=band("Regression"),
        pane="price",
        source="TA-Lib LINEARREG; residual deviation ours (ordinary least squares)",
        summary="End of the least-squares line with a channel of residual deviations.",
        memory="window",
        bars_needed=lambda p, _: p["window"],
        compute=lambda b, p: named(BAND, statistics.linreg_channel(b.close, p["window"], p["deviations"])),
        signals=BREAKOUT,
    ),
    Indicator(
        name="hurst",
        label="Hurst exponent",
        group="Statistics",
        inputs=("close",),
        parameters=(length(200, 32, 2000),),
        outputs=(Output("value", "Hurst", unit="index"),),
        pane="own",
        source="Ours, generalised exponent of order 2 over lags 1, 2, 4, 8 (Di Matteo 2003)",
        summary="Above 0.5 moves tend to go on, below 0.5 to turn back; nothing while price stands still.",
        memory="window",
        bars_needed=lambda p, _: p["window"],
        compute=lambda b, p: {"value": statistics.hurst(b.close, p["window"])},
        levels=(0.5,),
    ),
    Indicator(
        name="normal",
        label="Normal distribution bands",
        group="Statistics",
        inputs=("close",),
        parameters=(length(100), factor("deviations", "Deviations", 2.0, 0.1, 10.0)),
        outputs=(
            *band("Mean"),
            Output("probability", "Probability", unit="index", pane="own"),
        ),
        pane="price",
        source="TA-Lib SMA and STDDEV; probability ours (complementary error function)",
        summary=(
            "Bands of the normal distribution fitted to the last closes, and the probability of a price at least as far from "
            "the mean as this one."
        ),
        memory="window",
        bars_needed=lambda p, _: p["window"],
        compute=lambda b, p: named(
            (*BAND, "probability"),
            statistics.normal_bands(b.close, p["window"], p["deviations"]),
        ),
        signals=BREAKOUT,
    ),
)
