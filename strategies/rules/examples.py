"""Rules to begin from: the template gallery of the builder. Each shows another part of what a rule can say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final


def _line(
    indicator: str, output: str | None = None, *, timeframe: str | None = None, ago: int = 0, **params: Any
) -> dict[str, Any]:
    line: dict[str, Any] = {"indicator": indicator, "params": params}
    if output:
        line["output"] = output
    if timeframe:
        line["timeframe"] = timeframe
    if ago:
        line["ago"] = ago
    return line


def _tuned(name: str, value: float, minimum: float, maximum: float, step: float) -> dict[str, Any]:
    return {"tune": name, "value": value, "minimum": minimum, "maximum": maximum, "step": step}


_CLOSE: Final = {"price": "close"}


def _if(left: dict[str, Any], op: str, right: dict[str, Any] | float) -> dict[str, Any]:
    return {"op": op, "left": left, "right": right if isinstance(right, dict) else {"constant": right}}


_FAST: Final = _line("ema", window=_tuned("fast", 20, 5, 100, 5))
_SLOW: Final = _line("ema", window=_tuned("slow", 50, 20, 300, 10))
_SHORT_RSI: Final = _line("rsi", window=_tuned("rsi_window", 5, 2, 14, 1))
_CHANNEL: Final[dict[str, Any]] = {"window": _tuned("channel", 20, 10, 100, 5)}
_BANDS: Final[dict[str, Any]] = {"window": 20, "deviations": _tuned("width", 2, 1, 4, 0.25)}
_PLAIN_BANDS: Final[dict[str, Any]] = {"window": 20, "deviations": 2}
_KELTNER: Final[dict[str, Any]] = {"window": 20, "atr_window": 20, "multiplier": _tuned("channel", 1.5, 1, 3, 0.25)}
_HOURLY: Final[dict[str, Any]] = {"fast": 12, "slow": 26, "signal": 9}
_MACD: Final = _line("macd", "macd", timeframe="1h", **_HOURLY)
_SIGNAL: Final = _line("macd", "signal", timeframe="1h", **_HOURLY)

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "trend-cross": {
            "version": 1,
            "name": "Averages that cross",
            "timeframe": "1h",
            "direction": "long",
            "entry": {"long": {"all": [_if(_FAST, "crosses_above", _SLOW), _if(_line("rsi", window=14), "below", 70)]}},
            "exit": {"long": {"any": [_if(_FAST, "crosses_below", _SLOW)]}},
            "stop": {"kind": "atr", "value": _tuned("stop", 2, 1, 6, 0.5), "window": 14},
            "hold": 500,
        },
        "dip-in-trend": {
            "version": 1,
            "name": "A dip in an up trend",
            "timeframe": "1h",
            "direction": "long",
            "entry": {"long": {"all": [_if(_SHORT_RSI, "below", {"constant": _tuned("dip", 30, 10, 40, 5)})]}},
            "exit": {"long": {"any": [_if(_SHORT_RSI, "above", 60)]}},
            "filters": {"all": [_if({"price": "close", "timeframe": "1d"}, "above", _line("sma", timeframe="1d", window=50))]},
            "stop": {"kind": "percent", "value": 5},
            "hold": 72,
            "cooldown": 6,
        },
        "channel-break": {
            "version": 1,
            "name": "Break of a channel",
            "timeframe": "4h",
            "direction": "both",
            "entry": {
                "long": {"all": [_if(_CLOSE, "above", _line("donchian", "upper", ago=1, **_CHANNEL))]},
                "short": {"all": [_if(_CLOSE, "below", _line("donchian", "lower", ago=1, **_CHANNEL))]},
            },
            "trail": {"kind": "atr", "value": _tuned("trail", 3, 1, 8, 0.5), "window": 20},
            "hold": 300,
            "size": {"kind": "volatility", "value": 20, "window": 60, "most": 100},
        },
        "band-return": {
            "version": 1,
            "name": "Return into the bands",
            "timeframe": "15m",
            "direction": "both",
            "entry": {
                "long": {"all": [_if(_CLOSE, "crosses_above", _line("bollinger", "lower", **_BANDS))]},
                "short": {"all": [_if(_CLOSE, "crosses_below", _line("bollinger", "upper", **_BANDS))]},
            },
            "exit": {
                "long": {"all": [_if(_CLOSE, "above", _line("sma", window=20))]},
                "short": {"all": [_if(_CLOSE, "below", _line("sma", window=20))]},
            },
            "filters": {"not": _if(_line("adx", "adx", window=14), "above", 30)},
            "stop": {"kind": "atr", "value": 2.5, "window": 14},
            "profit": {"kind": "atr", "value": 3, "window": 14},
            "hold": 48,
        },
        "two-timeframes": {
            "version": 1,
            "name": "MACD with the day's trend",
            "timeframe": "15m",
            "direction": "long",
            "entry": {
                "long": {
                    "all": [
                        _if(_MACD, "crosses_above", _SIGNAL),
                        {"op": "rising", "left": _line("sma", timeframe="1d", window=20), "bars": 3},
                        {
                            "any": [
                                _if(_CLOSE, "above", _line("vwap", "vwap", anchor="day")),
                                {"op": "within", "left": _CLOSE, "right": _line("ema", window=100), "percent": 0.5},
                            ]
                        },
                    ]
                }
            },
            "exit": {"long": {"all": [_if(_MACD, "crosses_below", _SIGNAL)]}},
            "stop": {"kind": "percent", "value": _tuned("stop", 3, 1, 10, 0.5)},
            "trail": {"kind": "percent", "value": 4},
            "hold": 400,
        },
        "fixed-risk": {
            "version": 1,
            "name": "Squeeze with a fixed risk",
            "timeframe": "1h",
            "direction": "long",
            "entry": {
                "long": {
                    "all": [
                        _if(
                            _line("bollinger", "upper", ago=1, **_PLAIN_BANDS),
                            "below",
                            _line("keltner", "upper", ago=1, **_KELTNER),
                        ),
                        _if(_CLOSE, "crosses_above", _line("bollinger", "upper", **_PLAIN_BANDS)),
                        {"op": "between", "left": _line("rsi", window=14), "low": {"constant": 50}, "high": {"constant": 75}},
                    ]
                }
            },
            "exit": {"long": {"any": [_if(_CLOSE, "below", _line("bollinger", "middle", **_PLAIN_BANDS))]}},
            "stop": {"kind": "atr", "value": 2, "window": 14},
            "profit": {"kind": "atr", "value": _tuned("goal", 5, 2, 10, 0.5), "window": 14},
            "hold": 120,
            "cooldown": 3,
            "size": {"kind": "risk", "value": 1, "most": 100},
        },
    }
)
