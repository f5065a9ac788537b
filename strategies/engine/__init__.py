"""The simulation engine. ``from strategies.engine import simulate``; what it assumes is in docs/engine.md."""

from clusterx.compiled import forget_stale

forget_stale(__file__)

from strategies.engine.layout import Action, Kind, TimeInForce
from strategies.engine.model import ENGINE_VERSION, CorporateAction, Costs, Intent, InvalidSimulation, Market, Rules, Slippage
from strategies.engine.result import Result
from strategies.engine.simulation import simulate
from strategies.engine.sweep import Outcome, sweep

__all__ = [
    "ENGINE_VERSION", "Action", "CorporateAction", "Costs", "Intent", "InvalidSimulation", "Kind", "Market",
    "Outcome", "Result", "Rules", "Slippage", "TimeInForce", "simulate", "sweep",
]  # fmt: skip
