"""Any exchange that the ccxt library can trade on. ``import ccxt`` in this package is the library: imports are absolute."""

from trading.brokers.ccxt.broker import CcxtBroker

__all__ = ["CcxtBroker"]
