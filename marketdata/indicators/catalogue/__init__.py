"""Owns the list of indicators the platform knows, in the order of its menus."""

from marketdata.indicators.catalogue.averages import AVERAGES
from marketdata.indicators.catalogue.momentum import MOMENTUM
from marketdata.indicators.catalogue.smart_money import SMART_MONEY
from marketdata.indicators.catalogue.statistics import STATISTICS
from marketdata.indicators.catalogue.trend import TREND
from marketdata.indicators.catalogue.volatility import VOLATILITY
from marketdata.indicators.catalogue.volume import VOLUME

ENTRIES = (*AVERAGES, *MOMENTUM, *VOLATILITY, *TREND, *VOLUME, *STATISTICS, *SMART_MONEY)

__all__ = ["ENTRIES"]
