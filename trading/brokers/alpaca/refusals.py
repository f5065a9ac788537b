"""What Alpaca's refusals mean. Pure.

Its reference calls the HTTP status and ``code`` stable and the words not. The codes are coarse (40310000 is missing money, a
blocked account and a short sale alike), so the words refine a refusal and never make one: where none fits it is
``venue-refused``, and nothing happened either way.
"""

from __future__ import annotations

import re
from typing import Final

from trading.brokers.alpaca.messages import STATES
from trading.brokers.protocol import Refused

PATTERN_DAY_TRADER: Final = 40310100
NOT_FOUND: Final = 40410000

WORDS: Final = (
    ("order_id must be unique", "duplicate-id"),
    ("order id must be unique", "duplicate-id"),
    ("cost basis must be", "below-minimum"),
    ("notional amount must be", "below-minimum"),
    ("position intent mismatch", "reduce-only"),
    ("wash trade", "would-cross"),
    ("insufficient", "insufficient-funds"),
    ("short", "short-not-allowed"),
    ("market hours", "market-closed"),
    ("market is closed", "market-closed"),
    ("not tradable", "trading-disabled"),
    ("not active", "trading-disabled"),
    ("not authorized", "trading-disabled"),
    ("not eligible", "trading-disabled"),
    ("blocked", "trading-disabled"),
    ("restricted", "trading-disabled"),
    ("suspended", "trading-disabled"),
    ("too many", "too-many-orders"),
    ("asset not found", "unknown-symbol"),
    ("could not find asset", "unknown-symbol"),
    ("invalid symbol", "unknown-symbol"),
    ("limit_price", "bad-price"),
    ("limit price", "bad-price"),
    ("stop_price", "bad-price"),
    ("stop price", "bad-price"),
    ("sub-penny", "bad-price"),
    ("fraction", "bad-quantity"),
    ("qty", "bad-quantity"),
    ("quantity", "bad-quantity"),
)
"""Parts of what is said, in lower case; the first that fits counts."""

_ASSET_NOT_FOUND: Final = re.compile(r"asset \W*[\w./]+\W* not found")
_STATE_OF_ORDER: Final = re.compile(r"order (?:is already )?in \W*(\w+)\W* stat(?:e|us)")


def refusal(status: int, code: int, said: str) -> Refused:
    """Of a request that changes something; ``said`` is Alpaca's message without anything secret."""
    return Refused(
        meaning(status, code, said.lower()), f"Alpaca refused it: {said}" if said else f"Alpaca refused it ({code})."
    )


def meaning(status: int, code: int, said: str) -> str:
    if code == PATTERN_DAY_TRADER:
        return "trading-disabled"
    if _ASSET_NOT_FOUND.search(said):
        return "unknown-symbol"
    if (code == NOT_FOUND or status == 404) and "order" in said:
        return "not-open"
    if "not cancelable" in said or "already replaced" in said:
        return "not-open"
    if named := _STATE_OF_ORDER.search(said):
        # An order that is merely accepted or being replaced is refused in the same words, and is not over.
        state = STATES.get(named[1])
        return "not-open" if state is not None and not state.is_open else "venue-refused"
    return next((ours for words, ours in WORDS if words in said), "venue-refused")
