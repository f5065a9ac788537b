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
    account = job.task["account"]
    costs = account["costs"] | {"slippage": Slippage(**account["costs"]["slippage"])}
    table = run_events(
        strategy,
        bars,
        parameters,
        market=Market(**account["market"]),
        costs=Costs(**costs),
        rules=Rules(**account["rules"]),
        cash=account["cash"],
    )
    return {"intents": np.ravel(table)}
