"""Owns the registry entries of what volume tells."""

from marketdata.indicators import volume
from marketdata.indicators.arrays import Floats
from marketdata.indicators.calendar import ANCHORS, longest
from marketdata.indicators.catalogue.parts import factor, length, named
from marketdata.indicators.definitions import Bars, Indicator, Output, Parameter, Params
from marketdata.indicators.signals import Cross

_WHOLE = "series"


def _anchor(*choices: str) -> Parameter:
    return Parameter("anchor", "Starts anew each", choices[0], kind="choice", choices=choices)


def _session(params: Params, bar_seconds: int) -> int:
    return longest(params["anchor"], bar_seconds)


def _obv_history(params: Params, bar_seconds: int) -> int | None:
    # One more bar: the first of a session counts against the close before it.
    return None if params["anchor"] == _WHOLE else longest(params["anchor"], bar_seconds) + 1


def _obv(bars: Bars, params: Params) -> dict[str, Floats]:
    if params["anchor"] == _WHOLE:
        return {"value": volume.obv(bars.close, bars.volume)}
    return {"value": volume.anchored_obv(bars.time, bars.close, bars.volume, params["anchor"])}


VOLUME = (
    Indicator(
        name="obv",
        label="On-balance volume",
        group="Volume",
        inputs=("time", "close", "volume"),
        parameters=(_anchor(_WHOLE, *ANCHORS),),
        outputs=(Output("value", "OBV", unit="volume"),),
        pane="own",
        source="TA-Lib OBV (Granville 1963); our own loop when anchored",
        summary=(
            "Volume added on rising and taken off on falling closes. Over the whole series its level depends on the "
            "first bar and only its moves mean something; anchored to a UTC day, week or month the level does too."
        ),
        memory="session",
        bars_needed=_obv_history,
        compute=_obv,
    ),
    Indicator(
        name="vwap",
        label="VWAP",
        group="Volume",
        inputs=("time", "high", "low", "close", "volume"),
        parameters=(
            _anchor(*ANCHORS),
            Parameter("start", "Session start, minute of the UTC day", 0, 0, 1439, 1),
            factor("deviations", "Deviations", 2.0, 0.1, 10.0),
        ),
        outputs=(
            Output("vwap", "VWAP"),
            Output("upper", "Upper", "band", tone="muted"),
            Output("lower", "Lower", "band", tone="muted"),
        ),
        pane="price",
        source="Ours, weighted mean and deviation updated as in West (1979)",
        summary="Average typical price of the session weighted by volume, with bands of weighted deviations.",
        memory="session",
        bars_needed=_session,
        compute=lambda b, p: named(
            ("vwap", "upper", "lower"),
            volume.vwap(b.time, b.high, b.low, b.close, b.volume, p["anchor"], p["start"], p["deviations"]),
        ),
        signals=(Cross("close", "vwap", "Close above VWAP", "Close below VWAP"),),
    ),
    Indicator(
        name="cmf",
        label="Chaikin money flow",
        group="Volume",
        inputs=("high", "low", "close", "volume"),
        parameters=(length(20),),
        outputs=(Output("value", "CMF", unit="index"),),
        pane="own",
        source="TA-Lib CMF (Chaikin)",
        summary="Volume weighted by the place of the close in its bar, over all volume, -1 to 1.",
        memory="window",
        bars_needed=lambda p, _: p["window"],
        compute=lambda b, p: {"value": volume.cmf(b.high, b.low, b.close, b.volume, p["window"])},
        signals=(Cross("value", 0, "Money flow turns positive", "Money flow turns negative"),),
        levels=(0,),
    ),
    Indicator(
        name="volume_profile",
        label="Volume profile",
        group="Volume",
        inputs=("time", "high", "low", "volume"),
        parameters=(_anchor(*ANCHORS), factor("row", "Row height, %", 0.25, 0.05, 5.0, 0.05)),
        outputs=(
            Output("control", "Point of control"),
            Output("value_high", "Value area high", "band", tone="muted"),
            Output("value_low", "Value area low", "band", tone="muted"),
        ),
        pane="price",
        source="Ours (Steidlmayer's Market Profile, on volume)",
        summary="Price row with the most volume of the session so far, and the rows that hold 70 % of it.",
        memory="session",
        bars_needed=_session,
        compute=lambda b, p: named(
            ("control", "value_high", "value_low"),
            volume.volume_profile(b.time, b.high, b.low, b.volume, p["anchor"], p["row"]),
        ),
    ),
)
