"""The event-driven run in a batch: the engine's own context, one bar after the other; only its intents leave the jail."""

from typing import Any

import numpy as np

from marketdata.bars import Bars
from strategies.engine.context import run_events
from strategies.engine.model import Costs, Market, Rules, Slippage
from strategies.sandbox.inside import wire


def drive(job: Any, strategy: Any, parameters: Any) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    return {}, intents(job, strategy, parameters, job.bars)


def intents(job: Any, strategy: Any, parameters: Any, bars: Bars) -> dict[str, wire.Array]:
    """What ``strategy`` decided over ``bars``, row after row, on the account that the task describes."""
    return {"intents": np.ravel(run_events(strategy, bars, parameters, **account(job)))}


def account(job: Any) -> dict[str, Any]:
    """``market``, ``costs``, ``rules`` and ``cash`` that the task describes."""
    told = job.task["account"]
    costs = told["costs"] | {"slippage": Slippage(**told["costs"]["slippage"])}
    return {"market": Market(**told["market"]), "costs": Costs(**costs), "rules": Rules(**told["rules"]), "cash": told["cash"]}
