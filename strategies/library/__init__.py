"""The strategies that come with the platform, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from strategies.contract import Strategy, UnknownStrategy
from strategies.library.macd import MacdCross
from strategies.library.sma_cross import SmaCross

LIBRARY: Final[Mapping[str, Strategy]] = MappingProxyType({strategy.name: strategy for strategy in (SmaCross(), MacdCross())})


def get(name: str) -> Strategy:
    """The strategy called ``name``.

    Raises UnknownStrategy, naming those there are.
    """
    try:
        return LIBRARY[name]
    except KeyError:
        raise UnknownStrategy(f"strategy must be one of {', '.join(LIBRARY)}, was {name!r}", field="strategy") from None
