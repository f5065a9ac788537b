"""What the editor offers while somebody types: the names of our API, read from the code itself."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any, Final

COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")
LONGEST: Final = 160


@lru_cache(maxsize=1)
def completions() -> dict[str, list[dict[str, str]]]:
    """By what they follow: ``top``, ``indicators``, ``ctx``, ``bars``; each label, type, detail and info."""
    # Numba and TA-Lib are loaded by the first editor, not by every process that knows its address.
    from strategies.engine.context import Context
    from strategies.sandbox.inside import api

    indicators = [_entry(name, getattr(api.indicators, name)) for name in vars(api.indicators) if not name.startswith("_")]
    top = [_top(name, getattr(api, name)) for name in api.__all__]
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
    return {"top": top, "indicators": sorted(indicators, key=lambda one: one["label"]), "ctx": ctx, "bars": bars}


def _top(label: str, value: Any) -> dict[str, str]:
    """A name of ``clusterx_api``. How it is made is told where an author makes one: not of the bases and the errors."""
    if inspect.ismodule(value):
        return {"label": label, "type": "namespace", "detail": value.__name__, "info": ""}
    if label == "indicators":
        return {"label": label, "type": "namespace", "detail": "", "info": "Every indicator as a function of arrays."}
    made = inspect.isclass(value) and not inspect.isabstract(value) and not issubclass(value, Exception)
    return _entry(label, value, kind="class" if inspect.isclass(value) else "", signature=made or not inspect.isclass(value))


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
