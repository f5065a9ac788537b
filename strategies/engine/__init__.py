"""The simulation engine. ``from strategies.engine import Bars, simulate``: ``help(simulate)`` has an example.

What it assumes is in docs/engine.md.
"""

from clusterx.compiled import forget_stale

forget_stale(__file__)

from marketdata.bars import Bars
from strategies.engine.layout import Action, Kind, Origin, Status, TimeInForce, Why
from strategies.engine.model import ENGINE_VERSION, CorporateAction, Costs, Intent, InvalidSimulation, Market, Rules, Slippage
from strategies.engine.result import Result
from strategies.engine.simulation import simulate
from strategies.engine.sweep import Outcome, sweep

__all__ = [
    "ENGINE_VERSION", "Action", "Bars", "CorporateAction", "Costs", "Intent", "InvalidSimulation", "Kind", "Market", "Origin",
    "Outcome", "Result", "Rules", "Slippage", "Status", "TimeInForce", "Why", "simulate", "sweep",
]  # fmt: skip
