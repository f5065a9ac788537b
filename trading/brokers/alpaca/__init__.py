"""Alpaca: stocks and crypto, paper and live.

``broker`` speaks the brokers' protocol; ``rest`` sends requests through alpaca-py and says what came of them; ``stream`` is the
account's websocket; ``messages`` reads what Alpaca writes; ``refusals`` says what its refusals mean.
"""

from trading.brokers.alpaca.broker import AlpacaAccount, AlpacaBroker

__all__ = ["AlpacaAccount", "AlpacaBroker"]
