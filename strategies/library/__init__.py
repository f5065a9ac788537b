"""The strategies that come with the platform, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from strategies.contract import Declared, EventStrategy, Strategy, UnknownStrategy
from strategies.library.bollinger_reversion import BollingerMeanReversion
from strategies.library.breakout import Breakout
from strategies.library.dca import DollarCostAveraging
from strategies.library.ensemble import Ensemble
from strategies.library.grid import Grid
from strategies.library.macd import MacdCross
from strategies.library.momentum import Momentum
from strategies.library.order_flow import OrderFlow
from strategies.library.pairs import PairsTrading
from strategies.library.regime_adaptive import RegimeAdaptive
from strategies.library.sma_cross import SmaCross
from strategies.library.smart_money import SmartMoney
from strategies.library.statistical_momentum import StatisticalMomentum
from strategies.library.trend_riding import TrendRiding
from strategies.library.triple_filter import TripleFilter
from strategies.library.vwap import VwapTrend
from strategies.library.zscore_reversion import ZScoreMeanReversion

# All of them, of every style.
CATALOGUE: Final[Mapping[str, Declared]] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (
            SmaCross(), MacdCross(), TrendRiding(), Momentum(), StatisticalMomentum(), Breakout(), TripleFilter(), VwapTrend(),
            BollingerMeanReversion(), ZScoreMeanReversion(), SmartMoney(), OrderFlow(), RegimeAdaptive(), Ensemble(),
            PairsTrading(), Grid(), DollarCostAveraging(),
        )
    }
)  # fmt: skip

# Those that can be deployed: one instrument, and exposure alone. Trading has no protective orders yet, and a strategy
# without its stops is not the one that was tested.
LIBRARY: Final[Mapping[str, Strategy]] = MappingProxyType(
    {name: one for name, one in CATALOGUE.items() if isinstance(one, Strategy) and not one.levels}
)


def get(name: str) -> Strategy:
    """The deployable strategy called ``name``.

    Raises UnknownStrategy, naming those there are.
    """
    try:
        return LIBRARY[name]
    except KeyError:
        raise UnknownStrategy(f"strategy must be one of {', '.join(LIBRARY)}, was {name!r}", field="strategy") from None


def find(name: str) -> Declared:
    """The strategy called ``name``, of any style; an event-driven one is a new instance, good for one run.

    Raises UnknownStrategy, naming those there are.
    """
    try:
        found = CATALOGUE[name]
        return type(found)() if isinstance(found, EventStrategy) else found
    except KeyError:
        raise UnknownStrategy(f"strategy must be one of {', '.join(CATALOGUE)}, was {name!r}", field="strategy") from None
