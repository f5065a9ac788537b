"""News that market data carries upward. Receivers only queue tasks."""

from django.dispatch import Signal

# instrument_id: int, timeframe: str, time: int (epoch seconds of the opening), close: float, revision: int.
# Sent by the stream process after the candle is committed.
bar_closed = Signal()
