"""What the risk engine says to people, gathered for translators: whoever wires it up declares ``texts`` (clusterx.wording)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from trading.risk.breakers import Breaker
from trading.risk.checks import RULES
from trading.risk.parameters import PARAMETERS
from trading.risk.sizing import Cap
from trading.risk.states import TradingState

STATES: Final[Mapping[TradingState, str]] = MappingProxyType(
    {
        TradingState.ACTIVE: "Active",
        TradingState.REDUCE_ONLY: "Only closing",
        TradingState.HALTED: "Halted",
    }
)
BREAKERS: Final[Mapping[Breaker, str]] = MappingProxyType(
    {
        Breaker.DAILY_LOSS: "Daily loss",
        Breaker.DRAWDOWN: "Drawdown",
        Breaker.LOSSES: "Losses in a row",
        Breaker.INFRASTRUCTURE: "Failures",
    }
)
CAPS: Final[Mapping[Cap, str]] = MappingProxyType(
    {
        Cap.ALLOCATION: "The deployment's share of equity",
        Cap.SIGNAL: "The signal is weaker than the threshold",
        Cap.REGIME: "The market's regime does not suit the strategy",
        Cap.POSITION: "The largest position",
        Cap.RISK: "The risk per trade",
        Cap.EXPOSURE_SYMBOL: "The exposure to the symbol",
        Cap.EXPOSURE_SECTOR: "The exposure to the sector",
        Cap.EXPOSURE_CLUSTER: "The exposure to the correlation cluster",
        Cap.LEVERAGE: "The leverage",
    }
)


def texts() -> Iterator[str]:
    for parameter in PARAMETERS:
        yield from (parameter.label, parameter.help)
        yield from (label for _, label in parameter.choices)
    for rule in RULES:
        yield from (rule.label, rule.refuses, *rule.wordings.values())
    for labels in (STATES, BREAKERS, CAPS):
        yield from labels.values()
