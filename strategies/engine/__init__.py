"""The simulation engine. ``from strategies.engine import Bars, simulate``: ``help(simulate)`` has an example.

What it assumes is in docs/engine.md. Who takes its values alone (``Costs``, ``Rules``, …) loads no compiler: what is compiled
is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clusterx.compiled import forget_stale

forget_stale(__file__)

from marketdata.bars import Bars
from strategies.engine.layout import Action, Kind, Origin, Status, TimeInForce, Why
from strategies.engine.model import ENGINE_VERSION, CorporateAction, Costs, Intent, InvalidSimulation, Market, Rules, Slippage

if TYPE_CHECKING:
    from strategies.engine.result import Result
    from strategies.engine.simulation import simulate

__all__ = [
    "ENGINE_VERSION", "Action", "Bars", "CorporateAction", "Costs", "Intent", "InvalidSimulation", "Kind", "Market", "Origin",
    "Result", "Rules", "Slippage", "Status", "TimeInForce", "Why", "simulate",
]  # fmt: skip
COMPILED = {"Result": "result", "simulate": "simulation"}


def __getattr__(name: str) -> Any:
    if name not in COMPILED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{COMPILED[name]}"), name)
