"""From what a strategy returned to plain arrays. The host looks again; the contract's messages are for the author."""

from typing import Any, Final

import numpy as np

from strategies import contract
from strategies.sandbox.inside import wire

NAMES: Final = ("exposure", "stop", "take_profit", "trail")


def levels(returned: Any, length: int) -> dict[str, wire.Array]:
    """``exposure`` and those of the other levels that were given, (length,) float64. Raises InvalidSignals."""
    signals = contract.as_signals(returned, length)
    return {name: value for name in NAMES if (value := getattr(signals, name)) is not None}


def exposures(returned: Any, length: int, legs: int) -> wire.Array:
    """(length, legs) float64. Raises InvalidSignals."""
    if np.shape(returned) != (length, legs):
        raise contract.InvalidSignals(f"exposures must be of shape ({length}, {legs}), were of shape {np.shape(returned)}")
    columns = [contract.as_signals(np.asarray(returned)[:, leg], length).exposure for leg in range(legs)]
    return np.stack(columns, axis=1)
