"""What a strategy may import: ``from clusterx_api import Strategy, Parameter, Signals, Bars, Higher, indicators``.

``np`` and ``pd`` are numpy and pandas; ``Higher`` gives the closed bars of a higher timeframe; ``indicators`` holds every
indicator as a function of arrays, and ``compute`` for those named by text. docs/sandbox.md has the list.
"""

from typing import Any, Final

import numpy as np
import pandas as pd

from marketdata.bars import Bar, Bars
from marketdata.indicators import momentum, moving, signals, statistics, structure, trend, volatility, volume, zones
from marketdata.indicators.registry import compute
from strategies import contract
from strategies.higher import Higher

OFFERED: Final = (
    *("Strategy", "PortfolioStrategy", "EventStrategy", "Parameter", "Parameters", "InvalidParameter"),
    *("Signals", "Panel"),
)


class indicators:  # noqa: N801  (used as a module is)
    """Every indicator of the platform: ``indicators.sma(bars.close, 20)``."""

    compute = staticmethod(compute)


for _part in (moving, momentum, trend, volatility, volume, statistics, structure, zones, signals):
    for _name, _value in vars(_part).items():
        if callable(_value) and not _name.startswith("_") and getattr(_value, "__module__", None) == _part.__name__:
            setattr(indicators, _name, staticmethod(_value))

_offered: dict[str, Any] = {name: getattr(contract, name) for name in OFFERED}
globals().update(_offered)
BASES: Final[tuple[type, ...]] = tuple(_offered[name] for name in ("Strategy", "PortfolioStrategy", "EventStrategy"))
__all__ = ["Bar", "Bars", "Higher", "indicators", "np", "pd", *_offered]
