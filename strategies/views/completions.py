"""What the editor offers while somebody types: the names of our API, read from the code itself."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any, Final

MODULES: Final = ("moving", "momentum", "trend", "volatility", "volume", "statistics", "structure", "zones", "signals")
COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")
LONGEST: Final = 160


@lru_cache(maxsize=1)
def completions() -> dict[str, list[dict[str, str]]]:
    """By what they follow: ``top``, ``indicators``, ``ctx``, ``bars``; each label, type, detail and info."""
    # Numba and TA-Lib are loaded by the first editor, not by every process that knows its address.
    from importlib import import_module

    from strategies import contract
    from strategies.engine.context import Context

    indicators: dict[str, dict[str, str]] = {}
    for name in MODULES:
        module = import_module(f"marketdata.indicators.{name}")
        for label, value in vars(module).items():
            if callable(value) and not label.startswith("_") and getattr(value, "__module__", None) == module.__name__:
                indicators[label] = _entry(label, value)
    offered = ("Strategy", "PortfolioStrategy", "EventStrategy", "Parameter", "Signals", "Panel", "InvalidParameter")
    top = [_entry(name, getattr(contract, name), kind="class", signature=name == "Parameter") for name in offered]
    top += [
        {"label": "indicators", "type": "namespace", "detail": "", "info": "Every indicator as a function of arrays."},
        {"label": "np", "type": "namespace", "detail": "numpy", "info": ""},
        {"label": "pd", "type": "namespace", "detail": "pandas", "info": ""},
    ]
    own = {name: value for name, value in vars(Context).items() if not name.startswith("_") and name != "intents"}
    ctx = [_entry(name, value) for name, value in own.items()]
    ctx += [
        {"label": name, "type": "property", "detail": "float", "info": "Of the bar that has just closed."} for name in COLUMNS
    ]
    ctx += [
        {"label": "p", "type": "property", "detail": "", "info": "The parameters: ctx.p.fast."},
        {"label": "index", "type": "property", "detail": "int", "info": "Of the bar that has just closed."},
    ]
    bars = [{"label": name, "type": "property", "detail": "(n,) array", "info": ""} for name in COLUMNS]
    return {"top": top, "indicators": sorted(indicators.values(), key=lambda one: one["label"]), "ctx": ctx, "bars": bars}


def _entry(label: str, value: Any, *, kind: str = "", signature: bool = True) -> dict[str, str]:
    of_property = isinstance(value, property)
    detail = ""
    if signature and not of_property:
        try:
            names = [name for name in inspect.signature(value).parameters if name not in {"self", "cls"}]
            detail = f"({', '.join(names)})"
        except (TypeError, ValueError):
            pass
    info = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ").replace("``", "")
    shown = kind or ("property" if of_property else "function")
    return {"label": label, "type": shown, "detail": detail, "info": info if len(info) <= LONGEST else f"{info[:LONGEST]}…"}
