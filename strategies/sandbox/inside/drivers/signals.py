"""The vectorised run: all bars at once."""

from typing import Any

import numpy as np

from strategies.contract import PortfolioStrategy
from strategies.sandbox.inside import wire
from strategies.sandbox.inside.levels import exposures, levels


def drive(job: Any, strategy: Any, parameters: Any) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    bars = job.bars
    if isinstance(strategy, PortfolioStrategy):
        return {}, {"exposure": np.ravel(exposures(strategy.signals(bars, parameters), len(bars), job.task["legs"]))}
    return {}, levels(strategy.signals(bars, parameters), len(bars))
