"""Whether trading is on: of a deployment, an account, the platform; and what holds where they differ."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TradingState(StrEnum):
    """What may be sent.

    ``active``: everything. ``reduce-only``: only what closes. ``halted``: only what protects a position, and panic.
    """

    ACTIVE = "active"
    REDUCE_ONLY = "reduce-only"
    HALTED = "halted"


_STRICTNESS: Final = {TradingState.ACTIVE: 0, TradingState.REDUCE_ONLY: 1, TradingState.HALTED: 2}


def strictest(*states: TradingState) -> TradingState:
    """What holds where all of ``states`` do; active where nobody says anything."""
    return max(states, key=_STRICTNESS.__getitem__, default=TradingState.ACTIVE)
